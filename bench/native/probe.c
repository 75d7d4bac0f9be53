// The benchmarks' clock and jobs, for times that a Node program cannot measure itself. CLOCK_MONOTONIC, nanoseconds.
//
//   probe run FILE CMD...   runs CMD, writes "<before exec> <after wait> <user usec> <system usec> <wait status>"
//   probe many N FILE CMD...   runs CMD N times at once, and writes the time before the first and after the last
//   probe mark FILE         writes the time of its first instruction
//   probe marks FILE        the same, in one more line of a file
//   probe hold FIFO         holds the write end of a FIFO until it is killed, so that the reader sees its death
//   probe tree COUNT        makes a tree of COUNT processes, including itself, until stdin ends; prints "ready" when it is complete
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int fail(const char *what) {
  fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
  return 125;
}

static int write_line(const char *path, const char *line, int length) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, line, length) != length) return fail(path);
  return 0;
}

static int mark(const char *path, int64_t at) {
  char line[32];
  return write_line(path, line, snprintf(line, sizeof line, "%" PRId64, at));
}

static int run(const char *path, char **argv) {
  const int64_t before = now();
  const pid_t pid = vfork();
  if (pid < 0) return fail("vfork");
  if (pid == 0) {
    execvp(argv[0], argv);
    _exit(127);
  }
  int status;
  struct rusage usage;
  while (wait4(pid, &status, 0, &usage) < 0) {
    if (errno != EINTR) return fail("wait4");
  }
  const int64_t after = now();
  char line[160];
  const int length = snprintf(line, sizeof line, "%" PRId64 " %" PRId64 " %lld %lld %d", before, after,
                              usage.ru_utime.tv_sec * 1000000LL + usage.ru_utime.tv_usec,
                              usage.ru_stime.tv_sec * 1000000LL + usage.ru_stime.tv_usec, status);
  return write_line(path, line, length);
}

// Lines of a few bytes are appended as a whole.
static int append_mark(const char *path, int64_t at) {
  char line[32];
  const int length = snprintf(line, sizeof line, "%" PRId64 "\n", at);
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, line, length) != length) return fail(path);
  return 0;
}

static int many(int count, const char *path, char **argv) {
  const int64_t before = now();
  for (int i = 0; i < count; i++) {
    const pid_t pid = vfork();
    if (pid < 0) return fail("vfork");
    if (pid > 0) continue;
    execvp(argv[0], argv);
    _exit(127);
  }
  int failed = 0;
  for (int status; wait(&status) > 0 || errno == EINTR;) failed += status != 0;
  char line[64];
  const int length = snprintf(line, sizeof line, "%" PRId64 " %" PRId64 " %d", before, now(), failed);
  return write_line(path, line, length);
}

static int hold(const char *path) {
  const int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, ".", 1) != 1) return fail(path);
  for (;;) pause();
}

// Ten children per process: about as wide as build jobs, and as deep as their shells.
static void grow(int first, int count) {
  for (int child = first * 10 + 1; child <= first * 10 + 10 && child < count; child++) {
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) exit(fail("fork"));
    if (pid > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    grow(child, count);
    if (write(1, ".", 1) != 1) _exit(1);
    for (;;) pause();
  }
}

static int tree(int count) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return fail("pipe2");
  const int out = dup(1);
  dup2(ends[1], 1);
  grow(0, count);
  close(ends[1]);
  char byte;
  for (int ready = 1; ready < count; ready++) {
    if (read(ends[0], &byte, 1) != 1) return fail("read");
  }
  if (write(out, "ready\n", 6) != 6) return fail("write");
  while (read(0, &byte, 1) > 0) continue;
  return 0;
}

int main(int argc, char **argv) {
  const int64_t started = now();
  if (argc == 3 && strcmp(argv[1], "mark") == 0) return mark(argv[2], started);
  if (argc == 3 && strcmp(argv[1], "marks") == 0) return append_mark(argv[2], started);
  if (argc >= 5 && strcmp(argv[1], "many") == 0) return many(atoi(argv[2]), argv[3], argv + 4);
  if (argc >= 4 && strcmp(argv[1], "run") == 0) return run(argv[2], argv + 3);
  if (argc == 3 && strcmp(argv[1], "hold") == 0) return hold(argv[2]);
  if (argc == 3 && strcmp(argv[1], "tree") == 0) return tree(atoi(argv[2]));
  fprintf(stderr, "usage: probe run FILE CMD... | many N FILE CMD... | mark FILE | marks FILE | hold FIFO | tree COUNT\n");
  return 125;
}
