// How long to wait for an agent's answer.
#pragma once
#include <cstdint>

namespace pbox {

// An agent that does nothing for 50 ms does not answer. One that works has other boxes before this one, and is waited for:
// starting Node instead would take longer, and would take the CPU from the agent.
class Answer {
 public:
  // `agent`: the process that listens.
  Answer(int agent, double connected_ms);
  // The keeper has told the agent of the box; before, there is nothing to answer.
  void asked(double now_ms);
  // Whether waiting is over.
  bool overdue(double now_ms);
  // When to ask again, on the monotonic clock.
  double by_ms() const { return by_ms_; }

 private:
  int agent_;
  double last_ms_, by_ms_;
  bool asked_ = false;
  uint64_t ran_ = 0;  // ns of CPU time of the agent, when it was last looked at
};

}  // namespace pbox
