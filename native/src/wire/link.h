// The wrapper's end of the keeper's socket: frames in and out, without blocking.
#pragma once
#include <cstdint>
#include <string>

#include "wire/frames.h"

namespace pbox {

class Link {
 public:
  explicit Link(int fd) : fd_(fd) {}
  ~Link() { close(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  int fd() const { return fd_; }
  void close();
  // False where the keeper has gone.
  bool send(Request type, uint32_t id, const void* body, size_t size) { return outbox_.send(fd_, static_cast<uint16_t>(type), id, body, size); }
  // Some of it waits for the keeper to read: flush() when poll(2) says POLLOUT.
  bool pending() const { return outbox_.waiting() > 0; }
  bool flush() { return outbox_.flush(fd_); }
  // The version that the keeper speaks, before anything is read; 0 where its first frame is not there yet.
  uint16_t peek_version() const;
  // Reads what is there; false where the keeper has gone.
  bool fill();
  // Tells the keeper that nothing follows and waits for its end; false where it takes longer.
  bool finish(int wait_ms);
  // Next whole frame.
  bool next(FrameHead& head, std::string& body) { return next_frame(inbox_, head, body); }

 private:
  int fd_;
  std::string inbox_;
  Outbox outbox_;
};

}  // namespace pbox
