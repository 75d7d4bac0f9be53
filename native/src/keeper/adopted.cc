// An adopted box: theory of operation
//
// The main process runs already, as somebody else's child. Its end is told by its pidfd; others of the box are found by
// looking (members.h). Nothing can be reaped, so `empty` means that a look has found nobody. The wrapper's end is not the
// box's: what was adopted goes on within its limits, and the keeper stays only to take its control groups away.
#include "keeper/adopted.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/caller.h"
#include "keeper/ladder.h"
#include "keeper/rlimits.h"
#include "keeper/adopted_output.h"
#include "keeper/survivors.h"
#include "proc/clock.h"
#include "proc/exit_status.h"
#include "proc/members.h"
#include "proc/text_file.h"
#include "proc/tree.h"

namespace pbox {
namespace {

constexpr int kExecMs = 10;          // between looks for the program that an awaited exec brings
constexpr int kEndMs = 20;           // between looks for the end of what the main process has left
constexpr int kLookMs = 1000;        // between looks where no group lists the box
constexpr int kStatusMs = 1000;      // longest wait for the exit status of the main process

class Adopted {
 public:
  Adopted(Control& control, Cgroup& cgroup, const AdoptHead& head, const std::vector<int>& excluded, const std::string& procs);
  [[noreturn]] void run();

 private:
  void started();
  void look_for_exec();
  void main_ended();
  bool main_alive() const;
  void check_end();
  void check_survivors();
  void check_output();
  bool receive();
  void handle(const FrameHead& head, Reader body);
  int kill_all();
  int stop(const StopBody& request);
  int resume();
  RlimitReply set_rlimit(const RlimitWire& wanted);
  UsageBody usage();
  void wrapper_gone();
  int timeout();
  std::string proc(const char* name) const { return "/proc/" + std::to_string(main_.pid) + "/" + name; }

  Control& control_;
  Cgroup& cgroup_;
  const Member main_;
  Members members_;
  Ladder ladder_;
  Survivors survivors_;
  const bool listed_;  // a group lists the box
  int pidfd_ = -1;
  std::string awaiting_;  // name of the program that is to be replaced
  AdoptedOutput output_;
  uint64_t output_max_, output_told_ = 0, output_mark_ = 0;
  uint64_t user_ticks_ = 0, system_ticks_ = 0;  // of the main process, when it had ended
  bool started_ = false, ended_ = false, empty_ = false;
  bool stopped_ = false, killing_ = false;
};

Adopted::Adopted(Control& control, Cgroup& cgroup, const AdoptHead& head, const std::vector<int>& excluded, const std::string& procs)
    : control_(control), cgroup_(cgroup), main_{head.pid, head.start}, members_(main_, excluded, procs),
      listed_(!procs.empty()), output_max_(head.stdout_max) {
  setsid();
  keep_only({control_.fd()});
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, main_.pid, 0));
  if (!main_alive()) {
    const FailedBody body{static_cast<int32_t>(Step::adopt), -1, ESRCH, 0};
    control_.send(Event::failed, 0, &body, sizeof body);
    return;
  }
  members_.look();
  if (head.await_exec) awaiting_ = read_text_file(proc("comm"));
  else started();
}

bool Adopted::main_alive() const {
  ProcessStat now;
  return read_process(main_.pid, now) && now.start == main_.start && !now.dead;
}

void Adopted::started() {
  started_ = true;
  output_.open(main_.pid);
  const StartedBody body{main_.pid, 0, monotonic_ms()};
  control_.send(Event::started, 0, &body, sizeof body);
}

void Adopted::look_for_exec() {
  if (read_text_file(proc("comm")) != awaiting_) started();
}

