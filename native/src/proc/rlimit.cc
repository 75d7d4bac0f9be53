#include "proc/rlimit.h"

#include <cerrno>
#include <cstring>
#include <set>

namespace pbox {

namespace {

struct RlimitName {
  const char* name;  // as prlimit(1) spells it
  int resource;
};

constexpr RlimitName kRlimits[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},       {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},       {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},   {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING}, {"stack", RLIMIT_STACK},
};

}  // namespace

int rlimit_by_name(const char* name) {
  for (const auto& entry : kRlimits)
    if (std::strcmp(entry.name, name) == 0) return entry.resource;
  return -1;
}

namespace {

// A third pass finds only processes whose parent was forked and ended within the first two.
constexpr int kPasses = 4;

// Computes the limit that `pid` is to get. Returns 0 or errno.
int target(int pid, const RlimitChange& wanted, rlimit& before, rlimit& after) {
  if (prlimit(pid, static_cast<__rlimit_resource>(wanted.resource), nullptr, &before) != 0) return errno;
  after = before;
  if (wanted.hard) {
    after.rlim_max = *wanted.hard;
    if (!wanted.soft && after.rlim_cur > after.rlim_max) after.rlim_cur = after.rlim_max;
  }
  if (wanted.soft) after.rlim_cur = *wanted.soft;
  return 0;
}

bool same(const rlimit& a, const rlimit& b) { return a.rlim_cur == b.rlim_cur && a.rlim_max == b.rlim_max; }

}  // namespace

int rlimit_set(int pid, const RlimitChange& wanted, rlimit* now) {
  rlimit before{}, after{};
  if (const int error = target(pid, wanted, before, after)) return error;
  if (prlimit(pid, static_cast<__rlimit_resource>(wanted.resource), &after, nullptr) != 0) return errno;
  if (now) *now = after;
  return 0;
}

RlimitOutcome rlimit_set_all(const Look& look, const RlimitChange& wanted) {
  RlimitOutcome outcome;
  std::set<int> failed;
  bool fresh = true;
  for (int pass = 0; fresh && pass < kPasses; pass++) {
    fresh = false;
    for (const Descendant& process : look()) {
      rlimit before{}, after{};
      int error = target(process.pid, wanted, before, after);
      const bool has_it = error == 0 && same(before, after);
      // A process that inherited the limit from its parent is not new, but in the first pass it counts.
      if ((has_it && pass > 0) || error == ESRCH) continue;
      if (error == 0 && !has_it) error = rlimit_set(process.pid, wanted, &after);
      if (error == ESRCH || (error != 0 && !failed.insert(process.pid).second)) continue;
      if (error != 0) {
        outcome.failed++;
        outcome.error = error;
        continue;
      }
      fresh |= !has_it;
      if (outcome.changed++ > 0) continue;
      outcome.now = after;
    }
  }
  return outcome;
}

}  // namespace pbox
