/*
 * SPANK plugin: boxes the tasks of srun and the batch script, without users changing anything.
 *
 *   plugstack.conf:  optional /usr/local/lib/proc_box/spank_proc_box.so [default=on|off] [failure=open|closed]
 *                             [task=<path of proc_box-task>] [<option of proc_box>=<value> ...]
 *   users:           srun --box ...   sbatch --box=memory=4G,timeout=2h ...   srun --box=off ...
 *
 * In task_init, which runs as the user in the process that becomes the task, argv[0] is replaced by proc_box-task, and
 * the original is passed on in PBOX_TASK: Slurm's own preparation (TaskProlog, limits) still applies. Options of the
 * box travel as PBOX_* variables. Nothing in here ever fails a job: where a box cannot be made and the site says
 * failure=closed, proc_box-task refuses with a message.
 */
#include <ctype.h>
#include <slurm/spank.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

SPANK_PLUGIN(proc_box, 1)

enum { WORD_MAX_BYTES = 4096 };

static const char *task_path = "/usr/local/lib/proc_box/proc_box-task";
static const char *failure = "open";
static bool boxed = false;    /* the site's default, or what the user says */
static char *asked = NULL;    /* the user's --box=... */
static int site_count = 0;
static char **site_options = NULL;

static int on_box(int value, const char *argument, int remote)
{
	(void)value;
	(void)remote;
	boxed = true;
	free(asked);
	asked = NULL;
	if (argument == NULL || strcmp(argument, "(null)") == 0 || strcmp(argument, "on") == 0) return ESPANK_SUCCESS;
	if (strcmp(argument, "off") == 0) boxed = false;
	else asked = strdup(argument);
	return ESPANK_SUCCESS;
}

static struct spank_option box_option = {
	.name = "box",
	.arginfo = "on|off|option=value,...",
	.usage = "run each task, or the batch script, in a box of proc_box, with these options of it",
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
	for (int i = 0; i < count; i++) {
		const char *value;
		if ((value = value_of(arguments[i], "default"))) boxed = strcmp(value, "on") == 0;
		else if ((value = value_of(arguments[i], "failure"))) failure = strdup(value);
		else if ((value = value_of(arguments[i], "task"))) task_path = strdup(value);
		else if (site_options) site_options[site_count++] = strdup(arguments[i]);
	}
	spank_option_register(spank, &box_option);
	return ESPANK_SUCCESS;
}

/* `memory-high` to `PBOX_MEMORY_HIGH`; false where it cannot be the name of an option. */
static bool variable_of(const char *name, size_t length, char *variable)
{
	if (length == 0 || length > 60) return false;
	strcpy(variable, "PBOX_");
	for (size_t i = 0; i < length; i++) {
		if (!isalpha((unsigned char)name[i]) && name[i] != '-') return false;
		variable[5 + i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
	}
	variable[5 + length] = 0;
	return true;
}

/* `memory=4G` or `report`. What the user's environment has wins over what the site says. */
static bool set_option(spank_t spank, const char *word, bool overwrite)
{
	char variable[80];
	const char *equals = strchr(word, '=');
	if (!variable_of(word, equals ? (size_t)(equals - word) : strlen(word), variable)) return false;
	spank_setenv(spank, variable, equals ? equals + 1 : "true", overwrite);
	return true;
}

/* A comma that no name of an option follows belongs to the value: `cpuset=0-3,5`. */
static bool begins_option(const char *text)
{
	if (!isalpha((unsigned char)*text)) return false;
	while (isalpha((unsigned char)*text) || *text == '-') text++;
	return *text == '=' || *text == ',' || *text == 0;
}

static bool set_asked(spank_t spank, const char *text, char *bad)
{
	while (*text) {
		const char *end = text;
		do {
			end = strchr(end, ',');
			if (end) end++;
		} while (end && !begins_option(end));
		const size_t length = end ? (size_t)(end - text) - 1 : strlen(text);
		if (length >= WORD_MAX_BYTES) return false;
		memcpy(bad, text, length);
		bad[length] = 0;
		if (!set_option(spank, bad, true)) return false;
		text += end ? length + 1 : length;
	}
	return true;
}

/* A box in a box would be no use. */
static bool is_proc_box(const char *path)
{
	const char *slash = strrchr(path, '/');
	return strcmp(slash ? slash + 1 : path, "proc_box") == 0;
}

int slurm_spank_task_init(spank_t spank, int count, char **arguments)
{
	(void)count;
	(void)arguments;
	char word[WORD_MAX_BYTES];
	char **argv = NULL;
	int argc = 0;
	if (!boxed || spank_context() != S_CTX_REMOTE) return ESPANK_SUCCESS;
	if (spank_get_item(spank, S_JOB_ARGV, &argc, &argv) != ESPANK_SUCCESS || argc < 1 || !argv || !argv[0]) {
		slurm_error("proc_box: this task has no command line that could be boxed");
		return ESPANK_SUCCESS;
	}
	if (is_proc_box(argv[0])) return ESPANK_SUCCESS;
	if (access(task_path, X_OK) != 0 && strcmp(failure, "closed") != 0) {
		slurm_error("proc_box: %s: %m; this task runs without a box (failure=open)", task_path);
		return ESPANK_SUCCESS;
	}
	spank_setenv(spank, "PBOX_FAILURE", failure, 1);
	for (int i = 0; i < site_count; i++)
		if (!set_option(spank, site_options[i], false)) slurm_error("proc_box: plugstack.conf: %s: not an option", site_options[i]);
	if (asked && !set_asked(spank, asked, word)) {
		char why[WORD_MAX_BYTES + 80];
		snprintf(why, sizeof why, "--box=%.200s: expected on, off or option=value,... as in --box=memory=4G,timeout=2h", asked);
		spank_setenv(spank, "PBOX_REFUSED", why, 1);
	}
	spank_setenv(spank, "PBOX_TASK", argv[0], 1);
	argv[0] = strdup(task_path);
	return ESPANK_SUCCESS;
}
