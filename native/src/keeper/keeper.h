#pragma once

namespace pbox {

class CleanupLog;
struct Invocation;

// How a keeper was started.
struct KeptBy {
  int control = -1;  // its end of the socket to Node
  int front = -1;    // its end of the socket to the front end; -1: started by Node
  int front_pid = 0;
  bool in_session = false;  // stays in the session, where its scheduler signals whole sessions
  CleanupLog* cleanup_log = nullptr;  // our parent is the guard, which does what it says where we are killed
};

// The keeper: parent and subreaper of one job. Never returns.
[[noreturn]] void keeper_main(const KeptBy& by, Invocation& words);

}  // namespace pbox
