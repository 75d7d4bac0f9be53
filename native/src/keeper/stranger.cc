#include "keeper/stranger.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/clock.h"
#include "proc/tree.h"

namespace pbox {
namespace {

// A main thread that has ended has no descriptors any more; those of the process are its other threads'.
std::string proc(int pid, const char* name) { return process_directory(pid) + "/" + name; }

struct PidfdInfo {
  uint64_t mask, cgroup_id;
  uint32_t pid, tgid, ppid, ids[8];
  int32_t exit_code;
  uint32_t coredump_mask, reserved;
};
static_assert(sizeof(PidfdInfo) == 72, "include/uapi/linux/pidfd.h");
constexpr uint64_t kInfoExit = 1 << 3;

}  // namespace

std::string read_small(const std::string& path) {
  char text[512];
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (fd >= 0) close(fd);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : std::string();
}

StrangersOutput::~StrangersOutput() {
  if (file_ >= 0) close(file_);
}

void StrangersOutput::open(int pid) {
  struct stat out {};
  pid_ = pid;
  file_ = ::open(proc(pid, "fd/1").c_str(), O_PATH | O_CLOEXEC);
  if (file_ >= 0 && (fstat(file_, &out) != 0 || !S_ISREG(out.st_mode))) {
    close(file_);
    file_ = -1;
  }
  if (file_ < 0) return;
  uint64_t offset = 0;
  bool append = false;
  read_descriptor(&offset, &append);
  const auto size = static_cast<uint64_t>(out.st_size);
  written_.start(offset, size, append, monotonic_ms());
  at_end_ = append || offset == size;
}

bool StrangersOutput::read_descriptor(uint64_t* offset, bool* append) const {
  const std::string text = read_small(proc(pid_, "fdinfo/1"));
  const size_t flags = text.find("flags:");
  if (text.rfind("pos:", 0) != 0 || flags == std::string::npos) return false;
  *offset = std::strtoull(text.c_str() + 4, nullptr, 10);
  *append = std::strtoul(text.c_str() + flags + 6, nullptr, 8) & O_APPEND;
  return true;
}

uint64_t StrangersOutput::bytes(bool ended) {
  struct stat out {};
  if (file_ < 0 || fstat(file_, &out) != 0) return written_.bytes();
  const auto size = static_cast<uint64_t>(out.st_size);
  uint64_t offset = size;
  bool append = true;
  if (!(ended && at_end_) && !read_descriptor(&offset, &append)) return written_.bytes();
  return written_.look(offset, size, append, monotonic_ms());
}

int StrangersOutput::until_ms(uint64_t max) { return watch_.next_look_ms(bytes(false), max); }

bool status_of_pidfd(int pidfd, int* status) {
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (pidfd < 0 || ioctl(pidfd, _IOWR(0xFF, 11, PidfdInfo), &info) != 0 || !(info.mask & kInfoExit)) return false;
  *status = info.exit_code;
  return true;
}

bool may_read_status(int pid) {
  struct stat owner {};
  return geteuid() == 0 || (stat(proc(pid, "").c_str(), &owner) == 0 && owner.st_uid == geteuid() && owner.st_gid == getegid());
}

}  // namespace pbox
