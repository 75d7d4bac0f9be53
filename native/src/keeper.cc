// The keeper's theory of operation
//
// The front end forks this process before it becomes Node, so that everything which Node changes for itself
// (signal dispositions, the soft nofile limit, close-on-exec flags) reaches the job as the scheduler gave it.
// It waits for `start`, forks the job, and from then on sleeps in poll(2) on
//   control    requests of the wrapper; its end means that the wrapper has gone: kill everything, then go
//   signals    SIGCHLD: it reaps the job and, as the subreaper, every orphan of the box; what the wrapper handles: a
//              sender that reaches the keeper reaches the job as well, so the wrapper is told
//   exec pipe  end of file: the job runs; a Failure: it does not
//   relay      stdout, where it is a pipe
// waitpid(2) failing with ECHILD is the proof that nothing of the box is left.
#include "keeper.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adopted.h"
#include "caller.h"
#include "cgroup.h"
#include "clock.h"
#include "control.h"
#include "descendants.h"
#include "guard.h"
#include "job.h"
#include "output.h"
#include "start.h"
#include "stranger.h"
#include "survivors.h"
#include "tree.h"
#include "usage.h"

namespace pbox {
namespace {

ExitedBody exited(int status, const UsageBody& usage) {
  const bool killed = WIFSIGNALED(status);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, killed ? WTERMSIG(status) : -1, killed && WCOREDUMP(status), 0, monotonic_ms(), usage};
}

// Of two times to wait, where -1 is for ever.
int sooner(int a, int b) { return a < 0 ? b : b < 0 ? a : std::min(a, b); }

class Keeper {
 public:
  Keeper(int control, int argc, char** argv, char** environment, bool guarded, Will* will);
  [[noreturn]] void run();

 private:
  enum class Phase { waiting, launching, running, ended };

  bool receive();
  void handle(const FrameHead& head, Reader body);
  void add_cleanup(Reader body);
  void start(const StartRequest& request);
  bool stays_in_session() const { return caller_.terminal.exists() || guarded_; }
  void leave_session();
  [[noreturn]] void finish();
  void exec_result();
  void fail(const Failure& failure);
  void reap();
  void main_stopped(int signal);
  void check_empty();
  void check_survivors();
  PauseReply pause(bool reached);
  void check_output();
  int kill_all();
  UsageBody usage();
  int timeout();
  void wrapper_gone();

  ReapedUsage reaped_;
  Caller caller_;
  Control control_;
  bool guarded_;
  Will* will_;

  Phase phase_ = Phase::waiting;
  int job_ = -1, exec_pipe_ = -1;
  Output output_;
  Cgroup cgroup_;
  Descendants descendants_{cgroup_};
  Survivors survivors_;
  bool main_ended_ = false, empty_ = false;
};

Keeper::Keeper(int control, int argc, char** argv, char** environment, bool guarded, Will* will)
    : caller_(argc, argv, environment), control_(control), guarded_(guarded), will_(will) {
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "proc_box-keeper");
  if (caller_.stdout_mode == StdoutMode::file) output_.watch_file();
  // With a terminal the keeper stays in the session, so that ^Z works on the job (a group whose parent is in another
  // session is orphaned and cannot be stopped from the keyboard), but in a group that nobody signals. Guarded it stays
  // to see what the session gets.
  if (stays_in_session()) setpgid(0, 0);
  say_hello(control_, caller_, guarded_ ? getppid() : 0);
}

// False when the wrapper has gone.
bool Keeper::receive() {
  const bool there = control_.read();
  FrameHead head;
  std::string body;
  while (there && control_.next(head, body)) handle(head, Reader(body));
  return there;
}

