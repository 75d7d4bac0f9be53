// The control groups that this keeper has made for its wrapper. They bound what a wrapper of another user may act on.
#pragma once
#include <string>
#include <vector>

namespace pbox {

// True for an absolute path without empty components, `.` and `..`.
bool is_plain_path(const std::string& path);
std::string directory_of(const std::string& path);
std::string name_in(const std::string& path);
// Writing to such a file moves processes.
bool takes_pids(const std::string& file);

class MadeGroups {
 public:
  // The wrapper is another user's: it acts only on groups that were made through it.
  bool foreign = false;

  void add(const std::string& dir) { dirs_.push_back(dir); }
  // The path is one of the groups, or below one.
  bool contains(const std::string& path) const;
  // The file is in one of the groups, or is `cgroup.subtree_control` or `cgroup.procs` of the parent of one.
  bool may_write(const std::string& file) const;
  // A wrapper may use these paths; an empty one is none.
  bool may_use(const std::vector<std::string>& paths) const;

 private:
  std::vector<std::string> dirs_;
};

}  // namespace pbox
