// The native reader of the command line and the PBOX_* variables. It decides the verb, where the command begins, --failure and
// --debug, and Node gets these decisions with `hello`. It also knows the options that count before Node starts or without it;
// src/options/ knows all of them.
#pragma once
#include <csignal>
#include <string>
#include <vector>

#include "front/words.h"
#include "wire/protocol.h"

namespace pbox {

struct Options {
  int command = 0;             // index of the command's first word, found as Go's `flag` does; the number of words if there is none
  int fallback = 0;            // the same if a word before the command may be wrong, so that only `--` tells; 0: nothing tells
  std::string verb;            // `ctl`, `--version`: needs Node and starts no job; empty for a job
  bool failure_open = false;   // --failure open; without Node the job also needs `fallback`
  bool debug = false;
  std::string agent;           // --agent: `auto`, `none` or the path of a socket; empty: not given
  std::string config;          // --config; empty: not given
  bool names_broker = false;   // by --uri or the like, on the command line or in a variable
  std::string name;            // --argv0
  bool strict = false;
  bool reraise = false;
  double timeout_ms = 0;  // 0: none
  double grace_ms = 10000;
  int stop_signal = SIGTERM;
  std::vector<RlimitWire> rlimits;
  std::string error;  // about the first value that makes no sense: its source, the value and the expected form
  // Options of `adopt`:
  bool detach = false;
  int pid = 0;                     // --pid; 0: none, or none that makes sense
  std::string log_file, pid_file;  // their names
  std::string gone;                // an option that is no more

  bool adopts() const { return verb == "adopt"; }
};

Options read_options(const Words& words);

}  // namespace pbox
