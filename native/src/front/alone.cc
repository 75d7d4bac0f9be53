#include "front/alone.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <poll.h>
#include <string>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "front/say.h"
#include "proc/clock.h"
#include "wire/protocol.h"
#include "wire/signals.h"

namespace pbox {
namespace {

constexpr double kPatienceMs = 200;  // for the keeper to report a signal that we have received: src/scheduler/signalling.ts
constexpr double kApartMs = 1000;    // longest time between the two receipts of one signal: src/supervise/deliveries.ts
constexpr size_t kRemembered = 32;
constexpr double kNoticeMs = 3000;   // for a Node that tells the broker that there is no box

class Alone {
 public:
  Alone(Front& front, const Rules& rules) : front_(front), keeper_(front.keeper), job_(front.job), rules_(rules) {}
  void start();
  void take_over(const std::vector<Delivery>& unheard);
  std::vector<Delivery> for_next();
  // Returns when an agent has taken over.
  void run();

 private:
  struct Pending {
    Delivery delivery;
    double until_ms;
  };
  struct Seen {
    int signal, pid;
    double at_ms;
  };

  void event(const FrameHead& head, Reader body);
  void signalled(const Delivery& delivery);
  void has(Delivery delivery);
  bool seen(int signal, int pid);
  void pass_on(int signal);
  void send_signal(int signal, bool all);
  void stop(StopHow how);
  void kill_all();
  void on_time();
  double timeout_at_ms() const;
  int poll_ms() const;
  void reap();
  [[noreturn]] void failed(const FailedBody& failed);
  void main_ended();
  void emptied();
  [[noreturn]] void end();

