#include "link.h"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pbox {

void Link::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Link::fill() {
  char chunk[8192];  // also under a small `ulimit -s`
  for (;;) {
    const ssize_t n = recv(fd_, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0) inbox_.append(chunk, static_cast<size_t>(n));
    else if (n == 0) return false;
    else if (errno == EAGAIN) return true;
    else if (errno != EINTR) return false;
  }
}

bool Link::finish(int wait_ms) {
  shutdown(fd_, SHUT_WR);
  for (;;) {
    pollfd end{fd_, POLLIN, 0};
    const int ready = poll(&end, 1, wait_ms);
    if (ready == 0) return false;
    if (ready > 0 && !fill()) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace pbox
