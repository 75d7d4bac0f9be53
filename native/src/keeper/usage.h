// The resource usage of the processes that the keeper has reaped.
#pragma once
#include "wire/protocol.h"

namespace pbox {

// Must be constructed before PR_SET_DUMPABLE makes root the owner of our /proc files.
class ReapedUsage {
 public:
  ReapedUsage();
  // Everything except stdout_bytes.
  UsageBody read() const;
  int all() const { return all_; }
  int own() const { return own_; }

 private:
  int all_, own_;  // `io` files of the process and of its only thread
};

}  // namespace pbox
