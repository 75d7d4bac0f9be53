// The first two frames and what comes of them: hello, with what the keeper was started with; start, and the job.
#pragma once
#include <string>
#include <vector>

#include "keeper/caller.h"
#include "keeper/job.h"
#include "wire/frames.h"

namespace pbox {

class Control;
class Output;

// The settings may hold a password: they are not kept. `guard`: its pid, 0 without one.
void say_hello(Control& control, Caller& caller, int guard);

// The body of Request::start.
struct StartRequest {
  explicit StartRequest(Reader body);
  StartHead head;
  std::vector<RlimitWire> rlimits;
  std::vector<std::string> tasks;  // files of control groups that the job writes itself to
  std::string fork_into;           // cgroup v2 directory that it is born in, or empty
  std::string freezer_dir, kill_file;
  std::string name;  // argv[0] of the job; empty: the command
};

// Opens the control groups that the job joins, gives it its stdout and the terminal, and forks it.
Launched start_job(const StartRequest& request, Caller& caller, Output& output);

}  // namespace pbox
