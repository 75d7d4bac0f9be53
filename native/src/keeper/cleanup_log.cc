#include "keeper/cleanup_log.h"

#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

#include "keeper/cgroup.h"

namespace pbox {

CleanupLog* CleanupLog::make() {
  void* memory = mmap(nullptr, sizeof(CleanupLog), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<CleanupLog*>(memory);
}

void CleanupLog::add(char kind, const std::string& first, const std::string& second) {
  const size_t bytes = 1 + first.size() + 1 + second.size() + 1;
  const uint32_t at = size_;
  if (at + bytes > kBytes) return;
  char* record = records_ + at;
  record[0] = kind;
  std::memcpy(record + 1, first.c_str(), first.size() + 1);
  std::memcpy(record + 1 + first.size() + 1, second.c_str(), second.size() + 1);
  __sync_synchronize();
  size_ = static_cast<uint32_t>(at + bytes);
}

void CleanupLog::add_cleanup(bool remove, const std::string& path, const std::string& text) { add(remove ? 'r' : 'w', path, text); }

void CleanupLog::add_freezer(int version, const std::string& dir) { add('f', std::to_string(version), dir); }

void CleanupLog::add_abandoned(const AbandonedGroups& groups) {
  add('a', std::to_string(groups.id_digits) + " " + std::to_string(groups.min_age_sec), groups.prefix);
}

void CleanupLog::add_made(const std::string& dir) { add('m', dir, ""); }

void CleanupLog::add_foreign() { add('o', "", ""); }

void CleanupLog::read_into(Cgroup& cgroup) const {
  for (const char *at = records_, *end = records_ + size_; at < end;) {
    const char kind = *at++;
    const std::string first = at;
    at += first.size() + 1;
    const std::string second = at;
    at += second.size() + 1;
    if (kind == 'f') {
      cgroup.freezer_version = std::atoi(first.c_str());
      cgroup.freezer_dir = second;
    } else if (kind == 'a') {
      char* rest;
      cgroup.abandoned.id_digits = static_cast<uint32_t>(std::strtoul(first.c_str(), &rest, 10));
      cgroup.abandoned.min_age_sec = static_cast<uint32_t>(std::strtoul(rest, nullptr, 10));
      cgroup.abandoned.prefix = second;
    } else if (kind == 'm') {
      cgroup.made.add(first);
    } else if (kind == 'o') {
      cgroup.made.foreign = true;
    } else {
      cgroup.cleanup.push_back({kind == 'r', first, second});
    }
  }
}

}  // namespace pbox
