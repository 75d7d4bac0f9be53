// How a process that is not our child has ended, as far as the kernel reports it.
#pragma once

namespace pbox {

// The wait status of a process that its own parent has reaped: ioctl_pidfd(2), since Linux 6.15. False if it is unknown.
bool status_of_pidfd(int pidfd, int* status);

// The kernel shows field 52 of proc_pid_stat(5) as 0 to a reader that may not trace the process.
bool may_read_status(int pid);

}  // namespace pbox
