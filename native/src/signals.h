// Signals to the wrapper, with their senders: what Node's own handlers do not tell.
#pragma once
#include <cstdint>
#include <vector>

namespace pbox {

struct Delivery {
  int32_t signal;
  int32_t pid;  // of the sender; 0 for the kernel and for senders outside of our pid namespace
  uint32_t uid;
  uint32_t reserved;
  double at_ms;  // CLOCK_MONOTONIC
};

// Installs handlers, process-wide, that write one Delivery each to a pipe. Returns its end for reading, -1 with errno.
int watch_signals(const std::vector<int>& signals);

}  // namespace pbox
