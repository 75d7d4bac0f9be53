#include "wire/frames.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace pbox {

void Outbox::add(uint16_t type, uint32_t id, const void* body, size_t size) {
  const FrameHead head{static_cast<uint32_t>(size), type, version_, id};
  bytes_.append(reinterpret_cast<const char*>(&head), sizeof head);
  if (size) bytes_.append(static_cast<const char*>(body), size);
}

bool Outbox::send(int fd, uint16_t type, uint32_t id, const void* body, size_t size) {
  add(type, id, body, size);
  return flush(fd);
}

bool Outbox::flush(int fd) {
  while (sent_ < bytes_.size()) {
    const ssize_t n = ::send(fd, bytes_.data() + sent_, bytes_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent_ += static_cast<size_t>(n);
    else if (errno == EAGAIN) break;
    else if (errno != EINTR) return false;
  }
  // A reader that is never quite done must not make the queue grow for ever.
  if (sent_ >= bytes_.size() - sent_) compact();
  return true;
}

void Outbox::compact() {
  const size_t left = waiting();
  std::memmove(bytes_.data(), bytes_.data() + sent_, left);
  explicit_bzero(bytes_.data() + left, sent_);  // `hello` may hold passwords
  bytes_.resize(left);
  sent_ = 0;
}

void Outbox::drop() {
  sent_ = bytes_.size();
  compact();
}

void Inbox::append(const char* bytes, size_t size) {
  bytes_.erase(0, taken_);
  taken_ = 0;
  bytes_.append(bytes, size);
}

bool Inbox::peek(FrameHead& head) const {
  if (bytes_.size() - taken_ < sizeof head) return false;
  std::memcpy(&head, bytes_.data() + taken_, sizeof head);
  return true;
}

bool Inbox::next(FrameHead& head, std::string& body) {
  if (!peek(head) || bytes_.size() - taken_ < sizeof head + head.length) return false;
  body.assign(bytes_, taken_ + sizeof head, head.length);
  taken_ += sizeof head + head.length;
  return true;
}

void Reader::copy(void* out, size_t size) {
  const size_t have = std::min(size, static_cast<size_t>(end_ - at_));
  std::memcpy(out, at_, have);
  at_ += have;
}

std::string Reader::bytes(size_t size) {
  const std::string out(at_, std::min(size, left()));
  at_ += out.size();
  return out;
}

std::string Reader::word() {
  const std::string out(at_, strnlen(at_, static_cast<size_t>(end_ - at_)));
  at_ = std::min(end_, at_ + out.size() + 1);
  return out;
}

}  // namespace pbox
