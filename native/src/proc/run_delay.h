// How long a thread has waited for a CPU, or had one: /proc/self/task/TID/schedstat (Documentation/scheduler/sched-stats.rst).
//
// A thread that only sleeps wakes up late for one of two reasons. Either it had to wait for a CPU, which the kernel counts here, or
// it could not run at all, because its process was stopped (SIGSTOP) or frozen (a control group's freezer).
#pragma once

namespace pbox {

// A descriptor for the counts of the calling thread; -1: there is none.
int open_run_delay();
// How long it has waited for a CPU, ms; -1 where the kernel does not count.
double read_run_delay(int fd);
// How long the calling thread has waited for a CPU or had one, ms; -1 where the kernel does not count.
double busy_time_ms();

}  // namespace pbox
