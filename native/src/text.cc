#include "text.h"

#include <fcntl.h>
#include <unistd.h>

namespace pbox {

TextFiles::~TextFiles() {
  for (const int fd : fds_)
    if (fd >= 0) close(fd);
}

bool TextFiles::read(size_t index, std::string& text) {
  text.clear();
  int& fd = fds_[index];
  if (fd < 0) fd = open(paths_[index].c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char buffer[8192];
  ssize_t size;
  // From the start the kernel makes the text anew; a short read is no end, but nothing follows an empty one.
  while ((size = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0)
    text.append(buffer, static_cast<size_t>(size));
  if (size == 0) return true;
  // ENODEV: the group has gone, or its controller. A new one would be another file.
  close(fd);
  fd = -1;
  return false;
}

}  // namespace pbox
