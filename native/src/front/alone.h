// The wrapper by itself, without Node or an agent. The job keeps its streams, time limit, signals and exit status, and no process
// outlives it.
#pragma once
#include <vector>

#include "front/front.h"
#include "wire/channel.h"

namespace pbox {

// Starts the job without a box, only with --timeout and --rlimit, and ends with it.
[[noreturn]] void run_alone(Front& front);

// The box has lost its agent: does what is due until the next agent has taken over. If the job ends meanwhile, ends with it.
// `unheard`: the agent may not have acted on these. Returns the signals that the next agent has to know of.
std::vector<Delivery> run_alone(Front& front, const Rules& rules, const std::vector<Delivery>& unheard);

}  // namespace pbox
