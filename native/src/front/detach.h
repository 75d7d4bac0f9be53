// `proc_box adopt --detach`: goes on in the background once the box is made.
#pragma once

namespace pbox {

// Returns in a child with a session of its own and /dev/null as stdin and stdout; the caller's process waits for its
// word and exits with that. Returns the descriptor for the word: one byte, the exit status. -1: could not fork.
int detach();

}  // namespace pbox
