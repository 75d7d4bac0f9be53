#include "keeper/processes.h"

#include <algorithm>
#include <csignal>
#include <set>

#include "keeper/rlimits.h"
#include "proc/clock.h"
#include "proc/disposition.h"

namespace pbox {
namespace {

// The time between two looks for processes whose parent has ended after it was asked to. In a large box the looks take at most
// a tenth of the time.
constexpr double kRoundMs = 20;
constexpr double kRoundShare = 10;

}  // namespace

bool Processes::has(int pid) {
  const std::vector<Descendant> all = look();
  return std::any_of(all.begin(), all.end(), [pid](const Descendant& one) { return one.pid == pid; });
}

int Processes::signal(int signal) { return signal_once(looking(), signal, 0); }

int Processes::suspend() {
  suspended_ = true;
  const bool frozen = cgroup_.freeze();
  const int count = signal_until_stable(looking(), frozen ? 0 : SIGSTOP);  // signal 0 only counts
  if (!frozen) await_stopped(look());
  return count;
}

int Processes::resume() {
  suspended_ = false;
  const bool frozen = cgroup_.frozen();
  cgroup_.thaw();
  return signal(frozen ? 0 : SIGCONT);
}

PauseReply Processes::pause(bool reached, int group) {
  std::set<int> met;
  std::vector<Descendant> stopping;
  for (bool fresh = true; fresh;) {
    fresh = false;
    for (const Descendant& process : look()) {
      if (!met.insert(process.pid).second) continue;
      fresh = true;
      if (leaves_to_default(process, SIGTSTP)) {
        if (signal_member(process, SIGSTOP) == 0) stopping.push_back(process);
      } else if (process.group == group && !reached) {
        signal_member(process, SIGTSTP);
      }
    }
  }
  const bool all = stopping.size() == met.size() && await_stopped(stopping) && !stopping.empty();
  return {static_cast<int32_t>(stopping.size()), all};
}

int Processes::signal_group(int signal, const MainProcess& main) { return signal_once(looking(), signal, main.group); }

int JobProcesses::signal_group(int signal, const MainProcess& main) {
  if (main.ended) return Processes::signal_group(signal, main);
  return ::kill(-main.group, signal) == 0 ? 1 : 0;
}

int Processes::kill() {
  killed_ = true;
  const int at_once = cgroup_.kill();
  const int met = signal_until_stable(looking(), SIGKILL);
  if (at_once < 0) cgroup_.thaw();  // in v1, SIGKILL takes effect only after the thaw
  return std::max(at_once, met);
}

int Processes::stop(const StopBody& request, const MainProcess& main, int session) {
  // Look before signalling: a parent that dies of the signal would hide its children from the walk.
  const std::vector<Descendant> all = look();
  const auto how = static_cast<StopHow>(request.how);
  switch (how) {
    case StopHow::group:
      if (signal_group(request.signal, main) == 0) return 0;
      return ladder_.ask_group(all, main.pid, main.group, request.signal);
    case StopHow::forward:
      ladder_.note_group(all, main.pid, main.group);
      return signal_group(request.signal, main);
    case StopHow::rest:
    case StopHow::spare:
      ladder_.begin_rest(request.signal, main.group, session, how == StopHow::spare);
      next_round_ms_ = monotonic_ms() + kRoundMs;
      return ladder_.round(all);
  }
  return 0;
}

void Processes::ask_rest() {
  const double now = monotonic_ms();
  if (!ladder_.asking() || killed_ || now < next_round_ms_) return;
  ladder_.round(look());
  const double took = monotonic_ms() - now;
  next_round_ms_ = now + took + std::max(kRoundMs, took * kRoundShare);
}

int Processes::next_round_ms() const {
  if (!ladder_.asking() || killed_) return -1;
  return std::max(0, static_cast<int>(next_round_ms_ - monotonic_ms()) + 1);
}

RlimitReply Processes::set_rlimit(const RlimitWire& wanted) {
  return reply_of(rlimit_set_all(looking(), change_of(wanted)));
}

}  // namespace pbox
