// Walks a process tree through /proc/PID/task/TID/children. The cost grows with the box, not with the host.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "proc/process.h"

namespace pbox {

// Every live descendant of `root`, parents before their children. The result holds no strangers: a process that reuses the pid
// of an ended child has a different parent.
std::vector<Descendant> descendants(int root);

// Children of this process that have ended and have not been reaped.
std::vector<int> own_zombies();

// Appends the pids in a file such as `children` or `cgroup.procs`: decimal, separated by blanks or newlines.
void read_pids(const char* path, std::vector<int>& out);

// A thread that shows what all threads of a process share: memory, descriptors, control groups, environment. That is the main
// thread, `pid`. If it has ended before the others, the kernel shows `pid` as a zombie with empty files although the process is
// alive, and this returns another thread.
int live_thread(int pid);

// `/proc/PID`, or `/proc/PID/task/TID` for the thread that live_thread() returns.
std::string process_directory(int pid);

// Appends the children of every thread of `pid`.
void read_children(int pid, bool many_threads, std::vector<int>& out);

// Both functions signal through pidfds and return the number of processes signalled.
// Sends the signal once to each process that exists now. `group`: only to this process group; 0: to any.
int signal_once(const Look& look, int signal, int group);
// For SIGKILL and SIGSTOP: signals in passes, until a pass meets no new process. A process forked in the meantime is met in
// the next pass, and a process with such a signal pending cannot fork.
int signal_until_stable(const Look& look, int signal);

// SIGKILL to every descendant of `root`.
int kill_tree(int root);

// Call after SIGSTOP: waits at most a second until every thread of these processes has stopped or ended. A thread that waits
// for a CPU or a disk has the signal pending and has not taken it yet. False if the second was not enough.
bool await_stopped(const std::vector<Descendant>& processes);

}  // namespace pbox
