// The front end while there is a Node: theory of operation
//
// Node decides, the keeper acts, and this process waits: for signals, which it passes to Node; for Node's last word, with
// which it ends; and for what must not happen. Node ends without a word: before the job has started the job runs without
// it or not at all, and later the keeper ends the box. Somebody has stopped Node or the guard: they go on. Node does not
// hear a signal that asks for the end: the keeper gets it from here. The keeper does not act in time: what is below it is
// killed from here.
#include "front/wrapper.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front/box_events.h"
#include "front/node.h"
#include "front/node_channel.h"
#include "front/say.h"
#include "keeper/patience.h"
#include "proc/clock.h"
#include "proc/tree.h"
#include "wire/protocol.h"

namespace pbox {
namespace {

constexpr double kHearMs = 5000;   // a busy Node hears later than others
constexpr double kActMs = 3000;    // a keeper that has been told to
constexpr double kLookMs = 1000;   // between looks at a Node that has not started the job
constexpr double kEndMs = 30000;   // of Node, beside --flush, when the job has ended

// One of ours that somebody may have stopped.
struct Watched {
  double stopped_ms = 0;  // 0: it runs
  StopPatience patience{};
};

class Wrapper {
 public:
  Wrapper(Front& front, int channel, int complaints) : front_(front), channel_(channel), box_(front), complaints_(complaints) {}
  std::string run();

 private:
  bool is_tool() const { return !front_.options.verb.empty() && !front_.options.adopts(); }
  bool is_launch() const { return front_.options.verb.empty(); }
  void hear();
  void take(const Saying& said, const std::string& text);
  void keeper_events();
  void signals();
  void signalled(const signalfd_siginfo& info);
  void reap();
  void changed(Watched& process, int pid, int status);
  void go_on(Watched& process, int pid);
  void node_ended(int status);
  void on_time();
  void pass_on();
  void kill_box(const char* why);
  int poll_ms();
  [[noreturn]] void end();

