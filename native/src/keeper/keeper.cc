// The keeper's theory of operation
//
// The front end forks this process before it changes anything for itself or for Node (signal dispositions, limits,
// close-on-exec flags): the job gets it as the scheduler gave it.
// It waits for `start`, forks the job, and from then on sleeps in poll(2) on
//   control    requests of Node; its end means that Node has gone: kill everything, then go
//   front      the front end's: the same. Before the job has started Node's end means nothing: the front end may send
//              `start` itself, and is the wrapper then
//   signals    SIGCHLD: it reaps the job and, as the subreaper, every orphan of the box; what the wrapper handles: a
//              sender that reaches the keeper reaches the job as well, so the wrapper is told
//   exec pipe  end of file: the job runs; a Failure: it does not
//   relay      stdout, where it is a pipe
// waitpid(2) failing with ECHILD is the proof that nothing of the box is left.
#include "keeper/keeper.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <utility>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/adopted.h"
#include "keeper/box.h"
#include "keeper/caller.h"
#include "keeper/cleanup_log.h"
#include "keeper/job.h"
#include "keeper/output.h"
#include "keeper/patience.h"
#include "keeper/start.h"
#include "keeper/usage.h"
#include "proc/clock.h"
#include "proc/exit_status.h"
#include "proc/tree.h"

namespace pbox {
namespace {

class Keeper final : public Box {
 public:
  Keeper(const KeptBy& by, Invocation& words);
  [[noreturn]] void run();

 private:
  enum class Phase { waiting, launching, running, ended };

  Processes& processes() override { return descendants_; }
  StdoutCount& output() override { return output_; }
  void begin(Control& from, Request request, Reader body) override;
  bool has_processes() const override { return job_ > 0 && !empty_; }
  bool is_running() const override { return phase_ == Phase::running; }
  Main main() const override { return {job_, job_, main_ended_}; }
  int session() const override { return by_.in_session ? getsid(0) : 0; }
  UsageBody usage() override;
  PauseReply pause(bool reached) override;
  void before_resume() override;
  std::vector<int> zombies() override { return own_zombies(); }
  bool is_held() override { return all_stopped(by_.front_pid, descendants_.look()); }
  int kill_all() override;

  void start(const StartRequest& request);
  bool stays_in_session() const { return caller_.terminal.exists() || by_.in_session; }
  void leave_session();
  [[noreturn]] void finish();
  void exec_result();
  void fail(const Failure& failure);
  void reap();
  void main_changed(int status);
  void main_stopped(int signal);
  void check_empty();
  void check_survivors();
  int timeout();
  void node_gone();
  void front_gone();
  void wrapper_gone();
  void wake_front() const;
  const int parent_ = getppid();

  ReapedUsage reaped_;
  Caller caller_;
  const KeptBy by_;
  bool alone_ = false;  // the front end is the wrapper, without Node
  bool gone_ = false;   // nobody is the wrapper any more

  Phase phase_ = Phase::waiting;
  int job_ = -1, exec_pipe_ = -1;
  Output output_;
  Descendants descendants_{cgroup_};
  double started_ms_ = 0;
  bool main_ended_ = false, empty_ = false;
};

Keeper::Keeper(const KeptBy& by, Invocation& words)
    : Box(Control(by.control), Control(by.front), Cgroup(), by.cleanup_log), caller_(words), by_(by) {
  prctl(PR_SET_DUMPABLE, 0);
  if (by.cleanup_log) prctl(PR_SET_PDEATHSIG, SIGCONT);  // whoever has stopped us and killed our parent
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "proc_box-keeper");
  if (caller_.stdout_mode == StdoutMode::file) output_.watch_file();
  // With a terminal the keeper stays in the session, so that ^Z works on the job (a group whose parent is in another
  // session is orphaned and cannot be stopped from the keyboard), but in a group that nobody signals. Guarded it stays
  // to see what the session gets.
  if (stays_in_session()) setpgid(0, 0);
  say_hello(node_, caller_, by.cleanup_log ? getppid() : 0);
}

void Keeper::begin(Control& from, Request request, Reader body) {
  if (phase_ != Phase::waiting) return;
  if (request == Request::adopt) keep_adopted(std::move(node_), std::move(cgroup_), body);
  alone_ = &from == &front_;
  start(StartRequest(body));
}

void Keeper::start(const StartRequest& request) {
  cgroup_.freezer_version = static_cast<int>(request.head.freezer_version);
  cgroup_.freezer_dir = request.freezer_dir;
  cgroup_.kill_file = request.kill_file;
  if (by_.cleanup_log && cgroup_.freezer_version != 0) by_.cleanup_log->add_freezer(cgroup_.freezer_version, cgroup_.freezer_dir);
  started_ms_ = monotonic_ms();  // the exec pipe tells later, on a busy machine much later
  const Launched launched = start_job(request, caller_, output_);
  if (launched.pid < 0) return fail(launched.failure);
  phase_ = Phase::launching;
  job_ = launched.pid;
  exec_pipe_ = launched.error_fd;
  leave_session();
}

// With a terminal the job's group is not orphaned, and the kernel does it.
PauseReply Keeper::pause(bool reached) {
  if (!caller_.terminal.exists()) return Box::pause(reached);
  return {reached || kill(-job_, SIGTSTP) != 0 ? 0 : 1, 0};
}

// After ^Z and `fg` the shell has given the terminal to the wrapper: pass it on.
void Keeper::before_resume() {
  if (!cgroup_.frozen() && job_ > 0) caller_.terminal.give_to(job_);
}

// At the end once more, where no pidfd could be had: our own child, not yet reaped, cannot be mistaken.
int Keeper::kill_all() {
  const int count = Box::kill_all();
  if (job_ > 0 && !main_ended_) kill(job_, SIGKILL);
  return count;
}

// The job has its own copies of the descriptors; a keeper that held them would hide the job's closing of a pipe from its
// other end.
void Keeper::leave_session() {
  if (!stays_in_session()) setsid();  // a scheduler that kills the session leaves the keeper alive for the clean-up
  const auto [in, out] = output_.descriptors();
  keep_only({node_.fd(), front_.fd(), caller_.signals, reaped_.all(), reaped_.own(), exec_pipe_, caller_.terminal.fd(), in, out});
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
  announce(Event::started, StartedBody{job_, 0, started_ms_});
}

void Keeper::fail(const Failure& failure) {
  phase_ = Phase::ended;
  caller_.terminal.take_from(job_);
  announce(Event::failed, FailedBody{static_cast<int32_t>(failure.step), failure.index, failure.error, 0});
}

void Keeper::reap() {
  if (by_.cleanup_log && getppid() != parent_) wrapper_gone();  // SIGCONT has told that somebody has killed the guard
  for (WitnessedBody body; caller_.next_signal(body);) {
    descendants_.witnessed(body.signal);
    (alone_ ? front_ : node_).tell(Event::witnessed, body);
  }
  for (;;) {
    int status = 0;
    const int pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);
    if (pid == 0) break;
    if (pid == job_ && pid > 0) main_changed(status);
    if (pid > 0 || errno == EINTR) continue;
    empty_ = true;  // ECHILD
    break;
  }
  if (descendants_.killed() && !empty_) kill_all();
}

