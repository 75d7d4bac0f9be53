// proc_box, the executable: theory of operation
//
//   proc_box            this process, which the scheduler knows: it waits, and ends with the job's exit status
//     node              makes the decisions: options, broker, statistics, the rules of a box; or a node agent does, and there is none
//     guard             the keeper's parent
//       keeper          parent and subreaper of the job
//         job
//
// This process forks the guard before it changes anything for itself or for Node, so that the job inherits its state from the
// scheduler. Node gets an environment of its own, stdin from /dev/null, the keeper's socket as descriptor 3 and ours as 4. The
// keeper sends it the words of the command line, so that ps does not show them. If there is no Node, or if it ends before the
// job has started, this process becomes the wrapper (alone.h) or ends with status 125.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/agent.h"
#include "front/alone.h"
#include "front/detach.h"
#include "front/front.h"
#include "front/node.h"
#include "front/own_files.h"
#include "front/say.h"
#include "front/directed.h"
#include "keeper/caller.h"
#include "keeper/cleanup_log.h"
#include "keeper/guard.h"
#include "keeper/keeper.h"
#include "proc/clock.h"
#include "proc/printable.h"
#include "proc/unix_socket.h"

namespace {

using pbox::Front;
using pbox::Options;
using pbox::Words;

constexpr char kInstall[] = "install Node 20 or newer (for example from the package proc-box-node), or link node/bin/node in proc_box's folder to it";
constexpr char kOff[] = "the job runs, but remote control, statistics, the config file and limits of the box other than --timeout and --rlimit are off";

[[noreturn]] void die(const std::string& what) {
  pbox::say("error", what);
  _exit(125);
}

[[noreturn]] void die_of_errno(const char* what, const char* remedy) {
  die(std::string(what) + ": " + std::strerror(errno) + "; " + remedy);
}

// PBS sends its signals, including SIGKILL and SIGSTOP, to the processes of the job's session and to no others.
bool session_is_signalled(const Words& words) { return words.variable("PBS_JOBID") != nullptr; }

// If we are started with stdin, stdout or stderr closed, our own descriptors must not take their places. The job gets them
// closed, because these are close-on-exec.
void occupy_closed_stdio() {
  for (int fd = open("/dev/null", O_RDWR | O_CLOEXEC); fd >= 0; fd = open("/dev/null", O_RDWR | O_CLOEXEC)) {
    if (fd <= 2) continue;
    close(fd);
    return;
  }
}

void make_pair(int type, int ends[2]) {
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) die_of_errno("socketpair", "is the nofile limit too low?");
}

// Forks the keeper, with a guard as its parent if it launches a job. Returns the pid of our child.
int fork_keeper(const pbox::KeeperSetup& setup, Words& words, const Options& options, const std::vector<int>& ours) {
  const int front = getpid(), child = fork();
  if (child < 0) die_of_errno("fork", "is the nproc or pids limit reached?");
  if (child > 0) return child;
  for (const int fd : ours) close(fd);  // an open copy of our end would hide our death from the keeper
  if (options.verb.empty()) pbox::guard_main(setup, words, front);
  pbox::keeper_main(setup, words);
}

// Closes the inherited descriptors except stderr. Only the job and the keeper hold them, so that the other end of a pipe notices
// when the job closes it.
void close_inherited(Front& front, std::vector<int> keep) {
  const int err = fcntl(2, F_DUPFD_CLOEXEC, 3);
  keep.insert(keep.end(), {front.keeper.fd(), front.signals, err});
  pbox::keep_only(keep);
  if (err < 0) return;
  dup2(err, 2);
  close(err);
}

// Whether the job may run without its box. Its command is then the one after `--`, which is certain.
bool fall_back(Front& front) {
  Options& options = front.options;
  if (!options.failure_open || options.fallback == 0 || !front.words.argv[static_cast<size_t>(options.fallback)]) return false;
  options.command = options.fallback;
  return true;
}

// The box cannot be made: runs the job with the keeper alone, or ends.
[[noreturn]] void without_box(Front& front, const std::string& why) {
  Options& options = front.options;
  if (!options.verb.empty()) die(why);
  if (!fall_back(front)) {
    pbox::say("error", why + "; the job is not started");
    front.end(125, 0);
  }
  pbox::say("error", why + "; the job runs without a box (--failure open)" + (options.error.empty() ? "" : "; ignored: " + options.error));
  pbox::run_alone(front);
}

// The job's limits, which we cannot raise, leave no room for Node.
[[noreturn]] void without_room(Front& front, const std::string& why) {
  const Options& options = front.options;
  const size_t end = why.find(';');
  const std::string what = why.substr(0, end), remedy = why.substr(end + 1);
  if (!options.verb.empty()) die("\"proc_box " + options.verb + "\" needs Node: " + what + "; " + remedy);
  const bool open = fall_back(front);
  if (options.strict && !open) die("--enforce strict: " + what + " to hold limits; " + remedy);
  if (!options.error.empty() && !open) die(options.error);
  if (!front.words.argv[static_cast<size_t>(options.command)]) die("no command given; usage: proc_box [options] [--] <command> [arguments]");
  pbox::say("warning", what + ": " + kOff + "; " + remedy);
  pbox::run_alone(front);
}

// The sockets of a box, before its processes are started.
struct Sockets {
  int keeper[2], own[2], channel[2];  // Node and keeper, we and keeper, we and Node
  Sockets() {
    make_pair(SOCK_STREAM, keeper);
    make_pair(SOCK_STREAM, own);
    make_pair(SOCK_SEQPACKET, channel);
  }
};

