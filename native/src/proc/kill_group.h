// SIGKILL to everything in a control group at once; cgroup-v2.rst, cgroup.kill, since Linux 5.14.
#pragma once
#include <string>

namespace pbox {

// Frozen processes die, too. Returns how many processes there were, or -1 where the kernel cannot do that.
int kill_group(const std::string& dir);

}  // namespace pbox