void Keeper::main_changed(int status) {
  if (WIFSTOPPED(status)) return main_stopped(WSTOPSIG(status));
  if (WIFCONTINUED(status)) {
    if (!descendants_.suspended()) node_.send(Event::continued, 0, nullptr, 0);
    return;
  }
  main_ended_ = true;
  // A job of microseconds can end before poll has told us that it was executed.
  if (exec_pipe_ >= 0) exec_result();
  if (phase_ == Phase::ended) return;
  caller_.terminal.take_from(job_);
  announce(Event::exited, exited_body(status, usage()));
}

void Keeper::main_stopped(int signal) {
  if (descendants_.suspended()) return;
  if ((signal == SIGTTIN || signal == SIGTTOU) && caller_.terminal.wrapper_has_it()) {
    caller_.terminal.give_to(job_);
    kill(-job_, SIGCONT);
    return;
  }
  caller_.terminal.take_from(job_);
  node_.tell(Event::stopped, int32_t{signal});
}

// The keeper stays for who is left.
void Keeper::check_survivors() {
  if (empty_ || !give_up()) return;
  ProcessStat main;
  if (!main_ended_ && read_process(job_, main) && main.dead && may_read_status(job_))
    announce(Event::exited, exited_body(main.wait_status, usage()));
  phase_ = Phase::ended;
  output_.close();
  announce(Event::empty, usage());
}

// Nothing of the box is left, and its reader has everything: the last event.
void Keeper::check_empty() {
  if (!empty_ || phase_ != Phase::running || !output_.drained()) return;
  phase_ = Phase::ended;
  announce(Event::empty, usage());
  wake_front();
}

void Keeper::wake_front() const {
  if (front_.fd() >= 0) wake(by_.front_pid);
}

UsageBody Keeper::usage() {
  UsageBody body = reaped_.read();
  body.stdout_bytes = output_.bytes();
  return body;
}

// How long poll may sleep.
int Keeper::timeout() {
  if (descendants_.killed() && !empty_) return survivors_.kill_ms();
  if (phase_ != Phase::running) return -1;
  return sooner(sooner(output_.next_look_ms(), descendants_.next_round_ms()), deadline_.wait_ms(monotonic_ms()));
}

// Before the job has started it is the front end's to say what comes of that.
void Keeper::node_gone() {
  node_.close();
  if (!alone_ && (phase_ != Phase::waiting || front_.fd() < 0)) wrapper_gone();
}

void Keeper::front_gone() {
  front_.close();
  wrapper_gone();
}

// The wrapper has ended, however it ended: nothing of the box may survive it.
void Keeper::wrapper_gone() {
  if (gone_) return;
  gone_ = true;
  caller_.terminal.take_from(job_);
  if (phase_ == Phase::waiting) finish();
  if (!empty_) kill_all();
}

void Keeper::finish() {
  wake_front();
  cgroup_.remove();
  if (by_.cleanup_log) by_.cleanup_log->clear();
  _exit(0);
}

void Keeper::run() {
  for (;;) {
    pollfd entries[6] = {{node_.fd(), node_.events(), 0}, {front_.fd(), front_.events(), 0}, {caller_.signals, POLLIN, 0},
                         {exec_pipe_, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}};
    if (!gone_) output_.prepare(entries + 4);
    if (poll(entries, 6, timeout()) < 0 && errno != EINTR) _exit(125);
    node_.flush();
    front_.flush();
    if (entries[3].revents && exec_pipe_ >= 0) exec_result();
    if (!gone_) output_.run(entries + 4);
    tell_output();
    if (!gone_) on_deadline();
    if (entries[2].revents || descendants_.killed()) reap();
    if (!empty_) descendants_.ask_rest();
    check_survivors();
    check_empty();
    if (node_.fd() >= 0 && (entries[0].revents & ~POLLOUT) && !receive(node_)) node_gone();
    if (front_.fd() >= 0 && (entries[1].revents & ~POLLOUT) && !receive(front_)) front_gone();
    if (gone_) {
      reap();
      if (empty_) finish();
    }
  }
}

}  // namespace

void keeper_main(const KeptBy& by, Invocation& words) {
  Keeper keeper(by, words);
  keeper.run();
}

}  // namespace pbox
