// What /proc and a pidfd tell of a process that is not our child: its stdout, and how it ended.
#pragma once
#include <cstdint>
#include <string>

#include "proc/write_watch.h"
#include "proc/written.h"

namespace pbox {

// A file of /proc, as far as its first 512 bytes.
std::string read_small(const std::string& path);

// stdout of a process, where it is a file: what has been written to it since `open`. Nothing is counted of anything else.
class StrangersOutput {
 public:
  StrangersOutput() = default;
  StrangersOutput(const StrangersOutput&) = delete;
  StrangersOutput& operator=(const StrangersOutput&) = delete;
  ~StrangersOutput();

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

// The wait status of a process that somebody else has reaped: ioctl_pidfd(2), since Linux 6.15. False where it is not told.
bool status_of_pidfd(int pidfd, int* status);

// The kernel shows field 52 of proc_pid_stat(5) as 0 to those who may not trace the process.
bool may_read_status(int pid);

}  // namespace pbox
