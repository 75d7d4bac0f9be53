#include "proc/write_watch.h"

#include <algorithm>

#include "proc/clock.h"

namespace pbox {
namespace {

// No file is written faster, so no look is needed before the target could be reached at this rate.
constexpr double kFastestBytesPerMs = 32000000;
// A file may be truncated at any time, which hides the bytes written since the last look.
constexpr double kLatestMs = 1000;
// A job that is not writing may begin at any time.
constexpr double kIdleMs = 20;
// The share of the time that remains at the current rate: a job that speeds up is still noticed in time.
constexpr double kShare = 0.25;
constexpr double kSoonestMs = 1;

}  // namespace

int WriteWatch::next_look_ms(uint64_t written, uint64_t target) {
  const double now = monotonic_ms();
  if (now - seen_at_ms_ >= kSoonestMs) {
    bytes_per_ms_ = written > seen_ ? static_cast<double>(written - seen_) / (now - seen_at_ms_) : 0;
    seen_ = written;
    seen_at_ms_ = now;
  }
  if (target == 0) return static_cast<int>(kLatestMs);
  const double left = target > written ? static_cast<double>(target - written) : 0;
  const double safe = left / kFastestBytesPerMs;
  if (safe >= kIdleMs) return static_cast<int>(std::min(safe, kLatestMs));
  if (bytes_per_ms_ <= 0) return static_cast<int>(kIdleMs);
  return static_cast<int>(std::clamp(left / bytes_per_ms_ * kShare, kSoonestMs, kIdleMs));
}

}  // namespace pbox
