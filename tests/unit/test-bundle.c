/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packages on disk: what opens, what is refused and why, what saving leaves behind. */
#include "bundle/bundle-private.h"
#include "config/config-private.h"
#include "package.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef TestPackage Fixture;

static char *sample(const char *name, gsize *ret_size)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "data", "config", name, NULL);
	char *text = NULL;
	g_assert_true(g_file_get_contents(path, &text, ret_size, NULL));
	return text;
}

static void set_up(Fixture *f, gconstpointer data)
{
	g_autofree char *config = sample("early.plist", NULL);
	test_package_init(f, "Früh & Co.utm");
	put_file(f->root, "config.plist", config);
	put_file(f->data, "disk.qcow2", "disk");
}

/* The configuration with another name for the first drive's image. */
static void set_image(Fixture *f, const char *name)
{
	g_autofree char *path = g_build_filename(f->root, "config.plist", NULL);
	g_autofree char *text = NULL;
	UtmConfig *config = NULL;
	size_t size;
	g_assert_cmpint(utm_config_new_from_file(path, &config, NULL), ==, 0);
	g_assert_cmpint(utm_config_set_string(config, "Drive[0].ImageName", name, NULL), ==, 0);
	g_assert_cmpint(utm_config_to_plist(config, &text, &size, NULL), ==, 0);
	put_file(f->root, "config.plist", text);
	utm_config_unref(config);
}

static UtmBundle *open_bundle(Fixture *f)
{
	g_autoptr(UtmError) error = NULL;
	UtmBundle *bundle = NULL;
	if (utm_bundle_open(f->context, f->root, &bundle, &error) < 0)
		g_error("%s", utm_error_get_message(error));
	return bundle;
}

static void assert_refused(Fixture *f, int code, const char *key_path)
{
	g_autoptr(UtmError) error = NULL;
	UtmBundle *bundle = NULL;
	g_assert_cmpint(utm_bundle_open(f->context, f->root, &bundle, &error), ==, code);
	g_assert_null(bundle);
	g_assert_cmpint(utm_error_get_code(error), ==, code);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, key_path);
	g_assert_nonnull(utm_error_get_file(error));
}

/* --- opening --- */

static void test_open(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autofree char *path = NULL;
	g_autofree char *expected = g_build_filename(f->data, "disk.qcow2", NULL);
	g_assert_cmpstr(utm_bundle_get_path(bundle), ==, f->root);
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(bundle)), ==, "Early");
	g_assert_true(utm_bundle_get_context(bundle) == f->context);
	g_assert_cmpint(utm_bundle_resolve(bundle, "disk.qcow2", &path, NULL), ==, 0);
	g_assert_cmpstr(path, ==, expected);
	g_assert_cmpint(utm__bundle_check_images(bundle, utm_bundle_get_config(bundle), NULL), ==, 0);
	g_autoptr(UtmBundle) second = utm_bundle_ref(bundle);
	g_assert_true(second == bundle);
}

static void test_relative_path(Fixture *f, gconstpointer data)
{
	g_autofree char *before = g_get_current_dir();
	g_autoptr(UtmBundle) bundle = NULL;
	g_assert_cmpint(chdir(f->outside), ==, 0);
	int result = utm_bundle_open(f->context, "./Früh & Co.utm/", &bundle, NULL);
	g_assert_cmpint(chdir(before), ==, 0);
	g_assert_cmpint(result, ==, 0);
	g_assert_cmpstr(utm_bundle_get_path(bundle), ==, f->root);
}

