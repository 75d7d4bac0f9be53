// Walks a process tree through /proc/PID/task/TID/children: its cost grows with the box, not with the host.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "proc/process.h"

namespace pbox {

// Every live descendant of `root`, parents before their children. Each is one for certain: who has the number of a child
// that has ended meanwhile has another parent.
std::vector<Descendant> descendants(int root);

// Children of this process that have ended and are not reaped.
std::vector<int> own_zombies();

// Appends the pids of a file like `children` or `cgroup.procs`: decimal, separated by blanks or newlines.
void read_pids(const char* path, std::vector<int>& out);

// A thread that shows what all threads of a process share: memory, descriptors, groups, environment. That is the main one,
// `pid`, or another where the main one has ended before the others: the kernel then shows `pid` as a zombie with empty
// files, although the process lives.
int live_thread(int pid);

// `/proc/PID`, or `/proc/PID/task/TID` of its live thread.
std::string process_directory(int pid);

// Children of every thread of `pid`, appended to `out`.
void read_children(int pid, bool many_threads, std::vector<int>& out);

// Both signal through pidfds, and return how many were signalled.
// Each of those that are there now gets the signal once. `group`: only those of this process group; 0 is any.
int signal_once(const Look& look, int signal, int group);
// For SIGKILL and SIGSTOP: in passes, until one meets no process that was not met before. A process forked meanwhile is met
// in the next pass; one with such a signal pending cannot fork.
int signal_until_stable(const Look& look, int signal);

// SIGKILL to every descendant of `root`.
int kill_tree(int root);

// After SIGSTOP: waits until every thread of these processes has stopped or ended, at most a second. One that waits for a
// CPU, or for a disk, has the signal and has not taken it yet.
// False where that was not enough.
bool await_stopped(const std::vector<Descendant>& processes);

}  // namespace pbox
