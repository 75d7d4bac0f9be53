// What the keeper counts by itself: usage of the processes that it has reaped, and a stdout that is a file.
#pragma once
#include "protocol.h"

namespace pbox {

// Make it before PR_SET_DUMPABLE makes root the owner of our /proc files.
class ReapedUsage {
 public:
  ReapedUsage();
  // All but stdout_bytes.
  UsageBody read() const;
  int all() const { return all_; }
  int own() const { return own_; }

 private:
  int all_, own_;  // io of the process and of its one thread
};

// stdout, where it is a file: nothing is moved, the shared offset tells.
class OutputFile {
 public:
  // Of descriptor 1.
  void watch();
  int fd() const { return fd_; }
  uint64_t bytes() const;
  void limit(uint64_t max) { max_ = max; }
  // Over its limit: once at the limit, and again when more was written after that.
  bool exceeded(uint64_t* bytes);
  // Until it has to be looked at, ms; -1 where there is no limit.
  int next_look_ms() const;

 private:
  int fd_ = -1;
  uint64_t base_ = 0, max_ = 0, reported_ = 0;
};

}  // namespace pbox
