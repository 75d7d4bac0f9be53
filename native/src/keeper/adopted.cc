// An adopted box: theory of operation
//
// The main process is already running as a child of another process. A pidfd reports its end, and the keeper looks for the
// other processes of the box (proc/members.h). It cannot reap any of them, so it sends `empty` when it finds no process. The
// box does not end with its wrapper: the processes go on within their limits, and the keeper only stays to remove the box's
// control groups.
#include "keeper/adopted.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "keeper/adopted_output.h"
#include "keeper/box.h"
#include "keeper/caller.h"
#include "keeper/stopped.h"
#include "proc/clock.h"
#include "proc/exit_status.h"
#include "proc/footprint.h"
#include "proc/text_file.h"

namespace pbox {
namespace {

constexpr int kExecMs = 10;      // between looks for the awaited exec
constexpr int kEndMs = 20;       // between looks for the end of the processes that outlive the main process
constexpr int kLookMs = 1000;    // between looks for processes if no group lists them
constexpr int kNoPidfdMs = 100;  // between looks for the end of a main process without a pidfd
constexpr size_t kWalkAtOnce = 1 << 20;
constexpr int kStatusMs = 1000;  // longest wait for the exit status of the main process

class Adopted final : public Box {
 public:
  Adopted(WrapperConnection node, Cgroup cgroup, const AdoptHead& head, const std::vector<int>& excluded, const std::string& procs);
  [[noreturn]] void run();

 private:
  Processes& processes() override { return processes_; }
  StdoutCount& output() override { return output_; }
  void begin(WrapperConnection&, Request, Reader) override {}
  bool has_processes() const override { return !empty_; }
  bool is_running() const override { return started_ && !empty_; }
  MainProcess main() const override;
  UsageBody usage() override;
  bool is_ours(int pid) const override { return pid == getpid(); }
  std::unique_ptr<TreeWalk> walk(size_t rows, bool pss) override;
  void since_start(Tree& tree) override;
  bool is_held() override { return all_stopped(getppid(), processes_.look()); }

  void started();
  void look_for_exec();
  void main_ended();
  bool main_alive() const;
  bool find_status(int& status);
  void check_end();
  void check_survivors();
  void wrapper_gone();
  int timeout();
  std::string proc(const char* name) const { return "/proc/" + std::to_string(main_.pid) + "/" + name; }

  const Member main_;
  AdoptedProcesses processes_;
  const bool listed_;  // a group lists the box
  int pidfd_ = -1;
  std::string awaiting_;  // name of the program that the awaited exec replaces
  AdoptedOutput output_;
  uint64_t user_ticks_ = 0, system_ticks_ = 0;  // used by the main process, as last read
  bool started_ = false, ended_ = false, empty_ = false;
  Tree before_;  // what the processes had used before they were in the box
};

Adopted::Adopted(WrapperConnection node, Cgroup cgroup, const AdoptHead& head, const std::vector<int>& excluded, const std::string& procs)
    : Box(std::move(node), WrapperConnection(-1), std::move(cgroup), nullptr), main_{head.pid, head.start},
      processes_(cgroup_, Members(main_, excluded, procs)), listed_(!procs.empty()) {
  setsid();
  keep_only({node_.fd()});
  output_.limit(head.stdout_max);
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, main_.pid, 0));
  if (!main_alive()) {
    node_.tell(Event::failed, FailedBody{static_cast<int32_t>(Step::adopt), -1, ESRCH, 0});
    return;
  }
  const std::unique_ptr<TreeWalk> now = walk(0, false);
  while (!now->step(kWalkAtOnce)) continue;
  before_ = now->tree;
  release_text();
  if (head.await_exec) awaiting_ = read_text_file(proc("comm"));
  else started();
}

bool Adopted::main_alive() const {
  ProcessStat now;
  return read_process(main_.pid, now) && now.start == main_.start && !now.dead;
}

// Processes::signal_group signals only members of the box: the group of a shell's pipeline may hold other processes.
MainProcess Adopted::main() const {
  ProcessStat now;
  const bool alive = read_process(main_.pid, now) && now.start == main_.start && !now.dead;
  return {main_.pid, alive ? now.group : 0, !alive};
}

void Adopted::started() {
  started_ = true;
  output_.open(main_.pid);
  node_.tell(Event::started, StartedBody{main_.pid, 0, monotonic_ms()});
}

void Adopted::look_for_exec() {
  if (read_text_file(proc("comm")) != awaiting_) started();
}

