// How often a process of ours may be found stopped before its box is ended.
#pragma once
#include <vector>

#include "proc/process.h"

namespace pbox {

// A scheduler that stops everything takes less from one process to the next.
constexpr int kStopPatienceMs = 1000;

class StopPatience {
 public:
  // One more time. True where that is too often: somebody keeps the limits of the box from being held.
  bool lost(double now_ms) {
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
// The wrapper and everything of the box: so a scheduler does it, which does not reach every process of ours.
bool all_stopped(int wrapper, const std::vector<Descendant>& box);
// Whoever has stopped it must not keep the end from being told.
void wake(int pid);

}  // namespace pbox
