#include "proc/text_file.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace pbox {

// Reading from the start makes the kernel compose the text anew. A short read does not mean the end of the file; an empty
// one does.
bool read_whole(int fd, std::string& text) {
  text.clear();
  char buffer[8192];  // fits even under a small `ulimit -s`
  ssize_t size;
  while ((size = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0)
    text.append(buffer, static_cast<size_t>(size));
  return size == 0;
}

bool read_text_file(const std::string& path, std::string& text) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool whole = read_whole(fd, text);
  const int error = errno;
  close(fd);
  errno = error;
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

}  // namespace pbox
