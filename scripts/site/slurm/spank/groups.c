#define _GNU_SOURCE
#include "groups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REMOVE_TRIES = 100, REMOVE_PAUSE_USEC = 10000, DEPTH_MAX = 16 };

static const char *const controllers[GROUPS_COUNT] = {"memory", "pids", "cpu", "cpuset", "blkio"};

/* The groups made in this slurmstepd. */
struct made {
	struct made *next;
	pid_t task;
	char path[];
};
static struct made *all_made = NULL;

static bool mount_of(const char *controller, char *point, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	bool found = false;
	for (struct mntent *entry; mounts && !found && (entry = getmntent(mounts));) {
		found = strcmp(entry->mnt_type, "cgroup") == 0 && hasmntopt(entry, controller);
		if (found) snprintf(point, size, "%s", entry->mnt_dir);
	}
	if (mounts) endmntent(mounts);
	return found;
}

/* Whether a line of /proc/PID/cgroup, such as `4:cpu,cpuacct:/path`, is that of the controller. */
static bool line_has(const char *line, const char *controller)
{
	const char *name = strchr(line, ':');
	const size_t length = strlen(controller);
	while (name && *name && (name == strchr(line, ':') || *name == ',')) {
		name++;
		if (strncmp(name, controller, length) == 0 && (name[length] == ',' || name[length] == ':')) return true;
		name += strcspn(name, ",:");
	}
	return false;
}

/* The group of a process in the hierarchy of a controller, and our group below it. */
static bool place_of(pid_t process, pid_t task, const char *controller, char *parent, char *ours, size_t size)
{
	char file[64], line[PATH_MAX + 64], point[PATH_MAX];
	snprintf(file, sizeof file, "/proc/%d/cgroup", (int)process);
	FILE *groups = fopen(file, "re");
	bool found = false;
	while (groups && !found && fgets(line, sizeof line, groups)) found = line_has(line, controller);
	if (groups) fclose(groups);
	if (!found || !mount_of(controller, point, sizeof point)) return false;
	char *path = strchr(strchr(line, ':') + 1, ':') + 1;
	path[strcspn(path, "\n")] = 0;
	const int n = snprintf(parent, size, "%s%s", point, strcmp(path, "/") == 0 ? "" : path);
	const int m = snprintf(ours, size, "%s/proc_box.task.%d", parent, (int)task);
	return n > 0 && m > 0 && (size_t)n < size && (size_t)m < size;
}

/* A cpuset accepts no process until it has both `mems` and `cpus`. */
static bool copy_file(const char *from, const char *to, const char *name)
{
	char path[PATH_MAX + 32], text[4096];
	snprintf(path, sizeof path, "%s/%s", from, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	if (fd >= 0) close(fd);
	if (n <= 0) return false;
	snprintf(path, sizeof path, "%s/%s", to, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	const bool done = fd >= 0 && write(fd, text, (size_t)n) == n;
	if (fd >= 0) close(fd);
	return done;
}

static bool give(const char *dir, const char *name, uid_t uid, gid_t gid)
{
	char path[PATH_MAX + 32];
	snprintf(path, sizeof path, "%s%s", dir, name);
	return chown(path, uid, gid) == 0;
}

static void remove_tree(const char *dir, int depth)
{
	if (rmdir(dir) == 0 || depth > DEPTH_MAX) return;
	DIR *list = opendir(dir);
	for (struct dirent *entry; list && (entry = readdir(list));) {
		char path[PATH_MAX];
		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
		if (snprintf(path, sizeof path, "%s/%s", dir, entry->d_name) < (int)sizeof path) remove_tree(path, depth + 1);
	}
	if (list) closedir(list);
	rmdir(dir);
}

void groups_make(pid_t task, uid_t uid, gid_t gid, const bool wanted[GROUPS_COUNT])
{
	char parent[PATH_MAX], ours[PATH_MAX], freezer[PATH_MAX];
	if (!place_of(task, task, "freezer", parent, freezer, sizeof freezer)) return; /* no cgroup v1 here */
	for (int i = 0; i < GROUPS_COUNT; i++) {
		if (!wanted[i] || !place_of(task, task, controllers[i], parent, ours, sizeof ours)) continue;
		remove_tree(ours, 0); /* left by an earlier process with this pid */
		struct made *made = malloc(sizeof *made + strlen(ours) + 1);
		if (!made || mkdir(ours, 0755) != 0) {
			free(made);
			continue;
		}
		made->task = task;
		strcpy(made->path, ours);
		made->next = all_made;
		all_made = made;
		if (i == GROUPS_CPUSET && !(copy_file(parent, ours, "cpuset.mems") && copy_file(parent, ours, "cpuset.cpus"))) continue;
		if (give(ours, "/cgroup.procs", uid, gid) && give(ours, "/tasks", uid, gid)) give(ours, "", uid, gid);
	}
}

bool groups_of_self(char *list, size_t size)
{
	char parent[PATH_MAX], ours[PATH_MAX];
	size_t used = 0;
	for (int i = 0; i < GROUPS_COUNT; i++) {
		if (!place_of(getpid(), getpid(), controllers[i], parent, ours, sizeof ours) || access(ours, W_OK) != 0) continue;
		const int n = snprintf(list + used, size - used, "%s%s", used > 0 ? "," : "", ours);
		if (n < 0 || (size_t)n >= size - used) return false;
		used += (size_t)n;
	}
	return used > 0;
}

/* Tries several times, because killed processes take a moment to end. */
void groups_remove(pid_t task)
{
	int tries = 0;
	for (struct made **at = &all_made; *at;) {
		struct made *made = *at;
		if (task != 0 && made->task != task) {
			at = &made->next;
			continue;
		}
		remove_tree(made->path, 0);
		if (access(made->path, F_OK) == 0 && tries++ < REMOVE_TRIES) {
			usleep(REMOVE_PAUSE_USEC);
			continue;
		}
		if (access(made->path, F_OK) == 0) { /* slurm_spank_exit tries again */
			at = &made->next;
			continue;
		}
		*at = made->next;
		free(made);
	}
}
