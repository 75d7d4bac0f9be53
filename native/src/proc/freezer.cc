#include "proc/freezer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "proc/text_file.h"

namespace pbox {
namespace {

// The path of the freezer group in /proc/PID/cgroup, from a line such as `7:freezer:/a/b`.
std::string freezer_path(const std::string& pid) {
  const std::string text = read_text_file("/proc/" + pid + "/cgroup");
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const size_t list = line.find(':'), path = line.find(':', list + 1);
    if (path != std::string::npos && ("," + line.substr(list + 1, path - list - 1) + ",").find(",freezer,") != std::string::npos)
      return line.substr(path + 1);
    at = end + 1;
  }
  return {};
}

// The n-th word of a line, counted from 0.
std::string word(const std::string& line, int n) {
  size_t at = 0;
  for (; n > 0 && at != std::string::npos; n--) at = line.find(' ', at) == std::string::npos ? std::string::npos : line.find(' ', at) + 1;
  return at == std::string::npos ? std::string() : line.substr(at, line.find(' ', at) - at);
}

struct Mount {
  std::string root, point;
};

// The mount point of the v1 freezer; proc_pid_mountinfo(5).
bool find_mount(Mount& out) {
  const std::string text = read_text_file("/proc/self/mountinfo");
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const size_t dash = line.find(" - cgroup ");
    if (dash != std::string::npos && ("," + line.substr(line.rfind(' ') + 1) + ",").find(",freezer,") != std::string::npos) {
      out = {word(line, 3), word(line, 4)};
      return true;
    }
    at = end + 1;
  }
  return false;
}

bool is_thawed(const std::string& dir) { return read_text_file(dir + "/freezer.state").rfind("THAWED", 0) == 0; }

}  // namespace

std::string thaw_around(int pid) {
  const std::string own = freezer_path("self");
  std::string path = freezer_path(std::to_string(pid));
  Mount mount;
  if (path.empty() || path == own || !find_mount(mount)) return {};
  const std::string root = mount.root == "/" ? "" : mount.root;
  if (path.rfind(root, 0) != 0) return {};
  const std::string first = mount.point + path.substr(root.size());
  std::string refused;
  // A group is thawed only once its ancestors are, so this walks upwards from the group. Groups that also hold us are not
  // frozen: we are running.
  for (std::string dir = first; !is_thawed(first) && path.size() > 1 && own.rfind(path + "/", 0) != 0 && path != own;) {
    if (!write_text_file(dir + "/freezer.state", "THAWED")) refused = dir + " is frozen: " + std::strerror(errno);
    path.resize(path.rfind('/'));
    dir.resize(dir.rfind('/'));
  }
  return is_thawed(first) ? std::string() : refused.empty() ? first + " is frozen" : refused;
}

}  // namespace pbox