void Adopted::main_ended() {
  ended_ = true;
  if (!started_) started();
  int status = 0;
  bool known = false;
  const double deadline = monotonic_ms() + kStatusMs;
  const bool readable = may_read_status(main_.pid);
  for (ProcessStat now; !known && monotonic_ms() < deadline; usleep(2000)) {
    const bool there = read_process(main_.pid, now) && now.start == main_.start;
    if (there) {
      user_ticks_ = now.user_ticks;
      system_ticks_ = now.system_ticks;
      if (now.dead && readable) status = now.wait_status, known = true;
    }
    // After the look: by then it has been reaped, and the kernel keeps the status for the descriptor.
    if (!known) known = status_of_pidfd(pidfd_, &status);
    if (!there) break;
  }
  ExitedBody body{};
  body.code = known && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  body.signal = known && WIFSIGNALED(status) ? WTERMSIG(status) : -1;
  body.core_dumped = known && WIFSIGNALED(status) && WCOREDUMP(status);
  body.at_ms = monotonic_ms();
  body.usage = usage();
  control_.send(Event::exited, 0, &body, sizeof body);
}

void Adopted::check_end() {
  if (!ended_ || empty_) return;
  const std::vector<Descendant>& left = members_.look();
  if (!left.empty()) {
    if (ladder_.asking() && !killing_) ladder_.round(left);
    return;
  }
  empty_ = true;
  const UsageBody body = usage();
  control_.send(Event::empty, 0, &body, sizeof body);
}

// Reported at the limit, and again when the job has gone on writing after that.
void Adopted::check_output() {
  if (!output_.counted() || ended_) return;
  const uint64_t bytes = output_.bytes(ended_);
  if (output_mark_ != 0 && bytes >= output_mark_) {
    output_mark_ = 0;
    control_.send(Event::stdoutmark, 0, &bytes, sizeof bytes);
  }
  if (output_max_ == 0 || bytes <= output_max_ || (output_told_ != 0 && bytes <= output_told_ + (64 << 10))) return;
  output_told_ = bytes;
  control_.send(Event::stdoutlimit, 0, &bytes, sizeof bytes);
}

// CPU of the main process counts as reaped once it has ended; what else has ended is in its parent's figures.
UsageBody Adopted::usage() {
  static const uint64_t usec_per_tick = 1000000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  UsageBody body{};
  body.user_usec = user_ticks_ * usec_per_tick;
  body.system_usec = system_ticks_ * usec_per_tick;
  body.stdout_bytes = output_.bytes(ended_);
  return body;
}

bool Adopted::receive() {
  const bool there = control_.read();
  FrameHead head;
  std::string body;
  while (there && control_.next(head, body)) handle(head, Reader(body.data(), body.size()));
  return there;
}

void Adopted::handle(const FrameHead& head, Reader body) {
  switch (static_cast<Request>(head.type)) {
    case Request::signal: {
      const auto request = body.value<SignalBody>();
      ProcessStat now;
      // Those of the main process's group that are of the box: a shell's pipeline may have others in it.
      if (!request.all && !(main_alive() && read_process(main_.pid, now))) return control_.reply_count(head.id, 0);
      return control_.reply_count(head.id, members_.signal(request.signal, request.all ? 0 : now.group));
    }
    case Request::stop:
      return control_.reply_count(head.id, stop(body.value<StopBody>()));
    case Request::kill:
      return control_.reply_count(head.id, kill_all());
    case Request::suspend: {
      stopped_ = !cgroup_.freeze();
      const int count = stopped_ ? members_.signal_until_stable(SIGSTOP) : members_.signal(0, 0);
      if (stopped_) await_stopped(members_.look());
      return control_.reply_count(head.id, count);
    }
    case Request::resume:
      return control_.reply_count(head.id, resume());
    case Request::rlimit: {
      const RlimitReply reply = set_rlimit(body.value<RlimitWire>());
      return control_.send(Event::reply, head.id, &reply, sizeof reply);
    }
    case Request::stdout_limit:
      output_max_ = body.value<uint64_t>();
      return control_.reply_count(head.id, 0);
    case Request::stdout_mark:
      output_mark_ = body.value<uint64_t>();
      return control_.reply_count(head.id, 0);
    case Request::usage: {
      const UsageBody now = usage();
      return control_.send(Event::reply, head.id, &now, sizeof now);
    }
    default:
      return;
  }
}

// As for a job of our own: Keeper::check_survivors.
void Adopted::check_survivors() {
  if (empty_ || !killing_ || !survivors_.due()) return;
  const Survivors::Verdict verdict = survivors_.look(members_.look(), {});
  if (verdict == Survivors::Verdict::wait) return;
  empty_ = verdict == Survivors::Verdict::give_up;
  tell_survivors(control_, survivors_, empty_);
  if (empty_) control_.tell(Event::empty, usage());
}

