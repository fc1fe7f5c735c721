/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packages that change: made, locked, pruned, filled, copied, renamed, listed; and hostile ones that only look as if. */
#include "base/file.h"
#include "bundle/bundle-impl.h"
#include "config/config-private.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Fixture {
	UtmContext *context;
	UtmConfig *config;
	char *place; /* a directory for packages */
	char *root;  /* "M.utm" in it */
	char *data;
} Fixture;

static void put_bytes(const char *directory, const char *name, const void *bytes, gssize size)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_assert_true(g_file_set_contents(path, bytes, size, NULL));
}

static void put_qcow2(const char *directory, const char *name, const char *backing)
{
	guint8 head[1024] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
	if (backing) {
		head[14] = 2; /* at 512 */
		head[19] = (guint8)strlen(backing);
		memcpy(head + 512, backing, strlen(backing));
	}
	put_bytes(directory, name, head, sizeof head);
}

static bool has(const char *directory, const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	struct stat info;
	return lstat(path, &info) == 0;
}

static gsize count_entries(const char *path)
{
	GDir *directory = g_dir_open(path, 0, NULL);
	gsize count = 0;
	while (directory && g_dir_read_name(directory))
		count++;
	if (directory)
		g_dir_close(directory);
	return count;
}

static void set_up(Fixture *f, gconstpointer data)
{
	g_autofree char *sample = g_test_build_filename(G_TEST_DIST, "data", "config", "early.plist", NULL);
	g_autofree char *text = NULL;
	f->place = test_place_new();
	f->context = utm_context_new(NULL, NULL);
	f->root = g_build_filename(f->place, "M.utm", NULL);
	f->data = g_build_filename(f->root, "Data", NULL);
	g_assert_cmpint(g_mkdir_with_parents(f->data, 0700), ==, 0);
	g_assert_true(g_file_get_contents(sample, &text, NULL, NULL));
	put_file(f->root, "config.plist", text);
	put_qcow2(f->data, "disk.qcow2", NULL);
	g_assert_cmpint(utm_config_new_from_file(sample, &f->config, NULL), ==, 0);
}

static void tear_down(Fixture *f, gconstpointer data)
{
	test_remove_tree(f->place);
	g_assert_false(g_file_test(f->place, G_FILE_TEST_EXISTS));
	utm_config_unref(f->config);
	utm_context_unref(f->context);
	g_free(f->place);
	g_free(f->root);
	g_free(f->data);
}

static UtmBundle *open_bundle(Fixture *f)
{
	g_autoptr(UtmError) error = NULL;
	UtmBundle *bundle = NULL;
	if (utm_bundle_open(f->context, f->root, &bundle, &error) < 0)
		g_error("%s", utm_error_get_message(error));
	return bundle;
}

static void set_name(UtmConfig *config, const char *name)
{
	g_assert_cmpint(utm_config_set_string(config, "Information.Name", name, NULL), ==, 0);
}

#define assert_ok(call)                                                                                                \
	do {                                                                                                               \
		g_autoptr(UtmError) problem = NULL;                                                                            \
		int outcome = (call);                                                                                          \
		if (outcome < 0)                                                                                               \
			g_error("%s:%d: %s: %s: %s", __FILE__, __LINE__, #call, utm_error_get_file(problem),                       \
			        utm_error_get_message(problem));                                                                   \
	} while (0)

/* --- the lock --- */

