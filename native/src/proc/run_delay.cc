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

// Nanoseconds on a CPU, nanoseconds on a run queue, and the number of time slices. A kernel that does not count them reports 0 0 0
// for a running thread.
double read_run_delay(int fd) {
  char text[96];
  const ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
  if (n <= 0) return -1;
  text[n] = '\0';
  char* rest;
  std::strtoull(text, &rest, 10);
  const double delay_ms = static_cast<double>(std::strtoull(rest, &rest, 10)) / 1e6;
  return std::strtoull(rest, nullptr, 10) > 0 ? delay_ms : -1;
}

double run_delay_ms() {
  const int fd = open_run_delay();
  const double delay_ms = read_run_delay(fd);
  if (fd >= 0) close(fd);
  return delay_ms;
}

}  // namespace pbox
