#include "keeper/survivors.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "proc/clock.h"
#include "proc/freezer.h"
#include "proc/text_file.h"

namespace pbox {
namespace {

constexpr int kKillMs = 20;
constexpr int kThawMs = 100;
constexpr int kNameMs = 1000;
constexpr int kGiveUpMs = 5000;
constexpr int kBusyMs = 60000;
constexpr int kLateMs = 1000;

std::string proc(int pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

std::string name_of(int pid) {
  std::string name = read_text_file(proc(pid, "comm"));
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return name.empty() ? "?" : name;
}

int number_after(const std::string& status, const char* field) {
  const size_t at = status.find(field);
  return at == std::string::npos ? 0 : std::atoi(status.c_str() + at + std::strlen(field));
}

std::string traced_by(int tracer) {
  return "its tracer, pid " + std::to_string(tracer) + " (" + name_of(tracer) + "), does not let it go";
}

std::string why(const Descendant& process) {
  const std::string status = read_text_file(proc(process.pid, "status"));
  if (signal_member(process, SIGKILL) == EPERM)
    return "it runs as uid " + std::to_string(number_after(status, "\nUid:\t")) + ", which we may not signal";
  const std::string frozen = thaw_around(process.pid);
  if (!frozen.empty()) return frozen;
  if (const int tracer = number_after(status, "\nTracerPid:\t")) return traced_by(tracer);
  if (process.state == 'D') {
    const std::string where = read_text_file(proc(process.pid, "wchan"));
    return "uninterruptible sleep in the kernel" + (where.empty() || where == "0" ? "" : " (" + where + ")");
  }
  return std::string("SIGKILL is on its way (state ") + process.state + ")";
}

}  // namespace

void Survivors::killed() {
  if (since_ms_ != 0) return;
  since_ms_ = monotonic_ms();
  next_ms_ = since_ms_ + kThawMs;
}

bool Survivors::due() const { return since_ms_ != 0 && monotonic_ms() >= next_ms_; }

int Survivors::kill_ms() const {
  if (given_up_) return kLateMs;
  return monotonic_ms() - since_ms_ < kNameMs ? kKillMs : kThawMs;
}

Survivors::Verdict Survivors::look(const std::vector<Descendant>& alive, const std::vector<int>& zombies) {
  const double age = monotonic_ms() - since_ms_;
  std::vector<Survivor> now;
  bool running = false;
  for (const Descendant& process : alive) {
    now.push_back({process.pid, name_of(process.pid), why(process)});
    running |= process.state == 'R';
  }
  for (const int pid : zombies)
    if (const int tracer = number_after(read_text_file(proc(pid, "status")), "\nTracerPid:\t"))
      now.push_back({pid, name_of(pid), "it has ended, and " + traced_by(tracer)});
  next_ms_ = monotonic_ms() + (given_up_ ? kLateMs : kThawMs);
  if (age < kNameMs || now.empty() || given_up_) return Verdict::wait;
  // The kernel needs time to free the memory of a large process.
  given_up_ = age >= (running ? kBusyMs : kGiveUpMs);
  const bool fresh = std::any_of(now.begin(), now.end(), [this](const Survivor& one) {
    return std::none_of(all_.begin(), all_.end(), [&](const Survivor& told) { return told.pid == one.pid; });
  });
  all_ = std::move(now);
  return given_up_ ? Verdict::give_up : fresh ? Verdict::name : Verdict::wait;
}

namespace {

// The job chooses the names of its processes and groups. They must not start a new log line or control a terminal.
std::string printable_ascii(std::string text) {
  for (char& byte : text)
    if (byte < ' ' || byte > '~') byte = '?';
  return text;
}

}  // namespace

void tell_survivors(WrapperConnection& wrapper, const Survivors& survivors, bool final) {
  Writer body;
  body.value(UnkillableHead{static_cast<uint32_t>(survivors.all().size()), final});
  for (const Survivor& one : survivors.all()) {
    body.value(int32_t{one.pid});
    body.word(printable_ascii(one.name).c_str());
    body.word(printable_ascii(one.reason).c_str());
  }
  wrapper.send(Event::unkillable, 0, body.body.data(), body.body.size());
}

}  // namespace pbox
