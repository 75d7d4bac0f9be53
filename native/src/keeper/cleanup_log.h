// The clean-up that remains to be done if a box's keeper is killed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace pbox {

class Cgroup;
struct AbandonedGroups;

// The clean-up steps for the box's groups, in memory that the keeper, the guard and the front end share. The log only grows,
// so a keeper that is killed while it writes leaves whole records.
class CleanupLog {
 public:
  // Null if there is no memory for it; then the guard only kills.
  static CleanupLog* make();
  void add_cleanup(bool remove, const std::string& path, const std::string& text);
  void add_freezer(int version, const std::string& dir);
  void add_abandoned(const AbandonedGroups& groups);
  void add_made(const std::string& dir);
  // The wrapper is another user's.
  void add_foreign();
  // All steps have been carried out.
  void clear() { size_ = 0; }
  void read_into(Cgroup& cgroup) const;

 private:
  static constexpr size_t kBytes = 64 << 10;
  void add(char kind, const std::string& first, const std::string& second);
  volatile uint32_t size_;
  char records_[kBytes];
};

}  // namespace pbox
