// The first two frames: `hello`, with the words and settings that the keeper was started with, and `start`, which launches the
// job.
#pragma once
#include <string>
#include <vector>

#include "keeper/caller.h"
#include "keeper/job.h"
#include "wire/frames.h"

namespace pbox {

class WrapperConnection;
class Output;

// Sends `hello`. The settings may hold a password, so this erases them. `guard`: the guard's pid; 0: none.
void say_hello(WrapperConnection& wrapper, Caller& caller, int guard);

// The body of Request::start.
struct StartRequest {
  explicit StartRequest(Reader body);
  StartHead head;
  std::vector<RlimitWire> rlimits;
  std::vector<std::string> tasks;  // files of control groups that the job writes itself to
  std::string fork_into;           // cgroup v2 directory that the job is born in, or empty
  std::string freezer_dir, kill_file;
  std::string name;  // argv[0] of the job; empty: the command's first word
};

// Opens the control groups that the job joins, gives it its stdout and the terminal, and forks it.
Launched start_job(const StartRequest& request, Caller& caller, Output& output);

}  // namespace pbox
