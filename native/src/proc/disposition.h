// What a process would do with a signal.
#pragma once
#include "proc/process.h"

namespace pbox {

// Nothing will ever come of it: the process ignores the signal, or every thread of it blocks it and none of them has a
// handler or a signalfd(2) for it. A process that cannot be looked at counts as one that takes it.
bool refuses(const Descendant& process, int signal);

// The default action: no handler, not ignored.
bool leaves_to_default(const Descendant& process, int signal);

}  // namespace pbox
