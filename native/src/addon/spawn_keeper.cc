#include "addon/spawn_keeper.h"

#include <cerrno>
#include <csignal>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pbox {

int spawn_keeper(const std::string& executable, const std::vector<std::string>& words,
                 const std::vector<std::string>& environment) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) return -1;
  const std::string socket = std::to_string(sockets[1]);
  std::vector<char*> argv{const_cast<char*>("proc_box-keeper"), const_cast<char*>(socket.c_str())}, env;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  for (const auto& entry : environment) env.push_back(const_cast<char*>(entry.c_str()));
  argv.push_back(nullptr);
  env.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  // dup2(2) onto the same descriptor clears close-on-exec, which Node sets even on its stdio.
  for (const int fd : {0, 1, 2, sockets[1]}) posix_spawn_file_actions_adddup2(&actions, fd, fd);
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  pid_t pid;
  const int error = posix_spawn(&pid, executable.c_str(), &actions, &attributes, argv.data(), env.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(sockets[1]);
  if (error == 0) return sockets[0];
  close(sockets[0]);
  errno = error;
  return -1;
}

}  // namespace pbox
