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
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "adopted.h"
#include "caller.h"
#include "cgroup.h"
#include "control.h"
#include "guard.h"
#include "job.h"
#include "relay.h"
#include "rlimit.h"
#include "tree.h"
#include "usage.h"

namespace pbox {
namespace {

// From the kill of a box until what its stdout still holds is given up because nobody reads it.
constexpr double kReaderPatienceMs = 1000;

double monotonic_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

class Keeper {
 public:
  Keeper(int control, int argc, char** argv, char** environment, bool guarded, Will* will);
  [[noreturn]] void run();

 private:
  enum class Phase { waiting, launching, running, ended };

  void hello();
  bool receive();
  void handle(const FrameHead& head, const char* body);
  void start(const char* body, uint32_t length);
  void add_cleanup(const char* body, uint32_t length);
  bool stays_in_session() const { return caller_.terminal >= 0 || guarded_; }
  void leave_session();
  [[noreturn]] void finish();
  void exec_result();
  void fail(const Failure& failure);
  void read_signals();
  void reap();
  void main_stopped(int signal);
  void give_terminal(int group);
  void check_empty();
  bool reader_abandoned();
  void check_file_limit();
  int kill_all();
  bool start_cgroup(const StartHead& head, const char* at, JobSpec& spec);
  UsageBody usage() const;
  int timeout() const;
  void wrapper_gone();

  ReapedUsage reaped_;
  Caller caller_;
  Control control_;
  bool guarded_;
  Will* will_;

