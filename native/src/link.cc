#include "link.h"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pbox {

void Link::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Link::send(Request type, uint32_t id, const void* body, size_t size) {
  const FrameHead head{static_cast<uint32_t>(size), static_cast<uint16_t>(type), 0, id};
  std::string frame(reinterpret_cast<const char*>(&head), sizeof head);
  if (size) frame.append(static_cast<const char*>(body), size);
  // Requests are small and the keeper reads them at once: blocking for room is a matter of microseconds.
  for (size_t sent = 0; sent < frame.size();) {
    const ssize_t n = ::send(fd_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
    else if (errno != EINTR) return false;
  }
  return true;
}

bool Link::fill() {
  char chunk[65536];
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

bool Link::next(FrameHead& head, std::string& body) {
  if (inbox_.size() < sizeof head) return false;
  std::memcpy(&head, inbox_.data(), sizeof head);
  if (inbox_.size() < sizeof head + head.length) return false;
  body.assign(inbox_, sizeof head, head.length);
  inbox_.erase(0, sizeof head + head.length);
  return true;
}

}  // namespace pbox
