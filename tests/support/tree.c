/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <unistd.h>

char *test_place_new(void)
{
	g_autofree char *made = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	char *real = realpath(made, NULL);
	char *place = g_strdup(real);
	free(real);
	return place;
}

void test_remove_tree(const char *path)
{
	GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
	for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
		g_autofree char *child = g_build_filename(path, name, NULL);
		test_remove_tree(child);
	}
	if (dir)
		g_dir_close(dir);
	g_remove(path);
}

void put_file(const char *directory, const char *name, const char *content)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_assert_true(g_file_set_contents(path, content, -1, NULL));
}

void put_link(const char *directory, const char *name, const char *target)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_assert_cmpint(symlink(target, path), ==, 0);
}
