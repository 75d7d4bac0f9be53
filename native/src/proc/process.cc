#include "proc/process.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/stat.h"

namespace pbox {

bool read_process(int pid, ProcessStat& out) {
  char path[64], text[1024];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  StatFields stat;
  if (!parse_stat(text, stat, 52)) return false;
  const auto& field = stat.field;
  out.state = stat.state;
  out.parent = static_cast<int>(field[4]);
  out.group = static_cast<int>(field[5]);
  out.session = static_cast<int>(field[6]);
  out.threads = static_cast<int64_t>(field[20]);
  // A main thread that has ended before the others also shows as a zombie.
  out.dead = (out.state == 'Z' && out.threads <= 1) || out.state == 'X';
  out.start = field[22];
  out.wait_status = static_cast<int>(field[52]);
  out.user_ticks = field[14] + field[16];
  out.system_ticks = field[15] + field[17];
  return true;
}

int signal_member(const Member& member, int signal) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, member.pid, 0));
  if (fd < 0 && errno != ENOSYS) return errno;
  // The check follows the opening, so that the descriptor is known to refer to the process that was checked.
  ProcessStat now;
  const bool same = member.start == 0 || (read_process(member.pid, now) && now.start == member.start && !now.dead);
  int error = same ? 0 : ESRCH;
  if (error == 0 && fd >= 0 && syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0) != 0) error = errno;
  if (error == 0 && fd < 0 && kill(member.pid, signal) != 0) error = errno;  // before Linux 5.3
  if (fd >= 0) close(fd);
  return error;
}
}  // namespace pbox
