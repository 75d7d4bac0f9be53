// Node as a child of the front end: what it starts with, and whether it gets anywhere.
#pragma once
#include <string>

#include "front/words.h"

namespace pbox {

// `<package>/dist/boot.cjs` of this executable, `<package>/bin/proc_box`.
std::string boot_script();

// The Node that the package was built for, else the first on PATH; empty where there is none.
std::string find_node(const Words& words);

// Limits that were meant for the job, which is not ours to start any more, must not stop Node where that can be helped.
// Returns what still keeps it from starting, with what to do; empty where nothing is known to.
std::string raise_own_limits();

struct NodeEnds {
  int keeper, front;  // become descriptors 3 and 4
  int complaints;     // becomes 2 until our script runs, which then takes stderr from 5
  int word;           // becomes 6; -1: there is none
};

// What a Node that could not start has said on its way: the first line of it that tells why; empty where there is none.
std::string complaint(int from);

// How it has ended, by its wait status and what it has said on its way.
std::string end_of_node(int status, int complaints);

// Returns its pid, or -1 with errno. It dies with this process.
int start_node(const std::string& node, const Words& words, const NodeEnds& ends);

// Looks at a Node that has not said anything yet: whether it does not get on.
class Progress {
 public:
  bool is_stuck(int pid, double now_ms);

 private:
  double since_ms_ = 0, began_ms_ = 0;
  unsigned long long ticks_ = 0;
};

}  // namespace pbox
