#include "stranger.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pbox {
namespace {

std::string proc(int pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

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
  const std::string info = read_small(proc(pid, "fdinfo/1"));
  const size_t flags = info.find("flags:");
  const bool append = flags != std::string::npos && std::strtoul(info.c_str() + flags + 6, nullptr, 8) & O_APPEND;
  const uint64_t size = static_cast<uint64_t>(out.st_size);
  // O_APPEND moves the offset to the end at the first write only.
  base_ = append ? size : offset();
  at_end_ = base_ == size;
}

// The shared offset of the descriptor: `pos:` comes first in fdinfo, proc(5).
uint64_t StrangersOutput::offset() const {
  const std::string text = read_small(proc(pid_, "fdinfo/1"));
  return text.rfind("pos:", 0) == 0 ? std::strtoull(text.c_str() + 4, nullptr, 10) : 0;
}

uint64_t StrangersOutput::bytes(bool ended) {
  if (file_ < 0) return 0;
  struct stat out {};
  const bool grown = ended && at_end_ && fstat(file_, &out) == 0;
  const uint64_t at = grown ? static_cast<uint64_t>(out.st_size) : offset();
  if (at > base_) bytes_ = std::max(bytes_, at - base_);
  return bytes_;
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
