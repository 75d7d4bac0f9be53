#include "proc/written.h"

#include <algorithm>

namespace pbox {
namespace {

// A writer that has seeked back cannot have written faster than this since the last look.
constexpr double kBytesPerMs = 4e6;

}  // namespace

// O_APPEND moves the offset to the end only at the first write.
void Written::start(uint64_t offset, uint64_t size, bool append, double now_ms) {
  at_ = end_ = append ? size : offset;
  looked_ms_ = now_ms;
}

uint64_t Written::look(uint64_t offset, uint64_t size, bool append, double now_ms) {
  const double possible = (now_ms - looked_ms_) * kBytesPerMs;
  looked_ms_ = now_ms;
  const bool cut = size < end_;
  // When the file is truncated, an appending writer's offset stays beyond the end. A reader that shares the descriptor may also
  // move the offset. In both cases it means nothing until the next write.
  if (append && cut && offset > size) {
    end_ = size;
    at_ = offset;
  } else if (append && !cut && offset < end_) {
    at_ = end_;
  } else if (at_ > end_) {  // an earlier look has noticed the truncation
    if (append && offset > size) return bytes_;
    bytes_ += offset - std::min(offset, end_);
    end_ = at_ = offset;
  } else if (cut && offset < at_) {
    bytes_ += offset;  // assume a truncation to zero, as copytruncate and `> file` do
    end_ = at_ = offset;
  } else if (offset < at_) {
    // The writer has seeked back, and may have overwritten from the beginning if it had the time.
    if (static_cast<double>(offset) <= possible) bytes_ += offset;
    at_ = offset;
  } else {
    // An offset that moves from before the end to beyond it means a seek to the end and a write there.
    const uint64_t from = at_ < end_ && offset >= end_ ? end_ : at_;
    bytes_ += offset - from;
    end_ = std::max(end_, offset);
    at_ = offset;
  }
  return bytes_;
}

}  // namespace pbox
