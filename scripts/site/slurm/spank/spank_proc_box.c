/*
 * SPANK plugin: boxes the tasks of srun and the batch script, without changes by users.
 *
 *   plugstack.conf:  optional /usr/local/lib/proc_box/spank_proc_box.so [default=on|off] [failure=open|closed]
 *                             [task=<path of proc_box-task>] [fix=<option of proc_box>=<value> ...]
 *                             [<option of proc_box>=<value> ...]
 *   users:           srun --box ...   sbatch --box=memory=4G,timeout=2h ...   srun --box=off ...
 *
 * task_init runs as the user in the process that becomes the task. It replaces argv[0] by proc_box-task and passes the
 * original in PBOX_TASK, so that Slurm's own preparation (TaskProlog, limits) still applies. With --multi-prog, argv is the
 * file and its text; srun inserts proc_box-task before each program in the text, before it sends it.
 *
 * The site's options travel as PBOX_* variables. Those of --box are in PBOX_OPTION_1 and so on, followed by the options that
 * the site has fixed; proc_box-task puts them all on the command line. Before that slurmstepd, as root, makes groups for
 * limits that only the kernel can hold (groups.h), and removes them when the task has ended.
 *
 * srun and sbatch refuse a --box that is not a list of options. Otherwise the plugin fails a job only if its box cannot be
 * made and the site has set failure=closed.
 */
#include "groups.h"
#include "options.h"

#include <slurm/spank.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

SPANK_PLUGIN(proc_box, 1)

enum { LIST_MAX_BYTES = 20000, EXIT_REFUSED = 125 };

static const char *task_path = "/usr/local/lib/proc_box/proc_box-task";
static const char *failure = "open";
static bool boxed = false;    /* the site's default, or the user's choice */
static bool chosen = false;   /* the user has given --box */
static char *asked = NULL;    /* the user's --box=... */
static int site_count = 0;
static char **site_options = NULL;
static int fixed_count = 0;
static char **fixed_options = NULL;
static char **programs_at = NULL;  /* where srun keeps the text of --multi-prog */
static char *programs_were = NULL; /* the original text */

/* Whether every option of a --box can be passed on. Otherwise reports the reason. */
static bool is_list(const char *argument)
{
	char option[OPTION_MAX_BYTES], variable[VARIABLE_MAX_BYTES];
	for (const char *list = argument; next_option(&list, option);) {
		if (!variable_of(option, variable)) {
			slurm_error("proc_box: --box=%s: expected on, off or option=value,... as in --box=memory=4G,timeout=2h", argument);
			return false;
		}
		if (!is_askable(option)) {
			slurm_error("proc_box: --box=%s: jobs may not set %s; leave it out", argument, option);
			return false;
		}
	}
	return true;
}

/* On the nodes the list is not checked again, because srun and sbatch have refused a bad one. */
static int on_box(int value, const char *argument, int remote)
{
	(void)value;
	boxed = chosen = true;
	free(asked);
	asked = NULL;
	if (argument == NULL || strcmp(argument, "(null)") == 0 || strcmp(argument, "on") == 0) return ESPANK_SUCCESS;
	if (strcmp(argument, "off") == 0) {
		boxed = false;
		return ESPANK_SUCCESS;
	}
	if (!remote && !is_list(argument)) return ESPANK_BAD_ARG;
	asked = strdup(argument);
	return ESPANK_SUCCESS;
}

static struct spank_option box_option = {
	.name = "box",
	.arginfo = "on|off|option=value,...",
	.usage = "run each task, or the batch script, in a box of proc_box with these options",
	.has_arg = 2,
	.val = 0,
	.cb = on_box,
};

