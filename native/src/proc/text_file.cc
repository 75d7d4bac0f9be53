#include "proc/text_file.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace pbox {
namespace {

// Reading from the start makes the kernel compose the text anew. A short read does not mean the end of the file; an empty
// one does.
bool read_all(int fd, std::string& text) {
  text.clear();
  char buffer[8192];  // fits even under a small `ulimit -s`
  ssize_t size;
  while ((size = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0)
    text.append(buffer, static_cast<size_t>(size));
  return size == 0;
}

}  // namespace

bool read_text_file(const std::string& path, std::string& text) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool whole = read_all(fd, text);
  close(fd);
  return whole;
}

std::string read_text_file(const std::string& path) {
  std::string text;
  read_text_file(path, text);
  return text;
}

bool write_text_file(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t written = write(fd, text.data(), text.size());
  const int error = written < 0 ? errno : EIO;
  close(fd);
  if (written == static_cast<ssize_t>(text.size())) return true;
  errno = error;
  return false;
}

void TextFiles::close() {
  for (int& fd : fds_) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
}

bool TextFiles::read(size_t index, std::string& text) {
  int& fd = fds_[index];
  if (fd < 0) fd = open(paths_[index].c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  if (read_all(fd, text)) return true;
  // ENODEV: the group or its controller has gone. A new one would be a different file.
  ::close(fd);
  fd = -1;
  return false;
}

}  // namespace pbox
