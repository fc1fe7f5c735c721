/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls on packages that do not block: what they give, how they are cancelled, and what is left when nobody waits. */
#include "bundle.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <utm/utm.h>

#define MIB (1024 * 1024)
/* Some ten milliseconds to copy, without holes. */
#define LARGE (96 * MIB)
#define DEADLINE_MS 30000

typedef struct Fixture {
	UtmContext *context;
	char *place;
	char *package; /* with Data/disk.img */
	UtmBundle *bundle;
} Fixture;

/* What came back; one call at a time. */
typedef struct Outcome {
	int called, freed;
	int code;
	UtmBundle *bundle;
	UtmBundleList *list;
	UtmHardware *hardware;
	UtmBundleSize size;
	char *name;
	GThread *thread;
} Outcome;

static void outcome_clear(Outcome *outcome)
{
	utm_bundle_unref(outcome->bundle);
	utm_bundle_list_free(outcome->list);
	utm_hardware_unref(outcome->hardware);
	g_free(outcome->name);
	*outcome = (Outcome){ 0 };
}

static void take(Outcome *outcome, const UtmError *error)
{
	outcome->called++;
	outcome->code = error ? utm_error_get_code(error) : 0;
	outcome->thread = g_thread_self();
}

static void on_made(UtmContext *ctx, UtmBundle *bundle, const UtmError *error, void *data)
{
	((Outcome *)data)->bundle = bundle;
	take(data, error);
}

static void on_imported(UtmBundle *bundle, const char *name, const UtmError *error, void *data)
{
	((Outcome *)data)->name = g_strdup(name);
	take(data, error);
}

static void on_size(UtmBundle *bundle, const UtmBundleSize *size, const UtmError *error, void *data)
{
	if (size)
		((Outcome *)data)->size = *size;
	take(data, error);
}

static void on_list(UtmContext *ctx, UtmBundleList *list, const UtmError *error, void *data)
{
	((Outcome *)data)->list = list;
	take(data, error);
}

static void on_hardware(UtmContext *ctx, UtmHardware *hardware, const UtmError *error, void *data)
{
	((Outcome *)data)->hardware = hardware;
	take(data, error);
}

static void on_free(void *data)
{
	((Outcome *)data)->freed++;
}

static void wait_for(UtmContext *context, const Outcome *outcome)
{
	gint64 end = g_get_monotonic_time() + DEADLINE_MS * 1000;
	while (!outcome->freed && g_get_monotonic_time() < end)
		utm_context_wait(context, 100);
	g_assert_cmpint(outcome->freed, ==, 1);
	g_assert_cmpint(outcome->called, ==, 1);
	g_assert_true(outcome->thread == g_thread_self());
}

static char *path_of(const Fixture *f, const char *name)
{
	return g_build_filename(f->place, name, NULL);
}

static void make_large(const char *path)
{
	g_autofree char *piece = g_malloc(MIB);
	FILE *file = fopen(path, "wb");
	memset(piece, 'x', MIB);
	g_assert_nonnull(file);
	for (int i = 0; i < LARGE / MIB; i++)
		g_assert_cmpuint(fwrite(piece, 1, MIB, file), ==, MIB);
	g_assert_cmpint(fclose(file), ==, 0);
}

static void set_up(Fixture *f, gconstpointer data)
{
	f->context = utm_context_new(NULL, NULL);
	f->package = test_bundle_new("One", NULL);
	f->place = g_path_get_dirname(f->package);
	test_bundle_add_file(f->package, "disk.img", NULL, 64 * 1024);
	g_assert_cmpint(utm_bundle_open(f->context, f->package, &f->bundle, NULL), ==, 0);
}

static void tear_down(Fixture *f, gconstpointer data)
{
	utm_bundle_unref(f->bundle);
	utm_context_unref(f->context);
	g_free(f->place);
	test_bundle_remove(f->package);
}

/* Names in the place, but for temporary ones, which count. */
static guint count_temporary(const Fixture *f)
{
	g_autoptr(GDir) dir = g_dir_open(f->place, 0, NULL);
	guint count = 0;
	for (const char *name; (name = g_dir_read_name(dir));)
		count += g_str_has_prefix(name, ".utm-");
	return count;
}

/* --- what they give --- */

