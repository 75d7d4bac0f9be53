// The wrapper's end of the keeper's socket: frames in and out, without blocking.
#pragma once
#include <cstdint>
#include <string>

#include "protocol.h"

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
  bool send(Request type, uint32_t id, const void* body, size_t size);
  // Reads what is there; false where the keeper has gone.
  bool fill();
  // Tells the keeper that nothing follows and waits for its end; false where it takes longer.
  bool finish(int wait_ms);
  // Next whole frame; `body` is valid until the next call.
  bool next(FrameHead& head, std::string& body);

 private:
  int fd_;
  std::string inbox_;
};

}  // namespace pbox
