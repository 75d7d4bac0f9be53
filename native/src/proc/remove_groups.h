// Removes a control group with every group that the job has made below it, at any depth.
#pragma once
#include <string>

namespace pbox {

// No process of the box may be alive. A group that holds another process stays, and so do its ancestors. Returns 0 if the
// group has gone, otherwise the errno of the last rmdir(2).
int remove_groups(const std::string& dir);

// The same for a group that may be in use: it stays if a process is in it or in any group below it.
void remove_unused_groups(const std::string& dir);

}  // namespace pbox
