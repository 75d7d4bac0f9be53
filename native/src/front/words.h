// What proc_box was started with: copied once, and then hidden where ps and /proc show it.
#pragma once
#include <string>
#include <vector>

#include "keeper/invocation.h"

namespace pbox {

class Words : public Invocation {
 public:
  // Copies the words and the environment, and clears the PBOX_* entries of the original.
  Words(int argc, char** argv, char** environment);

  // The value of a variable, PBOX_* or other; null where it is not set.
  const char* variable(const char* name) const;
  // Shows the words in ps, with `***` for what stands between `://` and the last `@` of a word.
  void mask();

 private:
  void unpack(const char* packed);
};

}  // namespace pbox
