#pragma once
#include <cstdint>

namespace pbox {

// CLOCK_MONOTONIC, which the wrapper and the keeper share. Async-signal-safe.
double monotonic_ms();

// CLOCK_BOOTTIME in clock ticks, the unit of field 22 of proc_pid_stat(5).
uint64_t boot_ticks();

}  // namespace pbox
