// Forks the job, and sets up everything that must hold before its first instruction.
#pragma once
#include <csignal>
#include <string>
#include <vector>

#include "wire/protocol.h"

namespace pbox {

// The inherited signal state that the keeper changes for itself and restores for the job.
struct Inherited {
  struct sigaction actions[NSIG];
  sigset_t mask;
};

struct JobSpec {
  char* const* argv = nullptr;  // the command, NULL-terminated
  std::string name;             // argv[0] of the job; empty: the command's first word
  char* const* environment = nullptr;
  std::vector<RlimitWire> rlimits;
  int fork_into = -1;           // cgroup v2 directory that the job is born in, or -1
  std::vector<int> cgroup_fds;  // `tasks` files, opened for writing; the job writes 0 to each
  int stdout_fd = -1;           // becomes descriptor 1; -1: the job keeps the inherited one
  bool stdout_is_stderr_too = false;
  int terminal_fd = -1;  // terminal whose foreground goes to the job's group, or -1
};

struct Failure {
  Step step;
  int index;
  int error;
};

struct Launched {
  int pid;       // -1: see failure
  int error_fd;  // end of file: exec has succeeded; otherwise a Failure arrives
  Failure failure;
};

Launched launch_job(const JobSpec& spec, const Inherited& inherited);

}  // namespace pbox
