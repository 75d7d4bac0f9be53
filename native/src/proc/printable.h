// Makes text of unknown origin safe for a terminal or log. src/text.ts does the same for Node.
#pragma once
#include <string>

namespace pbox {

// One line. Characters that a terminal would obey or hide are written as JSON escapes: `\n`, `\u001b`. Bytes that are not
// UTF-8 become U+FFFD.
std::string printable(const std::string& text);

}  // namespace pbox
