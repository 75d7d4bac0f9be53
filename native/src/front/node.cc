#include "front/node.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "proc/members.h"

namespace pbox {
namespace {

constexpr int kFirst = 3;  // the first of NodeDescriptors; also in wire/channel.h and in src/cli/main.ts and adopt.ts
constexpr rlim_t kMiB = 1 << 20;
constexpr rlim_t kStack = 8 * kMiB;  // Node's threads get it as well
constexpr double kIdleMs = 10000, kStartMs = 60000;

// The variables that Node and src/ read; test/structure/environment.test.ts compares. All others are meant for the job:
// libraries, settings of OpenSSL, of malloc and of Node itself.
constexpr const char* kNames[] = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TERM", "NO_COLOR", "QUEUE", "RESTARTED", "JOB_ID", "CONDOR_JOB_ID"};
constexpr const char* kPrefixes[] = {"LC_", "SLURM", "PBS_", "SGE_", "LSB_", "_CONDOR_", "XDG_", "PROC_BOX_"};
// Of systemd, for an agent: src/agent/service.ts.
constexpr const char* kOfService[] = {"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"};
// Passed on for squeue, which may need it: src/scheduler/slurm-end.ts.
constexpr char kLibraries[] = "LD_LIBRARY_PATH=";

// Node cannot start if the limit of `resource` is below `least`.
struct Need {
  int resource;
  rlim_t least, unit;
  const char* what;    // "%llu" is the limit in that unit
  const char* remedy;
};
constexpr Need kNeeds[] = {
    {RLIMIT_AS, 1ULL << 30, kMiB,
     "the address space is limited to %llu MiB (-l pvmem, ulimit -v) and proc_box needs 1 GiB",
     "ask for at least -l pvmem=1gb, or for -l mem instead"},
    {RLIMIT_DATA, 160 * kMiB, kMiB, "the data segment is limited to %llu MiB (ulimit -d) and proc_box needs 160 MiB",
     "raise its hard limit, or use --memory instead"},
    {RLIMIT_STACK, kMiB, 1024, "the stack is limited to %llu KiB (ulimit -s) and proc_box needs 1024 KiB",
     "raise its hard limit, or give the job its own with --rlimit stack="},
    {RLIMIT_NOFILE, 40, 1, "the number of open files is limited to %llu (ulimit -n) and proc_box needs 40",
     "raise its hard limit, or give the job its own with --rlimit nofile="},
};

// Raises the soft limit to `least` if we have CAP_SYS_RESOURCE, otherwise to the hard limit.
void raise_to(int resource, rlim_t least) {
  rlimit limit{};
  const auto which = static_cast<__rlimit_resource>(resource);
  if (getrlimit(which, &limit) != 0) return;
  if (limit.rlim_max < least) {
    const rlimit more{least, least};
    if (setrlimit(which, &more) == 0) return;
  }
  limit.rlim_cur = limit.rlim_max;
  setrlimit(which, &limit);
}

void set_soft(int resource, rlim_t soft) {
  rlimit limit{};
  const auto which = static_cast<__rlimit_resource>(resource);
  if (getrlimit(which, &limit) != 0) return;
  limit.rlim_cur = std::min(soft, limit.rlim_max);
  setrlimit(which, &limit);
}

// Our Node must not compete with a real-time job.
void leave_realtime() {
  const int policy = sched_getscheduler(0);
  if (policy != SCHED_FIFO && policy != SCHED_RR) return;
  const sched_param none{};
  sched_setscheduler(0, SCHED_OTHER, &none);
}

// Node's argv: its flags and our script. The keeper sends it the words of the command line.
std::vector<std::string> node_words() {
  std::vector<std::string> words{"proc_box-node"};
  const std::string flags = NODE_FLAGS;
  for (size_t at = 0; at < flags.size();) {
    const size_t end = std::min(flags.find(' ', at), flags.size());
    if (end > at) words.push_back(flags.substr(at, end - at));
    at = end + 1;
  }
  words.push_back(boot_script());
  return words;
}

bool is_named(const char* entry, const char* name) {
  const size_t length = std::strcspn(entry, "=");
  return std::strlen(name) == length && std::strncmp(entry, name, length) == 0;
}

bool is_of_service(const char* entry) {
  return std::any_of(std::begin(kOfService), std::end(kOfService), [&](const char* name) { return is_named(entry, name); });
}

// Runs in the child, which shares our memory until exec(2): system calls only. Returns on failure, with errno.
void exec_node(const char* node, char* const* argv, char* const* environment, const NodeDescriptors& ends, int parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  int fds[] = {ends.keeper, ends.front, 2, ends.background_fd};
  const int count = ends.background_fd >= 0 ? 4 : 3, last = kFirst + count, startup_stderr = fcntl(ends.startup_stderr, F_DUPFD, last);
  if (startup_stderr < 0) return;
  for (int i = 0; i < count; i++)
    if ((fds[i] = fcntl(fds[i], F_DUPFD, last)) < 0) return;
  for (int i = 0; i < count; i++)
    if (dup2(fds[i], kFirst + i) < 0) return;
  if (dup2(startup_stderr, 2) < 0) return;
  // Only the job and the keeper hold inherited descriptors, so that the other end of a pipe notices when the job closes it.
  if (syscall(SYS_close_range, static_cast<unsigned>(last), ~0U, 0) != 0)
    for (int fd = last; fd < 65536; fd++) close(fd);
  const int null = open("/dev/null", O_RDONLY);
  if (null > 0) {
    dup2(null, 0);
    close(null);
  }
  execve(node, argv, environment);
}

}  // namespace

bool is_shared(const char* entry) {
  for (const char* name : kNames)
    if (is_named(entry, name)) return true;
  for (const char* prefix : kPrefixes)
    if (std::strncmp(entry, prefix, std::strlen(prefix)) == 0) return true;
  return false;
}

std::string boot_script() {
  char self[4096];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) return "";
  self[n] = 0;
  for (int up = 0; up < 2; up++)
    if (char* slash = std::strrchr(self, '/')) *slash = 0;
  return std::string(self) + "/dist/boot.cjs";
}

