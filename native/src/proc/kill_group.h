// Kills every process of a control group at once through `cgroup.kill`: cgroup-v2.rst, since Linux 5.14.
#pragma once
#include <string>

namespace pbox {

// Frozen processes die as well. Returns the number of processes in the directory itself, or -1 if the kernel lacks the file.
int kill_group(const std::string& dir);

}  // namespace pbox
