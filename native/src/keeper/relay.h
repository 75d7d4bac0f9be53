// Moves the job's stdout from our pipe to its real reader, counting: splice(2) where the reader is a pipe.
#pragma once
#include <cstdint>
#include <poll.h>

namespace pbox {

class Relay {
 public:
  // Takes both over. `out_is_socket`: splice to a socket could block, so bytes are copied with MSG_DONTWAIT.
  Relay(int in, int out, bool out_is_socket, uint64_t max) : in_(in), out_(out), socket_(out_is_socket), max_(max) {}

  int in() const { return in_; }
  int out() const { return out_; }
  // Two entries for poll(2); an entry with fd -1 is idle.
  void prepare(pollfd* entries) const;
  // Moves what can be moved without blocking.
  void run(const pollfd* entries);
  // Moves what is there, until the reader is full: true when nothing is left. For when no writer is left.
  bool drained();

  // Nothing more is moved: reader and writers see the end.
  void close_all();
  uint64_t bytes() const { return bytes_; }
  void limit(uint64_t max) { max_ = max; }
  // There was more than the limit; nothing more is moved.
  bool exceeded() const { return exceeded_; }

 private:
  enum class Wait { input, output };
  void step();
  bool flush_buffer();

  int in_, out_;
  bool socket_;
  uint64_t max_;
  uint64_t bytes_ = 0;
  bool exceeded_ = false;
  Wait wait_ = Wait::input;
  uint32_t from_ = 0, to_ = 0;  // bytes of the buffer that the socket has not taken yet
};

}  // namespace pbox
