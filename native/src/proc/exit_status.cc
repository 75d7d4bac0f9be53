#include "proc/exit_status.h"

#include <cstdint>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/tree.h"

namespace pbox {
namespace {

struct PidfdInfo {
  uint64_t mask, cgroup_id;
  uint32_t pid, tgid, ppid, ids[8];
  int32_t exit_code;
  uint32_t coredump_mask, reserved;
};
static_assert(sizeof(PidfdInfo) == 72, "include/uapi/linux/pidfd.h");
constexpr uint64_t kInfoExit = 1 << 3;

}  // namespace

bool status_of_pidfd(int pidfd, int* status) {
  PidfdInfo info{};
  info.mask = kInfoExit;
  if (pidfd < 0 || ioctl(pidfd, _IOWR(0xFF, 11, PidfdInfo), &info) != 0 || !(info.mask & kInfoExit)) return false;
  *status = info.exit_code;
  return true;
}

bool may_read_status(int pid) {
  struct stat owner {};
  return geteuid() == 0 || (stat(process_directory(pid).c_str(), &owner) == 0 && owner.st_uid == geteuid() && owner.st_gid == getegid());
}

}  // namespace pbox
