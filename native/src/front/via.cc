#include "front/via.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "proc/clock.h"

namespace pbox {
namespace {

// A supervisor that has just been started answers within 0.1 s, and a stopped one must not hold up a task.
constexpr int kPatienceMs = 10000;
constexpr size_t kRequestMax = 256 << 10;  // also in src/adopt/request.ts
constexpr size_t kAnswerMax = 64 << 10;

// The supervisor gets only the variables that identify the job. Its settings, PBOX_*, are sent separately.
bool is_sent(const char* entry) {
  for (const char* prefix : {"SLURM", "PBS_"})
    if (std::strncmp(entry, prefix, std::strlen(prefix)) == 0) return true;
  return false;
}

// Limits the wait of each further call on the socket, so that it ends by `until_ms`.
void set_timeouts(int fd, double until_ms) {
  const double left = until_ms - monotonic_ms();
  const long ms = left < 1 ? 1 : static_cast<long>(left);
  const timeval wait{ms / 1000, ms % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
}

int connect_to(const char* path, double until_ms) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) return -1;
  std::strcpy(address.sun_path, path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  set_timeouts(fd, until_ms);
  int failed;
  while ((failed = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address)) != 0 && errno == EINTR) continue;
  if (failed == 0) return fd;
  close(fd);
  return -1;
}

// The listener receives our settings, which may hold a password, and decides about the process. So it must run as us or as root.
bool is_trusted(int fd, const char* path) {
  ucred server{};
  socklen_t size = sizeof server;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &size) == 0 && (server.uid == geteuid() || server.uid == 0)) return true;
  std::fprintf(stderr, "proc_box: warn: --via %s: not used, because a process of another user (uid %d) listens there\n", path, static_cast<int>(server.uid));
  return false;
}

std::string request(const Words& words, bool failure_open, double until_ms) {
  ViaHead head{0, static_cast<uint32_t>(words.count()), getpid(), failure_open, until_ms};
  std::string text(reinterpret_cast<const char*>(&head), sizeof head);
  for (int i = 0; i < words.count(); i++) text.append(words.argv[static_cast<size_t>(i)]) += '\0';
  for (const auto& entry : words.settings) text.append(entry) += '\0';
  for (char* entry : words.environment)
    if (entry && is_sent(entry)) text.append(entry) += '\0';
  char folder[4096];
  if (getcwd(folder, sizeof folder)) text.append(std::string("PWD=") + folder + '\0');
  head.length = static_cast<uint32_t>(text.size() - sizeof head);
  std::memcpy(text.data(), &head, sizeof head);
  return text;
}

bool send_all(int fd, const std::string& text, double until_ms) {
  for (size_t sent = 0; sent < text.size();) {
    set_timeouts(fd, until_ms);
    const ssize_t n = send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
    else if (errno != EINTR) return false;
  }
  return true;
}

// Reads up to the end of the stream. Empty if the answer does not arrive in time or is too long.
std::string read_answer(int fd, double until_ms) {
  std::string answer;
  char chunk[4096];
  while (answer.size() < kAnswerMax) {
    set_timeouts(fd, until_ms);
    const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
    if (n == 0) return answer;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 || monotonic_ms() > until_ms) break;
    answer.append(chunk, static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

void ask_supervisor(const Words& words, const Options& options) {
  if (!options.detach || options.via.empty()) return;
  const char* path = options.via.c_str();
  const double until_ms = monotonic_ms() + kPatienceMs;
  std::string text = request(words, options.failure_open, until_ms);
  if (text.size() > kRequestMax) return;
  const int fd = connect_to(path, until_ms);
  if (fd < 0) return;
  if (!is_trusted(fd, path)) {
    close(fd);
    return;
  }
  const bool sent = send_all(fd, text, until_ms);
  explicit_bzero(text.data(), text.size());
  const std::string answer = sent ? read_answer(fd, until_ms) : std::string();
  close(fd);
  if (answer.empty()) return;
  std::fwrite(answer.data() + 1, 1, answer.size() - 1, stderr);
  std::fflush(stderr);
  _exit(static_cast<unsigned char>(answer[0]));
}

}  // namespace pbox
