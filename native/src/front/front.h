// The front end, the process that the scheduler knows. It works either with Node (with_node.h) or without (alone.h); this is the
// state that both share.
#pragma once
#include <string>
#include <vector>

#include "front/options.h"
#include "front/words.h"
#include "wire/keeper_connection.h"

namespace pbox {

class CleanupLog;

struct Front {
  const Words& words;
  Options& options;
  KeeperConnection keeper;
  int helper;                  // our child: the guard, or the keeper if there is no guard
  CleanupLog* cleanup_log;     // null: an adopted process, which outlives us
  std::vector<int> inherited;  // children that this process had before it became proc_box
  int signals = -1;            // signalfd(2)
  int node = -1;               // our child; -1: Node has ended or was not started
  std::vector<int> end_signals{};  // signals received that ask for the end

  // Blocks the signals that a wrapper handles, so that they arrive at `signals`.
  void take_signals();
  // Waits for the keeper to end, kills the processes that it has left, and ends this process: with the status, or by the signal.
  [[noreturn]] void end(int status, int signal);
  // Kills the rest of the box and removes its groups, if both keeper and guard have been killed.
  void kill_left();
  void helper_ended(int wait_status);
  bool helper_killed = false;
  bool left_behind = false;  // the keeper stays with processes that SIGKILL does not end

 private:
  void await_helper(double until_ms);
};

// Children of this process.
std::vector<int> own_children();

}  // namespace pbox
