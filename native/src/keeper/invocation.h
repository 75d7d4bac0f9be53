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
  // As the front end reads the words (front/options.h); Node gets them with `hello`.
  int command = 0, fallback = 0;
  std::string verb;
  bool failure_open = false, debug = false;

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
