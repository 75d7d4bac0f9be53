// The signals that the wrapper handles and the keeper reports.
#pragma once
#include <csignal>

namespace pbox {

// The wrapper handles these: src/supervise/signals.ts. If one reaches the keeper, it sends `witnessed`.
constexpr int kHandledSignals[] = {SIGINT,  SIGQUIT,  SIGTERM, SIGHUP, SIGUSR1,
                                   SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};

constexpr bool asks_for_end(int signal) { return signal == SIGINT || signal == SIGQUIT || signal == SIGTERM; }

}  // namespace pbox
