#include "proc/device.h"

#include <cerrno>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "proc/text_file.h"

namespace pbox {
namespace {

bool is_number(const std::string& target) {
  const size_t colon = target.find(':');
  const auto digits = [](const std::string& text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos; };
  return colon != std::string::npos && digits(target.substr(0, colon)) && digits(target.substr(colon + 1));
}

}  // namespace

int find_disk(const std::string& target, std::string& disk, const std::string& sys) {
  disk = target;
  if (!is_number(target)) {
    struct stat info {};
    if (stat(target.c_str(), &info) != 0) return errno;
    const dev_t device = S_ISBLK(info.st_mode) ? info.st_rdev : info.st_dev;
    disk = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  }
  const std::string folder = sys + "/dev/block/" + disk;
  if (access(folder.c_str(), F_OK) != 0) return ENXIO;
  if (access((folder + "/partition").c_str(), F_OK) != 0) return 0;
  // A partition's folder is inside the folder of its disk.
  disk = read_text_file(folder + "/../dev");
  disk.erase(disk.find_last_not_of('\n') + 1);
  return 0;
}

}  // namespace pbox
