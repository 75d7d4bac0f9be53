#include "keeper/guard.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "keeper/caller.h"
#include "keeper/cgroup.h"
#include "keeper/cleanup_log.h"
#include "keeper/keeper.h"
#include "keeper/stopped.h"
#include "proc/clock.h"
#include "proc/freezer.h"
#include "proc/tree.h"

namespace pbox {
namespace {

// Processes of the box that have left the session. A scheduler that stops and resumes the session does not reach them.
class Outsiders {
 public:
  explicit Outsiders(int session) : session_(session) {}

  void stop() {
    size_t before;
    do {
      before = held_.size();
      for (const Descendant& process : descendants(getpid())) stop_one(process);
    } while (held_.size() != before);
  }

  void resume() {
    for (const Member& member : held_) signal_member(member, SIGCONT);
    held_.clear();
  }

 private:
  void stop_one(const Descendant& process) {
    const bool held = std::find<std::vector<Member>::iterator, Member>(held_.begin(), held_.end(), process) != held_.end();
    if (process.session == session_ || held || process.state == 'T') return;
    if (signal_member(process, SIGSTOP) == 0) held_.push_back(process);
  }

  int session_;
  std::vector<Member> held_;
};

// Does the remaining steps of a keeper that has ended or was killed.
[[noreturn]] void clean_up(const CleanupLog* log, int front) {
  Cgroup cgroup;
  if (log) log->read_into(cgroup);
  do {
    kill_tree(getpid());
    cgroup.thaw_any();
    for (const Descendant& process : descendants(getpid())) thaw_around(process.pid);
  } while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR);
  cgroup.remove();
  if (getppid() == front) wake(front);
  _exit(0);
}

// Watches the keeper. Resumes a keeper that has been stopped, unless a scheduler has stopped it: that stops the front end as
// well.
class Watch {
 public:
  Watch(int front, int keeper, int session, bool in_session)
      : front_(front), keeper_(keeper), in_session_(in_session), outsiders_(session) {}

  // Returns when the keeper has ended.
  void run() {
    for (;;) {
      int status = 0;
      const int pid = keeper_ < 0 ? -1 : waitpid(keeper_, &status, WUNTRACED | WCONTINUED | WNOHANG);
      if (pid < 0 && errno == EINTR) continue;
      if (pid < 0 || (pid > 0 && (WIFEXITED(status) || WIFSIGNALED(status)))) return;
      if (pid > 0) changed(WIFSTOPPED(status));
      else sleep_a_while();
    }
  }

 private:
  void changed(bool stopped) {
    stopped_ = stopped;
    if (!in_session_) return;
    if (stopped) outsiders_.stop();
    else outsiders_.resume();
  }

  void sleep_a_while() {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (!stopped_) {
      sigwaitinfo(&child, nullptr);
      return;
    }
    const timespec patience{kStopToleranceMs / 1000, kStopToleranceMs % 1000 * 1000000};
    if (sigtimedwait(&child, nullptr, &patience) > 0 || (getppid() == front_ && all_stopped(front_, descendants(keeper_)))) return;
    kill(keeper_, stops_.too_many(monotonic_ms()) ? SIGKILL : SIGCONT);
  }

  const int front_, keeper_;
  const bool in_session_;
  bool stopped_ = false;
  RepeatedStops stops_;
  Outsiders outsiders_;
};

}  // namespace

void guard_main(const KeeperSetup& setup, Invocation& words, int front_pid) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const int session = getsid(0);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  KeeperSetup kept = setup;
  kept.front_pid = front_pid;
  const int keeper = fork();
  if (keeper == 0) keeper_main(kept, words);
  setsid();
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, "proc_box-guard");
  prctl(PR_SET_PDEATHSIG, SIGCONT);  // in case we are stopped when the front end is killed
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  sigaction(SIGCHLD, &standard, nullptr);
  words.show("proc_box-guard");
  keep_only({});
  Watch(front_pid, keeper, session, setup.in_session).run();
  clean_up(setup.cleanup_log, front_pid);
}

}  // namespace pbox
