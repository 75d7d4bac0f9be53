// The terminal of a verb that shows a screen. Node itself gives it back (src/observe/terminal/terminal.ts), unless Node is killed.
#pragma once
#include <termios.h>

namespace pbox {

class TerminalModes {
 public:
  // Remembers the modes of the controlling terminal, if there is one.
  void remember();
  // Gives the terminal these modes, its own screen and its cursor back, if somebody has left it in other modes.
  void restore() const;

 private:
  bool known_ = false;
  termios modes_{};
};

}  // namespace pbox