std::string find_node(const Words& words) {
  if (access(NODE_BINARY, X_OK) == 0) return NODE_BINARY;
  const char* path = words.variable("PATH");
  for (const char* at = path ? path : "/usr/local/bin:/usr/bin:/bin";;) {
    const char* end = std::strchr(at, ':');
    const std::string file = (end ? std::string(at, end) : std::string(at)) + "/node";
    if (access(file.c_str(), X_OK) == 0) return file;
    if (!end) return "";
    at = end + 1;
  }
}

std::string raise_own_limits() {
  raise_to(RLIMIT_STACK, kStack);
  for (const int resource : {RLIMIT_CPU, RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_MEMLOCK, RLIMIT_SIGPENDING}) raise_to(resource, 0);
  set_soft(RLIMIT_STACK, kStack);
  set_soft(RLIMIT_CORE, 0);
  leave_realtime();
  std::string why;
  for (const Need& need : kNeeds) {
    if (need.resource != RLIMIT_STACK) raise_to(need.resource, need.least);
    rlimit limit{};
    getrlimit(static_cast<__rlimit_resource>(need.resource), &limit);
    if (limit.rlim_cur >= need.least || !why.empty()) continue;
    char text[200];
    std::snprintf(text, sizeof text, need.what, static_cast<unsigned long long>(limit.rlim_cur / need.unit));
    why = std::string(text) + ";" + need.remedy;
  }
  return why;
}

std::string startup_error(int from) {
  char text[4096];
  const ssize_t n = read(from, text, sizeof text - 1);
  text[std::max<ssize_t>(n, 0)] = 0;
  std::string first;
  for (char* at = text; *at;) {
    const size_t length = std::strcspn(at, "\n");
    const std::string line(at, std::min<size_t>(length, 300));
    at += length + (at[length] != 0);
    if (line.find_first_not_of(" #-") == std::string::npos) continue;
    if (first.empty()) first = line;
    for (const char* sign : {"rror", "ssertion", "FATAL", "cannot"})
      if (line.find(sign) != std::string::npos) return line.substr(line.find_first_not_of(" #"));
  }
  return first;
}

std::string end_of_node(int status, int startup_stderr) {
  const std::string said = startup_error(startup_stderr);
  if (!said.empty()) return "Node could not start: " + said;
  if (WIFSIGNALED(status)) return std::string("Node was killed by signal ") + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  return "Node ended with status " + std::to_string(WEXITSTATUS(status));
}

int start_node(const std::string& node, const Words& words, const NodeDescriptors& ends) {
  std::vector<std::string> texts = node_words();
  std::vector<char*> argv, environment;
  for (auto& word : texts) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string libraries;
  for (char* entry : words.environment) {
    if (entry && (is_shared(entry) || (words.verb == "agent" && is_of_service(entry)))) environment.push_back(entry);
    if (entry && std::strncmp(entry, kLibraries, sizeof kLibraries - 1) == 0) libraries = std::string("PROC_BOX_") + entry;
  }
  if (!libraries.empty()) environment.push_back(libraries.data());
  environment.push_back(nullptr);

  const int parent = getpid();
  volatile int error = 0;
  const int pid = vfork();
  if (pid == 0) {
    exec_node(node.c_str(), argv.data(), environment.data(), ends, parent);
    error = errno;
    _exit(1);
  }
  if (pid < 0 || error == 0) return pid;
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
  errno = error;
  return -1;
}

// A Node that is blocked for ever, for example because it cannot start a thread, sleeps and uses no CPU time. A Node that waits
// for a disk is in a different state.
bool Progress::is_stuck(int pid, double now_ms) {
  ProcessStat now;
  if (!read_process(pid, now)) return false;
  const unsigned long long ticks = now.user_ticks + now.system_ticks;
  if (began_ms_ == 0) began_ms_ = now_ms;
  if (since_ms_ == 0 || ticks != ticks_ || now.state != 'S') since_ms_ = now_ms;
  ticks_ = ticks;
  return now_ms - since_ms_ > kIdleMs || now_ms - began_ms_ > kStartMs;
}

}  // namespace pbox