void Keeper::handle(const FrameHead& head, Reader body) {
  switch (static_cast<Request>(head.type)) {
    case Request::start:
      if (phase_ == Phase::waiting) start(StartRequest(body));
      return;
    case Request::adopt:
      if (phase_ == Phase::waiting) keep_adopted(control_, cgroup_, body);
      return;
    case Request::cleanup:
      return add_cleanup(body);
    case Request::signal: {
      const auto request = body.value<SignalBody>();
      if (request.all) return control_.reply_count(head.id, descendants_.signal(request.signal));
      if (job_ <= 0 || empty_) return control_.reply_count(head.id, 0);
      return control_.reply_count(head.id, descendants_.signal_group(request.signal, job_, main_ended_));
    }
    case Request::stop:
      if (job_ <= 0 || empty_) return control_.reply_count(head.id, 0);
      return control_.reply_count(head.id, descendants_.stop(body.value<StopBody>(), job_, main_ended_, guarded_ ? getsid(0) : 0));
    case Request::kill:
      if (body.value<KillBody>().abandon) output_.lose_patience();
      return control_.reply_count(head.id, kill_all());
    case Request::pause:
      return control_.reply(head.id, pause(body.value<PauseBody>().reached != 0));
    case Request::suspend:
      return control_.reply_count(head.id, descendants_.suspend());
    case Request::resume:
      // After ^Z and `fg` the shell has given the terminal to the wrapper: pass it on.
      if (!cgroup_.frozen() && job_ > 0) caller_.terminal.give_to(job_);
      return control_.reply_count(head.id, descendants_.resume());
    case Request::rlimit:
      return control_.reply(head.id, descendants_.set_rlimit(body.value<RlimitWire>()));
    case Request::stdout_limit:
      output_.limit(body.value<uint64_t>());
      return control_.reply_count(head.id, 0);
    case Request::stdout_mark:
      output_.mark(body.value<uint64_t>());
      control_.reply_count(head.id, 0);
      return check_output();  // it may be reached already, and a pipe wakes nobody while it is quiet
    case Request::usage:
      return control_.reply(head.id, usage());
  }
}

// Before the wrapper makes a group, so that it goes whenever the wrapper dies.
void Keeper::add_cleanup(Reader body) {
  while (!body.done()) {
    const bool remove = body.word() == "r";
    const std::string path = body.word(), text = body.word();
    cgroup_.cleanup.push_back({remove, path, text});
    if (will_) will_->add_cleanup(remove, path, text);
  }
}

void Keeper::start(const StartRequest& request) {
  cgroup_.freezer_version = static_cast<int>(request.head.freezer_version);
  cgroup_.freezer_dir = request.freezer_dir;
  cgroup_.kill_file = request.kill_file;
  if (will_ && cgroup_.freezer_version != 0) will_->add_freezer(cgroup_.freezer_version, cgroup_.freezer_dir);
  const Launched launched = start_job(request, caller_, output_);
  if (launched.pid < 0) return fail(launched.failure);
  phase_ = Phase::launching;
  job_ = launched.pid;
  exec_pipe_ = launched.error_fd;
  leave_session();
}

// With a terminal the job's group is none of the orphaned: the kernel does it.
PauseReply Keeper::pause(bool reached) {
  if (job_ <= 0 || empty_) return {};
  if (!caller_.terminal.exists()) return descendants_.pause(reached, job_);
  return {reached || kill(-job_, SIGTSTP) != 0 ? 0 : 1, 0};
}

int Keeper::kill_all() {
  survivors_.killed();
  if (job_ > 0 && !main_ended_) kill(job_, SIGKILL);  // our own child, not yet reaped: the pid is certain
  return descendants_.kill();
}

// The job has its own copies of the descriptors; a keeper that held them would hide the job's closing of a pipe from its
// other end.
void Keeper::leave_session() {
  if (!stays_in_session()) setsid();  // a scheduler that kills the session leaves the keeper alive for the clean-up
  const auto [in, out] = output_.descriptors();
  keep_only({control_.fd(), caller_.signals, reaped_.all(), reaped_.own(), exec_pipe_, caller_.terminal.fd(), in, out});
}

// The exec pipe is readable: end of file is success.
void Keeper::exec_result() {
  Failure failure{};
  const ssize_t n = read(exec_pipe_, &failure, sizeof failure);
  if (n < 0 && errno == EINTR) return;
  close(exec_pipe_);
  exec_pipe_ = -1;
  if (n == static_cast<ssize_t>(sizeof failure)) return fail(failure);
  phase_ = Phase::running;
  control_.tell(Event::started, StartedBody{job_, 0, monotonic_ms()});
}

void Keeper::fail(const Failure& failure) {
  phase_ = Phase::ended;
  caller_.terminal.take_from(job_);
  control_.tell(Event::failed, FailedBody{static_cast<int32_t>(failure.step), failure.index, failure.error, 0});
}

