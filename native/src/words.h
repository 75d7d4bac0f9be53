// What proc_box was started with: copied once, and then hidden where ps and /proc show it.
#pragma once
#include <string>
#include <vector>

namespace pbox {

class Words {
 public:
  // Copies the words and the environment, and clears the PBOX_* entries of the original.
  Words(int argc, char** argv, char** environment);

  int count() const { return static_cast<int>(argv.size()) - 1; }
  // The value of a variable, PBOX_* or other; null where it is not set.
  const char* variable(const char* name) const;
  // Shows the words in ps, with `***` for what stands between `://` and the last `@` of a word.
  void mask();
  // Shows `name` in ps, and no word.
  void show(const char* name) const;

  std::vector<char*> argv;            // NULL-terminated
  std::vector<char*> environment;     // the job's, NULL-terminated
  std::vector<std::string> settings;  // PBOX_*

 private:
  void unpack(const char* packed);
  char* shown_ = nullptr;  // the original words, one after the other
  size_t shown_bytes_ = 0;
};

}  // namespace pbox
