// The wrapper of an adopted box, and the time without one.
//
// Node is a process of the same user that hosts only this box. If it goes, the processes go on within their limits, and the keeper
// stays only to remove the box's control groups.
// An agent may go at any time, and another one come. Until then the keeper holds the deadline, the end of the main process begins the
// stop ladder for the rest, and a suspended box is resumed after a while, because nobody else could do so. At the end the keeper
// waits for an agent as long as --flush says.
#include <cerrno>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include "keeper/adopted.h"
#include "keeper/start.h"
#include "proc/clock.h"
#include "wire/channel.h"

namespace pbox {
namespace {

constexpr int kExecMs = 10;      // between looks for the awaited exec
constexpr int kEndMs = 20;       // between looks for the end of the processes that outlive the main process
constexpr int kLookMs = 1000;    // between looks for processes if no group lists them
constexpr int kNoPidfdMs = 100;  // between looks for the end of a main process without a pidfd
constexpr double kResumeMs = 30000;  // how long a suspended box waits for the next agent

}  // namespace

// `hello` holds the passwords, so nothing of it stays here.
void Adopted::tell_node() {
  std::string hello = hello_body(caller_, 0, HelloTo::node);
  node_.send(Event::hello, 0, hello.data(), hello.size());
  explicit_bzero(hello.data(), hello.size());
  erase_settings(caller_.words);
  show_process();
}

// The keeper needs some of the messages itself: it outlives the front end.
bool Adopted::takes(const NodeMessage& message, Reader text) {
  const auto type = static_cast<NodeMessageType>(message.type);
  if (type == NodeMessageType::boxed) boxed_ = true;
  if (type == NodeMessageType::flush_time) flush_ms_ = message.ms;
  if (type == NodeMessageType::rules) {
    stop_signal_ = message.first;
    linger_ = (message.second & kRuleLinger) != 0;
    grace_ms_ = message.ms;
  }
  const bool is_logged = type == NodeMessageType::say && log_ && boxed_;
  if (is_logged) log_->write(text.rest());
  return is_logged;
}

// The agent does not serve this box: Node makes it, and opens its own files.
void Adopted::use_node() {
  if (ever_begun_) return;
  Invocation& words = caller_.words;
  log_ = nullptr;
  if (words.pid_fd >= 0) close(std::exchange(words.pid_fd, -1));
  drop_agent(setup_.node);
  tell_node();
}

void Adopted::node_gone() {
  node_.close();
  if (agent_.used() && !agent_.is_done()) agent_gone();
  else wrapper_gone();
}

void Adopted::agent_gone() {
  if (!ever_begun_ && front_.fd() >= 0) return front_.tell(Event::agent, AgentState::refused);
  lost_ms_ = monotonic_ms();
  agent_.lost(lost_ms_);
  deadline_.has_wrapper(false);
  front_.tell(Event::agent, AgentState::lost);
  if (ended_ && !empty_) end_rest();
}

// The rest of the box, which the main process has left behind.
void Adopted::end_rest() {
  if (linger_ || agent_.is_done()) return;
  processes_.stop({stop_signal_, static_cast<uint32_t>(StopHow::rest), 0, 0}, main(), 0);
  deadline_.set({0, monotonic_ms() + grace_ms_, 0, stop_signal_, 1});
}

// Before the box is in force, nobody needs it any more.
void Adopted::front_gone() {
  front_.close();
  if (!ever_begun_) wrapper_gone();
}

// Nothing could resume the box or change its deadline any more.
void Adopted::wrapper_gone() {
  node_.close();
  agent_.done();
  if (!agent_.has_left()) deadline_ = {};
  if (processes_.suspended()) processes_.resume();
  if (cgroup_.cleanup.empty() && !processes_.killed() && !agent_.has_left()) leave();
}

void Adopted::find_agent() {
  const int fd = node_.fd() < 0 && agent_.used() && !agent_.is_done() ? agent_.find(monotonic_ms()) : -1;
  if (fd < 0) return;
  node_ = WrapperConnection(fd, Speaks::agent);
  deadline_.has_wrapper(true);
  lost_ms_ = 0;
  if (std::exchange(resumed_, false)) processes_.suspend();
  // What an agent was given nothing to keep of, the next one begins anew.
  const bool resumes = agent_.has_kept();
  begun_ = resumes;
  agent_.introduce(node_, caller_, 0, setup_.front_pid, resumes);
  if (!resumes) return show_process();
  node_.send(Event::process, 0, shown_.data(), shown_.size());
  agent_.resume(node_, {main_.pid, ended_, 0, 0, started_ms_, 0, expired_ms_});
  tell_holds();
  if (ended_) node_.tell(Event::exited, exited_);
  if (empty_) node_.tell(Event::empty, usage());
}

void Adopted::without_agent() {
  if (lost_ms_ == 0 || resumed_ || !processes_.suspended() || monotonic_ms() - lost_ms_ < kResumeMs) return;
  resumed_ = true;
  processes_.resume();
}

bool Adopted::may_leave() {
  if (node_.fd() >= 0 || !over()) return false;
  if (agent_.used() && agent_.searching() && !empty_) emptied();
  return !agent_.searching() || monotonic_ms() >= lost_ms_ + flush_ms_;
}

void Adopted::leave() {
  const Invocation& words = caller_.words;
  cgroup_.remove();
  Outlet::drain_all(Outlet::kExitDrainMs);
  if (words.pid_fd >= 0) unlink(words.pid_file.c_str());
  _exit(0);
}

int Adopted::timeout() {
  if (processes_.killed() || (ended_ && !empty_ && (node_.fd() >= 0 || agent_.searching()))) return kEndMs;
  if (begun_ && !started_) return kExecMs;
  const bool watched = ended_ || main_.pid == 0;
  const int look = pidfd_ < 0 && !watched ? kNoPidfdMs : listed_ && node_.fd() >= 0 ? -1 : kLookMs;
  const double now = monotonic_ms();
  return sooner(held_wait_ms(), sooner(sooner(sooner(look, output_.next_look_ms()), deadline_.wait_ms(now)), agent_.searching() ? agent_.wait_ms(now) : -1));
}

void Adopted::run() {
  double looked_ms = monotonic_ms();
  for (;;) {
    // A process that ends before the box is in force is found then.
    const bool watches = !ended_ && (begun_ || node_.fd() < 0);
    pollfd entries[3] = {{node_.fd(), node_.events(), 0}, {watches ? pidfd_ : -1, POLLIN, 0}, {front_.fd(), front_.events(), 0}};
    if (poll(entries, 3, patience(timeout())) < 0 && errno != EINTR) _exit(125);
    notice_hold();
    node_.flush();
    front_.flush();
    if (begun_ && !started_ && !ended_) look_for_exec();
    if (watches && (entries[1].revents || (pidfd_ < 0 && !main_alive()))) main_ended();
    tell_output();
    find_agent();
    without_agent();
    on_deadline();
    if (!listed_ && monotonic_ms() - looked_ms >= kLookMs) {
      looked_ms = monotonic_ms();
      processes_.look();
    }
    if (processes_.killed() && !empty_) kill_all();
    check_end();
    check_survivors();
    sample();
    if (node_.fd() >= 0 && (entries[0].revents & ~POLLOUT) && !receive(node_)) node_gone();
    if (front_.fd() >= 0 && (entries[2].revents & ~POLLOUT) && !receive(front_)) front_gone();
    if (may_leave()) leave();
  }
}

void keep_adopted(const KeeperSetup& setup, Invocation& words) { Adopted(setup, words).run(); }

}  // namespace pbox
