#include "descendants.h"

#include <csignal>
#include <unistd.h>

#include "rlimit.h"
#include "tree.h"

namespace pbox {

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

int Descendants::kill() {
  killed_ = true;
  const bool at_once = cgroup_.kill();
  const int count = signal_tree(getpid(), SIGKILL, true);
  if (!at_once) cgroup_.thaw();  // v1: SIGKILL waits for it
  return count;
}

RlimitReply Descendants::set_rlimit(const RlimitWire& wanted) const { return rlimit_set_tree(getpid(), wanted); }

}  // namespace pbox
