#include "keeper/held_time.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "proc/run_delay.h"

namespace pbox {

int HeldTime::wait_ms(double now_ms) {
  if (due_ms_ == 0) {
    due_ms_ = now_ms + kPeriodMs;
    read_busy(now_ms);
  }
  // A hold can begin while the keeper works.
  if (now_ms > due_ms_) look(now_ms, kWorkNoiseMs);
  due_ms_ = std::max(due_ms_, now_ms);
  return static_cast<int>(std::ceil(due_ms_ - now_ms));
}

double HeldTime::woke(double now_ms) {
  if (due_ms_ == 0) return 0;
  look(now_ms, kSleepNoiseMs);
  due_ms_ = now_ms + kPeriodMs;
  total_ms_ += new_ms_;
  return std::exchange(new_ms_, 0.0);
}

void HeldTime::look(double now_ms, double noise_ms) {
  double hold_ms = now_ms - due_ms_;
  const bool is_late = hold_ms >= noise_ms;
  if (!is_late && now_ms - read_ms_ < kFreshMs) return;
  const double before_ms = busy_ms_;
  read_busy(now_ms);
  const bool counted = before_ms >= 0 && busy_ms_ >= 0;
  if (counted) hold_ms -= busy_ms_ - before_ms;
  if (is_late && hold_ms >= (counted ? noise_ms : kUncountedNoiseMs)) new_ms_ += hold_ms + kPeriodMs / 2;
}

void HeldTime::read_busy(double now_ms) {
  read_ms_ = now_ms;
  busy_ms_ = busy_time_ms();
}

}  // namespace pbox
