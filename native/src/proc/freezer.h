// Control groups of the v1 freezer that the wrapper has not made: a job can freeze its own processes in them, and SIGKILL
// waits until they are thawed. Under cgroup v2 it does not.
#pragma once
#include <string>

namespace pbox {

// Thaws the group that holds `pid`, and those around it up to our own. Empty where none holds it or all are thawed now;
// else what is in the way.
std::string thaw_around(int pid);

}  // namespace pbox
