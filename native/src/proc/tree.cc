#include "proc/tree.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "proc/stat.h"

namespace pbox {
namespace {

// The state letter of proc_pid_stat(5); 0 if the thread has ended.
char thread_state(int pid, int tid) {
  char text[512];
  std::snprintf(text, sizeof text, "/proc/%d/task/%d/stat", pid, tid);
  const int fd = open(text, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[std::max<ssize_t>(n, 0)] = '\0';
  StatFields stat;
  return parse_stat(text, stat, 3) ? stat.state : '\0';
}

bool has_ended(char state) { return state == '\0' || state == 'Z' || state == 'X'; }

// Calls `visit(tid)` for each thread until it returns false.
template <typename Visit>
void each_thread(int pid, Visit visit) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR* dir = opendir(path);
  if (!dir) return;
  while (const dirent* entry = readdir(dir)) {
    const int tid = std::atoi(entry->d_name);
    if (tid > 0 && !visit(tid)) break;
  }
  closedir(dir);
}

}  // namespace

int live_thread(int pid) {
  if (!has_ended(thread_state(pid, pid))) return pid;
  int alive = pid;
  each_thread(pid, [&](int tid) {
    if (!has_ended(thread_state(pid, tid))) alive = tid;
    return alive == pid;
  });
  return alive;
}

std::string process_directory(int pid) {
  const int thread = live_thread(pid);
  const std::string directory = "/proc/" + std::to_string(pid);
  return thread == pid ? directory : directory + "/task/" + std::to_string(thread);
}

void read_pids(const char* path, std::vector<int>& out) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;  // the process has ended
  char buffer[4096];
  int pid = 0;
  bool digits = false;
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; i++) {
      if (buffer[i] >= '0' && buffer[i] <= '9') {
        pid = pid * 10 + (buffer[i] - '0');
        digits = true;
      } else if (digits) {
        out.push_back(pid);
        pid = 0;
        digits = false;
      }
    }
  }
  if (digits) out.push_back(pid);
  close(fd);
}

void read_children(int pid, bool many_threads, std::vector<int>& out) {
  char path[64];
  if (!many_threads) {
    std::snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    read_pids(path, out);
    return;
  }
  each_thread(pid, [&](int tid) {
    std::snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, tid);
    read_pids(path, out);
    return true;
  });
}

std::vector<Descendant> descendants(int root) {
  std::vector<Descendant> all;
  std::vector<int> children;
  const auto add_children = [&](int parent, bool many_threads) {
    children.clear();
    read_children(parent, many_threads, children);
    ProcessStat now;
    for (const int pid : children) {
      // If its parent has ended in the meantime, `root` has adopted the process and lists it as well.
      if (read_process(pid, now)) {
        if (!now.dead && now.parent == parent) all.push_back(process_of(pid, now));
      } else if (kill(pid, 0) == 0 || errno == EPERM) {
        all.push_back({{pid, 0}, parent, 0, 0, '?', 1});  // hidden from us: proc(5), hidepid
      }
    }
  };
  add_children(root, true);
  for (size_t at = 0; at < all.size(); at++) add_children(all[at].pid, all[at].threads > 1);
  return all;
}

namespace {

constexpr int kStopMs = 1000;

bool threads_stopped(int pid) {
  bool stopped = true;
  each_thread(pid, [&](int tid) {
    const char state = thread_state(pid, tid);
    stopped = has_ended(state) || state == 'T' || state == 't';
    return stopped;
  });
  return stopped;
}

// The processes met so far.
class Met {
 public:
  // False if the process was met before.
  bool add(const Member& member) {
    const auto place = std::lower_bound(sorted_.begin(), sorted_.end(), member, before);
    if (place != sorted_.end() && *place == member) return false;
    sorted_.insert(place, member);
    return true;
  }
  const std::vector<Member>& all() const { return sorted_; }

 private:
  static bool before(const Member& a, const Member& b) { return a.pid != b.pid ? a.pid < b.pid : a.start < b.start; }
  std::vector<Member> sorted_;
};

}  // namespace

// Finds every process before it signals one: a parent that dies of the signal would hide its children from a walk in progress.
int signal_once(const Look& look, int signal, int group) {
  constexpr int kPasses = 8;  // a process whose parent ends during a walk is met in the next one
  Met met;
  bool fresh = true;
  for (int pass = 0; fresh && pass < kPasses; pass++) {
    fresh = false;
    for (const Descendant& process : look())
      if (group == 0 || process.group == group) fresh |= met.add(process);
  }
  int count = 0;
  for (const Member& member : met.all()) count += signal_member(member, signal) == 0;
  return count;
}

int signal_until_stable(const Look& look, int signal) {
  Met met;
  int count = 0;
  for (bool fresh = true; fresh;) {
    fresh = false;
    for (const Descendant& process : look()) {
      if (!met.add(process)) continue;
      fresh = true;
      count += signal_member(process, signal) == 0;
    }
  }
  return count;
}

int kill_tree(int root) {
  return signal_until_stable([root] { return descendants(root); }, SIGKILL);
}

bool await_stopped(const std::vector<Descendant>& processes) {
  size_t at = 0;
  for (int waited = 0; waited < kStopMs; waited++) {
    while (at < processes.size() && threads_stopped(processes[at].pid)) at++;
    if (at == processes.size()) return true;
    usleep(1000);
  }
  return false;
}

std::vector<int> own_zombies() {
  std::vector<int> children, zombies;
  read_children(getpid(), true, children);
  ProcessStat now;
  for (const int pid : children)
    if (read_process(pid, now) && now.dead) zombies.push_back(pid);
  return zombies;
}

}  // namespace pbox
