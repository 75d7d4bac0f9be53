// Groups of the v1 freezer that the wrapper has not made. A job can freeze its own processes in them, and then SIGKILL takes
// effect only after a thaw. Under cgroup v2 it takes effect at once.
#pragma once
#include <string>

namespace pbox {

// Thaws the group that holds `pid`, and its ancestors below our own group. Returns an empty string if all of them are thawed
// now or none holds `pid`, otherwise the reason why not.
std::string thaw_around(int pid);

}  // namespace pbox
