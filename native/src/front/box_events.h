// What the keeper has told the front end of the box, while Node decides.
#pragma once
#include "front/front.h"

namespace pbox {

class BoxEvents {
 public:
  explicit BoxEvents(Front& front) : front_(front) {}
  // Reads what has arrived. True where the box has become empty.
  bool read();

  bool started = false;   // or its start has failed
  bool expired = false;   // the keeper has acted on its deadline
  bool over = false;      // the keeper has gone
  int main_status = -1;   // as an exit status, once the main process has ended

 private:
  Front& front_;
};

}  // namespace pbox
