#include "front/box_events.h"

#include <string>

namespace pbox {

bool BoxEvents::read() {
  if (front_.keeper.fd() < 0) return false;
  const bool there = front_.keeper.fill();
  bool empty = false;
  FrameHead head;
  for (std::string body; front_.keeper.next(head, body);) {
    switch (static_cast<Event>(head.type)) {
      case Event::started: case Event::failed:
        started = true;
        break;
      case Event::exited: {
        const auto exited = Reader(body).value<ExitedBody>();
        main_status = exited.signal > 0 ? 128 + exited.signal : exited.code;
        break;
      }
      case Event::expired:
        expired = true;
        break;
      case Event::unkillable:
        // The keeper waits on for processes that SIGKILL does not end; the front end does not.
        if (Reader(body).value<UnkillableHead>().final != 0) front_.left_behind = true;
        break;
      case Event::empty:
        empty = true;
        break;
      default:
        break;
    }
  }
  if (there) return empty;
  over = true;
  front_.keeper.close();
  return empty;
}

}  // namespace pbox
