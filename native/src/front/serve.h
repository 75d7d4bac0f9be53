// `proc_box adopt --serve <socket>`: a supervisor that waits for `--via`.
#pragma once

namespace pbox {

// Returns the listening socket in a background child, with a session of its own and stdio on /dev/null. The caller's process
// prints the child's pid and ends. From then on connections wait in the socket's queue, however long Node takes to start.
int serve(const char* path);

}  // namespace pbox
