// A box around a job that the keeper starts itself. keeper.cc has the theory of operation.
#pragma once
#include <vector>

#include "keeper/box.h"
#include "keeper/caller.h"
#include "keeper/job.h"
#include "keeper/output.h"
#include "keeper/start.h"
#include "keeper/stopped.h"
#include "keeper/usage.h"

namespace pbox {

class JobBox final : public Box {
 public:
  JobBox(const KeeperSetup& setup, Invocation& words);
  [[noreturn]] void run();

 private:
  enum class Phase { waiting, launching, running, ended };

  Processes& processes() override { return processes_; }
  StdoutCount& output() override { return output_; }
  void begin(WrapperConnection& from, Request request, Reader body) override;
  bool has_processes() const override { return job_ > 0 && !empty_; }
  bool is_running() const override { return phase_ == Phase::running; }
  MainProcess main() const override { return {job_, job_, main_ended_}; }
  int session() const override { return setup_.in_session ? getsid(0) : 0; }
  UsageBody usage() override;
  RlimitReply set_rlimit(const RlimitWire& wanted) override;
  PauseReply pause(bool reached) override;
  void before_resume() override;
  void use_node() override;
  std::vector<int> zombies() override { return own_zombies(); }
  bool is_ours(int pid) const override { return pid == getpid() || (setup_.cleanup_log && pid == parent_) || pid == setup_.front_pid; }
  bool is_held() override { return all_stopped(setup_.front_pid, processes_.look()); }
  int kill_all() override;

  void start(const StartRequest& request);
  bool stays_in_session() const { return caller_.terminal.exists() || setup_.in_session; }
  void leave_session();
  [[noreturn]] void finish();
  void exec_result();
  void fail(const Failure& failure);
  void reap();
  void main_changed(int status);
  void main_stopped(int signal);
  void check_empty();
  void check_survivors();
  int timeout();
  void node_gone();
  void await_node();
  void agent_gone();
  void tell_node();
  void find_agent();
  void front_gone();
  void wrapper_gone();
  void wake_front() const;

  const int parent_ = getppid();
  ReapedUsage reaped_;
  Caller caller_;
  const KeeperSetup setup_;
  bool alone_ = false;  // the front end is the wrapper, without Node
  bool gone_ = false;   // the wrapper has gone

  Phase phase_ = Phase::waiting;
  int job_ = -1, exec_pipe_ = -1;
  Output output_;
  JobProcesses processes_{cgroup_};
  double started_ms_ = 0;
  bool main_ended_ = false, empty_ = false;
  ExitedBody exited_{};  // once the main process has ended
};

}  // namespace pbox
