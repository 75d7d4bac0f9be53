// Signals that both ends know by name.
#pragma once
#include <csignal>

namespace pbox {

// Those that the wrapper handles; src/supervise/signals.ts. The keeper tells the wrapper when it has got one of them, too.
constexpr int kHandledSignals[] = {SIGINT,  SIGQUIT,  SIGTERM, SIGHUP, SIGUSR1,
                                   SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};

}  // namespace pbox
