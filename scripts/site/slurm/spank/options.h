/* Options of a box, as --box and plugstack.conf name them: `memory=4G`, `report`. */
#ifndef PROC_BOX_OPTIONS_H
#define PROC_BOX_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>

enum { OPTION_MAX_BYTES = 4096, VARIABLE_MAX_BYTES = 80 };

/* `memory-high=4G` to `PBOX_MEMORY_HIGH`; false where it begins with what cannot be the name of an option. */
bool variable_of(const char *option, char variable[VARIABLE_MAX_BYTES]);

/* Whether jobs may say it: not what becomes of one without a box, nor what is executed. */
bool is_askable(const char *option);

/* Takes the first of a list off it; one that is too long is empty then. False where none is left. */
bool next_option(const char **list, char option[OPTION_MAX_BYTES]);

#endif
