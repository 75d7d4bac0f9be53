// Finds the current processes of a box that we did not start.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "proc/process.h"

namespace pbox {

// Appends the pids in a `cgroup.procs` and in the groups below its directory; a process that moves meanwhile may appear twice.
void read_group(const std::string& procs, std::vector<int>& out);

class Members {
 public:
  // `excluded` are left out with all of their descendants. `procs` is the `cgroup.procs` of the box's group, or empty.
  Members(Member main, const std::vector<int>& excluded, std::string procs);
  // The live processes: the main process, the processes in the group, those found earlier, and all of their descendants.
  // Without a group, a process that leaves the tree between two looks is lost.
  const std::vector<Descendant>& look();
  // The group of the box has been made.
  void list_in(std::string procs) { procs_ = std::move(procs); }
  // A live process that the last look has found, or the next one would.
  bool has(int pid);

 private:
  bool excluded(const Member& member) const;
  Member main_;
  std::vector<Member> excluded_;
  std::string procs_;
  std::vector<Descendant> met_;
};

}  // namespace pbox