static void test_what_is_no_bundle(Fixture *f, gconstpointer data)
{
	g_autofree char *absent = g_build_filename(f->outside, "absent.utm", NULL);
	g_autofree char *file = g_build_filename(f->outside, "secret", NULL);
	g_autofree char *config = g_build_filename(f->root, "config.plist", NULL);
	UtmBundle *bundle = NULL;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_bundle_open(f->context, absent, &bundle, &error), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpstr(utm_error_get_file(error), ==, absent);
	g_assert_cmpint(utm_bundle_open(f->context, file, &bundle, NULL), ==, UTM_ERROR_NOT_A_BUNDLE);
	g_assert_cmpint(utm_bundle_open(f->context, f->outside, &bundle, NULL), ==, UTM_ERROR_NOT_A_BUNDLE);
	g_assert_cmpint(utm_bundle_open(NULL, f->root, &bundle, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_bundle_open(f->context, NULL, &bundle, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_bundle_open(f->context, f->root, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_unlink(config);
	assert_refused(f, UTM_ERROR_NOT_A_BUNDLE, NULL);
	g_assert_null(bundle);
	utm_bundle_unref(NULL);
}

static void test_config_file_of_odd_kinds(Fixture *f, gconstpointer data)
{
	g_autofree char *path = g_build_filename(f->root, "config.plist", NULL);
	g_autofree char *inside = g_build_filename(f->data, "real.plist", NULL);
	g_assert_cmpint(g_rename(path, inside), ==, 0);
	/* A FIFO without a writer: must not wait for one. */
	g_assert_cmpint(mkfifo(path, 0600), ==, 0);
	assert_refused(f, UTM_ERROR_IO, NULL);
	g_unlink(path);
	g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
	assert_refused(f, UTM_ERROR_IO, NULL);
	g_rmdir(path);
	put_file(f->root, "config.plist", "");
	assert_refused(f, UTM_ERROR_CONFIG_MALFORMED, NULL);
	g_assert_cmpint(truncate(path, (off_t)1 << 40), ==, 0);
	assert_refused(f, UTM_ERROR_LIMIT, NULL);
	g_unlink(path);
	put_link(f->root, "config.plist", "../secret");
	assert_refused(f, UTM_ERROR_BUNDLE_PATH_ESCAPE, NULL);
	g_unlink(path);
	put_link(f->root, "config.plist", "config.plist");
	assert_refused(f, UTM_ERROR_BUNDLE_PATH_ESCAPE, NULL);
	g_unlink(path);
	/* A link that stays inside is fine. */
	put_link(f->root, "config.plist", "Data/real.plist");
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_assert_nonnull(bundle);
}

/* --- names that lead out --- */

static void test_names(Fixture *f, gconstpointer data)
{
	static const char *const out[] = { "../secret", "/etc/passwd",      "..",           ".", "a/b",
		                               "/",         "sub/../../secret", "./disk.qcow2", "",  "disk.qcow2/" };
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	for (gsize i = 0; i < G_N_ELEMENTS(out); i++) {
		g_autofree char *path = NULL;
		g_assert_cmpint(utm_bundle_resolve(bundle, out[i], &path, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
		g_assert_null(path);
		set_image(f, out[i]);
		assert_refused(f, UTM_ERROR_BUNDLE_PATH_ESCAPE, "Drive[0].ImageName");
	}
	static const char *const in[] = { "...", "..disk", "a\\b", "-rf", "a b", "\n", "*" };
	for (gsize i = 0; i < G_N_ELEMENTS(in); i++) {
		g_autofree char *path = NULL;
		g_assert_cmpint(utm_bundle_resolve(bundle, in[i], &path, NULL), ==, UTM_ERROR_IMAGE_MISSING);
		put_file(f->data, in[i], "x");
		g_assert_cmpint(utm_bundle_resolve(bundle, in[i], &path, NULL), ==, 0);
	}
	g_autofree char *longer = g_strnfill(5000, 'x');
	g_autofree char *path = NULL;
	g_assert_cmpint(utm_bundle_resolve(bundle, longer, &path, NULL), ==, UTM_ERROR_IMAGE_MISSING);
}

/* How "image" is made, and what becomes of a drive that names it. */
static const struct {
	const char *target;
	int opened;  /* code of opening */
	int checked; /* code of starting: what is missing is found then */
} links[] = {
	{ "disk.qcow2", 0, 0 },
	{ "../Data/disk.qcow2", 0, 0 },
	{ "../config.plist", 0, 0 },
	{ "sub/inner", 0, 0 },
	{ "nothing", 0, UTM_ERROR_IMAGE_MISSING },
	{ "sub/nothing", 0, UTM_ERROR_IMAGE_MISSING },
	{ "nowhere/nothing", 0, UTM_ERROR_IMAGE_MISSING },
	{ "sub", 0, UTM_ERROR_IMAGE_MISSING },
	{ "../../secret", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "../../nothing", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "../../nowhere/nothing", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "/etc/passwd", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "/nowhere", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "/", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "image", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "second", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "out/secret", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "..", 0, UTM_ERROR_IMAGE_MISSING },
	{ "../..", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
	{ "../../Früh & Co.utm-other", UTM_ERROR_BUNDLE_PATH_ESCAPE, UTM_ERROR_BUNDLE_PATH_ESCAPE },
};

static void test_links(Fixture *f, gconstpointer data)
{
	g_autofree char *image = g_build_filename(f->data, "image", NULL);
	g_autofree char *sub = g_build_filename(f->data, "sub", NULL);
	g_autoptr(UtmConfig) config = NULL;
	g_assert_cmpint(g_mkdir(sub, 0700), ==, 0);
	put_file(sub, "inner", "x");
	put_file(f->outside, "Früh & Co.utm-other", "a name with the same beginning");
	put_link(f->data, "second", "../../secret");
	put_link(f->data, "out", "../..");
	g_autoptr(UtmBundle) first = open_bundle(f);
	set_image(f, "image");
	config = utm_config_copy(utm_bundle_get_config(first));
	g_assert_cmpint(utm_config_set_string(config, "Drive[0].ImageName", "image", NULL), ==, 0);
	for (gsize i = 0; i < G_N_ELEMENTS(links); i++) {
		g_autoptr(UtmError) error = NULL;
		g_test_message("link to %s", links[i].target);
		put_link(f->data, "image", links[i].target);
		if (links[i].opened < 0)
			assert_refused(f, links[i].opened, "Drive[0].ImageName");
		else
			utm_bundle_unref(open_bundle(f));
		g_assert_cmpint(utm__bundle_check_images(first, config, &error), ==, links[i].checked);
		if (links[i].checked < 0) {
			g_assert_cmpstr(utm_error_get_key_path(error), ==, "Drive[0].ImageName");
			g_assert_nonnull(utm_error_get_file(error));
		}
		g_unlink(image);
	}
}

static void test_missing_image(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmError) error = NULL;
	g_autofree char *file = g_build_filename(f->data, "disk.qcow2", NULL);
	g_unlink(file);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_assert_cmpint(utm__bundle_check_images(bundle, utm_bundle_get_config(bundle), &error), ==,
	                UTM_ERROR_IMAGE_MISSING);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "Drive[0].ImageName");
	g_assert_cmpstr(utm_error_get_file(error), ==, file);
	g_assert_cmpint(mkfifo(file, 0600), ==, 0);
	g_assert_cmpint(utm__bundle_check_images(bundle, utm_bundle_get_config(bundle), NULL), ==, UTM_ERROR_IMAGE_MISSING);
}

static void test_data_directory_that_is_none(Fixture *f, gconstpointer data)
{
	g_autofree char *path = NULL;
	UtmBundleFiles *files = NULL;
	test_remove_tree(f->data);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_assert_cmpint(utm_bundle_list_files(bundle, &files, NULL), ==, 0);
	g_assert_cmpuint(utm_bundle_files_get_count(files), ==, 0);
	utm_bundle_files_free(files);
	g_assert_cmpint(utm_bundle_resolve(bundle, "disk.qcow2", &path, NULL), ==, UTM_ERROR_IMAGE_MISSING);
	g_assert_cmpint(utm_bundle_resolve(bundle, "../secret", &path, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	/* A file, a link out, a link out to nothing. */
	put_file(f->root, "Data", "x");
	g_assert_cmpint(utm_bundle_resolve(bundle, "disk.qcow2", &path, NULL), ==, UTM_ERROR_IMAGE_MISSING);
	utm_bundle_unref(open_bundle(f));
	g_unlink(f->data);
	put_link(f->root, "Data", "..");
	assert_refused(f, UTM_ERROR_BUNDLE_PATH_ESCAPE, "Drive[0].ImageName");
	g_assert_cmpint(utm_bundle_list_files(bundle, &files, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	g_unlink(f->data);
	put_link(f->root, "Data", "/nowhere/at/all");
	assert_refused(f, UTM_ERROR_BUNDLE_PATH_ESCAPE, "Drive[0].ImageName");
}

static void test_fixed_names(Fixture *f, gconstpointer data)
{
	static const char *const cases[][2] = {
		{ "efi_vars.fd", "QEMU.UEFIBoot" },
		{ "tpmdata", "QEMU.TPMDevice" },
		{ "debug.log", "QEMU.DebugLog" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_build_filename(f->data, cases[i][0], NULL);
		put_link(f->data, cases[i][0], "../../made-by-the-machine");
		assert_refused(f, UTM_ERROR_BUNDLE_PATH_ESCAPE, cases[i][1]);
		g_unlink(path);
	}
}

/* --- files --- */

static void test_list(Fixture *f, gconstpointer data)
{
	static const struct {
		const char *name;
		guint64 length;
		bool referenced;
	} expected[] = {
		{ "disk.qcow2", 4, true }, { "inside", 4, false }, { "outside", 0, false },
		{ "sub", 0, false },       { "tpmdata", 3, true }, { "zzz", 1, false },
	};
	g_autofree char *sub = g_build_filename(f->data, "sub", NULL);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmBundleFiles) files = NULL;
	g_assert_cmpint(g_mkdir(sub, 0700), ==, 0);
	put_file(f->data, "zzz", "z");
	put_file(f->data, "tpmdata", "tpm");
	put_link(f->data, "inside", "disk.qcow2");
	put_link(f->data, "outside", "../../secret");
	g_assert_cmpint(utm_bundle_list_files(bundle, &files, NULL), ==, 0);
	g_assert_cmpuint(utm_bundle_files_get_count(files), ==, G_N_ELEMENTS(expected));
	for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
		const UtmBundleFile *file = utm_bundle_files_get(files, i);
		g_assert_cmpstr(file->name, ==, expected[i].name);
		g_assert_cmpuint(file->length_bytes, ==, expected[i].length);
		g_assert_cmpint(file->referenced, ==, expected[i].referenced);
		g_assert_cmpuint(file->size, ==, sizeof *file);
	}
	g_assert_null(utm_bundle_files_get(files, G_N_ELEMENTS(expected)));
	g_assert_null(utm_bundle_files_get(NULL, 0));
}

/* --- saving --- */

static gsize count_entries(const char *path)
{
	GDir *directory = g_dir_open(path, 0, NULL);
	gsize count = 0;
	while (g_dir_read_name(directory))
		count++;
	g_dir_close(directory);
	return count;
}

static void test_save(Fixture *f, gconstpointer data)
{
	g_autofree char *file = g_build_filename(f->root, "config.plist", NULL);
	g_autofree char *written = NULL;
	g_autofree char *expected = NULL;
	struct stat info;
	size_t size;
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	UtmConfig *borrowed = utm_bundle_get_config(bundle);
	g_autoptr(UtmConfig) config = utm_config_copy(borrowed);
	put_file(f->data, "unknown", "kept");
	g_assert_cmpint(chmod(file, 0640), ==, 0);
	g_assert_cmpint(utm_config_set_string(config, "Information.Name", "Später", NULL), ==, 0);
	g_assert_cmpint(utm_bundle_save_config(bundle, config, NULL), ==, 0);
	g_assert_cmpint(utm_config_to_plist(config, &expected, &size, NULL), ==, 0);
	g_assert_true(g_file_get_contents(file, &written, NULL, NULL));
	g_assert_cmpstr(written, ==, expected);
	g_assert_cmpint(stat(file, &info), ==, 0);
	g_assert_cmpint(info.st_mode & 0777, ==, 0640);
	/* Nothing beside it, nothing gone; the bundle has a copy of its own; the old pointer still works. */
	g_assert_cmpuint(count_entries(f->root), ==, 2);
	g_assert_cmpuint(count_entries(f->data), ==, 2);
	g_assert_true(utm_config_equal(utm_bundle_get_config(bundle), config));
	g_assert_true(utm_bundle_get_config(bundle) != config);
	g_assert_cmpstr(utm_config_get_name(borrowed), ==, "Early");
	g_autoptr(UtmBundle) again = open_bundle(f);
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(again)), ==, "Später");
}

/* A link inside the package is written through; one that leads out has appeared since, and is refused. */
static void test_save_through_link(Fixture *f, gconstpointer data)
{
	g_autofree char *file = g_build_filename(f->root, "config.plist", NULL);
	g_autofree char *target = g_build_filename(f->root, "real.plist", NULL);
	g_assert_cmpint(rename(file, target), ==, 0);
	g_assert_cmpint(symlink("real.plist", file), ==, 0);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmConfig) config = utm_config_copy(utm_bundle_get_config(bundle));
	g_assert_cmpint(utm_config_set_string(config, "Information.Name", "Linked", NULL), ==, 0);
	g_assert_cmpint(utm_bundle_save_config(bundle, config, NULL), ==, 0);
	g_assert_true(g_file_test(file, G_FILE_TEST_IS_SYMLINK));
	g_assert_false(g_file_test(target, G_FILE_TEST_IS_SYMLINK));
	g_autoptr(UtmBundle) again = open_bundle(f);
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(again)), ==, "Linked");
	g_assert_cmpint(unlink(file), ==, 0);
	g_assert_cmpint(utm_bundle_save_config(bundle, config, NULL), ==, 0);
	g_assert_true(g_file_test(file, G_FILE_TEST_IS_REGULAR));
	g_assert_cmpint(unlink(file), ==, 0);
	g_assert_cmpint(symlink("/dev/null", file), ==, 0);
	g_assert_cmpint(utm_bundle_save_config(bundle, config, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
}

static void test_save_refused(Fixture *f, gconstpointer data)
{
	g_autofree char *file = g_build_filename(f->root, "config.plist", NULL);
	g_autofree char *before = NULL;
	g_autofree char *after = NULL;
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmConfig) config = utm_config_copy(utm_bundle_get_config(bundle));
	g_assert_true(g_file_get_contents(file, &before, NULL, NULL));
	g_assert_cmpint(utm_config_set_string(config, "Drive[0].ImageName", "../secret", NULL), ==, 0);
	g_assert_cmpint(utm_bundle_save_config(bundle, config, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	g_assert_cmpint(utm_config_set_string(config, "Drive[0].ImageName", "$null", NULL), ==, 0);
	g_assert_cmpint(utm_bundle_save_config(bundle, config, NULL), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_cmpint(utm_bundle_save_config(bundle, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_true(g_file_get_contents(file, &after, NULL, NULL));
	g_assert_cmpstr(before, ==, after);
	g_assert_cmpuint(count_entries(f->root), ==, 2);
	/* The package goes away under our feet. */
	g_assert_cmpint(utm_config_set_string(config, "Drive[0].ImageName", "disk.qcow2", NULL), ==, 0);
	test_remove_tree(f->root);
	g_assert_cmpint(utm_bundle_save_config(bundle, config, NULL), <, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(name, fn) g_test_add("/bundle/" name, Fixture, NULL, set_up, fn, test_package_tear_down)
	TEST("open", test_open);
	TEST("relative-path", test_relative_path);
	TEST("what-is-no-bundle", test_what_is_no_bundle);
	TEST("config-file-of-odd-kinds", test_config_file_of_odd_kinds);
	TEST("names", test_names);
	TEST("links", test_links);
	TEST("missing-image", test_missing_image);
	TEST("data-directory-that-is-none", test_data_directory_that_is_none);
	TEST("fixed-names", test_fixed_names);
	TEST("list", test_list);
	TEST("save", test_save);
	TEST("save-through-link", test_save_through_link);
	TEST("save-refused", test_save_refused);
	return g_test_run();
}
