#include "keeper/ladder.h"

#include <csignal>
#include <set>

#include "proc/clock.h"
#include "proc/disposition.h"

namespace pbox {

void Ladder::witnessed(int signal) {
  if (signal != SIGTERM && signal != SIGINT && signal != SIGQUIT) return;
  witnessed_signal_ = signal;
  witnessed_ticks_ = boot_ticks();
}

const Ladder::Asked* Ladder::find(const Member& member) const {
  const auto found = asked_.find(member.pid);
  return found != asked_.end() && found->second.start == member.start ? &found->second : nullptr;
}

// Returns 1, or 0 if the process has ended in the meantime.
int Ladder::ask(const Descendant& process, int signal) {
  const bool in_vain = refuses(process, signal);
  const bool sent = signal_member(process, in_vain ? SIGKILL : signal) == 0;
  // A stopped process handles no signal except SIGKILL.
  if (sent && !in_vain && process.state == 'T') signal_member(process, SIGCONT);
  note(process, in_vain);
  return sent;
}

int Ladder::ask_group(const std::vector<Descendant>& all, int main, int group, int signal) {
  round_++;
  int count = 0;
  for (const Descendant& process : all) {
    const bool in_group = process.group == group;
    if (process.pid == main || (in_group && !refuses(process, signal))) {
      if (process.state == 'T') signal_member(process, SIGCONT);
      if (process.pid != main && !find(process)) note(process, false);
      count++;
    } else if (!find(process) && (in_group || refuses(process, SIGTERM))) {
      count += ask(process, SIGTERM);
    }
  }
  return count;
}

void Ladder::note_group(const std::vector<Descendant>& all, int main, int group) {
  round_++;
  for (const Descendant& process : all)
    if (process.pid != main && process.group == group && !find(process)) note(process, false);
}

void Ladder::begin_rest(int signal, int group, int session, bool spare) {
  rest_signal_ = signal;
  group_ = group;
  session_ = session;
  spare_ = spare;
}

// A scheduler's signal reaches every process that exists then. If we forwarded it, it reached the job's group. A process that
// saves its work on a SIGINT would not survive a SIGTERM on top.
bool Ladder::had_signal(const Descendant& process) const {
  if (witnessed_signal_ == 0) return spare_ && process.group == group_;
  if (session_ != 0 && process.session != session_) return false;
  return spare_ || (process.start <= witnessed_ticks_ && !refuses(process, witnessed_signal_));
}

int Ladder::round(const std::vector<Descendant>& all) {
  round_++;
  int count = 0;
  std::set<int> left;  // processes that are ending, with the children that they have forked since
  for (const Descendant& process : all) {
    const Asked* before = find(process);
    if (before) {
      if (!before->killed) left.insert(process.pid);
    } else if (left.count(process.parent) != 0) {
      left.insert(process.pid);
    } else if (had_signal(process)) {
      note(process, false);
      left.insert(process.pid);
    } else {
      // Not added to `left`, so that this round also asks the children that it had before.
      count += ask(process, rest_signal_);
    }
  }
  return count;
}

}  // namespace pbox
