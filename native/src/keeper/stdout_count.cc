#include "keeper/stdout_count.h"

#include <algorithm>

namespace pbox {
namespace {

// A job that goes on writing to its file is reported again after each of these.
constexpr uint64_t kMoreBytes = 64 << 10;

}  // namespace

bool StdoutCount::exceeded(uint64_t* out) {
  if (!is_file() || max_ == 0) return false;
  *out = bytes();
  if (*out <= max_ || (told_ != 0 && *out <= told_ + kMoreBytes)) return false;
  told_ = *out;
  return true;
}

bool StdoutCount::marked(uint64_t* out) {
  if (mark_ == 0) return false;
  *out = bytes();
  if (*out < mark_) return false;
  mark_ = 0;
  return true;
}

int StdoutCount::next_look_ms() {
  if (!is_file()) return -1;
  const uint64_t target = mark_ == 0 ? max_ : max_ == 0 ? mark_ : std::min(mark_, max_);
  return watch_.next_look_ms(bytes(), target);
}

}  // namespace pbox
