#include "front/own_files.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace pbox {
namespace {

// Never blocks: a FIFO without a reader is an error.
int open_to_write(const std::string& path, int flag) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | flag, 0644);
}

std::string why_not(const char* option, const std::string& path) {
  return std::string(option) + " " + path + ": " + std::strerror(errno) + "; name a file that can be written";
}

}  // namespace

std::string open_own_files(Words& words, const Options& options) {
  if (!options.log_file.empty()) {
    words.log_fd = open_to_write(options.log_file, O_APPEND);
    if (words.log_fd < 0) return why_not("--log-file", options.log_file);
  }
  if (options.pid_file.empty()) return "";
  words.pid_fd = open_to_write(options.pid_file, O_TRUNC);
  if (words.pid_fd < 0) return why_not("--pid-file", options.pid_file);
  flock(words.pid_fd, LOCK_EX | LOCK_NB);
  char absolute[4096];
  words.pid_file = realpath(options.pid_file.c_str(), absolute) ? absolute : options.pid_file;
  return "";
}

void write_pid_file(const Words& words, int pid) {
  const std::string text = std::to_string(pid) + "\n";
  // A full disk must not prevent the box; the lock matters more than the pid.
  if (words.pid_fd >= 0 && write(words.pid_fd, text.data(), text.size()) < 0) return;
}

void close_own_files(Words& words) {
  for (int* fd : {&words.log_fd, &words.pid_fd})
    if (*fd >= 0) close(std::exchange(*fd, -1));
}

}  // namespace pbox
