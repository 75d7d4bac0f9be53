// The processes of a box whose parent we are not: who they are now, and signals that reach nobody else.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace pbox {

// A process that cannot be mistaken for a later one with the same number.
struct Member {
  int pid;
  uint64_t start;  // clock ticks after boot, field 22 of proc_pid_stat(5)
};

// Of proc_pid_stat(5). `dead`: all of its threads have ended.
struct ProcessStat {
  char state = 0;
  uint64_t start = 0;
  bool dead = false;
  int64_t threads = 0;
  int group = 0;
  int wait_status = 0;  // of a dead one, 0 where we may not know it
  uint64_t user_ticks = 0, system_ticks = 0;  // with those of the children that it has reaped
};

// False where there is no such process.
bool read_process(int pid, ProcessStat& out);

// kill(2) through a pidfd. False where the process has gone or is not ours to signal.
bool signal_member(const Member& member, int signal);

class Members {
 public:
  // `excluded`: with everything below them. `procs`: `cgroup.procs` of the box's group, or empty.
  Members(Member main, const std::vector<int>& excluded, std::string procs);
  // Those alive now: the main process, who is in the group, who was met before, and all of their descendants. Without
  // a group a process that left the tree between two looks is lost.
  const std::vector<Member>& look();
  // Each of those that are there now gets the signal once. `group`: only those of this process group; 0 is any.
  int signal(int signal, int group);
  // For SIGKILL and SIGSTOP: in passes, until one meets nobody new.
  int signal_until_stable(int signal);

 private:
  bool excluded(const Member& member) const;
  Member main_;
  std::vector<Member> excluded_;
  std::string procs_;
  std::vector<Member> met_;
};

}  // namespace pbox