  Phase phase_ = Phase::waiting;
  int exec_pipe_ = -1;
  int job_ = -1;
  Relay* relay_ = nullptr;
  Cgroup cgroup_;
  OutputFile file_;
  bool suspended_ = false;
  bool killing_ = false;
  bool abandon_ = false;
  double drain_since_ms_ = 0;
  uint64_t drain_bytes_ = 0;
  bool main_ended_ = false;
  bool empty_ = false;
};

Keeper::Keeper(int control, int argc, char** argv, char** environment, bool guarded, Will* will)
    : caller_(argc, argv, environment), control_(control), guarded_(guarded), will_(will) {
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "proc_box-keeper");
  if (caller_.stdout_mode == StdoutMode::file) file_.watch();
  // With a terminal the keeper stays in the session, so that ^Z works on the job (a group whose parent is in another
  // session is orphaned and cannot be stopped from the keyboard), but in a group that nobody signals. Guarded it stays
  // to see what the session gets.
  if (stays_in_session()) setpgid(0, 0);
  hello();
}

void Keeper::hello() {
  HelloHead head{getpid(), guarded_ ? getppid() : 0, static_cast<uint32_t>(caller_.stdout_mode), caller_.terminal >= 0, static_cast<uint32_t>(caller_.argv.size() - 1),
                 static_cast<uint32_t>(caller_.settings.size())};
  std::string body(reinterpret_cast<const char*>(&head), sizeof head);
  for (size_t i = 0; i + 1 < caller_.argv.size(); i++) body.append(caller_.argv[i], std::strlen(caller_.argv[i]) + 1);
  for (const auto& entry : caller_.settings) body.append(entry.c_str(), entry.size() + 1);
  control_.send(Event::hello, 0, body.data(), body.size());
  for (auto& entry : caller_.settings) explicit_bzero(entry.data(), entry.size());
  explicit_bzero(body.data(), body.size());
}

// False when the wrapper has gone.
bool Keeper::receive() {
  const bool there = control_.read();
  FrameHead head;
  std::string body;
  while (there && control_.next(head, body)) handle(head, body.data());
  return there;
}

void Keeper::handle(const FrameHead& head, const char* body) {
  switch (static_cast<Request>(head.type)) {
    case Request::start:
      return start(body, head.length);
    case Request::signal: {
      SignalBody request;
      std::memcpy(&request, body, sizeof request);
      if (request.all) return control_.reply_count(head.id, signal_tree(getpid(), request.signal, false));
      return control_.reply_count(head.id, job_ > 0 && !empty_ && kill(-job_, request.signal) == 0 ? 1 : 0);
    }
    case Request::kill: {
      KillBody request;
      std::memcpy(&request, body, sizeof request);
      if (request.abandon) abandon_ = true;
      return control_.reply_count(head.id, kill_all());
    }
    case Request::suspend: {
      suspended_ = true;
      const bool frozen = cgroup_.freeze();
      const int count = signal_tree(getpid(), frozen ? 0 : SIGSTOP, true);  // signal 0 only counts
      if (!frozen) await_stopped(descendants(getpid()));
      return control_.reply_count(head.id, count);
    }
    case Request::resume: {
      suspended_ = false;
      if (cgroup_.frozen()) {
        cgroup_.thaw();
        return control_.reply_count(head.id, signal_tree(getpid(), 0, false));
      }
      // After ^Z and `fg` the shell has given the terminal to the wrapper: pass it on.
      if (caller_.terminal >= 0 && job_ > 0 && tcgetpgrp(caller_.terminal) == caller_.group) give_terminal(job_);
      return control_.reply_count(head.id, signal_tree(getpid(), SIGCONT, false));
    }
    case Request::rlimit: {
      RlimitWire wanted;
      std::memcpy(&wanted, body, sizeof wanted);
      const RlimitReply reply = rlimit_set_tree(getpid(), wanted);
      return control_.send(Event::reply, head.id, &reply, sizeof reply);
    }
    case Request::stdout_limit: {
      uint64_t max;
      std::memcpy(&max, body, sizeof max);
      if (relay_) relay_->limit(max);
      file_.limit(max);
      return control_.reply_count(head.id, 0);
    }
    case Request::usage: {
      const UsageBody now = usage();
      return control_.send(Event::reply, head.id, &now, sizeof now);
    }
    case Request::cleanup:
      return add_cleanup(body, head.length);
    case Request::adopt:
      if (phase_ == Phase::waiting) keep_adopted(control_, cgroup_, Reader(body, head.length));
  }
}

// Before the wrapper makes a group, so that it goes whenever the wrapper dies.
void Keeper::add_cleanup(const char* body, uint32_t length) {
  for (Reader words(body, length); !words.done();) {
    const bool remove = words.word() == "r";
    const std::string path = words.word(), text = words.word();
    cgroup_.cleanup.push_back({remove, path, text});
    if (will_) will_->add_cleanup(remove, path, text);
  }
}

void Keeper::start(const char* body, uint32_t length) {
  if (phase_ != Phase::waiting) return;
  StartHead head;
  std::memcpy(&head, body, sizeof head);
  const char* at = body + sizeof head;
  JobSpec spec{};
  spec.rlimits.resize(head.rlimits);
  if (head.rlimits) std::memcpy(spec.rlimits.data(), at, head.rlimits * sizeof(RlimitWire));
  at += head.rlimits * sizeof(RlimitWire);
  if (at > body + length) return fail({Step::cgroup, -1, EINVAL});
  if (!start_cgroup(head, at, spec)) return;
  if (head.command_index == 0 || head.command_index + 1 >= caller_.argv.size()) return fail({Step::exec, -1, EINVAL});
  for (uint32_t i = 0; i < head.command_index; i++) explicit_bzero(caller_.argv[i], std::strlen(caller_.argv[i]));

  int inner[2] = {-1, -1};
  if (caller_.stdout_mode == StdoutMode::pipe) {
    if (pipe2(inner, O_CLOEXEC) != 0) return fail({Step::pipe, -1, errno});
    fcntl(inner[1], F_SETPIPE_SZ, 1 << 20);  // refused over the user's quota: the default size works as well
    fcntl(inner[0], F_SETFL, O_NONBLOCK);
    relay_ = new Relay(inner[0], fcntl(1, F_DUPFD_CLOEXEC, 3), caller_.stdout_is_socket, head.stdout_max);
  }
  file_.limit(head.stdout_max);
  spec.argv = caller_.argv.data() + head.command_index;
  spec.environment = caller_.environment.data();
  spec.stdout_fd = inner[1];
  spec.stdout_is_stderr_too = caller_.stderr_is_stdout;
  // Where the output goes into a pipeline its other members may need the keyboard: the job then gets the terminal
  // only when it asks for it (main_stopped).
  const bool foreground = caller_.terminal >= 0 && isatty(0) && isatty(1) && tcgetpgrp(caller_.terminal) == caller_.group;
  spec.terminal_fd = foreground ? caller_.terminal : -1;

  const Launched launched = launch_job(spec, caller_.inherited);
  for (const int fd : spec.cgroup_fds) close(fd);
  if (spec.fork_into >= 0) close(spec.fork_into);
  if (inner[1] >= 0) close(inner[1]);
  if (launched.pid < 0) return fail(launched.failure);
  phase_ = Phase::launching;
  job_ = launched.pid;
  exec_pipe_ = launched.error_fd;
  leave_session();
}

// Opens what the job joins, and keeps what the keeper will need. False: `fail` has told.
bool Keeper::start_cgroup(const StartHead& head, const char* at, JobSpec& spec) {
  const auto next = [&at] {
    const std::string word = at;
    at += word.size() + 1;
    return word;
  };
  std::vector<std::string> tasks;
  for (uint32_t i = 0; i < head.tasks; i++) tasks.push_back(next());
  const std::string fork_into = next();
  cgroup_.freezer_version = static_cast<int>(head.freezer_version);
  cgroup_.freezer_dir = next();
  cgroup_.kill_file = next();
  spec.name = next();
  if (will_ && cgroup_.freezer_version != 0) will_->add_freezer(cgroup_.freezer_version, cgroup_.freezer_dir);
  spec.fork_into = fork_into.empty() ? -1 : open(fork_into.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!fork_into.empty() && spec.fork_into < 0) {
    fail({Step::cgroup, -1, errno});
    return false;
  }
  for (size_t i = 0; i < tasks.size(); i++) {
    const int fd = open(tasks[i].c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
      fail({Step::cgroup, static_cast<int>(i), errno});
      return false;
    }
    spec.cgroup_fds.push_back(fd);
  }
  return true;
}

// Everything that is left, frozen or not. cgroup.kill is one step for the kernel; the walk finds what is outside of the
// group, and serves where there is none. Returns how many were met.
int Keeper::kill_all() {
  killing_ = true;
  if (job_ > 0 && !main_ended_) kill(job_, SIGKILL);  // our own child, not yet reaped: the pid is certain
  const bool at_once = cgroup_.kill();
  const int count = signal_tree(getpid(), SIGKILL, true);
  if (!at_once) cgroup_.thaw();  // v1: SIGKILL waits for it
  return count;
}

// The job has its own copies of the descriptors; a keeper that held them would hide the job's closing of a pipe from its
// other end.
void Keeper::leave_session() {
  if (!stays_in_session()) setsid();  // a scheduler that kills the session leaves the keeper alive for the clean-up
  pollfd relay[2] = {{-1, 0, 0}, {-1, 0, 0}};
  if (relay_) relay_->prepare(relay);
  keep_only({control_.fd(), caller_.signals, reaped_.all(), reaped_.own(), exec_pipe_, caller_.terminal, file_.fd(),
             relay[0].fd, relay[1].fd});
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
  const StartedBody body{job_, 0, monotonic_ms()};
  control_.send(Event::started, 0, &body, sizeof body);
}

void Keeper::fail(const Failure& failure) {
  phase_ = Phase::ended;
  give_terminal(caller_.group);
  const FailedBody body{static_cast<int32_t>(failure.step), failure.index, failure.error, 0};
  control_.send(Event::failed, 0, &body, sizeof body);
}

void Keeper::give_terminal(int group) {
  if (caller_.terminal < 0) return;
  const int now = tcgetpgrp(caller_.terminal);
  if (now == group || (now != job_ && now != caller_.group)) return;  // somebody else's
  tcsetpgrp(caller_.terminal, group);
}

void Keeper::read_signals() {
  signalfd_siginfo infos[16];
  for (ssize_t n; (n = read(caller_.signals, infos, sizeof infos)) > 0;) {
    for (size_t i = 0; i < static_cast<size_t>(n) / sizeof infos[0]; i++) {
      if (infos[i].ssi_signo == SIGCHLD) continue;
      const WitnessedBody body{static_cast<int32_t>(infos[i].ssi_signo), static_cast<int32_t>(infos[i].ssi_pid), monotonic_ms()};
      control_.send(Event::witnessed, 0, &body, sizeof body);
    }
  }
}

void Keeper::reap() {
  read_signals();
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
      if (!suspended_) control_.send(Event::continued, 0, nullptr, 0);
    } else {
      main_ended_ = true;
      // A job of microseconds can end before poll has told us that it was executed.
      if (exec_pipe_ >= 0) exec_result();
      if (phase_ == Phase::ended) continue;
      give_terminal(caller_.group);
      ExitedBody body{};
      body.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      body.signal = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
      body.core_dumped = WIFSIGNALED(status) && WCOREDUMP(status);
      body.at_ms = monotonic_ms();
      body.usage = usage();
      control_.send(Event::exited, 0, &body, sizeof body);
    }
  }
  if (killing_ && !empty_) kill_all();
}

