// Converts resource limits between the protocol and setrlimit(2).
#pragma once
#include "proc/rlimit.h"
#include "wire/protocol.h"

namespace pbox {

inline RlimitChange change_of(const RlimitWire& wire) {
  RlimitChange change{wire.resource, {}, {}};
  if (wire.which & kSoft) change.soft = wire.soft;
  if (wire.which & kHard) change.hard = wire.hard;
  return change;
}

inline RlimitReply reply_of(const RlimitOutcome& outcome) {
  return {outcome.changed, outcome.failed, outcome.error, 0, outcome.now.rlim_cur, outcome.now.rlim_max};
}

}  // namespace pbox
