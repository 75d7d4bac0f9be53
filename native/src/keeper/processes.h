// Every process of the box: whoever finds them, what is done with them is the same. With what its control groups do at once.
#pragma once
#include <unistd.h>
#include <utility>
#include <vector>

#include "keeper/cgroup.h"
#include "keeper/ladder.h"
#include "proc/members.h"
#include "proc/tree.h"
#include "wire/protocol.h"

namespace pbox {

// The main process, as the requests need it.
struct Main {
  int pid;
  int group;   // its process group; 0: unknown, since it has ended
  bool ended;
};

class Processes {
 public:
  explicit Processes(Cgroup& cgroup) : cgroup_(cgroup) {}
  virtual ~Processes() = default;
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  // Those alive now.
  virtual std::vector<Descendant> look() = 0;
  // To the main process's group. Once the main process has ended, its number may be another group's: then to those of the
  // box that are in it. An unknown group is everybody.
  virtual int signal_group(int signal, const Main& main);

  // These return how many they met.
  int signal(int signal);
  // All of them are frozen or have stopped when it returns, or a second is over.
  int suspend();
  int resume();
  // SIGTSTP, as it works on a group that is not orphaned: who would stop stops, and in the main process's group who has a
  // handler gets it. The kernel discards it in an orphaned one, and a job's is: its parent, the keeper, has a session of its
  // own.
  PauseReply pause(bool reached, int group);
  // Frozen or not. cgroup.kill is one step for the kernel; looking finds what is outside of the group, and serves where
  // there is none.
  int kill();
  // The stop ladder, see ladder.h. `session`: the only one that a scheduler signals, or 0.
  int stop(const StopBody& request, const Main& main, int session);
  // Asks whoever of the rest has not been asked, where it is time for that.
  void ask_rest();
  // Until ask_rest() has something to do, ms; -1 where it never has.
  int next_round_ms() const;
  void witnessed(int signal) { ladder_.witnessed(signal); }
  RlimitReply set_rlimit(const RlimitWire& wanted);

  bool suspended() const { return suspended_; }
  // They have been, and what is met from now on has to be.
  bool killed() const { return killed_; }

 private:
  Look looking() { return [this] { return look(); }; }

  Cgroup& cgroup_;
  Ladder ladder_;
  double next_round_ms_ = 0;
  bool suspended_ = false, killed_ = false;
};

// Of a job that the keeper has started: found by walking down from the keeper, their subreaper.
class Descendants final : public Processes {
 public:
  using Processes::Processes;
  std::vector<Descendant> look() override { return descendants(getpid()); }
  int signal_group(int signal, const Main& main) override;
};

// Of a process that somebody else has started: found in its group and below it.
class AdoptedProcesses final : public Processes {
 public:
  AdoptedProcesses(Cgroup& cgroup, Members members) : Processes(cgroup), members_(std::move(members)) {}
  std::vector<Descendant> look() override { return members_.look(); }

 private:
  Members members_;
};

}  // namespace pbox
