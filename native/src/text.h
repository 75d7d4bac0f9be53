// Small files of the kernel as text.
#pragma once
#include <string>

namespace pbox {

// All of a file's text; false where it cannot be opened or read, with errno.
bool read_text(const char* path, std::string& text);

}  // namespace pbox
