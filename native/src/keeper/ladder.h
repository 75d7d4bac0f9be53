// The first rung of the stop ladder. It decides which processes of the box are asked to end, which are left to end by
// themselves, and which get SIGKILL at once because they would never act on a request. The last rung, SIGKILL to every process
// after the grace period, belongs to the wrapper.
#pragma once
#include <map>
#include <vector>

#include "proc/process.h"

namespace pbox {

class Ladder {
 public:
  // Another process, such as a scheduler, has sent this signal to the whole process tree.
  void witnessed(int signal);

  // The main process's group has already received `signal`. The other processes that would never act on it get SIGTERM, or
  // SIGKILL if that would have no effect either: a shell makes its background children ignore INT and QUIT.
  int ask_group(const std::vector<Descendant>& all, int main, int group, int signal);
  // Records the group's processes as asked, for a scheduler's signal. Kills none: the scheduler's own SIGKILL follows.
  void note_group(const std::vector<Descendant>& all, int main, int group);

  // The main process has ended: from now on `round` asks every process that has not been asked.
  // `group`: the main process's group. `session`: the only session that the scheduler signals; 0: it signals every process.
  // `spare`: leaves a process alone once it has received the scheduler's signal, even if it ignores that signal.
  void begin_rest(int signal, int group, int session, bool spare);
  bool asking() const { return rest_signal_ != 0; }
  // Leaves the children of a process that is ending to that process until it has ended. Returns the number of processes asked.
  int round(const std::vector<Descendant>& all);

 private:
  struct Asked {
    uint64_t start;
    unsigned round;
    bool killed;
  };
  const Asked* find(const Member& member) const;
  bool had_signal(const Descendant& process) const;
  int ask(const Descendant& process, int signal);
  void note(const Descendant& process, bool killed) { asked_[process.pid] = {process.start, round_, killed}; }

  std::map<int, Asked> asked_;  // by pid
  unsigned round_ = 0;
  int witnessed_signal_ = 0;
  uint64_t witnessed_ticks_ = 0;
  int rest_signal_ = 0, group_ = 0, session_ = 0;
  bool spare_ = false;
};

}  // namespace pbox
