// `proc_box adopt --detach`: supervises in the background once the box is made.
#pragma once

namespace pbox {

// Forks. Returns in the child, which has its own session and /dev/null as stdin and stdout. The parent waits for the word of the
// child and exits with it. Returns the descriptor for that word, which is one byte, the exit status; -1 if fork(2) fails.
int detach();

}  // namespace pbox
