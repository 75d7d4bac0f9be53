// How long the scheduler has held the box: stopped or frozen it together with its keeper, while the agent went on. The keeper looks
// once a second. It cannot know when a hold began, and assumes half a second before it should have woken up.
#pragma once

namespace pbox {

class HeldTime {
 public:
  // Before poll(2): the longest wait, ms.
  int wait_ms(double now_ms);
  // After poll(2): ms of a hold that has just ended; 0: there was none.
  double woke(double now_ms);
  double total_ms() const { return total_ms_; }

 private:
  void plan(double now_ms);

  static constexpr double kPeriodMs = 1000;
  // Shorter holds pass unnoticed, so that a busy host is not taken for one. The second is for a kernel that does not count how long a
  // thread waits for a CPU.
  static constexpr double kNoiseMs = 200, kUncountedNoiseMs = 2000;
  double due_ms_ = 0;     // 0: it has not begun to look
  double delay_ms_ = -1;  // of this thread when `due_ms_` was set
  double total_ms_ = 0;
};

}  // namespace pbox
