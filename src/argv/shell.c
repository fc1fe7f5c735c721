/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A command line as a script for the POSIX shell.
 *
 * Everything stands between single quotes, where a shell leaves every byte alone but the quote itself: no list of dangerous
 * characters can be incomplete, and bytes that are no text pass. One option with its value in a line.
 */
#include "argv/groups.h"

#include <string.h>

/* Sockets are named without a directory. In one that is new and private nobody else reaches the monitor. */
static const char prologue[] = "#!/bin/sh\n"
							   "# QEMU listens for its monitor and screen at sockets in a directory that is made for it, or in\n"
							   "# UTM_RUN_DIR. The guest waits until the monitor is told \"cont\".\n"
							   "set -eu\n"
							   "umask 077\n"
							   "if [ -z \"${UTM_RUN_DIR-}\" ]; then\n"
							   "\tUTM_RUN_DIR=$(mktemp -d \"${TMPDIR:-/tmp}/utm-XXXXXX\")\n"
							   "fi\n"
							   "cd -- \"$UTM_RUN_DIR\"\n"
							   "printf 'sockets: %s\\n' \"$PWD\" >&2\n"
							   "exec ";

static void append_quoted(GString *script, const char *text)
{
	g_string_append_c(script, '\'');
	for (const char *quote; (quote = strchr(text, '\'')); text = quote + 1) {
		g_string_append_len(script, text, quote - text);
		g_string_append(script, "'\\''");
	}
	g_string_append(script, text);
	g_string_append_c(script, '\'');
}

int utm_argv_to_shell(const UtmArgv *argv, char **ret_script, UtmError **error)
{
	const char *const *strings = utm_argv_get_strings(argv);
	GString *script;

	if (!argv || !ret_script)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "a command line and a result are needed");
	script = g_string_new(prologue);
	append_quoted(script, utm_argv_get_program(argv));
	for (size_t i = 0; i < utm_argv_get_count(argv); i++) {
		g_string_append(script, utm__argv_is_value(argv, i) ? " " : " \\\n\t");
		append_quoted(script, strings[i]);
	}
	g_string_append_c(script, '\n');
	*ret_script = g_string_free(script, FALSE);
	return 0;
}
