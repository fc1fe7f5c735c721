/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plug-in host loads the library, uses it, unloads it, and does so again; no symbol of ours is in its way. */
#include <dlfcn.h>
#include <glib.h>

static void test_load_use_unload(void)
{
	const char *path = g_getenv("UTM_TEST_LIBRARY");
	for (int i = 0; i < 3; i++) {
		void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		g_assert_nonnull(library);
		void *(*context_new)(const void *, void **);
		void (*context_unref)(void *);
		int (*context_wait)(void *, int);
		*(void **)&context_new = dlsym(library, "utm_context_new");
		*(void **)&context_unref = dlsym(library, "utm_context_unref");
		*(void **)&context_wait = dlsym(library, "utm_context_wait");
		void *context = context_new(NULL, NULL);
		g_assert_nonnull(context);
		g_assert_cmpint(context_wait(context, 1), ==, 0);
		context_unref(context);
		g_assert_null(dlsym(library, "utm__context_post"));
		g_assert_cmpint(dlclose(library), ==, 0);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dlopen", test_load_use_unload);
	return g_test_run();
}
