// The keeper's parent, in a session of its own.
//
// Where the keeper is killed, alone or with the front end, the guard does the keeper's last steps; where somebody has
// stopped it, the guard lets it go on. Under a scheduler that signals whole sessions (PBS) the keeper stays in the session:
// it is stopped and signalled with the job, and so can tell what the job got. The guard then also stops what the job has
// put outside of the session.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace pbox {

class Cgroup;
struct Invocation;
struct KeptBy;

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
[[noreturn]] void guard_main(const KeptBy& by, Invocation& words, int front_pid);

}  // namespace pbox
