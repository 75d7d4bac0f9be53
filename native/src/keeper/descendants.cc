#include "keeper/descendants.h"

#include <algorithm>
#include <csignal>
#include <set>
#include <unistd.h>

#include "keeper/rlimits.h"
#include "proc/clock.h"
#include "proc/disposition.h"
#include "proc/tree.h"

namespace pbox {
namespace {

// Between two looks for those whose parent has ended after it was asked to end; of a large box at most a tenth of the time.
constexpr double kRoundMs = 20;
constexpr double kRoundShare = 10;

}  // namespace

int Descendants::signal(int signal) const { return signal_tree(getpid(), signal, false); }

int Descendants::suspend() {
  suspended_ = true;
  const bool frozen = cgroup_.freeze();
  const int count = signal_tree(getpid(), frozen ? 0 : SIGSTOP, true);  // signal 0 only counts
  if (!frozen) await_stopped(descendants(getpid()));
  return count;
}

int Descendants::resume() {
  suspended_ = false;
  const bool frozen = cgroup_.frozen();
  cgroup_.thaw();
  return signal(frozen ? 0 : SIGCONT);
}

PauseReply Descendants::pause(bool reached, int job) {
  std::set<int> met;
  std::vector<Descendant> stopping;
  for (bool fresh = true; fresh;) {
    fresh = false;
    for (const Descendant& process : descendants(getpid())) {
      if (!met.insert(process.pid).second) continue;
      fresh = true;
      if (leaves_to_default(process, SIGTSTP)) {
        if (signal_member(process, SIGSTOP) == 0) stopping.push_back(process);
      } else if (process.group == job && !reached) {
        signal_member(process, SIGTSTP);
      }
    }
  }
  const bool all = stopping.size() == met.size() && await_stopped(stopping) && !stopping.empty();
  return {static_cast<int32_t>(stopping.size()), all};
}

int Descendants::signal_group(int signal, int job, bool main_ended) const {
  if (!main_ended) return ::kill(-job, signal) == 0 ? 1 : 0;
  int count = 0;
  for (const Descendant& process : descendants(getpid()))
    if (process.group == job) count += signal_member(process, signal) == 0;
  return count;
}

int Descendants::kill() {
  killed_ = true;
  const int at_once = cgroup_.kill();
  const int met = signal_tree(getpid(), SIGKILL, true);
  if (at_once < 0) cgroup_.thaw();  // v1: SIGKILL waits for it
  return std::max(at_once, met);
}

int Descendants::stop(const StopBody& request, int job, bool main_ended, int session) {
  // Looked at before the signal: a parent that dies of it would take its children out of the walk.
  const std::vector<Descendant> all = descendants(getpid());
  switch (static_cast<StopHow>(request.how)) {
    case StopHow::group:
      if (signal_group(request.signal, job, main_ended) == 0) return 0;
      return ladder_.beside_main(all, job, job, request.signal);
    case StopHow::forward:
      ladder_.noted(all, job, job);
      return signal_group(request.signal, job, main_ended);
    case StopHow::rest:
    case StopHow::spare:
      ladder_.leave_rest(request.signal, job, session, static_cast<StopHow>(request.how) == StopHow::spare);
      next_round_ms_ = monotonic_ms() + kRoundMs;
      return ladder_.round(all);
  }
  return 0;
}

void Descendants::ask_rest() {
  const double now = monotonic_ms();
  if (!ladder_.asking() || killed_ || now < next_round_ms_) return;
  ladder_.round(descendants(getpid()));
  const double took = monotonic_ms() - now;
  next_round_ms_ = now + took + std::max(kRoundMs, took * kRoundShare);
}

int Descendants::next_round_ms() const {
  if (!ladder_.asking() || killed_) return -1;
  return std::max(0, static_cast<int>(next_round_ms_ - monotonic_ms()) + 1);
}

RlimitReply Descendants::set_rlimit(const RlimitWire& wanted) const {
  return reply_of(rlimit_set_all([] { return descendants(getpid()); }, change_of(wanted)));
}

}  // namespace pbox
