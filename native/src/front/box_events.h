// The events of the keeper, while Node or an agent directs the box.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "front/front.h"
#include "wire/channel.h"

namespace pbox {

class BoxEvents {
 public:
  explicit BoxEvents(Front& front) : front_(front) {}
  // Reads the events that have arrived. True if the box has become empty.
  bool read();

  bool started = false;   // the job has started, or its start has failed
  bool over = false;      // the keeper has gone
  AgentState agent = AgentState::unknown;
  std::vector<std::pair<NodeMessage, std::string>> messages;  // from the agent; the caller takes them

 private:
  Front& front_;
};

}  // namespace pbox
