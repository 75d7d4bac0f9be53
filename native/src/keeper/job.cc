#include "keeper/job.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/sched.h>
#include <string>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keeper/rlimits.h"

namespace pbox {
namespace {

// Searches PATH before the fork, as execvp(3) does: the first executable match wins. If there is none, `error` is the errno to
// report, and EACCES wins over ENOENT.
std::string find_command(const char* name, char* const* environment, int& error) {
  error = 0;
  if (name[0] == '\0') {
    error = ENOENT;
    return name;
  }
  if (std::strchr(name, '/')) return name;
  const char* path = "/usr/local/bin:/usr/bin:/bin";
  for (char* const* e = environment; *e; e++)
    if (std::strncmp(*e, "PATH=", 5) == 0) path = *e + 5;
  error = ENOENT;
  for (const char* at = path;; ) {
    const char* end = std::strchr(at, ':');
    const std::string dir = end ? std::string(at, end) : std::string(at);
    const std::string file = (dir.empty() ? std::string(".") : dir) + "/" + name;
    struct stat info {};
    if (stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
      if (access(file.c_str(), X_OK) == 0) {
        error = 0;
        return file;
      }
      error = EACCES;
    }
    if (!end) break;
    at = end + 1;
  }
  return name;
}

// Whether the shell may run a file that the kernel does not recognise. POSIX leaves it to the shell to refuse files that
// cannot be text; otherwise the shell would run lines of a program for another architecture. An empty file is an empty script.
bool is_script(const char* file) {
  const int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  static char head[4096];
  const ssize_t n = read(fd, head, sizeof head);
  close(fd);
  if (n < 0) return false;
  const size_t size = static_cast<size_t>(n);
  const char* end = static_cast<const char*>(memchr(head, '\n', size));
  const size_t line = end ? static_cast<size_t>(end - head) : size;
  if (size >= 4 && memcmp(head, "\177ELF", 4) == 0) return false;
  bool blank = true;
  for (size_t i = 0; i < line; i++) {
    const auto byte = static_cast<unsigned char>(head[i]);
    // The bytes that file(1) takes for text: BEL to CR, ESC, and everything from the blank on except DEL.
    if ((byte < 0x20 && (byte < '\a' || byte > '\r') && byte != 0x1b) || byte == 0x7f) return false;
    if (i >= 2 && byte != ' ' && byte != '\t' && byte != '\r') blank = false;
  }
  // With a complete `#!` line, the kernel does not recognise the interpreter rather than the script.
  return blank || line < 2 || memcmp(head, "#!", 2) != 0;
}

[[noreturn]] void fail(int error_fd, Step step, int index) {
  const Failure failure{step, index, errno};
  // A pipe takes this many bytes at once. A failed write means that the keeper has gone.
  if (write(error_fd, &failure, sizeof failure) != static_cast<ssize_t>(sizeof failure)) _exit(125);
  _exit(127);
}

// Runs in the child: async-signal-safe calls only, and one failure exit.
[[noreturn]] void become_job(const JobSpec& spec, const Inherited& inherited, const char* file, char* const* argv,
                             char* const* shell_argv, int error_fd, int keeper) {
  // PR_SET_PDEATHSIG follows the thread that forked, and the keeper has only one. getppid() shows a keeper that died before
  // the call.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != keeper) fail(error_fd, Step::parent, -1);
  if (setpgid(0, 0) != 0) fail(error_fd, Step::setpgid, -1);
  // SIGTTOU is blocked here, so a background group may do this.
  if (spec.terminal_fd >= 0 && tcsetpgrp(spec.terminal_fd, getpid()) != 0 && errno != ENOTTY)
    fail(error_fd, Step::terminal, -1);
  for (size_t i = 0; i < spec.cgroup_fds.size(); i++)
    if (write(spec.cgroup_fds[i], "0", 1) != 1) fail(error_fd, Step::cgroup, static_cast<int>(i));
  if (spec.stdout_fd >= 0) {
    if (dup2(spec.stdout_fd, 1) < 0) fail(error_fd, Step::stdio, 1);
    if (spec.stdout_is_stderr_too && dup2(spec.stdout_fd, 2) < 0) fail(error_fd, Step::stdio, 2);
  }
  for (size_t i = 0; i < spec.rlimits.size(); i++) {
    const int error = rlimit_set(0, change_of(spec.rlimits[i]), nullptr);
    if (error != 0) {
      errno = error;
      fail(error_fd, Step::rlimit, static_cast<int>(i));
    }
  }
  for (int signal = 1; signal < NSIG; signal++) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    sigaction(signal, &inherited.actions[signal], nullptr);  // EINVAL for the two signals that libc reserves
  }
  sigprocmask(SIG_SETMASK, &inherited.mask, nullptr);
  execve(file, argv, spec.environment);
  // A script without `#!`: the shell runs it, as execvp(3) and every shell do.
  if (errno == ENOEXEC) {
    if (is_script(file)) execve("/bin/sh", shell_argv, spec.environment);
    errno = ENOEXEC;
  }
  fail(error_fd, Step::exec, -1);
}

// fork(2), with the child born in its control group. Writing a pid to cgroup.procs takes a lock that waits for an RCU grace
// period of 5 to 15 ms; being born in the group, or writing `0` to a v1 `tasks` file, does not.
int fork_job(int fork_into) {
  if (fork_into < 0) return fork();
  clone_args args{};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<uint64_t>(fork_into);
  return static_cast<int>(syscall(SYS_clone3, &args, sizeof args));
}

// Before Linux 5.7, and under seccomp filters that do not know it, clone3(2) fails. The child then moves itself.
bool unknown_clone(int error) { return error == ENOSYS || error == E2BIG || error == EINVAL; }

}  // namespace

