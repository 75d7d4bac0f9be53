// Every process of the box, found by walking down from the keeper, with what its control groups do at once.
#pragma once
#include "keeper/cgroup.h"
#include "keeper/ladder.h"
#include "wire/protocol.h"

namespace pbox {

class Descendants {
 public:
  explicit Descendants(Cgroup& cgroup) : cgroup_(cgroup) {}
  // These return how many they met.
  int signal(int signal) const;
  // All of them are frozen or have stopped when it returns, or a second is over.
  int suspend();
  int resume();
  // SIGTSTP, as it works on a group that is not orphaned: who would stop stops, and in the job's group who has a handler gets
  // it. The kernel discards it in an orphaned one, and the job's is: its parent, the keeper, has a session of its own.
  PauseReply pause(bool reached, int job);
  // To the job's process group, whose number may be another one's when the main process has ended.
  int signal_group(int signal, int job, bool main_ended) const;
  // Frozen or not. cgroup.kill is one step for the kernel; the walk finds what is outside of the group, and serves where
  // there is none.
  int kill();
  // The stop ladder, see ladder.h; `job` is the main process and its group.
  int stop(const StopBody& request, int job, bool main_ended, int session);
  // Asks whoever of the rest has not been asked, where it is time for that.
  void ask_rest();
  // Until ask_rest() has something to do, ms; -1 where it never has.
  int next_round_ms() const;
  void witnessed(int signal) { ladder_.witnessed(signal); }
  RlimitReply set_rlimit(const RlimitWire& wanted) const;

  bool suspended() const { return suspended_; }
  // They have been, and what is met from now on has to be.
  bool killed() const { return killed_; }

 private:
  Cgroup& cgroup_;
  Ladder ladder_;
  double next_round_ms_ = 0;
  bool suspended_ = false, killed_ = false;
};

}  // namespace pbox
