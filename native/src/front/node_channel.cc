#include "front/node_channel.h"

#include <cerrno>
#include <sys/socket.h>

namespace pbox {

bool NodeChannel::next(NodeMessage& out, std::string& text) const {
  struct {
    NodeMessage message;
    char text[1024];
  } received{};
  // NodeMessageType::hold_open carries a descriptor, which stays open for the life of this process.
  alignas(cmsghdr) char descriptor[CMSG_SPACE(sizeof(int))];
  iovec bytes{&received, sizeof received - 1};
  while (fd_ >= 0) {
    msghdr head{};
    head.msg_iov = &bytes;
    head.msg_iovlen = 1;
    head.msg_control = descriptor;
    head.msg_controllen = sizeof descriptor;
    const ssize_t n = recvmsg(fd_, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    if (n < static_cast<ssize_t>(sizeof received.message)) continue;
    out = received.message;
    text.assign(received.text, static_cast<size_t>(n) - sizeof received.message);
    return true;
  }
  return false;
}

void NodeChannel::send(const Delivery& delivery) const {
  // A full socket holds hundreds of signals that Node has not read, so dropping one more loses nothing.
  if (::send(fd_, &delivery, sizeof delivery, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) errno = 0;
}

}  // namespace pbox
