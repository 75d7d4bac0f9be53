// The stdout of a process that is not our child, as /proc shows it.
#pragma once
#include <cstdint>

#include "proc/write_watch.h"
#include "proc/written.h"

namespace pbox {

// stdout of a process, where it is a file: what has been written to it since `open`. Nothing is counted of anything else.
class AdoptedOutput {
 public:
  AdoptedOutput() = default;
  AdoptedOutput(const AdoptedOutput&) = delete;
  AdoptedOutput& operator=(const AdoptedOutput&) = delete;
  ~AdoptedOutput();

  void open(int pid);
  bool counted() const { return file_ >= 0; }
  // After the process's end its descriptors are gone: then the file's size tells, where it has grown with the output.
  uint64_t bytes(bool ended);
  // Until it has to be looked at so that `max` bytes (0 is no limit) are not passed unseen, ms.
  int until_ms(uint64_t max);

 private:
  // Of the descriptor, which it shares with whoever else has it: proc_pid_fdinfo(5). False where it has gone.
  bool read_descriptor(uint64_t* offset, bool* append) const;

  int pid_ = -1;
  int file_ = -1;        // O_PATH
  bool at_end_ = false;  // it grows as the process writes
  Written written_;
  WriteWatch watch_;
};

}  // namespace pbox
