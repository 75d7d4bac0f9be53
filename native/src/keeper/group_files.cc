#include "keeper/group_files.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <set>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <vector>

#include "proc/device.h"
#include "proc/members.h"
#include "proc/process.h"
#include "proc/remove_groups.h"
#include "proc/text_file.h"
#include "proc/tree.h"

namespace pbox {
namespace {

// All texts of one reply together: a frame has at most 1 MiB.
constexpr size_t kMostReplyBytes = 768 << 10;

bool is_group(int fd) {
  struct statfs info {};
  if (fstatfs(fd, &info) != 0) return false;
  const auto type = static_cast<unsigned long>(info.f_type);
  return type == CGROUP2_SUPER_MAGIC || type == CGROUP_SUPER_MAGIC;
}

int refused() {
  errno = EPERM;
  return -1;
}

// Closes a descriptor at the end of its block.
struct Fd {
  explicit Fd(int fd) : fd(fd) {}
  ~Fd() {
    if (fd >= 0) close(fd);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  const int fd;
};

int read_file(const std::string& path, std::string& out) {
  const Fd file(open_group_file(path, O_RDONLY));
  if (file.fd < 0) return errno;
  return read_whole(file.fd, out) ? 0 : errno;
}

int check_access(const std::string& path, int mode) {
  if (!is_plain_path(path)) return EPERM;
  const Fd dir(open_group(directory_of(path)));
  if (dir.fd < 0) return errno;
  return faccessat(dir.fd, name_in(path).c_str(), mode, 0) == 0 ? 0 : errno;
}

int list_processes(const std::string& procs, std::string& out) {
  if (!is_group_file(procs)) return errno;
  std::vector<int> pids;
  read_group(procs, pids);
  std::set<int> listed;
  for (const int pid : pids)
    if (listed.insert(pid).second) out += std::to_string(pid) + "\n";
  return 0;
}

// `pid`: empty for this process.
int read_proc(const char* name, const std::string& pid, std::string& out) {
  if (!std::all_of(pid.begin(), pid.end(), [](char c) { return c >= '0' && c <= '9'; })) return EPERM;
  const std::string dir = pid.empty() ? "/proc/self" : process_directory(std::atoi(pid.c_str()));
  return read_text_file(dir + "/" + name, out) ? 0 : errno;
}

// Of a number that may not be moved. A process can end between its listing and its move.
bool has_ended(const std::string& pid) {
  if (pid.empty() || pid.find_first_not_of("0123456789") != std::string::npos) return false;
  ProcessStat now;
  return !read_process(std::atoi(pid.c_str()), now) || now.dead;
}

}  // namespace

int open_group(const std::string& dir) {
  if (!is_plain_path(dir)) return refused();
  int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (size_t at = 0; fd >= 0 && at < dir.size();) {
    const size_t end = std::min(dir.find('/', at + 1), dir.size());
    const int next = openat(fd, dir.substr(at + 1, end - at - 1).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const int error = errno;
    close(fd);
    if (next < 0) errno = error == ENOTDIR || error == ELOOP ? EPERM : error;  // a symbolic link
    fd = next;
    at = end;
  }
  if (fd < 0 || is_group(fd)) return fd;
  close(fd);
  return refused();
}

int open_group_file(const std::string& path, int flags) {
  if (!is_plain_path(path)) return refused();
  const Fd dir(open_group(directory_of(path)));
  return dir.fd < 0 ? -1 : openat(dir.fd, name_in(path).c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
}

bool is_group_file(const std::string& path) {
  const Fd file(open_group_file(path, O_RDONLY));
  return file.fd >= 0;
}

std::string GroupFiles::run(Reader body) const {
  Writer reply;
  const size_t size = body.left();
  const auto count = body.value<uint32_t>();
  if (count > kMostFileOps || size > kMostFileBytes) {
    reply.result(E2BIG, {});
    return reply.body;
  }
  for (uint32_t i = 0; i < count; i++) {
    const auto op = static_cast<FileOp>(body.value<uint32_t>());
    const std::string path = body.word(), text = body.word();
    std::string out;
    int error = act(op, path, text, out);
    if (error == 0 && reply.body.size() + out.size() > kMostReplyBytes) error = EFBIG;
    reply.result(error, error == 0 ? out : std::string());
  }
  return reply.body;
}

bool GroupFiles::may_move(const std::string& text) const {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return false;
  const int pid = std::atoi(text.c_str());
  return pid == 0 || may_move_(pid);
}

int GroupFiles::act(FileOp op, const std::string& path, const std::string& text, std::string& out) const {
  switch (op) {
    case FileOp::read:
      return read_file(path, out);
    case FileOp::write:
      return write(path, text);
    case FileOp::mkdir:
      return make(path);
    case FileOp::rmdir:
      return remove(path, false);
    case FileOp::rmtree:
      return remove(path, true);
    case FileOp::exists:
      return check_access(path, F_OK);
    case FileOp::writable:
      return check_access(path, W_OK);
    case FileOp::processes:
      return list_processes(path, out);
    case FileOp::disk:
      return find_disk(path, out);
    case FileOp::mountinfo:
      return read_proc("mountinfo", "", out);
    case FileOp::cgroup:
      return read_proc("cgroup", path, out);
    case FileOp::status:
      return read_proc("status", path, out);
    case FileOp::members:
      for (const Descendant& process : members_()) out += std::to_string(process.pid) + "\n";
      return 0;
  }
  return EPERM;
}

int GroupFiles::write(const std::string& path, const std::string& text) const {
  if (!groups_.may_write(path)) return EPERM;
  if (takes_pids(name_in(path)) && !may_move(text)) return has_ended(text) ? ESRCH : EPERM;
  const Fd file(open_group_file(path, O_WRONLY));
  if (file.fd < 0) return errno;
  const ssize_t written = ::write(file.fd, text.data(), text.size());
  return written < 0 ? errno : written == static_cast<ssize_t>(text.size()) ? 0 : EIO;
}

int GroupFiles::make(const std::string& dir) const {
  if (!is_plain_path(dir)) return EPERM;
  const Fd parent(open_group(directory_of(dir)));
  if (parent.fd < 0) return errno;
  if (mkdirat(parent.fd, name_in(dir).c_str(), 0777) != 0) return errno;
  groups_.add(dir);
  made_(dir);
  return 0;
}

int GroupFiles::remove(const std::string& dir, bool whole_tree) const {
  if (!groups_.contains(dir)) return EPERM;
  const Fd parent(open_group(directory_of(dir)));
  if (parent.fd < 0) return errno == ENOENT ? 0 : errno;
  const std::string name = name_in(dir);
  if (!whole_tree) return unlinkat(parent.fd, name.c_str(), AT_REMOVEDIR) == 0 ? 0 : errno;
  return remove_groups("/proc/self/fd/" + std::to_string(parent.fd) + "/" + name);
}

}  // namespace pbox
