#include "keeper/box.h"

#include <sys/wait.h>
#include <utility>

#include "keeper/cleanup_log.h"
#include "proc/clock.h"
#include "proc/tree.h"

namespace pbox {
namespace {

// How long after its own stop the keeper expects the same request from a late Node.
constexpr double kLateMs = 5000;

}  // namespace

ExitedBody exited_body(int status, const UsageBody& usage) {
  const bool killed = WIFSIGNALED(status);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, killed ? WTERMSIG(status) : -1, killed && WCOREDUMP(status), 0, monotonic_ms(), usage};
}

Box::Box(const KeeperSetup& setup, CleanupLog* log)
    : node_(setup.agent >= 0 ? WrapperConnection(setup.agent, Speaks::agent) : WrapperConnection(setup.node)), front_(setup.front),
      agent_(setup.agent_path, setup.site_agent), cleanup_log_(log),
      files_(
          cgroup_.made, [this](int pid) { return is_ours(pid) || processes().has(pid); },
          [this] { return processes().look(); },
          [this](const std::string& dir) {
            if (cleanup_log_) cleanup_log_->add_made(dir);
          }) {}

bool Box::receive(WrapperConnection& from) {
  const bool there = from.read();
  FrameHead head;
  std::string body;
  while (there && from.next(head, body)) handle(from, head, Reader(body));
  return there;
}

void Box::handle(WrapperConnection& from, const FrameHead& head, Reader body) {
  check_owner(from);
  switch (const auto request = static_cast<Request>(head.type)) {
    case Request::start:
    case Request::adopt:
      return begin(from, request, body);
    case Request::deadline:
      return deadline_.set(body.value<DeadlineBody>());
    case Request::cleanup:
      return add_cleanup(body);
    case Request::signal:
      return from.reply_count(head.id, signal(body.value<SignalBody>()));
    case Request::stop:
      return from.reply_count(head.id, stop(body.value<StopBody>()));
    case Request::kill:
      if (body.value<KillBody>().abandon) output().abandon_reader();
      return from.reply_count(head.id, kill_all());
    case Request::pause: {
      const bool reached = body.value<PauseBody>().reached != 0;
      return from.reply(head.id, has_processes() ? pause(reached) : PauseReply{});
    }
    case Request::suspend:
      return from.reply_count(head.id, processes().suspend());
    case Request::resume:
      before_resume();
      return from.reply_count(head.id, processes().resume());
    case Request::held_time:
      return from.reply(head.id, held_.total_ms());
    case Request::rlimit:
      return from.reply(head.id, set_rlimit(body.value<RlimitWire>()));
    case Request::stdout_limit:
      output().limit(body.value<uint64_t>());
      return from.reply_count(head.id, 0);
    case Request::stdout_mark:
      output().mark(body.value<uint64_t>());
      from.reply_count(head.id, 0);
      return tell_output();  // the mark may have been reached, and a quiet pipe does not wake the keeper
    case Request::welcome:
    case Request::to_front:
    case Request::delivery:
    case Request::use_node:
    case Request::keep:
    case Request::answer:
    case Request::leave:
      return of_agent(from, request, body);
    case Request::read_file:
      return from.reply_bytes(head.id, named_files_.read(body));
    case Request::write_report:
      return from.reply_bytes(head.id, named_files_.write_report(body));
    case Request::files: {
      const std::string results = files_.run(body);
      return from.send(Event::reply, head.id, results.data(), results.size());
    }
    case Request::sample:
      return sampling_.ask(*this, from, head.id, body);
  }
  from.reply_bytes(head.id, {});  // a request of a later version
}

// From the first request of another user's wrapper on, and for good.
void Box::check_owner(const WrapperConnection& from) {
  if (cgroup_.made.foreign || !from.is_foreign()) return;
  cgroup_.made.foreign = true;
  if (cleanup_log_) cleanup_log_->add_foreign();
}

void Box::drop_agent(int node) {
  agent_.drop();
  node_.close();
  node_ = WrapperConnection(node);
  cgroup_.remove();
  cgroup_.made = {};
  cgroup_.abandoned = {};
  if (cleanup_log_) cleanup_log_->clear();
}

void Box::of_agent(WrapperConnection& from, Request request, Reader body) {
  const bool of_front = &from == &front_;
  switch (request) {
    case Request::welcome:
      return front_.tell(Event::agent, AgentState::there);
    case Request::to_front:
      return to_front(body);
    case Request::keep:
      return agent_.keep(body);
    case Request::leave:
      return agent_.leave();
    case Request::delivery: {
      const std::string bytes = body.rest();
      if (of_front && agent_.used()) node_.send(Event::delivery, 0, bytes.data(), bytes.size());
      return;
    }
    case Request::use_node:
      if (of_front && agent_.used()) use_node();
      return;
    default:
      return;
  }
}

