// The 16 resources of setrlimit(2), one table.
#pragma once
#include <functional>
#include <sys/resource.h>
#include <vector>

#include "process.h"
#include "protocol.h"

namespace pbox {

struct RlimitName {
  const char* name;  // as prlimit(1) spells it
  int resource;
};
extern const RlimitName kRlimits[16];

// Resource number, or -1.
int rlimit_by_name(const char* name);

// Sets the asked halves on `pid` (0: this process); the others keep what they are.
// Returns 0 or errno. A new hard limit below the soft one lowers the soft one too.
int rlimit_set(int pid, const RlimitWire& wanted, rlimit* now);

// rlimit_set on every process that `look` finds. A process forked meanwhile has what its parent had: `look` is asked again
// until everybody has the limit, a bounded number of times.
RlimitReply rlimit_set_all(const std::function<std::vector<Descendant>()>& look, const RlimitWire& wanted);

}  // namespace pbox
