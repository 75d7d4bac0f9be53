#include "front/node_channel.h"

#include <cerrno>
#include <sys/socket.h>

namespace pbox {

bool NodeChannel::next(Saying& said, std::string& text) const {
  struct {
    Saying said;
    char text[1024];
  } message{};
  // Say::hold comes with a descriptor, which stays open as long as this process lives.
  alignas(cmsghdr) char descriptor[CMSG_SPACE(sizeof(int))];
  iovec bytes{&message, sizeof message - 1};
  while (fd_ >= 0) {
    msghdr head{};
    head.msg_iov = &bytes;
    head.msg_iovlen = 1;
    head.msg_control = descriptor;
    head.msg_controllen = sizeof descriptor;
    const ssize_t n = recvmsg(fd_, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    if (n < static_cast<ssize_t>(sizeof message.said)) continue;
    said = message.said;
    text.assign(message.text, static_cast<size_t>(n) - sizeof message.said);
    return true;
  }
  return false;
}

void NodeChannel::send(const Delivery& delivery) const {
  // A full socket holds hundreds that Node has not looked at: one more tells nothing new.
  if (::send(fd_, &delivery, sizeof delivery, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) errno = 0;
}

}  // namespace pbox
