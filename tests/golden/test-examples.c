/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole command lines: each directory with a config.plist gives macos.args and linux.args, one argument in a line.
 * UTM_TEST_REGENERATE=1 rewrites them; a person then reads the difference.
 */
#include "support.h"

#include <string.h>

static void compare(const char *directory, const char *os_name, uint32_t os)
{
	g_autofree char *config_name = g_strdup_printf("%s/config.plist", directory);
	g_autofree char *facts_name = g_strdup_printf("%s/facts-%s.json", directory, os_name);
	g_autofree char *args_name = g_strdup_printf("%s/%s.args", directory, os_name);
	g_autofree char *facts_path = golden_path(facts_name);
	g_autofree char *args_path = golden_path(args_name);
	g_autofree char *facts = NULL;
	g_autofree char *expected = NULL;
	g_autoptr(UtmConfig) config = golden_config(config_name, NULL);
	g_autoptr(UtmArgv) argv = NULL;
	UtmError *error = NULL;

	g_assert_true(g_file_get_contents(facts_path, &facts, NULL, NULL));
	g_autoptr(UtmHost) host = golden_host(os, facts);
	check(utm_argv_build(config, "<VM>", host, &argv, &error), error);
	g_autofree char *text = argv_text(argv);
	if (g_getenv("UTM_TEST_REGENERATE"))
		g_assert_true(g_file_set_contents(args_path, text, -1, NULL));
	g_assert_true(g_file_get_contents(args_path, &expected, NULL, NULL));
	g_assert_cmpstr(text, ==, expected);
}

static void test_macos(gconstpointer directory)
{
	compare(directory, "macos", UTM_HOST_OS_MACOS);
}

static void test_linux(gconstpointer directory)
{
	compare(directory, "linux", UTM_HOST_OS_LINUX);
}

static void add_directory(const char *name)
{
	g_autofree char *config_name = g_strdup_printf("%s/config.plist", name);
	g_autofree char *config_path = golden_path(config_name);
	g_autofree char *macos = g_strdup_printf("/examples/%s/macos", name);
	g_autofree char *linux_name = g_strdup_printf("/examples/%s/linux", name);

	if (!g_file_test(config_path, G_FILE_TEST_EXISTS))
		return;
	g_test_add_data_func_full(macos, g_strdup(name), test_macos, g_free);
	g_test_add_data_func_full(linux_name, g_strdup(name), test_linux, g_free);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *path = golden_path(".");
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	g_assert_nonnull(dir);
	while ((name = g_dir_read_name(dir)))
		add_directory(name);
	g_dir_close(dir);
	return g_test_run();
}
