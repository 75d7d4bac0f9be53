// Counts the bytes written to a file from its offset and size alone, which are read now and then.
#pragma once
#include <cstdint>

namespace pbox {

class Written {
 public:
  // Bytes that are in the file now do not count.
  void start(uint64_t offset, uint64_t size, bool append, double now_ms);
  // Takes the descriptor's current state. Returns the bytes written so far, never fewer than before.
  uint64_t look(uint64_t offset, uint64_t size, bool append, double now_ms);
  uint64_t bytes() const { return bytes_; }

 private:
  uint64_t at_ = 0;    // offset at the last look
  uint64_t end_ = 0;   // everything up to here is counted
  uint64_t bytes_ = 0;
  double looked_ms_ = 0;
};

}  // namespace pbox
