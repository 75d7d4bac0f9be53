// Foreign text on its way to a terminal or log: src/text.ts is the same for the wrapper.
#pragma once
#include <string>

namespace pbox {

// One line, with what a terminal obeys or hides written as JSON writes it: `\n`, `\u001b`. Bytes that are no UTF-8 become
// U+FFFD.
std::string printable(const std::string& text);

}  // namespace pbox
