// The resources of setrlimit(2) in one table.
#pragma once
#include <optional>
#include <sys/resource.h>

#include "proc/process.h"

namespace pbox {

// Resource number, or -1.
int rlimit_by_name(const char* name);

// The halves to set; a missing half keeps its value.
struct RlimitChange {
  int resource;
  std::optional<rlim_t> soft, hard;
};

struct RlimitOutcome {
  int changed = 0, failed = 0, error = 0;
  rlimit now{};  // the limit of the first process that was changed
};

// Sets the limit of `pid` (0: this process). Returns 0 or errno. A new hard limit below the soft one also lowers the soft one.
int rlimit_set(int pid, const RlimitChange& wanted, rlimit* now);

// Calls rlimit_set on every process that `look` finds. A process forked in the meantime may have inherited the old limit, so
// this looks again until every process has the new one, a bounded number of times.
RlimitOutcome rlimit_set_all(const Look& look, const RlimitChange& wanted);

}  // namespace pbox
