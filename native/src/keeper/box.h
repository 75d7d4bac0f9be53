// A box, and the requests that it takes from its wrapper. How the processes of a box began makes it one of two: keeper.cc has
// the job that the keeper starts, adopted.cc a process that runs already.
#pragma once
#include <vector>

#include "keeper/cgroup.h"
#include "keeper/deadline.h"
#include "keeper/processes.h"
#include "keeper/stdout_count.h"
#include "keeper/survivors.h"
#include "wire/control.h"

namespace pbox {

class CleanupLog;

// Of a wait status; wait(2).
ExitedBody exited_body(int status, const UsageBody& usage);

class Box {
 public:
  // `front`: without a descriptor where only Node may ask. `log`: null where nobody is there to read it.
  Box(Control node, Control front, Cgroup cgroup, CleanupLog* log);
  virtual ~Box() = default;
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;

 protected:
  // What differs.
  virtual Processes& processes() = 0;
  virtual StdoutCount& output() = 0;
  virtual void begin(Control& from, Request request, Reader body) = 0;
  virtual bool has_processes() const = 0;  // they have been started, and may be there still
  virtual bool is_running() const = 0;     // `started` has been told, and `empty` has not
  virtual Main main() const = 0;
  virtual int session() const { return 0; }  // the only one that the scheduler signals; 0: it signals every process
  virtual UsageBody usage() = 0;
  virtual PauseReply pause(bool reached) { return processes().pause(reached, main().group); }
  virtual void before_resume() {}
  virtual std::vector<int> zombies() { return {}; }  // children of ours that have ended and could not be reaped
  virtual bool is_held() = 0;  // the scheduler has stopped the box, and who would act on its deadline

  // What Node and the front end both want to know.
  template <typename T>
  void announce(Event type, const T& body) {
    node_.tell(type, body);
    front_.tell(type, body);
  }
  // False when its other end has gone.
  bool receive(Control& from);
  virtual int kill_all();
  void tell_output();
  void on_deadline();
  // SIGKILL has been sent: who is still there is named, and in the end no longer waited for. True where that is now.
  bool give_up();

  Control node_, front_;
  Cgroup cgroup_;
  CleanupLog* const cleanup_log_;
  Deadline deadline_;
  Survivors survivors_;

 private:
  void handle(Control& from, const FrameHead& head, Reader body);
  void add_cleanup(Reader body);
  int signal(const SignalBody& request);
  int stop(const StopBody& request);

  double stopped_ms_ = 0;  // when the keeper stopped the box by itself; 0: it has not
  int stopped_by_ = 0;     // the signal
};

}  // namespace pbox
