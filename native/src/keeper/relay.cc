#include "keeper/relay.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pbox {
namespace {
constexpr uint64_t kChunk = 1 << 20;
char buffer[64 << 10];  // not touched unless stdout is a socket
}  // namespace

void Relay::prepare(pollfd* entries) const {
  entries[0] = {-1, 0, 0};
  entries[1] = {-1, 0, 0};
  if (in_ < 0 || exceeded_) return;
  if (wait_ == Wait::input) entries[0] = {in_, POLLIN, 0};
  // Even without POLLOUT, poll(2) reports that the reader has gone, so that the job gets its SIGPIPE.
  entries[1] = {out_, static_cast<short>(wait_ == Wait::output ? POLLOUT : 0), 0};
}

void Relay::run(const pollfd* entries) {
  if (in_ < 0 || exceeded_) return;
  if (entries[1].revents & (POLLERR | POLLNVAL) || (socket_ && entries[1].revents & POLLHUP)) return close_all();
  if (entries[0].revents || entries[1].revents) step();
}

bool Relay::drained() {
  if (in_ >= 0 && !exceeded_ && wait_ == Wait::input) step();
  if (in_ < 0 || exceeded_) return true;
  int left = 0;
  return from_ == to_ && (ioctl(in_, FIONREAD, &left) != 0 || left == 0);
}

void Relay::close_all() {
  if (in_ >= 0) close(in_);
  if (out_ >= 0) close(out_);
  in_ = out_ = -1;
}

// False if the reader takes nothing at the moment or has gone.
bool Relay::flush_buffer() {
  while (from_ < to_) {
    const ssize_t n = send(out_, buffer + from_, to_ - from_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      from_ += static_cast<uint32_t>(n);
      bytes_ += static_cast<uint64_t>(n);
    } else if (errno == EAGAIN) {
      wait_ = Wait::output;
      return false;
    } else if (errno != EINTR) {
      close_all();
      return false;
    }
  }
  wait_ = Wait::input;
  return true;
}

void Relay::step() {
  // Bounded, so that the keeper's other duties get their turn while a job writes at full speed.
  for (int turns = 0; turns < 16; turns++) {
    if (socket_ && !flush_buffer()) return;
    const uint64_t room = max_ == 0 ? kChunk : std::min<uint64_t>(kChunk, max_ - std::min(max_, bytes_));
    if (room == 0) {
      int left = 0;
      if (ioctl(in_, FIONREAD, &left) == 0 && left > 0) {
        exceeded_ = true;
        return;
      }
      // Exactly at the limit: wait to see whether more follows. POLLIN reports both data and the end.
      pollfd end{in_, POLLIN, 0};
      if (poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) && !(end.revents & POLLIN)) close_all();
      wait_ = Wait::input;
      return;
    }
    if (socket_) {
      const ssize_t n = read(in_, buffer, std::min<uint64_t>(room, sizeof buffer));
      if (n == 0) return close_all();
      if (n < 0) return;  // EAGAIN: nothing to read
      from_ = 0;
      to_ = static_cast<uint32_t>(n);
      continue;
    }
    const ssize_t n = splice(in_, nullptr, out_, nullptr, room, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n == 0) return close_all();  // no writer is left
    if (n > 0) {
      bytes_ += static_cast<uint64_t>(n);
      wait_ = Wait::input;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return close_all();  // EPIPE: the reader has gone
    int left = 0;
    wait_ = ioctl(in_, FIONREAD, &left) == 0 && left > 0 ? Wait::output : Wait::input;
    return;
  }
}

}  // namespace pbox
