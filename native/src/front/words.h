// The words and the environment that proc_box was started with: copied once, and then hidden from ps and /proc.
#pragma once
#include <string>
#include <vector>

#include "keeper/invocation.h"

namespace pbox {

class Words : public Invocation {
 public:
  // Copies the words and the environment, and clears the PBOX_* entries of the original.
  Words(int argc, char** argv, char** environment);

  // The value of a variable, PBOX_* or any other; null if it is not set.
  const char* variable(const char* name) const;
  // Shows the words in ps, with `***` in place of the text between `://` and the last `@` of each URI.
  void mask();

 private:
  void unpack(const char* packed);
};

}  // namespace pbox
