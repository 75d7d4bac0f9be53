/*
 * Control groups in which the box of an ordinary user can make its own, for cgroup v1 only. Under v2 Slurm finds the processes
 * of a task only in its own group, so a box has no group there (docs/slurm.md).
 */
#ifndef PROC_BOX_GROUPS_H
#define PROC_BOX_GROUPS_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The v1 controllers that hold limits of a box. */
enum { GROUPS_MEMORY, GROUPS_PIDS, GROUPS_CPU, GROUPS_CPUSET, GROUPS_BLKIO, GROUPS_COUNT };

/* As root, in slurmstepd: makes a group for the user below each wanted group of the task. `wanted` is indexed by GROUPS_*. */
void groups_make(pid_t task, uid_t uid, gid_t gid, const bool wanted[GROUPS_COUNT]);

/* In the task: lists the groups made for it, separated by commas. False if there are none. */
bool groups_of_self(char *list, size_t size);

/* As root, in slurmstepd: removes the groups of an ended task, or of all tasks if `task` is 0. */
void groups_remove(pid_t task);

#endif
