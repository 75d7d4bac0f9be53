// The box's control groups as the keeper uses them. The wrapper has made them and tells the keeper how to use them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "keeper/made_groups.h"

namespace pbox {

struct CleanupStep {
  bool remove;  // remove `path` with every group below it; otherwise write `text` to it
  std::string path, text;
};

// Groups of boxes that were killed together with their keepers, as when a scheduler kills a step. The wrapper tells how such
// groups are named.
struct AbandonedGroups {
  std::string prefix;  // empty: look for none
  uint32_t id_digits = 0;
  uint32_t min_age_sec = 0;
};

class Cgroup {
 public:
  int freezer_version = 0;  // 0: none
  std::string freezer_dir, kill_file;
  std::vector<CleanupStep> cleanup;
  AbandonedGroups abandoned;
  MadeGroups made;

  // Freezes the group and waits, because freezing is asynchronous. False if there is no freezer or it takes too long.
  bool freeze();
  void thaw();
  // Thaws the group even if this object has not frozen it.
  void thaw_any();
  bool frozen() const { return frozen_; }
  // Kills every process at once through cgroup.kill, frozen or not. Returns their number, or -1 if that is not possible.
  int kill();
  // Carries out the clean-up steps, once; for a wrapper of another user only those within the groups made for it. No process of the box may be alive.
  void remove();

 private:
  bool may_sweep() const;
  bool frozen_ = false;
};

}  // namespace pbox
