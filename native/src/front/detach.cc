#include "front/detach.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace pbox {
namespace {

// A prolog must not hang because a file system does.
constexpr int kPatienceMs = 30000;
constexpr int kFailed = 125;

[[noreturn]] void wait_for_word(int from, int child) {
  pollfd word{from, POLLIN, 0};
  int ready;
  while ((ready = poll(&word, 1, kPatienceMs)) < 0 && errno == EINTR) continue;
  unsigned char status = kFailed;
  if (ready == 0) {
    kill(-child, SIGKILL);
    std::fprintf(stderr, "proc_box: error: the box was not made within %d s; is the file system of proc_box or Node slow?\n", kPatienceMs / 1000);
  } else if (read(from, &status, 1) != 1) {
    status = kFailed;  // the child died and has said why
  }
  _exit(status);
}

}  // namespace

int detach() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const int child = fork();
  if (child < 0) return -1;
  if (child > 0) {
    close(ends[1]);
    wait_for_word(ends[0], child);
  }
  close(ends[0]);
  setsid();
  // The reader of our output waits until every writer has closed it.
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, 0);
  dup2(null, 1);
  if (null > 1) close(null);
  return ends[1];
}

}  // namespace pbox
