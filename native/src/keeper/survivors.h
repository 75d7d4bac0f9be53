// Processes of the box that SIGKILL has not ended, and the reasons. Frozen control groups that hold them are thawed if we have
// the permission.
#pragma once
#include <string>
#include <vector>

#include "proc/process.h"
#include "wire/wrapper_connection.h"

namespace pbox {

struct Survivor {
  int pid;
  std::string name, reason;  // the reason is worded for users
};

class Survivors {
 public:
  enum class Verdict { wait, name, give_up };

  // SIGKILL has been sent to every process.
  void killed();
  // Takes the processes that are left. `name`: `all()` holds processes that have not been reported yet. `give_up`: none of them
  // is about to end. `zombies`: our children that have ended and could not be reaped.
  Verdict look(const std::vector<Descendant>& alive, const std::vector<int>& zombies);
  // A look is due.
  bool due() const;
  // Ms between two kills.
  int kill_ms() const;
  const std::vector<Survivor>& all() const { return all_; }

 private:
  std::vector<Survivor> all_;
  double since_ms_ = 0, next_ms_ = 0;
  bool given_up_ = false;
};

// Sends Event::unkillable. `final`: the keeper no longer waits for these processes.
void tell_survivors(WrapperConnection& wrapper, const Survivors& survivors, bool final);

}  // namespace pbox
