#pragma once

namespace pbox {

class CleanupLog;
struct Invocation;

// How a keeper is started.
struct KeeperSetup {
  int node = -1;   // the keeper's end of the socket to Node
  int front = -1;  // the keeper's end of the socket to the front end; -1: Node has started the keeper
  int front_pid = 0;
  bool in_session = false;            // the keeper stays in the session, because the scheduler signals whole sessions
  CleanupLog* cleanup_log = nullptr;  // null: no guard; otherwise the guard carries it out if the keeper is killed
};

// The keeper: parent and subreaper of one job.
[[noreturn]] void keeper_main(const KeeperSetup& setup, Invocation& words);

}  // namespace pbox
