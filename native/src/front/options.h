// What the native part understands of the command line and the PBOX_* variables: read once, in here. Node's own reader
// (src/options/) knows all options; these count where the job runs without Node, and in what comes before Node.
#pragma once
#include <csignal>
#include <string>
#include <vector>

#include "front/words.h"
#include "wire/protocol.h"

namespace pbox {

struct Options {
  int command = 0;             // index of its first word; the number of words where there is none
  bool separated = false;      // `--` says where the command begins
  std::string verb;            // `ctl`, `--version`: what needs Node and starts no job; empty for a job
  bool failure_open = false;   // --failure open; without Node only with `separated`
  std::string name;            // --argv0
  bool strict = false;
  bool reraise = false;
  double timeout_ms = 0;  // 0: none
  double grace_ms = 10000;
  int stop_signal = SIGTERM;
  std::vector<RlimitWire> rlimits;
  std::string error;  // the first value that cannot be read: its source, itself, and what was expected

  bool adopts() const { return verb == "adopt"; }
};

Options read_options(const Words& words);

}  // namespace pbox
