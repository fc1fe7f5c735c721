/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "package.h"

void test_package_init(TestPackage *package, const char *name)
{
	package->outside = test_place_new();
	package->context = utm_context_new(NULL, NULL);
	package->root = g_build_filename(package->outside, name, NULL);
	package->data = g_build_filename(package->root, "Data", NULL);
	g_assert_cmpint(g_mkdir_with_parents(package->data, 0700), ==, 0);
	put_file(package->outside, "secret", "not yours");
}

void test_package_tear_down(TestPackage *package, gconstpointer unused)
{
	test_remove_tree(package->outside);
	utm_host_unref(package->host);
	utm_context_unref(package->context);
	g_free(package->outside);
	g_free(package->root);
	g_free(package->data);
}
