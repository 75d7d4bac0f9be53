// What the native part says: lines on stderr that may be lost, and hold up nothing.
#pragma once
#include <string>

namespace pbox {

// `proc_box: error: <text>`; `level` empty: the text alone.
void say(const char* level, const std::string& text);

}  // namespace pbox
