// The front end's end of its socket to Node: signals there, Node's words back.
#pragma once
#include <string>

#include "wire/channel.h"

namespace pbox {

class NodeChannel {
 public:
  explicit NodeChannel(int fd) : fd_(fd) {}
  int fd() const { return fd_; }
  // The other end has gone, and everything has been read.
  void forget() { fd_ = -1; }
  // What Node has said next, with its text. False where nothing more is there.
  bool next(Saying& said, std::string& text) const;
  void send(const Delivery& delivery) const;

 private:
  int fd_;
};

}  // namespace pbox
