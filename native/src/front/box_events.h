// The state of the box as the keeper reports it to the front end, while Node makes the decisions.
#pragma once
#include "front/front.h"

namespace pbox {

class BoxEvents {
 public:
  explicit BoxEvents(Front& front) : front_(front) {}
  // Reads the events that have arrived. True if the box has become empty.
  bool read();

  bool started = false;   // the job has started, or its start has failed
  bool expired = false;   // the keeper has acted on its deadline
  bool over = false;      // the keeper has gone
  int main_status = -1;   // exit status of the main process, once it has ended

 private:
  Front& front_;
};

}  // namespace pbox
