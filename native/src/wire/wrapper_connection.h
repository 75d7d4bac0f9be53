// The keeper's connection to a wrapper: it takes requests and sends events and replies.
#pragma once
#include <cstdint>
#include <poll.h>
#include <string>

#include "wire/frames.h"

namespace pbox {

class WrapperConnection {
 public:
  explicit WrapperConnection(int fd, Speaks speaks = Speaks::own) : fd_(fd), speaks_(speaks), outbox_(speaks) {}
  // -1 when the wrapper has gone.
  int fd() const { return fd_; }
  void close();
  // Never fails: if the wrapper has gone, poll(2) reports it. While a wrapper reads nothing, events that it can do without
  // are dropped.
  void send(Event type, uint32_t id, const void* body, size_t size);
  short events() const { return static_cast<short>(outbox_.waiting() > 0 ? POLLIN | POLLOUT : POLLIN); }
  void flush() { outbox_.flush(fd_); }
  template <typename T>
  void tell(Event type, const T& body) { send(type, 0, &body, sizeof body); }
  template <typename T>
  void reply(uint32_t id, const T& body) { send(Event::reply, id, &body, sizeof body); }
  void reply_bytes(uint32_t id, const std::string& body) { send(Event::reply, id, body.data(), body.size()); }
  void reply_count(uint32_t id, int count) { reply(id, int32_t{count}); }
  // Reads once. False if the wrapper has gone.
  bool read();
  // The other end belongs to another user.
  bool is_foreign() const;
  // The next whole frame. A wrapper that speaks another version counts as gone.
  bool next(FrameHead& head, std::string& body);

 private:
  int fd_;
  Speaks speaks_;
  Inbox inbox_;
  Outbox outbox_;
};

}  // namespace pbox
