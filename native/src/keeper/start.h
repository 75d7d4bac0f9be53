// The first two frames: `hello`, with the words and settings that the keeper was started with, and `start`, which launches the
// job.
#pragma once
#include <string>
#include <vector>

#include "keeper/caller.h"
#include "keeper/job.h"
#include "wire/frames.h"

namespace pbox {

struct Invocation;
class WrapperConnection;
class Output;

// An agent does not get the words of the command, nor the passwords in URIs, which are for a link of the box's own.
enum class HelloTo { node, agent };

// The body of `hello`. `guard`: the guard's pid; 0: none.
std::string hello_body(const Caller& caller, int guard, HelloTo to);
// The settings may hold a password. Call this once they have been sent to Node.
void erase_settings(Invocation& words);

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
