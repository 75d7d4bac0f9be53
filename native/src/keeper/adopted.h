// A keeper of a process that it has not started.
#pragma once
#include "keeper/cgroup.h"
#include "wire/control.h"
#include "wire/frames.h"

namespace pbox {

// Serves the wrapper until the box is empty. `request`: the body of Request::adopt.
[[noreturn]] void keep_adopted(Control control, Cgroup cgroup, Reader request);

}  // namespace pbox
