// The front end, the process that the scheduler knows. Either Node or an agent directs the box (directed.h), or this
// process does what is needed by itself (alone.h); this is the state that both share.
#pragma once
#include <string>
#include <vector>

#include "front/options.h"
#include "front/terminal.h"
#include "front/words.h"
#include "wire/keeper_connection.h"

namespace pbox {

class CleanupLog;

// What the keeper has told of the job.
struct JobState {
  double started_ms = 0, ended_ms = 0;  // CLOCK_MONOTONIC; 0: not yet
  int code = -1, signal = -1;           // how the main process has ended; one of them is -1
  bool expired = false;                 // it was stopped at its time limit, and had not ended before
  bool empty = false;                   // no process is left

  void take(Event event, Reader body);
  bool main_ended() const { return ended_ms > 0; }
  // As a shell has it; -1: unknown.
  int exit_status() const { return expired ? 124 : signal > 0 ? 128 + signal : code; }
};

// What to do about the job while nobody directs the box.
struct Rules {
  int stop_signal = 0;
  double grace_ms = 0;
  double timeout_ms = 0;  // 0: none, or the keeper has it
  double flush_ms = 0;    // how long to wait for an agent at the end
  bool linger = false, reraise = false;
};

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
  JobState job{};
  TerminalModes terminal{};  // of a verb that shows a screen, as it was before
  int word = -1;  // of `adopt --detach`: takes the exit status for the caller, who waits

  // Blocks the signals that a wrapper handles, so that they arrive at `signals`.
  void take_signals();
  // Waits for the keeper to end, kills the processes that it has left, and ends this process: with the status, or by the signal.
  [[noreturn]] void end(int status, int signal);
  // The same if the keeper has died and nobody else can tell how the job has ended.
  [[noreturn]] void end_without_keeper();
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
