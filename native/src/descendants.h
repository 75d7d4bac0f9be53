// Every process of the box, found by walking down from the keeper, with what its control groups do at once.
#pragma once
#include "cgroup.h"
#include "protocol.h"

namespace pbox {

class Descendants {
 public:
  explicit Descendants(Cgroup& cgroup) : cgroup_(cgroup) {}
  // These return how many they met.
  int signal(int signal) const;
  // All of them are frozen or have stopped when it returns, or a second is over.
  int suspend();
  int resume();
  // Frozen or not. cgroup.kill is one step for the kernel; the walk finds what is outside of the group, and serves where
  // there is none.
  int kill();
  RlimitReply set_rlimit(const RlimitWire& wanted) const;

  bool suspended() const { return suspended_; }
  // They have been, and what is met from now on has to be.
  bool killed() const { return killed_; }

 private:
  Cgroup& cgroup_;
  bool suspended_ = false, killed_ = false;
};

}  // namespace pbox
