// What the front end is told of us.
#pragma once
#include "wire/channel.h"

namespace pbox::js {

// Nothing where no front end has started us.
// What this process says from now on is for its user's stderr, not for the front end alone.
void take_stderr();
void tell_front(Say say, int first = 0, int second = 0, double ms = 0);

}  // namespace pbox::js
