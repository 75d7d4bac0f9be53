// The keeper's end of its socket: frames in and out.
#pragma once
#include <cstdint>
#include <poll.h>
#include <string>

#include "wire/frames.h"

namespace pbox {

class Control {
 public:
  explicit Control(int fd) : fd_(fd) {}
  // -1 when the wrapper has gone.
  int fd() const { return fd_; }
  void close();
  // What does not arrive because the wrapper has gone is lost: poll tells that. Of a wrapper that reads nothing what can be
  // spared is.
  void send(Event type, uint32_t id, const void* body, size_t size);
  // For poll(2).
  short events() const { return static_cast<short>(outbox_.waiting() > 0 ? POLLIN | POLLOUT : POLLIN); }
  void flush() { outbox_.flush(fd_); }
  template <typename T>
  void tell(Event type, const T& body) { send(type, 0, &body, sizeof body); }
  template <typename T>
  void reply(uint32_t id, const T& body) { send(Event::reply, id, &body, sizeof body); }
  void reply_count(uint32_t id, int count) { reply(id, int32_t{count}); }
  // Reads once. False where the wrapper has gone.
  bool read();
  // Next whole frame. A wrapper that speaks another version is as good as gone.
  bool next(FrameHead& head, std::string& body);

 private:
  int fd_;
  std::string inbox_;
  Outbox outbox_;
};

}  // namespace pbox
