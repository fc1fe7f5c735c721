/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the arguments that a user typed are cut into pieces: UTM's rules. */
#include "argv/groups.h"

#include <string.h>

/* Pieces are separated by a bar, which none of them contains; NULL: no piece at all. */
static const struct {
	const char *text;
	const char *pieces;
} cases[] = {
	{ "-append \"a b\"", "-append|a b" },
	{ "-drive file=\"a b\".img", "-drive|file=\"a b\".img" },
	{ "\"x\"y\"z\"", "x\"y\"z" },
	{ "\"a b\"c", "\"a b\"c" },
	{ "a\"b c\"d\"e", "a\"b c\"d|e" },
	{ "\"\"", "" },
	{ "a \"b", "a|b" },
	{ "  ", NULL },
	{ "", NULL },
	{ "\"", NULL },
	{ "-a\t-b\n-c\r-d\f-e", "-a|-b|-c|-d|-e" },
	{ "a\vb", "a\vb" },
	{ "a\xc2\xa0"
	  "b\xe2\x80\xa8"
	  "c\xe3\x80\x80"
	  "d",
	  "a|b|c|d" },
	{ "\"a\nb\"", "a\nb" },
	{ "a\\ b 'c d'", "a\\|b|'c|d'" },
	{ "a\xff\xfe b", "a\xff\xfe|b" },
	{ "\"a\"\"b\"", "a\"\"b" },
	{ "$HOME `id`", "$HOME|`id`" },
	{ " \xe4\xb8\xad ", "\xe4\xb8\xad" },
};

static void test_split(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(g_free);

		utm__split_user_argument(cases[i].text, pieces);
		if (!cases[i].pieces) {
			g_assert_cmpuint(pieces->len, ==, 0);
			continue;
		}
		g_assert_cmpuint(pieces->len, >, 0);
		g_ptr_array_add(pieces, NULL);
		g_autofree char *joined = g_strjoinv("|", (char **)pieces->pdata);
		g_assert_cmpstr(joined, ==, cases[i].pieces);
	}
}

/* A guest could not care less, but the host must not spend quadratic time on it. */
static void test_long(void)
{
	g_autofree char *quotes = g_strnfill(1 << 20, '"');
	g_autofree char *words = g_strnfill(1 << 20, 'x');
	g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(g_free);

	for (gsize i = 1; i < 1 << 20; i += 2)
		words[i] = ' ';
	utm__split_user_argument(quotes, pieces);
	g_assert_cmpuint(pieces->len, ==, 1);
	utm__split_user_argument(words, pieces);
	g_assert_cmpuint(pieces->len, ==, 1 + (1 << 19));
}

static void test_machine_families(void)
{
	g_assert_true(utm__machine_is_family("virt", "virt"));
	g_assert_true(utm__machine_is_family("virt-9.2", "virt"));
	g_assert_true(utm__machine_is_family("pc-q35-8.0", "pc-q35"));
	g_assert_false(utm__machine_is_family("virtual", "virt"));
	g_assert_false(utm__machine_is_family("pc-q35-8.0", "pc"));
	g_assert_false(utm__machine_is_family("vir", "virt"));
	g_assert_true(utm__machine_find("aarch64", "virt-7.2")->traits & UTM_MACHINE_FLASH);
	g_assert_false(utm__machine_find("m68k", "virt")->traits & UTM_MACHINE_PCI);
	g_assert_false(utm__machine_find("mips64", "boston")->traits & UTM_MACHINE_PCI);
	g_assert_cmpuint(utm__machine_find("x86_64", "no-such-machine")->max_cpus, ==, 1);
	g_assert_null(utm__architecture_find("z80"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/user-arguments/split", test_split);
	g_test_add_func("/user-arguments/long", test_long);
	g_test_add_func("/machines/families", test_machine_families);
	return g_test_run();
}
