// How long the scheduler has held the box: stopped or frozen it together with its keeper, while the agent went on. The keeper wakes
// up at least once a second. It cannot know when a hold began, and assumes half a second before it should have woken up.
#pragma once

namespace pbox {

class HeldTime {
 public:
  // Before poll(2): the longest wait, ms.
  int wait_ms(double now_ms);
  // After poll(2): ms of holds that have ended since the last call; 0: there was none.
  double woke(double now_ms);
  double total_ms() const { return total_ms_; }

 private:
  void look(double now_ms, double noise_ms);
  void read_busy(double now_ms);

  static constexpr double kPeriodMs = 1000;
  // Shorter delays are no holds: after poll(2), after work that may have waited for a file, and on a kernel that does not count how
  // long a thread is busy.
  static constexpr double kSleepNoiseMs = 200, kWorkNoiseMs = 1200, kUncountedNoiseMs = 2000;
  // Reading the busy time costs as much as waking up. What has come to it since it was read is taken for a part of the next delay.
  static constexpr double kFreshMs = 30000;
  double due_ms_ = 0;  // 0: it has not begun to look
  double busy_ms_ = -1, read_ms_ = 0;  // as last read, and when
  double new_ms_ = 0, total_ms_ = 0;
};

}  // namespace pbox
