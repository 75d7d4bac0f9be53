// Processes of the box that SIGKILL has not ended, and why. What a frozen control group holds is thawed, where we may.
#pragma once
#include <string>
#include <vector>

#include "proc/process.h"
#include "wire/control.h"

namespace pbox {

struct Survivor {
  int pid;
  std::string name, reason;  // the reason is one for users
};

class Survivors {
 public:
  enum class Verdict { wait, name, give_up };

  // SIGKILL has been sent to everybody.
  void killed();
  // Who is left now. `name`: those that `all()` names are not told yet. `give_up`: nobody of them is about to end.
  // `zombies`: children of ours that have ended and could not be reaped.
  Verdict look(const std::vector<Descendant>& alive, const std::vector<int>& zombies);
  // It is time to look.
  bool due() const;
  // Between two kills, ms.
  int kill_ms() const;
  const std::vector<Survivor>& all() const { return all_; }

 private:
  std::vector<Survivor> all_;
  double since_ms_ = 0, next_ms_ = 0;
  bool given_up_ = false;
};

// Event::unkillable. `final`: they are no longer waited for.
void tell_survivors(Control& control, const Survivors& survivors, bool final);

}  // namespace pbox
