#include "control.h"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

namespace pbox {

void Control::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Control::read() {
  char chunk[4096];
  const ssize_t n = recv(fd_, chunk, sizeof chunk, MSG_DONTWAIT);
  if (n > 0) inbox_.append(chunk, static_cast<size_t>(n));
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace pbox
