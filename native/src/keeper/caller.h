// What the keeper is started with: kept for the job, hidden from others, or taken over for itself.
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
  // Takes over the signals of the process; the words are hidden already.
  explicit Caller(Invocation& words);

  Invocation& words;
  Inherited inherited{};             // the job gets it back
  int signals = -1;                  // signalfd of SIGCHLD, and of what the wrapper handles
  Terminal terminal;
  StdoutMode stdout_mode = StdoutMode::other;
  bool stdout_is_socket = false;
  bool stderr_is_stdout = false;

  // The next signal that the wrapper handles, as it reached us. False where there is none.
  bool next_signal(WitnessedBody& out) const;

 private:
  void take_over_signals();
  void inspect_stdio();
};

// Points 0 to 2 to /dev/null and closes everything else but `keep`.
void keep_only(std::vector<int> keep);

}  // namespace pbox