  Front& front_;
  NodeChannel channel_;
  BoxEvents box_;
  int complaints_;
  Watched node_, helper_;
  bool told_ = false, passed_ = false;
  int kills_ = 0;
  int status_ = 125, signal_ = 0;
  std::string why_;                                // there is no box
  double unheard_ms_ = 0, bound_ms_ = 0, end_ms_ = 0, look_ms_ = 0, kill_ms_ = 0;
  double flush_ms_ = 0;
  std::vector<int> asked_;                         // signals that ask for the end, not heard yet
  Progress progress_;
};

void Wrapper::take(const Saying& said, const std::string& text) {
  switch (static_cast<Say>(said.say)) {
    case Say::outcome:
      told_ = true;
      status_ = said.first;
      signal_ = said.second;
      end_ms_ = monotonic_ms() + kActMs;
      return;
    case Say::heard:
      asked_.clear();
      unheard_ms_ = 0;
      return;
    case Say::bound:
      bound_ms_ = said.ms;
      return;
    case Say::flush:
      flush_ms_ = said.ms;
      return;
    case Say::unable:
      why_ = text;
      return;
    case Say::hold:
      return;
    case Say::quiet: {
      const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
      if (null >= 0) dup2(null, 2), close(null);
      return;
    }
  }
}

void Wrapper::hear() {
  Saying said;
  for (std::string text; channel_.next(said, text);) take(said, text);
}

void Wrapper::keeper_events() {
  if (box_.read() && end_ms_ == 0) end_ms_ = monotonic_ms() + flush_ms_ + kEndMs;
}

void Wrapper::signalled(const signalfd_siginfo& info) {
  const int signal = static_cast<int>(info.ssi_signo), sender = static_cast<int>(info.ssi_pid);
  // Who lets us go on after somebody has stopped us.
  if (signal == SIGCONT && sender == front_.helper) return;
  if (signal == SIGINT || signal == SIGQUIT || signal == SIGTERM) {
    front_.got.push_back(signal);
    asked_.push_back(signal);
    if (unheard_ms_ == 0 && is_launch()) unheard_ms_ = monotonic_ms() + kHearMs;
  }
  if (is_tool()) {
    if (front_.node > 0 && signal != SIGCONT) kill(front_.node, signal);
    return;
  }
  channel_.send({signal, sender, info.ssi_uid, 0, monotonic_ms()});
}

void Wrapper::signals() {
  signalfd_siginfo info;
  bool child = false;
  while (read(front_.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGCHLD) child = true;
    else signalled(info);
  }
  if (child) reap();
}

// Everybody's: as PID 1 of a container we get those whose parents have ended.
void Wrapper::reap() {
  int status = 0;
  for (int pid; (pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0 || (pid < 0 && errno == EINTR);) {
    if (pid == front_.node) changed(node_, pid, status);
    else if (pid == front_.helper) changed(helper_, pid, status);
  }
}

void Wrapper::changed(Watched& process, int pid, int status) {
  if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
    process.stopped_ms = WIFSTOPPED(status) ? monotonic_ms() : 0;
    return;
  }
  if (pid == front_.helper) {
    front_.helper_ended(status);
    keeper_events();
    if (front_.helper_killed && box_.over) front_.kill_left();
    return;
  }
  front_.node = -1;
  hear();
  node_ended(status);
}

void Wrapper::go_on(Watched& process, int pid) {
  if (process.stopped_ms == 0 || pid < 0 || monotonic_ms() - process.stopped_ms < kStopPatienceMs) return;
  process.stopped_ms = 0;
  if (process.patience.lost(monotonic_ms())) kill_box("somebody stops its processes again and again");
  kill(pid, SIGCONT);
}

void Wrapper::node_ended(int status) {
  if (told_) return;
  const bool asked = WIFSIGNALED(status) && std::find(front_.got.begin(), front_.got.end(), WTERMSIG(status)) != front_.got.end();
  keeper_events();
  if (asked && (is_tool() || !box_.started)) {
    told_ = true;
    status_ = 128 + WTERMSIG(status);
    signal_ = WTERMSIG(status);
  } else if (is_tool()) {
    told_ = true;
    say("error", end_of_node(status, complaints_) + " before \"proc_box " + front_.options.verb + "\" was done");
  } else if (is_launch() && box_.started) {
    told_ = true;
    // The main process had ended by itself: its status is known.
    const bool known = box_.main_status >= 0;
    if (known) status_ = box_.expired ? 124 : box_.main_status;
    say("error", end_of_node(status, complaints_) + (known ? "; the job had ended, its last statistics are lost" : "; the job was ended with it"));
  } else if (why_.empty()) {
    why_ = end_of_node(status, complaints_) + (is_launch() ? " before the job was started" : " before the process was boxed");
  }
}

// Node does not hear what asks for the end.
void Wrapper::pass_on() {
  if (unheard_ms_ == 0 || monotonic_ms() < unheard_ms_) return;
  const double now = monotonic_ms();
  unheard_ms_ = 0;
  if (!box_.started) {
    // There is no job yet, and there will be none.
    told_ = true;
    signal_ = asked_.back();
    status_ = 128 + signal_;
    if (front_.node > 0) kill(front_.node, SIGKILL);
    return;
  }
  const SignalBody body{asked_.back(), 0};
  const bool kill_now = std::count(asked_.begin(), asked_.end(), SIGINT) > 1 || passed_;
  passed_ = true;
  asked_.clear();
  const double kill_at = now + (kill_now ? 0 : front_.options.grace_ms);
  const DeadlineBody deadline{0, kill_at, 0, body.signal, 1};
  if (!kill_now) front_.link.send(Request::signal, 0, &body, sizeof body);
  front_.link.send(Request::deadline, 0, &deadline, sizeof deadline);
  if (kill_ms_ == 0 || kill_at + kActMs < kill_ms_) kill_ms_ = kill_at + kActMs;
  say("warning", "Node does not answer; the keeper ends the job");
}

// Without the keeper's help: first what is below it, so that it can reap and tell; then itself and its guard, and what they
// leave comes to us.
void Wrapper::kill_box(const char* why) {
  if (box_.over || !is_launch() || front_.helper < 0) return;
  if (kills_++ == 0) say("error", std::string(why) + ": the job is killed");
  const std::vector<Descendant> below = descendants(front_.helper);
  const int keeper = below.empty() ? -1 : below.front().pid;
  if (keeper > 0) kill_tree(keeper);
  for (const int pid : {keeper, front_.helper})
    if (pid > 0) kill(pid, kills_ > 1 ? SIGKILL : SIGCONT);
  kill_ms_ = monotonic_ms() + kActMs;
}

void Wrapper::on_time() {
  const double now = monotonic_ms();
  go_on(node_, front_.node);
  go_on(helper_, front_.helper);
  pass_on();
  if (kill_ms_ > 0 && now >= kill_ms_) {
    kill_ms_ = 0;
    kill_box("the keeper does not answer");
  }
  if (bound_ms_ > 0 && now >= bound_ms_ + kActMs) {
    bound_ms_ = 0;
    // With nobody left the keeper only waits for the reader of what the job has written.
    if (descendants(front_.helper).size() > 1) kill_box("the job is over its time and the keeper does not answer");
  }
  if (front_.node > 0 && end_ms_ > 0 && now >= end_ms_) {
    end_ms_ = 0;
    kill(front_.node, SIGKILL);
  }
  if (!is_launch() || box_.started || told_ || front_.node < 0 || node_.stopped_ms > 0) return;
  if (now < look_ms_) return;
  look_ms_ = now + kLookMs;
  if (!progress_.is_stuck(front_.node, now)) return;
  why_ = "Node does not get on with its start; is the nproc limit reached?";
  kill(front_.node, SIGKILL);
}

int Wrapper::poll_ms() {
  const double now = monotonic_ms();
  double next = HUGE_VAL;
  for (const double at : {unheard_ms_, bound_ms_ > 0 ? bound_ms_ + kActMs : 0, kill_ms_, front_.node > 0 ? end_ms_ : 0,
                          node_.stopped_ms > 0 ? node_.stopped_ms + kStopPatienceMs : 0,
                          helper_.stopped_ms > 0 ? helper_.stopped_ms + kStopPatienceMs : 0})
    if (at > 0) next = std::min(next, at);
  if (is_launch() && !box_.started && !told_ && front_.node > 0) next = std::min(next, std::max(look_ms_, now + 1));
  if (next == HUGE_VAL) return -1;
  return static_cast<int>(std::clamp(std::ceil(next - now), 0.0, 3600e3));
}

void Wrapper::end() {
  if (status_ < 0 || status_ > 255) status_ = 125;
  front_.end(status_, signal_);
}

std::string Wrapper::run() {
  look_ms_ = monotonic_ms() + kLookMs;
  for (;;) {
    const bool adopted = front_.options.adopts();
    pollfd entries[3] = {{front_.signals, POLLIN, 0}, {channel_.fd(), POLLIN, 0}, {adopted ? -1 : front_.link.fd(), POLLIN, 0}};
    if (poll(entries, 3, poll_ms()) < 0 && errno != EINTR) break;
    if (entries[1].revents) {
      hear();
      if (entries[1].revents & POLLHUP) channel_.forget();  // SIGCHLD follows
    }
    if (entries[2].revents) keeper_events();
    if (entries[0].revents) signals();
    if (!why_.empty() && !told_) return why_;
    on_time();
    if (told_ && front_.node < 0) end();
  }
  say("error", std::string("poll: ") + std::strerror(errno));
  front_.end(125, 0);
}

}  // namespace

std::string run_with_node(Front& front, int channel, int complaints) { return Wrapper(front, channel, complaints).run(); }

}  // namespace pbox
