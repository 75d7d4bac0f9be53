#include "wire/wrapper_connection.h"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

namespace pbox {
namespace {

constexpr size_t kMostWaiting = 256 << 10;

}  // namespace

void WrapperConnection::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void WrapperConnection::send(Event type, uint32_t id, const void* body, size_t size) {
  const bool droppable = type == Event::witnessed || type == Event::stdoutlimit || type == Event::stopped || type == Event::continued;
  if (fd_ < 0 || (droppable && outbox_.waiting() > kMostWaiting)) return;
  outbox_.send(fd_, static_cast<uint16_t>(type), id, body, size);
}

bool WrapperConnection::is_foreign() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid != geteuid();
}

bool WrapperConnection::next(FrameHead& head, std::string& body) {
  if (!inbox_.next(head, body)) return false;
  if (is_spoken(speaks_, head.version)) return true;
  inbox_.clear();
  shutdown(fd_, SHUT_RD);  // the next read reports the end
  return false;
}

bool WrapperConnection::read() {
  char chunk[4096];
  const ssize_t n = recv(fd_, chunk, sizeof chunk, MSG_DONTWAIT);
  if (n > 0) inbox_.append(chunk, static_cast<size_t>(n));
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace pbox
