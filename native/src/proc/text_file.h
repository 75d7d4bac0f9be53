// Small files of the kernel, read and written whole. They have no size, so they are read up to the end.
#pragma once
#include <string>

namespace pbox {

// False with errno if the file cannot be opened or read.
bool read_text_file(const std::string& path, std::string& text);
// Empty if the file cannot be opened or read.
std::string read_text_file(const std::string& path);
// Reads an open file from its start, composed anew. False with errno.
bool read_whole(int fd, std::string& text);
// One write(2) to a file that exists. False with errno.
bool write_text_file(const std::string& path, const std::string& text);

}  // namespace pbox
