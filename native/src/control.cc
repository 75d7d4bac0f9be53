#include "control.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace pbox {

void Control::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Control::send(Event type, uint32_t id, const void* body, size_t size) {
  const FrameHead head{static_cast<uint32_t>(size), static_cast<uint16_t>(type), 0, id};
  std::string frame(reinterpret_cast<const char*>(&head), sizeof head);
  if (size) frame.append(static_cast<const char*>(body), size);
  for (size_t sent = 0; sent < frame.size();) {
    const ssize_t n = ::send(fd_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
    else if (errno != EINTR) return;  // the wrapper has gone: its end of file is seen by poll
  }
}

void Control::reply_count(uint32_t id, int count) {
  const int32_t body = count;
  send(Event::reply, id, &body, sizeof body);
}

bool Control::read() {
  char chunk[4096];
  const ssize_t n = recv(fd_, chunk, sizeof chunk, MSG_DONTWAIT);
  if (n > 0) inbox_.append(chunk, static_cast<size_t>(n));
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

bool Control::next(FrameHead& head, std::string& body) {
  if (inbox_.size() < sizeof head) return false;
  std::memcpy(&head, inbox_.data(), sizeof head);
  if (inbox_.size() < sizeof head + head.length) return false;
  body = inbox_.substr(sizeof head, head.length);
  inbox_.erase(0, sizeof head + head.length);
  return true;
}

void Reader::copy(void* out, size_t size) {
  const size_t have = std::min(size, static_cast<size_t>(end_ - at_));
  std::memcpy(out, at_, have);
  at_ += have;
}

std::string Reader::word() {
  const std::string out(at_, strnlen(at_, static_cast<size_t>(end_ - at_)));
  at_ = std::min(end_, at_ + out.size() + 1);
  return out;
}

}  // namespace pbox
