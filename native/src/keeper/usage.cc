#include "keeper/usage.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace pbox {
namespace {

struct IoCounters {
  uint64_t values[4] = {0, 0, 0, 0};  // syscr, syscw, read_bytes, write_bytes
};

IoCounters read_io(int fd) {
  static const char* const kNames[] = {"syscr: ", "syscw: ", "\nread_bytes: ", "\nwrite_bytes: "};
  IoCounters io;
  char text[512];
  const ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
  if (n <= 0) return io;
  text[n] = 0;
  for (int i = 0; i < 4; i++) {
    const char* at = std::strstr(text, kNames[i]);
    if (at) io.values[i] = std::strtoull(at + std::strlen(kNames[i]), nullptr, 10);
  }
  return io;
}

uint64_t usec(const timeval& time) { return static_cast<uint64_t>(time.tv_sec) * 1000000 + static_cast<uint64_t>(time.tv_usec); }

}  // namespace

ReapedUsage::ReapedUsage() {
  char path[64];
  all_ = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
  std::snprintf(path, sizeof path, "/proc/self/task/%d/io", getpid());
  own_ = open(path, O_RDONLY | O_CLOEXEC);
}

UsageBody ReapedUsage::read() const {
  rusage children{};
  getrusage(RUSAGE_CHILDREN, &children);
  UsageBody body{};
  body.user_usec = usec(children.ru_utime);
  body.system_usec = usec(children.ru_stime);
  body.max_rss_bytes = static_cast<uint64_t>(children.ru_maxrss) * 1024;
  // The counters of the process include its reaped children; those of its only thread are our own.
  const IoCounters all = read_io(all_), own = read_io(own_);
  uint64_t* const target[4] = {&body.read_count, &body.write_count, &body.read_bytes, &body.write_bytes};
  for (int i = 0; i < 4; i++) *target[i] = all.values[i] > own.values[i] ? all.values[i] - own.values[i] : 0;
  return body;
}

}  // namespace pbox
