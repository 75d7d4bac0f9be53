#include "keeper/cgroup.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/kill_group.h"
#include "proc/remove_groups.h"
#include "proc/text_file.h"

namespace pbox {
namespace {

constexpr int kFreezeMs = 1000;
// For a wrapper of another user: how unmistakable the names of abandoned groups must be, and how old the groups.
constexpr uint32_t kIdDigits = 16, kMinAgeSec = 60;

std::string read_fd(int fd) {
  char text[512];
  const ssize_t n = pread(fd, text, sizeof text, 0);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : std::string();
}

// Waits for `frozen 1` in cgroup.events; poll(2) reports changes of that file.
bool freeze_v2(const std::string& dir) {
  const int events = open((dir + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC);
  if (events < 0 || !write_text_file(dir + "/cgroup.freeze", "1")) {
    if (events >= 0) close(events);
    return false;
  }
  bool frozen = false;
  for (int waited = 0; waited <= kFreezeMs; waited += 100) {
    frozen = read_fd(events).find("frozen 1") != std::string::npos;
    if (frozen) break;
    pollfd change{events, POLLPRI, 0};
    poll(&change, 1, 100);
  }
  close(events);
  return frozen;
}

// The state is FREEZING until every task is frozen. Writing FROZEN again makes the kernel try again.
bool freeze_v1(const std::string& dir) {
  const std::string file = dir + "/freezer.state";
  const int state = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  bool frozen = false;
  for (int waited = 0; state >= 0 && waited < kFreezeMs && !frozen; waited++) {
    if (!write_text_file(file, "FROZEN")) break;
    frozen = read_fd(state).rfind("FROZEN", 0) == 0;
    if (!frozen) usleep(1000);
  }
  if (state >= 0) close(state);
  return frozen;
}

bool is_box(const char* name, const AbandonedGroups& groups) {
  const size_t length = groups.prefix.size();
  return std::strncmp(name, groups.prefix.c_str(), length) == 0 && std::strspn(name + length, "0123456789abcdef") >= groups.id_digits;
}

// Removes abandoned groups beside `dir`, with the groups in them. A younger group may belong to a box whose job is about to
// start.
void sweep_beside(const std::string& dir, const AbandonedGroups& groups) {
  if (groups.prefix.empty()) return;
  const std::string parent = dir.substr(0, dir.rfind('/'));
  DIR* list = opendir(parent.c_str());
  if (!list) return;
  const time_t old = time(nullptr) - static_cast<time_t>(groups.min_age_sec);
  while (const dirent* entry = readdir(list)) {
    struct stat status {};
    if (entry->d_type != DT_DIR || !is_box(entry->d_name, groups)) continue;
    if (fstatat(dirfd(list), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_mtime < old)
      remove_unused_groups(parent + "/" + entry->d_name);
  }
  closedir(list);
}

}  // namespace

bool Cgroup::freeze() {
  if (frozen_) return true;
  if (freezer_version == 0) return false;
  frozen_ = freezer_version == 2 ? freeze_v2(freezer_dir) : freeze_v1(freezer_dir);
  if (!frozen_) {
    frozen_ = true;
    thaw();
  }
  return frozen_;
}

void Cgroup::thaw() {
  if (!frozen_) return;
  frozen_ = false;
  if (freezer_version == 2) write_text_file(freezer_dir + "/cgroup.freeze", "0");
  else write_text_file(freezer_dir + "/freezer.state", "THAWED");
}

void Cgroup::thaw_any() {
  frozen_ = freezer_version != 0;
  thaw();
}

int Cgroup::kill() { return kill_file.empty() ? -1 : kill_group(kill_file.substr(0, kill_file.rfind('/'))); }

bool Cgroup::may_sweep() const { return !made.foreign || (abandoned.id_digits >= kIdDigits && abandoned.min_age_sec >= kMinAgeSec); }

void Cgroup::remove() {
  for (const CleanupStep& step : cleanup) {
    if (made.foreign && !(step.remove ? made.contains(step.path) : made.may_write(step.path))) continue;
    if (step.remove) {
      // The wrapper announces a group before it makes it, so the group may not exist, and its parent neither.
      if (access(step.path.c_str(), F_OK) != 0) continue;
      remove_groups(step.path);
      if (may_sweep()) sweep_beside(step.path, abandoned);
    } else {
      write_text_file(step.path, step.text);
    }
  }
  cleanup.clear();
}

}  // namespace pbox
