/*
 * Control groups in which the box of an ordinary user can make its own: cgroup v1 only. Under v2 Slurm finds the
 * processes of a task by the list of its own group alone, so that a box has none there (docs/slurm.md).
 */
#ifndef PROC_BOX_GROUPS_H
#define PROC_BOX_GROUPS_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Controllers of v1 that hold limits of a box; `option` is one of those that it holds. */
enum { GROUPS_MEMORY, GROUPS_PIDS, GROUPS_CPU, GROUPS_CPUSET, GROUPS_BLKIO, GROUPS_COUNT };

/* Root, in slurmstepd: one below each group that the task is in, for its user. `wanted` by GROUPS_*. Best effort. */
void groups_make(pid_t task, uid_t uid, gid_t gid, const bool wanted[GROUPS_COUNT]);

/* In the task: those that are there for it, separated by commas. False where there are none. */
bool groups_of_self(char *list, size_t size);

/* Root, in slurmstepd: takes those of an ended task away, or of all tasks where it is 0. */
void groups_remove(pid_t task);

#endif
