#include "proc/host.h"

#include <cctype>
#include <dirent.h>
#include <sys/stat.h>

namespace pbox {

int64_t host_processes() {
  // st_nlink of /proc counts the processes and its fixed directories; one listing yields the number of the latter.
  static const int64_t fixed = [] {
    struct stat info {};
    DIR* dir = opendir("/proc");
    if (!dir || fstat(dirfd(dir), &info) != 0) return int64_t{0};
    int64_t processes = 0;
    while (const dirent* entry = readdir(dir)) processes += std::isdigit(static_cast<unsigned char>(entry->d_name[0])) != 0;
    closedir(dir);
    return static_cast<int64_t>(info.st_nlink) - processes;
  }();
  struct stat info {};
  return stat("/proc", &info) == 0 ? static_cast<int64_t>(info.st_nlink) - fixed : 0;
}

}  // namespace pbox
