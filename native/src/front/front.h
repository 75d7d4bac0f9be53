// The front end, the process that the scheduler knows: what both of its lives share, with Node (wrapper.h) and without
// (alone.h).
#pragma once
#include <string>
#include <vector>

#include "front/options.h"
#include "front/words.h"
#include "wire/link.h"

namespace pbox {

class CleanupLog;

struct Front {
  const Words& words;
  Options& options;
  Link link;                   // to the keeper
  int helper;                  // our child: the guard, or the keeper where there is none
  CleanupLog* cleanup_log;     // null: what is adopted outlives us
  std::vector<int> inherited;  // children that somebody else has started before us
  int signals = -1;            // signalfd
  int node = -1;               // our child; -1: it has ended, or there is none
  std::vector<int> got{};      // signals that ask for the end, before there was a job

  // Blocks the signals that a wrapper handles, and reads them from `signals`.
  void take_signals();
  // Waits for the end of the keeper, ends what it has left, and then this process: with the status, or by the signal.
  [[noreturn]] void end(int status, int signal);
  // The keeper, and the guard with it, has been killed.
  void kill_left();
  void helper_ended(int wait_status);
  bool helper_killed = false;
  bool left_behind = false;  // the keeper goes on with processes that nobody can end

 private:
  void await_helper(double until_ms);
};

// Children of this process.
std::vector<int> own_children();

}  // namespace pbox
