#include "keeper/agent_link.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

#include "keeper/caller.h"
#include "keeper/start.h"
#include "proc/clock.h"
#include "proc/text_file.h"
#include "proc/unix_socket.h"
#include "wire/wrapper_connection.h"

namespace pbox {
namespace {

constexpr size_t kKeptMax = 64 << 10;
// How often to look for the next agent. The jitter spreads the boxes of a node.
constexpr double kSearchMs = 500;

// Of the mounts, those of control groups: the others are many, and an agent does not need them.
std::string cgroup_mounts() {
  const std::string mounts = read_text_file("/proc/self/mountinfo");
  std::string found;
  for (size_t at = 0; at < mounts.size();) {
    const size_t end = std::min(mounts.find('\n', at), mounts.size() - 1) + 1;
    const std::string line = mounts.substr(at, end - at);
    if (line.find(" - cgroup") != std::string::npos) found += line;
    at = end;
  }
  return found;
}

}  // namespace

void AgentLink::keep(Reader bytes) {
  std::string rest = bytes.rest();
  if (rest.size() <= kKeptMax) kept_ = std::move(rest);
}

void AgentLink::lost(double now_ms) {
  if (done_) return;
  lost_ms_ = now_ms;
  next_ms_ = now_ms + kSearchMs * (0.2 + drand48());
}

int AgentLink::wait_ms(double now_ms) const {
  return searching() ? static_cast<int>(std::max(0.0, std::ceil(next_ms_ - now_ms))) : -1;
}

int AgentLink::find(double now_ms) {
  if (!searching() || now_ms < next_ms_) return -1;
  next_ms_ = now_ms + kSearchMs * (0.5 + drand48());
  const int fd = connect_at(path_);
  if (fd < 0) return -1;
  if (site_ && !is_made_by_site(fd, path_)) {
    close(fd);
    return -1;
  }
  next_ms_ = 0;
  return fd;
}

void AgentLink::introduce(WrapperConnection& agent, const Caller& caller, int guard, int front_pid, bool resumes) {
  const ForAgent& told = caller.words.for_agent;
  if (!resumes) hello_ = hello_body(caller, guard, HelloTo::agent);
  agent.send(Event::hello, 0, hello_.data(), hello_.size());
  Writer origin;
  origin.value(OriginHead{front_pid, static_cast<uint32_t>(caller.words.count()), static_cast<uint32_t>(told.shared.size()), static_cast<uint32_t>(told.children.size()), resumes});
  origin.word(told.folder.c_str());
  for (const char* entry : told.shared) origin.word(entry);
  for (const int32_t child : told.children) origin.value(child);
  if (!resumes) {
    origin.word(cgroup_mounts().c_str());
    origin.word(read_text_file("/proc/self/cgroup").c_str());
  }
  agent.send(Event::origin, 0, origin.body.data(), origin.body.size());
}

void AgentLink::resume(WrapperConnection& agent, ResumedHead head) const {
  head.bytes = static_cast<uint32_t>(kept_.size());
  head.lost_ms = lost_ms_;
  Writer resumed;
  resumed.value(head);
  resumed.body += kept_;
  agent.send(Event::resumed, 0, resumed.body.data(), resumed.body.size());
}

}  // namespace pbox
