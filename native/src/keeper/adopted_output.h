// The stdout of a process that is not our child.
#pragma once
#include <cstdint>

#include "keeper/stdout_count.h"
#include "proc/written.h"

namespace pbox {

// Counts the bytes written to a process's stdout since `open`, as /proc shows them. Counts only if stdout is a file.
class AdoptedOutput final : public StdoutCount {
 public:
  AdoptedOutput() = default;
  AdoptedOutput(const AdoptedOutput&) = delete;
  AdoptedOutput& operator=(const AdoptedOutput&) = delete;
  ~AdoptedOutput() override;

  void open(int pid);
  uint64_t bytes() override;
  // The process has ended, and its descriptors are gone. From now on the file's size counts if it has grown with the output.
  void ended() { ended_ = true; }

 private:
  bool is_file() const override { return file_ >= 0 && !ended_; }
  // Reads the file description, which all holders of the descriptor share: proc_pid_fdinfo(5). False if it has gone.
  bool read_descriptor(uint64_t* offset, bool* append) const;

  int pid_ = -1;
  int file_ = -1;        // O_PATH
  bool at_end_ = false;  // the file grows as the process writes
  bool ended_ = false;
  Written written_;
};

}  // namespace pbox
