#include "keeper/job_box.h"

#include <cerrno>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "keeper/cleanup_log.h"
#include "keeper/rlimits.h"
#include "keeper/stopped.h"
#include "proc/clock.h"
#include "proc/footprint.h"
#include "proc/tree.h"
#include "wire/channel.h"

namespace pbox {

void JobBox::begin(WrapperConnection& from, Request request, Reader body) {
  if (gone_ || phase_ != Phase::waiting || request != Request::start) return;
  alone_ = &from == &front_;
  start(StartRequest(body));
}

void JobBox::start(const StartRequest& request) {
  erase_settings(caller_.words);
  if (!cgroup_.made.may_use(request.tasks) || !cgroup_.made.may_use({request.fork_into, request.freezer_dir, request.kill_file}))
    return fail({Step::cgroup, -1, EPERM});
  cgroup_.freezer_version = static_cast<int>(request.head.freezer_version);
  cgroup_.freezer_dir = request.freezer_dir;
  cgroup_.kill_file = request.kill_file;
  if (setup_.cleanup_log && cgroup_.freezer_version != 0) setup_.cleanup_log->add_freezer(cgroup_.freezer_version, cgroup_.freezer_dir);
  started_ms_ = monotonic_ms();  // the exec pipe reports later, on a busy machine much later
  const Launched launched = start_job(request, caller_, output_);
  if (launched.pid < 0) return fail(launched.failure);
  phase_ = Phase::launching;
  job_ = launched.pid;
  exec_pipe_ = launched.error_fd;
  leave_session();
}

// The agent does not serve this box, and the job has not started: Node makes the box.
void JobBox::use_node() {
  if (phase_ != Phase::waiting) return;
  drop_agent(setup_.node);
  tell_node();
}

// `hello` holds the passwords, so nothing of it stays here.
void JobBox::tell_node() {
  std::string hello = hello_body(caller_, setup_.cleanup_log ? getppid() : 0, HelloTo::node);
  node_.send(Event::hello, 0, hello.data(), hello.size());
  explicit_bzero(hello.data(), hello.size());
  erase_settings(caller_.words);
}

// A running job goes on: its limits hold, and the front end does what is due.
void JobBox::agent_gone() {
  const bool waits = phase_ == Phase::waiting;
  if (!waits) {
    agent_.lost(monotonic_ms());
    deadline_.has_wrapper(false);
  }
  front_.tell(Event::agent, waits ? AgentState::refused : AgentState::lost);
}

void JobBox::find_agent() {
  const int fd = gone_ || phase_ == Phase::waiting ? -1 : agent_.find(monotonic_ms());
  if (fd < 0) return;
  node_ = WrapperConnection(fd, Speaks::agent);
  deadline_.has_wrapper(true);
  agent_.introduce(node_, caller_, setup_.cleanup_log ? getppid() : 0, setup_.front_pid, true);
  agent_.resume(node_, {job_, main_ended_, 0, 0, started_ms_, 0, expired_ms_});
  tell_holds();
  if (main_ended_) node_.tell(Event::exited, exited_);
  if (phase_ == Phase::ended) node_.tell(Event::empty, usage());
}

// With a terminal the job's group is not orphaned, so the kernel handles SIGTSTP.
PauseReply JobBox::pause(bool reached) {
  if (!caller_.terminal.exists()) return Box::pause(reached);
  return {reached || kill(-job_, SIGTSTP) != 0 ? 0 : 1, 0};
}

// After ^Z and `fg` the shell has given the terminal to the wrapper, which passes it on to the job.
void JobBox::before_resume() {
  if (!cgroup_.frozen() && job_ > 0) caller_.terminal.give_to(job_);
}

// Signals the main process once more, in case no pidfd was available. Its pid is safe: it is our child and has not been reaped.
int JobBox::kill_all() {
  const int count = Box::kill_all();
  if (job_ > 0 && !main_ended_) kill(job_, SIGKILL);
  return count;
}

// The job has its own copies of the inherited descriptors. If the keeper kept them open, the other end of a pipe would not
// notice when the job closes it.
void JobBox::leave_session() {
  sampling_.close_files();
  release_text();
  if (!stays_in_session()) setsid();  // so that the keeper survives a scheduler that kills the session, and cleans up
  const auto [in, out] = output_.descriptors();
  keep_only({node_.fd(), front_.fd(), caller_.signals, reaped_.all(), reaped_.own(), exec_pipe_, caller_.terminal.fd(), in, out});
}

// The exec pipe is readable. End of file means success.
void JobBox::exec_result() {
  Failure failure{};
  const ssize_t n = read(exec_pipe_, &failure, sizeof failure);
  if (n < 0 && errno == EINTR) return;
  close(exec_pipe_);
  exec_pipe_ = -1;
  if (n == static_cast<ssize_t>(sizeof failure)) return fail(failure);
  phase_ = Phase::running;
  announce(Event::started, StartedBody{job_, 0, started_ms_});
}

void JobBox::fail(const Failure& failure) {
  phase_ = Phase::ended;
  caller_.terminal.take_from(job_);
  announce(Event::failed, FailedBody{static_cast<int32_t>(failure.step), failure.index, failure.error, 0});
}

void JobBox::reap() {
  if (setup_.cleanup_log && getppid() != parent_) wrapper_gone();  // the guard was killed; its death sent us SIGCONT
  for (WitnessedBody body; caller_.next_signal(body);) {
    processes_.witnessed(body.signal);
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
  if (processes_.killed() && !empty_) kill_all();
}

void JobBox::main_changed(int status) {
  if (WIFSTOPPED(status)) return main_stopped(WSTOPSIG(status));
  if (WIFCONTINUED(status)) {
    if (!processes_.suspended()) node_.send(Event::continued, 0, nullptr, 0);
    return;
  }
  main_ended_ = true;
  // A job of microseconds can end before poll(2) has reported its exec.
  if (exec_pipe_ >= 0) exec_result();
  if (phase_ == Phase::ended) return;
  caller_.terminal.take_from(job_);
  exited_ = exited_body(status, usage());
  announce(Event::exited, exited_);
}

void JobBox::main_stopped(int signal) {
  if (processes_.suspended()) return;
  if ((signal == SIGTTIN || signal == SIGTTOU) && caller_.terminal.wrapper_has_it()) {
    caller_.terminal.give_to(job_);
    kill(-job_, SIGCONT);
    return;
  }
  caller_.terminal.take_from(job_);
  node_.tell(Event::stopped, int32_t{signal});
}

// Before the start it is this process whose limits the job would inherit.
RlimitReply JobBox::set_rlimit(const RlimitWire& wanted) {
  if (phase_ != Phase::waiting) return Box::set_rlimit(wanted);
  Descendant self{};
  self.pid = getpid();
  return reply_of(rlimit_set_all([self] { return std::vector<Descendant>{self}; }, change_of(wanted)));
}

UsageBody JobBox::usage() {
  UsageBody body = reaped_.read();
  body.stdout_bytes = output_.bytes();
  return body;
}

}  // namespace pbox
