// How the front end ends.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front/front.h"
#include "front/say.h"
#include "keeper/cgroup.h"
#include "keeper/cleanup_log.h"
#include "wire/signals.h"
#include "proc/clock.h"
#include "proc/freezer.h"
#include "proc/outlet.h"
#include "proc/tree.h"

namespace pbox {
namespace {

constexpr int kFinishMs = 2000;  // for the keeper's last steps
constexpr int kKillMs = 5000;    // processes that cannot be killed by then are left

[[noreturn]] void die_of(int signal) {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  std::signal(signal, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);
  raise(signal);
  _exit(128 + signal);
}

}  // namespace

std::vector<int> own_children() {
  std::vector<int> children;
  read_children(getpid(), false, children);
  return children;
}

void Front::take_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &standard, nullptr);  // with an inherited SIG_IGN the kernel would reap our children
  for (const int ignored : {SIGPIPE, SIGTTOU, SIGXFSZ}) std::signal(ignored, SIG_IGN);
  sigset_t taken;
  sigemptyset(&taken);
  sigaddset(&taken, SIGCHLD);
  for (const int signal : kHandledSignals) sigaddset(&taken, signal);
  sigprocmask(SIG_BLOCK, &taken, nullptr);
  signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
}

// If the keeper and the guard are killed, we inherit the orphans of the box as the next subreaper.
void Front::kill_left() {
  const auto spared = [&](int pid) {
    return pid == node || std::find(inherited.begin(), inherited.end(), pid) != inherited.end();
  };
  Cgroup cgroup;
  if (cleanup_log) cleanup_log->read_into(cgroup);
  const double until_ms = monotonic_ms() + kKillMs;
  for (bool fresh = true; fresh && monotonic_ms() < until_ms; usleep(fresh ? 2000 : 0)) {
    fresh = false;
    for (const int child : own_children()) {
      if (spared(child)) continue;
      fresh = true;
      kill_tree(child);
      kill(child, SIGKILL);
      thaw_around(child);
      for (const Descendant& process : descendants(child)) thaw_around(process.pid);
      waitpid(child, nullptr, WNOHANG);
    }
    if (fresh) cgroup.thaw_any();
  }
  cgroup.remove();
  if (cleanup_log) cleanup_log->clear();
}

void Front::helper_ended(int status) {
  helper = -1;
  helper_killed = WIFSIGNALED(status);
}

void Front::await_helper(double until_ms) {
  for (int status = 0; helper > 0;) {
    const int pid = waitpid(helper, &status, WNOHANG);
    if (pid == helper) return helper_ended(status);
    const double left_ms = until_ms - monotonic_ms();
    if ((pid < 0 && errno != EINTR) || left_ms <= 0) return;
    pollfd child{signals, POLLIN, 0};
    poll(&child, 1, static_cast<int>(left_ms) + 1);
    for (signalfd_siginfo info; read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info);) continue;
  }
}

void Front::end(int status, int signal) {
  // The keeper ends the box first, unless the box has already ended.
  const bool gone = keeper.fd() < 0 || keeper.finish(cleanup_log && !left_behind ? kKillMs : 0);
  if (gone && cleanup_log) {
    await_helper(monotonic_ms() + kFinishMs);
    if (helper_killed) kill_left();
  }
  Outlet::drain_all(Outlet::kExitDrainMs);
  const auto told = static_cast<unsigned char>(status);
  if (word >= 0 && write(word, &told, 1) < 0) _exit(status);
  if (signal > 0) die_of(signal);
  _exit(status);
}

void Front::end_without_keeper() {
  const bool ran = job.started_ms > 0;
  say("error", std::string("the keeper has died") + (ran ? "; the rest of the job was killed" : " before the job was started"));
  if (ran) say_elapsed((job.main_ended() ? job.ended_ms : monotonic_ms()) - job.started_ms);
  end(job.main_ended() ? job.exit_status() : 125, 0);
}

}  // namespace pbox
