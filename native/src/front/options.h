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
  int command = 0;             // index of its first word, as Go's `flag` reads them; the number of words where there is no command
  int fallback = 0;            // the same where a word before it may be wrong: only `--` tells; 0 where it does not
  std::string verb;            // `ctl`, `--version`: needs Node and starts no job; empty for a job; `serve`: adopt --serve
  bool failure_open = false;   // --failure open; without Node it needs `fallback` as well
  bool debug = false;
  std::string name;            // --argv0
  bool strict = false;
  bool reraise = false;
  double timeout_ms = 0;  // 0: none
  double grace_ms = 10000;
  int stop_signal = SIGTERM;
  std::vector<RlimitWire> rlimits;
  std::string error;  // the first value that cannot be read: its source, itself, and the expected form
  // Of `adopt`:
  bool detach = false, serves = false;
  std::string serve, via;   // paths of sockets
  bool serve_usage = true;  // --serve and --log-file stand alone, each with its value

  bool adopts() const { return verb == "adopt" || verb == "serve"; }
};

Options read_options(const Words& words);

}  // namespace pbox
