#include "keeper/caller.h"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/signals.h"
#include "proc/clock.h"

namespace pbox {

Caller::Caller(Invocation& given) : words(given), terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), getpgrp()) {
  take_over_signals();
  words.show("proc_box-keeper");
  inspect_stdio();
}

// Signals that schedulers and terminals send to whole process trees are meant for the job and the wrapper. The keeper only
// records them.
void Caller::take_over_signals() {
  sigset_t taken;
  sigemptyset(&taken);
  sigaddset(&taken, SIGCHLD);
  for (const int signal : kHandledSignals) sigaddset(&taken, signal);
  sigprocmask(SIG_BLOCK, &taken, &inherited.mask);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  for (int signal = 1; signal < NSIG; signal++) {
    if (sigaction(signal, nullptr, &inherited.actions[signal]) != 0) continue;
    switch (signal) {
      case SIGKILL: case SIGSTOP: case SIGCHLD: case SIGCONT:
      case SIGSEGV: case SIGBUS: case SIGFPE: case SIGILL: case SIGABRT: case SIGTRAP: case SIGSYS:
        break;
      default:
        sigaction(signal, &ignore, nullptr);
    }
  }
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &standard, nullptr);  // with an inherited SIG_IGN the kernel would reap our children
  signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool Caller::next_signal(WitnessedBody& out) const {
  signalfd_siginfo info;
  do {
    if (read(signals, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return false;
  } while (info.ssi_signo == SIGCHLD);
  out = {static_cast<int32_t>(info.ssi_signo), static_cast<int32_t>(info.ssi_pid), monotonic_ms()};
  return true;
}

void Caller::inspect_stdio() {
  struct stat out {}, err {};
  const bool have = fstat(1, &out) == 0;
  if (have && S_ISREG(out.st_mode)) stdout_mode = StdoutMode::file;
  else if (have && (S_ISFIFO(out.st_mode) || S_ISSOCK(out.st_mode))) stdout_mode = StdoutMode::pipe;
  else if (have && isatty(1)) stdout_mode = StdoutMode::terminal;
  stdout_is_socket = have && S_ISSOCK(out.st_mode);
  stderr_is_stdout = have && fstat(2, &err) == 0 && err.st_dev == out.st_dev && err.st_ino == out.st_ino;
}

void keep_only(std::vector<int> keep) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
  keep.push_back(2);
  std::sort(keep.begin(), keep.end());
  keep.push_back(INT_MAX);
  for (size_t i = 0; i + 1 < keep.size(); i++) {
    if (keep[i] < 2 || keep[i] + 1 >= keep[i + 1]) continue;
    const unsigned first = static_cast<unsigned>(keep[i]) + 1, last = static_cast<unsigned>(keep[i + 1]) - 1;
    if (syscall(SYS_close_range, first, last, 0) == 0) continue;
    for (unsigned fd = first; fd <= std::min(last, 65536U); fd++) close(static_cast<int>(fd));  // before Linux 5.9
  }
}

}  // namespace pbox
