#include "proc/text.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace pbox {
namespace {

// From the start the kernel makes the text anew; a short read is no end, but nothing follows an empty one.
bool read_all(int fd, std::string& text) {
  text.clear();
  char buffer[16384];
  ssize_t size;
  while ((size = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0)
    text.append(buffer, static_cast<size_t>(size));
  return size == 0;
}

}  // namespace

bool read_text(const char* path, std::string& text) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool whole = read_all(fd, text);
  close(fd);
  return whole;
}

int write_text(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = write(fd, text.data(), text.size()) < 0 ? errno : 0;
  close(fd);
  return error;
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
  // ENODEV: the group has gone, or its controller. A new one would be another file.
  ::close(fd);
  fd = -1;
  return false;
}

}  // namespace pbox
