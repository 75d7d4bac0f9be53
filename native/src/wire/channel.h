// The messages between the front end and its Node, on one SOCK_SEQPACKET socket: it keeps message boundaries. Between the front
// end and an agent the keeper passes them on (protocol.h).
#pragma once
#include <cstdint>

namespace pbox {

constexpr int kFrontFd = 4;  // Node's end; also in src/cli/unboxed.cjs

// To Node: a signal that the front end has received.
struct Delivery {
  int32_t signal;
  int32_t pid;  // of the sender; 0 for the kernel and for senders outside our pid namespace
  uint32_t uid;
  uint32_t reached;  // 1: the front end has passed it on while there was no agent, or its sender has signalled the job, too
  double at_ms;      // CLOCK_MONOTONIC
};

enum class NodeMessageType : uint32_t {
  outcome = 1,         // first: exit status; second: the signal to die of, or 0
  signals_seen = 2,    // Node has received every signal so far; first: an agent has acted on this one
  end_bound = 3,       // ms: by then (CLOCK_MONOTONIC) the keeper must have killed the box; 0: no bound
  unable = 4,          // this Node starts no job; the reason follows as text
  release_stderr = 5,  // the front end no longer writes to stderr
  flush_time = 6,      // ms: how long Node may need after the job has ended
  hold_open = 7,       // carries a descriptor, which stays open until the front end has ended
  // From an agent only:
  say = 8,             // text for stderr
  rules = 9,           // for the time without an agent; first: stop signal; second: Rule flags; ms: the grace period
  stop_group = 10,     // first: the signal that has stopped the job on its terminal; our group stops as well, if a shell can resume it
  boxed = 11,          // the adopted process is in its box: a front end that was told to --detach ends
};

constexpr int kRuleLinger = 1, kRuleReraise = 2;

// From Node.
struct NodeMessage {
  uint32_t type;
  int32_t first, second;
  uint32_t reserved;
  double ms;
};

}  // namespace pbox
