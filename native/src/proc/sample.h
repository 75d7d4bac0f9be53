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

// Sums over the descendants of `root`, without `root`. `rows`: how many of the processes largest by resident memory to list.
// `pss`: also read smaps_rollup.
Tree sample_tree(int root, size_t rows, bool pss);
// Sums over exactly these processes.
Tree sample_processes(std::vector<int> pids, size_t rows, bool pss);

// At most `most` descriptors of a process; empty if they may not be read.
std::vector<OpenFile> open_files(int pid, size_t most);

// The number of processes on the host, from the link count of /proc instead of a pass over them.
int64_t host_processes();

}  // namespace pbox
