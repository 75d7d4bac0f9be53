// Frames of protocol.h as bytes, for both ends of the socket.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "wire/protocol.h"

namespace pbox {

// Outgoing frames. Bytes that the socket does not take at once wait here. So neither end blocks when the other is stopped,
// and no frame is cut short.
class Outbox {
 public:
  explicit Outbox(Speaks speaks = Speaks::own) : version_(speaks == Speaks::own ? kProtocolVersion : kAgentVersion) {}
  // Adds a frame, which flush() sends.
  void add(uint16_t type, uint32_t id, const void* body, size_t size);
  // Adds a frame and sends it. False if the other end has gone.
  bool send(int fd, uint16_t type, uint32_t id, const void* body, size_t size);
  // Sends as much as the socket takes now. False if the other end has gone.
  bool flush(int fd);
  size_t waiting() const { return bytes_.size() - sent_; }
  // What waits is not sent any more.
  void drop();

 private:
  // Forgets what has been sent.
  void compact();
  uint16_t version_;
  std::string bytes_;
  size_t sent_ = 0;
};

// Incoming bytes, and the frames in them.
class Inbox {
 public:
  void append(const char* bytes, size_t size);
  // Takes the next frame. False if it is incomplete.
  bool next(FrameHead& head, std::string& body);
  // The head of the next frame. False if it is incomplete.
  bool peek(FrameHead& head) const;
  // No part of a frame is here.
  bool is_empty() const { return taken_ == bytes_.size(); }
  void clear() { bytes_.clear(), taken_ = 0; }

 private:
  std::string bytes_;
  size_t taken_ = 0;  // bytes before it belong to frames that have been taken
};

// Writes a frame's body.
struct Writer {
  std::string body;
  template <typename T>
  void value(const T& in) { body.append(reinterpret_cast<const char*>(&in), sizeof in); }
  // Including its NUL.
  void word(const char* in) { body.append(in).push_back('\0'); }
  void result(int error, const std::string& in) {
    value(FileResult{error, static_cast<uint32_t>(in.size())});
    body.append(in);
  }
};

// Reads a frame's body: values and words, in order. Beyond the end they are 0 or empty.
class Reader {
 public:
  Reader(const char* body, size_t size) : at_(body), end_(body + size) {}
  explicit Reader(const std::string& body) : Reader(body.data(), body.size()) {}
  bool done() const { return at_ >= end_; }
  template <typename T>
  T value() {
    T out{};
    copy(&out, sizeof out);
    return out;
  }
  std::string word();
  std::string rest() { return std::string(std::exchange(at_, end_), end_); }
  std::string bytes(size_t size);
  size_t left() const { return static_cast<size_t>(end_ - at_); }

 private:
  void copy(void* out, size_t size);
  const char* at_;
  const char* end_;
};

}  // namespace pbox
