// A box and the requests that it takes from its wrapper. There are two kinds: job_box.cc is a box around a job that the keeper
// starts, adopted.cc one around a process that is already running.
#pragma once
#include <vector>

#include "keeper/agent_link.h"
#include "keeper/cgroup.h"
#include "keeper/deadline.h"
#include "keeper/group_files.h"
#include "keeper/held_time.h"
#include "keeper/keeper.h"
#include "keeper/named_files.h"
#include "keeper/processes.h"
#include "keeper/sampling.h"
#include "keeper/stdout_count.h"
#include "keeper/survivors.h"
#include "wire/channel.h"
#include "wire/wrapper_connection.h"

namespace pbox {

class CleanupLog;

// The body of `exited` for a wait status; wait(2).
ExitedBody exited_body(int status, const UsageBody& usage);

class Box : private SampledBox {
 public:
  // `log`: null if no guard reads it.
  Box(const KeeperSetup& setup, CleanupLog* log);
  ~Box() override = default;
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;

 protected:
  // The two kinds of boxes differ in these.
  virtual Processes& processes() = 0;
  virtual StdoutCount& output() = 0;
  virtual void begin(WrapperConnection& from, Request request, Reader body) = 0;
  virtual bool has_processes() const = 0;  // processes have been started, and some may be alive
  virtual bool is_running() const = 0;     // `started` has been sent, and `empty` has not
  virtual MainProcess main() const = 0;
  virtual int session() const { return 0; }  // the only session that the scheduler signals; 0: it signals every process
  virtual UsageBody usage() = 0;
  virtual RlimitReply set_rlimit(const RlimitWire& wanted) { return processes().set_rlimit(wanted); }
  virtual PauseReply pause(bool reached) { return processes().pause(reached, main().group); }
  virtual void before_resume() {}
  virtual void use_node() = 0;  // the agent does not serve the box: it is Node's, if nothing has begun
  // The agent's message to the front end is for the keeper, too. True if it goes no further.
  virtual bool takes(const NodeMessage&, Reader) { return false; }
  virtual std::vector<int> zombies() { return {}; }  // children of ours that have ended and could not be reaped
  virtual bool is_ours(int pid) const = 0;  // the keeper, its guard or its front end
  virtual bool is_held() = 0;  // the scheduler has stopped the box together with its wrapper

  // Sends an event to both Node and the front end.
  template <typename T>
  void announce(Event type, const T& body) {
    node_.tell(type, body);
    front_.tell(type, body);
  }
  // Processes of the box, by default all that descend from the keeper; and what the walk found too much.
  std::unique_ptr<TreeWalk> walk(size_t rows, bool pss) override;
  void since_start(Tree&) override {}
  // A walk for a sample goes on, if one is due.
  void sample() { sampling_.step(*this); }
  // The longest wait for other events.
  int patience(int wait_ms) const { return sampling_.busy() ? 0 : wait_ms; }
  // Handles the requests that have arrived. False if the wrapper has gone.
  bool receive(WrapperConnection& from);
  virtual int kill_all();
  void tell_output();
  void on_deadline();
  // Before and after poll(2), with an agent, which is not held when the box is.
  int held_wait_ms();
  void notice_hold();
  void tell_holds();
  // After SIGKILL: names the processes that survive it, and in the end stops waiting for them. True when it stops waiting.
  bool give_up();

  // What the agent has made goes, under the rules for a wrapper of its user. What comes next is the Node of our own user.
  void drop_agent(int node);

  WrapperConnection node_, front_;
  AgentLink agent_;
  Cgroup cgroup_;
  CleanupLog* const cleanup_log_;
  Deadline deadline_;
  HeldTime held_;
  Survivors survivors_;
  NamedFiles named_files_;
  Sampling sampling_;
  double expired_ms_ = 0;  // when the box was stopped at its time limit, by itself or by its wrapper; 0: never

 private:
  void handle(WrapperConnection& from, const FrameHead& head, Reader body);
  UsageBody sampled_usage() override { return usage(); }
  int main_pid() const override { return main().ended ? 0 : main().pid; }
  void check_owner(const WrapperConnection& from);
  void of_agent(WrapperConnection& from, Request request, Reader body);
  void to_front(Reader body);
  void add_cleanup(Reader body);
  int signal(const SignalBody& request);
  int stop(const StopBody& request);

  const GroupFiles files_;
  double stopped_ms_ = 0;  // when the keeper stopped the box by itself, as its deadline said; 0: never
  int stopped_by_ = 0;     // the signal of that stop
};

}  // namespace pbox
