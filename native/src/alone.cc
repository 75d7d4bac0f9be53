#include "alone.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "alone_options.h"
#include "clock.h"
#include "keeper.h"
#include "link.h"
#include "protocol.h"

namespace pbox {
namespace {

constexpr double kPatienceMs = 200;  // for the keeper to see what the wrapper got: src/scheduler/signalling.ts
constexpr double kApartMs = 1000;    // src/cli/deliveries.ts

[[noreturn]] void fail(int status, const char* format, const char* what = "", const char* why = "") {
  std::fprintf(stderr, "proc_box: error: ");
  std::fprintf(stderr, format, what, why);
  std::fputc('\n', stderr);
  _exit(status);
}

class Alone {
 public:
  Alone(int control, int child, AloneOptions options, const char* command)
      : link_(control), child_(child), options_(std::move(options)), command_(command) {}
  [[noreturn]] void run();

 private:
  struct Pending {
    int signal, pid;
    double until_ms;
  };
  struct Seen {
    int signal, pid;
    double at_ms;
  };

  void start();
  void event(const FrameHead& head, Reader body);
  void signalled(int signal, int pid);
  bool seen(int signal, int pid);
  void pass_on(int signal);
  void send_signal(int signal, bool all);
  void stop(StopHow how);
  void kill_all();
  void on_time();
  double timeout_at_ms() const;
  int poll_ms() const;
  [[noreturn]] void end();

