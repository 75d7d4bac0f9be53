// Messages to the front end. Without a front end, as in a program that hosts boxes itself, these functions do nothing.
#pragma once
#include "wire/channel.h"

namespace pbox::js {

// From now on this process writes to the user's stderr, instead of the pipe that the front end reads during the start.
void take_stderr();
void tell_front(NodeMessageType type, int first = 0, int second = 0, double ms = 0);

}  // namespace pbox::js
