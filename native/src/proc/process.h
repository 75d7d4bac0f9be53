// One process as /proc shows it, and signals that cannot reach a later process with the same pid.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace pbox {

// A process, told from a later one with the same pid by its start time.
struct Member {
  int pid;
  uint64_t start;  // clock ticks after boot, field 22 of proc_pid_stat(5); 0 if /proc hides it
};

inline bool operator==(const Member& a, const Member& b) { return a.pid == b.pid && a.start == b.start; }

// Fields of proc_pid_stat(5). `dead`: all threads have ended.
struct ProcessStat {
  char state = 0;
  uint64_t start = 0;
  bool dead = false;
  int64_t threads = 0;
  int parent = 0, group = 0, session = 0;
  int wait_status = 0;  // once dead; 0 if we may not read it
  uint64_t user_ticks = 0, system_ticks = 0;  // including the children that it has reaped
};

// A process of the box, as it was when /proc was read.
struct Descendant : Member {
  int parent, group, session;
  char state;
  int64_t threads;
};

// Finds the processes of the box; each call looks again.
using Look = std::function<std::vector<Descendant>()>;

inline Descendant process_of(int pid, const ProcessStat& stat) {
  return {{pid, stat.start}, stat.parent, stat.group, stat.session, stat.state, stat.threads};
}

// False if there is no such process.
bool read_process(int pid, ProcessStat& out);

// kill(2) through a pidfd. Returns 0 or the errno: ESRCH if the process has gone.
int signal_member(const Member& member, int signal);

}  // namespace pbox
