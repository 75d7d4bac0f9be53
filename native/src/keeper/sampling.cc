#include "keeper/sampling.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "keeper/group_files.h"
#include "proc/members.h"
#include "proc/text_file.h"

namespace pbox {
namespace {

constexpr size_t kMostOpen = 48;
constexpr size_t kMostWaiting = 16;     // a wrapper that asks for more waits until the oldest is complete
constexpr size_t kStep = 64;            // processes between two looks at the other events, about a millisecond
constexpr size_t kMostOpenFiles = 256;  // of the main process
constexpr size_t kMostTexts = 512 << 10;

uint64_t cpu_usec() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

// The keeper has the limits of the job. Half of the descriptors stay free for everything else.
bool may_stay_open(int fd) {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 && static_cast<rlim_t>(fd) < limit.rlim_cur / 2;
}

TreeBody tree_body(const Tree& tree, size_t open_files) {
  TreeBody body{};
  body.pids = static_cast<uint32_t>(tree.pids.size());
  body.rows = static_cast<uint32_t>(tree.rows.size());
  body.open_files = static_cast<uint32_t>(open_files);
  body.threads = tree.threads;
  body.rss_bytes = tree.rss_bytes;
  body.vms_bytes = tree.vms_bytes;
  body.swap_bytes = tree.swap_bytes;
  body.pss_bytes = tree.pss_bytes;
  body.anon_bytes = tree.anon_bytes;
  body.file_bytes = tree.file_bytes;
  body.shmem_bytes = tree.shmem_bytes;
  body.user_usec = tree.user_usec;
  body.system_usec = tree.system_usec;
  body.guest_usec = tree.guest_usec;
  body.iowait_usec = tree.iowait_usec;
  body.read_count = tree.read_count;
  body.write_count = tree.write_count;
  body.read_bytes = tree.read_bytes;
  body.write_bytes = tree.write_bytes;
  return body;
}

void write_tree(Writer& out, const Tree& tree, const std::vector<OpenFile>& open_files) {
  out.value(tree_body(tree, open_files.size()));
  for (const int32_t pid : tree.pids) out.value(pid);
  for (const Process& row : tree.rows) {
    out.value(RowBody{row.pid, row.ppid, static_cast<uint32_t>(static_cast<unsigned char>(row.state)), 0, row.threads, row.vms_bytes,
                      row.rss_bytes, row.user_usec, row.system_usec});
    out.word(row.comm.c_str());
  }
  for (const OpenFile& file : open_files) {
    out.value(int32_t{file.fd});
    out.word(file.path.c_str());
  }
}

}  // namespace

int OpenGroupFiles::read(const std::string& path, std::string& text) {
  auto known = fds_.find(path);
  const int fd = known != fds_.end() ? known->second : open_group_file(path, O_RDONLY);
  if (fd < 0) return errno;
  const int error = read_whole(fd, text) ? 0 : errno;
  if (error == 0 && known == fds_.end() && fds_.size() < kMostOpen && may_stay_open(fd)) {
    fds_.emplace(path, fd);
  } else if (error != 0 || known == fds_.end()) {
    ::close(fd);
    if (known != fds_.end()) fds_.erase(known);
  }
  return error;
}

void OpenGroupFiles::close() {
  for (const auto& [path, fd] : fds_) ::close(fd);
  fds_.clear();
}

void Sampling::ask(SampledBox& box, WrapperConnection& from, uint32_t id, Reader body) {
  if (waiting_.size() >= kMostWaiting)
    for (const size_t before = waiting_.size(); waiting_.size() == before;) step(box);
  Sample sample{&from, id, {}, {}, {}, {}, nullptr};
  const uint64_t before = cpu_usec();
  begin(box, sample, body);
  sample.reply.cost_usec = cpu_usec() - before;
  waiting_.push_back(std::move(sample));
  // A small box is done at once, and replies keep the order of the requests.
  if (waiting_.size() == 1) step(box);
}

void Sampling::begin(SampledBox& box, Sample& sample, Reader body) {
  SampleHead& head = sample.head = body.value<SampleHead>();
  const std::string procs = body.word();
  // Before the walk: a process that ends in between is missed once, and never counted twice.
  sample.reply.usage = box.sampled_usage();
  sample.reply.files = std::min(head.files, kMostFileOps);
  for (uint32_t i = 0; i < sample.reply.files; i++) {
    std::string text;
    int error = files_.read(body.word(), text);
    if (sample.files.body.size() + text.size() > kMostTexts) error = EFBIG;
    sample.files.result(error, error == 0 ? text : std::string());
  }
  sample.reply.listed = -1;
  if ((head.flags & kSampleList) && is_group_file(procs)) {
    read_group(procs, sample.listed);
    std::sort(sample.listed.begin(), sample.listed.end());
    sample.listed.erase(std::unique(sample.listed.begin(), sample.listed.end()), sample.listed.end());
    sample.reply.listed = static_cast<int32_t>(sample.listed.size());
  }
  const bool enough = sample.reply.listed > static_cast<int64_t>(head.walk_most);
  if ((head.flags & kSampleWalk) && !enough) sample.walk = box.walk(head.rows, (head.flags & kSamplePss) != 0);
}

void Sampling::step(SampledBox& box) {
  if (waiting_.empty()) return;
  Sample& sample = waiting_.front();
  const uint64_t before = cpu_usec();
  const bool done = !sample.walk || sample.walk->step(kStep);
  sample.reply.cost_usec += cpu_usec() - before;
  if (!done) return;
  send(box, sample);
  waiting_.pop_front();
}

void Sampling::send(SampledBox& box, Sample& sample) {
  sample.reply.walked = sample.walk != nullptr;
  Writer out;
  out.value(sample.reply);
  out.body.append(sample.files.body);
  for (const int32_t pid : sample.listed) out.value(pid);
  if (sample.walk) {
    Tree& tree = sample.walk->tree;
    box.since_start(tree);
    const bool files = (sample.head.flags & kSampleOpenFiles) && box.main_pid() > 0;
    write_tree(out, tree, files ? open_files(box.main_pid(), kMostOpenFiles) : std::vector<OpenFile>());
  }
  sample.to->send(Event::reply, sample.id, out.body.data(), out.body.size());
}

}  // namespace pbox
