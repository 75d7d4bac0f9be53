/* Options of a box as they are written in --box and plugstack.conf: `memory=4G`, `report`. */
#ifndef PROC_BOX_OPTIONS_H
#define PROC_BOX_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>

enum { OPTION_MAX_BYTES = 4096, VARIABLE_MAX_BYTES = 80 };

/* Converts `memory-high=4G` to `PBOX_MEMORY_HIGH`. False if it does not begin with a possible option name. */
bool variable_of(const char *option, char variable[VARIABLE_MAX_BYTES]);

/* Whether jobs may set the option. They do not decide how a job fails without a box, nor which program is executed. */
bool is_askable(const char *option);

/* Takes the first option from a list. An option that is too long becomes empty. False if the list is empty. */
bool next_option(const char **list, char option[OPTION_MAX_BYTES]);

#endif
