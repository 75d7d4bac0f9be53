#include "options.h"

#include <ctype.h>
#include <string.h>

static const char PREFIX[] = "PBOX_";

bool variable_of(const char *option, char variable[VARIABLE_MAX_BYTES])
{
	const size_t prefix = sizeof PREFIX - 1, length = strcspn(option, "=");
	if (length == 0 || prefix + length >= VARIABLE_MAX_BYTES) return false;
	memcpy(variable, PREFIX, prefix);
	for (size_t i = 0; i < length; i++) {
		if (!isalpha((unsigned char)option[i]) && (option[i] != '-' || i == 0)) return false;
		variable[prefix + i] = option[i] == '-' ? '_' : (char)toupper((unsigned char)option[i]);
	}
	variable[prefix + length] = 0;
	return true;
}

bool is_askable(const char *option)
{
	static const char *const names[] = {"argv0", "failure", "help", "refuse", "version"};
	const size_t length = strcspn(option, "=");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i]) == length && strncmp(option, names[i], length) == 0) return false;
	return true;
}

/* A comma belongs to the value unless the name of an option follows it: `cpuset=0-3,5`. */
static bool begins_option(const char *text)
{
	if (!isalpha((unsigned char)*text)) return false;
	while (isalpha((unsigned char)*text) || *text == '-') text++;
	return *text == '=' || *text == ',' || *text == 0;
}

bool next_option(const char **list, char option[OPTION_MAX_BYTES])
{
	const char *text = *list, *end = text;
	if (*text == 0) return false;
	do {
		end = strchr(end, ',');
		if (end) end++;
	} while (end && !begins_option(end));
	const size_t length = end ? (size_t)(end - text) - 1 : strlen(text);
	const bool fits = length < OPTION_MAX_BYTES;
	if (fits) memcpy(option, text, length);
	option[fits ? length : 0] = 0;
	*list = end ? end : text + length;
	return true;
}
