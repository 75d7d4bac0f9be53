// proc_box, the executable: theory of operation
//
//   proc_box            this process, which the scheduler knows: it waits, and ends with what the job has ended with
//     node              decides: options, broker, statistics, the rules of a box
//     guard             the keeper's parent
//       keeper          parent and subreaper of the job
//         job
//
// The guard is forked before this process changes anything for itself or for Node: the keeper has for the job what the
// scheduler gave. Node gets an environment of its own, stdin from /dev/null, the keeper's socket as descriptor 3 and ours
// as 4; the words of the command line come over the keeper's, so that ps shows none of Node's. Where there is no Node, or
// it ends before the job has started, this process is the wrapper alone (alone.h) or ends with 125.
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

#include "front/alone.h"
#include "front/detach.h"
#include "front/front.h"
#include "front/node.h"
#include "front/say.h"
#include "front/serve.h"
#include "front/via.h"
#include "front/wrapper.h"
#include "keeper/caller.h"
#include "keeper/cleanup_log.h"
#include "keeper/guard.h"
#include "keeper/keeper.h"
#include "proc/printable.h"

namespace {

using pbox::Front;
using pbox::Options;
using pbox::Words;

constexpr char kInstall[] = "install Node 20 or newer, or run \"npm rebuild proc_box\" after moving it";
constexpr char kOff[] = "the job runs, but remote control, statistics, the config file and limits of the box other than --timeout and --rlimit are off";

[[noreturn]] void die(const std::string& what) {
  pbox::say("error", what);
  _exit(125);
}

[[noreturn]] void die_of_errno(const char* what, const char* remedy) {
  die(std::string(what) + ": " + std::strerror(errno) + "; " + remedy);
}

// PBS sends its signals, SIGKILL and SIGSTOP among them, to every process of the job's session and to no other.
bool session_is_signalled(const Words& words) { return words.variable("PBS_JOBID") != nullptr; }

// What is started with stdin, stdout or stderr closed must not find our own descriptors in their places. The job gets
// them as they were: closed.
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

// The keeper, below a guard where it launches a job. Returns our child.
int fork_keeper(const pbox::KeptBy& by, Words& words, const Options& options, const std::vector<int>& ours) {
  const int front = getpid(), child = fork();
  if (child < 0) die_of_errno("fork", "is the nproc or pids limit reached?");
  if (child > 0) return child;
  for (const int fd : ours) close(fd);  // who holds the other end sees no end
  if (options.verb.empty()) pbox::guard_main(by, words, front);
  pbox::keeper_main(by, words);
}

// Only the job and the keeper hold what was inherited: whoever is at the other end sees the job's ends. Of those stderr
// stays ours.
void let_go(Front& front, int channel, int complaints) {
  const int err = fcntl(2, F_DUPFD_CLOEXEC, 3);
  pbox::keep_only({front.link.fd(), front.signals, channel, complaints, err});
  if (err < 0) return;
  dup2(err, 2);
  close(err);
}

// Whether the job may run without its box: then its command is the one that is known for sure.
bool fall_back(Front& front) {
  Options& options = front.options;
  if (!options.failure_open || options.fallback == 0 || !front.words.argv[static_cast<size_t>(options.fallback)]) return false;
  options.command = options.fallback;
  return true;
}

// The job, where its box cannot be made: by the keeper, with us as its wrapper, or not at all.
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

// The limits of the job, which nobody can raise, leave no room for Node.
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

[[noreturn]] void be_front(Words& words, Options& options, int word) {
  int keeper[2], lifeline[2], channel[2];
  make_pair(SOCK_STREAM, keeper);
  make_pair(SOCK_STREAM, lifeline);
  make_pair(SOCK_SEQPACKET, channel);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::vector<int> inherited = pbox::own_children();
  pbox::CleanupLog* cleanup_log = options.verb.empty() ? pbox::CleanupLog::make() : nullptr;
  // What is adopted outlives us, and its keeper has to do with Node only.
  std::vector<int> ours{keeper[0], lifeline[0], channel[0], channel[1], word};
  if (options.adopts()) ours.push_back(lifeline[1]);
  const pbox::KeptBy by{keeper[1], options.adopts() ? -1 : lifeline[1], getpid(), session_is_signalled(words), cleanup_log};
  const int helper = fork_keeper(by, words, options, ours);
  close(keeper[1]);
  close(lifeline[1]);
  Front front{words, options, pbox::Link(lifeline[0]), helper, cleanup_log, std::move(inherited)};
  const std::string no_room = pbox::raise_own_limits();
  const std::string node = no_room.empty() ? pbox::find_node(words) : "";
  std::string why;
  int complaints[2] = {-1, -1};
  if (!node.empty()) {
    if (pipe2(complaints, O_CLOEXEC | O_NONBLOCK) != 0) die_of_errno("pipe", "is the nofile limit too low?");
    front.node = pbox::start_node(node, words, {keeper[0], channel[1], complaints[1], word});
    close(complaints[1]);
    if (front.node < 0) why = std::string("start Node (") + node + "): " + std::strerror(errno) + "; " + kInstall;
  } else if (no_room.empty()) {
    why = std::string("start Node: there is none at " NODE_BINARY " and on PATH; ") + kInstall;
  }
  close(keeper[0]);
  close(channel[1]);
  if (word >= 0) {
    close(word);
    if (chdir("/") != 0) errno = 0;  // in the background we hold no folder
  }
  front.take_signals();
  let_go(front, channel[0], complaints[0]);
  if (!no_room.empty()) without_room(front, no_room);
  if (why.empty()) why = pbox::run_with_node(front, channel[0], complaints[0]);
  without_box(front, why);
}

// The keeper tells Node what was read here, so that nobody reads it again.
Options read(Words& words) {
  Options options = pbox::read_options(words);
  words.command = options.command;
  words.fallback = options.fallback;
  words.verb = options.verb;
  words.failure_open = options.failure_open;
  words.debug = options.debug;
  return options;
}

}  // namespace

int main(int argc, char** argv, char** environment) {
  occupy_closed_stdio();
  prctl(PR_SET_DUMPABLE, 0);
  Words words(argc, argv, environment);
  // Started by the addon: argv[1] is the socket.
  if (words.count() > 1 && std::strcmp(words.argv[0], "proc_box-keeper") == 0) {
    pbox::KeptBy by;
    by.control = std::atoi(words.argv[1]);
    fcntl(by.control, F_SETFD, FD_CLOEXEC);
    words.argv.erase(words.argv.begin());
    read(words);
    pbox::keeper_main(by, words);
  }
  words.mask();
  Options options = read(words);
  pbox::ask_supervisor(words, options);
  if (options.serves && !options.serve_usage) die("usage: proc_box adopt --serve <socket> [--log-file <path>]");
  const int word = options.serves ? pbox::serve(options.serve.c_str()) : options.detach ? pbox::detach() : -1;
  if ((options.serves || options.detach) && word < 0) die_of_errno("fork", "is the nproc or pids limit reached?");
  be_front(words, options, word);
}
