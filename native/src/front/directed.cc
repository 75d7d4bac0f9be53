// The front end while Node or an agent directs the box: theory of operation
//
// Node decides, the keeper acts, and this process waits. It passes signals to Node, and ends with the outcome that Node reports.
// An agent takes the place of Node: the keeper passes the messages on. If it does not answer (answer.h), Node is started. If it is
// lost later, this process does what is needed by itself (alone.h) until the next agent has taken over.
// This process also handles four faults:
//   Node ends without an outcome: before the job has started, the job runs without Node or not at all; later the keeper ends
//   the box.
//   Another process stops Node or the guard: this process resumes them.
//   Node does not acknowledge a signal that asks for the end: this process passes it to the keeper.
//   The keeper does not act in time: this process kills the box itself.
// directed_timers.cc has the last three.
#include "front/directed.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "front/alone.h"
#include "front/say.h"
#include "front/stop_group.h"
#include "proc/clock.h"
#include "proc/outlet.h"
#include "wire/signals.h"

namespace pbox {
namespace {

constexpr double kHearMs = 5000;  // for Node to acknowledge a signal; a busy Node takes longer than usual
constexpr double kAgentEndMs = 1000;  // the same for an agent, which has nothing left to load
constexpr size_t kUnheardMax = 256;  // signals that do not ask for the end
constexpr double kEndMs = 30000;  // for Node to end after the job, in addition to --flush
}  // namespace

void Directed::handle(const NodeMessage& message, const std::string& text) {
  switch (static_cast<NodeMessageType>(message.type)) {
    case NodeMessageType::outcome:
      outcome_known_ = true;
      status_ = message.first;
      signal_ = message.second;
      end_ms_ = monotonic_ms() + kActMs;
      return;
    case NodeMessageType::signals_seen:
      return heard(message.first);
    case NodeMessageType::end_bound:
      bound_ms_ = message.ms;
      return;
    case NodeMessageType::flush_time:
      flush_ms_ = rules_.flush_ms = message.ms;
      return;
    case NodeMessageType::say:
      return Outlet::standard_error().write(text);
    case NodeMessageType::stop_group:
      if (!stop_own_group() && message.first == SIGTSTP) front_.keeper.send(Request::resume, 0, nullptr, 0);
      return;
    case NodeMessageType::rules:
      rules_.stop_signal = message.first;
      rules_.linger = (message.second & kRuleLinger) != 0;
      rules_.reraise = (message.second & kRuleReraise) != 0;
      rules_.grace_ms = message.ms;
      return;
    case NodeMessageType::boxed:
      if (!front_.options.detach) return;
      outcome_known_ = true;
      status_ = 0;
      return;
    case NodeMessageType::unable:
      no_box_reason_ = text;
      return;
    case NodeMessageType::hold_open:
      return;
    case NodeMessageType::release_stderr: {
      const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
      if (null >= 0) dup2(null, 2), close(null);
      return;
    }
  }
}

void Directed::read_messages() {
  NodeMessage message;
  for (std::string text; channel_.next(message, text);) handle(message, text);
}

void Directed::keeper_events() {
  const bool emptied = box_.read();
  for (const auto& [message, text] : std::exchange(box_.messages, {})) handle(message, text);
  if (emptied && end_ms_ == 0) end_ms_ = monotonic_ms() + flush_ms_ + (by_agent_ ? kAgentEndMs : kEndMs);
  if (box_.agent == AgentState::asked) answer_.asked(monotonic_ms());
  if (box_.agent == AgentState::lost && !outcome_known_) agent_lost();
  if (by_agent_ && is_launch() && box_.over && !outcome_known_) front_.end_without_keeper();
}

// Returns when the next agent has taken over.
void Directed::agent_lost() {
  if (front_.options.adopts()) {  // its keeper does what is due
    if (!unheard_end_signals().empty()) released();
    return;
  }
  const std::vector<Delivery> for_next = run_alone(front_, rules_, std::exchange(unheard_, {}));
  box_.agent = AgentState::there;
  unheard_until_ms_ = bound_ms_ = end_ms_ = 0;
  for (const Delivery& delivery : for_next) deliver(delivery);
}

void Directed::deliver(const Delivery& delivery) {
  const bool ends = asks_for_end(delivery.signal);
  if (ends || unheard_.size() < kUnheardMax) unheard_.push_back(delivery);
  if (unheard_until_ms_ == 0 && is_launch() && ends) unheard_until_ms_ = monotonic_ms() + kHearMs;
  if (by_agent_) front_.keeper.send(Request::delivery, 0, &delivery, sizeof delivery);
  else channel_.send(delivery);
}

// An agent acknowledges each signal, and Node all that it has read.
void Directed::heard(int signal) {
  const auto found = std::find_if(unheard_.begin(), unheard_.end(), [signal](const Delivery& one) { return one.signal == signal; });
  if (signal == 0) unheard_.clear();
  else if (found != unheard_.end()) unheard_.erase(found);
  if (unheard_end_signals().empty()) unheard_until_ms_ = 0;
}

std::vector<int> Directed::unheard_end_signals() const {
  std::vector<int> signals;
  for (const Delivery& one : unheard_)
    if (asks_for_end(one.signal)) signals.push_back(one.signal);
  return signals;
}

void Directed::signalled(const signalfd_siginfo& info) {
  const int signal = static_cast<int>(info.ssi_signo), sender = static_cast<int>(info.ssi_pid);
  // The guard or the keeper has resumed us.
  if (signal == SIGCONT && sender == front_.helper) return;
  if (asks_for_end(signal)) front_.end_signals.push_back(signal);
  if (is_tool()) {
    if (front_.node > 0 && signal != SIGCONT) kill(front_.node, signal);
    return;
  }
  if (box_.agent == AgentState::lost && asks_for_end(signal)) return released();
  deliver({signal, sender, info.ssi_uid, 0, monotonic_ms()});
}

void Directed::released() {
  say("warning", "the agent is not there; it goes on with this box when it is back");
  outcome_known_ = true;
  status_ = 0;
}

void Directed::signals() {
  signalfd_siginfo info;
  bool child = false;
  while (read(front_.signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGCHLD) child = true;
    else signalled(info);
  }
  if (child) reap();
}

// Reaps any child: as PID 1 of a container we inherit processes whose parents have ended.
void Directed::reap() {
  int status = 0;
  for (int pid; (pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0 || (pid < 0 && errno == EINTR);) {
    if (pid == front_.node) changed(node_, pid, status);
    else if (pid == front_.helper) changed(helper_, pid, status);
  }
}

void Directed::changed(Watched& process, int pid, int status) {
  if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
    process.stopped_ms = WIFSTOPPED(status) ? monotonic_ms() : 0;
    return;
  }
  if (pid == front_.helper) {
    front_.helper_ended(status);
    keeper_events();
    if (by_agent_ && front_.options.adopts() && !outcome_known_) keeper_left();
    if (front_.helper_killed && box_.over && is_launch()) front_.kill_left();
    return;
  }
  front_.node = -1;
  read_messages();
  node_ended(status);
}

// The keeper of an adopted process has not waited for an agent any longer, or was killed.
void Directed::keeper_left() {
  if (front_.job.empty) return end_without_agent();
  outcome_known_ = true;
  say("error", "the keeper has died; the process goes on alone");
}

void Directed::node_ended(int status) {
  if (outcome_known_) return;
  front_.terminal.restore();
  const bool asked = WIFSIGNALED(status) && std::find(front_.end_signals.begin(), front_.end_signals.end(), WTERMSIG(status)) != front_.end_signals.end();
  keeper_events();
  if (asked && (is_tool() || !box_.started)) {
    outcome_known_ = true;
    status_ = 128 + WTERMSIG(status);
    signal_ = WTERMSIG(status);
  } else if (is_tool()) {
    outcome_known_ = true;
    say("error", end_of_node(status, startup_stderr_) + " before \"proc_box " + front_.options.verb + "\" was done");
  } else if (is_launch() && box_.started) {
    outcome_known_ = true;
    // If the main process had ended before Node, its status is known.
    const bool known = front_.job.main_ended();
    if (known) status_ = front_.job.exit_status();
    say("error", end_of_node(status, startup_stderr_) + (known ? "; the job had ended, but its last statistics are lost" : "; the job was ended with it"));
  } else if (no_box_reason_.empty()) {
    no_box_reason_ = end_of_node(status, startup_stderr_) + (is_launch() ? " before the job was started" : " before the process was boxed");
  }
}

void Directed::end() {
  if (status_ < 0 || status_ > 255) status_ = 125;
  front_.end(status_, signal_);
}

std::string Directed::run() {
  look_ms_ = monotonic_ms() + kLookMs;
  for (;;) {
    const bool adopted = front_.options.adopts();
    const auto overdue = [this] { return by_agent_ && !is_answered() && answer_.overdue(monotonic_ms()); };
    if (overdue()) keeper_events();  // the answer may wait here, and its job be running
    if (overdue() || (by_agent_ && !is_answered() && box_.agent == AgentState::refused)) return "no agent";
    // Signals that come before an agent has answered are for Node if it does not.
    pollfd entries[3] = {{is_answered() ? front_.signals : -1, POLLIN, 0}, {channel_.fd(), POLLIN, 0}, {adopted && !by_agent_ ? -1 : front_.keeper.fd(), POLLIN, 0}};
    if (poll(entries, 3, poll_ms()) < 0 && errno != EINTR) break;
    if (entries[1].revents) {
      read_messages();
      if (entries[1].revents & POLLHUP) channel_.forget();  // SIGCHLD follows
    }
    if (entries[2].revents) keeper_events();
    if (entries[0].revents) signals();
    // No signal tells of a Node that has ended before we took the signals.
    if (front_.node > 0 && !has_looked_) {
      has_looked_ = true;
      reap();
    }
    if (!no_box_reason_.empty() && !outcome_known_) return no_box_reason_;
    on_time();
    if (outcome_known_ && front_.node < 0) end();
  }
  say("error", std::string("poll: ") + std::strerror(errno));
  front_.end(125, 0);
}

}  // namespace pbox
