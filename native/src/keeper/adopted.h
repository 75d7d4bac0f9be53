// A box around a process that the keeper has not started. adopted.cc has the theory of operation.
#pragma once
#include <memory>
#include <string>

#include "keeper/adopted_output.h"
#include "keeper/box.h"
#include "keeper/caller.h"
#include "proc/outlet.h"

namespace pbox {

class Adopted final : public Box {
 public:
  Adopted(const KeeperSetup& setup, Invocation& words);
  [[noreturn]] void run();

 private:
  Processes& processes() override { return processes_; }
  StdoutCount& output() override { return output_; }
  void begin(WrapperConnection& from, Request request, Reader body) override;
  void use_node() override;
  bool takes(const NodeMessage& message, Reader text) override;
  bool has_processes() const override { return !empty_; }
  bool is_running() const override { return started_ && !empty_; }
  MainProcess main() const override;
  UsageBody usage() override;
  bool is_ours(int pid) const override;
  std::unique_ptr<TreeWalk> walk(size_t rows, bool pss) override;
  void since_start(Tree& tree) override;
  bool is_held() override { return all_held(); }

  // The process: adopted.cc.
  bool all_held();
  void show_process();
  void started();
  void look_for_exec();
  void main_ended();
  bool main_alive() const;
  bool find_status(int& status);
  void check_end();
  void check_survivors();
  void emptied();
  bool over() { return empty_ || (ended_ && processes_.look().empty()); }
  std::string proc(const char* name) const { return "/proc/" + std::to_string(main_.pid) + "/" + name; }

  // Its wrapper, which is Node or an agent: adopted_wrapper.cc.
  void tell_node();
  void node_gone();
  void agent_gone();
  void front_gone();
  void wrapper_gone();
  void find_agent();
  void without_agent();
  void end_rest();
  bool may_leave();
  int timeout();
  [[noreturn]] void leave();

  const KeeperSetup setup_;
  Caller caller_;
  const Member main_;
  AdoptedProcesses processes_;
  const int pidfd_;
  AdoptedOutput output_;
  std::string shown_;         // the body of Event::process, as sent last
  std::string awaiting_;      // name of the program that the awaited exec replaces
  bool listed_ = false;       // a group lists the box
  bool begun_ = false;        // the wrapper has put the box in force
  bool ever_begun_ = false;
  bool started_ = false, ended_ = false, empty_ = false;
  double started_ms_ = 0;
  uint64_t user_ticks_ = 0, system_ticks_ = 0;  // used by the main process, as last read
  Tree before_;               // what the processes had used before they were in the box
  ExitedBody exited_{};       // once the main process has ended

  // What holds while there is no agent.
  int stop_signal_ = SIGTERM;
  double grace_ms_ = 0, flush_ms_ = 0;
  bool linger_ = false;
  double lost_ms_ = 0;        // when the agent was lost, or the box ended without one; 0: it is there
  bool resumed_ = false;      // the keeper has resumed a suspended box
  bool boxed_ = false;        // the front end has been told that the box is made
  std::shared_ptr<Outlet> log_;
};

// Keeps the process that `--pid` names.
[[noreturn]] void keep_adopted(const KeeperSetup& setup, Invocation& words);

}  // namespace pbox
