// Counts the bytes of stdout, and decides when to report them, for a job as well as for an adopted process.
#pragma once
#include <cstdint>

#include "proc/write_watch.h"

namespace pbox {

class StdoutCount {
 public:
  virtual ~StdoutCount() = default;
  virtual uint64_t bytes() = 0;
  // 0: no limit.
  virtual void limit(uint64_t max) { max_ = max; }
  // True once when the limit is exceeded, and again when more has been written to a file after that.
  virtual bool exceeded(uint64_t* bytes);
  // marked() becomes true once, when this many bytes are reached; 0: never.
  void mark(uint64_t bytes) { mark_ = bytes; }
  bool marked(uint64_t* bytes);
  // The box was killed: from now on a reader that takes nothing for a while does not hold up the end.
  virtual void abandon_reader() {}
  // Ms until stdout must be checked; -1 if poll(2) reports it, or nothing can be checked.
  virtual int next_look_ms();

 protected:
  // stdout is a file, which must be checked now and then.
  virtual bool is_file() const = 0;

 private:
  uint64_t max_ = 0, told_ = 0, mark_ = 0;
  WriteWatch watch_;
};

}  // namespace pbox