Launched launch_job(const JobSpec& spec, const Inherited& inherited) {
  Launched launched{-1, -1, {Step::exec, -1, 0}};
  const std::string file = find_command(spec.argv[0], spec.environment, launched.failure.error);
  if (launched.failure.error != 0) {
    launched.failure.index = 0;  // the look-up failed, not the exec
    return launched;
  }

  std::vector<char*> argv{spec.name.empty() ? spec.argv[0] : const_cast<char*>(spec.name.c_str())};
  std::vector<char*> shell_argv{const_cast<char*>("sh"), const_cast<char*>(file.c_str())};
  for (char* const* word = spec.argv + 1; *word; word++) {
    argv.push_back(*word);
    shell_argv.push_back(*word);
  }
  argv.push_back(nullptr);
  shell_argv.push_back(nullptr);

  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
    launched.failure = {Step::pipe, -1, errno};
    return launched;
  }
  // No handler may run in the child before it has set its own dispositions.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const int keeper = getpid();
  const JobSpec* child = &spec;
  JobSpec moving{};
  int pid = fork_job(spec.fork_into);
  if (pid < 0 && spec.fork_into >= 0 && unknown_clone(errno)) {
    moving = spec;
    moving.cgroup_fds.push_back(openat(spec.fork_into, "cgroup.procs", O_WRONLY | O_CLOEXEC));
    child = &moving;
    pid = fork();
  }
  if (pid == 0) become_job(*child, inherited, file.c_str(), argv.data(), shell_argv.data(), pipe_fds[1], keeper);
  const int fork_error = errno;
  if (child == &moving) close(moving.cgroup_fds.back());
  sigprocmask(SIG_SETMASK, &before, nullptr);
  close(pipe_fds[1]);
  if (pid < 0) {
    close(pipe_fds[0]);
    launched.failure = {spec.fork_into >= 0 && fork_error != EAGAIN ? Step::cgroup : Step::fork, -1, fork_error};
    return launched;
  }
  setpgid(pid, pid);  // parent and child race; if the child has won and run exec, this fails with EACCES, which is harmless
  launched.pid = pid;
  launched.error_fd = pipe_fds[0];
  return launched;
}

}  // namespace pbox
