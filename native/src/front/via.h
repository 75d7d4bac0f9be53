// `proc_box adopt --via <socket>`: asks a supervisor that runs already, instead of starting Node.
#pragma once
#include <cstdint>

#include "front/options.h"

namespace pbox {

// Before the words and the entries of the environment, each NUL-terminated. Host byte order; src/adopt/request.ts reads it.
struct ViaHead {
  uint32_t length;    // of what follows
  uint32_t words;     // how many of it are the command line, with argv[0]
  int32_t pid;        // of who asks
  uint32_t failure_open;
  double until_ms;    // CLOCK_MONOTONIC: after that it has given up
};

// Returns where --detach and --via do not both stand in the words, and where nobody has answered: then we make the box.
// The answer is a byte, our exit status, and text for stderr up to the end.
void ask_supervisor(const Words& words, const Options& options);

}  // namespace pbox
