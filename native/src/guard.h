// The keeper under a scheduler that signals whole sessions (PBS).
//
// The keeper then stays in the session: it is stopped and signalled with the job, and so can tell what the job got. The
// guard is its parent, in a session of its own: where the session is killed it does the keeper's last steps, and where
// the session is stopped it stops what the job has put outside of it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace pbox {

class Cgroup;

// What is to be done with the box's groups, in memory that keeper and guard share. It only grows, so that a keeper which
// is killed while it writes leaves whole records.
class Will {
 public:
  // Null where there is no memory for it: then the guard only kills.
  static Will* make();
  void add_cleanup(bool remove, const std::string& path, const std::string& text);
  void add_freezer(int version, const std::string& dir);
  // The keeper has done everything itself.
  void fulfil() { size_ = 0; }
  void read_into(Cgroup& cgroup) const;

 private:
  static constexpr size_t kBytes = 64 << 10;
  void add(char kind, const std::string& first, const std::string& second);
  volatile uint32_t size_;
  char records_[kBytes];
};

// Forks the keeper and guards it. Never returns.
[[noreturn]] void guard_main(int control, int argc, char** argv, char** environment);

}  // namespace pbox
