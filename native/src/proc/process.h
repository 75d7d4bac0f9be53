// One process as /proc shows it, and signals that cannot reach a later process with the same number.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace pbox {

// A process that cannot be mistaken for a later one with the same number.
struct Member {
  int pid;
  uint64_t start;  // clock ticks after boot, field 22 of proc_pid_stat(5); 0 where /proc hides it
};

inline bool operator==(const Member& a, const Member& b) { return a.pid == b.pid && a.start == b.start; }

// Of proc_pid_stat(5). `dead`: all of its threads have ended.
struct ProcessStat {
  char state = 0;
  uint64_t start = 0;
  bool dead = false;
  int64_t threads = 0;
  int parent = 0, group = 0, session = 0;
  int wait_status = 0;  // of a dead one, 0 where we may not know it
  uint64_t user_ticks = 0, system_ticks = 0;  // with those of the children that it has reaped
};

// A process of the box, as it was when somebody looked.
struct Descendant : Member {
  int parent, group, session;
  char state;
  int64_t threads;
};

// Finds processes, each time anew.
using Look = std::function<std::vector<Descendant>()>;

inline Descendant process_of(int pid, const ProcessStat& stat) {
  return {{pid, stat.start}, stat.parent, stat.group, stat.session, stat.state, stat.threads};
}

// False where there is no such process.
bool read_process(int pid, ProcessStat& out);

// kill(2) through a pidfd. Returns 0, or the errno: ESRCH where the process has gone.
int signal_member(const Member& member, int signal);

}  // namespace pbox
