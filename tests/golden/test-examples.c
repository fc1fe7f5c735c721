/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole command lines: each directory with a config.plist gives linux.args, utm-exact.args, which is what UTM writes, and
 * macos.args, which is that with UTM's faults mended; one argument in a line. UTM_TEST_REGENERATE=1 rewrites them; a person then
 * reads the difference. Each argument has a reason.
 */
#include "support.h"

#include <string.h>

static void check_reasons(const UtmArgv *argv)
{
	for (size_t i = 0; i < utm_argv_get_count(argv); i++) {
		if (!utm_argv_get_reason(argv, i))
			g_error("no reason for %s", utm_argv_get_strings(argv)[i]);
	}
	g_assert_null(utm_argv_get_reason(argv, utm_argv_get_count(argv)));
}

static char *make_exact(const char *facts)
{
	return g_strconcat("{ \"UtmExact\": true,", strchr(facts, '{') + 1, NULL);
}

static void compare(const char *directory, const char *name, const char *os_name, uint32_t os)
{
	g_autofree char *config_name = g_strdup_printf("%s/config.plist", directory);
	g_autofree char *facts_name = g_strdup_printf("%s/facts-%s.json", directory, os_name);
	g_autofree char *args_name = g_strdup_printf("%s/%s.args", directory, name);
	g_autofree char *facts_path = golden_path(facts_name);
	g_autofree char *args_path = golden_path(args_name);
	g_autofree char *facts = NULL;
	g_autofree char *expected = NULL;
	g_autoptr(UtmConfig) config = golden_config(config_name, NULL);
	g_autoptr(UtmArgv) argv = NULL;
	UtmError *error = NULL;

	g_assert_true(g_file_get_contents(facts_path, &facts, NULL, NULL));
	g_autofree char *exact = make_exact(facts);
	g_autoptr(UtmHost) host = golden_host(os, g_str_equal(name, "utm-exact") ? exact : facts);
	check(utm_argv_build(config, "<VM>", host, &argv, &error), error);
	check_reasons(argv);
	g_autofree char *text = argv_text(argv);
	if (g_getenv("UTM_TEST_REGENERATE"))
		g_assert_true(g_file_set_contents(args_path, text, -1, NULL));
	g_assert_true(g_file_get_contents(args_path, &expected, NULL, NULL));
	g_assert_cmpstr(text, ==, expected);
}

static void test_macos(gconstpointer directory)
{
	compare(directory, "macos", "macos", UTM_HOST_OS_MACOS);
}

static void test_exact(gconstpointer directory)
{
	compare(directory, "utm-exact", "macos", UTM_HOST_OS_MACOS);
}

static void test_linux(gconstpointer directory)
{
	compare(directory, "linux", "linux", UTM_HOST_OS_LINUX);
}

static void add_directory(const char *name)
{
	g_autofree char *config_name = g_strdup_printf("%s/config.plist", name);
	g_autofree char *config_path = golden_path(config_name);
	g_autofree char *macos = g_strdup_printf("/examples/%s/macos", name);
	g_autofree char *exact = g_strdup_printf("/examples/%s/utm-exact", name);
	g_autofree char *linux_name = g_strdup_printf("/examples/%s/linux", name);

	if (!g_file_test(config_path, G_FILE_TEST_EXISTS))
		return;
	g_test_add_data_func_full(macos, g_strdup(name), test_macos, g_free);
	g_test_add_data_func_full(exact, g_strdup(name), test_exact, g_free);
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
