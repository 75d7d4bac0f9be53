// The job's stdout as the keeper sees it: the caller's own file, whose offset tells, or a pipe of ours and a relay.
#pragma once
#include <cstdint>
#include <optional>
#include <poll.h>
#include <utility>

#include "keeper/relay.h"
#include "proc/write_watch.h"
#include "proc/written.h"

namespace pbox {

// stdout, where it is a file: nothing is moved, the shared offset tells.
class OutputFile {
 public:
  // Of descriptor 1.
  void watch();
  int fd() const { return fd_; }
  uint64_t bytes();
  void limit(uint64_t max) { max_ = max; }
  // Over its limit: once at the limit, and again when more was written after that.
  bool exceeded(uint64_t* bytes);
  // Until it has to be looked at, ms; -1 where it is no file. `mark`: what is to be told as well, 0 for nothing.
  int next_look_ms(uint64_t mark);

 private:
  int fd_ = -1;
  Written written_;
  uint64_t max_ = 0, reported_ = 0;
  WriteWatch watch_;
};

class Output {
 public:
  // Descriptor 1 is a file.
  void watch_file() { file_.watch(); }
  // Descriptor 1 is a pipe or a socket: makes the job's. Returns its end for writing, or -1 with errno.
  int make_pipe(bool to_socket);
  void limit(uint64_t max);
  uint64_t bytes() { return relay_ ? relay_->bytes() : file_.bytes(); }
  // What must stay open when the keeper lets go of its descriptors; -1 is none.
  std::pair<int, int> descriptors() const;

  // Two entries for poll(2).
  void prepare(pollfd* entries) const;
  void run(const pollfd* entries);
  // There was more than the limit: told once, of a file again when the job goes on writing to it.
  bool exceeded(uint64_t* bytes);
  // To be told once when so many bytes are reached; 0 is none.
  void mark(uint64_t bytes) { mark_ = bytes; }
  bool marked(uint64_t* bytes);
  // For when no writer is left: the reader has everything, or nothing more is expected of it.
  bool drained();
  // The box was killed: its reader is given up when it takes nothing for a while.
  void lose_patience() { patient_ = false; }
  // Lets go of both ends.
  void close();
  // Until it has to be looked at, ms; -1 where poll tells.
  int next_look_ms();

 private:
  bool reader_abandoned();

  OutputFile file_;
  std::optional<Relay> relay_;
  bool told_ = false, patient_ = true;
  double waiting_since_ms_ = 0;
  uint64_t waiting_bytes_ = 0, mark_ = 0;
};

}  // namespace pbox
