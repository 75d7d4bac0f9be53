#include "text.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace pbox {

bool read_text(const char* path, std::string& text) {
  text.clear();
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char buffer[16384];
  ssize_t size;
  // A short read is no end: the kernel gives records as they fit into its own page.
  while ((size = read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(size));
  const int error = errno;
  close(fd);
  errno = error;
  return size == 0;
}

}  // namespace pbox
