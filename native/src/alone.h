// proc_box without Node: where the address space of the job is too small for it (`-l pvmem`, `ulimit -v`).
#pragma once

namespace pbox {

// Runs the job through the keeper at `control` and ends the process with its status: no remote control, no statistics,
// no limits of the box but time and rlimits. `child` is the keeper, or its guard. Never returns.
[[noreturn]] void run_alone(int control, int child, int argc, char** argv, char** environment, unsigned long long space_bytes);

}  // namespace pbox
