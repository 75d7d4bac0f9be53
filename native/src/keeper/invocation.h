// What proc_box was started with, as far as the keeper needs it: the words, the environment, and what ps shows of them.
#pragma once
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace pbox {

struct Invocation {
  std::vector<char*> argv;            // NULL-terminated
  std::vector<char*> environment;     // the job's, NULL-terminated
  std::vector<std::string> settings;  // PBOX_*
  int command = 0;                    // index of the command's first word
  bool failure_open = false;          // the job runs without a box where there can be none

  int count() const { return static_cast<int>(argv.size()) - 1; }
  // Shows `name` in ps, and no word.
  void show(const char* name) const {
    if (!shown) return;
    explicit_bzero(shown, shown_bytes);
    std::snprintf(shown, shown_bytes + 1, "%s", name);
  }

  char* shown = nullptr;  // the words where ps reads them, one after the other
  size_t shown_bytes = 0;
};

}  // namespace pbox
