#pragma once

#include <csignal>

namespace pbox {

// Signals that the wrapper handles; src/cli/signals.ts.
constexpr int kHandledSignals[] = {SIGINT,  SIGQUIT,  SIGTERM, SIGHUP, SIGUSR1,
                                   SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};

class Will;

// The keeper: parent and subreaper of one job. Never returns.
// `control` is its end of the socket to the wrapper; the environment's PBOX_* entries go to the wrapper only.
// `guarded`: our parent is the guard, which executes `will` where we are killed.
[[noreturn]] void keeper_main(int control, int argc, char** argv, char** environment, bool guarded = false,
                              Will* will = nullptr);

}  // namespace pbox
