#include "front/answer.h"

#include <algorithm>
#include <cstdlib>

#include "proc/process.h"
#include "proc/text_file.h"

namespace pbox {
namespace {

constexpr double kAnswerMs = 50;
constexpr double kMostMs = 2000;  // an agent gives a connection as long to say what it is: src/agent/peer.ts

// Of the main thread, which answers; 0 if /proc hides it.
uint64_t ran_ns(int pid) {
  return std::strtoull(read_text_file("/proc/" + std::to_string(pid) + "/schedstat").c_str(), nullptr, 10);
}

bool is_runnable(int pid) {
  ProcessStat stat;
  return read_process(pid, stat) && stat.state == 'R';
}

}  // namespace

Answer::Answer(int agent, double connected_ms) : agent_(agent), last_ms_(connected_ms + kMostMs), by_ms_(last_ms_) {}

void Answer::asked(double now_ms) {
  if (asked_) return;
  asked_ = true;
  by_ms_ = std::min(last_ms_, now_ms + kAnswerMs);
  ran_ = agent_ > 0 ? ran_ns(agent_) : 0;
}

bool Answer::overdue(double now_ms) {
  if (now_ms < by_ms_) return false;
  if (now_ms >= last_ms_ || agent_ <= 0) return true;
  const uint64_t ran = ran_ns(agent_);
  if (ran == ran_ && !is_runnable(agent_)) return true;
  ran_ = ran;
  by_ms_ = std::min(last_ms_, now_ms + kAnswerMs);
  return false;
}

}  // namespace pbox
