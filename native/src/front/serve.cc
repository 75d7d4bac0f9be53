#include "front/serve.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "proc/unix_socket.h"
#include "wire/signals.h"

namespace pbox {
namespace {

constexpr int kFailed = 125;

// A process that knows our pid may signal it at once. Blocked signals wait until the front end reads them from its signalfd.
void hold_signals() {
  sigset_t held;
  sigemptyset(&held);
  for (const int signal : kHandledSignals) sigaddset(&held, signal);
  sigprocmask(SIG_BLOCK, &held, nullptr);
}

const char* remedy_of(int error) {
  if (error == kOpenToOthers) return "its folder is open to other users; make it one with mode 0700 (mkdir -m 700)";
  if (error == kNotOurs) return "its folder belongs to another user; make one of your own with mode 0700 (mkdir -m 700)";
  if (error == kNotASocket) return "something else has that name";
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
  const int error = listen_at(path, SocketFolder::hidden, fd);
  if (write(ends[1], &error, sizeof error) < 0 || error != 0) _exit(kFailed);
  close(ends[1]);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int at = 0; at <= 2; at++) dup2(null, at);
  if (null > 2) close(null);
  return fd;
}

}  // namespace pbox
