// The front end while Node or an agent directs the box. directed.cc has the theory of operation.
#pragma once
#include <string>
#include <sys/signalfd.h>
#include <vector>

#include "front/answer.h"
#include "front/box_events.h"
#include "front/front.h"
#include "front/node.h"
#include "front/node_channel.h"
#include "keeper/stopped.h"
#include "wire/channel.h"

namespace pbox {

// Node, or the guard: another process may stop it.
struct Watched {
  double stopped_ms = 0;  // when it was stopped; 0: it is running
  RepeatedStops stops{};
};

class Directed {
 public:
  // `channel`: our end of the socket to Node. `startup_stderr`: Node's stderr before our script runs.
  Directed(Front& front, int channel, int startup_stderr) : front_(front), channel_(channel), box_(front), startup_stderr_(startup_stderr) {}
  // The box is an agent's if it answers.
  Directed(Front& front, Answer answer) : front_(front), channel_(-1), box_(front), startup_stderr_(-1), by_agent_(true), answer_(answer) {}
  // Returns only if somebody else has to direct the box: the reason.
  std::string run();

 private:
  static constexpr double kActMs = 3000;   // for the keeper to act on a request
  static constexpr double kLookMs = 1000;  // between checks on a Node that has not started the job

  bool is_tool() const { return !front_.options.verb.empty() && !front_.options.adopts(); }
  bool is_launch() const { return front_.options.verb.empty(); }
  void read_messages();
  void handle(const NodeMessage& message, const std::string& text);
  void keeper_events();
  void agent_lost();
  bool is_answered() const { return !by_agent_ || box_.agent == AgentState::there || box_.agent == AgentState::lost; }
  // The process goes on without us, and so does its keeper.
  void released();
  void deliver(const Delivery& delivery);
  void heard(int signal);
  std::vector<int> unheard_end_signals() const;
  void signals();
  void signalled(const signalfd_siginfo& info);
  void reap();
  void changed(Watched& process, int pid, int status);
  void resume_stopped(Watched& process, int pid);
  void node_ended(int status);
  void keeper_left();
  void on_time();
  void end_without_agent();
  void forward_unheard();
  void kill_box(const char* why);
  int poll_ms();
  [[noreturn]] void end();

  Front& front_;
  NodeChannel channel_;
  BoxEvents box_;
  int startup_stderr_;
  const bool by_agent_ = false;
  Answer answer_{0, 0};
  Rules rules_{};
  Watched node_, helper_;
  bool outcome_known_ = false;
  bool forwarded_ = false;  // the keeper has a signal that Node has not acknowledged
  int kills_ = 0;
  int status_ = 125, signal_ = 0;
  std::string no_box_reason_;          // why the job has no box
  std::vector<Delivery> unheard_;      // signals that Node or the agent has not acknowledged
  double unheard_until_ms_ = 0;        // then the keeper gets those that ask for the end; 0: there are none
  double bound_ms_ = 0;                // by then the keeper must have killed the box; 0: no bound
  double end_ms_ = 0, look_ms_ = 0, kill_ms_ = 0;
  bool has_looked_ = false;  // for the end of Node
  double flush_ms_ = 0;
  Progress progress_;
};

}  // namespace pbox
