// The front end while there is a Node.
#pragma once
#include "front/front.h"

namespace pbox {

// `channel`: our end of the socket to Node. `complaints`: what it says before our script runs. Returns where the job is to run without Node: why, and what is off then.
std::string run_with_node(Front& front, int channel, int complaints);

}  // namespace pbox
