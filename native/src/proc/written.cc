#include "proc/written.h"

#include <algorithm>

namespace pbox {
namespace {

// Nobody who seeks back has written more since the last look.
constexpr double kBytesPerMs = 4e6;

}  // namespace

// O_APPEND moves the offset to the end at the first write only.
void Written::start(uint64_t offset, uint64_t size, bool append, double now_ms) {
  at_ = end_ = append ? size : offset;
  looked_ms_ = now_ms;
}

uint64_t Written::look(uint64_t offset, uint64_t size, bool append, double now_ms) {
  const double patience = (now_ms - looked_ms_) * kBytesPerMs;
  looked_ms_ = now_ms;
  const bool cut = size < end_;
  // A writer that appends leaves its offset behind the end when the file is cut, and where a reader has moved it: until it
  // writes again that says nothing.
  if (append && cut && offset > size) {
    end_ = size;
    at_ = offset;
  } else if (append && !cut && offset < end_) {
    at_ = end_;
  } else if (at_ > end_) {  // a look has seen the cut
    if (append && offset > size) return bytes_;
    bytes_ += offset - std::min(offset, end_);
    end_ = at_ = offset;
  } else if (cut && offset < at_) {
    bytes_ += offset;  // whoever has cut the file has cut all of it, as copytruncate and `> file` do
    end_ = at_ = offset;
  } else if (offset < at_) {
    // It has gone back, and maybe written over what is there: from the beginning, where it had the time for that.
    if (static_cast<double>(offset) <= patience) bytes_ += offset;
    at_ = offset;
  } else {
    // From a place before the end to one behind it: it has gone back to the end, and written there.
    const uint64_t from = at_ < end_ && offset >= end_ ? end_ : at_;
    bytes_ += offset - from;
    end_ = std::max(end_, offset);
    at_ = offset;
  }
  return bytes_;
}

}  // namespace pbox