  Link link_;
  int child_;
  AloneOptions options_;
  const char* command_;
  uint32_t id_ = 0;
  std::vector<Pending> pending_;
  std::vector<Seen> seen_;
  double started_ms_ = 0, ended_ms_ = 0, grace_until_ms_ = 0;
  bool timed_out_ = false;
  int code_ = -1, signal_ = -1;
  int interrupts_ = 0;
};

void Alone::start() {
  const auto& rlimits = options_.rlimits;
  const StartHead head{static_cast<uint32_t>(options_.command), static_cast<uint32_t>(rlimits.size()), 0, 0, 0};
  Writer request;
  request.value(head);
  for (const RlimitWire& limit : rlimits) request.value(limit);
  for (int group = 0; group < 3; group++) request.word("");  // none
  request.word(options_.name.c_str());
  link_.send(Request::start, ++id_, request.body.data(), request.body.size());
}

void Alone::event(const FrameHead& head, Reader body) {
  switch (static_cast<Event>(head.type)) {
    case Event::started:
      started_ms_ = monotonic_ms();
      return;
    case Event::failed: {
      const auto failed = body.value<FailedBody>();
      if (static_cast<Step>(failed.step) == Step::rlimit) fail(125, "--rlimit: %s", std::strerror(failed.error));
      const bool missing = static_cast<Step>(failed.step) == Step::exec && failed.error == ENOENT;
      const bool exec = static_cast<Step>(failed.step) == Step::exec;
      fail(missing ? 127 : exec ? 126 : 125, "run %s: %s", command_, std::strerror(failed.error));
    }
    case Event::exited: {
      const auto exited = body.value<ExitedBody>();
      code_ = exited.code;
      signal_ = exited.signal;
      ended_ms_ = monotonic_ms();
      // What it leaves gets the stop ladder; `empty` comes in the same breath where that is nothing.
      stop(StopHow::rest);
      if (grace_until_ms_ == 0) grace_until_ms_ = ended_ms_ + options_.grace_ms;
      return;
    }
    case Event::empty:
      return end();
    case Event::witnessed: {
      const auto got = body.value<WitnessedBody>();
      const auto waits = std::find_if(pending_.begin(), pending_.end(),
                                      [&](const Pending& one) { return one.signal == got.signal && one.pid == got.pid; });
      if (waits != pending_.end()) pending_.erase(waits);
      else seen_.push_back({got.signal, got.pid, got.at_ms});
      return;
    }
    default:
      return;
  }
}

void Alone::signalled(int signal, int pid) {
  if (signal == SIGHUP) return;
  if (signal == SIGINT && ++interrupts_ > 1) return kill_all();
  if (signal == SIGINT || signal == SIGQUIT || signal == SIGTERM)
    if (grace_until_ms_ == 0) grace_until_ms_ = monotonic_ms() + options_.grace_ms;
  if (!seen(signal, pid)) pending_.push_back({signal, pid, monotonic_ms() + kPatienceMs});
}

bool Alone::seen(int signal, int pid) {
  const double now = monotonic_ms();
  const auto found = std::find_if(seen_.begin(), seen_.end(), [&](const Seen& one) {
    return one.signal == signal && one.pid == pid && std::fabs(now - one.at_ms) <= kApartMs;
  });
  if (found == seen_.end()) return false;
  seen_.erase(found);
  return true;
}

void Alone::pass_on(int signal) {
  const PauseBody pause{0};
  if (signal == SIGCONT) link_.send(Request::resume, ++id_, nullptr, 0);
  else if (signal == SIGTSTP) link_.send(Request::pause, ++id_, &pause, sizeof pause);
  else send_signal(signal, false);
}

void Alone::send_signal(int signal, bool all) {
  const SignalBody body{signal, all ? 1U : 0U};
  link_.send(Request::signal, ++id_, &body, sizeof body);
}

void Alone::stop(StopHow how) {
  const StopBody body{options_.stop_signal, static_cast<uint32_t>(how)};
  link_.send(Request::stop, ++id_, &body, sizeof body);
}

void Alone::kill_all() {
  const KillBody body{1};
  link_.send(Request::kill, ++id_, &body, sizeof body);
}

void Alone::on_time() {
  const double now = monotonic_ms();
  for (size_t i = 0; i < pending_.size();) {
    if (pending_[i].until_ms > now) {
      i++;
      continue;
    }
    pass_on(pending_[i].signal);
    pending_.erase(pending_.begin() + static_cast<long>(i));
  }
  if (now >= timeout_at_ms()) {
    std::fprintf(stderr, "proc_box: warning: the wall clock limit is over (--timeout)\n");
    timed_out_ = true;
    grace_until_ms_ = now + options_.grace_ms;
    stop(StopHow::group);
  }
  if (grace_until_ms_ == 0 || now < grace_until_ms_) return;
  grace_until_ms_ = HUGE_VAL;
  kill_all();
}

// Only a box that nothing has ended yet.
double Alone::timeout_at_ms() const {
  const bool waits = options_.timeout_ms > 0 && started_ms_ > 0 && grace_until_ms_ == 0;
  return waits ? started_ms_ + options_.timeout_ms : HUGE_VAL;
}

int Alone::poll_ms() const {
  double next = std::min(timeout_at_ms(), grace_until_ms_ == 0 ? HUGE_VAL : grace_until_ms_);
  for (const Pending& one : pending_) next = std::min(next, one.until_ms);
  if (next == HUGE_VAL) return -1;
  return static_cast<int>(std::clamp(std::ceil(next - monotonic_ms()), 0.0, 60000.0));
}

void Alone::end() {
  if (link_.finish(2000)) waitpid(child_, nullptr, 0);
  std::fprintf(stderr, "Task elapsed time: %.2f seconds.\n", (ended_ms_ - started_ms_) / 1000);
  if (timed_out_) _exit(124);
  if (signal_ < 0) _exit(code_);
  if (!options_.reraise) _exit(128 + signal_);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  std::signal(signal_, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal_);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);
  raise(signal_);
  _exit(128 + signal_);
}

void Alone::run() {
  sigset_t handled;
  sigemptyset(&handled);
  for (const int signal : kHandledSignals) sigaddset(&handled, signal);
  sigprocmask(SIG_BLOCK, &handled, nullptr);
  const int signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  start();
  for (;;) {
    if (link_.pending()) link_.flush();
    pollfd entries[2] = {{link_.fd(), static_cast<short>(link_.pending() ? POLLIN | POLLOUT : POLLIN), 0}, {signals, POLLIN, 0}};
    if (poll(entries, 2, poll_ms()) < 0 && errno != EINTR) fail(125, "poll: %s", std::strerror(errno));
    const bool alive = entries[0].revents == 0 || link_.fill();
    FrameHead head;
    for (std::string body; link_.next(head, body);) event(head, Reader(body));
    if (!alive) fail(125, "the keeper has died; the rest of the job was killed");
    signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      signalled(static_cast<int>(info.ssi_signo), static_cast<int>(info.ssi_pid));
    on_time();
  }
}

}  // namespace

void run_alone(int control, int child, int argc, char** argv, char** environment, unsigned long long space_bytes) {
  AloneOptions options = read_alone_options(argc, argv, environment);
  const unsigned long long mib = space_bytes >> 20;
  if (options.strict) {
    std::fprintf(stderr, "proc_box: error: --enforce strict: the address space is limited to %llu MiB (-l pvmem, ulimit -v) and "
                 "proc_box needs 1 GiB to hold limits; ask for at least -l pvmem=1gb, or for -l mem instead\n", mib);
    _exit(125);
  }
  std::fprintf(stderr, "proc_box: warning: the address space is limited to %llu MiB (-l pvmem, ulimit -v) and proc_box needs 1 GiB: "
               "the job runs, but remote control, statistics, the config file and limits of the box other than --timeout and --rlimit "
               "are off; ask for at least -l pvmem=1gb, or for -l mem instead\n", mib);
  // Readers and writers of the job see its ends only.
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) {
    dup2(null, 0);
    dup2(null, 1);
  }
  const char* command = argv[options.command];
  Alone(control, child, std::move(options), command).run();
}

}  // namespace pbox
