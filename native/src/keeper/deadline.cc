#include "keeper/deadline.h"

#include <algorithm>
#include <cmath>

#include "proc/clock.h"

namespace pbox {

void Deadline::set(const DeadlineBody& body) {
  body_ = body;
  overslept_ = was_held_ = false;
  plan();
}

void Deadline::has_wrapper(bool has) {
  slack_ms_ = has ? kSlackMs : 0;
  plan();
}

void Deadline::postpone(double ms) {
  if (body_.stop_at_ms > 0) body_.stop_at_ms += ms;
  if (body_.kill_at_ms > 0) body_.kill_at_ms += ms;
  plan();
}

void Deadline::plan() {
  planned_ms_ = monotonic_ms();
  next_ms_ = 0;
  for (const double at : {body_.stop_at_ms, body_.kill_at_ms})
    if (at > 0 && (next_ms_ == 0 || at + slack_ms_ < next_ms_)) next_ms_ = at + slack_ms_;
}

Deadline::Due Deadline::take() {
  const bool stop = body_.stop_at_ms > 0 && (body_.kill_at_ms == 0 || body_.stop_at_ms < body_.kill_at_ms);
  abandons_ = !stop && body_.abandon != 0;
  if (stop) body_ = {0, monotonic_ms() + body_.grace_ms, 0, body_.signal, 1};
  else body_ = {};
  plan();
  return stop ? Due::stop : Due::kill;
}

int Deadline::wait_ms(double now_ms) const {
  if (next_ms_ == 0) return -1;
  return static_cast<int>(std::clamp(std::ceil(next_ms_ - now_ms), 0.0, 3600e3));
}

}  // namespace pbox
