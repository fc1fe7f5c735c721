/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <string.h>

void check(int code, UtmError *error)
{
	if (code == 0)
		return;
	char *text = error ? utm_error_dup_text(error) : NULL;
	g_error("failed with %d: %s", code, text ? text : "");
}

char *golden_path(const char *name)
{
	return g_test_build_filename(G_TEST_DIST, "golden", name, NULL);
}

static char *replace_text(char *text_taken, const char *edit)
{
	g_auto(GStrv) parts = g_strsplit(edit + 1, "~", 2);
	g_auto(GStrv) pieces = g_strsplit(text_taken, parts[0], 2);

	g_assert_cmpuint(g_strv_length(pieces), ==, 2);
	g_free(text_taken);
	return g_strjoinv(parts[1], pieces);
}

static void apply(UtmConfig *config, const char *edit)
{
	g_auto(GStrv) parts = g_strsplit(edit + (*edit == '+'), "=", 2);
	UtmError *error = NULL;

	g_assert_nonnull(parts[1]);
	if (*edit == '+')
		check(utm_config_insert(config, parts[0], -1, parts[1], &error), error);
	else
		check(utm_config_set_text(config, parts[0], parts[1], &error), error);
}

UtmConfig *golden_config(const char *name, const char *edits)
{
	g_auto(GStrv) lines = g_strsplit(edits ? edits : "", "\n", -1);
	g_autofree char *path = golden_path(name);
	char *text = NULL;
	UtmConfig *config = NULL;
	UtmError *error = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	for (char **line = lines; *line; line++) {
		if (**line == '~')
			text = replace_text(text, *line);
	}
	check(utm_config_new_from_data(text, strlen(text), &config, &error), error);
	g_free(text);
	for (char **line = lines; *line; line++) {
		if (**line && **line != '~')
			apply(config, *line);
	}
	return config;
}

UtmHost *golden_host(uint32_t os, const char *json)
{
	UtmHost *host = NULL;
	UtmError *error = NULL;

	check(utm_host_new_from_json(os, json, &host, &error), error);
	return host;
}

bool argv_has(const UtmArgv *argv, const char *line)
{
	const char *const *strings = utm_argv_get_strings(argv);

	for (; *strings; strings++) {
		g_autofree char *pair = g_strdup_printf("%s %s", strings[0], strings[1] ? strings[1] : "");

		if (!strcmp(strings[0], line) || !strcmp(pair, line))
			return true;
	}
	return false;
}

bool argv_mentions(const UtmArgv *argv, const char *text)
{
	const char *const *strings = utm_argv_get_strings(argv);

	for (; *strings; strings++) {
		if (strstr(*strings, text))
			return true;
	}
	return false;
}

char *argv_text(const UtmArgv *argv)
{
	g_autofree char *joined = g_strjoinv("\n", (char **)utm_argv_get_strings(argv));

	return g_strconcat(joined, "\n", NULL);
}
