// `proc_box adopt --via <socket>`: asks a running supervisor instead of starting Node.
#pragma once
#include <cstdint>

#include "front/options.h"

namespace pbox {

// The head of a request. The words and the entries of the environment follow, each NUL-terminated. Host byte order;
// src/adopt/request.ts reads it.
struct ViaHead {
  uint32_t length;        // bytes that follow
  uint32_t words;         // the first of these entries are the command line, with argv[0]
  int32_t pid;            // the process that asks
  uint32_t failure_open;
  double until_ms;        // CLOCK_MONOTONIC: by then the sender has given up
};

// Returns if the words do not have both --detach and --via, or if there is no answer; then this process makes the box. The answer
// is one byte, our exit status, followed by text for stderr.
void ask_supervisor(const Words& words, const Options& options);

}  // namespace pbox
