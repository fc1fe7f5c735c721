/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Firmware descriptors, the choice among what they tell, and whether a store of UEFI variables fits. */
#include "tree.h"
#include "host/host-private.h"
#include "vm/uefi-vars.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* --- descriptors --- */

typedef struct Place {
	char *dir;
	UtmHost *host;
} Place;

static void place_init(Place *place)
{
	place->dir = test_place_new();
	place->host = utm__host_new(UTM_HOST_OS_LINUX);
}

static void place_clear(Place *place)
{
	utm_host_unref(place->host);
	test_remove_tree(place->dir);
	g_free(place->dir);
}

static void put_image(const Place *place, const char *name, gsize size)
{
	g_autofree char *path = g_build_filename(place->dir, name, NULL);
	put_file(place->dir, name, "");
	g_assert_cmpint(truncate(path, (off_t)size), ==, 0);
}

/* With ' for " in `features`. */
static void put_descriptor(const Place *place, const char *name, const char *machine, const char *code, const char *vars,
                           const char *features)
{
	g_autofree char *text = g_strdup_printf(
		"{ 'interface-types': [ 'uefi' ], 'mapping': { 'device': 'flash',"
		" 'executable': { 'filename': '%s/%s', 'format': '%s' },"
		" 'nvram-template': { 'filename': '%s/%s', 'format': 'raw' } },"
		" 'targets': [ { 'architecture': 'x86_64', 'machines': [ '%s' ] } ], 'features': [ %s ] }",
		place->dir, code, g_str_has_suffix(code, ".qcow2") ? "qcow2" : "raw", place->dir, vars, machine, features);
	g_strdelimit(text, "'", '"');
	put_file(place->dir, name, text);
}

static UtmHostFirmware *find(const Place *place)
{
	UtmHostFacts *facts = utm__host_edit_facts(place->host);
	for (gsize i = 0; i < facts->firmware_count; i++)
		utm__host_firmware_free(facts->firmware[i]);
	facts->firmware_count = 0;
	utm__firmware_find(facts, "x86_64", (const char *const[]){ "/nowhere", NULL });
	utm__firmware_find_described(facts->firmware[0], (const char *const[]){ "/nowhere", place->dir, NULL });
	return facts->firmware[0];
}

static void assert_image(const Place *place, const char *found, const char *name)
{
	g_autofree char *path = name ? g_build_filename(place->dir, name, NULL) : NULL;
	g_assert_cmpstr(found, ==, path);
}

#define SECURE "'secure-boot', 'requires-smm'"
#define ENROLLED SECURE ", 'enrolled-keys'"

static void test_descriptors(void)
{
	Place place;
	place_init(&place);
	put_image(&place, "code.fd", 1);
	put_image(&place, "secure.fd", 1);
	put_image(&place, "small.fd", 131072);
	put_image(&place, "vars.fd", 540672);
	put_image(&place, "keyed.fd", 540672);
	put_descriptor(&place, "30-small.json", "pc-q35-*", "small.fd", "small.fd", "");
	put_descriptor(&place, "40-secure.json", "pc-q35-*", "secure.fd", "vars.fd", SECURE);
	put_descriptor(&place, "50-enrolled.json", "pc-q35-*", "secure.fd", "keyed.fd", ENROLLED);
	put_descriptor(&place, "60-plain.json", "pc-q35-*", "code.fd", "vars.fd", "'acpi-s3'");
	put_descriptor(&place, "70-plain.json", "pc-q35-*", "secure.fd", "vars.fd", "");
	UtmHostFirmware *entry = find(&place);
	assert_image(&place, entry->code, "code.fd");
	assert_image(&place, entry->vars_template, "vars.fd");
	assert_image(&place, entry->secure_code, "secure.fd");
	assert_image(&place, entry->secure_vars_template, "keyed.fd");

	/* Better the other layout than none. */
	put_file(place.dir, "60-plain.json", "");
	put_file(place.dir, "70-plain.json", "");
	assert_image(&place, find(&place)->code, "small.fd");
	place_clear(&place);
}