  Front& front_;
  KeeperConnection& keeper_;
  JobState& job_;
  const Rules rules_;
  uint32_t id_ = 0;
  std::vector<Pending> pending_;
  std::vector<Delivery> reached_;  // signals that the job has
  std::vector<Seen> seen_;
  double grace_until_ms_ = 0;
  double end_ms_ = 0;  // when to end without an agent; 0: the job has not ended
  bool timed_out_ = false;
  bool found_ = false;          // an agent has taken over
  bool reader_counts_ = false;  // the job has ended by itself: its output waits for the reader, however long
  int interrupts_ = 0;
};

void Alone::start() {
  const Options& options = front_.options;
  const auto& rlimits = options.rlimits;
  const StartHead head{static_cast<uint32_t>(options.command), static_cast<uint32_t>(rlimits.size()), 0, 0, 0};
  Writer request;
  request.value(head);
  for (const RlimitWire& limit : rlimits) request.value(limit);
  for (int group = 0; group < 3; group++) request.word("");  // no control groups
  request.word(options.name.c_str());
  keeper_.send(Request::start, ++id_, request.body.data(), request.body.size());
}

// A job that has ended or has been asked to end before needs the rest of what is due.
void Alone::take_over(const std::vector<Delivery>& unheard) {
  if (job_.main_ended()) main_ended();
  for (const Delivery& delivery : unheard) signalled(delivery);
  if (job_.empty) emptied();
}

// The next agent learns from the signals that the job has whether it is ending or suspended.
std::vector<Delivery> Alone::for_next() {
  std::vector<Delivery> all = reached_;
  for (const Pending& one : pending_) all.push_back(one.delivery);
  return all;
}

void Alone::has(Delivery delivery) {
  delivery.reached = 1;
  if (reached_.size() == kRemembered) reached_.erase(reached_.begin());
  reached_.push_back(delivery);
}

void Alone::main_ended() {
  if (rules_.linger) return;
  // The remaining processes get the stop ladder. If there are none, `empty` follows at once.
  stop(StopHow::rest);
  reader_counts_ = grace_until_ms_ == 0;
  if (reader_counts_) grace_until_ms_ = monotonic_ms() + rules_.grace_ms;
}

void Alone::emptied() {
  end_ms_ = monotonic_ms() + rules_.flush_ms;
}

void Alone::event(const FrameHead& head, Reader body) {
  const auto type = static_cast<Event>(head.type);
  job_.take(type, body);
  switch (type) {
    case Event::failed:
      failed(body.value<FailedBody>());
    case Event::exited:
      return main_ended();
    case Event::empty:
      return emptied();
    case Event::agent:
      found_ = body.value<AgentState>() == AgentState::there;
      return;
    case Event::witnessed: {
      const auto got = body.value<WitnessedBody>();
      const auto waits = std::find_if(pending_.begin(), pending_.end(),
                                      [&](const Pending& one) { return one.delivery.signal == got.signal && one.delivery.pid == got.pid; });
      if (waits == pending_.end()) return seen_.push_back({got.signal, got.pid, got.at_ms});
      has(waits->delivery);
      pending_.erase(waits);
      return;
    }
    default:
      return;
  }
}

void Alone::failed(const FailedBody& failed) {
  const bool exec = static_cast<Step>(failed.step) == Step::exec, missing = exec && failed.error == ENOENT;
  const std::string what = static_cast<Step>(failed.step) == Step::rlimit ? "--rlimit"
                                                                          : std::string("run ") + front_.words.argv[static_cast<size_t>(front_.options.command)];
  say("error", what + ": " + std::strerror(failed.error));
  front_.end(missing ? 127 : exec ? 126 : 125, 0);
}

void Alone::reap() {
  int status = 0;
  for (int pid; (pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR);) {
    if (pid == front_.node) front_.node = -1;
    if (pid == front_.helper) front_.helper_ended(status);
  }
}

void Alone::signalled(const Delivery& delivery) {
  const int signal = delivery.signal;
  if (signal == SIGHUP) return;
  if (asks_for_end(signal)) {
    reader_counts_ = false;
    if (grace_until_ms_ == 0) grace_until_ms_ = monotonic_ms() + rules_.grace_ms;
  }
  const bool again = signal == SIGINT && ++interrupts_ > 1;
  if (again) kill_all();
  if (again || delivery.reached != 0 || seen(signal, delivery.pid)) has(delivery);
  else pending_.push_back({delivery, monotonic_ms() + kPatienceMs});
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
  if (signal == SIGCONT) keeper_.send(Request::resume, ++id_, nullptr, 0);
  else if (signal == SIGTSTP) keeper_.send(Request::pause, ++id_, &pause, sizeof pause);
  else send_signal(signal, false);
}

void Alone::send_signal(int signal, bool all) {
  const SignalBody body{signal, all ? 1U : 0U};
  keeper_.send(Request::signal, ++id_, &body, sizeof body);
}

void Alone::stop(StopHow how) {
  const StopBody body{rules_.stop_signal, static_cast<uint32_t>(how), 0, 0};
  keeper_.send(Request::stop, ++id_, &body, sizeof body);
}

void Alone::kill_all() {
  const KillBody body{!reader_counts_};
  keeper_.send(Request::kill, ++id_, &body, sizeof body);
}

void Alone::on_time() {
  const double now = monotonic_ms();
  for (size_t i = 0; i < pending_.size();) {
    if (pending_[i].until_ms > now) {
      i++;
      continue;
    }
    pass_on(pending_[i].delivery.signal);
    has(pending_[i].delivery);
    pending_.erase(pending_.begin() + static_cast<long>(i));
  }
  if (now >= timeout_at_ms()) {
    say("warning", "the wall clock limit is over (--timeout)");
    timed_out_ = true;
    grace_until_ms_ = now + rules_.grace_ms;
    stop(StopHow::group);
  }
  if (grace_until_ms_ == 0 || now < grace_until_ms_) return;
  grace_until_ms_ = HUGE_VAL;
  kill_all();
}

// The limit ends only a box that is not ending already.
double Alone::timeout_at_ms() const {
  const bool waits = rules_.timeout_ms > 0 && job_.started_ms > 0 && grace_until_ms_ == 0;
  return waits ? job_.started_ms + rules_.timeout_ms : HUGE_VAL;
}

int Alone::poll_ms() const {
  double next = std::min({timeout_at_ms(), grace_until_ms_ == 0 ? HUGE_VAL : grace_until_ms_, end_ms_ == 0 ? HUGE_VAL : end_ms_});
  for (const Pending& one : pending_) next = std::min(next, one.until_ms);
  if (next == HUGE_VAL) return -1;
  return static_cast<int>(std::clamp(std::ceil(next - monotonic_ms()), 0.0, 60000.0));
}

void Alone::end() {
  say_elapsed(job_.ended_ms - job_.started_ms);
  // A Node that could not make the box may be reporting that to the broker.
  const double until_ms = monotonic_ms() + kNoticeMs;
  for (reap(); front_.node > 0 && monotonic_ms() < until_ms; reap()) {
    pollfd child{front_.signals, POLLIN, 0};
    poll(&child, 1, static_cast<int>(until_ms - monotonic_ms()) + 1);
    for (signalfd_siginfo info; read(front_.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info);) continue;
  }
  if (front_.node > 0) kill(front_.node, SIGKILL);
  if (timed_out_) front_.end(124, 0);
  front_.end(job_.exit_status(), rules_.reraise && !job_.expired && job_.signal > 0 ? job_.signal : 0);
}

void Alone::run() {
  while (!found_) {
    if (end_ms_ > 0 && monotonic_ms() >= end_ms_) end();
    if (keeper_.pending()) keeper_.flush();
    pollfd entries[2] = {{keeper_.fd(), static_cast<short>(keeper_.pending() ? POLLIN | POLLOUT : POLLIN), 0}, {front_.signals, POLLIN, 0}};
    if (poll(entries, 2, poll_ms()) < 0 && errno != EINTR) {
      say("error", std::string("poll: ") + std::strerror(errno));
      front_.end(125, 0);
    }
    const bool alive = entries[0].revents == 0 || keeper_.fill();
    FrameHead head;
    for (std::string body; keeper_.next(head, body);) event(head, Reader(body));
    if (!alive) front_.end_without_keeper();
    bool child = false;
    signalfd_siginfo info;
    while (read(front_.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo == SIGCHLD) child = true;
      else signalled({static_cast<int>(info.ssi_signo), static_cast<int>(info.ssi_pid), info.ssi_uid, 0, monotonic_ms()});
    }
    if (child) reap();
    on_time();
  }
}

}  // namespace

void run_alone(Front& front) {
  const Options& options = front.options;
  Alone alone(front, {options.stop_signal, options.grace_ms, options.timeout_ms, 0, false, options.reraise});
  alone.start();
  alone.run();
  front.end(125, 0);  // no agent takes over a job without a box
}

std::vector<Delivery> run_alone(Front& front, const Rules& rules, const std::vector<Delivery>& unheard) {
  Alone alone(front, rules);
  alone.take_over(unheard);
  alone.run();
  return alone.for_next();
}

}  // namespace pbox
