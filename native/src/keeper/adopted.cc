// An adopted box: theory of operation
//
// The main process is already running as a child of another process. The keeper holds it from its own start on: a pidfd reports
// its end, and the keeper looks for the other processes of the box (proc/members.h). It tells its wrapper what /proc shows of the
// process (`process`). The wrapper makes groups, moves the processes there and sets limits, all through the keeper, and then puts the
// box in force (`adopt`). The keeper cannot reap any of the processes, so it sends `empty` when it finds none. The box does not end
// with its wrapper: adopted_wrapper.cc.
#include "keeper/adopted.h"

#include <algorithm>
#include <cerrno>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "keeper/shown_process.h"
#include "keeper/start.h"
#include "keeper/stopped.h"
#include "proc/exit_status.h"
#include "proc/clock.h"
#include "proc/footprint.h"
#include "proc/text_file.h"

namespace pbox {
namespace {

constexpr size_t kWalkAtOnce = 1 << 20;
constexpr int kStatusMs = 1000;  // longest wait for the exit status of the main process

Member member_of(int pid) {
  ProcessStat now;
  return {pid, pid > 0 && read_process(pid, now) ? now.start : 0};
}

// Node, its front end and this keeper are not part of the box. If the process is an ancestor of theirs, neither are the
// processes between them, which wait for us.
std::vector<int> outside(const KeeperSetup& setup, int pid) {
  const int front = setup.front_pid > 0 ? setup.front_pid : getppid();
  std::vector<int> pids = ancestors_below(pid, front);
  pids.insert(pids.end(), {front, getpid()});
  return pids;
}

}  // namespace

Adopted::Adopted(const KeeperSetup& setup, Invocation& words)
    : Box(setup, nullptr), setup_(setup), caller_(words), main_(member_of(words.adopted_pid)),
      processes_(cgroup_, Members(main_, outside(setup, main_.pid), "")),
      pidfd_(main_.pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, main_.pid, 0)) : -1) {
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, "proc_box-keeper");
  setsid();
  // Nothing of the caller's stays open, so that nobody waits for the end of this process.
  keep_only({node_.fd(), front_.fd(), setup.node, pidfd_, words.log_fd, words.pid_fd});
  if (words.log_fd >= 0) log_ = std::make_shared<Outlet>(words.log_fd, true);
  if (agent_.used()) {
    named_files_ = NamedFiles(words.for_agent);
    agent_.introduce(node_, caller_, 0, setup.front_pid, false);
    show_process();
    front_.tell(Event::agent, AgentState::asked);
  } else {
    tell_node();
  }
}

bool Adopted::main_alive() const {
  ProcessStat now;
  return main_.pid > 0 && read_process(main_.pid, now) && now.start == main_.start && !now.dead;
}

bool Adopted::is_ours(int pid) const {
  ProcessStat now;
  return pid == getpid() || pid == setup_.front_pid || pid == getppid() || (read_process(pid, now) && now.parent == setup_.front_pid && now.parent > 0);
}

bool Adopted::all_held() { return all_stopped(setup_.front_pid > 0 ? setup_.front_pid : getppid(), processes_.look()); }

// Processes::signal_group signals only members of the box: the group of a shell's pipeline may hold other processes.
MainProcess Adopted::main() const {
  ProcessStat now;
  const bool alive = read_process(main_.pid, now) && now.start == main_.start && !now.dead;
  return {main_.pid, alive ? now.group : 0, !alive};
}

void Adopted::show_process() {
  shown_ = process_body(main_.pid, caller_.words.is_shared);
  node_.send(Event::process, 0, shown_.data(), shown_.size());
}

void Adopted::begin(WrapperConnection&, Request request, Reader body) {
  if (request != Request::adopt || begun_) return;
  const auto head = body.value<AdoptHead>();
  const std::string procs = body.word(), freezer = body.word(), kill_file = body.word();
  begun_ = ever_begun_ = true;
  if (cgroup_.made.may_use({procs, freezer, kill_file})) {
    cgroup_.freezer_version = static_cast<int>(head.freezer_version);
    cgroup_.freezer_dir = freezer;
    cgroup_.kill_file = kill_file;
    processes_.list_in(procs);
    listed_ = !procs.empty();
  }
  output_.limit(head.stdout_max);
  if (!main_alive()) {
    ended_ = true;
    return announce(Event::failed, FailedBody{static_cast<int32_t>(Step::adopt), -1, ESRCH, 0});
  }
  const std::unique_ptr<TreeWalk> now = walk(0, false);
  while (!now->step(kWalkAtOnce)) continue;
  before_ = now->tree;
  release_text();
  if (head.await_exec && !started_) awaiting_ = read_text_file(proc("comm"));
  else started();
}

void Adopted::started() {
  show_process();
  if (!started_) {
    started_ = true;
    started_ms_ = monotonic_ms();
    output_.open(main_.pid);
  }
  announce(Event::started, StartedBody{main_.pid, 0, started_ms_});
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
  int status = 0;
  const bool known = find_status(status);
  if (!started_) started();
  output_.ended();
  exited_ = exited_body(status, usage());
  if (!known) {
    exited_.code = exited_.signal = -1;
    exited_.core_dumped = 0;
  }
  announce(Event::exited, exited_);
  if (agent_.searching()) end_rest();
}

void Adopted::check_end() {
  if (!ended_ || empty_) return;
  if (!processes_.look().empty()) return processes_.ask_rest();
  emptied();
}

void Adopted::emptied() {
  empty_ = true;
  if (lost_ms_ > 0) lost_ms_ = monotonic_ms();
  announce(Event::empty, usage());
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
  if (!empty_ && give_up()) emptied();
}

}  // namespace pbox
