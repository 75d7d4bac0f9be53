// The front end acts when Node, an agent, the keeper or the guard does not act in time.
#include <algorithm>
#include <cmath>
#include <csignal>

#include "front/say.h"
#include "front/directed.h"
#include "proc/clock.h"
#include "proc/tree.h"
#include "wire/protocol.h"

namespace pbox {
namespace {

constexpr int kUnknownStatus = 123;  // the kernel has not told how an adopted process ended: src/box/outcome.ts

}  // namespace

void Directed::resume_stopped(Watched& process, int pid) {
  if (process.stopped_ms == 0 || pid < 0 || monotonic_ms() - process.stopped_ms < kStopToleranceMs) return;
  process.stopped_ms = 0;
  if (process.stops.too_many(monotonic_ms())) kill_box("its wrapper has been stopped too often");
  kill(pid, SIGCONT);
}

// Node has not acknowledged a signal that asks for the end.
void Directed::forward_unheard() {
  if (unheard_until_ms_ == 0 || monotonic_ms() < unheard_until_ms_) return;
  const double now = monotonic_ms();
  const std::vector<int> signals = unheard_end_signals();
  unheard_until_ms_ = 0;
  if (!box_.started) {
    // The job has not started, and will not.
    outcome_known_ = true;
    signal_ = signals.back();
    status_ = 128 + signal_;
    if (front_.node > 0) kill(front_.node, SIGKILL);
    return;
  }
  const SignalBody body{signals.back(), 0};
  const bool kill_now = std::count(signals.begin(), signals.end(), SIGINT) > 1 || forwarded_;
  forwarded_ = true;
  unheard_.clear();
  const double grace_ms = by_agent_ ? rules_.grace_ms : front_.options.grace_ms, kill_at = now + (kill_now ? 0 : grace_ms);
  const DeadlineBody deadline{0, kill_at, 0, body.signal, 1};
  if (!kill_now) front_.keeper.send(Request::signal, 0, &body, sizeof body);
  front_.keeper.send(Request::deadline, 0, &deadline, sizeof deadline);
  if (kill_ms_ == 0 || kill_at + kActMs < kill_ms_) kill_ms_ = kill_at + kActMs;
  say("warning", std::string(by_agent_ ? "the agent" : "Node") + " does not answer; the keeper ends the job");
}

// Kills the box without the keeper's help: first the processes below the keeper, so that it can reap and report them. If that is
// not enough, the next call kills the keeper and its guard, and we inherit the remaining processes.
void Directed::kill_box(const char* why) {
  if (box_.over || !is_launch() || front_.helper < 0) return;
  if (kills_++ == 0) say("error", std::string(why) + ": the job is killed");
  const std::vector<Descendant> below = descendants(front_.helper);
  const int keeper = below.empty() ? -1 : below.front().pid;
  if (keeper > 0) kill_tree(keeper);
  for (const int pid : {keeper, front_.helper})
    if (pid > 0) kill(pid, kills_ > 1 ? SIGKILL : SIGCONT);
  kill_ms_ = monotonic_ms() + kActMs;
}

// The job has ended, and its agent does not answer.
void Directed::end_without_agent() {
  say("warning", "the agent does not answer: the last statistics of this job may be lost");
  outcome_known_ = true;
  status_ = front_.job.exit_status();
  if (front_.options.adopts() && status_ < 0) status_ = kUnknownStatus;
  signal_ = rules_.reraise && front_.job.signal > 0 ? front_.job.signal : 0;
}

void Directed::on_time() {
  const double now = monotonic_ms();
  resume_stopped(node_, front_.node);
  resume_stopped(helper_, front_.helper);
  forward_unheard();
  if (kill_ms_ > 0 && now >= kill_ms_) {
    kill_ms_ = 0;
    kill_box("the keeper does not answer");
  }
  if (bound_ms_ > 0 && now >= bound_ms_ + kActMs) {
    bound_ms_ = 0;
    // If no process of the box is left, the keeper only waits for the reader of stdout.
    if (descendants(front_.helper).size() > 1) kill_box("the job has exceeded its time and the keeper does not answer");
  }
  if (end_ms_ > 0 && now >= end_ms_) {
    end_ms_ = 0;
    if (front_.node > 0) kill(front_.node, SIGKILL);
    else if (by_agent_ && !outcome_known_) end_without_agent();
  }
  if (!is_launch() || box_.started || outcome_known_ || front_.node < 0 || node_.stopped_ms > 0) return;
  if (now < look_ms_) return;
  look_ms_ = now + kLookMs;
  if (!progress_.is_stuck(front_.node, now)) return;
  no_box_reason_ = "Node makes no progress with its start; is the nproc limit reached?";
  kill(front_.node, SIGKILL);
}

int Directed::poll_ms() {
  const double now = monotonic_ms();
  double next = HUGE_VAL;
  for (const double at : {unheard_until_ms_, bound_ms_ > 0 ? bound_ms_ + kActMs : 0, kill_ms_, front_.node > 0 || by_agent_ ? end_ms_ : 0,
                          is_answered() ? 0 : answer_.by_ms(),
                          node_.stopped_ms > 0 ? node_.stopped_ms + kStopToleranceMs : 0,
                          helper_.stopped_ms > 0 ? helper_.stopped_ms + kStopToleranceMs : 0})
    if (at > 0) next = std::min(next, at);
  if (is_launch() && !box_.started && !outcome_known_ && front_.node > 0) next = std::min(next, std::max(look_ms_, now + 1));
  if (next == HUGE_VAL) return -1;
  return static_cast<int>(std::clamp(std::ceil(next - now), 0.0, 3600e3));
}

}  // namespace pbox
