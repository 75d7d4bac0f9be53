// The job's stdout as the keeper sees it: the caller's own file, whose offset tells, or a pipe of ours and a relay.
#pragma once
#include <cstdint>
#include <optional>
#include <poll.h>
#include <utility>

#include "keeper/relay.h"
#include "keeper/stdout_count.h"
#include "proc/written.h"

namespace pbox {

class Output final : public StdoutCount {
 public:
  // Descriptor 1 is a file: nothing is moved, the shared offset tells.
  void watch_file();
  // Descriptor 1 is a pipe or a socket: makes the job's. Returns its end for writing, or -1 with errno.
  int make_pipe(bool to_socket);
  void limit(uint64_t max) override;
  uint64_t bytes() override;
  // What must stay open when the keeper lets go of its descriptors; -1 is none.
  std::pair<int, int> descriptors() const;

  // Two entries for poll(2).
  void prepare(pollfd* entries) const;
  void run(const pollfd* entries);
  bool exceeded(uint64_t* bytes) override;
  // For when no writer is left: the reader has everything, or nothing more is expected of it.
  bool drained();
  void lose_patience() override { patient_ = false; }
  // Lets go of both ends.
  void close();
  int next_look_ms() override { return patient_ ? StdoutCount::next_look_ms() : kReaderLookMs; }

 private:
  static constexpr int kReaderLookMs = 20;
  bool is_file() const override { return file_ >= 0; }
  bool reader_abandoned();

  int file_ = -1;
  Written written_;
  std::optional<Relay> relay_;
  bool told_ = false, patient_ = true;
  double waiting_since_ms_ = 0;
  uint64_t waiting_bytes_ = 0;
};

}  // namespace pbox
