#include "front/serve.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/signals.h"

namespace pbox {
namespace {

constexpr int kQueue = 1024;  // tasks of one job that may start at the same time
constexpr int kFailed = 125;

// An error is an errno or one of these.
constexpr int kNotPrivate = -1, kNotOurs = -2;

// Opens the folder of the socket, which no other user may enter. Returns 0 or an error. The open descriptor makes sure that the
// folder that was checked is the one that is used.
int open_private(const std::string& path, int& folder) {
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  folder = open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat status {};
  if (folder < 0 || fstat(folder, &status) != 0) return errno;
  if (status.st_uid != geteuid()) return kNotOurs;
  return status.st_mode & 077 ? kNotPrivate : 0;
}

int listen_at(const std::string& path, int& fd) {
  int folder = -1;
  if (const int error = open_private(path, folder)) return error;
  const std::string name = "/proc/self/fd/" + std::to_string(folder) + "/" + path.substr(path.rfind('/') + 1);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path || name.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::strcpy(address.sun_path, name.c_str());
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, kQueue) != 0) return errno;
  close(folder);
  return 0;
}

// A process that knows our pid may signal it at once. Blocked signals wait until the front end reads them from its signalfd.
void hold_signals() {
  sigset_t held;
  sigemptyset(&held);
  for (const int signal : kHandledSignals) sigaddset(&held, signal);
  sigprocmask(SIG_BLOCK, &held, nullptr);
}

const char* remedy_of(int error) {
  if (error == kNotPrivate) return "its folder is open to other users; make it one with mode 0700 (mkdir -m 700)";
  if (error == kNotOurs) return "its folder belongs to another user; make one of your own with mode 0700 (mkdir -m 700)";
  return std::strerror(error);
}

[[noreturn]] void tell_caller(const char* path, int child, int from) {
  int error = 0;
  if (read(from, &error, sizeof error) != static_cast<ssize_t>(sizeof error)) error = ECHILD;
  if (error != 0) {
    const char* hint = error > 0 ? "; its folder must exist, and no other process may be listening there" : "";
    std::fprintf(stderr, "proc_box: error: listen on %s: %s%s\n", path, remedy_of(error), hint);
    _exit(kFailed);
  }
  std::printf("%d\n", child);
  std::fflush(stdout);
  _exit(0);
}

}  // namespace

int serve(const char* path) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const int child = fork();
  if (child < 0) return -1;
  if (child > 0) {
    close(ends[1]);
    tell_caller(path, child, ends[0]);
  }
  close(ends[0]);
  setsid();
  hold_signals();
  int fd = -1;
  const int error = listen_at(path, fd);
  if (write(ends[1], &error, sizeof error) < 0 || error != 0) _exit(kFailed);
  close(ends[1]);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int at = 0; at <= 2; at++) dup2(null, at);
  if (null > 2) close(null);
  return fd;
}

}  // namespace pbox
