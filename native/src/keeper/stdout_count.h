// How much a job has written to its stdout, and what is to be told of that: the same for a job and an adopted process.
#pragma once
#include <cstdint>

#include "proc/write_watch.h"

namespace pbox {

class StdoutCount {
 public:
  virtual ~StdoutCount() = default;
  virtual uint64_t bytes() = 0;
  // 0: none.
  virtual void limit(uint64_t max) { max_ = max; }
  // Over its limit: once at the limit, and again when more was written to a file after that.
  virtual bool exceeded(uint64_t* bytes);
  // To be told once when so many bytes are reached; 0 is none.
  void mark(uint64_t bytes) { mark_ = bytes; }
  bool marked(uint64_t* bytes);
  // The box was killed: a reader is given up when it takes nothing for a while.
  virtual void lose_patience() {}
  // Until it has to be looked at, ms; -1 where poll tells, or nobody can.
  virtual int next_look_ms();

 protected:
  // It is a file, to be looked at now and then.
  virtual bool is_file() const = 0;

 private:
  uint64_t max_ = 0, told_ = 0, mark_ = 0;
  WriteWatch watch_;
};

}  // namespace pbox
