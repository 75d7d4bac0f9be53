// Small files of the kernel, whole.
#pragma once
#include <string>

namespace pbox {

// Empty where it cannot be opened or read.
std::string read_text_file(const std::string& path);
// One write(2) to a file that exists. False with errno.
bool write_text_file(const std::string& path, const std::string& text);

}  // namespace pbox
