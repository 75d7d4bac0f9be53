// proc_box, the executable: forks the keeper, then becomes Node.
//
// Forking first keeps for the job what Node changes at its start, and what only Node should do without: options for
// Node and libraries to preload that the environment holds for the job. Node gets our options, stdin from /dev/null,
// and the keeper's socket as descriptor 3. The words of the command line travel over that socket; what ps shows of
// Node is a copy with passwords masked.
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "alone.h"
#include "detach.h"
#include "guard.h"
#include "keeper.h"
#include "printable.h"
#include "serve.h"
#include "via.h"

namespace {

constexpr int kControl = 3;  // src/cli/main.ts knows it too
constexpr int kWord = 4;     // src/cli/adopt.ts and serve.ts know it too
constexpr size_t kShownBytes = 4096;
constexpr rlim_t kNodeSpace = 1ULL << 30;  // V8 reserves 700 MB of address space at its start
constexpr char kNoNode[] = "install Node 20 or newer, or run `npm rebuild proc_box` after moving it";

[[noreturn]] void die(const char* what, const char* remedy) {
  std::fprintf(stderr, "proc_box: error: %s: %s; %s\n", what, std::strerror(errno), remedy);
  _exit(125);
}

// `<package>/bin/proc_box` -> `<package>/dist/boot.cjs`.
std::string boot_script() {
  char self[4096];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) die("read /proc/self/exe", "is /proc mounted?");
  self[n] = 0;
  for (int up = 0; up < 2; up++)
    if (char* slash = std::strrchr(self, '/')) *slash = 0;
  return std::string(self) + "/dist/boot.cjs";
}

// Masks what stands between `://` and the last `@` of a word: a password may hold any character.
std::string shown(const char* word) {
  std::string text(word);
  const size_t at = text.find("://"), sign = text.rfind('@');
  if (at != std::string::npos && sign != std::string::npos && sign > at) text.replace(at + 3, sign - at - 3, "***");
  return text;
}

// PBS sends its signals, SIGKILL and SIGSTOP among them, to every process of the job's session and to no other.
bool session_is_signalled(char** environment) {
  for (char** e = environment; *e; e++)
    if (std::strncmp(*e, "PBS_JOBID=", 10) == 0) return true;
  return false;
}

// `--argv=<words>` as the only argument, or PBOX_ARGV: a command line for carriers that do not keep words as they are
// (PBS drops empty ones and cuts others at a newline). Each word ends with `;`, bytes are `%41`.
char** packed_words(int& argc, char** argv, char** environment) {
  static constexpr char kOption[] = "--argv=", kVariable[] = "PBOX_ARGV=";
  char* packed = nullptr;
  if (argc == 2 && std::strncmp(argv[1], kOption, sizeof kOption - 1) == 0) packed = argv[1] + sizeof kOption - 1;
  for (char** e = environment; *e;) {
    if (std::strncmp(*e, kVariable, sizeof kVariable - 1) != 0) {
      e++;
      continue;
    }
    if (!packed && argc == 1) packed = *e + sizeof kVariable - 1;
    for (char** next = e; *next; next++) *next = next[1];
  }
  if (!packed) return argv;
  static std::vector<char*> words{argv[0]};
  std::string word;
  for (const char* in = packed; *in; in++) {
    if (*in == ';') {
      words.push_back(strdup(word.c_str()));
      word.clear();
    } else if (*in == '%' && std::isxdigit(in[1]) && std::isxdigit(in[2])) {
      const char digits[] = {in[1], in[2], 0};
      word += static_cast<char>(std::strtol(digits, nullptr, 16));
      in += 2;
    } else {
      word += *in;
    }
  }
  explicit_bzero(packed, std::strlen(packed));
  argc = static_cast<int>(words.size());
  words.push_back(nullptr);
  return words.data();
}

bool for_node(const char* entry) {
  for (const char* prefix : {"PBOX_", "NODE_", "LD_PRELOAD=", "LD_AUDIT="})
    if (std::strncmp(entry, prefix, std::strlen(prefix)) == 0) return false;
  return true;
}

// Empty where there is none.
std::string find_node(char** environment) {
  if (access(NODE_BINARY, X_OK) == 0) return NODE_BINARY;
  const char* path = "/usr/local/bin:/usr/bin:/bin";
  for (char** e = environment; *e; e++)
    if (std::strncmp(*e, "PATH=", 5) == 0) path = *e + 5;
  for (const char* at = path;;) {
    const char* end = std::strchr(at, ':');
    const std::string file = (end ? std::string(at, end) : std::string(at)) + "/node";
    if (access(file.c_str(), X_OK) == 0) return file;
    if (!end) return "";
    at = end + 1;
  }
}

