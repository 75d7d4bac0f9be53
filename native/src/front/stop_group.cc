#include "front/stop_group.h"

#include <csignal>
#include <unistd.h>

namespace pbox {

bool stop_own_group() {
  const int session = getsid(0);
  if (getpgrp() == session || getsid(getppid()) != session) return false;
  kill(0, SIGSTOP);
  return true;
}

}  // namespace pbox
