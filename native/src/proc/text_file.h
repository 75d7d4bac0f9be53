// Small files of the kernel, read and written whole. They have no size, so they are read up to the end.
#pragma once
#include <string>
#include <vector>

namespace pbox {

// False if the file cannot be opened or read.
bool read_text_file(const std::string& path, std::string& text);
// Empty if the file cannot be opened or read.
std::string read_text_file(const std::string& path);
// One write(2) to a file that exists. False with errno.
bool write_text_file(const std::string& path, const std::string& text);

// Files that are read again and again. They stay open after the first read, because opening costs five times as much as
// reading. An open file of a control group does not keep the group alive.
class TextFiles {
 public:
  explicit TextFiles(std::vector<std::string> paths) : paths_(std::move(paths)), fds_(paths_.size(), -1) {}
  ~TextFiles() { close(); }
  TextFiles(const TextFiles&) = delete;
  TextFiles& operator=(const TextFiles&) = delete;

  size_t size() const { return paths_.size(); }
  // The current text. False if the file cannot be opened or read; the next call tries again.
  bool read(size_t index, std::string& text);
  // The next read opens the files again.
  void close();

 private:
  std::vector<std::string> paths_;
  std::vector<int> fds_;
};

}  // namespace pbox
