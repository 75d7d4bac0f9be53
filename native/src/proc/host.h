// The host as a whole.
#pragma once
#include <cstdint>

namespace pbox {

// The number of processes on the host, from the link count of /proc instead of a pass over them.
int64_t host_processes();

}  // namespace pbox
