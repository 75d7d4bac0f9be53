#include "proc/run_delay.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pbox {

int open_run_delay() {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", static_cast<int>(syscall(SYS_gettid)));
  return open(path, O_RDONLY | O_CLOEXEC);
}

namespace {

struct Counts {
  double on_cpu_ms, waiting_ms;
};

// Nanoseconds on a CPU, nanoseconds on a run queue, and the number of time slices. A kernel that does not count them reports 0 0 0
// for a running thread.
bool read_counts(int fd, Counts& counts) {
  char text[96];
  const ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
  if (n <= 0) return false;
  text[n] = '\0';
  char* rest;
  counts.on_cpu_ms = static_cast<double>(std::strtoull(text, &rest, 10)) / 1e6;
  counts.waiting_ms = static_cast<double>(std::strtoull(rest, &rest, 10)) / 1e6;
  return std::strtoull(rest, nullptr, 10) > 0;
}

}  // namespace

double read_run_delay(int fd) {
  Counts counts;
  return read_counts(fd, counts) ? counts.waiting_ms : -1;
}

double busy_time_ms() {
  const int fd = open_run_delay();
  Counts counts;
  const bool known = read_counts(fd, counts);
  if (fd >= 0) close(fd);
  return known ? counts.on_cpu_ms + counts.waiting_ms : -1;
}

}  // namespace pbox
