// The job's stdout as the keeper counts it: the caller's own file, by its offset, or a pipe of ours with a relay.
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
  // Descriptor 1 is a file: counts by the shared file offset, without moving bytes.
  void watch_file();
  // Descriptor 1 is a pipe or a socket: makes a pipe for the job. Returns its write end, or -1 with errno.
  int make_pipe(bool to_socket);
  void limit(uint64_t max) override;
  uint64_t bytes() override;
  // The descriptors that must stay open when the keeper closes the inherited ones; -1: none.
  std::pair<int, int> descriptors() const;

  // Fills in two entries for poll(2).
  void prepare(pollfd* entries) const;
  void run(const pollfd* entries);
  bool exceeded(uint64_t* bytes) override;
  // Call when no writer is left. True if the reader has taken everything, has gone, or has been given up.
  bool drained();
  void abandon_reader() override { awaits_reader_ = false; }
  void close();
  int next_look_ms() override { return awaits_reader_ ? StdoutCount::next_look_ms() : kReaderLookMs; }

 private:
  static constexpr int kReaderLookMs = 20;
  bool is_file() const override { return file_ >= 0; }
  bool reader_timed_out();

  int file_ = -1;
  Written written_;
  std::optional<Relay> relay_;
  bool told_ = false, awaits_reader_ = true;
  double waiting_since_ms_ = 0;
  uint64_t waiting_bytes_ = 0;
};

}  // namespace pbox
