// The controlling terminal, and which process group has its foreground and may read the keyboard.
#pragma once
#include <unistd.h>

namespace pbox {

class Terminal {
 public:
  // `fd`: -1 if there is no terminal. `wrapper`: the wrapper's process group.
  Terminal(int fd, int wrapper) : fd_(fd), wrapper_(wrapper) {}
  int fd() const { return fd_; }
  bool exists() const { return fd_ >= 0; }
  bool wrapper_has_it() const { return exists() && tcgetpgrp(fd_) == wrapper_; }
  // Neither changes the foreground if a third group has it.
  void give_to(int job) { if (wrapper_has_it()) tcsetpgrp(fd_, job); }
  void take_from(int job) { if (exists() && job > 0 && tcgetpgrp(fd_) == job) tcsetpgrp(fd_, wrapper_); }

 private:
  int fd_, wrapper_;
};

}  // namespace pbox