static void test_lock_in_one_process(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmBundle) first = open_bundle(f);
	g_autoptr(UtmBundle) second = open_bundle(f);
	g_autoptr(UtmError) error = NULL;
	g_autofree char *own = g_strdup_printf("(%d)", (int)getpid());
	g_assert_cmpuint(utm_bundle_get_lock_state(first), ==, UTM_BUNDLE_UNLOCKED);
	assert_ok(utm_bundle_lock(first, &problem));
	assert_ok(utm_bundle_lock(first, &problem));
	g_assert_cmpuint(utm_bundle_get_lock_state(first), ==, UTM_BUNDLE_LOCKED);
	g_assert_cmpint(utm_bundle_lock(second, &error), ==, UTM_ERROR_BUNDLE_LOCKED);
	g_assert_nonnull(strstr(utm_error_get_message(error), own));
	g_assert_cmpstr(utm_error_get_file(error), ==, f->root);
	g_assert_cmpint(utm_bundle_save_config(second, f->config, NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
	g_assert_cmpint(utm_bundle_rename(second, "X", NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
	g_assert_cmpint(utm_bundle_prune(second, NULL, NULL, NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
	g_assert_cmpint(utm_bundle_write_screenshot(second, NULL, 0, NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
	/* Reading needs none. */
	utm_bundle_unref(open_bundle(f));
	assert_ok(utm_bundle_unlock(first, &problem));
	g_assert_cmpint(utm_bundle_lock(second, NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
	assert_ok(utm_bundle_unlock(first, &problem));
	g_assert_cmpint(utm_bundle_unlock(first, NULL), ==, UTM_ERROR_INVALID_STATE);
	assert_ok(utm_bundle_lock(second, &problem));
	/* The last reference gives it back, too. */
	g_clear_pointer(&second, utm_bundle_unref);
	assert_ok(utm_bundle_lock(first, &problem));
}

/* Another process has the lock; it goes with the process, however that ends. */
static void test_lock_of_another_process(Fixture *f, gconstpointer data)
{
	int ready[2];
	char byte;
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(pipe(ready), ==, 0);
	pid_t child = fork();
	if (child == 0) {
		int fd = open(f->root, O_RDONLY | O_DIRECTORY);
		if (flock(fd, LOCK_EX) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
	g_autofree char *holder = g_strdup_printf("process %d (", (int)child);
	g_assert_cmpint(utm_bundle_save_config(bundle, f->config, &error), ==, UTM_ERROR_BUNDLE_LOCKED);
	if (g_file_test("/proc/locks", G_FILE_TEST_EXISTS))
		g_assert_nonnull(strstr(utm_error_get_message(error), holder));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_ok(utm_bundle_save_config(bundle, f->config, &problem));
	close(ready[0]);
	close(ready[1]);
}

static void test_lock_for_a_machine(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmBundle) other = open_bundle(f);
	UtmBundle *copy = NULL;
	int fd = -1, second = -1;
	assert_ok(utm__bundle_begin_run(bundle, &fd, &problem));
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(utm__bundle_begin_run(bundle, &second, NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
	g_assert_cmpint(utm__bundle_begin_run(other, &second, NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
	g_assert_cmpint(utm_bundle_rename(bundle, "X", NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_bundle_prune(bundle, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_bundle_remove_file(bundle, "x", NULL), ==, UTM_ERROR_INVALID_STATE);
	g_autofree char *path = g_build_filename(f->place, "C.utm", NULL);
	g_assert_cmpint(utm_bundle_clone(bundle, path, NULL, &copy, NULL), ==, UTM_ERROR_INVALID_STATE);
	/* The application whose machine runs may still save. */
	assert_ok(utm_bundle_save_config(bundle, f->config, &problem));
	utm__bundle_end_run(bundle);
	/* A QEMU that is still there keeps others out. */
	g_assert_cmpint(utm__bundle_begin_run(other, &second, NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
	close(fd);
	assert_ok(utm__bundle_begin_run(other, &second, &problem));
	close(second);
	utm__bundle_end_run(other);
	g_assert_cmpint(second, !=, -1);
}

static void test_changed_by_another(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmBundle) first = open_bundle(f);
	g_autoptr(UtmBundle) second = open_bundle(f);
	g_autoptr(UtmError) error = NULL;
	set_name(f->config, "First");
	assert_ok(utm_bundle_save_config(first, f->config, &problem));
	assert_ok(utm_bundle_save_config(first, f->config, &problem));
	g_assert_cmpint(utm_bundle_save_config(second, f->config, &error), ==, UTM_ERROR_BUNDLE_CHANGED);
	g_assert_cmpint(utm_bundle_rename(second, "X", NULL), ==, UTM_ERROR_BUNDLE_CHANGED);
	g_assert_cmpint(utm_bundle_prune(second, NULL, NULL, NULL), ==, UTM_ERROR_BUNDLE_CHANGED);
	UtmConfig *old = utm_bundle_get_config(second);
	/* Who locks reads again. */
	assert_ok(utm_bundle_lock(second, &problem));
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(second)), ==, "First");
	g_assert_cmpstr(utm_config_get_name(old), ==, "Early");
	assert_ok(utm_bundle_save_config(second, f->config, &problem));
	utm_bundle_unlock(second, NULL);
	/* One that cannot be read leaves no lock behind. */
	put_file(f->root, "config.plist", "rubbish");
	g_assert_cmpint(utm_bundle_lock(first, NULL), ==, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpuint(utm_bundle_get_lock_state(first), ==, UTM_BUNDLE_UNLOCKED);
}

/* --- saving --- */

static void test_save_keeps_owner(Fixture *f, gconstpointer data)
{
	g_autofree char *file = g_build_filename(f->root, "config.plist", NULL);
	g_autofree char *left = g_build_filename(f->root, ".utm-abcdefghijkl.tmp", NULL);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	struct stat info;
	put_file(f->root, ".utm-abcdefghijkl.tmp", "of a killed process");
	put_file(f->root, ".utm-abcdefghijkL.tmp", "of somebody else");
	g_assert_cmpint(chmod(file, 0664), ==, 0);
	bool may = chown(file, 12, 34) == 0;
	assert_ok(utm_bundle_save_config(bundle, f->config, &problem));
	g_assert_cmpint(stat(file, &info), ==, 0);
	g_assert_cmpint(info.st_mode & 07777, ==, 0664);
	if (may) {
		g_assert_cmpuint(info.st_uid, ==, 12);
		g_assert_cmpuint(info.st_gid, ==, 34);
	}
	g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
	g_assert_true(has(f->root, ".utm-abcdefghijkL.tmp"));
}

/* --- making --- */

static void test_create(Fixture *f, gconstpointer data)
{
	g_autofree char *path = g_build_filename(f->place, "New.utm", NULL);
	g_autofree char *with_slash = g_strconcat(path, "/", NULL);
	g_autofree char *new_data = g_build_filename(path, "Data", NULL);
	g_autofree char *source = g_build_filename(f->data, "disk.qcow2", NULL);
	g_autoptr(UtmBundle) bundle = NULL;
	UtmBundle *none = NULL;
	UtmBundleSource files[] = { { source, NULL }, { source, "efi_vars.fd" } };
	UtmBundleCreateOptions options = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	struct stat info;
	options.files = files;
	options.file_count = G_N_ELEMENTS(files);
	assert_ok(utm_bundle_create(f->context, with_slash, f->config, &options, &bundle, &problem));
	g_assert_cmpstr(utm_bundle_get_path(bundle), ==, path);
	g_assert_true(utm_config_equal(utm_bundle_get_config(bundle), f->config));
	g_assert_cmpuint(count_entries(path), ==, 2);
	g_assert_cmpuint(count_entries(new_data), ==, 2);
	g_assert_true(has(new_data, "disk.qcow2") && has(new_data, "efi_vars.fd"));
	g_assert_cmpint(stat(path, &info), ==, 0);
	g_assert_cmpint(info.st_mode & 0777, ==, 0700);
	g_assert_cmpint(utm__bundle_check_images(bundle, f->config, NULL), ==, 0);
	/* Nothing is replaced: not a package, not an empty directory, not a link to nothing. */
	g_autofree char *empty = g_build_filename(f->place, "Empty.utm", NULL);
	g_autofree char *link = g_build_filename(f->place, "Link.utm", NULL);
	g_assert_cmpint(g_mkdir(empty, 0700), ==, 0);
	put_link(f->place, "Link.utm", "nowhere");
	g_assert_cmpint(utm_bundle_create(f->context, path, f->config, NULL, &none, NULL), ==, UTM_ERROR_BUNDLE_EXISTS);
	g_assert_cmpint(utm_bundle_create(f->context, empty, f->config, NULL, &none, NULL), ==, UTM_ERROR_BUNDLE_EXISTS);
	g_assert_cmpint(utm_bundle_create(f->context, link, f->config, NULL, &none, NULL), ==, UTM_ERROR_BUNDLE_EXISTS);
	g_assert_null(none);
	g_assert_cmpuint(count_entries(f->place), ==, 4);
}

static void test_create_refused(Fixture *f, gconstpointer data)
{
	static const char *const names[] = { "New", "New.UTM", ".utm", "", "/", "New.utm.", "." };
	g_autofree char *path = g_build_filename(f->place, "New.utm", NULL);
	g_autofree char *nowhere = g_build_filename(f->place, "nowhere", "New.utm", NULL);
	g_autofree char *fifo = g_build_filename(f->place, "fifo", NULL);
	UtmBundle *none = NULL;
	UtmBundleSource file = { fifo, NULL };
	UtmBundleCreateOptions options = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		g_assert_cmpint(utm_bundle_create(f->context, names[i], f->config, NULL, &none, NULL), ==,
		                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_bundle_create(f->context, nowhere, f->config, NULL, &none, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	options.files = &file;
	options.file_count = 1;
	g_assert_cmpint(utm_bundle_create(f->context, path, f->config, &options, &none, NULL), ==, UTM_ERROR_IO);
	file.source = "/nowhere/at/all";
	g_assert_cmpint(utm_bundle_create(f->context, path, f->config, &options, &none, NULL), ==, UTM_ERROR_NOT_FOUND);
	file.name = "../x";
	g_assert_cmpint(utm_bundle_create(f->context, path, f->config, &options, &none, NULL), ==,
	                UTM_ERROR_INVALID_ARGUMENT);
	options.cancel = utm_cancel_new();
	utm_cancel_trigger(options.cancel);
	file = (UtmBundleSource){ "/proc/self/exe", "x.img" };
	g_assert_cmpint(utm_bundle_create(f->context, path, f->config, &options, &none, NULL), ==, UTM_ERROR_CANCELLED);
	utm_cancel_unref(options.cancel);
	options.cancel = NULL;
	UtmBundleSource twice[] = { { "/proc/self/exe", "x.img" }, { "/proc/self/exe", "x.img" } };
	options.files = twice;
	options.file_count = 2;
	g_assert_cmpint(utm_bundle_create(f->context, path, f->config, &options, &none, NULL), ==, UTM_ERROR_BUNDLE_EXISTS);
	g_assert_cmpint(utm_config_set_string(f->config, "Drive[0].ImageName", "../x", NULL), ==, 0);
	g_assert_cmpint(utm_bundle_create(f->context, path, f->config, NULL, &none, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	/* Nothing is left of any. */
	g_assert_null(none);
	g_assert_cmpuint(count_entries(f->place), ==, 2);
}

/* A directory of a killed process goes; one in which somebody still works stays. */
static void test_create_clears_away(Fixture *f, gconstpointer data)
{
	g_autofree char *path = g_build_filename(f->place, "New.utm", NULL);
	g_autofree char *dead = g_build_filename(f->place, ".utm-aaaaaaaaaaaa.tmp", "Data", NULL);
	g_autofree char *alive = g_build_filename(f->place, ".utm-bbbbbbbbbbbb.tmp", NULL);
	g_autofree char *foreign = g_build_filename(f->place, ".utm-cccc.tmp", NULL);
	g_autoptr(UtmBundle) bundle = NULL;
	g_assert_cmpint(g_mkdir_with_parents(dead, 0700), ==, 0);
	put_file(dead, "half", "a disk");
	put_link(dead, "link", f->root);
	g_assert_cmpint(g_mkdir(alive, 0700), ==, 0);
	g_assert_cmpint(g_mkdir(foreign, 0700), ==, 0);
	int fd = open(alive, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);
	assert_ok(utm_bundle_create(f->context, path, f->config, NULL, &bundle, &problem));
	g_assert_false(has(f->place, ".utm-aaaaaaaaaaaa.tmp"));
	g_assert_true(g_file_test(alive, G_FILE_TEST_IS_DIR) && g_file_test(foreign, G_FILE_TEST_IS_DIR));
	g_assert_true(has(f->root, "config.plist"));
	close(fd);
}

static gpointer create_one(gpointer user_data)
{
	Fixture *f = user_data;
	g_autofree char *path = g_build_filename(f->place, "Race.utm", NULL);
	UtmBundle *bundle = NULL;
	int result = utm_bundle_create(f->context, path, f->config, NULL, &bundle, NULL);
	utm_bundle_unref(bundle);
	return GINT_TO_POINTER(result);
}

static void test_create_race(Fixture *f, gconstpointer data)
{
	for (int round = 0; round < 20; round++) {
		GThread *threads[4];
		int made = 0;
		for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
			threads[i] = g_thread_new("create", create_one, f);
		for (gsize i = 0; i < G_N_ELEMENTS(threads); i++) {
			int result = GPOINTER_TO_INT(g_thread_join(threads[i]));
			made += result == 0;
			g_assert_true(result == 0 || result == UTM_ERROR_BUNDLE_EXISTS);
		}
		g_assert_cmpint(made, ==, 1);
		g_assert_cmpuint(count_entries(f->place), ==, 2);
		g_autofree char *path = g_build_filename(f->place, "Race.utm", NULL);
		test_remove_tree(path);
	}
}

/* --- files that come in --- */

static char *import(UtmBundle *bundle, const char *source, const char *name)
{
	UtmBundleImportOptions options = UTM_BUNDLE_IMPORT_OPTIONS_INIT;
	char *result = NULL;
	options.name = name;
	assert_ok(utm_bundle_import(bundle, source, &options, &result, &problem));
	return result;
}

static void test_import_names(Fixture *f, gconstpointer data)
{
	static const char *const cases[][2] = {
		{ "new.img", "new.img" },           { "new.img", "new-2.img" },   { "NEW.IMG", "NEW-3.IMG" },
		{ "disk.qcow2", "disk-2.qcow2" },   { "lost.img", "lost-2.img" }, { "efi_vars.fd", "efi_vars-2.fd" },
		{ "TPMDATA", "TPMDATA-2" },         { "a\nb.iso", "a-b.iso" },    { ".hidden", "-hidden" },
		{ "a:b\\c.iso", "a-b-c.iso" },      { "\xff.iso", "\xef\xbf\xbd.iso" },
		{ "Stra\xc3\x9f" "e", "Stra\xc3\x9f" "e" }, { "STRASSE", "STRASSE-2" },
	};
	g_autofree char *source = g_build_filename(f->place, "source.img", NULL);
	put_file(f->place, "source.img", "content");
	g_assert_cmpint(utm_config_insert(f->config, "Drive", -1, "{\"Identifier\": \"2\", \"ImageName\": \"lost.img\", "
		"\"ImageType\": \"Disk\", \"Interface\": \"IDE\", \"ReadOnly\": false}", NULL), ==, 0);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	assert_ok(utm_bundle_save_config(bundle, f->config, &problem));
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *name = import(bundle, source, cases[i][0]);
		g_assert_cmpstr(name, ==, cases[i][1]);
		g_autofree char *path = g_build_filename(f->data, name, NULL);
		g_autofree char *content = NULL;
		struct stat info;
		g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
		g_assert_cmpstr(content, ==, "content");
		g_assert_cmpint(stat(path, &info), ==, 0);
		g_assert_cmpint(info.st_mode & 0777, ==, 0600);
	}
	g_autofree char *own = import(bundle, source, NULL);
	g_assert_cmpstr(own, ==, "source.img");
	g_autofree char *longest = g_strnfill(251, 'x');
	g_autofree char *with_extension = g_strconcat(longest, ".img", NULL);
	g_autofree char *first = import(bundle, source, with_extension);
	g_autofree char *second = import(bundle, source, with_extension);
	g_assert_cmpstr(first, ==, with_extension);
	g_assert_cmpuint(strlen(second), ==, 255);
	g_assert_true(g_str_has_suffix(second, "x-2.img"));
	g_assert_cmpuint(count_entries(f->data), ==, 1 + G_N_ELEMENTS(cases) + 3);
}

static void test_import_refused(Fixture *f, gconstpointer data)
{
	static const char *const names[] = { "", ".", "..", "a/b", "/x" };
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autofree char *fifo = g_build_filename(f->place, "fifo", NULL);
	g_autofree char *source = g_build_filename(f->data, "disk.qcow2", NULL);
	char *name = NULL;
	UtmBundleImportOptions options = UTM_BUNDLE_IMPORT_OPTIONS_INIT;
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	g_assert_cmpint(utm_bundle_import(bundle, fifo, NULL, &name, NULL), ==, UTM_ERROR_IO);
	g_assert_cmpint(utm_bundle_import(bundle, "/dev/null", NULL, &name, NULL), ==, UTM_ERROR_IO);
	g_assert_cmpint(utm_bundle_import(bundle, f->place, NULL, &name, NULL), ==, UTM_ERROR_IO);
	g_assert_cmpint(utm_bundle_import(bundle, "/nowhere/x", NULL, &name, NULL), ==, UTM_ERROR_NOT_FOUND);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		options.name = names[i];
		g_assert_cmpint(utm_bundle_import(bundle, source, &options, &name, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	}
	options.flags = UTM_BUNDLE_IMPORT_EXACT_NAME;
	options.name = "disk.qcow2";
	g_assert_cmpint(utm_bundle_import(bundle, source, &options, &name, NULL), ==, UTM_ERROR_BUNDLE_EXISTS);
	options.flags = 2;
	g_assert_cmpint(utm_bundle_import(bundle, source, &options, &name, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	/* Data leads out: nothing is written there. */
	test_remove_tree(f->data);
	put_link(f->root, "Data", "..");
	g_assert_cmpint(utm_bundle_import(bundle, "/proc/self/exe", NULL, &name, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	g_assert_null(name);
	g_assert_cmpuint(count_entries(f->place), ==, 2);
}

/* Holes stay holes, whichever way the bytes go. */
static void test_import_sparse(Fixture *f, gconstpointer data)
{
	g_autofree char *source = g_build_filename(f->place, "sparse.img", NULL);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autofree char *name = NULL;
	guint8 block[8192];
	memset(block, 7, sizeof block);
	int fd = open(source, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	g_assert_cmpint(ftruncate(fd, 3LL << 30), ==, 0);
	g_assert_cmpint(pwrite(fd, block, sizeof block, 1 << 30), ==, sizeof block);
	g_assert_cmpint(pwrite(fd, block, 100, (3LL << 30) - 100), ==, 100);
	UtmBundleImportOptions options = UTM_BUNDLE_IMPORT_OPTIONS_INIT;
	options.progress = utm_progress_new();
	assert_ok(utm_bundle_import(bundle, source, &options, &name, &problem));
	uint64_t done, total;
	utm_progress_get(options.progress, &done, &total);
	g_assert_cmpuint(done, ==, 3LL << 30);
	g_assert_cmpuint(total, ==, 3LL << 30);
	utm_progress_unref(options.progress);
	g_autofree char *path = g_build_filename(f->data, name, NULL);
	int copy = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	guint8 read_back[sizeof block];
	g_assert_cmpint(fstat(copy, &info), ==, 0);
	g_assert_cmpint(info.st_size, ==, 3LL << 30);
	g_assert_cmpint(info.st_blocks * 512, <, 1 << 20);
	g_assert_cmpint(pread(copy, read_back, sizeof block, 1 << 30), ==, sizeof block);
	g_assert_cmpint(memcmp(block, read_back, sizeof block), ==, 0);
	g_assert_cmpint(pread(copy, read_back, 200, (3LL << 30) - 100), ==, 100);
	g_assert_cmpint(memcmp(block, read_back, 100), ==, 0);
	close(copy);
	close(fd);
}

static gpointer trigger_soon(gpointer user_data)
{
	UtmBundleImportOptions *options = user_data;
	uint64_t done = 0;
	while (done == 0) {
		utm_progress_get(options->progress, &done, NULL);
		g_usleep(100);
	}
	utm_cancel_trigger(options->cancel);
	return NULL;
}

/* A file of data on another file system, so that it takes a moment, and nothing is left of it. */
static void test_import_cancelled(Fixture *f, gconstpointer data)
{
	g_autofree char *source = g_build_filename(g_file_test("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm" : f->place,
	                                           "utm-test-cancel.img", NULL);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autofree guint8 *block = g_malloc(1 << 20);
	char *name = NULL;
	memset(block, 1, 1 << 20);
	int fd = open(source, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (int i = 0; i < 64; i++)
		g_assert_cmpint(write(fd, block, 1 << 20), ==, 1 << 20);
	close(fd);
	UtmBundleImportOptions options = UTM_BUNDLE_IMPORT_OPTIONS_INIT;
	options.cancel = utm_cancel_new();
	options.progress = utm_progress_new();
	GThread *thread = g_thread_new("cancel", trigger_soon, &options);
	int result = utm_bundle_import(bundle, source, &options, &name, NULL);
	g_thread_join(thread);
	utm_cancel_unref(options.cancel);
	utm_progress_unref(options.progress);
	g_unlink(source);
	/* On a fast disk the last piece may have been under way. */
	g_assert_true(result == UTM_ERROR_CANCELLED || result == 0);
	g_assert_cmpuint(count_entries(f->data), ==, 1u + (result == 0));
	g_free(name);
}

/* --- files that go --- */

static const UtmBundleFile *find_file(const UtmBundleFiles *files, const char *name)
{
	for (size_t i = 0; i < utm_bundle_files_get_count(files); i++)
		if (strcmp(utm_bundle_files_get(files, i)->name, name) == 0)
			return utm_bundle_files_get(files, i);
	return NULL;
}

static void test_prune(Fixture *f, gconstpointer data)
{
	static const struct {
		const char *name;
		bool listed, prunable;
	} expected[] = {
		{ "disk.qcow2", false, false },  { "base.qcow2", false, false },   { "tpmdata", false, false },
		{ "old.qcow2", true, true },     { "old.img", true, true },        { "fake.qcow2", true, false },
		{ "notes.txt", true, false },    { "unknown", true, false },       { "mentioned.img", true, false },
		{ "argument.img", true, false }, { "dir.img", true, false },       { "link.img", true, false },
		{ "pipe.img", true, false },     { "efi_vars.fd", true, false },   { "debug.log", true, false },
		{ "image.IMG", true, false },    { "new\nline.img", true, true },  { ".utm-abcdefghijkl.tmp", true, true },
		{ "key.img", true, false },
	};
	g_autofree char *directory = g_build_filename(f->data, "dir.img", NULL);
	g_autofree char *pipe_path = g_build_filename(f->data, "pipe.img", NULL);
	g_autoptr(UtmBundleFiles) files = NULL;
	g_autoptr(UtmBundleFiles) removed = NULL;
	put_file(f->place, "outside.img", "not yours");
	put_qcow2(f->data, "disk.qcow2", "base.qcow2");
	for (gsize i = 1; i < G_N_ELEMENTS(expected); i++)
		if (!strstr("dir.img link.img pipe.img", expected[i].name))
			put_file(f->data, expected[i].name, "x");
	put_qcow2(f->data, "old.qcow2", NULL);
	g_assert_cmpint(g_mkdir(directory, 0700), ==, 0);
	g_assert_cmpint(mkfifo(pipe_path, 0600), ==, 0);
	put_link(f->data, "link.img", "../../outside.img");
	g_assert_cmpint(utm_config_insert(f->config, "QEMU.AdditionalArguments", -1,
		"\"-drive file=/x/M.utm/Data/argument.img,if=none\"", NULL), ==, 0);
	g_autofree char *plist = NULL;
	size_t size;
	g_assert_cmpint(utm_config_to_plist(f->config, &plist, &size, NULL), ==, 0);
	/* A newer UTM has keys that nobody here knows. */
	g_autofree char *newer = g_strdup_printf("%.*s\t<key>Zukunft</key>\n\t<dict>\n\t\t<key>key.img</key>\n\t\t<array>\n"
		"\t\t\t<string>mentioned.img</string>\n\t\t</array>\n\t</dict>\n</dict>\n</plist>\n",
		(int)(strstr(plist, "</dict>\n</plist>") - plist), plist);
	put_file(f->root, "config.plist", newer);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	assert_ok(utm_bundle_list_unreferenced(bundle, &files, &problem));
	gsize prunable = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
		const UtmBundleFile *file = find_file(files, expected[i].name);
		g_test_message("%s", expected[i].name);
		g_assert_cmpint(file != NULL, ==, expected[i].listed);
		g_assert_cmpint(file && file->prunable, ==, expected[i].prunable);
		prunable += expected[i].prunable;
	}
	assert_ok(utm_bundle_prune(bundle, NULL, &removed, &problem));
	g_assert_cmpuint(utm_bundle_files_get_count(removed), ==, prunable);
	for (gsize i = 0; i < G_N_ELEMENTS(expected); i++)
		g_assert_cmpint(has(f->data, expected[i].name), ==, !expected[i].prunable);
	/* Unknown ones by name; links themselves; all or none. */
	const char *const bad[] = { "notes.txt", "disk.qcow2", NULL };
	g_assert_cmpint(utm_bundle_prune(bundle, bad, NULL, NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_true(has(f->data, "notes.txt"));
	const char *const good[] = { "notes.txt", "link.img", "pipe.img", NULL };
	assert_ok(utm_bundle_prune(bundle, good, NULL, &problem));
	g_assert_false(has(f->data, "notes.txt") || has(f->data, "link.img") || has(f->data, "pipe.img"));
	g_assert_true(has(f->place, "outside.img"));
	g_assert_cmpint(utm_bundle_remove_file(bundle, "base.qcow2", NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_bundle_remove_file(bundle, "dir.img", NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_bundle_remove_file(bundle, "gone", NULL), ==, UTM_ERROR_IMAGE_MISSING);
	g_assert_cmpint(utm_bundle_remove_file(bundle, "../config.plist", NULL), ==, UTM_ERROR_IMAGE_MISSING);
	assert_ok(utm_bundle_remove_file(bundle, "unknown", &problem));
}

/* What keeps its data elsewhere may need anything. */
static void test_prune_unsure(Fixture *f, gconstpointer data)
{
	guint8 head[112] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmBundleFiles) removed = NULL;
	head[79] = 4;
	put_bytes(f->data, "disk.qcow2", head, sizeof head);
	put_file(f->data, "other.img", "its data");
	assert_ok(utm_bundle_prune(bundle, NULL, &removed, &problem));
	g_assert_cmpuint(utm_bundle_files_get_count(removed), ==, 0);
	g_assert_true(has(f->data, "other.img"));
	/* Rings of images end, too. */
	put_qcow2(f->data, "disk.qcow2", "disk.qcow2");
	g_clear_pointer(&removed, utm_bundle_files_free);
	assert_ok(utm_bundle_prune(bundle, NULL, &removed, &problem));
	g_assert_cmpuint(utm_bundle_files_get_count(removed), ==, 0);
	/* Without a data directory there is nothing to prune. */
	test_remove_tree(f->data);
	g_clear_pointer(&removed, utm_bundle_files_free);
	assert_ok(utm_bundle_prune(bundle, NULL, &removed, &problem));
	g_assert_cmpuint(utm_bundle_files_get_count(removed), ==, 0);
}

/* --- copies and names --- */

static void test_clone(Fixture *f, gconstpointer data)
{
	g_autofree char *path = g_build_filename(f->place, "Copy of it.utm", NULL);
	g_autofree char *copy_data = g_build_filename(path, "Data", NULL);
	g_autofree char *inner = g_build_filename(f->data, "a", "b", NULL);
	g_autofree char *pipe_path = g_build_filename(f->data, "pipe", NULL);
	g_autofree char *mac = NULL;
	g_autofree char *copy_mac = NULL;
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmBundle) copy = NULL;
	UtmBundle *none = NULL;
	g_assert_cmpint(g_mkdir_with_parents(inner, 0755), ==, 0);
	put_file(inner, "unknown", "kept");
	put_file(f->root, "screenshot.png", "picture");
	put_file(f->root, ".utm-abcdefghijkl.tmp", "rubbish");
	put_link(f->data, "link", "disk.qcow2");
	g_assert_cmpint(mkfifo(pipe_path, 0600), ==, 0);
	assert_ok(utm_bundle_clone(bundle, path, NULL, &copy, &problem));
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(copy)), ==, "Copy of it");
	g_assert_cmpstr(utm_config_get_uuid(utm_bundle_get_config(copy)), !=,
	                utm_config_get_uuid(utm_bundle_get_config(bundle)));
	g_assert_cmpuint(strlen(utm_config_get_uuid(utm_bundle_get_config(copy))), ==, 36);
	g_assert_cmpint(utm_config_get_string(f->config, "Network[0].MacAddress", &mac, NULL), ==, 0);
	g_assert_cmpint(utm_config_get_string(utm_bundle_get_config(copy), "Network[0].MacAddress", &copy_mac, NULL), ==, 0);
	g_assert_cmpstr(mac, !=, copy_mac);
	g_assert_true(g_regex_match_simple("^[0-9A-F][26AE](:[0-9A-F]{2}){5}$", copy_mac, 0, 0));
	g_assert_cmpuint(count_entries(path), ==, 3);
	g_assert_true(has(copy_data, "link") && has(copy_data, "a/b/unknown") && !has(copy_data, "pipe"));
	g_assert_cmpint(utm__bundle_check_images(copy, utm_bundle_get_config(copy), NULL), ==, 0);
	/* The original is as it was, and free. */
	g_assert_true(utm_config_equal(utm_bundle_get_config(bundle), f->config));
	g_assert_cmpuint(utm_bundle_get_lock_state(bundle), ==, UTM_BUNDLE_UNLOCKED);
	g_assert_cmpint(utm_bundle_clone(bundle, path, NULL, &none, NULL), ==, UTM_ERROR_BUNDLE_EXISTS);
	UtmBundleCloneOptions options = UTM_BUNDLE_CLONE_OPTIONS_INIT;
	g_autofree char *second_path = g_build_filename(f->place, "Second.utm", NULL);
	g_autoptr(UtmBundle) second = NULL;
	g_autofree char *second_mac = NULL;
	options.name = "Name of its own";
	options.flags = UTM_BUNDLE_CLONE_KEEP_MACS;
	assert_ok(utm_bundle_clone(bundle, second_path, &options, &second, &problem));
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(second)), ==, options.name);
	g_assert_cmpint(utm_config_get_string(utm_bundle_get_config(second), "Network[0].MacAddress", &second_mac, NULL), ==, 0);
	g_assert_cmpstr(mac, ==, second_mac);
	/* Into itself, cancelled, or by a damaged original: nothing is left. */
	g_autofree char *inside = g_build_filename(f->root, "Inside.utm", NULL);
	g_autofree char *third = g_build_filename(f->place, "Third.utm", NULL);
	options.cancel = utm_cancel_new();
	utm_cancel_trigger(options.cancel);
	g_assert_cmpint(utm_bundle_clone(bundle, third, &options, &none, NULL), ==, UTM_ERROR_CANCELLED);
	utm_cancel_unref(options.cancel);
	g_assert_cmpint(utm_bundle_clone(bundle, inside, NULL, &none, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpuint(count_entries(f->place), ==, 3);
	g_assert_null(none);
}

static void test_rename(Fixture *f, gconstpointer data)
{
	g_autofree char *expected = g_build_filename(f->place, "Neu- a-b-.utm", NULL);
	g_autofree char *taken = g_build_filename(f->place, "Taken.utm", NULL);
	g_autofree char *before = NULL;
	g_autofree char *after = NULL;
	g_autofree char *longest = g_strnfill(252, 'x');
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	const char *old_path = utm_bundle_get_path(bundle);
	g_autofree char *file = g_build_filename(f->root, "config.plist", NULL);
	g_assert_cmpint(g_mkdir(taken, 0700), ==, 0);
	g_assert_true(g_file_get_contents(file, &before, NULL, NULL));
	g_assert_cmpint(utm_bundle_rename(bundle, "Taken", NULL), ==, UTM_ERROR_BUNDLE_EXISTS);
	g_assert_cmpint(utm_bundle_rename(bundle, "", NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_bundle_rename(bundle, longest, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_bundle_rename(bundle, "bad \xff", NULL), <, 0);
	g_assert_true(g_file_get_contents(file, &after, NULL, NULL));
	g_assert_cmpstr(before, ==, after);
	assert_ok(utm_bundle_lock(bundle, &problem));
	assert_ok(utm_bundle_rename(bundle, "Neu: a/b?", &problem));
	g_assert_cmpstr(utm_bundle_get_path(bundle), ==, expected);
	g_assert_cmpstr(old_path, ==, f->root);
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(bundle)), ==, "Neu: a/b?");
	g_assert_false(g_file_test(f->root, G_FILE_TEST_EXISTS));
	/* The lock has moved with it. */
	g_autoptr(UtmBundle) other = NULL;
	assert_ok(utm_bundle_open(f->context, expected, &other, &problem));
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(other)), ==, "Neu: a/b?");
	g_assert_cmpint(utm_bundle_lock(other, NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
	/* The same file name for another name; and on it goes. */
	assert_ok(utm_bundle_rename(bundle, "Neu- a/b?", &problem));
	g_assert_cmpstr(utm_bundle_get_path(bundle), ==, expected);
	assert_ok(utm_bundle_save_config(bundle, utm_bundle_get_config(bundle), &problem));
	g_assert_cmpint(utm_bundle_save_config(other, utm_bundle_get_config(other), NULL), ==, UTM_ERROR_BUNDLE_LOCKED);
}

static void test_file_names(void)
{
	static const char *const cases[][2] = {
		{ "Debian", "Debian.utm" },
		{ "a,b/c:d\\e?f%g*h|i\"j<k>l", "a-b-c-d-e-f-g-h-i-j-k-l.utm" },
		{ "new\nline", "new-line.utm" },
		{ "..", "...utm" },
		{ "Früh", "Früh.utm" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *name = utm_bundle_dup_file_name(cases[i][0]);
		g_assert_cmpstr(name, ==, cases[i][1]);
	}
	g_autofree char *none = utm_bundle_dup_file_name(NULL);
	g_assert_cmpstr(none, ==, ".utm");
	g_assert_true(utm__is_temporary_name(".utm-abcdefghijkl.tmp"));
	g_assert_false(utm__is_temporary_name(".utm-abcdefghijklm.tmp") || utm__is_temporary_name(".utm-abcdefghijk6.tmp") ||
	               utm__is_temporary_name("x.utm-abcdefghijkl.tmp") || utm__is_temporary_name(""));
	char made[UTM_TEMPORARY_NAME_SIZE];
	utm__make_temporary_name(made);
	g_assert_true(utm__is_temporary_name(made));
}

/* --- size --- */

static void test_size(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	UtmBundleSize before = UTM_BUNDLE_SIZE_INIT, after = UTM_BUNDLE_SIZE_INIT;
	g_autofree char *path = g_build_filename(f->data, "one", NULL);
	g_autofree char *second = g_build_filename(f->data, "two", NULL);
	g_autofree char *big = g_strnfill(100000, 'x');
	assert_ok(utm_bundle_get_size(bundle, &before, &problem));
	g_assert_cmpuint(before.file_count, ==, 2);
	put_file(f->data, "one", big);
	g_assert_cmpint(link(path, second), ==, 0);
	put_link(f->data, "loop", "..");
	put_link(f->data, "out", "/usr");
	assert_ok(utm_bundle_get_size(bundle, &after, &problem));
	g_assert_cmpuint(after.file_count, ==, 3);
	g_assert_cmpuint(after.length_bytes, ==, before.length_bytes + 100000);
	g_assert_cmpuint(after.allocated_bytes, >=, before.allocated_bytes + 100000);
	g_assert_cmpuint(after.allocated_bytes, <, before.allocated_bytes + 150000);
	after.size = 3;
	g_assert_cmpint(utm_bundle_get_size(bundle, &after, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	after.size = 0;
	g_assert_cmpint(utm_bundle_get_size(bundle, &after, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	/* Very deep. */
	int directory = open(f->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < UTM_BUNDLE_DEPTH_MAX + 2; i++) {
		g_assert_cmpint(mkdirat(directory, "d", 0700), ==, 0);
		int next = openat(directory, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(directory);
		directory = next;
	}
	close(directory);
	UtmBundleSize deep = UTM_BUNDLE_SIZE_INIT;
	g_assert_cmpint(utm_bundle_get_size(bundle, &deep, NULL), ==, UTM_ERROR_LIMIT);
}

/* --- view.plist --- */

#define VIEW(content) "<plist version=\"1.0\"><dict>" content "</dict></plist>"

static void assert_view(UtmBundle *bundle, const UtmConfigLoadOptions *options, const char *expected)
{
	UtmValue *state = NULL;
	assert_ok(utm_bundle_get_view_state(bundle, options, &state, &problem));
	g_autofree char *json = utm_value_dup_json(state);
	g_assert_cmpstr(json, ==, expected);
	utm_value_free(state);
}

static void assert_no_view(UtmBundle *bundle, int code)
{
	g_autoptr(UtmError) problem = NULL;
	UtmValue *state = NULL;
	g_assert_cmpint(utm_bundle_get_view_state(bundle, NULL, &state, &problem), ==, code);
	g_assert_null(state);
	g_assert_true(g_str_has_suffix(utm_error_get_file(problem), "/M.utm/view.plist"));
}

static void test_view(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	UtmConfigLoadOptions exact = UTM_CONFIG_LOAD_OPTIONS_INIT;
	exact.flags = UTM_CONFIG_LOAD_UTM_EXACT;
	assert_no_view(bundle, UTM_ERROR_NOT_FOUND);
	put_file(f->root, "view.plist", VIEW("<key>Suspended</key><true/><key>ShowToolbar</key><true/>"));
	assert_view(bundle, NULL, "{\"Suspended\":true}");
	assert_view(bundle, &exact, "{\"Suspended\":true,\"WindowSettings\":{\"0\":{\"DisplayZoomLocked\":true,"
	                            "\"KeyboardVisible\":true,\"Origin\":[0.0,0.0],\"Scale\":1.0,\"ToolbarVisible\":true}}}");
	/* Read anew, and still there after a save. */
	put_file(f->root, "view.plist", VIEW(""));
	assert_ok(utm_bundle_save_config(bundle, f->config, &problem));
	assert_view(bundle, NULL, "{}");
}

static void test_hostile_view(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autofree char *path = g_build_filename(f->root, "view.plist", NULL);
	UtmValue *state = NULL;
	put_file(f->place, "secret", VIEW("<key>Suspended</key><true/>"));
	put_link(f->root, "view.plist", "../secret");
	g_assert_cmpint(utm_bundle_get_view_state(bundle, NULL, &state, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	g_assert_cmpint(unlink(path), ==, 0);
	g_assert_cmpint(mkfifo(path, 0600), ==, 0);
	assert_no_view(bundle, UTM_ERROR_IO);
	g_assert_cmpint(unlink(path), ==, 0);
	put_file(f->root, "view.plist", "<plist><array/></plist>");
	assert_no_view(bundle, UTM_ERROR_CONFIG_MALFORMED);
	g_assert_cmpint(truncate(path, (off_t)1 << 40), ==, 0);
	assert_no_view(bundle, UTM_ERROR_LIMIT);
}

/* --- pictures --- */

#define PNG "\x89PNG\r\n\x1a\nrest"

static void test_pictures(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autofree char *builtin = NULL;
	void *bytes = NULL;
	size_t size = 0;
	g_assert_cmpint(utm_bundle_read_screenshot(bundle, &bytes, &size, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_bundle_write_screenshot(bundle, "JFIF....", 8, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	assert_ok(utm_bundle_write_screenshot(bundle, PNG, sizeof PNG, &problem));
	assert_ok(utm_bundle_read_screenshot(bundle, &bytes, &size, &problem));
	g_assert_cmpmem(bytes, size, PNG, sizeof PNG);
	g_clear_pointer(&bytes, utm_free);
	assert_ok(utm_bundle_write_screenshot(bundle, NULL, 0, &problem));
	assert_ok(utm_bundle_write_screenshot(bundle, NULL, 0, &problem));
	g_assert_false(has(f->root, "screenshot.png"));
	put_link(f->root, "screenshot.png", "../secret");
	g_assert_cmpint(utm_bundle_read_screenshot(bundle, &bytes, &size, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	g_assert_cmpint(utm_bundle_write_screenshot(bundle, PNG, sizeof PNG, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	/* Icons: UTM's own, a file, none, one that is lost. */
	g_autoptr(UtmConfig) config = utm_config_copy(f->config);
	g_assert_cmpint(utm_config_set_string(config, "Information.Icon", "debian", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_bool(config, "Information.IconCustom", false, NULL), ==, 0);
	assert_ok(utm_bundle_save_config(bundle, config, &problem));
	assert_ok(utm_bundle_get_icon(bundle, &builtin, &bytes, &size, &problem));
	g_assert_cmpstr(builtin, ==, "debian");
	g_assert_null(bytes);
	g_assert_cmpint(utm_bundle_set_icon(bundle, "GIF89a", 6, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	assert_ok(utm_bundle_set_icon(bundle, PNG, sizeof PNG, &problem));
	assert_ok(utm_bundle_set_icon(bundle, "icnsX", 5, &problem));
	g_assert_true(has(f->data, "icon.png") && has(f->data, "icon.icns"));
	g_clear_pointer(&builtin, utm_free);
	assert_ok(utm_bundle_get_icon(bundle, &builtin, &bytes, &size, &problem));
	g_assert_null(builtin);
	g_assert_cmpmem(bytes, size, "icnsX", 5);
	g_clear_pointer(&bytes, utm_free);
	g_assert_cmpint(utm_bundle_remove_file(bundle, "icon.icns", NULL), ==, UTM_ERROR_INVALID_STATE);
	g_autofree char *icon = g_build_filename(f->data, "icon.icns", NULL);
	g_unlink(icon);
	g_assert_cmpint(utm_bundle_get_icon(bundle, &builtin, &bytes, &size, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(mkfifo(icon, 0600), ==, 0);
	g_assert_cmpint(utm_bundle_get_icon(bundle, &builtin, &bytes, &size, NULL), ==, UTM_ERROR_IO);
	g_assert_null(bytes);
}

/* --- older versions --- */

/* The files of an older package: in Images, the icon beside it. */
static void make_old(Fixture *f)
{
	g_autofree char *images = g_build_filename(f->root, "Images", NULL);
	g_assert_cmpint(rename(f->data, images), ==, 0);
	put_file(f->root, "my.png", PNG);
	g_assert_cmpint(utm_config_set_string(f->config, "Information.Icon", "my.png", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_bool(f->config, "Information.IconCustom", true, NULL), ==, 0);
	g_autofree char *text = NULL;
	size_t size;
	g_assert_cmpint(utm_config_to_plist(f->config, &text, &size, NULL), ==, 0);
	put_file(f->root, "config.plist", text);
}

static void test_old_layout(Fixture *f, gconstpointer data)
{
	g_autofree char *path = NULL;
	g_autofree char *builtin = NULL;
	void *bytes = NULL;
	size_t size = 0;
	int fd = -1;
	make_old(f);
	put_file(f->root, "debug.log", "log");
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmBundleFiles) files = NULL;
	g_autofree char *expected = g_build_filename(f->root, "Images", "disk.qcow2", NULL);
	assert_ok(utm_bundle_resolve(bundle, "disk.qcow2", &path, &problem));
	g_assert_cmpstr(path, ==, expected);
	assert_ok(utm_bundle_list_files(bundle, &files, &problem));
	g_assert_cmpuint(utm_bundle_files_get_count(files), ==, 1);
	assert_ok(utm_bundle_get_icon(bundle, &builtin, &bytes, &size, &problem));
	g_assert_cmpuint(size, ==, sizeof PNG - 1);
	g_clear_pointer(&bytes, utm_free);
	g_assert_cmpint(utm__bundle_begin_run(bundle, &fd, NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpuint(utm_bundle_get_lock_state(bundle), ==, UTM_BUNDLE_UNLOCKED);
	assert_ok(utm_bundle_save_config(bundle, utm_bundle_get_config(bundle), &problem));
	assert_ok(utm_bundle_save_config(bundle, utm_bundle_get_config(bundle), &problem));
	g_assert_true(has(f->data, "disk.qcow2") && has(f->data, "my.png") && has(f->data, "debug.log"));
	g_assert_cmpuint(count_entries(f->root), ==, 2);
	assert_ok(utm__bundle_begin_run(bundle, &fd, &problem));
	close(fd);
	utm__bundle_end_run(bundle);
}

static void test_old_layout_oddities(Fixture *f, gconstpointer data)
{
	/* A directory that has the name by chance stays, and so does a file that a configuration calls its icon. */
	g_autofree char *images = g_build_filename(f->root, "Images", NULL);
	g_assert_cmpint(g_mkdir(images, 0700), ==, 0);
	put_file(images, "holiday.jpg", "x");
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_assert_cmpint(utm_config_set_string(f->config, "Information.Icon", "config.plist", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_bool(f->config, "Information.IconCustom", true, NULL), ==, 0);
	assert_ok(utm_bundle_save_config(bundle, f->config, &problem));
	g_assert_true(has(images, "holiday.jpg") && has(f->root, "config.plist") && !has(f->data, "config.plist"));
	/* A clone of an old package is a new one. */
	test_remove_tree(images);
	make_old(f);
	g_autofree char *path = g_build_filename(f->place, "C.utm", NULL);
	g_autofree char *copy_data = g_build_filename(path, "Data", NULL);
	g_autoptr(UtmBundle) old = open_bundle(f);
	g_autoptr(UtmBundle) copy = NULL;
	assert_ok(utm_bundle_clone(old, path, NULL, &copy, &problem));
	g_assert_true(has(copy_data, "disk.qcow2") && has(copy_data, "my.png") && !has(path, "Images"));
	g_assert_true(has(f->root, "Images"));
}

/* A package that UTM 2 wrote: its name is that of the directory, and both of its directories at once are refused. */
static void test_legacy(Fixture *f, gconstpointer data)
{
	g_autofree char *sample = g_test_build_filename(G_TEST_DIST, "data", "config", "legacy-qemu-2.plist", NULL);
	g_autofree char *images = g_build_filename(f->root, "Images", NULL);
	g_autofree char *text = NULL;
	int fd = -1;
	g_assert_true(g_file_get_contents(sample, &text, NULL, NULL));
	put_file(f->root, "config.plist", text);
	put_file(f->root, "own.png", PNG);
	g_assert_cmpint(g_mkdir(images, 0700), ==, 0);
	put_qcow2(images, "disk.qcow2", NULL);
	put_file(images, "efi_vars.fd", "variables");
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmConfig) config = utm_config_copy(utm_bundle_get_config(bundle));
	g_assert_cmpstr(utm_config_get_name(config), ==, "M");
	g_assert_cmpint(utm_config_get_format(config, NULL), ==, UTM_CONFIG_FORMAT_LEGACY_QEMU);
	g_assert_cmpint(utm__bundle_begin_run(bundle, &fd, NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_bundle_save_config(bundle, config, NULL), ==, UTM_ERROR_BUNDLE_MIGRATION);
	g_assert_true(has(images, "efi_vars.fd") && has(f->data, "disk.qcow2") && has(f->root, "own.png"));
	g_autofree char *data_disk = g_build_filename(f->data, "disk.qcow2", NULL);
	g_assert_cmpint(g_unlink(data_disk), ==, 0);
	/* An empty Data is in nobody's way. The same copy may be saved again. */
	assert_ok(utm_bundle_save_config(bundle, config, &problem));
	assert_ok(utm_bundle_save_config(bundle, config, &problem));
	g_assert_true(has(f->data, "efi_vars.fd") && has(f->data, "disk.qcow2") && has(f->data, "own.png"));
	g_assert_cmpuint(count_entries(f->root), ==, 2);
	g_assert_cmpint(utm_config_get_format(utm_bundle_get_config(bundle), NULL), ==, UTM_CONFIG_FORMAT_CURRENT);
	g_autoptr(UtmBundle) again = open_bundle(f);
	g_assert_true(utm_config_equal(utm_bundle_get_config(again), config));
	assert_ok(utm__bundle_begin_run(again, &fd, &problem));
	close(fd);
	utm__bundle_end_run(again);
}

/* What a machine of the other back end refers to is not pruned, and its copy keeps what identifies its hardware. */
static void test_apple(Fixture *f, gconstpointer data)
{
	static const char *const kept[] = { "disk.img", "vmstate", "AuxiliaryStorage", "efi_vars.fd" };
	g_autofree char *sample = g_test_build_filename(G_TEST_DIST, "data", "config", "apple-linux.plist", NULL);
	g_autofree char *path = g_build_filename(f->place, "C.utm", NULL);
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(sample, &text, NULL, NULL));
	put_file(f->root, "config.plist", text);
	for (gsize i = 0; i < G_N_ELEMENTS(kept); i++)
		put_file(f->data, kept[i], "x");
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	g_autoptr(UtmBundle) copy = NULL;
	assert_ok(utm_bundle_prune(bundle, NULL, NULL, &problem));
	for (gsize i = 0; i < G_N_ELEMENTS(kept); i++)
		g_assert_true(has(f->data, kept[i]));
	assert_ok(utm_bundle_clone(bundle, path, NULL, &copy, &problem));
	g_assert_cmpstr(utm_config_get_uuid(utm_bundle_get_config(copy)), !=, utm_config_get_uuid(utm_bundle_get_config(bundle)));
	g_autofree char *mac = NULL;
	g_autofree char *copy_mac = NULL;
	(void)utm_config_get_string(utm_bundle_get_config(bundle), "Network[0].MacAddress", &mac, NULL);
	(void)utm_config_get_string(utm_bundle_get_config(copy), "Network[0].MacAddress", &copy_mac, NULL);
	g_assert_cmpstr(mac, ==, copy_mac);
}

/* --- lists --- */

static void test_list_directory(Fixture *f, gconstpointer data)
{
	static const struct {
		const char *file, *name;
		int code;
	} expected[] = {
		{ "Broken.utm", "Broken", UTM_ERROR_CONFIG_MALFORMED }, { "Empty.utm", "Empty", UTM_ERROR_NOT_A_BUNDLE },
		{ "File.utm", "File", UTM_ERROR_NOT_A_BUNDLE },         { "Gone.utm", "Gone", UTM_ERROR_NOT_FOUND },
		{ "Link.utm", "Early", 0 },                             { "M.utm", "Early", 0 },
		{ "Out.utm", "Out", UTM_ERROR_BUNDLE_PATH_ESCAPE },     { "Pipe.utm", "Pipe", UTM_ERROR_IO },
		{ "new\nline.utm", "new\nline", UTM_ERROR_NOT_A_BUNDLE },
	};
	static const char *const directories[] = { "Broken.utm", "Empty.utm", "Out.utm", "Pipe.utm", "new\nline.utm",
		                                       "Other.UTM", "nothing" };
	g_autoptr(UtmBundleList) list = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(directories); i++) {
		g_autofree char *path = g_build_filename(f->place, directories[i], NULL);
		g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
		if (*directories[i] == 'B')
			put_file(path, "config.plist", "rubbish");
		if (*directories[i] == 'O')
			put_link(path, "config.plist", "../M.utm/config.plist");
		g_autofree char *file = g_build_filename(path, "config.plist", NULL);
		if (*directories[i] == 'P')
			g_assert_cmpint(mkfifo(file, 0600), ==, 0);
	}
	put_file(f->place, "File.utm", "x");
	put_link(f->place, "Link.utm", "M.utm");
	put_link(f->place, "Gone.utm", "nowhere.utm");
	put_file(f->place, ".utm", "x");
	assert_ok(utm_bundle_list_directory(f->place, &list, &problem));
	g_assert_cmpuint(utm_bundle_list_get_count(list), ==, G_N_ELEMENTS(expected));
	for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
		const UtmBundleEntry *entry = utm_bundle_list_get(list, i);
		g_autofree char *path = g_build_filename(f->place, expected[i].file, NULL);
		g_assert_cmpstr(entry->path, ==, path);
		g_assert_cmpstr(entry->name, ==, expected[i].name);
		g_assert_cmpint(utm_error_get_code(entry->error), ==, expected[i].code);
		g_assert_cmpint(entry->uuid != NULL, ==, expected[i].code == 0);
	}
	g_assert_null(utm_bundle_list_get(list, G_N_ELEMENTS(expected)));
	UtmBundleList *none = NULL;
	g_autofree char *file = g_build_filename(f->place, "File.utm", NULL);
	g_assert_cmpint(utm_bundle_list_directory("/nowhere/at/all", &none, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_bundle_list_directory(file, &none, NULL), ==, UTM_ERROR_IO);
	g_assert_null(none);
	g_assert_cmpuint(utm_bundle_list_get_count(NULL), ==, 0);
	utm_bundle_list_free(NULL);
}

/* --- somebody who exchanges things meanwhile --- */

typedef struct Swapper {
	const char *place;
	gint stop;
} Swapper;

static gpointer swap(gpointer user_data)
{
	Swapper *swapper = user_data;
	g_autofree char *data = g_build_filename(swapper->place, "M.utm", "Data", NULL);
	g_autofree char *link = g_build_filename(swapper->place, "M.utm", "Link", NULL);
	g_assert_cmpint(symlink("../outside", link), ==, 0);
	while (!g_atomic_int_get(&swapper->stop)) {
		renameat2(AT_FDCWD, data, AT_FDCWD, link, RENAME_EXCHANGE);
		renameat2(AT_FDCWD, data, AT_FDCWD, link, RENAME_EXCHANGE);
		g_usleep(5); /* valgrind lets the other thread run only then */
	}
	return NULL;
}

/* Data is a directory at one moment and a link that leads out at the next: nothing is ever made or removed outside. */
static void test_swapped(Fixture *f, gconstpointer data)
{
	g_autofree char *outside = g_build_filename(f->place, "outside", NULL);
	g_autofree char *source = g_build_filename(f->place, "source.img", NULL);
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	Swapper swapper = { .place = f->place };
	g_assert_cmpint(g_mkdir(outside, 0700), ==, 0);
	put_file(outside, "precious.img", "not yours");
	put_file(f->place, "source.img", "content");
	GThread *thread = g_thread_new("swap", swap, &swapper);
	for (int i = 0; i < 100; i++) {
		char *name = NULL;
		int imported = utm_bundle_import(bundle, source, NULL, &name, NULL);
		g_assert_true(imported == 0 || imported == UTM_ERROR_BUNDLE_PATH_ESCAPE || imported == UTM_ERROR_NOT_FOUND ||
		              imported == UTM_ERROR_IO);
		(void)utm_bundle_prune(bundle, NULL, NULL, NULL);
		g_assert_cmpint(utm_bundle_remove_file(bundle, "precious.img", NULL), <, 0);
		g_free(name);
	}
	g_atomic_int_set(&swapper.stop, 1);
	g_thread_join(thread);
	g_assert_cmpuint(count_entries(outside), ==, 1);
	g_assert_true(has(outside, "precious.img"));
}

/* --- misuse --- */

static void test_misuse(Fixture *f, gconstpointer data)
{
	g_autoptr(UtmBundle) bundle = open_bundle(f);
	UtmBundle *none = NULL;
	UtmBundleFiles *files = NULL;
	UtmBundleList *list = NULL;
	UtmBundleSize size = UTM_BUNDLE_SIZE_INIT;
	char *text = NULL;
	void *bytes = NULL;
	size_t length = 0;
	UtmBundleCloneOptions clone = UTM_BUNDLE_CLONE_OPTIONS_INIT;
	UtmBundleCreateOptions create = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	const int wrong = UTM_ERROR_INVALID_ARGUMENT;
	g_assert_cmpint(utm_bundle_create(NULL, "x.utm", f->config, NULL, &none, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_create(f->context, NULL, f->config, NULL, &none, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_create(f->context, "x.utm", NULL, NULL, &none, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_create(f->context, "x.utm", f->config, NULL, NULL, NULL), ==, wrong);
	create.file_count = 1;
	g_assert_cmpint(utm_bundle_create(f->context, "x.utm", f->config, &create, &none, NULL), ==, wrong);
	create.size = 1;
	g_assert_cmpint(utm_bundle_create(f->context, "x.utm", f->config, &create, &none, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	g_assert_cmpint(utm_bundle_clone(NULL, "x.utm", NULL, &none, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_clone(bundle, NULL, NULL, &none, NULL), ==, wrong);
	clone.flags = 8;
	g_assert_cmpint(utm_bundle_clone(bundle, "x.utm", &clone, &none, NULL), ==, wrong);
	clone.flags = UTM_BUNDLE_CLONE_KEEP_MACS;
	clone.config = utm_bundle_get_config(bundle);
	g_assert_cmpint(utm_bundle_clone(bundle, "x.utm", &clone, &none, NULL), ==, wrong);
	clone.config = NULL;
	g_assert_cmpint(utm_bundle_import(NULL, "x", NULL, &text, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_import(bundle, NULL, NULL, &text, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_import(bundle, "", NULL, &text, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_import(bundle, "x", NULL, NULL, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_lock(NULL, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_unlock(NULL, NULL), ==, wrong);
	g_assert_cmpuint(utm_bundle_get_lock_state(NULL), ==, UTM_BUNDLE_UNLOCKED);
	g_assert_cmpint(utm_bundle_prune(NULL, NULL, NULL, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_remove_file(bundle, NULL, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_list_unreferenced(NULL, &files, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_list_unreferenced(bundle, NULL, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_list_directory(NULL, &list, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_rename(NULL, "x", NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_rename(bundle, NULL, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_get_size(NULL, &size, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_get_size(bundle, NULL, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_get_icon(bundle, NULL, &bytes, &length, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_set_icon(bundle, NULL, 0, NULL), ==, wrong);
	UtmConfigLoadOptions load = UTM_CONFIG_LOAD_OPTIONS_INIT;
	UtmValue *state = NULL;
	g_assert_cmpint(utm_bundle_get_view_state(NULL, NULL, &state, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_get_view_state(bundle, NULL, NULL, NULL), ==, wrong);
	load.flags = 1u << 31;
	put_file(f->root, "view.plist", VIEW(""));
	g_assert_cmpint(utm_bundle_get_view_state(bundle, &load, &state, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_read_screenshot(bundle, NULL, &length, NULL), ==, wrong);
	g_assert_cmpint(utm_bundle_write_screenshot(NULL, NULL, 0, NULL), ==, wrong);
	utm_progress_unref(NULL);
	uint64_t done = 1, total = 1;
	utm_progress_get(NULL, &done, &total);
	g_assert_cmpuint(done + total, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(name, fn) g_test_add("/bundle/" name, Fixture, NULL, set_up, fn, tear_down)
	TEST("lock/one-process", test_lock_in_one_process);
	TEST("lock/another-process", test_lock_of_another_process);
	TEST("lock/machine", test_lock_for_a_machine);
	TEST("lock/changed-by-another", test_changed_by_another);
	TEST("save/owner", test_save_keeps_owner);
	TEST("create/all", test_create);
	TEST("create/refused", test_create_refused);
	TEST("create/clears-away", test_create_clears_away);
	TEST("create/race", test_create_race);
	TEST("import/names", test_import_names);
	TEST("import/refused", test_import_refused);
	TEST("import/sparse", test_import_sparse);
	TEST("import/cancelled", test_import_cancelled);
	TEST("prune/all", test_prune);
	TEST("prune/unsure", test_prune_unsure);
	TEST("clone", test_clone);
	TEST("rename", test_rename);
	g_test_add_func("/bundle/file-names", test_file_names);
	TEST("size", test_size);
	TEST("view", test_view);
	TEST("view/hostile", test_hostile_view);
	TEST("pictures", test_pictures);
	TEST("old-layout/moves", test_old_layout);
	TEST("old-layout/oddities", test_old_layout_oddities);
	TEST("old-layout/legacy", test_legacy);
	TEST("apple", test_apple);
	TEST("list-directory", test_list_directory);
	TEST("swapped", test_swapped);
	TEST("misuse", test_misuse);
	return g_test_run();
}
