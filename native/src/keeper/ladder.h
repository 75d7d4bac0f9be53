// The first rung of the stop ladder: who of the box is asked to end, who is left to do so, and who gets SIGKILL at once,
// because a request would never reach it. The last rung, SIGKILL to everybody after the grace period, is the wrapper's.
#pragma once
#include <map>
#include <vector>

#include "proc/process.h"

namespace pbox {

class Ladder {
 public:
  // A signal that the whole tree got from somebody else (a scheduler), not by us.
  void witnessed(int signal);

  // The main process is asked to end, and its group has `signal` already. Of the others those that would never take it get
  // SIGTERM, and SIGKILL where that would be in vain, too: a shell's background children ignore INT and QUIT without a
  // choice of their own.
  int beside_main(const std::vector<Descendant>& all, int main, int group, int signal);
  // The same for a request of the scheduler's, whose own SIGKILL follows: nobody is killed.
  void noted(const std::vector<Descendant>& all, int main, int group);

  // The main process has ended: from now on `round` asks whoever has not been asked.
  // `group`: of the main process. `session`: the only one that a scheduler signals; 0 where it signals every process.
  // `spare`: who has had the scheduler's signal is left alone, whatever it makes of it.
  void leave_rest(int signal, int group, int session, bool spare);
  bool asking() const { return rest_signal_ != 0; }
  // What was forked by a process that is ending is its own affair, until that one has ended. Returns how many were asked.
  int round(const std::vector<Descendant>& all);

 private:
  struct Asked {
    uint64_t start;
    unsigned round;
    bool killed;
  };
  const Asked* find(const Member& member) const;
  bool had_it(const Descendant& process) const;
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
