#include "front/terminal.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace pbox {
namespace {

// CAN ends an escape sequence that was cut off. The rest is LEAVE of src/observe/terminal/screen.ts.
constexpr char kLeave[] = "\x18\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

// Not blocking: a terminal that is stopped must not hold us.
int open_terminal() { return open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC); }

}  // namespace

void TerminalModes::remember() {
  const int fd = open_terminal();
  if (fd < 0) return;
  known_ = tcgetattr(fd, &modes_) == 0;
  close(fd);
}

void TerminalModes::restore() const {
  if (!known_) return;
  const int fd = open_terminal();
  if (fd < 0) return;
  termios now{};
  // A screen turns these off first, and on last.
  const bool raw = tcgetattr(fd, &now) == 0 && (now.c_lflag & (ICANON | ECHO)) != (modes_.c_lflag & (ICANON | ECHO));
  if (raw) {
    if (write(fd, kLeave, std::strlen(kLeave)) < 0) errno = 0;
    tcsetattr(fd, TCSANOW, &modes_);
  }
  close(fd);
}

}  // namespace pbox
