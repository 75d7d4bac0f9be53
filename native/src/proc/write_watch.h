// How soon a file that a job writes to has to be looked at again, so that little more than is allowed gets into it.
#pragma once
#include <cstdint>

namespace pbox {

class WriteWatch {
 public:
  // Until the next look, ms. `written` bytes so far; `target`: what must not be passed unseen, 0 for nothing.
  int next_look_ms(uint64_t written, uint64_t target);

 private:
  uint64_t seen_ = 0;
  double seen_at_ms_ = 0, bytes_per_ms_ = 0;
};

}  // namespace pbox
