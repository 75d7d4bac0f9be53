// Takes away a control group with everything that the job has made below it, at whatever depth.
#pragma once
#include <string>

namespace pbox {

// Nothing of the box may be alive. What holds a process of somebody else's stays, with the groups around it. Returns 0 where
// the group has gone, else the errno of its last removal.
int remove_groups(const std::string& dir);

// The same for a group of which nobody knows whether it is in use: it stays where a process is in it or anywhere below.
void remove_unused_groups(const std::string& dir);

}  // namespace pbox