void Keeper::main_stopped(int signal) {
  if (suspended_) return;
  if (caller_.terminal >= 0 && (signal == SIGTTIN || signal == SIGTTOU) && tcgetpgrp(caller_.terminal) == caller_.group) {
    give_terminal(job_);
    kill(-job_, SIGCONT);
    return;
  }
  give_terminal(caller_.group);
  const int32_t body = signal;
  control_.send(Event::stopped, 0, &body, sizeof body);
}

// Nothing of the box is left, and its reader has everything: the last event.
void Keeper::check_empty() {
  if (!empty_ || phase_ != Phase::running || (relay_ && !relay_->drained() && !reader_abandoned())) return;
  phase_ = Phase::ended;
  const UsageBody body = usage();
  control_.send(Event::empty, 0, &body, sizeof body);
}

// The box was killed, and its reader has taken nothing for a while.
bool Keeper::reader_abandoned() {
  if (!abandon_) return false;
  const double now = monotonic_ms();
  if (drain_since_ms_ == 0 || relay_->bytes() != drain_bytes_) {
    drain_since_ms_ = now;
    drain_bytes_ = relay_->bytes();
  }
  return now - drain_since_ms_ >= kReaderPatienceMs;
}

UsageBody Keeper::usage() const {
  UsageBody body = reaped_.read();
  body.stdout_bytes = relay_ ? relay_->bytes() : file_.bytes();
  return body;
}

