#include "keeper/shown_process.h"

#include <cstdint>
#include <sys/stat.h>

#include "proc/footprint.h"
#include "proc/process.h"
#include "proc/text_file.h"
#include "proc/tree.h"
#include "wire/frames.h"

namespace pbox {
namespace {

constexpr size_t kMostEntryBytes = 4096, kMostBytes = 128 << 10;  // of the environment

bool is_file(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// The entries that `is_shared` lets through, as far as they are of a sensible length.
std::vector<std::string> shared_of(const std::string& environment, bool (*is_shared)(const char*)) {
  std::vector<std::string> entries;
  size_t bytes = 0;
  for (size_t at = 0; at < environment.size();) {
    const std::string entry = environment.c_str() + at;
    at += entry.size() + 1;
    if (entry.size() > kMostEntryBytes || entry.find('=') == std::string::npos || !is_shared || !is_shared(entry.c_str())) continue;
    bytes += entry.size();
    if (bytes <= kMostBytes) entries.push_back(entry);
  }
  return entries;
}

}  // namespace

std::string process_body(int pid, bool (*is_shared)(const char*)) {
  Writer out;
  if (pid == 0) {
    out.value(ProcessHead{});
    return out.body;
  }
  const std::string process = "/proc/" + std::to_string(pid), thread = process_directory(pid);
  std::string environment;
  const bool readable = read_text_file(thread + "/environ", environment);
  const std::vector<std::string> entries = shared_of(environment, is_shared);
  out.value(ProcessHead{pid, is_file(thread + "/fd/1"), readable, static_cast<uint32_t>(entries.size())});
  for (const char* name : {"/stat", "/status"}) out.word(read_text_file(process + name).c_str());
  out.word(read_text_file(thread + "/cmdline").c_str());
  for (const std::string& entry : entries) out.word(entry.c_str());
  release_text();
  return out.body;
}

std::vector<int> ancestors_below(int top, int from) {
  std::vector<int> chain;
  ProcessStat now;
  for (int pid = from; read_process(pid, now) && now.parent > 1; pid = now.parent) {
    if (now.parent == top) return chain;
    chain.push_back(now.parent);
  }
  return {};
}

}  // namespace pbox
