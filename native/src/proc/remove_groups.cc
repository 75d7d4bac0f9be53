#include "proc/remove_groups.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace pbox {
namespace {

// A group stays EBUSY for a moment after its last task has gone. This bounds the attempts for all groups together.
constexpr int kTries = 200;

struct Level {
  std::string name;  // within the parent level
  dev_t device;
  ino_t inode;
  std::vector<std::string> below;  // subdirectories still to be visited
};

// Keeps one directory open at a time: groups may be nested deeper than the limits on descriptors and path length allow.
class Walk {
 public:
  explicit Walk(const std::string& dir) : fd_(open(dir.c_str(), kFlags)) {
    if (fd_ >= 0) enter(dir);
  }
  ~Walk() { close(fd_); }

  void remove_below() {
    while (fd_ >= 0 && !levels_.empty()) {
      Level& level = levels_.back();
      if (level.below.empty()) {
        up();
        continue;
      }
      const std::string name = level.below.back();
      level.below.pop_back();
      if (unlinkat(fd_, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) continue;
      const int next = openat(fd_, name.c_str(), kFlags);
      if (next < 0) continue;
      close(fd_);
      fd_ = next;
      enter(name);
    }
  }

  int tries = kTries;

 private:
  static constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

  void enter(const std::string& name) {
    struct stat info {};
    fstat(fd_, &info);
    Level level{name, info.st_dev, info.st_ino, {}};
    if (DIR* list = fdopendir(dup(fd_))) {
      while (const dirent* entry = readdir(list)) {
        const std::string below = entry->d_name;
        if (entry->d_type == DT_DIR && below != "." && below != "..") level.below.push_back(below);
      }
      closedir(list);
    }
    levels_.push_back(std::move(level));
  }

  void up() {
    const std::string name = levels_.back().name;
    levels_.pop_back();
    if (levels_.empty()) return;
    const int parent = openat(fd_, "..", kFlags);
    close(fd_);
    fd_ = parent;
    struct stat info {};
    // If the directory has been moved in the meantime, this is not the level that we came from.
    if (parent < 0 || fstat(parent, &info) != 0 || info.st_dev != levels_.back().device || info.st_ino != levels_.back().inode)
      return levels_.clear();
    while (unlinkat(fd_, name.c_str(), AT_REMOVEDIR) != 0 && errno == EBUSY && tries-- > 0) usleep(1000);
  }

  int fd_;
  std::vector<Level> levels_;
};

// A group nested deeper than this was made to obstruct the removal, and stays.
constexpr int kLevels = 32;

bool is_used(const std::string& dir, int levels) {
  const int procs = open((dir + "/cgroup.procs").c_str(), O_RDONLY | O_CLOEXEC);
  char first;
  const bool empty = procs >= 0 && read(procs, &first, 1) == 0;
  if (procs >= 0) close(procs);
  DIR* list = empty && levels > 0 ? opendir(dir.c_str()) : nullptr;
  if (!list) return true;
  bool used = false;
  while (const dirent* entry = used ? nullptr : readdir(list)) {
    const std::string below = entry->d_name;
    if (entry->d_type == DT_DIR && below != "." && below != "..") used = is_used(dir + "/" + below, levels - 1);
  }
  closedir(list);
  return used;
}

}  // namespace

void remove_unused_groups(const std::string& dir) {
  if (rmdir(dir.c_str()) != 0 && errno == EBUSY && !is_used(dir, kLevels)) remove_groups(dir);
}

int remove_groups(const std::string& dir) {
  if (rmdir(dir.c_str()) == 0 || errno == ENOENT) return 0;
  int tries = kTries;
  {
    Walk walk(dir);
    walk.remove_below();
    tries = walk.tries;
  }
  while (rmdir(dir.c_str()) != 0) {
    if (errno == ENOENT) return 0;
    if (errno != EBUSY || tries-- <= 0) return errno;
    usleep(1000);
  }
  return 0;
}

}  // namespace pbox