void Keeper::reap() {
  for (WitnessedBody body; caller_.next_signal(body);) {
    descendants_.witnessed(body.signal);
    control_.tell(Event::witnessed, body);
  }
  for (;;) {
    int status = 0;
    const int pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);
    if (pid == 0) break;
    if (pid < 0) {
      if (errno == EINTR) continue;
      empty_ = true;  // ECHILD
      break;
    }
    if (pid != job_) continue;
    if (WIFSTOPPED(status)) {
      main_stopped(WSTOPSIG(status));
    } else if (WIFCONTINUED(status)) {
      if (!descendants_.suspended()) control_.send(Event::continued, 0, nullptr, 0);
    } else {
      main_ended_ = true;
      // A job of microseconds can end before poll has told us that it was executed.
      if (exec_pipe_ >= 0) exec_result();
      if (phase_ == Phase::ended) continue;
      caller_.terminal.take_from(job_);
      control_.tell(Event::exited, exited(status, usage()));
    }
  }
  if (descendants_.killed() && !empty_) kill_all();
}

void Keeper::main_stopped(int signal) {
  if (descendants_.suspended()) return;
  if ((signal == SIGTTIN || signal == SIGTTOU) && caller_.terminal.wrapper_has_it()) {
    caller_.terminal.give_to(job_);
    kill(-job_, SIGCONT);
    return;
  }
  caller_.terminal.take_from(job_);
  control_.tell(Event::stopped, int32_t{signal});
}

// SIGKILL has been sent: who is still there is named, and in the end no longer waited for. The keeper stays for it.
void Keeper::check_survivors() {
  if (empty_ || !descendants_.killed() || !survivors_.due()) return;
  const Survivors::Verdict verdict = survivors_.look(descendants(getpid()), own_zombies());
  if (verdict == Survivors::Verdict::wait || phase_ != Phase::running) return;
  const bool final = verdict == Survivors::Verdict::give_up;
  tell_survivors(control_, survivors_, final);
  if (!final) return;
  ProcessStat main;
  if (!main_ended_ && read_process(job_, main) && main.dead && may_read_status(job_))
    control_.tell(Event::exited, exited(main.wait_status, usage()));
  phase_ = Phase::ended;
  output_.close();
  control_.tell(Event::empty, usage());
}

// Nothing of the box is left, and its reader has everything: the last event.
void Keeper::check_empty() {
  if (!empty_ || phase_ != Phase::running || !output_.drained()) return;
  phase_ = Phase::ended;
  control_.tell(Event::empty, usage());
}

UsageBody Keeper::usage() {
  UsageBody body = reaped_.read();
  body.stdout_bytes = output_.bytes();
  return body;
}

void Keeper::check_output() {
  uint64_t bytes = 0;
  if (phase_ != Phase::running) return;
  if (output_.marked(&bytes)) control_.tell(Event::stdoutmark, bytes);
  if (output_.exceeded(&bytes)) control_.tell(Event::stdoutlimit, bytes);
}

// How long poll may sleep.
int Keeper::timeout() {
  if (descendants_.killed() && !empty_) return survivors_.kill_ms();
  if (phase_ != Phase::running) return -1;
  return sooner(output_.next_look_ms(), descendants_.next_round_ms());
}

// The wrapper has ended, however it ended: nothing of the box may survive it.
void Keeper::wrapper_gone() {
  control_.close();
  caller_.terminal.take_from(job_);
  if (phase_ == Phase::waiting) finish();
  kill_all();
}

void Keeper::finish() {
  cgroup_.remove();
  if (will_) will_->fulfil();
  _exit(0);
}

void Keeper::run() {
  for (;;) {
    pollfd entries[5] = {{control_.fd(), control_.events(), 0}, {caller_.signals, POLLIN, 0}, {exec_pipe_, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}};
    if (control_.fd() >= 0) output_.prepare(entries + 3);
    if (poll(entries, 5, timeout()) < 0 && errno != EINTR) _exit(125);
    control_.flush();
    if (entries[2].revents && exec_pipe_ >= 0) exec_result();
    if (control_.fd() >= 0) output_.run(entries + 3);
    check_output();
    if (entries[1].revents || descendants_.killed()) reap();
    if (!empty_) descendants_.ask_rest();
    check_survivors();
    check_empty();
    if (control_.fd() >= 0 && (entries[0].revents & ~POLLOUT) && !receive()) wrapper_gone();
    if (control_.fd() < 0) {
      reap();
      if (empty_) finish();
    }
  }
}

}  // namespace

void keeper_main(int control, int argc, char** argv, char** environment, bool guarded, Will* will) {
  Keeper keeper(control, argc, argv, environment, guarded, will);
  keeper.run();
}

}  // namespace pbox
