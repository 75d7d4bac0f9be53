// What the keeper is started with: kept for the job, hidden from others, or taken over for itself.
#pragma once
#include <csignal>
#include <string>
#include <vector>

#include "job.h"
#include "protocol.h"
#include "terminal.h"

namespace pbox {

struct Caller {
  Caller(int argc, char** argv, char** environment);

  std::vector<char*> argv;           // ours, NULL-terminated
  std::vector<char*> environment;    // the job's, NULL-terminated
  std::vector<std::string> settings; // PBOX_*, for the wrapper only
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
  void hide_arguments(int argc, char** argv, char** environment);
  void inspect_stdio();
};

// Clears what ps and /proc show of the words and of PBOX_*, and shows `name` instead.
void hide(int argc, char** argv, char** environment, const char* name);

// Points 0 to 2 to /dev/null and closes everything else but `keep`.
void keep_only(std::vector<int> keep);

}  // namespace pbox
