#include "keeper/made_groups.h"

#include <algorithm>

namespace pbox {

bool is_plain_path(const std::string& path) {
  if (path.size() < 2 || path[0] != '/' || path.back() == '/') return false;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string part = path.substr(at + 1, end - at - 1);
    if (part.empty() || part == "." || part == "..") return false;
    at = end;
  }
  return true;
}

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::string name_in(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool takes_pids(const std::string& file) { return file == "cgroup.procs" || file == "cgroup.threads" || file == "tasks"; }

bool MadeGroups::contains(const std::string& path) const {
  return is_plain_path(path) && std::any_of(dirs_.begin(), dirs_.end(), [&](const std::string& dir) {
    return path == dir || path.compare(0, dir.size() + 1, dir + "/") == 0;
  });
}

bool MadeGroups::may_write(const std::string& file) const {
  if (!is_plain_path(file)) return false;
  const std::string dir = directory_of(file), name = name_in(file);
  if (contains(dir)) return true;
  return (name == "cgroup.subtree_control" || name == "cgroup.procs") &&
         std::any_of(dirs_.begin(), dirs_.end(), [&](const std::string& made) { return directory_of(made) == dir; });
}

bool MadeGroups::may_use(const std::vector<std::string>& paths) const {
  return !foreign || std::all_of(paths.begin(), paths.end(), [&](const std::string& path) { return path.empty() || contains(path); });
}

}  // namespace pbox
