#include "proc/unix_socket.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace pbox {
namespace {

constexpr int kQueue = 1024;  // tasks that may start at the same time
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

bool address_of(const std::string& path, sockaddr_un& address) {
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::strcpy(address.sun_path, path.c_str());
  return true;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

int open_folder(const std::string& path, SocketFolder kind, int& folder) {
  const bool is_shown = kind == SocketFolder::shown;
  struct stat status {};
  // is_made_by_site() takes no folder behind a symbolic link.
  if (is_shown && lstat(folder_of(path).c_str(), &status) == 0 && S_ISLNK(status.st_mode)) return kLinkedFolder;
  folder = open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || fstat(folder, &status) != 0) return errno;
  if (status.st_uid != geteuid() && !(is_shown && status.st_uid == 0)) return kNotOurs;
  return status.st_mode & (is_shown ? kOthersWrite : 077) ? kOpenToOthers : 0;
}

// Of two processes that find the socket of one that has ended, the later must not remove that of the earlier. Whoever holds the
// lock without end does not stop us.
void lock(int folder) {
  for (int tries = 0; tries < 100 && flock(folder, LOCK_EX | LOCK_NB) != 0; tries++) {
    const timespec pause{0, 10000000};
    nanosleep(&pause, nullptr);
  }
}

// The socket of a process that has ended stays as a file. Returns 0 if nobody listens at `path`, and nothing is there any more.
int make_way(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISSOCK(status.st_mode)) return kNotASocket;
  const int fd = connect_at(path);
  if (fd >= 0) close(fd);
  if (fd >= 0 || errno != ECONNREFUSED) return EADDRINUSE;
  return unlink(path.c_str()) == 0 ? 0 : errno;
}

int bind_and_listen(const std::string& path, mode_t mode, int& fd) {
  sockaddr_un address{};
  if (!address_of(path, address)) return ENAMETOOLONG;
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (bind(fd, to, sizeof address) == 0 && chmod(path.c_str(), mode) == 0 && listen(fd, kQueue) == 0) return 0;
  const int error = errno;
  close(fd);
  fd = -1;
  return error;
}

// Listens beside the socket and takes its name in one step.
int take_place(const std::string& path, mode_t mode, int& fd) {
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode)) return kNotASocket;
  const std::string beside = path + "." + std::to_string(getpid());
  unlink(beside.c_str());
  const int error = bind_and_listen(beside, mode, fd);
  if (error != 0 || rename(beside.c_str(), path.c_str()) == 0) return error;
  const int failed = errno;
  unlink(beside.c_str());
  close(fd);
  fd = -1;
  return failed;
}

}  // namespace

int listen_at(const std::string& path, SocketFolder kind, int& fd, bool replace) {
  int folder = -1;
  int error = open_folder(path, kind, folder);
  sockaddr_un whole{};
  if (error == 0 && !address_of(path, whole)) error = ENAMETOOLONG;
  if (error == 0) {
    lock(folder);
    const std::string name = "/proc/self/fd/" + std::to_string(folder) + "/" + path.substr(path.rfind('/') + 1);
    const mode_t mode = kind == SocketFolder::shown ? 0666 : 0600;
    if (!replace) error = make_way(name);
    if (error == 0) error = replace ? take_place(name, mode, fd) : bind_and_listen(name, mode, fd);
  }
  if (folder >= 0) close(folder);
  return error;
}

int connect_at(const std::string& path, int wait_ms) {
  sockaddr_un address{};
  if (!address_of(path, address)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (wait_ms > 0 ? 0 : SOCK_NONBLOCK), 0);
  if (fd < 0) return -1;
  const timeval wait{0, wait_ms * 1000};  // 0 would be for ever
  if (wait_ms > 0) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

uid_t peer_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.uid : static_cast<uid_t>(-1);
}

int peer_pid(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

bool is_made_by_site(int fd, const std::string& path) {
  const std::string folder = folder_of(path);
  struct stat own {}, above {};
  if (lstat(folder.c_str(), &own) != 0 || lstat(folder_of(folder).c_str(), &above) != 0) return false;
  if (!S_ISDIR(own.st_mode) || (own.st_mode & kOthersWrite) || !S_ISDIR(above.st_mode)) return false;
  if (above.st_uid != 0 || (above.st_mode & kOthersWrite)) return false;
  const uid_t peer = peer_user(fd);
  return peer == 0 || peer == own.st_uid;
}

}  // namespace pbox
