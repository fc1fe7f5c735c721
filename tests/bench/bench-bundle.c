/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a list of many packages costs, against reading the same files without looking at what is in them; and a save against
 * writing and flushing as many bytes.
 */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <utm/utm.h>

enum {
	PACKAGES = 10000,
	ROUNDS = 3,
	SAVES = 100
};

static double now(void)
{
	return g_get_monotonic_time() / 1e6;
}

static void make_packages(const char *place, const char *plist, gsize size)
{
	for (int i = 0; i < PACKAGES; i++) {
		g_autofree char *package = g_strdup_printf("%s/Machine %d.utm", place, i);
		g_autofree char *file = g_build_filename(package, "config.plist", NULL);

		if (g_mkdir(package, 0700) < 0 || !g_file_set_contents_full(file, plist, (gssize)size, G_FILE_SET_CONTENTS_NONE,
		                                                            0600, NULL))
			exit(1);
	}
}

static void remove_packages(const char *place)
{
	for (int i = 0; i < PACKAGES; i++) {
		g_autofree char *package = g_strdup_printf("%s/Machine %d.utm", place, i);
		g_autofree char *file = g_build_filename(package, "config.plist", NULL);

		g_unlink(file);
		g_rmdir(package);
	}
	g_rmdir(place);
}

static double time_list(const char *place)
{
	UtmBundleList *list = NULL;
	double start = now();

	if (utm_bundle_list_directory(place, &list, NULL) < 0 || utm_bundle_list_get_count(list) != PACKAGES ||
	    !utm_bundle_list_get(list, PACKAGES - 1)->uuid)
		exit(1);
	utm_bundle_list_free(list);
	return now() - start;
}

static double time_reading(const char *place)
{
	double start = now();

	for (int i = 0; i < PACKAGES; i++) {
		g_autofree char *file = g_strdup_printf("%s/Machine %d.utm/config.plist", place, i);
		g_autofree char *text = NULL;

		if (!g_file_get_contents(file, &text, NULL, NULL))
			exit(1);
	}
	return now() - start;
}

static double time_parsing(const char *plist, gsize size)
{
	double start = now();

	for (int i = 0; i < PACKAGES; i++) {
		UtmConfig *config = NULL;

		if (utm_config_new_from_data(plist, size, &config, NULL) < 0)
			exit(1);
		utm_config_unref(config);
	}
	return now() - start;
}

static void bench_list(const char *place, const char *plist, gsize size)
{
	double list = 1e9, reading = 1e9, parsing = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		list = MIN(list, time_list(place));
		reading = MIN(reading, time_reading(place));
		parsing = MIN(parsing, time_parsing(plist, size));
	}
	printf("list of %d packages %6.0f ms; reading their files alone %.0f ms, decoding them alone %.0f ms: %.2f times both\n",
	       PACKAGES, list * 1e3, reading * 1e3, parsing * 1e3, list / (reading + parsing));
}

static double time_saves(UtmBundle *bundle)
{
	double start = now();

	for (int i = 0; i < SAVES; i++)
		if (utm_bundle_save_config(bundle, utm_bundle_get_config(bundle), NULL) < 0)
			exit(1);
	return (now() - start) / SAVES;
}

static double time_flushes(const char *place, const char *plist, gsize size)
{
	g_autofree char *path = g_build_filename(place, "floor", NULL);
	double start = now();

	for (int i = 0; i < SAVES; i++) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, plist, size) != (ssize_t)size || fsync(fd) < 0 || close(fd) < 0)
			exit(1);
	}
	double each = (now() - start) / SAVES;
	g_unlink(path);
	return each;
}

static void bench_save(const char *place, const char *plist, gsize size)
{
	g_autofree char *path = g_build_filename(place, "Machine 0.utm", NULL);
	UtmContext *ctx = utm_context_new(NULL, NULL);
	UtmBundle *bundle = NULL;

	if (!ctx || utm_bundle_open(ctx, path, &bundle, NULL) < 0)
		exit(1);
	double floor = time_flushes(place, plist, size), save = time_saves(bundle);
	printf("save %.2f ms; writing and flushing a file of that size %.2f ms: %.1f times\n", save * 1e3, floor * 1e3,
	       save / floor);
	utm_bundle_unref(bundle);
	utm_context_unref(ctx);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *sample = g_test_build_filename(G_TEST_DIST, "golden", "q35-windows", "config.plist", NULL);
	g_autofree char *place = g_dir_make_tmp("utm-bench-XXXXXX", NULL);
	g_autofree char *plist = NULL;
	gsize size;

	if (!place || !g_file_get_contents(sample, &plist, &size, NULL))
		return 77;
	make_packages(place, plist, size);
	bench_list(place, plist, size);
	bench_save(place, plist, size);
	remove_packages(place);
	return 0;
}
