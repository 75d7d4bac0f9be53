#include "keeper/held_time.h"

#include <algorithm>
#include <cmath>

#include "proc/run_delay.h"

namespace pbox {

int HeldTime::wait_ms(double now_ms) {
  if (due_ms_ == 0) plan(now_ms);
  // Work since the keeper woke up is no hold.
  due_ms_ = std::max(due_ms_, now_ms);
  return static_cast<int>(std::ceil(due_ms_ - now_ms));
}

double HeldTime::woke(double now_ms) {
  if (due_ms_ == 0 || now_ms < due_ms_) return 0;
  double hold_ms = now_ms - due_ms_;
  const double before_ms = delay_ms_;
  plan(now_ms);
  const bool counted = before_ms >= 0 && delay_ms_ >= 0;
  if (counted) hold_ms -= delay_ms_ - before_ms;
  if (hold_ms < (counted ? kNoiseMs : kUncountedNoiseMs)) return 0;
  hold_ms += kPeriodMs / 2;
  total_ms_ += hold_ms;
  return hold_ms;
}

void HeldTime::plan(double now_ms) {
  due_ms_ = now_ms + kPeriodMs;
  delay_ms_ = run_delay_ms();
}

}  // namespace pbox