/* Nothing of these is taken, and none of them is in the way of the good one. */
static void test_bad_descriptors(void)
{
	Place place;
	place_init(&place);
	put_image(&place, "code.fd", 1);
	put_image(&place, "code.qcow2", 1);
	put_image(&place, "vars.fd", 540672);
	put_descriptor(&place, "10.json", "microvm", "code.fd", "vars.fd", "");
	put_descriptor(&place, "11.json", "pc-q35-*", "gone.fd", "vars.fd", "");
	put_descriptor(&place, "12.json", "pc-q35-*", "code.fd", "../gone.fd", "");
	put_descriptor(&place, "13.json", "pc-q35-*", "code.fd", "vars.fd", "'requires-smm'");
	put_file(place.dir, "20.json", "{");
	put_file(place.dir, "21.json", "[]");
	put_file(place.dir, "22.json", "{ \"interface-types\": 7, \"targets\": { \"a\": [] }, \"mapping\": [ null ] }");
	put_file(place.dir, "23.json", "{ \"interface-types\": [ \"uefi\", 1, null ], \"targets\": [ 1, { \"architecture\": [] } ] }");
	put_link(place.dir, "24.json", "/dev/zero");
	put_image(&place, "25.json", 100000);
	g_autofree char *deep = g_strnfill(60000, '[');
	put_file(place.dir, "26.json", deep);
	g_autofree char *directory = g_build_filename(place.dir, "27.json", NULL);
	g_mkdir(directory, 0700);
	g_assert_null(find(&place)->code);
	put_descriptor(&place, "90.json", "pc-q35-*", "code.qcow2", "vars.fd", "");
	assert_image(&place, find(&place)->code, "code.qcow2");
	place_clear(&place);
}

/* --- the store --- */

static UtmConfig *make_config(bool tpm)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	UtmConfig *config = NULL;
	options.architecture = "x86_64";
	options.target = "q35";
	g_assert_cmpint(utm_config_new_default(&options, &config, NULL), ==, 0);
	g_assert_cmpint(utm_config_set_bool(config, "QEMU.TPMDevice", tpm, NULL), ==, 0);
	return config;
}

typedef struct Store {
	Place place;
	char *data;
	UtmConfig *config;
} Store;

static void store_init(Store *store, bool tpm)
{
	place_init(&store->place);
	store->data = g_build_filename(store->place.dir, "Data", NULL);
	g_mkdir(store->data, 0755);
	store->config = make_config(tpm);
	put_image(&store->place, "code.fd", 3653632);
	put_image(&store->place, "vars.fd", 540672);
	put_image(&store->place, "keyed.fd", 540672);
	put_descriptor(&store->place, "1.json", "pc-q35-*", "code.fd", "vars.fd", "");
	put_descriptor(&store->place, "2.json", "pc-q35-*", "code.fd", "keyed.fd", ENROLLED);
	find(&store->place);
}

static void store_clear(Store *store)
{
	utm_config_unref(store->config);
	g_free(store->data);
	place_clear(&store->place);
}

static void expect_store(Store *store, guint64 size, bool to_write, int code)
{
	g_autofree char *path = g_build_filename(store->data, "efi_vars.fd", NULL);
	UtmError *error = NULL;
	put_file(store->data, "efi_vars.fd", "");
	g_assert_cmpint(truncate(path, (off_t)size), ==, 0);
	g_assert_cmpint(utm__host_inspect_bundle(store->place.host, store->config, store->place.dir, NULL), ==, 0);
	g_assert_cmpint(
		utm__firmware_check_vars(store->place.host, store->config, store->place.dir, to_write, &error), ==, code);
	if (code) {
		g_test_message("%s / %s", utm_error_get_message(error), utm_error_get_remedy(error));
		g_assert_cmpstr(utm_error_get_file(error), ==, path);
		g_assert_cmpstr(utm_error_get_key_path(error), ==, "QEMU.UEFIBoot");
	}
	utm_error_unref(error);
}

static void test_fits(void)
{
	Store store;
	store_init(&store, false);
	g_assert_cmpint(utm__firmware_check_vars(store.place.host, store.config, store.place.dir, true, NULL), ==, 0);
	expect_store(&store, 540672, true, 0);
	expect_store(&store, 131072, true, UTM_ERROR_FIRMWARE_MISMATCH);
	expect_store(&store, 67108864, false, UTM_ERROR_FIRMWARE_MISMATCH);
	expect_store(&store, 0, false, UTM_ERROR_FIRMWARE_MISMATCH);
	/* A qcow2 counts by what a guest sees of it. */
	g_autofree char *path = g_build_filename(store.data, "efi_vars.fd", NULL);
	for (int i = 0; i < 2; i++) {
		guint8 head[512] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 2, [29] = i ? 8 : 9, [30] = 0x40 };
		g_assert_true(g_file_set_contents(path, (char *)head, sizeof head, NULL));
		g_assert_cmpint(utm__host_inspect_bundle(store.place.host, store.config, store.place.dir, NULL), ==, 0);
		g_assert_cmpint(utm__firmware_check_vars(store.place.host, store.config, store.place.dir, true, NULL), ==,
		                i ? 0 : UTM_ERROR_FIRMWARE_MISMATCH);
	}
	/* Nobody looks at the store of a machine that boots without UEFI. */
	utm_config_set_bool(store.config, "QEMU.UEFIBoot", false, NULL);
	expect_store(&store, 1, true, 0);
	store_clear(&store);
}

