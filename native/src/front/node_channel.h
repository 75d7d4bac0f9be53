// The front end's end of its socket to Node: it sends signals and receives Node's messages.
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
  // Node's next message, with its text. False if there is none.
  bool next(NodeMessage& message, std::string& text) const;
  void send(const Delivery& delivery) const;

 private:
  int fd_;
};

}  // namespace pbox
