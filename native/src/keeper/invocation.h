// The words and the environment that proc_box was started with, as far as the keeper needs them, and the copy that ps shows.
#pragma once
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace pbox {

// What an agent gets to know and does not inherit. The front end fills it if there is an agent.
struct ForAgent {
  std::vector<std::string> words;     // up to the first word of the command, without passwords
  std::vector<std::string> settings;  // PBOX_*, without passwords
  std::vector<const char*> shared;    // entries of the environment that say who the job is
  std::string folder;                 // the working directory
  std::vector<int> children;          // that the front end had before it became proc_box
  std::string site_file;              // the site's config file, which may name files as well
};

struct Invocation {
  std::vector<char*> argv;            // NULL-terminated
  std::vector<char*> environment;     // the job's, NULL-terminated
  std::vector<std::string> settings;  // PBOX_*
  // The front end has read these from the words (front/options.h). `hello` carries them to Node.
  int command = 0, fallback = 0;
  std::string verb;
  bool failure_open = false, debug = false;
  ForAgent for_agent;
  // Of `proc_box adopt`.
  int adopted_pid = 0;                       // --pid; 0: none
  int log_fd = -1, pid_fd = -1;              // the open --log-file and --pid-file; -1: none, or they are Node's
  std::string pid_file;                      // absolute name of the latter
  bool (*is_shared)(const char*) = nullptr;  // which entries of a process's environment say who the job is

  int count() const { return static_cast<int>(argv.size()) - 1; }
  // Makes ps show `name` in place of the words.
  void show(const char* name) const {
    if (!shown) return;
    explicit_bzero(shown, shown_bytes);
    std::snprintf(shown, shown_bytes + 1, "%s", name);
  }

  char* shown = nullptr;  // the original words, which ps reads; contiguous
  size_t shown_bytes = 0;
};

}  // namespace pbox
