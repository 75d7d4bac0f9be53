#include "proc/write_watch.h"

#include <algorithm>

#include "proc/clock.h"

namespace pbox {
namespace {

// No file is written faster: as long as this takes, nobody has to look.
constexpr double kFastestBytesPerMs = 32000000;
// A file may be cut at any time, and what was written to it since the last look is not seen then.
constexpr double kLatestMs = 1000;
// A job that writes nothing now may begin at any time.
constexpr double kIdleMs = 20;
// Of the time that is left at the pace of now: a job that speeds up is still seen in time.
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