static void test_create(Fixture *f, gconstpointer data)
{
	UtmBundleCreateOptions options = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	g_autofree char *path = path_of(f, "New.utm"), *source = g_build_filename(f->package, "Data", "disk.img", NULL);
	char *name = g_strdup("root.img");
	UtmBundleSource file = { source, name };
	UtmConfig *config = utm_config_copy(utm_bundle_get_config(f->bundle));
	uint64_t done = 0, total = 0;
	Outcome outcome = { 0 };
	options.files = &file;
	options.file_count = 1;
	options.progress = utm_progress_new();
	g_assert_cmpint(utm_bundle_create_async(f->context, path, config, &options, on_made, &outcome, on_free, NULL), ==, 0);
	/* All was copied. */
	g_free(name);
	memset(&file, 0xff, sizeof file);
	g_assert_cmpint(utm_config_set_string(config, "Information.Name", "Changed", NULL), ==, 0);
	utm_config_unref(config);
	wait_for(f->context, &outcome);
	g_assert_cmpint(outcome.code, ==, 0);
	g_assert_cmpstr(utm_bundle_get_path(outcome.bundle), ==, path);
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(outcome.bundle)), !=, "Changed");
	utm_progress_get(options.progress, &done, &total);
	g_assert_cmpuint(done, ==, 64 * 1024);
	utm_progress_unref(options.progress);
	g_autofree char *disk = g_build_filename(path, "Data", "root.img", NULL);
	g_assert_true(g_file_test(disk, G_FILE_TEST_IS_REGULAR));
	outcome_clear(&outcome);
	/* Now it is there. */
	g_assert_cmpint(utm_bundle_create_async(f->context, path, utm_bundle_get_config(f->bundle), NULL, on_made, &outcome,
	                                        on_free, NULL), ==, 0);
	wait_for(f->context, &outcome);
	g_assert_cmpint(outcome.code, ==, UTM_ERROR_BUNDLE_EXISTS);
	g_assert_null(outcome.bundle);
}

static void test_clone(Fixture *f, gconstpointer data)
{
	UtmBundleCloneOptions options = UTM_BUNDLE_CLONE_OPTIONS_INIT;
	g_autofree char *path = path_of(f, "Copy.utm"), *missing = path_of(f, "none/Copy.utm");
	Outcome outcome = { 0 };
	options.name = "Another";
	g_assert_cmpint(utm_bundle_clone_async(f->bundle, path, &options, on_made, &outcome, on_free, NULL), ==, 0);
	wait_for(f->context, &outcome);
	g_assert_cmpint(outcome.code, ==, 0);
	g_assert_cmpstr(utm_config_get_name(utm_bundle_get_config(outcome.bundle)), ==, "Another");
	outcome_clear(&outcome);
	g_assert_cmpint(utm_bundle_clone_async(f->bundle, missing, NULL, on_made, &outcome, on_free, NULL), ==, 0);
	wait_for(f->context, &outcome);
	g_assert_cmpint(outcome.code, ==, UTM_ERROR_NOT_FOUND);
}

static void test_import_and_size(Fixture *f, gconstpointer data)
{
	g_autofree char *source = path_of(f, "more.img");
	UtmBundleSize size = UTM_BUNDLE_SIZE_INIT;
	Outcome outcome = { 0 };
	put_file(f->place, "more.img", "more");
	g_assert_cmpint(utm_bundle_import_async(f->bundle, source, NULL, on_imported, &outcome, on_free, NULL), ==, 0);
	wait_for(f->context, &outcome);
	g_assert_cmpstr(outcome.name, ==, "more.img");
	outcome_clear(&outcome);
	g_assert_cmpint(utm_bundle_import_async(f->bundle, "/nonexistent/x.img", NULL, on_imported, &outcome, on_free, NULL), ==, 0);
	wait_for(f->context, &outcome);
	g_assert_cmpint(outcome.code, ==, UTM_ERROR_NOT_FOUND);
	g_assert_null(outcome.name);
	outcome_clear(&outcome);
	g_assert_cmpint(utm_bundle_get_size_async(f->bundle, on_size, &outcome, on_free, NULL), ==, 0);
	wait_for(f->context, &outcome);
	g_assert_cmpint(utm_bundle_get_size(f->bundle, &size, NULL), ==, 0);
	g_assert_cmpuint(outcome.size.file_count, ==, 3);
	g_assert_cmpuint(outcome.size.length_bytes, ==, size.length_bytes);
}

