#include "keeper/output.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/clock.h"

namespace pbox {
namespace {

constexpr int kPipeBytes = 1 << 20;
// How long after the kill of a box the reader of stdout may take nothing before the rest of the output is lost.
constexpr double kReaderTimeoutMs = 1000;

}  // namespace

void Output::watch_file() {
  struct stat out {};
  if (fstat(1, &out) != 0) return;
  file_ = fcntl(1, F_DUPFD_CLOEXEC, 3);
  const off_t at = std::max<off_t>(0, lseek(1, 0, SEEK_CUR));
  written_.start(static_cast<uint64_t>(at), static_cast<uint64_t>(out.st_size), fcntl(1, F_GETFL) & O_APPEND, monotonic_ms());
}

uint64_t Output::bytes() {
  if (relay_) return relay_->bytes();
  struct stat out {};
  const off_t at = file_ < 0 ? -1 : lseek(file_, 0, SEEK_CUR);
  if (at < 0 || fstat(file_, &out) != 0) return written_.bytes();
  return written_.look(static_cast<uint64_t>(at), static_cast<uint64_t>(out.st_size), fcntl(file_, F_GETFL) & O_APPEND, monotonic_ms());
}

int Output::make_pipe(bool to_socket) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);  // refused beyond the user's quota; the default size also works
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  relay_.emplace(ends[0], fcntl(1, F_DUPFD_CLOEXEC, 3), to_socket, 0);
  return ends[1];
}

void Output::limit(uint64_t max) {
  if (relay_) relay_->limit(max);
  StdoutCount::limit(max);
}

std::pair<int, int> Output::descriptors() const {
  if (!relay_) return {file_, -1};
  return {relay_->in(), relay_->out()};
}

void Output::prepare(pollfd* entries) const {
  if (relay_) relay_->prepare(entries);
}

void Output::run(const pollfd* entries) {
  if (relay_) relay_->run(entries);
}

bool Output::exceeded(uint64_t* out) {
  if (!relay_) return StdoutCount::exceeded(out);
  if (told_ || !relay_->exceeded()) return false;
  *out = relay_->bytes();
  return told_ = true;
}

bool Output::drained() { return !relay_ || relay_->drained() || reader_timed_out(); }

bool Output::reader_timed_out() {
  if (awaits_reader_) return false;
  const double now = monotonic_ms();
  if (waiting_since_ms_ == 0 || relay_->bytes() != waiting_bytes_) {
    waiting_since_ms_ = now;
    waiting_bytes_ = relay_->bytes();
  }
  return now - waiting_since_ms_ >= kReaderTimeoutMs;
}

void Output::close() {
  if (relay_) relay_->close_all();
}

}  // namespace pbox