// Starts Node. Returns the reason if that fails, with a remedy.
std::string begin_node(Front& front, const Sockets& sockets, int background_fd, int& startup_stderr) {
  const std::string node = pbox::find_node(front.words);
  int ends[2];
  if (node.empty()) return std::string("start Node: not found in proc_box's folder, in /usr/bin, in /usr/local/bin, or on PATH; ") + kInstall;
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) die_of_errno("pipe", "is the nofile limit too low?");
  front.node = pbox::start_node(node, front.words, {sockets.keeper[0], sockets.channel[1], ends[1], background_fd});
  close(ends[1]);
  startup_stderr = ends[0];
  return front.node >= 0 ? "" : std::string("start Node (") + node + "): " + std::strerror(errno) + "; " + kInstall;
}

// The box is an agent's. Returns if no agent directs it.
void run_with_agent(Front& front, const Sockets& sockets, pbox::Answer answer, int word) {
  front.take_signals();
  close_inherited(front, {sockets.keeper[0], sockets.channel[0], sockets.channel[1], word});
  front.word = word;
  pbox::Directed(front, answer).run();
  front.word = -1;  // Node's, from now on
  front.keeper.send(pbox::Request::use_node, 0, nullptr, 0);
}

[[noreturn]] void run_front_end(Words& words, Options& options, int background_fd) {
  std::string agent_error;
  const bool has_box = options.verb.empty() || (options.adopts() && options.pid > 0);
  const pbox::FoundAgent agent = has_box ? pbox::find_agent(words, options, agent_error) : pbox::FoundAgent{};
  const pbox::Answer answer(agent.fd < 0 ? 0 : pbox::peer_pid(agent.fd), pbox::monotonic_ms());
  const Sockets sockets;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::vector<int> inherited = pbox::own_children();
  if (agent.fd >= 0) words.for_agent = pbox::for_agent(words, inherited);
  pbox::CleanupLog* cleanup_log = options.verb.empty() ? pbox::CleanupLog::make() : nullptr;
  // An adopted process outlives us: its keeper is connected to us only for what an agent tells.
  const bool apart = options.adopts() && agent.fd < 0;
  std::vector<int> ours{sockets.keeper[0], sockets.own[0], sockets.channel[0], sockets.channel[1], background_fd};
  if (apart) ours.push_back(sockets.own[1]);
  const pbox::KeeperSetup setup{sockets.keeper[1], agent.fd, agent.path, agent.site, apart ? -1 : sockets.own[1], getpid(), session_is_signalled(words), cleanup_log};
  const std::string no_files = options.adopts() && agent.fd >= 0 ? pbox::open_own_files(words, options) : "";
  if (!no_files.empty()) die(no_files);
  const int helper = fork_keeper(setup, words, options, ours);
  pbox::write_pid_file(words, options.detach ? helper : getpid());
  pbox::close_own_files(words);
  for (const int theirs : {sockets.keeper[1], sockets.own[1], agent.fd})
    if (theirs >= 0) close(theirs);
  Front front{words, options, pbox::KeeperConnection(sockets.own[0]), helper, cleanup_log, std::move(inherited)};
  if (!agent_error.empty()) {
    front.take_signals();
    close_inherited(front, {});
    without_box(front, agent_error);
  }
  if (agent.fd >= 0) run_with_agent(front, sockets, answer, background_fd);
  const std::string no_room = pbox::raise_own_limits();
  int startup_stderr = -1;
  if (options.verb == "top") front.terminal.remember();
  std::string why = no_room.empty() ? begin_node(front, sockets, background_fd, startup_stderr) : "";
  close(sockets.keeper[0]);
  close(sockets.channel[1]);
  if (background_fd >= 0) {
    close(background_fd);
    if (chdir("/") != 0) errno = 0;  // a background process must not keep a file system busy
  }
  if (agent.fd < 0) front.take_signals();
  close_inherited(front, {sockets.channel[0], startup_stderr});
  if (!no_room.empty()) without_room(front, no_room);
  if (why.empty()) why = pbox::Directed(front, sockets.channel[0], startup_stderr).run();
  without_box(front, why);
}

// The keeper passes the result to Node, so that the words are read only once.
Options read(Words& words) {
  Options options = pbox::read_options(words);
  words.command = options.command;
  words.fallback = options.fallback;
  words.verb = options.verb;
  words.adopted_pid = options.pid;
  words.is_shared = pbox::is_shared;
  words.failure_open = options.failure_open;
  words.debug = options.debug;
  return options;
}

}  // namespace

int main(int argc, char** argv, char** environment) {
  occupy_closed_stdio();
  prctl(PR_SET_DUMPABLE, 0);
  Words words(argc, argv, environment);
  // The addon has started us as a keeper: argv[1] is the socket.
  if (words.count() > 1 && std::strcmp(words.argv[0], "proc_box-keeper") == 0) {
    pbox::KeeperSetup setup;
    setup.node = std::atoi(words.argv[1]);
    fcntl(setup.node, F_SETFD, FD_CLOEXEC);
    words.argv.erase(words.argv.begin());
    read(words);
    pbox::keeper_main(setup, words);
  }
  words.mask();
  Options options = read(words);
  if (!options.gone.empty()) die(options.gone + " is no more: \"proc_box agent --user\" serves all boxes of a user, and --agent finds it (docs/agent.md)");
  const int background_fd = options.detach ? pbox::detach() : pbox::listener_of_systemd(words, options);
  if (options.detach && background_fd < 0) die_of_errno("fork", "is the nproc or pids limit reached?");
  run_front_end(words, options, background_fd);
}
