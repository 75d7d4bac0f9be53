// What a process would do if it received a signal.
#pragma once
#include "proc/process.h"

namespace pbox {

// The signal would never have any effect: the process ignores it, or every thread blocks it and there is neither a handler
// nor a signalfd(2) for it. A process that cannot be inspected counts as one that takes the signal.
bool refuses(const Descendant& process, int signal);

// The process has no handler for the signal and does not ignore it.
bool leaves_to_default(const Descendant& process, int signal);

}  // namespace pbox
