#include "proc/unix_socket.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
  folder = open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat status {};
  if (folder < 0 || fstat(folder, &status) != 0) return errno;
  const bool is_shown = kind == SocketFolder::shown;
  if (status.st_uid != geteuid() && !(is_shown && status.st_uid == 0)) return kNotOurs;
  return status.st_mode & (is_shown ? kOthersWrite : 077) ? kOpenToOthers : 0;
}

// The socket of a process that has ended stays as a file.
bool is_abandoned(const std::string& path) {
  const int fd = connect_at(path);
  if (fd >= 0) close(fd);
  return fd < 0 && errno == ECONNREFUSED;
}

int bind_and_listen(const std::string& path, mode_t mode, int& fd) {
  sockaddr_un address{};
  if (!address_of(path, address)) return ENAMETOOLONG;
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  int failed = bind(fd, to, sizeof address);
  if (failed != 0 && errno == EADDRINUSE && is_abandoned(path)) {
    unlink(path.c_str());
    failed = bind(fd, to, sizeof address);
  }
  if (failed == 0 && chmod(path.c_str(), mode) == 0 && listen(fd, kQueue) == 0) return 0;
  const int error = errno;
  close(fd);
  fd = -1;
  return error;
}

}  // namespace

int listen_at(const std::string& path, SocketFolder kind, int& fd) {
  int folder = -1;
  const int error = open_folder(path, kind, folder);
  if (error != 0) {
    if (folder >= 0) close(folder);
    return error;
  }
  sockaddr_un whole{};
  const std::string name = "/proc/self/fd/" + std::to_string(folder) + "/" + path.substr(path.rfind('/') + 1);
  const int result = address_of(path, whole) ? bind_and_listen(name, kind == SocketFolder::shown ? 0666 : 0600, fd) : ENAMETOOLONG;
  close(folder);
  return result;
}

int connect_at(const std::string& path) {
  sockaddr_un address{};
  if (!address_of(path, address)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
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
