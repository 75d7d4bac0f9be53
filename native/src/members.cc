#include "members.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tree.h"

namespace pbox {
namespace {

// Pids of a `cgroup.procs` and of the groups below its directory.
void read_group(const std::string& procs, std::vector<int>& out) {
  read_pids(procs.c_str(), out);
  const std::string dir = procs.substr(0, procs.rfind('/') + 1);
  struct stat info {};
  if (stat(dir.c_str(), &info) != 0 || info.st_nlink <= 2) return;  // kernfs counts directories
  DIR* list = opendir(dir.c_str());
  if (!list) return;
  while (const dirent* entry = readdir(list))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') read_group(dir + entry->d_name + "/cgroup.procs", out);
  closedir(list);
}

}  // namespace

bool read_process(int pid, ProcessStat& out) {
  char path[64], text[1024];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = 0;
  const char* at = std::strrchr(text, ')');
  if (!at || at[1] != ' ') return false;
  out.state = at[2];
  at += 3;
  uint64_t field[53] = {};
  for (int i = 4; i <= 52; i++) {
    char* end;
    field[i] = std::strtoull(at, &end, 10);
    if (end == at) break;  // an older kernel has fewer
    at = end;
  }
  out.group = static_cast<int>(field[5]);
  out.threads = static_cast<int64_t>(field[20]);
  // A main thread that has ended before the others is a zombie, too.
  out.dead = (out.state == 'Z' && out.threads <= 1) || out.state == 'X';
  out.start = field[22];
  out.wait_status = static_cast<int>(field[52]);
  out.user_ticks = field[14] + field[16];
  out.system_ticks = field[15] + field[17];
  return true;
}

bool signal_member(const Member& member, int signal) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, member.pid, 0));
  if (fd < 0 && errno != ENOSYS) return false;
  // Checked after opening: the descriptor then stands for the process that was looked at.
  ProcessStat now;
  bool sent = read_process(member.pid, now) && now.start == member.start && !now.dead;
  if (sent) sent = (fd >= 0 ? static_cast<int>(syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0)) : kill(member.pid, signal)) == 0;
  if (fd >= 0) close(fd);
  return sent;
}

Members::Members(Member main, const std::vector<int>& excluded, std::string procs) : main_(main), procs_(std::move(procs)) {
  ProcessStat now;
  for (const int pid : excluded)
    if (read_process(pid, now)) excluded_.push_back({pid, now.start});
}

bool Members::excluded(const Member& member) const {
  return std::any_of(excluded_.begin(), excluded_.end(),
                     [&](const Member& e) { return e.pid == member.pid && e.start == member.start; });
}

const std::vector<Member>& Members::look() {
  std::vector<Member> found;
  std::vector<int64_t> threads;
  std::vector<int> pids;  // of `found`, sorted
  const auto add = [&](int pid, uint64_t start) {
    const auto place = std::lower_bound(pids.begin(), pids.end(), pid);
    if (place != pids.end() && *place == pid) return;
    ProcessStat now;
    if (!read_process(pid, now) || now.dead || (start != 0 && now.start != start)) return;
    const Member member{pid, now.start};
    if (excluded(member)) return;
    pids.insert(place, pid);
    found.push_back(member);
    threads.push_back(now.threads);
  };
  add(main_.pid, main_.start);
  std::vector<int> listed;
  if (!procs_.empty()) read_group(procs_, listed);
  for (const int pid : listed) add(pid, 0);
  for (const Member& before : met_) add(before.pid, before.start);
  for (size_t at = 0; at < found.size(); at++) {
    listed.clear();
    read_children(found[at].pid, threads[at] > 1, listed);
    for (const int pid : listed) add(pid, 0);
  }
  met_.swap(found);
  return met_;
}

int Members::signal(int signal, int group) {
  look();
  // Who was forked or left by its parent during the first look is met in the second.
  const std::vector<Member> all = look();
  int count = 0;
  ProcessStat now;
  for (const Member& member : all) {
    if (group != 0 && (!read_process(member.pid, now) || now.group != group)) continue;
    count += signal_member(member, signal);
  }
  return count;
}

int Members::signal_until_stable(int signal) {
  std::vector<Member> done;
  int count = 0;
  bool fresh;
  do {
    fresh = false;
    for (const Member& member : std::vector<Member>(look())) {
      const auto same = [&](const Member& d) { return d.pid == member.pid && d.start == member.start; };
      if (std::any_of(done.begin(), done.end(), same)) continue;
      fresh = true;
      done.push_back(member);
      count += signal_member(member, signal);
    }
  } while (fresh);
  return count;
}

}  // namespace pbox
