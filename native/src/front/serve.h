// `proc_box adopt --serve <socket>`: a supervisor that waits for `--via`.
#pragma once

namespace pbox {

// Returns in a child in the background, with a session of its own, stdio on /dev/null, and the socket that it listens on;
// the caller's process prints the child's pid and ends. Whoever connects from then on is in its queue, however long Node
// takes to start.
int serve(const char* path);

}  // namespace pbox