int Adopted::kill_all() {
  killing_ = true;
  survivors_.killed();
  signal_member(main_, SIGKILL);
  const int at_once = cgroup_.kill();
  const int met = members_.signal_until_stable(SIGKILL);
  if (at_once < 0) cgroup_.thaw();  // v1: SIGKILL waits for it
  return std::max(at_once, met);
}

int Adopted::stop(const StopBody& request) {
  const std::vector<Descendant> all = members_.look();
  ProcessStat now;
  const int group = read_process(main_.pid, now) && now.start == main_.start ? now.group : 0;
  switch (static_cast<StopHow>(request.how)) {
    case StopHow::group:
      members_.signal(request.signal, group);
      return ladder_.beside_main(all, main_.pid, group, request.signal);
    case StopHow::forward:
      ladder_.noted(all, main_.pid, group);
      return members_.signal(request.signal, group);
    case StopHow::rest:
    case StopHow::spare:
      ladder_.leave_rest(request.signal, group, 0, static_cast<StopHow>(request.how) == StopHow::spare);
      return ladder_.round(all);
  }
  return 0;
}

int Adopted::resume() {
  const bool frozen = cgroup_.frozen();
  cgroup_.thaw();
  stopped_ = false;
  return members_.signal(frozen ? 0 : SIGCONT, 0);
}

RlimitReply Adopted::set_rlimit(const RlimitWire& wanted) {
  return reply_of(rlimit_set_all([this] { return members_.look(); }, change_of(wanted)));
}

// Nobody could resume the box any more.
void Adopted::wrapper_gone() {
  control_.close();
  if (cgroup_.frozen() || stopped_) resume();
  if (cgroup_.cleanup.empty() && !killing_) _exit(0);
}

int Adopted::timeout() {
  if (killing_ || (ended_ && control_.fd() >= 0)) return kEndMs;
  if (!started_) return kExecMs;
  int wait = pidfd_ < 0 ? 100 : listed_ && control_.fd() >= 0 ? -1 : kLookMs;
  if (output_.counted() && !ended_) {
    const uint64_t target = output_mark_ == 0 ? output_max_ : output_max_ == 0 ? output_mark_ : std::min(output_mark_, output_max_);
    const int look = output_.until_ms(target);
    wait = wait < 0 ? look : std::min(wait, look);
  }
  return wait;
}

void Adopted::run() {
  double looked_ms = monotonic_ms();
  for (;;) {
    pollfd entries[2] = {{control_.fd(), control_.events(), 0}, {ended_ ? -1 : pidfd_, POLLIN, 0}};
    if (poll(entries, 2, timeout()) < 0 && errno != EINTR) _exit(125);
    control_.flush();
    if (!started_ && !ended_) look_for_exec();
    if (!ended_ && (entries[1].revents || (pidfd_ < 0 && !main_alive()))) main_ended();
    check_output();
    if (!listed_ && monotonic_ms() - looked_ms >= kLookMs) {
      looked_ms = monotonic_ms();
      members_.look();
    }
    if (killing_ && !empty_) kill_all();
    check_end();
    check_survivors();
    if (control_.fd() >= 0 && (entries[0].revents & ~POLLOUT) && !receive()) wrapper_gone();
    if (control_.fd() < 0 && (empty_ || (ended_ && members_.look().empty()))) {
      cgroup_.remove();
      _exit(0);
    }
  }
}

}  // namespace

void keep_adopted(Control& control, Cgroup& cgroup, Reader request) {
  const auto head = request.value<AdoptHead>();
  std::vector<int> excluded;
  for (uint32_t i = 0; i < head.excluded; i++) excluded.push_back(request.value<int32_t>());
  const std::string procs = request.word();
  cgroup.freezer_version = static_cast<int>(head.freezer_version);
  cgroup.freezer_dir = request.word();
  cgroup.kill_file = request.word();
  Adopted adopted(control, cgroup, head, excluded, procs);
  adopted.run();
}

}  // namespace pbox