static void expect_template(Store *store, UtmFirmwareKeys keys, const char *name)
{
	g_autofree char *template = NULL;
	int code = utm__firmware_choose_template(store->place.host, store->config, keys, &template, NULL);
	g_assert_cmpint(code, ==, name ? 0 : UTM_ERROR_FIRMWARE_NOT_FOUND);
	assert_image(&store->place, template, name);
}

static void test_keys(void)
{
	for (int tpm = 0; tpm < 2; tpm++) {
		Store store;
		store_init(&store, tpm);
		expect_template(&store, UTM_FIRMWARE_KEYS_AUTO, tpm ? "keyed.fd" : "vars.fd");
		expect_template(&store, UTM_FIRMWARE_KEYS_ENROLLED, "keyed.fd");
		expect_template(&store, UTM_FIRMWARE_KEYS_NONE, "vars.fd");
		/* The same variables twice: there are none with keys. */
		put_descriptor(&store.place, "2.json", "pc-q35-*", "code.fd", "vars.fd", SECURE);
		find(&store.place);
		expect_template(&store, UTM_FIRMWARE_KEYS_ENROLLED, NULL);
		expect_template(&store, UTM_FIRMWARE_KEYS_AUTO, "vars.fd");
		store_clear(&store);
	}
}

/* --- who may write --- */

typedef struct Attempt {
	UtmContext *context;
	UtmVarsSpec spec;
	UtmError *error;
} Attempt;

static void never_done(UtmError *error_taken, void *data)
{
	g_assert_not_reached();
}

static void make_on_io(void *data)
{
	Attempt *attempt = data;
	g_assert_null(utm__vars_make(attempt->context, &attempt->spec, &attempt->error));
}

static void test_read_only(void)
{
	Store store;
	bool was_root = geteuid() == 0;
	store_init(&store, false);
	g_chmod(store.place.dir, 0755);
	expect_store(&store, 540672, true, 0);
	g_autofree char *path = g_build_filename(store.data, "efi_vars.fd", NULL);
	g_autofree char *template = g_build_filename(store.place.dir, "vars.fd", NULL);
	g_chmod(path, 0444);
	g_chmod(store.data, 0555);
	Attempt attempt = { .context = utm_context_new(NULL, NULL) };
	attempt.spec = (UtmVarsSpec){ .bundle_path = store.place.dir, .template_path = template, .done = never_done };
	if (was_root)
		g_assert_cmpint(seteuid(65534), ==, 0);
	UtmError *error = NULL;
	int code = utm__firmware_check_vars(store.place.host, store.config, store.place.dir, true, &error);
	int disposable = utm__firmware_check_vars(store.place.host, store.config, store.place.dir, false, NULL);
	utm__context_call(attempt.context, make_on_io, &attempt);
	if (was_root)
		g_assert_cmpint(seteuid(0), ==, 0);
	g_assert_cmpint(code, ==, UTM_ERROR_IO);
	g_assert_nonnull(strstr(utm_error_get_remedy(error), "disposable"));
	g_assert_cmpint(disposable, ==, 0);
	g_assert_cmpint(utm_error_get_code(attempt.error), ==, UTM_ERROR_IO);
	g_assert_nonnull(strstr(utm_error_get_remedy(attempt.error), "can be written"));
	utm_error_unref(error);
	utm_error_unref(attempt.error);
	utm_context_unref(attempt.context);
	g_chmod(store.data, 0755);
	store_clear(&store);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/firmware/descriptors", test_descriptors);
	g_test_add_func("/firmware/bad-descriptors", test_bad_descriptors);
	g_test_add_func("/firmware/fits", test_fits);
	g_test_add_func("/firmware/keys", test_keys);
	g_test_add_func("/firmware/read-only", test_read_only);
	return g_test_run();
}
