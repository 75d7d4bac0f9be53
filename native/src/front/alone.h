// The wrapper without Node: the job has its streams, --timeout, --rlimit, signals, status and the end of all its processes.
#pragma once
#include "front/front.h"

namespace pbox {

// Starts the job. Never returns.
[[noreturn]] void run_alone(Front& front);

}  // namespace pbox
