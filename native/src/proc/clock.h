#pragma once

namespace pbox {

// CLOCK_MONOTONIC, the same for the wrapper and the keeper. Async-signal-safe.
double monotonic_ms();

}  // namespace pbox
