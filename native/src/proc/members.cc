#include "proc/members.h"

#include <algorithm>
#include <dirent.h>
#include <sys/stat.h>

#include "proc/tree.h"

namespace pbox {

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

Members::Members(Member main, const std::vector<int>& excluded, std::string procs) : main_(main), procs_(std::move(procs)) {
  ProcessStat now;
  for (const int pid : excluded)
    if (read_process(pid, now)) excluded_.push_back({pid, now.start});
}

bool Members::excluded(const Member& member) const {
  return std::find(excluded_.begin(), excluded_.end(), member) != excluded_.end();
}

const std::vector<Descendant>& Members::look() {
  std::vector<Descendant> found;
  std::vector<int> pids;  // those of `found`, sorted
  const auto add = [&](int pid, uint64_t start) {
    const auto place = std::lower_bound(pids.begin(), pids.end(), pid);
    if (place != pids.end() && *place == pid) return;
    ProcessStat now;
    if (!read_process(pid, now) || now.dead || (start != 0 && now.start != start)) return;
    if (excluded({pid, now.start})) return;
    pids.insert(place, pid);
    found.push_back(process_of(pid, now));
  };
  add(main_.pid, main_.start);
  std::vector<int> listed;
  if (!procs_.empty()) read_group(procs_, listed);
  for (const int pid : listed) add(pid, 0);
  for (const Descendant& before : met_) add(before.pid, before.start);
  for (size_t at = 0; at < found.size(); at++) {
    listed.clear();
    read_children(found[at].pid, found[at].threads > 1, listed);
    for (const int pid : listed) add(pid, 0);
  }
  met_.swap(found);
  return met_;
}

bool Members::has(int pid) {
  const auto same = [pid](const Descendant& one) { return one.pid == pid; };
  const auto found = std::find_if(met_.begin(), met_.end(), same);
  ProcessStat now;
  if (found != met_.end() && read_process(pid, now) && now.start == found->start) return true;
  look();
  return std::any_of(met_.begin(), met_.end(), same);
}

}  // namespace pbox
