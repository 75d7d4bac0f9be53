#include "proc/kill_group.h"

#include <vector>

#include "proc/text_file.h"
#include "proc/tree.h"

namespace pbox {

int kill_group(const std::string& dir) {
  // Counted before the kill, which leaves nothing to count.
  std::vector<int> members;
  read_pids((dir + "/cgroup.procs").c_str(), members);
  return write_text_file(dir + "/cgroup.kill", "1") ? static_cast<int>(members.size()) : -1;
}

}  // namespace pbox
