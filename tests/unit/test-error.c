/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors as values: what they tell, and that each remedy fits. */
#include "base/error-private.h"

#include <errno.h>
#include <string.h>

static void test_text(void)
{
	UtmError *error = utm__error_new(UTM_ERROR_BUNDLE_PATH_ESCAPE, "\"%s\" leads\nout", "x");
	utm__error_set_file(error, "/a.utm");
	utm__error_set_key_path(error, "Drive[0].ImageName");
	g_autofree char *text = utm_error_dup_text(error);
	g_assert_cmpstr(text, ==,
	                "/a.utm: Drive[0].ImageName: \"x\" leads out (bundle-path-escape)\n"
	                "\tPut the file into the bundle's Data directory and name it without a directory.");
	utm_error_unref(error);
}

/* "" is what a caller passed, not a place that somebody could look at. */
static void test_empty_file(void)
{
	UtmError *error = NULL;
	g_assert_cmpint(utm__fail_errno(&error, ENOENT, "", "cannot open"), ==, UTM_ERROR_NOT_FOUND);
	g_assert_null(utm_error_get_file(error));
	g_assert_true(utm__error_at_file(error, "") == error);
	g_assert_null(utm_error_get_file(error));
	g_autofree char *text = utm_error_dup_text(error);
	g_assert_true(g_str_has_prefix(text, "cannot open: "));
	utm__error_at_file(error, "/a");
	utm__error_at_file(error, "/b");
	g_assert_cmpstr(utm_error_get_file(error), ==, "/a");
	utm_error_unref(error);
	g_assert_null(utm__error_at_file(NULL, "/a"));
}

static void assert_remedy(int errno_value, const char *part)
{
	g_autoptr(UtmError) error = NULL;
	int code = utm__fail_errno(&error, errno_value, "/a", "cannot do it");
	g_assert_cmpint(code, ==, utm_error_get_code(error));
	g_assert_cmpint(utm_error_get_errno(error), ==, errno_value);
	if (!strstr(utm_error_get_remedy(error), part))
		g_error("errno %d: remedy \"%s\" has no \"%s\"", errno_value, utm_error_get_remedy(error), part);
}

static void test_remedies_of_errnos(void)
{
	assert_remedy(ECONNREFUSED, "Nobody listens");
	assert_remedy(EACCES, "owner and mode");
	assert_remedy(ENOSPC, "room");
	assert_remedy(EMFILE, "limit");
	assert_remedy(ENOENT, "name");
	assert_remedy(EIO, "operating system");
}

/* Each code has a name, a meaning and a remedy, and nothing else has. */
static void test_registry(void)
{
	unsigned known = 0;
	for (int code = 0; code > -1000; code--) {
		const char *name = utm_error_code_get_name(code);
		g_assert_true(!name == !utm_error_code_get_meaning(code));
		if (!name)
			continue;
		g_autoptr(UtmError) error = utm__error_new(code, "x");
		g_assert_cmpint(strlen(utm_error_get_remedy(error)), >, 8);
		known++;
	}
	g_assert_cmpuint(known, >, 30);
}

/* A hostile value is as deep as it likes. */
static void test_long_key_path(void)
{
	g_autoptr(GString) path = g_string_new("first");
	while (path->len < 100000)
		g_string_append(path, ".member[0]");
	g_string_append(path, ".last");
	UtmError *error = utm__error_set_key_path(utm__error_new(UTM_ERROR_IO, "x"), path->str);
	const char *shown = utm_error_get_key_path(error);
	g_assert_cmpuint(strlen(shown), <, 300);
	g_assert_true(g_str_has_prefix(shown, "first.member[0].member[0]"));
	g_assert_nonnull(strstr(shown, "..."));
	g_assert_true(g_str_has_suffix(shown, "member[0].last"));
	utm_error_unref(error);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/error/text", test_text);
	g_test_add_func("/error/long-key-path", test_long_key_path);
	g_test_add_func("/error/empty-file", test_empty_file);
	g_test_add_func("/error/remedies-of-errnos", test_remedies_of_errnos);
	g_test_add_func("/error/registry", test_registry);
	return g_test_run();
}
