#pragma once
#include <string>

namespace pbox {

class CleanupLog;
struct Invocation;

// How a keeper is started.
struct KeeperSetup {
  int node = -1;   // the keeper's end of the socket to Node
  int agent = -1;  // a connection to a node agent; -1: there is none, and the box is Node's
  std::string agent_path;
  bool site_agent = false;  // only the site's agent may follow on this one
  int front = -1;  // the keeper's end of the socket to the front end; -1: Node has started the keeper
  int front_pid = 0;
  bool in_session = false;            // the keeper stays in the session, because the scheduler signals whole sessions
  CleanupLog* cleanup_log = nullptr;  // null: no guard; otherwise the guard carries it out if the keeper is killed
};

// The keeper: parent and subreaper of one job, or the holder of an adopted process.
[[noreturn]] void keeper_main(const KeeperSetup& setup, Invocation& words);

}  // namespace pbox