void Box::to_front(Reader body) {
  const std::string bytes = Reader(body).rest();
  const auto message = body.value<NodeMessage>();
  if (static_cast<NodeMessageType>(message.type) == NodeMessageType::outcome) agent_.done();
  if (!takes(message, body)) front_.send(Event::to_front, 0, bytes.data(), bytes.size());
}

std::unique_ptr<TreeWalk> Box::walk(size_t rows, bool pss) {
  std::vector<int> children;
  read_children(getpid(), true, children);
  return std::make_unique<TreeWalk>(std::move(children), true, rows, pss);
}

// The wrapper sends this before it makes a group, so that the keeper removes the group whenever the wrapper dies.
void Box::add_cleanup(Reader body) {
  const auto head = body.value<CleanupHead>();
  cgroup_.abandoned = {body.word(), head.id_digits, head.min_age_sec};
  if (cleanup_log_) cleanup_log_->add_abandoned(cgroup_.abandoned);
  while (!body.done()) {
    const bool remove = body.word() == "r";
    const std::string path = body.word(), text = body.word();
    // The clean-up itself checks the paths, because the groups have not been made yet.
    if (cgroup_.made.foreign && !remove && takes_pids(name_in(path)) && !files_.may_move(text)) continue;
    cgroup_.cleanup.push_back({remove, path, text});
    if (cleanup_log_) cleanup_log_->add_cleanup(remove, path, text);
  }
}

int Box::signal(const SignalBody& request) {
  if (request.all) return processes().signal(request.signal);
  if (!has_processes()) return 0;
  const MainProcess now = main();
  return now.group > 0 ? processes().signal_group(request.signal, now) : 0;
}

int Box::stop(const StopBody& request) {
  if (!has_processes()) return 0;
  // The wrapper may end before the job does. Then its front end, or the next agent, needs to know why the job has ended.
  if (request.at_time_limit != 0 && expired_ms_ == 0) {
    expired_ms_ = monotonic_ms();
    front_.tell(Event::expired, expired_ms_);
  }
  // A late Node asks for the stop that the keeper has just made in its place. The job's handler should run only once.
  const double now = monotonic_ms();
  const bool asked = stopped_ms_ > 0 && now - stopped_ms_ < kLateMs && request.signal == stopped_by_;
  if (asked && request.how == static_cast<uint32_t>(StopHow::group)) return 0;
  return processes().stop(request, main(), session());
}

int Box::kill_all() {
  survivors_.killed();
  return processes().kill();
}

void Box::tell_output() {
  uint64_t bytes = 0;
  if (!is_running()) return;
  if (output().marked(&bytes)) node_.tell(Event::stdoutmark, bytes);
  if (output().exceeded(&bytes)) node_.tell(Event::stdoutlimit, bytes);
}

int Box::held_wait_ms() { return agent_.used() ? held_.wait_ms(monotonic_ms()) : -1; }

void Box::notice_hold() {
  const double hold_ms = agent_.used() ? held_.woke(monotonic_ms()) : 0;
  if (hold_ms == 0) return;
  deadline_.postpone(hold_ms);
  tell_holds();
}

void Box::tell_holds() {
  if (held_.total_ms() > 0) node_.tell(Event::held, held_.total_ms());
}

void Box::on_deadline() {
  if (!is_running()) return;
  switch (deadline_.due(monotonic_ms(), [this] { return is_held(); })) {
    case Deadline::Due::nothing:
      return;
    case Deadline::Due::stop:
      announce(Event::expired, monotonic_ms());
      stop({deadline_.signal(), static_cast<uint32_t>(StopHow::group), 0, 0});
      stopped_ms_ = expired_ms_ = monotonic_ms();
      stopped_by_ = deadline_.signal();
      if (processes().suspended()) processes().resume();
      return;
    case Deadline::Due::kill:
      if (deadline_.abandons()) output().abandon_reader();
      kill_all();
  }
}

bool Box::give_up() {
  if (!processes().killed() || !survivors_.due()) return false;
  const Survivors::Verdict verdict = survivors_.look(processes().look(), zombies());
  if (verdict == Survivors::Verdict::wait || !is_running()) return false;
  const bool final = verdict == Survivors::Verdict::give_up;
  for (WrapperConnection* listener : {&node_, &front_}) tell_survivors(*listener, survivors_, final);
  return final;
}

}  // namespace pbox