// `--failure open` where nothing of ours can run: executes the command itself. Options cannot be read in here, so `--`
// has to say where it begins.
void become_job(int argc, char** argv, char** environment, const char* why) {
  const char *policy = "", *own_name = nullptr;
  for (char** e = environment; *e; e++)
    if (std::strncmp(*e, "PBOX_FAILURE=", 13) == 0) policy = *e + 13;
  int at = 1;
  for (; at < argc && std::strcmp(argv[at], "--") != 0; at++) {
    const char* name = argv[at] + std::strspn(argv[at], "-");
    if (argv[at][0] == '-' && std::strcmp(name, "argv0") == 0 && at + 1 < argc) own_name = argv[at + 1];
    if (argv[at][0] != '-' || std::strncmp(name, "failure", 7) != 0) continue;
    if (name[7] == '=') policy = name + 8;
    else if (name[7] == 0 && at + 1 < argc) policy = argv[at + 1];
  }
  if (std::strcmp(policy, "open") != 0 || at + 1 >= argc) return;
  std::fprintf(stderr, "proc_box: error: %s; the job runs without a box (--failure open)\n", why);
  std::vector<char*> own;
  for (char** e = environment; *e; e++)
    if (std::strncmp(*e, "PBOX_", 5) != 0) own.push_back(*e);
  own.push_back(nullptr);
  char* command = argv[at + 1];
  if (own_name) argv[at + 1] = const_cast<char*>(own_name);  // a login shell's
  execvpe(command, argv + at + 1, own.data());
  const int error = errno;
  std::fprintf(stderr, "proc_box: error: run %s: %s\n", pbox::printable(command).c_str(), std::strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

[[noreturn]] void become_node(const std::string& node, int socket, int word, int argc, char** argv, char** environment) {
  std::vector<std::string> words{argc > 0 ? argv[0] : "proc_box"};
  const std::string flags = NODE_FLAGS;
  for (size_t at = 0; at < flags.size();) {
    const size_t end = std::min(flags.find(' ', at), flags.size());
    if (end > at) words.push_back(flags.substr(at, end - at));
    at = end + 1;
  }
  words.push_back(boot_script());
  size_t bytes = 0;
  for (int i = 1; i < argc && bytes < kShownBytes; i++) {
    words.push_back(shown(argv[i]));
    bytes += words.back().size();
  }
  std::vector<char*> node_argv, node_environment;
  for (auto& word : words) node_argv.push_back(word.data());
  node_argv.push_back(nullptr);
  for (char** e = environment; *e; e++)
    if (for_node(*e)) node_environment.push_back(*e);
  node_environment.push_back(nullptr);

  // Only the job and the keeper hold what was inherited: whoever is at the other end sees the job's ends.
  if (word >= 0) word = fcntl(word, F_DUPFD, kWord + 1);
  if (socket != kControl) dup2(socket, kControl);
  else fcntl(kControl, F_SETFD, 0);
  if (word >= 0) dup2(word, kWord);
  const int last = word >= 0 ? kWord : kControl;
  if (syscall(SYS_close_range, last + 1U, ~0U, 0) != 0)
    for (int fd = last + 1; fd < 65536; fd++) close(fd);
  const int null = open("/dev/null", O_RDONLY);
  if (null >= 0 && null != 0) {
    dup2(null, 0);
    close(null);
  }

  execve(node.c_str(), node_argv.data(), node_environment.data());
  die("start Node", kNoNode);
}

// What is started with stdin, stdout or stderr closed must not find our own descriptors in their places. The job gets
// them as they were: closed.
void occupy_closed_stdio() {
  for (int fd = open("/dev/null", O_RDWR | O_CLOEXEC); fd >= 0; fd = open("/dev/null", O_RDWR | O_CLOEXEC)) {
    if (fd <= 2) continue;
    close(fd);
    return;
  }
}

// Only the job and the keeper hold what was inherited: whoever is at the other end sees the job's ends.
void close_others(int socket) {
  if (socket != kControl) dup2(socket, kControl);
  if (syscall(SYS_close_range, kControl + 1U, ~0U, 0) != 0)
    for (int fd = kControl + 1; fd < 65536; fd++) close(fd);
}

// Limits meant for the job must not stop its wrapper where that can be helped: the keeper, forked before, keeps them.
// Returns how much address space Node can have.
rlim_t raise_own_limits() {
  rlimit limit{};
  for (const auto resource : {RLIMIT_CPU, RLIMIT_DATA, RLIMIT_AS}) {
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == limit.rlim_max) continue;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
  }
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= kNodeSpace) return kNodeSpace;
  const rlim_t given = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max = kNodeSpace;  // for whoever has CAP_SYS_RESOURCE
  return setrlimit(RLIMIT_AS, &limit) == 0 ? kNodeSpace : given;
}

}  // namespace

int main(int argc, char** argv, char** environment) {
  occupy_closed_stdio();
  argv = packed_words(argc, argv, environment);
  // Started by the addon: argv[1] is the socket.
  if (argc > 1 && std::strcmp(argv[0], "proc_box-keeper") == 0) {
    const int control = std::atoi(argv[1]);
    fcntl(control, F_SETFD, FD_CLOEXEC);
    pbox::keeper_main(control, argc - 1, argv + 1, environment);
  }
  pbox::ask_supervisor(argc, argv, environment);
  const std::string node = find_node(environment);
  if (node.empty()) {
    become_job(argc, argv, environment, "there is no Node (" NODE_BINARY ", then PATH)");
    errno = ENOENT;
    die("start Node (" NODE_BINARY ", then PATH)", kNoNode);
  }
  if (access(boot_script().c_str(), R_OK) != 0) become_job(argc, argv, environment, "dist/boot.cjs cannot be read");
  const char* served = pbox::wants_serve(argc, argv);
  const bool detached = !served && pbox::wants_detach(argc, argv);
  const int word = served ? pbox::serve(served) : detached ? pbox::detach(argc, argv, environment) : -1;
  if ((served || detached) && word < 0) die("fork", "is the nproc or pids limit reached?");
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) die("socketpair", "is the nofile limit too low?");
  const int pid = fork();
  if (pid < 0) die("fork", "is the nproc or pids limit reached?");
  if (pid == 0) {
    close(sockets[0]);
    if (word >= 0) close(word);
    // What is adopted has its own place, and nothing of it ends with us.
    if (session_is_signalled(environment) && !pbox::adopts(argc, argv)) pbox::guard_main(sockets[1], argc, argv, environment);
    pbox::keeper_main(sockets[1], argc, argv, environment);
  }
  const rlim_t space = raise_own_limits();
  if (space < kNodeSpace) {
    close_others(sockets[0]);
    pbox::run_alone(kControl, pid, argc, argv, environment, space);
  }
  become_node(node, sockets[0], word, argc, argv, environment);
}
