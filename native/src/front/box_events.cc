#include "front/box_events.h"

#include "proc/clock.h"

namespace pbox {

bool BoxEvents::read() {
  if (front_.keeper.fd() < 0) return false;
  const bool there = front_.keeper.fill(), was_empty = front_.job.empty;
  FrameHead head;
  for (std::string bytes; front_.keeper.next(head, bytes);) {
    Reader body(bytes);
    const auto event = static_cast<Event>(head.type);
    front_.job.take(event, body);
    switch (event) {
      case Event::started: case Event::failed:
        started = true;
        break;
      case Event::unkillable:
        // The keeper waits on for processes that SIGKILL does not end; the front end does not.
        if (body.value<UnkillableHead>().final != 0) front_.left_behind = true;
        break;
      case Event::agent:
        agent = body.value<AgentState>();
        break;
      case Event::to_front: {
        const auto message = body.value<NodeMessage>();
        messages.emplace_back(message, body.rest());
        break;
      }
      default:
        break;
    }
  }
  if (!there) {
    over = true;
    front_.keeper.close();
  }
  return front_.job.empty && !was_empty;
}

void JobState::take(Event event, Reader body) {
  // As the keeper has seen it: this process may have been stopped, or waiting for a CPU.
  if (event == Event::started) started_ms = body.value<StartedBody>().at_ms;
  if (event == Event::expired) expired = !main_ended();
  if (event == Event::empty) empty = true;
  if (event != Event::exited) return;
  const auto exited = body.value<ExitedBody>();
  code = exited.code;
  signal = exited.signal;
  ended_ms = exited.at_ms;
}

}  // namespace pbox
