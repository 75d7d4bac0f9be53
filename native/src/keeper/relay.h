// Moves the job's stdout from our pipe to its real reader, and counts the bytes. It uses splice(2) if the reader is a pipe.
#pragma once
#include <cstdint>
#include <poll.h>

namespace pbox {

class Relay {
 public:
  // Takes over both descriptors. `out_is_socket`: splice(2) to a socket could block, so bytes are copied with MSG_DONTWAIT.
  Relay(int in, int out, bool out_is_socket, uint64_t max) : in_(in), out_(out), socket_(out_is_socket), max_(max) {}

  int in() const { return in_; }
  int out() const { return out_; }
  // Fills in two entries for poll(2); an entry with fd -1 is idle.
  void prepare(pollfd* entries) const;
  // Moves as many bytes as possible without blocking.
  void run(const pollfd* entries);
  // Call when no writer is left: moves bytes until the reader is full. True when nothing is left.
  bool drained();

  // Stops the relay: the reader sees the end of the stream, and writers get SIGPIPE.
  void close_all();
  uint64_t bytes() const { return bytes_; }
  void limit(uint64_t max) { max_ = max; }
  // The job has written more than the limit, and the relay moves no more.
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
  uint32_t from_ = 0, to_ = 0;  // the part of the buffer that the socket has not taken yet
};

}  // namespace pbox
