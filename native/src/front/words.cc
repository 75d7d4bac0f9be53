#include "front/words.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "proc/masked_uri.h"

namespace pbox {
namespace {

constexpr char kSettings[] = "PBOX_", kPackedOption[] = "--argv=", kPackedVariable[] = "PBOX_ARGV=";

bool begins(const char* text, const char* with) { return std::strncmp(text, with, std::strlen(with)) == 0; }

}  // namespace

Words::Words(int argc, char** given, char** given_environment) {
  const char* packed = argc == 2 && begins(given[1], kPackedOption) ? given[1] + std::strlen(kPackedOption) : nullptr;
  for (int i = 0; i < argc; i++) argv.push_back(strdup(given[i]));
  if (argc == 0) argv.push_back(strdup("proc_box"));
  std::string variable;
  for (char** e = given_environment; *e; e++) {
    if (!begins(*e, kSettings)) {
      environment.push_back(*e);
      continue;
    }
    if (begins(*e, kPackedVariable)) variable = *e + std::strlen(kPackedVariable);
    else settings.emplace_back(*e);
    explicit_bzero(*e, std::strlen(*e));
  }
  environment.push_back(nullptr);
  if (!packed && argc == 1 && !variable.empty()) packed = variable.c_str();
  if (packed) unpack(packed);
  argv.push_back(nullptr);
  if (argc == 0) return;
  shown = given[0];
  char* end = shown + std::strlen(shown);
  for (int i = 1; i < argc && given[i] == end + 1; i++) end = given[i] + std::strlen(given[i]);
  shown_bytes = static_cast<size_t>(end - shown);
}

// Unpacks a command line that was packed because its carrier does not keep words intact: PBS drops empty words and cuts others at
// a newline. Each word ends with `;`, and `%41` stands for a byte.
void Words::unpack(const char* packed) {
  argv.resize(1);
  std::string word;
  for (const char* in = packed; *in; in++) {
    if (*in == ';') {
      argv.push_back(strdup(word.c_str()));
      word.clear();
    } else if (*in == '%' && std::isxdigit(in[1]) && std::isxdigit(in[2])) {
      const char digits[] = {in[1], in[2], 0};
      word += static_cast<char>(std::strtol(digits, nullptr, 16));
      in += 2;
    } else {
      word += *in;
    }
  }
}

const char* Words::variable(const char* name) const {
  const size_t length = std::strlen(name);
  for (const auto& entry : settings)
    if (entry.compare(0, length, name) == 0 && entry[length] == '=') return entry.c_str() + length + 1;
  for (size_t i = 0; environment[i]; i++)
    if (begins(environment[i], name) && environment[i][length] == '=') return environment[i] + length + 1;
  return nullptr;
}

void Words::mask() {
  if (!shown) return;
  std::string all;
  for (int i = 0; i < count(); i++) all += masked_uri(argv[static_cast<size_t>(i)]) + '\0';
  const size_t bytes = std::min(all.size(), shown_bytes);
  explicit_bzero(shown, shown_bytes);
  std::memcpy(shown, all.data(), bytes);
}

}  // namespace pbox
