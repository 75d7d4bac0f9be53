// The keeper's theory of operation
//
// The front end forks this process before it changes signal dispositions, limits or close-on-exec flags for itself or for Node,
// so that the job inherits them as the scheduler has set them.
// The keeper waits for `start`, forks the job, and from then on sleeps in poll(2) on
//   node       Node's requests. If the connection closes, Node has gone: the keeper kills every process and ends. Before
//              the job has started it does nothing, because the front end may send `start` itself and become the wrapper.
//   front      the front end's requests. If the connection closes, the keeper kills every process and ends.
//   signals    SIGCHLD: it reaps the job and, as the subreaper, every orphan of the box. If a signal arrives that the
//              wrapper handles, its sender reaches the job as well, so the keeper reports it.
//   exec pipe  end of file: the job is running; a Failure: it is not
//   relay      stdout, if it is a pipe
// When waitpid(2) fails with ECHILD, no process of the box is left.
#include "keeper/keeper.h"

#include <cerrno>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "keeper/adopted.h"
#include "keeper/cleanup_log.h"
#include "keeper/job_box.h"
#include "keeper/stopped.h"
#include "proc/clock.h"
#include "proc/exit_status.h"

namespace pbox {
namespace {

constexpr double kNodeMs = 2000;  // for a Node to die that the kernel has been told to kill

}  // namespace

JobBox::JobBox(const KeeperSetup& setup, Invocation& words)
    : Box(setup, setup.cleanup_log), caller_(words), setup_(setup) {
  prctl(PR_SET_DUMPABLE, 0);
  if (setup.cleanup_log) prctl(PR_SET_PDEATHSIG, SIGCONT);  // in case we are stopped when the guard is killed
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "proc_box-keeper");
  if (caller_.stdout_mode == StdoutMode::file) output_.watch_file();
  // With a terminal the keeper stays in the session so that ^Z works on the job: a group whose parent is in another session
  // is orphaned and cannot be stopped from the keyboard. If the scheduler signals whole sessions, it stays to see the signals.
  // In both cases it leaves the process group, so that signals to the group do not reach it.
  if (stays_in_session()) setpgid(0, 0);
  const int guard = setup.cleanup_log ? getppid() : 0;
  if (agent_.used()) {
    named_files_ = NamedFiles(words.for_agent);
    agent_.introduce(node_, caller_, guard, setup.front_pid, false);
    front_.tell(Event::agent, AgentState::asked);
  } else {
    tell_node();
  }
}

// Once nothing can end the remaining processes, the wrapper learns the outcome; the keeper stays until they have gone.
void JobBox::check_survivors() {
  if (empty_ || !give_up()) return;
  ProcessStat main;
  if (!main_ended_ && read_process(job_, main) && main.dead && may_read_status(job_))
    announce(Event::exited, exited_body(main.wait_status, usage()));
  phase_ = Phase::ended;
  output_.close();
  announce(Event::empty, usage());
}

// Sends the last event once no process of the box is left and the reader of stdout has everything.
void JobBox::check_empty() {
  if (!empty_ || phase_ != Phase::running || !output_.drained()) return;
  phase_ = Phase::ended;
  announce(Event::empty, usage());
  wake_front();
}

void JobBox::wake_front() const {
  if (front_.fd() >= 0) wake(setup_.front_pid);
}

int JobBox::timeout() {
  if (processes_.killed() && !empty_) return survivors_.kill_ms();
  const int search_ms = agent_.wait_ms(monotonic_ms());
  if (phase_ != Phase::running) return search_ms;
  return sooner(sooner(search_ms, held_wait_ms()), sooner(sooner(output_.next_look_ms(), processes_.next_round_ms()), deadline_.wait_ms(monotonic_ms())));
}

// Before the job has started, the front end decides whether the job runs without Node.
void JobBox::node_gone() {
  node_.close();
  if (agent_.used()) return agent_gone();
  if (!alone_ && (phase_ != Phase::waiting || front_.fd() < 0)) wrapper_gone();
}

void JobBox::front_gone() {
  front_.close();
  wrapper_gone();
}

// However the wrapper has ended, no process of the box may survive it.
void JobBox::wrapper_gone() {
  if (gone_) return;
  gone_ = true;
  caller_.terminal.take_from(job_);
  if (phase_ == Phase::waiting) {
    await_node();
    finish();
  }
  if (!empty_) kill_all();
}

// Node dies with the front end, but may be making the groups until then. It has announced each, and all of them have to go.
void JobBox::await_node() {
  const double until_ms = monotonic_ms() + kNodeMs;
  while (node_.fd() >= 0 && !agent_.used() && monotonic_ms() < until_ms) {
    pollfd entry{node_.fd(), POLLIN, 0};
    poll(&entry, 1, static_cast<int>(until_ms - monotonic_ms()) + 1);
    if (entry.revents != 0 && !receive(node_)) node_.close();
  }
}

void JobBox::finish() {
  wake_front();
  cgroup_.remove();
  if (setup_.cleanup_log) setup_.cleanup_log->clear();
  _exit(0);
}

void JobBox::run() {
  for (;;) {
    pollfd entries[6] = {{node_.fd(), node_.events(), 0}, {front_.fd(), front_.events(), 0}, {caller_.signals, POLLIN, 0},
                         {exec_pipe_, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}};
    if (!gone_) output_.prepare(entries + 4);
    if (poll(entries, 6, patience(timeout())) < 0 && errno != EINTR) _exit(125);
    notice_hold();
    node_.flush();
    front_.flush();
    if (entries[3].revents && exec_pipe_ >= 0) exec_result();
    if (!gone_) output_.run(entries + 4);
    tell_output();
    find_agent();
    if (!gone_) on_deadline();
    if (entries[2].revents || processes_.killed()) reap();
    if (!empty_) processes_.ask_rest();
    check_survivors();
    check_empty();
    sample();
    if (node_.fd() >= 0 && (entries[0].revents & ~POLLOUT) && !receive(node_)) node_gone();
    if (front_.fd() >= 0 && (entries[1].revents & ~POLLOUT) && !receive(front_)) front_gone();
    if (gone_) {
      reap();
      if (empty_ && node_.fd() >= 0 && agent_.used()) node_.tell(Event::empty, usage());
      if (empty_) finish();
    }
  }
}

void keeper_main(const KeeperSetup& setup, Invocation& words) {
  if (words.verb == "adopt") keep_adopted(setup, words);
  JobBox(setup, words).run();
}

}  // namespace pbox
