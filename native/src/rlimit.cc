#include "rlimit.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "tree.h"

namespace pbox {

const RlimitName kRlimits[16] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},       {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},       {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},       {"nofile", RLIMIT_NOFILE},     {"nproc", RLIMIT_NPROC},   {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING}, {"stack", RLIMIT_STACK},
};

int rlimit_by_name(const char* name) {
  for (const auto& entry : kRlimits)
    if (std::strcmp(entry.name, name) == 0) return entry.resource;
  return -1;
}

int rlimit_set(int pid, const RlimitWire& wanted, rlimit* now) {
  const auto resource = static_cast<__rlimit_resource>(wanted.resource);
  rlimit limit{};
  if (prlimit(pid, resource, nullptr, &limit) != 0) return errno;
  if (wanted.which & kHard) {
    limit.rlim_max = wanted.hard;
    if (!(wanted.which & kSoft) && limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  }
  if (wanted.which & kSoft) limit.rlim_cur = wanted.soft;
  if (prlimit(pid, resource, &limit, nullptr) != 0) return errno;
  if (now) *now = limit;
  return 0;
}

RlimitReply rlimit_set_tree(int root, const RlimitWire& wanted) {
  struct Pass {
    RlimitWire wanted;
    RlimitReply reply;
    std::vector<int> met;
    bool fresh;
  } pass{wanted, {}, {}, false};
  // A process forked before its parent was changed is met in the next pass.
  do {
    pass.fresh = false;
    walk_tree(
        root,
        [](void* context, int pid, int) {
          auto& p = *static_cast<Pass*>(context);
          const auto place = std::lower_bound(p.met.begin(), p.met.end(), pid);
          if (place != p.met.end() && *place == pid) return;
          p.met.insert(place, pid);
          p.fresh = true;
          rlimit now{};
          const int error = rlimit_set(pid, p.wanted, &now);
          if (error == ESRCH) return;
          if (error != 0) {
            p.reply.failed++;
            p.reply.error = error;
            return;
          }
          p.reply.changed++;
          p.reply.soft = now.rlim_cur;
          p.reply.hard = now.rlim_max;
        },
        &pass);
  } while (pass.fresh);
  return pass.reply;
}

}  // namespace pbox
