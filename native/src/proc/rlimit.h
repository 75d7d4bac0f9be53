// The 16 resources of setrlimit(2), one table.
#pragma once
#include <optional>
#include <sys/resource.h>

#include "proc/process.h"

namespace pbox {

struct RlimitName {
  const char* name;  // as prlimit(1) spells it
  int resource;
};
extern const RlimitName kRlimits[16];

// Resource number, or -1.
int rlimit_by_name(const char* name);

// The halves to be set; the others keep what they are.
struct RlimitChange {
  int resource;
  std::optional<rlim_t> soft, hard;
};

// Of several processes.
struct RlimitOutcome {
  int changed = 0, failed = 0, error = 0;
  rlimit now{};  // of the first one that was changed
};

// On `pid` (0: this process). Returns 0 or errno. A new hard limit below the soft one lowers the soft one too.
int rlimit_set(int pid, const RlimitChange& wanted, rlimit* now);

// rlimit_set on every process that `look` finds. A process forked meanwhile has what its parent had: `look` is asked again
// until everybody has the limit, a bounded number of times.
RlimitOutcome rlimit_set_all(const Look& look, const RlimitChange& wanted);

}  // namespace pbox
