#include "keeper/stopped.h"

#include <csignal>

namespace pbox {

bool is_stopped(int pid) {
  ProcessStat now;
  return read_process(pid, now) && now.state == 'T';
}

bool all_stopped(int wrapper, const std::vector<Descendant>& box) {
  if (!is_stopped(wrapper)) return false;
  ProcessStat now;
  bool any = false;
  for (const Descendant& process : box) {
    if (!read_process(process.pid, now) || now.dead) continue;
    if (now.state != 'T') return false;
    any = true;
  }
  return any;
}

void wake(int pid) {
  if (is_stopped(pid)) kill(pid, SIGCONT);
}

}  // namespace pbox
