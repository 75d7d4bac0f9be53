// Node as a child of the front end: how it is started, how it has ended, and whether its start makes progress.
#pragma once
#include <string>

#include "front/words.h"

namespace pbox {

// `<package>/dist/boot.cjs` of this executable, `<package>/bin/proc_box`.
std::string boot_script();

// Whether an entry of the environment says who the job is, or is one that our programs need. All others are the job's alone.
bool is_shared(const char* entry);

// The first Node in: node/bin/ of the package, where a build leaves a link to its Node and packages may have one of their own; bin/
// of npm's prefix, if npm has installed the package globally; /usr/bin; /usr/local/bin; PATH. Empty if there is none.
std::string find_node(const Words& words);

// Raises the limits of this process and its Node, which were meant for the job; the keeper has the originals by now. If a limit
// still prevents Node from starting, returns which, with a remedy; otherwise an empty string.
std::string raise_own_limits();

struct NodeDescriptors {
  int keeper, front;  // become descriptors 3 and 4
  int startup_stderr;  // becomes 2 until our script runs, which then takes stderr from 5
  int background_fd;   // becomes 6: the pipe to the caller of --detach, or the socket of an agent; -1: none
};

// The first line on the stderr of a Node that could not start that names the error; empty if there is none.
std::string startup_error(int from);

// Describes how Node has ended, by its wait status and its stderr.
std::string end_of_node(int status, int startup_stderr);

// Returns Node's pid, or -1 with errno. Node dies with this process.
int start_node(const std::string& node, const Words& words, const NodeDescriptors& ends);

// Watches a Node that has not started the job yet.
class Progress {
 public:
  // Node has used no CPU time for too long, or its start takes too long.
  bool is_stuck(int pid, double now_ms);

 private:
  double since_ms_ = 0, began_ms_ = 0;
  unsigned long long ticks_ = 0;
};

}  // namespace pbox
