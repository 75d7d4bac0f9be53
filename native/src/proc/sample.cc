#include "proc/sample.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "proc/stat.h"
#include "proc/tree.h"

namespace pbox {
namespace {

// Memory by kind and swap cost one more file per process, so they are read only in boxes of at most this many processes.
constexpr size_t kDetailedProcesses = 64;

struct File {
  char text[8192];
  ssize_t size;
  // Reads a small file of /proc. False if the process has ended or does not permit it.
  bool load(int pid, const char* name) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return false;
    text[size] = 0;
    return true;
  }
  // The number after `key`, in the file's unit; -1 if the key is missing.
  int64_t number(const char* key) const {
    const char* at = std::strstr(text, key);
    return at ? std::strtoll(at + std::strlen(key), nullptr, 10) : -1;
  }
};

struct Stat {
  Process process;
  uint64_t child_user, child_system, guest, child_guest, iowait;  // clock ticks
};

bool read_stat(int pid, uint64_t usec_per_tick, uint64_t page, File& file, Stat& out) {
  StatFields stat;
  if (!file.load(pid, "stat") || !parse_stat(file.text, stat, 44)) return false;
  const auto& field = stat.field;
  out.process.pid = pid;
  out.process.comm = stat.comm;
  out.process.state = stat.state;
  out.process.ppid = static_cast<int>(field[4]);
  out.process.user_usec = field[14] * usec_per_tick;
  out.process.system_usec = field[15] * usec_per_tick;
  out.child_user = field[16];
  out.child_system = field[17];
  out.process.threads = static_cast<int64_t>(field[20]);
  out.process.vms_bytes = field[23];
  out.process.rss_bytes = field[24] * page;
  out.iowait = field[42];
  out.guest = field[43];
  out.child_guest = field[44];
  return true;
}

bool is_zombie(const Process& process) { return process.state == 'Z' || process.state == 'X'; }

// The main thread has ended, but others are alive.
bool outlives_its_leader(const Process& process) { return process.state == 'Z' && process.threads > 1; }

// Fills in state and memory of a process whose main thread has ended, from a live thread.
void read_from_thread(int thread_id, uint64_t usec_per_tick, uint64_t page, File& file, Process& process) {
  Stat thread{};
  if (!read_stat(thread_id, usec_per_tick, page, file, thread)) return;
  process.state = thread.process.state;
  process.vms_bytes = thread.process.vms_bytes;
  process.rss_bytes = thread.process.rss_bytes;
}

bool swap_in_use() {
  struct sysinfo info {};
  return sysinfo(&info) == 0 && info.freeswap != info.totalswap;
}

void add_memory_detail(int thread, File& file, Tree& tree) {
  if (!file.load(thread, "status")) return;
  const auto kib = [&](const char* key) { return std::max<int64_t>(0, file.number(key)) * 1024; };
  tree.anon_bytes += kib("\nRssAnon:");
  tree.file_bytes += kib("\nRssFile:");
  tree.shmem_bytes += kib("\nRssShmem:");
  tree.swap_bytes += static_cast<uint64_t>(kib("\nVmSwap:"));
}

void add_io(int pid, File& file, Tree& tree) {
  if (!file.load(pid, "io")) return;  // another user's process
  const auto count = [&](const char* key) { return static_cast<uint64_t>(std::max<int64_t>(0, file.number(key))); };
  tree.read_count += count("syscr:");
  tree.write_count += count("syscw:");
  tree.read_bytes += count("\nread_bytes:");
  tree.write_bytes += count("\nwrite_bytes:");
}

void add_row(Tree& tree, Process&& process, size_t rows) {
  const auto larger = [](const Process& a, const Process& b) { return a.rss_bytes > b.rss_bytes; };
  if (rows == 0 || (tree.rows.size() == rows && !larger(process, tree.rows.back()))) return;
  if (tree.rows.size() == rows) tree.rows.pop_back();
  tree.rows.insert(std::upper_bound(tree.rows.begin(), tree.rows.end(), process, larger), std::move(process));
}

// A process's memory map costs about as much as this many looks at a process.
constexpr size_t kPssCost = 16;

uint64_t usec_per_tick() {
  static const uint64_t usec = 1000000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return usec;
}

uint64_t page_bytes() {
  static const uint64_t bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

TreeWalk::TreeWalk(std::vector<int> pids, bool descend, size_t rows, bool pss)
    : queue_(std::move(pids)), rows_(rows), descend_(descend), pss_(pss) {
  if (pss) tree.pss_bytes = 0;
}

void TreeWalk::visit(int pid) {
  File file;
  Stat stat{};
  const uint64_t tick = usec_per_tick();
  if (!read_stat(pid, tick, page_bytes(), file, stat)) return;
  Process& process = stat.process;
  tree.user_usec += process.user_usec + stat.child_user * tick;
  tree.system_usec += process.system_usec + stat.child_system * tick;
  tree.guest_usec += (stat.guest + stat.child_guest) * tick;
  tree.iowait_usec += stat.iowait * tick;
  add_io(pid, file, tree);
  int thread = pid;
  if (outlives_its_leader(process)) {
    thread = live_thread(pid);
    read_from_thread(thread, tick, page_bytes(), file, process);
  }
  if (is_zombie(process)) return;  // its memory and children are gone
  tree.pids.push_back(pid);
  threads_.push_back(thread);
  tree.threads += process.threads;
  tree.vms_bytes += process.vms_bytes;
  tree.rss_bytes += process.rss_bytes;
  if (descend_) read_children(pid, process.threads > 1, queue_);
  add_row(tree, std::move(process), rows_);
}

bool TreeWalk::step(size_t most) {
  for (; most > 0 && visited_ < queue_.size(); most--) visit(queue_[visited_++]);
  if (visited_ < queue_.size()) return false;
  if (tree.anon_bytes < 0) {
    detail_ = threads_.size() <= kDetailedProcesses || swap_in_use();
    if (detail_) tree.anon_bytes = tree.file_bytes = tree.shmem_bytes = 0;
  }
  File file;
  for (; most > 0 && detail_ && detailed_ < threads_.size(); most--) add_memory_detail(threads_[detailed_++], file, tree);
  if (detail_ && detailed_ < threads_.size()) return false;
  for (; most > 0 && pss_ && measured_ < threads_.size(); most -= std::min(most, kPssCost))
    if (file.load(threads_[measured_++], "smaps_rollup")) tree.pss_bytes += std::max<int64_t>(0, file.number("\nPss:")) * 1024;
  return !pss_ || measured_ == threads_.size();
}

std::vector<OpenFile> open_files(int pid, size_t most) {
  // The kernel shows no descriptors of a main thread that has ended.
  const int thread = live_thread(pid);
  std::vector<OpenFile> files;
  char path[64], target[4096];
  std::snprintf(path, sizeof path, "/proc/%d/fd", thread);
  DIR* dir = opendir(path);
  if (!dir) return files;
  while (const dirent* entry = readdir(dir)) {
    if (!std::isdigit(static_cast<unsigned char>(entry->d_name[0])) || files.size() >= most) continue;
    const ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target);
    if (n > 0) files.push_back({std::string(target, static_cast<size_t>(n)), std::atoi(entry->d_name)});
  }
  closedir(dir);
  return files;
}

}  // namespace pbox