void Keeper::check_file_limit() {
  uint64_t bytes = 0;
  if (phase_ == Phase::running && file_.exceeded(&bytes)) control_.send(Event::stdoutlimit, 0, &bytes, sizeof bytes);
}

// How long poll may sleep. Only a limited file needs looking at.
int Keeper::timeout() const {
  if ((killing_ && !empty_) || (abandon_ && phase_ == Phase::running)) return 20;
  return phase_ == Phase::running ? file_.next_look_ms() : -1;
}

// The wrapper has ended, however it ended: nothing of the box may survive it.
void Keeper::wrapper_gone() {
  control_.close();
  give_terminal(caller_.group);
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
    pollfd entries[5] = {{control_.fd(), POLLIN, 0}, {caller_.signals, POLLIN, 0}, {exec_pipe_, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}};
    if (relay_ && control_.fd() >= 0) relay_->prepare(entries + 3);
    if (poll(entries, 5, timeout()) < 0 && errno != EINTR) _exit(125);
    if (entries[2].revents && exec_pipe_ >= 0) exec_result();
    if (relay_ && control_.fd() >= 0) {
      const bool before = relay_->exceeded();
      relay_->run(entries + 3);
      if (relay_->exceeded() && !before) {
        const uint64_t bytes = relay_->bytes();
        control_.send(Event::stdoutlimit, 0, &bytes, sizeof bytes);
      }
    }
    check_file_limit();
    if (entries[1].revents || killing_) reap();
    check_empty();
    if (control_.fd() >= 0 && entries[0].revents && !receive()) wrapper_gone();
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
