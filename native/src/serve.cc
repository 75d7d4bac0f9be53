#include "serve.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "detach.h"

namespace pbox {
namespace {

constexpr int kQueue = 1024;  // tasks of one job that begin at once
constexpr int kFailed = 125;

// Returns the errno of what has failed.
int listen_at(const char* path, int& fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) return ENAMETOOLONG;
  std::strcpy(address.sun_path, path);
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return errno;
  return listen(fd, kQueue) == 0 ? 0 : errno;
}

[[noreturn]] void tell_caller(const char* path, int child, int from) {
  int error = 0;
  if (read(from, &error, sizeof error) != static_cast<ssize_t>(sizeof error)) error = ECHILD;
  if (error != 0) {
    std::fprintf(stderr, "proc_box: error: listen on %s: %s; its folder must exist, and nobody may listen there yet\n", path, std::strerror(error));
    _exit(kFailed);
  }
  std::printf("%d\n", child);
  std::fflush(stdout);
  _exit(0);
}

}  // namespace

const char* wants_serve(int argc, char* const* argv) {
  if (!adopts(argc, argv)) return nullptr;
  const char* path = nullptr;
  bool asked = false, fits = true;
  for (int i = 2; i < argc; i += 2) {
    const bool serves = std::strcmp(argv[i], "--serve") == 0;
    asked |= serves;
    fits &= i + 1 < argc && (serves || std::strcmp(argv[i], "--log-file") == 0);
    if (serves && i + 1 < argc) path = argv[i + 1];
  }
  if (asked && !fits) {
    std::fprintf(stderr, "proc_box: error: usage: proc_box adopt --serve <socket> [--log-file <path>]\n");
    _exit(kFailed);
  }
  return path;
}

int serve(const char* path) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const int child = fork();
  if (child < 0) return -1;
  if (child > 0) {
    close(ends[1]);
    tell_caller(path, child, ends[0]);
  }
  close(ends[0]);
  setsid();
  int fd = -1;
  const int error = listen_at(path, fd);
  if (write(ends[1], &error, sizeof error) < 0 || error != 0) _exit(kFailed);
  close(ends[1]);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int at = 0; at <= 2; at++) dup2(null, at);
  if (null > 2) close(null);
  return fd;
}

}  // namespace pbox
