/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is kept of a standard error, and which line of it is shown. */
#include "process/stderr-text.h"

#include <string.h>

static void test_whole_prefix(void)
{
	static const struct {
		const char *text;
		gsize length;
		gsize whole;
	} cases[] = {
		{ "", 0, 0 },           { "abc", 3, 3 },           { "a\xc3\xa9", 3, 3 },
		{ "a\xc3", 2, 1 },      { "\xe8\xaa\x9e", 3, 3 }, { "\xe8\xaa", 2, 0 },
		{ "a\xf0\x9f\x96", 4, 1 }, { "a\xff", 2, 2 },       { "\x80\x80\x80\x80\x80", 5, 5 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpuint(utm__text_whole_prefix(cases[i].text, cases[i].length), ==, cases[i].whole);
}

/* Lines go whole where there are several; else the cut is between two characters. */
static void test_tail(void)
{
	g_autoptr(GString) tail = g_string_new(NULL);
	g_autofree char *line = g_strnfill(1000, 'a');
	for (int i = 0; i < 6; i++)
		utm__tail_add_line(tail, line);
	g_assert_cmpuint(tail->len, ==, 4 * 1001 - 1);
	g_string_truncate(tail, 0);
	for (int i = 0; i < 3000; i++)
		g_string_append(tail, "\xe8\xaa\x9e");
	g_autofree char *wide = g_strdup(tail->str);
	g_string_truncate(tail, 0);
	utm__tail_add_line(tail, wide);
	g_assert_cmpuint(tail->len, <=, UTM_STDERR_TAIL_MAX);
	g_assert_cmpuint(tail->len, >, UTM_STDERR_TAIL_MAX - 4);
	g_assert_true(g_utf8_validate(tail->str, (gssize)tail->len, NULL));
}

static void test_complaint(void)
{
	static const struct {
		const char *tail;
		const char *complaint;
	} cases[] = {
		{ NULL, NULL },
		{ "one", "one" },
		{ "one\ntwo", "two" },
		{ "qemu-system-x86_64: no such device\nUse '-device help' to list them", "qemu-system-x86_64: no such device" },
		{ "qemu-system-x86_64: warning: old\nqemu-system-x86_64: -drive x: gone\nhint", "qemu-system-x86_64: -drive x: gone" },
		{ "qemu-system-x86_64: -cpu host: warning: no\nlast", "last" },
		{ "lib: qemu-system-x86_64: no\nlast", "last" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *found = utm__find_complaint(cases[i].tail, "qemu-system-");
		g_assert_cmpstr(found, ==, cases[i].complaint);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/stderr-text/whole-prefix", test_whole_prefix);
	g_test_add_func("/stderr-text/tail", test_tail);
	g_test_add_func("/stderr-text/complaint", test_complaint);
	return g_test_run();
}
