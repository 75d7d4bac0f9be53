// Log lines of the native part on stderr. A line is dropped rather than blocking.
#pragma once
#include <string>

namespace pbox {

// Writes `proc_box: <level>: <text>`; with an empty `level` only the text.
void say(const char* level, const std::string& text);

// The line about the elapsed time, which is the last one of a job.
void say_elapsed(double ms);

}  // namespace pbox