// The parent may reap the process at any moment. False if its exit status cannot be learned.
bool Adopted::find_status(int& status) {
  const bool readable = may_read_status(main_.pid);
  const double deadline = monotonic_ms() + kStatusMs;
  for (ProcessStat now; monotonic_ms() < deadline; usleep(2000)) {
    const bool there = read_process(main_.pid, now) && now.start == main_.start;
    if (there) {
      user_ticks_ = now.user_ticks;
      system_ticks_ = now.system_ticks;
      status = now.wait_status;
      if (now.dead && readable) return true;
    }
    // Asked after the look: if the process has been reaped by then, the kernel keeps its status for the pidfd.
    if (status_of_pidfd(pidfd_, &status)) return true;
    if (!there) return false;
  }
  return false;
}

void Adopted::main_ended() {
  ended_ = true;
  if (!started_) started();
  output_.ended();
  int status = 0;
  const bool known = find_status(status);
  ExitedBody body = exited_body(status, usage());
  if (!known) {
    body.code = body.signal = -1;
    body.core_dumped = 0;
  }
  node_.tell(Event::exited, body);
}

void Adopted::check_end() {
  if (!ended_ || empty_) return;
  if (!processes_.look().empty()) return processes_.ask_rest();
  empty_ = true;
  node_.tell(Event::empty, usage());
}

// The CPU time of the main process counts as reaped once it has ended. That of other ended processes is in their parents'.
UsageBody Adopted::usage() {
  static const uint64_t usec_per_tick = 1000000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  UsageBody body{};
  body.user_usec = user_ticks_ * usec_per_tick;
  body.system_usec = system_ticks_ * usec_per_tick;
  body.stdout_bytes = output_.bytes();
  return body;
}

std::unique_ptr<TreeWalk> Adopted::walk(size_t rows, bool pss) {
  std::vector<int> pids;
  for (const Descendant& process : processes_.look()) pids.push_back(process.pid);
  return std::make_unique<TreeWalk>(std::move(pids), false, rows, pss);
}

void Adopted::since_start(Tree& tree) {
  static constexpr uint64_t Tree::* kCounters[] = {&Tree::user_usec, &Tree::system_usec, &Tree::guest_usec, &Tree::iowait_usec,
                                                   &Tree::read_count, &Tree::write_count, &Tree::read_bytes, &Tree::write_bytes};
  for (const auto counter : kCounters) tree.*counter -= std::min(tree.*counter, before_.*counter);
}

void Adopted::check_survivors() {
  if (empty_ || !give_up()) return;
  empty_ = true;
  node_.tell(Event::empty, usage());
}

// Without a wrapper nothing could resume the box or change its deadline.
void Adopted::wrapper_gone() {
  node_.close();
  deadline_ = {};
  if (processes_.suspended()) processes_.resume();
  if (cgroup_.cleanup.empty() && !processes_.killed()) _exit(0);
}

int Adopted::timeout() {
  if (processes_.killed() || (ended_ && node_.fd() >= 0)) return kEndMs;
  if (!started_) return kExecMs;
  const int look = pidfd_ < 0 ? kNoPidfdMs : listed_ && node_.fd() >= 0 ? -1 : kLookMs;
  return sooner(sooner(look, output_.next_look_ms()), deadline_.wait_ms(monotonic_ms()));
}

void Adopted::run() {
  double looked_ms = monotonic_ms();
  for (;;) {
    pollfd entries[2] = {{node_.fd(), node_.events(), 0}, {ended_ ? -1 : pidfd_, POLLIN, 0}};
    if (poll(entries, 2, patience(timeout())) < 0 && errno != EINTR) _exit(125);
    node_.flush();
    if (!started_ && !ended_) look_for_exec();
    if (!ended_ && (entries[1].revents || (pidfd_ < 0 && !main_alive()))) main_ended();
    tell_output();
    on_deadline();
    if (!listed_ && monotonic_ms() - looked_ms >= kLookMs) {
      looked_ms = monotonic_ms();
      processes_.look();
    }
    if (processes_.killed() && !empty_) kill_all();
    check_end();
    check_survivors();
    sample();
    if (node_.fd() >= 0 && (entries[0].revents & ~POLLOUT) && !receive(node_)) wrapper_gone();
    if (node_.fd() < 0 && (empty_ || (ended_ && processes_.look().empty()))) {
      cgroup_.remove();
      _exit(0);
    }
  }
}

}  // namespace

void keep_adopted(WrapperConnection node, Cgroup cgroup, Reader request) {
  const auto head = request.value<AdoptHead>();
  std::vector<int> excluded;
  for (uint32_t i = 0; i < head.excluded; i++) excluded.push_back(request.value<int32_t>());
  std::string procs = request.word();
  const std::string freezer = request.word(), kill_file = request.word();
  if (cgroup.made.may_use({procs, freezer, kill_file})) {
    cgroup.freezer_version = static_cast<int>(head.freezer_version);
    cgroup.freezer_dir = freezer;
    cgroup.kill_file = kill_file;
  } else {
    procs.clear();
  }
  Adopted(std::move(node), std::move(cgroup), head, excluded, procs).run();
}

}  // namespace pbox
