// Forks the job: everything that must hold before its first instruction.
#pragma once
#include <csignal>
#include <string>
#include <vector>

#include "wire/protocol.h"

namespace pbox {

// What a process was started with and a keeper changes for itself; the job gets it back.
struct Inherited {
  struct sigaction actions[NSIG];
  sigset_t mask;
};

struct JobSpec {
  char* const* argv = nullptr;  // the command, NULL-terminated
  std::string name;             // argv[0] for the job where it is not the command; empty: the command
  char* const* environment = nullptr;
  std::vector<RlimitWire> rlimits;
  int fork_into = -1;           // cgroup v2 directory that the job is born in, or -1
  std::vector<int> cgroup_fds;  // `tasks` files, opened for writing; the job writes 0 to each
  int stdout_fd = -1;           // becomes fd 1, or -1
  bool stdout_is_stderr_too = false;
  int terminal_fd = -1;  // the job's group gets its foreground, or -1
};

struct Failure {
  Step step;
  int index;
  int error;
};

struct Launched {
  int pid;       // -1: see failure
  int error_fd;  // EOF: exec succeeded; else a Failure arrives
  Failure failure;
};

Launched launch_job(const JobSpec& spec, const Inherited& inherited);

}  // namespace pbox
