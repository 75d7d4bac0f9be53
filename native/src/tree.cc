#include "tree.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace pbox {
namespace {

// The letter of proc_pid_stat(5); 0 where the thread has ended.
char thread_state(int pid, int tid) {
  char text[512];
  std::snprintf(text, sizeof text, "/proc/%d/task/%d/stat", pid, tid);
  const int fd = open(text, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[std::max<ssize_t>(n, 0)] = '\0';
  const char* end = std::strrchr(text, ')');
  return end && end[1] == ' ' ? end[2] : '\0';
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
  if (fd < 0) return;  // ended meanwhile
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

void walk_tree(int root, Visit visit, void* context) {
  std::vector<int> queue{root};
  std::vector<int> children;
  for (size_t at = 0; at < queue.size(); at++) {
    children.clear();
    read_children(queue[at], true, children);
    // Visited at once: between reading the pid and using it there are only microseconds, and pids are handed
    // out in a cycle, so that it cannot be another process by then.
    for (const int pid : children) {
      visit(context, pid, queue[at]);
      queue.push_back(pid);
    }
  }
}

std::vector<int> descendants(int root) {
  std::vector<int> all;
  walk_tree(root, [](void* context, int pid, int) { static_cast<std::vector<int>*>(context)->push_back(pid); }, &all);
  return all;
}

namespace {

constexpr int kStopMs = 1000;

bool is_stopped(int pid) {
  bool stopped = true;
  each_thread(pid, [&](int tid) {
    const char state = thread_state(pid, tid);
    stopped = has_ended(state) || state == 'T' || state == 't';
    return stopped;
  });
  return stopped;
}

// Everybody first, then the signal: a parent that dies of it would take its children out of a walk that goes on.
int signal_snapshot(int root, int signal) {
  constexpr int kPasses = 8;  // somebody whose parent has ended during a walk is met in the next one
  std::vector<int> met;  // sorted
  size_t before;
  int passes = 0;
  do {
    before = met.size();
    walk_tree(
        root,
        [](void* context, int pid, int) {
          auto& all = *static_cast<std::vector<int>*>(context);
          const auto place = std::lower_bound(all.begin(), all.end(), pid);
          if (place == all.end() || *place != pid) all.insert(place, pid);
        },
        &met);
  } while (met.size() != before && ++passes < kPasses);
  int count = 0;
  for (const int pid : met) count += kill(pid, signal) == 0 || errno == EPERM;
  return count;
}

}  // namespace

int signal_tree(int root, int signal, bool until_stable) {
  if (!until_stable) return signal_snapshot(root, signal);
  struct Pass {
    int signal;
    std::vector<int> met;  // sorted
    std::vector<int> fresh;
  } pass{signal, {}, {}};
  int count = 0;
  do {
    pass.fresh.clear();
    walk_tree(
        root,
        [](void* context, int pid, int) {
          auto& p = *static_cast<Pass*>(context);
          if (std::binary_search(p.met.begin(), p.met.end(), pid)) return;
          if (kill(pid, p.signal) == 0 || errno == EPERM) p.fresh.push_back(pid);
        },
        &pass);
    count += static_cast<int>(pass.fresh.size());
    pass.met.insert(pass.met.end(), pass.fresh.begin(), pass.fresh.end());
    std::sort(pass.met.begin(), pass.met.end());
  } while (until_stable && !pass.fresh.empty());
  return count;
}

void await_stopped(const std::vector<int>& pids) {
  size_t at = 0;
  for (int waited = 0; waited < kStopMs; waited++) {
    while (at < pids.size() && is_stopped(pids[at])) at++;
    if (at == pids.size()) return;
    usleep(1000);
  }
}

}  // namespace pbox
