// How many bytes have gone to a file, told from its offset and size alone: they are looked at now and then.
#pragma once
#include <cstdint>

namespace pbox {

class Written {
 public:
  // What is there from the start does not count.
  void start(uint64_t offset, uint64_t size, bool append, double now_ms);
  // What the file descriptor shows now. Returns all that has been written; never less than before.
  uint64_t look(uint64_t offset, uint64_t size, bool append, double now_ms);
  uint64_t bytes() const { return bytes_; }

 private:
  uint64_t at_ = 0;    // offset at the last look
  uint64_t end_ = 0;   // up to here everything is counted
  uint64_t bytes_ = 0;
  double looked_ms_ = 0;
};

}  // namespace pbox
