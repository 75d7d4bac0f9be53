// Small files of the kernel as text.
#pragma once
#include <string>
#include <vector>

namespace pbox {

// False where it cannot be opened or read.
bool read_text(const char* path, std::string& text);
// One write(2), without making the file. Returns errno, or 0.
int write_text(const char* path, const std::string& text);

// To be read again and again. A file that has been read stays open: opening costs five times as much as reading, and an open file of a control group
// does not keep the group.
class TextFiles {
 public:
  explicit TextFiles(std::vector<std::string> paths) : paths_(std::move(paths)), fds_(paths_.size(), -1) {}
  ~TextFiles() { close(); }
  TextFiles(const TextFiles&) = delete;
  TextFiles& operator=(const TextFiles&) = delete;

  size_t size() const { return paths_.size(); }
  // All of a file's text of now. False where it cannot be opened or read; the next call tries again.
  bool read(size_t index, std::string& text);
  // What a later read needs it opens again.
  void close();

 private:
  std::vector<std::string> paths_;
  std::vector<int> fds_;
};

}  // namespace pbox
