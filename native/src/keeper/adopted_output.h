// The stdout of a process that is not our child, as /proc shows it.
#pragma once
#include <cstdint>

#include "keeper/stdout_count.h"
#include "proc/written.h"

namespace pbox {

// stdout of a process, where it is a file: what has been written to it since `open`. Nothing is counted of anything else.
class AdoptedOutput final : public StdoutCount {
 public:
  AdoptedOutput() = default;
  AdoptedOutput(const AdoptedOutput&) = delete;
  AdoptedOutput& operator=(const AdoptedOutput&) = delete;
  ~AdoptedOutput() override;

  void open(int pid);
  uint64_t bytes() override;
  // The process has ended, and its descriptors are gone: the file's size tells, where it has grown with the output.
  void ended() { ended_ = true; }

 private:
  bool is_file() const override { return file_ >= 0 && !ended_; }
  // Of the descriptor, which it shares with whoever else has it: proc_pid_fdinfo(5). False where it has gone.
  bool read_descriptor(uint64_t* offset, bool* append) const;

  int pid_ = -1;
  int file_ = -1;        // O_PATH
  bool at_end_ = false;  // it grows as the process writes
  bool ended_ = false;
  Written written_;
};

}  // namespace pbox