static void test_list(Fixture *f, gconstpointer data)
{
	Outcome outcome = { 0 };
	g_assert_cmpint(utm_bundle_list_directory_async(f->context, f->place, on_list, &outcome, on_free, NULL), ==, 0);
	wait_for(f->context, &outcome);
	g_assert_cmpuint(utm_bundle_list_get_count(outcome.list), ==, 1);
	outcome_clear(&outcome);
	g_assert_cmpint(utm_bundle_list_directory_async(f->context, "/nonexistent", on_list, &outcome, on_free, NULL), ==, 0);
	wait_for(f->context, &outcome);
	g_assert_cmpint(outcome.code, ==, UTM_ERROR_NOT_FOUND);
}

static void test_hardware(Fixture *f, gconstpointer data)
{
	Outcome outcome = { 0 };
	g_assert_cmpint(utm_hardware_query_async(f->context, "avr", 0, on_hardware, &outcome, on_free, NULL), ==, 0);
	wait_for(f->context, &outcome);
	g_assert_cmpint(outcome.code, ==, 0);
	g_assert_cmpstr(utm_hardware_get_architecture(outcome.hardware), ==, "avr");
	outcome_clear(&outcome);
}

/* --- wrong arguments: at once, and free_fn alone is called --- */

static void expect_refused(int code, int expected, Outcome *outcome)
{
	g_assert_cmpint(code, ==, expected);
	g_assert_cmpint(outcome->freed, ==, 1);
	g_assert_cmpint(outcome->called, ==, 0);
	outcome_clear(outcome);
}

