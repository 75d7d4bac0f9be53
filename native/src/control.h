// The keeper's end of its socket: frames in and out.
#pragma once
#include <cstdint>
#include <string>

#include "protocol.h"

namespace pbox {

class Control {
 public:
  explicit Control(int fd) : fd_(fd) {}
  // -1 when the wrapper has gone.
  int fd() const { return fd_; }
  void close();
  void send(Event type, uint32_t id, const void* body, size_t size);
  void reply_count(uint32_t id, int count);
  // Reads once. False where the wrapper has gone.
  bool read();
  // Next whole frame.
  bool next(FrameHead& head, std::string& body);

 private:
  int fd_;
  std::string inbox_;
};

// The words of a frame, in order. What is beyond its end is 0 or empty.
class Reader {
 public:
  Reader(const char* body, size_t size) : at_(body), end_(body + size) {}
  bool done() const { return at_ >= end_; }
  template <typename T>
  T value() {
    T out{};
    copy(&out, sizeof out);
    return out;
  }
  // Up to its NUL.
  std::string word();

 private:
  void copy(void* out, size_t size);
  const char* at_;
  const char* end_;
};

}  // namespace pbox
