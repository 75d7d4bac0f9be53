// Acts on every process of the box. The subclasses find the processes; the box's control groups act on all of them at once.
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

// The main process as the requests see it.
struct MainProcess {
  int pid;
  int group;   // its process group; 0: unknown, because the process has ended
  bool ended;
};

class Processes {
 public:
  explicit Processes(Cgroup& cgroup) : cgroup_(cgroup) {}
  virtual ~Processes() = default;
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  // The live processes.
  virtual std::vector<Descendant> look() = 0;
  // A live process of the box.
  virtual bool has(int pid);
  // Signals the main process's group. If the main process has ended, its number may belong to another group, so this signals
  // the processes of the box that are in the group. If the group is unknown, it signals every process.
  virtual int signal_group(int signal, const MainProcess& main);

  // These return the number of processes met.
  int signal(int signal);
  // Returns when every process is frozen or has stopped, or after a second.
  int suspend();
  int resume();
  // SIGTSTP, with the effect that it has on a group that is not orphaned: processes with the default action stop, and processes
  // of the main process's group with a handler get the signal. The kernel itself discards SIGTSTP in the job's group, which is
  // orphaned because its parent, the keeper, is in another session.
  PauseReply pause(bool reached, int group);
  // Kills every process, frozen or not. cgroup.kill takes the whole group in one step; the look finds processes outside the
  // group, or all of them if there is no group.
  int kill();
  // The stop ladder, see ladder.h. `session`: the only session that the scheduler signals, or 0.
  int stop(const StopBody& request, const MainProcess& main, int session);
  // Asks the remaining processes that have not been asked, if a round is due.
  void ask_rest();
  // Ms until ask_rest() is due; -1: never.
  int next_round_ms() const;
  void witnessed(int signal) { ladder_.witnessed(signal); }
  RlimitReply set_rlimit(const RlimitWire& wanted);

  bool suspended() const { return suspended_; }
  // Every process has been killed, and any process met from now on must be.
  bool killed() const { return killed_; }

 private:
  Look looking() { return [this] { return look(); }; }

  Cgroup& cgroup_;
  Ladder ladder_;
  double next_round_ms_ = 0;
  bool suspended_ = false, killed_ = false;
};

// The processes of a job that the keeper has started: the keeper is their subreaper, so they are its descendants.
class JobProcesses final : public Processes {
 public:
  using Processes::Processes;
  std::vector<Descendant> look() override { return descendants(getpid()); }
  int signal_group(int signal, const MainProcess& main) override;
};

// The processes of an adopted box, found in its control group and below its main process.
class AdoptedProcesses final : public Processes {
 public:
  AdoptedProcesses(Cgroup& cgroup, Members members) : Processes(cgroup), members_(std::move(members)) {}
  std::vector<Descendant> look() override { return members_.look(); }
  bool has(int pid) override { return members_.has(pid); }
  void list_in(std::string procs) { members_.list_in(std::move(procs)); }

 private:
  Members members_;
};

}  // namespace pbox