static void test_refused(Fixture *f, gconstpointer data)
{
	UtmConfig *config = utm_bundle_get_config(f->bundle);
	UtmBundleCreateOptions create = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	UtmBundleCloneOptions clone = UTM_BUNDLE_CLONE_OPTIONS_INIT;
	UtmBundleImportOptions import = UTM_BUNDLE_IMPORT_OPTIONS_INIT;
	Outcome o = { 0 };
	create.size = 1;
	clone.flags = 64;
	import.name = "../x";
	expect_refused(utm_bundle_create_async(NULL, "/x.utm", config, NULL, on_made, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_bundle_create_async(f->context, NULL, config, NULL, on_made, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_bundle_create_async(f->context, "/x.utm", NULL, NULL, on_made, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_bundle_create_async(f->context, "/x.utm", config, &create, on_made, &o, on_free, NULL), UTM_ERROR_STRUCT_SIZE, &o);
	expect_refused(utm_bundle_clone_async(NULL, "/x.utm", NULL, on_made, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_bundle_clone_async(f->bundle, "/x.utm", &clone, on_made, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_bundle_import_async(f->bundle, NULL, NULL, on_imported, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_bundle_import_async(f->bundle, "/x", &import, on_imported, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_bundle_get_size_async(NULL, on_size, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_bundle_list_directory_async(f->context, NULL, on_list, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_hardware_query_async(NULL, "avr", 0, on_hardware, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
	expect_refused(utm_hardware_query_async(f->context, "cris", 0, on_hardware, &o, on_free, NULL), UTM_ERROR_CONFIG_INVALID_VALUE, &o);
	expect_refused(utm_hardware_query_async(f->context, "avr", 2, on_hardware, &o, on_free, NULL), UTM_ERROR_INVALID_ARGUMENT, &o);
}

/* --- giving up --- */

static void wait_for_progress(UtmProgress *progress)
{
	uint64_t done = 0, total = 0;
	for (int i = 0; i < DEADLINE_MS && !done; i++) {
		utm_progress_get(progress, &done, &total);
		g_usleep(done ? 0 : 200);
	}
	g_assert_cmpuint(done, >, 0);
}

/* In the middle of a copy; and one that has not begun, behind as many as work at a time. */
static void test_cancel(Fixture *f, gconstpointer data)
{
	UtmBundleImportOptions options = UTM_BUNDLE_IMPORT_OPTIONS_INIT;
	g_autofree char *source = path_of(f, "large");
	Outcome outcomes[8] = { { 0 } };
	gsize copied = 0;
	UtmBundleSize size = UTM_BUNDLE_SIZE_INIT;
	make_large(source);
	options.cancel = utm_cancel_new();
	options.progress = utm_progress_new();
	for (gsize i = 0; i < G_N_ELEMENTS(outcomes); i++)
		g_assert_cmpint(utm_bundle_import_async(f->bundle, source, &options, on_imported, &outcomes[i], on_free, NULL), ==, 0);
	wait_for_progress(options.progress);
	utm_cancel_trigger(options.cancel);
	for (gsize i = 0; i < G_N_ELEMENTS(outcomes); i++) {
		wait_for(f->context, &outcomes[i]);
		/* Under valgrind the first may have been through already; the last has to wait for them. */
		if (outcomes[i].code == 0)
			copied++;
		else
			g_assert_cmpint(outcomes[i].code, ==, UTM_ERROR_CANCELLED);
		outcome_clear(&outcomes[i]);
	}
	g_assert_cmpuint(copied, <, G_N_ELEMENTS(outcomes));
	/* One that is asked for after that does not begin. */
	g_assert_cmpint(utm_bundle_import_async(f->bundle, source, &options, on_imported, &outcomes[0], on_free, NULL), ==, 0);
	wait_for(f->context, &outcomes[0]);
	g_assert_cmpint(outcomes[0].code, ==, UTM_ERROR_CANCELLED);
	g_assert_cmpint(utm_bundle_get_size(f->bundle, &size, NULL), ==, 0);
	g_assert_cmpuint(size.file_count, ==, 2 + copied);
	utm_cancel_unref(options.cancel);
	utm_progress_unref(options.progress);
}

/* Nobody waits any more: what was begun is cleared away before the context has gone, and only free_fn is called. */
static void test_end(Fixture *f, gconstpointer data)
{
	UtmBundleCloneOptions options = UTM_BUNDLE_CLONE_OPTIONS_INIT;
	g_autofree char *disk = g_build_filename(f->package, "Data", "disk.img", NULL);
	Outcome outcomes[6] = { { 0 } };
	make_large(disk);
	options.progress = utm_progress_new();
	for (gsize i = 0; i < G_N_ELEMENTS(outcomes); i++) {
		g_autofree char *name = g_strdup_printf("Copy %zu.utm", i), *path = path_of(f, name);
		g_assert_cmpint(utm_bundle_clone_async(f->bundle, path, &options, on_made, &outcomes[i], on_free, NULL), ==, 0);
	}
	wait_for_progress(options.progress);
	utm_bundle_unref(g_steal_pointer(&f->bundle));
	utm_context_unref(g_steal_pointer(&f->context));
	for (gsize i = 0; i < G_N_ELEMENTS(outcomes); i++) {
		g_assert_cmpint(outcomes[i].called, ==, 0);
		g_assert_cmpint(outcomes[i].freed, ==, 1);
	}
	g_assert_cmpuint(count_temporary(f), ==, 0);
	utm_progress_unref(options.progress);
}

/* The bundle goes, the context stays: the work is done, and nobody is told. */
static void test_closed(Fixture *f, gconstpointer data)
{
	g_autofree char *path = path_of(f, "Copy.utm");
	Outcome outcome = { 0 };
	gint64 end = g_get_monotonic_time() + DEADLINE_MS * 1000;
	g_assert_cmpint(utm_bundle_clone_async(f->bundle, path, NULL, on_made, &outcome, on_free, NULL), ==, 0);
	utm_bundle_unref(g_steal_pointer(&f->bundle));
	while (!outcome.freed && g_get_monotonic_time() < end)
		utm_context_wait(f->context, 100);
	g_assert_cmpint(outcome.freed, ==, 1);
	g_assert_cmpint(outcome.called, ==, 0);
	g_assert_true(g_file_test(path, G_FILE_TEST_IS_DIR));
}

static void add(const char *path, void (*function)(Fixture *f, gconstpointer data))
{
	g_test_add(path, Fixture, NULL, set_up, function, tear_down);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/bundle-async/create", test_create);
	add("/bundle-async/clone", test_clone);
	add("/bundle-async/import-and-size", test_import_and_size);
	add("/bundle-async/list", test_list);
	add("/bundle-async/hardware", test_hardware);
	add("/bundle-async/refused", test_refused);
	add("/bundle-async/cancel", test_cancel);
	add("/bundle-async/end", test_end);
	add("/bundle-async/closed", test_closed);
	return g_test_run();
}
