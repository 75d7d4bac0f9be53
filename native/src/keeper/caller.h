// What the keeper has inherited from its caller: it keeps this for the job, hides it from other users, or uses it itself.
#pragma once
#include <csignal>
#include <string>
#include <vector>

#include "keeper/invocation.h"
#include "keeper/job.h"
#include "keeper/terminal.h"
#include "wire/protocol.h"

namespace pbox {

struct Caller {
  // Takes over the signals of this process. The words are already hidden from ps.
  explicit Caller(Invocation& words);

  Invocation& words;
  Inherited inherited{};             // restored for the job
  int signals = -1;                  // signalfd(2) for SIGCHLD and the signals that the wrapper handles
  Terminal terminal;
  StdoutMode stdout_mode = StdoutMode::other;
  bool stdout_is_socket = false;
  bool stderr_is_stdout = false;

  // The next signal received that the wrapper handles. False if there is none.
  bool next_signal(WitnessedBody& out) const;

 private:
  void take_over_signals();
  void inspect_stdio();
};

// Points descriptors 0 to 2 to /dev/null and closes all others except `keep`.
void keep_only(std::vector<int> keep);

}  // namespace pbox
