// Sums over a process tree, read from /proc.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace pbox {

struct Process {
  int pid, ppid;
  char state;
  std::string comm;
  int64_t threads;
  uint64_t vms_bytes, rss_bytes, user_usec, system_usec;
};

struct Tree {
  std::vector<int> pids;
  int64_t threads = 0;
  uint64_t rss_bytes = 0, vms_bytes = 0, swap_bytes = 0;
  int64_t pss_bytes = -1, anon_bytes = -1, file_bytes = -1, shmem_bytes = -1;
  uint64_t user_usec = 0, system_usec = 0, guest_usec = 0, iowait_usec = 0;
  uint64_t read_count = 0, write_count = 0, read_bytes = 0, write_bytes = 0;
  std::vector<Process> rows;
};

struct OpenFile {
  std::string path;
  int fd;
};

// A walk over processes in steps, so that a large box does not keep its caller from other work. Parents come before children:
// the CPU time of a child that is reaped in the meantime is missed until the next walk, and never counted twice.
class TreeWalk {
 public:
  // `descend`: also over their descendants. `rows`: how many of the processes largest by resident memory to list. `pss`: also
  // read smaps_rollup.
  TreeWalk(std::vector<int> pids, bool descend, size_t rows, bool pss);
  // Reads about this many more processes. True when the walk is complete.
  bool step(size_t most);
  Tree tree;

 private:
  void visit(int pid);
  std::vector<int> queue_;
  std::vector<int> threads_;  // per live process, a live thread that shows its memory
  size_t visited_ = 0, detailed_ = 0, measured_ = 0;
  const size_t rows_;
  const bool descend_, pss_;
  bool detail_ = false;
};

// At most `most` descriptors of a process; empty if they may not be read.
std::vector<OpenFile> open_files(int pid, size_t most);

}  // namespace pbox
