#include "wire/keeper_connection.h"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pbox {

void KeeperConnection::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

// The shutdown makes the socket readable, so that the event loop learns of the end in a turn of its own.
bool KeeperConnection::add(Request type, uint32_t id, const void* body, size_t size) {
  if (speaks_ == Speaks::own || outbox_.waiting() <= kForeignQueueMax) {
    outbox_.add(static_cast<uint16_t>(type), id, body, size);
    return true;
  }
  fault_ = "it does not read what it is sent";
  outbox_.drop();
  shutdown(fd_, SHUT_RDWR);
  return false;
}

bool KeeperConnection::send(Request type, uint32_t id, const void* body, size_t size) {
  return add(type, id, body, size) && flush();
}

bool KeeperConnection::fill() {
  char chunk[8192];  // fits even under a small `ulimit -s`
  for (size_t read = 0; speaks_ == Speaks::own || read < kForeignReadMax;) {
    const ssize_t n = recv(fd_, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0) read += static_cast<size_t>(n);
    if (n > 0) inbox_.append(chunk, static_cast<size_t>(n));
    else if (n == 0) return false;
    else if (errno == EAGAIN) return !is_too_long();
    else if (errno != EINTR) return false;
  }
  return !is_too_long();
}

bool KeeperConnection::is_too_long() {
  FrameHead head;
  if (speaks_ == Speaks::own || !inbox_.peek(head) || head.length <= kForeignFrameMax) return false;
  fault_ = "it sent a frame that is too long";
  return true;
}

uint16_t KeeperConnection::peek_version() const {
  FrameHead head{};
  const ssize_t n = recv(fd_, &head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
  return n == static_cast<ssize_t>(sizeof head) ? head.version : 0;
}

bool KeeperConnection::finish(int wait_ms) {
  for (pollfd room{fd_, POLLOUT, 0}; pending();)
    if (poll(&room, 1, wait_ms) <= 0 || !flush()) break;
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
