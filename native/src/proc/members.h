// The processes of a box whose parent we are not: who they are now.
#pragma once
#include <string>
#include <vector>

#include "proc/process.h"

namespace pbox {

class Members {
 public:
  // `excluded`: with everything below them. `procs`: `cgroup.procs` of the box's group, or empty.
  Members(Member main, const std::vector<int>& excluded, std::string procs);
  // Those alive now: the main process, who is in the group, who was met before, and all of their descendants. Without
  // a group a process that left the tree between two looks is lost.
  const std::vector<Descendant>& look();

 private:
  bool excluded(const Member& member) const;
  Member main_;
  std::vector<Member> excluded_;
  std::string procs_;
  std::vector<Descendant> met_;
};

}  // namespace pbox
