#include "front/site_file.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pbox {
namespace {

constexpr char kBlanks[] = " \t\r";
constexpr size_t kConfigMax = 1 << 20;

// Without blanks, quotes and a comment around it.
std::string trimmed(std::string text) {
  const size_t comment = text.find(" #");
  if (comment != std::string::npos) text.resize(comment);
  const size_t from = text.find_first_not_of(std::string(kBlanks) + "\"'");
  const size_t to = text.find_last_not_of(std::string(kBlanks) + "\"'");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

// `agent` as one of the words that commas, blanks or brackets separate.
bool names_agent(const std::string& text) {
  for (size_t at = 0; (at = text.find("agent", at)) != std::string::npos; at += 5) {
    const bool begins = at == 0 || std::strchr(", \t[-'\"", text[at - 1]) != nullptr;
    const char after = at + 5 < text.size() ? text[at + 5] : ' ';
    if (begins && std::strchr(", \t\r]'\"", after) != nullptr) return true;
  }
  return false;
}

// Only a regular file: a FIFO or a terminal would hold up the job.
std::string read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  std::string text;
  char chunk[4096];
  for (ssize_t n = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? 1 : 0; n > 0 && text.size() < kConfigMax;) {
    n = read(fd, chunk, sizeof chunk);
    if (n > 0) text.append(chunk, static_cast<size_t>(n));
  }
  if (fd >= 0) close(fd);
  return text;
}

}  // namespace

ConfigLines read_config_lines(const std::string& path) {
  ConfigLines found;
  const std::string text = read_file(path);
  bool in_lock = false;  // in the list below `locked:`
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const bool is_key = !line.empty() && !std::strchr(" \t#-", line[0]);
    if (is_key) in_lock = line.compare(0, 7, "locked:") == 0;
    if (is_key && line.compare(0, 6, "agent:") == 0) found.agent = trimmed(line.substr(6));
    if (in_lock && names_agent(is_key ? line.substr(7) : line)) found.locked = true;
  }
  return found;
}

}  // namespace pbox
