/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole command lines of many machines: together they reach every branch of the builder (tests/coverage.py).
 *
 * configurations/NAME.conf is a small machine with edits, as golden_config() takes them, and host facts; NAME.args is what comes
 * of it on Linux, on macOS, and on macOS with UTM's faults: arguments, warnings, or the refusal. UTM_TEST_REGENERATE=1 rewrites
 * the latter; a person then reads the difference.
 */
#include "support.h"

#include <string.h>

enum {
	LEAST = 60
};

typedef struct Input {
	char *base;
	char *facts; /* for Linux */
	char *macos_facts;
	GString *edits;
} Input;

static void input_clear(Input *input)
{
	g_free(input->base);
	g_free(input->facts);
	g_free(input->macos_facts);
	g_string_free(input->edits, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Input, input_clear)

static bool take_word(const char *line, const char *word, char **ret_rest)
{
	if (!g_str_has_prefix(line, word))
		return false;
	g_free(*ret_rest);
	*ret_rest = g_strdup(line + strlen(word));
	return true;
}

static void read_input(const char *name, Input *input)
{
	g_autofree char *file = g_strdup_printf("configurations/%s.conf", name);
	g_autofree char *path = golden_path(file);
	g_autofree char *text = NULL;

	*input = (Input){ g_strdup("base.plist"), g_strdup("{ }"), g_strdup("{ }"), g_string_new(NULL) };
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		if (**line != '#' && !take_word(*line, "base: ", &input->base) && !take_word(*line, "linux: ", &input->facts) &&
		    !take_word(*line, "macos: ", &input->macos_facts))
			g_string_append_printf(input->edits, "%s\n", *line);
	}
}

static void append_argv(GString *out, const UtmArgv *argv)
{
	const char *const *strings = utm_argv_get_strings(argv);

	g_string_append(out, utm_argv_get_program(argv));
	for (size_t i = 0; i < utm_argv_get_count(argv); i++) {
		bool value = i && strings[i][0] != '-' && strings[i - 1][0] == '-';

		g_string_append_printf(out, "%s%s", value ? " " : "\n", strings[i]);
		if (!utm_argv_get_reason(argv, i))
			g_error("no reason for %s", strings[i]);
	}
	g_string_append_c(out, '\n');
	for (size_t i = 0; i < utm_argv_get_warning_count(argv); i++)
		g_string_append_printf(out, "warning: %s\n", utm_argv_get_warning(argv, i));
}

static void append_host(GString *out, const Input *input, const char *title, uint32_t os, const char *facts)
{
	g_autoptr(UtmConfig) config = golden_config(input->base, input->edits->str);
	g_autoptr(UtmHost) host = golden_host(os, facts);
	g_autoptr(UtmArgv) argv = NULL;
	g_autoptr(UtmError) error = NULL;

	g_string_append_printf(out, "%s== %s\n", out->len ? "\n" : "", title);
	if (utm_argv_build(config, "<VM>", host, &argv, &error) == 0)
		append_argv(out, argv);
	else
		g_string_append_printf(out, "refused: %s: %s (%s)\n", utm_error_get_key_path(error), utm_error_get_message(error),
		                       utm_error_code_get_name(utm_error_get_code(error)));
}

static void test_configuration(gconstpointer name)
{
	g_autofree char *file = g_strdup_printf("configurations/%s.args", (const char *)name);
	g_autofree char *path = golden_path(file);
	g_autofree char *expected = NULL;
	GString *out = g_string_new(NULL);
	g_auto(Input) input;

	read_input(name, &input);
	g_autofree char *exact = g_strdup_printf("{ 'UtmExact': true%s%s", strchr(input.macos_facts, ':') ? "," : "",
	                                         strchr(input.macos_facts, '{') + 1);
	append_host(out, &input, "linux", UTM_HOST_OS_LINUX, input.facts);
	append_host(out, &input, "macos", UTM_HOST_OS_MACOS, input.macos_facts);
	append_host(out, &input, "utm-exact", UTM_HOST_OS_MACOS, exact);
	if (g_getenv("UTM_TEST_REGENERATE"))
		g_assert_true(g_file_set_contents(path, out->str, -1, NULL));
	g_assert_true(g_file_get_contents(path, &expected, NULL, NULL));
	g_assert_cmpstr(out->str, ==, expected);
	g_string_free(out, TRUE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *path = golden_path("configurations");
	GDir *dir = g_dir_open(path, 0, NULL);
	guint count = 0;
	const char *file;

	g_assert_nonnull(dir);
	while ((file = g_dir_read_name(dir))) {
		g_autofree char *name = g_strdup(file);
		g_autofree char *test = NULL;

		if (!g_str_has_suffix(name, ".conf"))
			continue;
		name[strlen(name) - strlen(".conf")] = '\0';
		test = g_strdup_printf("/configurations/%s", name);
		g_test_add_data_func_full(test, g_strdup(name), test_configuration, g_free);
		count++;
	}
	g_dir_close(dir);
	g_assert_cmpuint(count, >=, LEAST);
	return g_test_run();
}
