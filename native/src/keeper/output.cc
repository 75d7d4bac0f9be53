#include "keeper/output.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/clock.h"

namespace pbox {
namespace {

constexpr uint64_t kMoreBytes = 64 << 10;
constexpr int kPipeBytes = 1 << 20;
// From the kill of a box until what its stdout still holds is given up because nobody reads it.
constexpr double kReaderPatienceMs = 1000;
constexpr int kReaderLookMs = 20;

}  // namespace

void OutputFile::watch() {
  struct stat out {};
  if (fstat(1, &out) != 0) return;
  fd_ = fcntl(1, F_DUPFD_CLOEXEC, 3);
  const off_t at = std::max<off_t>(0, lseek(1, 0, SEEK_CUR));
  written_.start(static_cast<uint64_t>(at), static_cast<uint64_t>(out.st_size), fcntl(1, F_GETFL) & O_APPEND, monotonic_ms());
}

uint64_t OutputFile::bytes() {
  struct stat out {};
  const off_t at = fd_ < 0 ? -1 : lseek(fd_, 0, SEEK_CUR);
  if (at < 0 || fstat(fd_, &out) != 0) return written_.bytes();
  return written_.look(static_cast<uint64_t>(at), static_cast<uint64_t>(out.st_size), fcntl(fd_, F_GETFL) & O_APPEND, monotonic_ms());
}

bool OutputFile::exceeded(uint64_t* out) {
  if (fd_ < 0 || max_ == 0) return false;
  *out = bytes();
  if (*out <= max_ || (reported_ != 0 && *out <= reported_ + kMoreBytes)) return false;
  reported_ = *out;
  return true;
}

int OutputFile::next_look_ms(uint64_t mark) {
  if (fd_ < 0) return -1;
  const uint64_t target = mark == 0 ? max_ : max_ == 0 ? mark : std::min(mark, max_);
  return watch_.next_look_ms(bytes(), target);
}

int Output::make_pipe(bool to_socket) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);  // refused over the user's quota: the default size works as well
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  relay_.emplace(ends[0], fcntl(1, F_DUPFD_CLOEXEC, 3), to_socket, 0);
  return ends[1];
}

void Output::limit(uint64_t max) {
  if (relay_) relay_->limit(max);
  file_.limit(max);
}

std::pair<int, int> Output::descriptors() const {
  if (!relay_) return {file_.fd(), -1};
  return {relay_->in(), relay_->out()};
}

void Output::prepare(pollfd* entries) const {
  if (relay_) relay_->prepare(entries);
}

void Output::run(const pollfd* entries) {
  if (relay_) relay_->run(entries);
}

bool Output::exceeded(uint64_t* out) {
  if (!relay_) return file_.exceeded(out);
  if (told_ || !relay_->exceeded()) return false;
  *out = relay_->bytes();
  return told_ = true;
}

bool Output::marked(uint64_t* out) {
  if (mark_ == 0) return false;
  *out = bytes();
  if (*out < mark_) return false;
  mark_ = 0;
  return true;
}

bool Output::drained() { return !relay_ || relay_->drained() || reader_abandoned(); }

bool Output::reader_abandoned() {
  if (patient_) return false;
  const double now = monotonic_ms();
  if (waiting_since_ms_ == 0 || relay_->bytes() != waiting_bytes_) {
    waiting_since_ms_ = now;
    waiting_bytes_ = relay_->bytes();
  }
  return now - waiting_since_ms_ >= kReaderPatienceMs;
}

void Output::close() {
  if (relay_) relay_->close_all();
}

int Output::next_look_ms() { return patient_ ? file_.next_look_ms(mark_) : kReaderLookMs; }

}  // namespace pbox
