// The wrapper without Node. The job keeps its streams, --timeout, --rlimit, signals and exit status, and no process outlives it.
#pragma once
#include "front/front.h"

namespace pbox {

// Starts the job and ends with it.
[[noreturn]] void run_alone(Front& front);

}  // namespace pbox
