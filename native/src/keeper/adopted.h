// The keeper of a box around a process that it has not started.
#pragma once
#include "keeper/cgroup.h"
#include "wire/wrapper_connection.h"
#include "wire/frames.h"

namespace pbox {

// Serves the wrapper until the box is empty. `request`: the body of Request::adopt.
[[noreturn]] void keep_adopted(WrapperConnection node, Cgroup cgroup, Reader request);

}  // namespace pbox
