#include "front/say.h"

#include <cerrno>
#include <cstdio>
#include <poll.h>
#include <unistd.h>

#include "proc/printable.h"

namespace pbox {
namespace {

constexpr size_t kAtOnce = 4096;  // PIPE_BUF: POLLOUT promises room for this much

}  // namespace

void say(const char* level, const std::string& text) {
  std::string line = *level ? "proc_box: " + std::string(level) + ": " + printable(text) : printable(text);
  if (line.size() >= kAtOnce) line.resize(kAtOnce - 1);
  line += '\n';
  pollfd room{2, POLLOUT, 0};
  if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) && write(2, line.data(), line.size()) < 0) errno = 0;
}

void say_elapsed(double ms) {
  char line[80];
  std::snprintf(line, sizeof line, "Task elapsed time: %.2f seconds.", ms / 1000);
  say("", line);
}

}  // namespace pbox
