// Between the front end and its Node: one socket that keeps the bounds of messages.
#pragma once
#include <cstdint>

namespace pbox {

constexpr int kFrontFd = 4;  // Node's end; src/cli/unboxed.cjs knows it too

// To Node: a signal that the front end has got.
struct Delivery {
  int32_t signal;
  int32_t pid;  // of the sender; 0 for the kernel and for senders outside of our pid namespace
  uint32_t uid;
  uint32_t reserved;
  double at_ms;  // CLOCK_MONOTONIC
};

enum class Say : uint32_t {
  outcome = 1,   // first: exit status, second: the signal to die of or 0
  heard = 2,     // every signal so far
  bound = 3,     // ms: by then (CLOCK_MONOTONIC) the keeper must have killed the box; 0: no bound
  unable = 4,    // no job is started by this Node; a text follows that says why
  quiet = 5,     // stderr is nobody's business any more
  flush = 6,     // ms: how long the end of the box may take in Node
  hold = 7,      // a descriptor comes with it, which stays open until the front end has ended
};

// From Node.
struct Saying {
  uint32_t say;
  int32_t first, second;
  uint32_t reserved;
  double ms;
};

}  // namespace pbox
