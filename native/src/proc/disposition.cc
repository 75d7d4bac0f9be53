#include "proc/disposition.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <string>
#include <unistd.h>

#include "proc/text_file.h"

namespace pbox {
namespace {

std::string proc(int pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

// Whether a signal set such as `SigBlk:` holds the signal; proc_pid_status(5).
bool in_set(const std::string& status, const char* field, int signal) {
  const size_t at = status.find(field);
  if (at == std::string::npos) return false;
  return (std::strtoull(status.c_str() + at + std::strlen(field), nullptr, 16) >> (signal - 1) & 1) != 0;
}

// The kernel drops signals with the default action that are sent to the first process of a pid namespace: pid_namespaces(7).
bool is_init_of_namespace(const std::string& status) {
  const size_t at = status.find("\nNSpid:");
  if (at == std::string::npos) return false;
  const std::string line = status.substr(at + 7, status.find('\n', at + 1) - at - 7);
  const size_t last = line.find_last_of(" \t");
  return line.find_first_of("0123456789") < last && line.substr(last + 1) == "1";
}

// During sigwait(3) the kernel shows the awaited signals as not blocked.
bool blocked_everywhere(const Descendant& process, const std::string& status, int signal) {
  if (process.threads <= 1) return in_set(status, "\nSigBlk:", signal);
  DIR* threads = opendir(proc(process.pid, "task").c_str());
  if (!threads) return false;
  bool blocked = true;
  while (const dirent* entry = readdir(threads)) {
    if (entry->d_name[0] == '.') continue;
    const std::string one = read_text_file(proc(process.pid, "task/") + entry->d_name + "/status");
    const bool alive = one.find("\nState:\tZ") == std::string::npos && one.find("\nState:\tX") == std::string::npos;
    if (!one.empty() && alive && !in_set(one, "\nSigBlk:", signal)) blocked = false;
  }
  closedir(threads);
  return blocked;
}

// Servers and supervisors block signals and read them from a signalfd(2).
bool reads_by_descriptor(int pid, int signal) {
  DIR* list = opendir(proc(pid, "fd").c_str());
  if (!list) return true;
  bool found = false;
  while (const dirent* entry = readdir(list)) {
    char target[32] = {};
    if (readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1) < 0) continue;
    if (std::strcmp(target, "anon_inode:[signalfd]") != 0) continue;
    if (in_set(read_text_file(proc(pid, "fdinfo/") + entry->d_name), "\nsigmask:", signal)) found = true;
  }
  closedir(list);
  return found;
}

// Whether the default action ends a process; signal(7).
bool ends_by_default(int signal) {
  switch (signal) {
    case SIGCHLD: case SIGCONT: case SIGURG: case SIGWINCH: case SIGTSTP: case SIGTTIN: case SIGTTOU:
      return false;
    default:
      return true;
  }
}

}  // namespace

bool refuses(const Descendant& process, int signal) {
  const std::string status = read_text_file(proc(process.pid, "status"));
  if (status.empty()) return false;
  if (in_set(status, "\nSigIgn:", signal)) return true;
  if (in_set(status, "\nSigCgt:", signal)) return false;
  if (is_init_of_namespace(status) || !ends_by_default(signal)) return true;
  return blocked_everywhere(process, status, signal) && !reads_by_descriptor(process.pid, signal);
}

bool leaves_to_default(const Descendant& process, int signal) {
  const std::string status = read_text_file(proc(process.pid, "status"));
  return !status.empty() && !in_set(status, "\nSigIgn:", signal) && !in_set(status, "\nSigCgt:", signal);
}

}  // namespace pbox
