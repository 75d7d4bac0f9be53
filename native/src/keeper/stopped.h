// Processes of ours that another process has stopped.
#pragma once
#include <vector>

#include "proc/process.h"

namespace pbox {

// A scheduler that stops every process takes less time than this from one process to the next.
constexpr int kStopToleranceMs = 1000;

// Counts how often a process of ours was found stopped.
class RepeatedStops {
 public:
  // Counts one more stop. True if there are too many: the stops prevent the limits of the box from being held.
  bool too_many(double now_ms) {
    if (now_ms - since_ms_ > kWindowMs) since_ms_ = now_ms, count_ = 0;
    return ++count_ > kTimes;
  }

 private:
  static constexpr double kWindowMs = 60000;
  static constexpr int kTimes = 5;
  double since_ms_ = 0;
  int count_ = 0;
};

bool is_stopped(int pid);
// The wrapper and every process of the box have stopped. Only a scheduler does that, and it may not have stopped us.
bool all_stopped(int wrapper, const std::vector<Descendant>& box);
// Resumes a stopped process, so that it learns of the end of the box.
void wake(int pid);

}  // namespace pbox
