// The options that count where the job runs without Node: see alone.h.
#pragma once
#include <csignal>
#include <string>
#include <vector>

#include "protocol.h"

namespace pbox {

struct AloneOptions {
  int command = 0;   // index of its first word
  std::string name;  // --argv0
  bool strict = false;
  bool reraise = false;
  double timeout_ms = 0;  // 0: none
  double grace_ms = 10000;
  int stop_signal = SIGTERM;
  std::vector<RlimitWire> rlimits;
};

// The command line over the PBOX_* variables. Says what is wrong on stderr and ends the process with 125.
AloneOptions read_alone_options(int argc, char** argv, char** environment);

}  // namespace pbox
