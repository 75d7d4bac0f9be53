// The wrapper's connection to its keeper: it sends requests and takes events and replies, without blocking.
#pragma once
#include <cstdint>
#include <string>

#include "wire/frames.h"

namespace pbox {

class KeeperConnection {
 public:
  explicit KeeperConnection(int fd, Speaks speaks = Speaks::own) : fd_(fd), speaks_(speaks), outbox_(speaks) {}
  // The other end of an agent's connection may be anybody's: a longer frame ends the connection, as does a queue that the other end
  // does not read, and fill() reads a bounded number of bytes at a time.
  static constexpr size_t kForeignFrameMax = 1 << 20, kForeignReadMax = 64 << 10, kForeignQueueMax = 256 << 10, kBehind = 16 << 10;
  bool is_foreign() const { return speaks_ == Speaks::agent; }
  bool understands(uint16_t version) const { return is_spoken(speaks_, version); }
  // After the end: what was wrong with the other end; empty: nothing.
  const char* fault() const { return *fault_ || inbox_.is_empty() ? fault_ : "it ended within a frame"; }
  ~KeeperConnection() { close(); }
  KeeperConnection(const KeeperConnection&) = delete;
  KeeperConnection& operator=(const KeeperConnection&) = delete;

  int fd() const { return fd_; }
  void close();
  // Adds a request, which flush() sends. False if the keeper does not read what it is sent.
  bool add(Request type, uint32_t id, const void* body, size_t size);
  // Adds a request and sends it. False if the keeper has gone.
  bool send(Request type, uint32_t id, const void* body, size_t size);
  // Bytes wait for the keeper to read: call flush() when poll(2) reports POLLOUT.
  bool pending() const { return outbox_.waiting() > 0; }
  bool flush() { return outbox_.flush(fd_); }
  // The keeper has not read for a while what it was sent.
  bool is_behind() const { return outbox_.waiting() > kBehind; }
  // The keeper's protocol version, without reading anything; 0 if its first frame has not arrived yet.
  uint16_t peek_version() const;
  // Reads everything that has arrived. False if the keeper has gone.
  bool fill();
  // Tells the keeper that no request follows, and waits for its end. False if that takes longer than `wait_ms`.
  bool finish(int wait_ms);
  // The next whole frame.
  bool next(FrameHead& head, std::string& body) { return inbox_.next(head, body); }

 private:
  bool is_too_long();
  int fd_;
  const Speaks speaks_;
  const char* fault_ = "";
  Inbox inbox_;
  Outbox outbox_;
};

}  // namespace pbox
