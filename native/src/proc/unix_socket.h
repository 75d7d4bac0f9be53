// Unix sockets by path, in folders that only their owner may write.
#pragma once
#include <string>
#include <sys/types.h>

namespace pbox {

// An error of listen_at() is an errno or one of these.
constexpr int kOpenToOthers = -1, kNotOurs = -2, kLinkedFolder = -3, kNotASocket = -4;

// Which folder a socket may lie in.
enum class SocketFolder {
  hidden,  // only its owner, this user, may enter it
  shown,   // everybody may enter it, and only its owner, this user or root, may write
};

// Listens on `path`, in place of a process that has ended, or, with `replace`, of one that listens there: whoever connects
// finds one of the two at any time. Sets `fd`, and returns 0 or an error. The folder that was checked is the one that is used.
int listen_at(const std::string& path, SocketFolder kind, int& fd, bool replace = false);

// Connects: -1 with errno if nobody listens, or EAGAIN if too many are before us for `wait_ms`.
int connect_at(const std::string& path, int wait_ms = 0);

// Whether the socket at `path` is one that root has let its peer make: its folder lies in a folder that only root may write,
// and the peer of `fd` is root or the folder's owner, who alone may write there.
bool is_made_by_site(int fd, const std::string& path);

// The user at the other end; -1 if the kernel does not tell.
uid_t peer_user(int fd);

// The process that listens at the other end; 0 if the kernel does not tell.
int peer_pid(int fd);

}  // namespace pbox
