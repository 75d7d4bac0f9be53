// How soon the file that a job writes to must be checked again, so that it grows only slightly beyond its limit.
#pragma once
#include <cstdint>

namespace pbox {

class WriteWatch {
 public:
  // Ms until the next look. `written`: bytes so far. `target`: the count that must not be passed unnoticed; 0: none.
  int next_look_ms(uint64_t written, uint64_t target);

 private:
  uint64_t seen_ = 0;
  double seen_at_ms_ = 0, bytes_per_ms_ = 0;
};

}  // namespace pbox