static const char *value_of(const char *word, const char *name)
{
	const size_t length = strlen(name);
	return strncmp(word, name, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

int slurm_spank_init(spank_t spank, int count, char **arguments)
{
	const spank_context_t context = spank_context();
	if (context != S_CTX_LOCAL && context != S_CTX_REMOTE && context != S_CTX_ALLOCATOR) return ESPANK_SUCCESS;
	site_options = calloc(count > 0 ? count : 1, sizeof *site_options);
	fixed_options = calloc(count > 0 ? count : 1, sizeof *fixed_options);
	for (int i = 0; i < count; i++) {
		const char *value;
		if ((value = value_of(arguments[i], "default"))) boxed = strcmp(value, "on") == 0;
		else if ((value = value_of(arguments[i], "failure"))) failure = strdup(value);
		else if ((value = value_of(arguments[i], "task"))) task_path = strdup(value);
		else if ((value = value_of(arguments[i], "fix"))) {
			if (fixed_options) fixed_options[fixed_count++] = strdup(value);
		} else if (site_options) site_options[site_count++] = strdup(arguments[i]);
	}
	spank_option_register(spank, &box_option);
	return ESPANK_SUCCESS;
}

/* Sets an option of the site. The user's environment wins. */
static bool set_variable(spank_t spank, const char *option)
{
	char variable[VARIABLE_MAX_BYTES];
	const char *equals = strchr(option, '=');
	if (!variable_of(option, variable)) return false;
	spank_setenv(spank, variable, equals ? equals + 1 : "true", 0);
	return true;
}

/* Passes an option as a word of the command line. An option without a value must be a boolean. */
static void set_word(spank_t spank, const char *option, int number)
{
	char word[OPTION_MAX_BYTES + 16], variable[VARIABLE_MAX_BYTES];
	snprintf(variable, sizeof variable, "PBOX_OPTION_%d", number);
	snprintf(word, sizeof word, "--%s%s", option, strchr(option, '=') ? "" : "=true");
	spank_setenv(spank, variable, word, 1);
}

/* Passes the user's options, followed by those that the site has locked. Overwrites these variables in the user's environment. */
static void set_words(spank_t spank, const char *list)
{
	char option[OPTION_MAX_BYTES], count[16];
	int number = 0;
	while (list && next_option(&list, option))
		if (*option && is_askable(option)) set_word(spank, option, ++number);
	for (int i = 0; i < fixed_count; i++)
		if (fixed_options[i]) set_word(spank, fixed_options[i], ++number);
	snprintf(count, sizeof count, "%d", number);
	spank_setenv(spank, "PBOX_OPTIONS", count, 1);
}

/* Whether the user, the job's environment or the site sets an option. */
static bool is_asked(spank_t spank, const char *option)
{
	char variable[VARIABLE_MAX_BYTES], value[2];
	const size_t length = strlen(option);
	for (int i = 0; i < site_count; i++)
		if (value_of(site_options[i], option)) return true;
	for (int i = 0; i < fixed_count; i++)
		if (fixed_options[i] && value_of(fixed_options[i], option)) return true;
	for (const char *at = asked; at; at = strchr(at, ',')) {
		if (*at == ',') at++;
		if (strncmp(at, option, length) == 0 && at[length] == '=') return true;
	}
	if (!variable_of(option, variable)) return false;
	const spank_err_t found = spank_getenv(spank, variable, value, sizeof value);
	return found == ESPANK_SUCCESS || found == ESPANK_NOSPACE;
}

int slurm_spank_task_post_fork(spank_t spank, int count, char **arguments)
{
	static const struct {
		const char *option;
		int group;
	} held[] = {{"memory", GROUPS_MEMORY}, {"swap", GROUPS_MEMORY},   {"pids", GROUPS_PIDS},     {"cpus", GROUPS_CPU},
	            {"cpu-weight", GROUPS_CPU}, {"cpuset", GROUPS_CPUSET}, {"io-max", GROUPS_BLKIO}};
	bool wanted[GROUPS_COUNT] = {false}, any = false;
	pid_t task = 0;
	uid_t uid = 0;
	gid_t gid = 0;
	(void)count;
	(void)arguments;
	if (!boxed || spank_context() != S_CTX_REMOTE) return ESPANK_SUCCESS;
	if (spank_get_item(spank, S_TASK_PID, &task) != ESPANK_SUCCESS || spank_get_item(spank, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
	    spank_get_item(spank, S_JOB_GID, &gid) != ESPANK_SUCCESS || uid == 0 || task <= 1)
		return ESPANK_SUCCESS; /* root's boxes make their groups themselves */
	for (size_t i = 0; i < sizeof held / sizeof *held; i++)
		if (is_asked(spank, held[i].option)) wanted[held[i].group] = any = true;
	if (any) groups_make(task, uid, gid, wanted);
	return ESPANK_SUCCESS;
}

int slurm_spank_task_exit(spank_t spank, int count, char **arguments)
{
	pid_t task = 0;
	(void)count;
	(void)arguments;
	if (spank_context() == S_CTX_REMOTE && spank_get_item(spank, S_TASK_PID, &task) == ESPANK_SUCCESS && task > 1)
		groups_remove(task);
	return ESPANK_SUCCESS;
}

int slurm_spank_exit(spank_t spank, int count, char **arguments)
{
	(void)spank;
	(void)count;
	(void)arguments;
	if (spank_context() == S_CTX_REMOTE) groups_remove(0);
	if (programs_at) *programs_at = programs_were; /* srun's to free */
	programs_at = NULL;
	return ESPANK_SUCCESS;
}

/* A task that runs proc_box makes its own box. */
static bool is_proc_box(const char *path)
{
	const char *slash = strrchr(path, '/');
	return strcmp(slash ? slash + 1 : path, "proc_box") == 0;
}

/* With srun --multi-prog, argv is the path of its file, which is not executable, and the file's text. */
static bool is_multi_prog(int argc, char **argv)
{
	return argc == 2 && strchr(argv[1], '\n') && access(argv[0], F_OK) == 0 && access(argv[0], X_OK) != 0;
}

/* Inserts proc_box-task before each program of lines such as `0-3 program words...`. A backslash at the end continues a line. */
static char *boxed_programs(const char *text)
{
	const size_t inserted = strlen(task_path) + 1;
	size_t lines = 1;
	for (const char *at = text; *at; at++) lines += *at == '\n';
	char *result = malloc(strlen(text) + lines * inserted + 1), *to = result;
	bool continued = false;
	while (result && *text) {
		const size_t length = strcspn(text, "\n");
		const size_t indent = strspn(text, " \t");
		const size_t ranks = indent + strcspn(text + indent, " \t\n");
		const size_t blanks = strspn(text + ranks, " \t");
		const bool program = !continued && text[indent] != '#' && ranks > indent && ranks + blanks < length;
		if (program) {
			memcpy(to, text, ranks + blanks);
			to += ranks + blanks;
			to += sprintf(to, "%s ", task_path);
			memcpy(to, text + ranks + blanks, length - ranks - blanks);
			to += length - ranks - blanks;
		} else {
			memcpy(to, text, length);
			to += length;
		}
		continued = length > 0 && text[length - 1] == '\\';
		text += length;
		if (*text) *to++ = *text++;
	}
	if (result) *to = 0;
	return result;
}

/* Runs in srun, before it sends the text: the nodes extract each rank's program before they call this plugin. */
int slurm_spank_local_user_init(spank_t spank, int count, char **arguments)
{
	char **argv = NULL;
	int argc = 0;
	(void)count;
	(void)arguments;
	if (!boxed || spank_get_item(spank, S_JOB_ARGV, &argc, &argv) != ESPANK_SUCCESS || !argv || !is_multi_prog(argc, argv))
		return ESPANK_SUCCESS;
	if (access(task_path, X_OK) != 0) {
		slurm_error("proc_box: %s: %m; these tasks run without a box: --multi-prog needs it where srun runs", task_path);
		return ESPANK_SUCCESS;
	}
	char *programs = boxed_programs(argv[1]);
	if (!programs) return ESPANK_SUCCESS;
	programs_at = &argv[1];
	programs_were = argv[1];
	argv[1] = programs;
	return ESPANK_SUCCESS;
}

int slurm_spank_task_init(spank_t spank, int count, char **arguments)
{
	(void)count;
	(void)arguments;
	char groups[LIST_MAX_BYTES];
	char **argv = NULL;
	int argc = 0;
	if (!boxed || spank_context() != S_CTX_REMOTE) return ESPANK_SUCCESS;
	if (spank_get_item(spank, S_JOB_ARGV, &argc, &argv) != ESPANK_SUCCESS || argc < 1 || !argv || !argv[0]) {
		slurm_error("proc_box: this task has no command line to be boxed");
		return ESPANK_SUCCESS;
	}
	if (is_proc_box(argv[0])) return ESPANK_SUCCESS;
	if (access(task_path, X_OK) != 0) {
		const bool closed = strcmp(failure, "closed") == 0;
		const char *what = closed ? "is not started" : "runs without a box";
		slurm_error("proc_box: %s: %m; this task %s (failure=%s)", task_path, what, failure);
		if (closed) _exit(EXIT_REFUSED); /* we are the process that would become the task */
		return ESPANK_SUCCESS;
	}
	spank_setenv(spank, "PBOX_FAILURE", failure, 1);
	for (int i = 0; i < site_count; i++)
		if (!set_variable(spank, site_options[i])) slurm_error("proc_box: plugstack.conf: %s: not an option", site_options[i]);
	/* The site boxes this task, not its user, so nothing of ours stands in its output but why the box ended it. */
	if (!chosen) spank_setenv(spank, "PBOX_QUIET", "true", 0);
	set_words(spank, asked);
	if (groups_of_self(groups, sizeof groups)) spank_setenv(spank, "PBOX_CGROUP", groups, 0);
	spank_setenv(spank, "PBOX_TASK", "", 1);
	if (is_multi_prog(argc, argv)) return ESPANK_SUCCESS; /* local_user_init has changed the text */
	spank_setenv(spank, "PBOX_TASK", argv[0], 1);
	argv[0] = strdup(task_path);
	return ESPANK_SUCCESS;
}
