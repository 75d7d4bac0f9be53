// The box's control groups as the keeper uses them. The wrapper has made them and says what to do with them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace pbox {

struct CleanupStep {
  bool remove;  // rmdir with everything below; else write `text`
  std::string path, text;
};

// Groups of boxes that were killed together with their keepers, as a scheduler kills a step: nobody is left who would take
// them away. The wrapper says what they are called.
struct AbandonedGroups {
  std::string prefix;  // empty: none are looked for
  uint32_t id_digits = 0;
  uint32_t min_age_sec = 0;
};

class Cgroup {
 public:
  int freezer_version = 0;  // 0: none
  std::string freezer_dir, kill_file;
  std::vector<CleanupStep> cleanup;
  AbandonedGroups abandoned;

  // Freezes and waits until the kernel says so (it is asynchronous). False where there is no freezer or it takes too long.
  bool freeze();
  void thaw();
  // For whoever has not frozen it.
  void thaw_any();
  bool frozen() const { return frozen_; }
  // cgroup.kill: everything at once, frozen or not. Returns how many processes there were, or -1 where it cannot be used.
  int kill();
  // Takes the groups away. Once; nothing of the box may be alive.
  void remove();

 private:
  bool frozen_ = false;
};

}  // namespace pbox
