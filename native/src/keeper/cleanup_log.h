// What is left to do when a box's keeper is killed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace pbox {

class Cgroup;
struct AbandonedGroups;

// What is to be done with the box's groups, in memory that keeper and guard share. It only grows, so that a keeper which
// is killed while it writes leaves whole records.
class CleanupLog {
 public:
  // Null where there is no memory for it: then the guard only kills.
  static CleanupLog* make();
  void add_cleanup(bool remove, const std::string& path, const std::string& text);
  void add_freezer(int version, const std::string& dir);
  void add_abandoned(const AbandonedGroups& groups);
  // Everything has been done.
  void clear() { size_ = 0; }
  void read_into(Cgroup& cgroup) const;

 private:
  static constexpr size_t kBytes = 64 << 10;
  void add(char kind, const std::string& first, const std::string& second);
  volatile uint32_t size_;
  char records_[kBytes];
};

}  // namespace pbox
