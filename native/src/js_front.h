// What the front end is told of us.
#pragma once
#include "channel.h"

namespace pbox::js {

// Nothing where no front end has started us.
void tell_front(Say say, int first = 0, int second = 0, double ms = 0);

}  // namespace pbox::js
