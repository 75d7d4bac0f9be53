#pragma once

namespace pbox {

// kill(0, SIGSTOP): stops our process group, as the shell expects after ^Z. False if no shell could resume it: our group is the
// session leader's, or its parent is in another session (setpgid(2), orphaned process groups).
bool stop_own_group();

}  // namespace pbox
