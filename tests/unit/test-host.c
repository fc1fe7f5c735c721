/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host facts: as JSON, from this host, from the files of a bundle; and the firmware that follows from them. */
#include "base/util.h"
#include "host/host-private.h"
#include "host/qemu-program.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char base_config[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?><plist version=\"1.0\"><dict>"
	"<key>Backend</key><string>QEMU</string><key>ConfigurationVersion</key><integer>4</integer>"
	"<key>Information</key><dict><key>Name</key><string>x</string><key>IconCustom</key><false/>"
	"<key>UUID</key><string>01234567-89AB-4CDE-8F01-23456789ABCD</string></dict>"
	"<key>System</key><dict><key>Architecture</key><string>x86_64</string><key>Target</key><string>q35</string>"
	"<key>CPU</key><string>default</string><key>CPUFlagsAdd</key><array/><key>CPUFlagsRemove</key><array/>"
	"<key>CPUCount</key><integer>1</integer><key>ForceMulticore</key><false/><key>MemorySize</key><integer>64</integer>"
	"<key>JITCacheSize</key><integer>0</integer></dict>"
	"<key>QEMU</key><dict><key>DebugLog</key><false/><key>UEFIBoot</key><true/><key>RNGDevice</key><false/>"
	"<key>BalloonDevice</key><false/><key>TPMDevice</key><false/><key>Hypervisor</key><false/>"
	"<key>RTCLocalTime</key><false/><key>PS2Controller</key><false/><key>AdditionalArguments</key><array/></dict>"
	"<key>Input</key><dict><key>UsbBusSupport</key><string>2.0</string><key>UsbSharing</key><false/>"
	"<key>MaximumUsbShare</key><integer>3</integer></dict>"
	"<key>Sharing</key><dict><key>DirectoryShareMode</key><string>None</string><key>DirectoryShareReadOnly</key><false/"
    ">"
	"<key>ClipboardSharing</key><false/></dict>"
	"<key>Display</key><array/><key>Network</key><array/><key>Serial</key><array/><key>Sound</key><array/>"
	"<key>Drive</key><array/></dict></plist>";

static void check(int code, UtmError *error)
{
	if (code == 0)
		return;
	g_autofree char *text = error ? utm_error_dup_text(error) : NULL;
	g_error("failed with %d: %s", code, text ? text : "");
}

static UtmConfig *make_config(const char *drives)
{
	UtmConfig *config = NULL;
	UtmError *error = NULL;

	check(utm_config_new_from_data(base_config, strlen(base_config), &config, &error), error);
	if (drives)
		check(utm_config_set_text(config, "Drive", drives, &error), error);
	return config;
}

static UtmHost *make_host(const char *json)
{
	UtmHost *host = NULL;
	UtmError *error = NULL;

	check(utm_host_new_from_json(UTM_HOST_OS_LINUX, json, &host, &error), error);
	return host;
}

/* --- JSON --- */

static void test_json_round_trip(void)
{
	g_autoptr(UtmHost) host =
		make_host("{ 'PhysicalCores': 3, 'Accelerated': [ 'x86_64' ], 'Acceleration': 'KVM', 'QemuVersion': '7.2.22',"
	              " 'Firmware': [ { 'Architecture': 'x86_64', 'Code': '/code' } ], 'FileLock': false,"
	              " 'Medium': [ { 'Identifier': 'A', 'Path': '/a' } ], 'SharedDirectory': '/s' }");
	g_autoptr(UtmHost) again = NULL;
	g_autofree char *json = NULL;
	g_autofree char *json_again = NULL;
	UtmError *error = NULL;

	check(utm_host_to_json(host, &json, &error), error);
	check(utm_host_new_from_json(UTM_HOST_OS_LINUX, json, &again, &error), error);
	check(utm_host_to_json(again, &json_again, &error), error);
	g_assert_cmpstr(json, ==, json_again);
	g_assert_nonnull(strstr(json, "\"PhysicalCores\": 3"));
	g_assert_cmpint(utm__host_get_facts(again)->acceleration, ==, UTM_HOST_ACCELERATION_KVM);
	g_assert_false(utm__host_get_facts(again)->file_lock);
	g_assert_cmpint(utm__host_get_facts(again)->logical_cores, ==, 3);
}

static void test_json_defaults(void)
{
	g_autoptr(UtmHost) host = make_host(NULL);
	g_autoptr(UtmHost) mac = NULL;
	const UtmHostFacts *facts = utm__host_get_facts(host);

	g_assert_cmpstr(facts->architecture, ==, "x86_64");
	g_assert_cmpint(facts->physical_cores, >, 0);
	g_assert_cmpint(facts->logical_cores, >, 0);
	g_assert_cmpuint(facts->firmware_count, >, 0);
	g_assert_cmpuint(facts->accelerated_count, ==, 0);
	g_assert_true(facts->file_lock);
	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_MACOS, "{}", &mac, NULL), ==, 0);
	g_assert_cmpstr(utm__host_get_facts(mac)->architecture, ==, "aarch64");
}

static void expect_refused(const char *json, int code, const char *key_path)
{
	g_autoptr(UtmError) error = NULL;
	UtmHost *host = NULL;

	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, json, &host, &error), ==, code);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, key_path);
	g_assert_null(host);
}

static void test_json_refused(void)
{
	UtmHost *host = NULL;

	expect_refused("{", UTM_ERROR_CONFIG_MALFORMED, NULL);
	expect_refused("[]", UTM_ERROR_CONFIG_MALFORMED, NULL);
	expect_refused("{ 'Medium': [ { 'Path': '/x' }, 3 ] }", UTM_ERROR_CONFIG_MALFORMED, "Medium[1]");
	expect_refused("{ 'Acceleration': 'HVF' }", UTM_ERROR_CONFIG_INVALID_VALUE, "Acceleration");
	expect_refused("{ 'PhysicalCores': -1 }", UTM_ERROR_CONFIG_INVALID_VALUE, "PhysicalCores");
	g_assert_cmpint(utm_host_new_from_json(7, NULL, &host, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_host_to_json(NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

/* A misspelt fact must not be taken for a missing one. */
static void test_json_unknown(void)
{
	g_autoptr(UtmError) error = NULL;
	UtmHost *host = NULL;

	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, "{ 'Cores': 4 }", &host, &error), <, 0);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "Cores");
}

/* --- the probe --- */

typedef struct Place {
	char *dir;
	char *program;
	const char *dirs[2];
	char *path;
} Place;

/* A directory of our own is all that is searched. */
static void place_init(Place *place, const char *script)
{
	place->dir = g_dir_make_tmp("utm-host-XXXXXX", NULL);
	place->program = g_build_filename(place->dir, "qemu-system-x86_64", NULL);
	place->dirs[0] = place->dir;
	place->dirs[1] = NULL;
	place->path = g_strdup(g_getenv("PATH"));
	if (script)
		g_assert_true(g_file_set_contents(place->program, script, -1, NULL));
	g_chmod(place->program, 0700);
	g_setenv("PATH", "/nowhere", TRUE);
}

static void place_clear(Place *place)
{
	g_setenv("PATH", place->path, TRUE);
	g_unlink(place->program);
	g_rmdir(place->dir);
	g_free(place->dir);
	g_free(place->program);
	g_free(place->path);
}

static UtmContext *make_context(const Place *place, uint32_t policy)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;

	options.qemu_dirs = place->dirs;
	options.accel_policy = policy;
	return utm_context_new(&options, NULL);
}

static int probe(const char *script, UtmHost **ret_host, UtmError **error)
{
	g_autoptr(UtmConfig) config = make_config(NULL);
	Place place;

	place_init(&place, script);
	UtmContext *context = make_context(&place, UTM_ACCEL_POLICY_TCG);
	int code = utm_host_probe(context, config, ret_host, error);
	utm_context_unref(context);
	place_clear(&place);
	return code;
}

static void test_probe_version(void)
{
	g_autoptr(UtmHost) host = NULL;
	UtmError *error = NULL;

	check(probe("#!/bin/sh\necho 'QEMU emulator version 9.1.3 (x)'\necho 'Copyright'\n", &host, &error), error);
	const UtmHostFacts *facts = utm__host_get_facts(host);
	g_assert_cmpstr(facts->qemu_version, ==, "9.1.3");
	g_assert_true(g_path_is_absolute(facts->qemu_path));
	g_assert_true(g_str_has_suffix(facts->qemu_path, "/qemu-system-x86_64"));
	g_assert_cmpint(facts->acceleration, ==, UTM_HOST_ACCELERATION_TCG);
	g_assert_cmpint(facts->physical_cores, >=, 1);
	g_assert_cmpint(facts->logical_cores, >=, facts->physical_cores);
}

static void expect_probe_fails(const char *script, int code, int exit_status, const char *text)
{
	g_autoptr(UtmHost) host = NULL;
	g_autoptr(UtmError) error = NULL;

	g_assert_cmpint(probe(script, &host, &error), ==, code);
	g_assert_null(host);
	g_autofree char *all = utm_error_dup_text(error);
	if (!strstr(all, text))
		g_error("no \"%s\" in %s", text, all);
	g_assert_cmpint(utm_error_get_exit_status(error), ==, exit_status);
}

static void test_probe_failures(void)
{
	expect_probe_fails(NULL, UTM_ERROR_QEMU_NOT_FOUND, -1, "qemu-system-x86");
	expect_probe_fails("#!/bin/sh\necho broken >&2; exit 3\n", UTM_ERROR_PROCESS_EXITED, 3, "status 3");
	expect_probe_fails("#!/bin/sh\necho hello\n", UTM_ERROR_PROCESS_EXITED, 0, "like QEMU");
	expect_probe_fails("#!/bin/sh\nkill -9 $$\n", UTM_ERROR_PROCESS_EXITED, 137, "137");
	expect_probe_fails("#!/bin/sh\n/usr/bin/head -c 3000000 /dev/zero\n", UTM_ERROR_PROCESS_EXITED, 0, "like QEMU");
}

/* The program is asked once, and again when its file has changed. */
static void test_probe_memory(void)
{
	g_autoptr(UtmConfig) config = make_config(NULL);
	g_autofree char *script = NULL;
	g_autofree char *count = NULL;
	Place place;

	place_init(&place, "");
	script = g_strdup_printf("#!/bin/sh\necho 'QEMU emulator version 8.0.0'\necho $1 >>'%s/count'\n", place.dir);
	g_assert_true(g_file_set_contents(place.program, script, -1, NULL));
	g_chmod(place.program, 0700);
	UtmContext *context = make_context(&place, UTM_ACCEL_POLICY_TCG);
	g_autofree char *count_path = g_build_filename(place.dir, "count", NULL);
	for (int i = 0; i < 4; i++) {
		UtmHost *host = NULL;

		if (i == 3) {
			g_autofree char *longer = g_strconcat(script, "#\n", NULL);
			g_assert_true(g_file_set_contents(place.program, longer, -1, NULL));
			g_chmod(place.program, 0700);
		}
		g_assert_cmpint(utm_host_probe(context, config, &host, NULL), ==, 0);
		utm_host_unref(host);
	}
	utm_context_unref(context);
	g_assert_true(g_file_get_contents(count_path, &count, NULL, NULL));
	g_assert_cmpstr(count, ==, "-version\n-version\n");
	g_unlink(count_path);
	place_clear(&place);
}

static void test_probe_misuse(void)
{
	UtmHost *host = NULL;

	g_assert_cmpint(utm_host_probe(NULL, NULL, &host, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

/* --- all of a host --- */

/* Nothing of QEMU is there, and that is an answer. */
static void test_all_missing(void)
{
	g_autoptr(UtmHost) host = NULL;
	UtmHostItem item = UTM_HOST_ITEM_INIT;
	UtmError *error = NULL;
	Place place;

	place_init(&place, NULL);
	UtmContext *context = make_context(&place, UTM_ACCEL_POLICY_AUTO);
	check(utm_host_probe_all(context, "riscv64", &host, &error), error);
	utm_context_unref(context);
	place_clear(&place);
	g_assert_cmpuint(utm_host_get_item_count(host, UTM_HOST_ITEM_QEMU), ==, 1);
	check(utm_host_get_item(host, UTM_HOST_ITEM_QEMU, 0, &item, &error), error);
	g_assert_cmpstr(item.name, ==, "riscv64");
	g_assert_cmpuint(item.state, ==, UTM_HOST_ITEM_STATE_ABSENT);
	g_assert_nonnull(item.reason);
	for (size_t i = 0; utm_host_get_item(host, UTM_HOST_ITEM_ACCELERATOR, i, &item, NULL) == 0; i++)
		g_assert_cmpuint(item.state, ==, UTM_HOST_ITEM_STATE_ABSENT);
	for (size_t i = 0; utm_host_get_item(host, UTM_HOST_ITEM_AUDIO, i, &item, NULL) == 0; i++)
		g_assert_cmpuint(item.state, ==, UTM_HOST_ITEM_STATE_ABSENT);
	g_assert_cmpstr(utm__host_get_facts(host)->host_audio, ==, "none");
}

static bool find_item(const UtmHost *host, UtmHostItemKind kind, const char *name, UtmHostItem *ret_item)
{
	for (size_t i = 0; utm_host_get_item(host, kind, i, ret_item, NULL) == 0; i++)
		if (!strcmp(ret_item->name, name))
			return true;
	return false;
}

/* The real QEMU; once more, it is all known. */
static void test_all_real(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	g_autofree char *path = g_find_program_in_path("qemu-system-x86_64");
	g_autoptr(UtmHost) host = NULL;
	g_autoptr(UtmHost) again = NULL;
	g_autofree char *json = NULL;
	g_autofree char *json_again = NULL;
	UtmHostItem item = UTM_HOST_ITEM_INIT;
	UtmError *error = NULL;

	if (!path) {
		g_test_skip("no qemu-system-x86_64 here");
		utm_context_unref(context);
		return;
	}
	check(utm_host_probe_all(context, "x86_64", &host, &error), error);
	gint64 start = g_get_monotonic_time();
	check(utm_host_probe_all(context, "x86_64", &again, &error), error);
	g_assert_cmpint(g_get_monotonic_time() - start, <, 1500000);
	utm_context_unref(context);
	check(utm_host_to_json(host, &json, &error), error);
	check(utm_host_to_json(again, &json_again, &error), error);
	g_assert_cmpstr(json, ==, json_again);
	g_assert_true(find_item(host, UTM_HOST_ITEM_QEMU, "x86_64", &item));
	g_assert_cmpuint(item.state, ==, UTM_HOST_ITEM_STATE_WORKS);
	g_assert_true(g_ascii_isdigit(item.version[0]));
	g_assert_cmpstr(item.version, ==, utm__host_get_facts(host)->qemu_version);
	g_assert_true(find_item(host, UTM_HOST_ITEM_ACCELERATOR, "tcg", &item));
	g_assert_cmpuint(item.state, ==, UTM_HOST_ITEM_STATE_WORKS);
	g_assert_true(find_item(host, UTM_HOST_ITEM_ACCELERATOR, "kvm", &item));
	g_assert_true((item.state == UTM_HOST_ITEM_STATE_WORKS) == (utm__host_get_facts(host)->accelerated_count == 1));
	g_assert_true(find_item(host, UTM_HOST_ITEM_AUDIO, "none", &item));
	g_assert_cmpuint(item.state, ==, UTM_HOST_ITEM_STATE_WORKS);
	g_assert_true(find_item(host, UTM_HOST_ITEM_GRAPHICS, "render-node", &item));
	g_assert_true(find_item(host, UTM_HOST_ITEM_TOOL, "qemu-bridge-helper", &item));
}

/* What was found elsewhere can be looked at here. */
static void test_items(void)
{
	g_autoptr(UtmHost) host = make_host("{ 'Accelerators': [ { 'Name': 'tcg' },"
	                                    " { 'Name': 'kvm', 'State': 'Fails', 'Reason': 'hangs' } ] }");
	g_autoptr(UtmError) error = NULL;
	UtmHostItem item = UTM_HOST_ITEM_INIT;
	UtmContext *context = utm_context_new(NULL, NULL);
	UtmHost *none = NULL;

	g_assert_cmpuint(utm_host_get_item_count(host, UTM_HOST_ITEM_ACCELERATOR), ==, 2);
	g_assert_cmpuint(utm_host_get_item_count(host, UTM_HOST_ITEM_TOOL), ==, 0);
	g_assert_cmpuint(utm_host_get_item_count(host, (UtmHostItemKind)99), ==, 0);
	g_assert_cmpuint(utm_host_get_item_count(NULL, UTM_HOST_ITEM_TOOL), ==, 0);
	g_assert_cmpint(utm_host_get_item(host, UTM_HOST_ITEM_ACCELERATOR, 1, &item, NULL), ==, 0);
	g_assert_cmpuint(item.size, ==, sizeof(item));
	g_assert_cmpuint(item.state, ==, UTM_HOST_ITEM_STATE_FAILS);
	g_assert_cmpstr(item.reason, ==, "hangs");
	g_assert_null(item.path);
	g_assert_cmpint(utm_host_get_item(host, UTM_HOST_ITEM_ACCELERATOR, 2, &item, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_host_get_item(host, (UtmHostItemKind)99, 0, &item, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_host_get_item(NULL, UTM_HOST_ITEM_TOOL, 0, &item, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_host_get_item(host, UTM_HOST_ITEM_TOOL, 0, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	item.size = 0;
	g_assert_cmpint(utm_host_get_item(host, UTM_HOST_ITEM_ACCELERATOR, 0, &item, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	expect_refused("{ 'Tools': [ { 'State': 'Perhaps' } ] }", UTM_ERROR_CONFIG_INVALID_VALUE, "Tools[0].State");
	g_assert_cmpint(utm_host_probe_all(NULL, NULL, &none, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_host_probe_all(context, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_host_probe_all(context, "vax", &none, &error), ==, UTM_ERROR_CONFIG_INVALID_VALUE);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "System.Architecture");
	utm_context_unref(context);
}

/* --- the files of a bundle --- */

typedef struct Bundle {
	char *path;
	char *data;
} Bundle;

static void bundle_init(Bundle *bundle)
{
	bundle->path = g_dir_make_tmp("utm-bundle-XXXXXX", NULL);
	bundle->data = g_build_filename(bundle->path, "Data", NULL);
	g_mkdir(bundle->data, 0700);
}

static void bundle_clear(Bundle *bundle)
{
	GDir *dir = g_dir_open(bundle->data, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(bundle->data, name, NULL);
		g_unlink(path);
	}
	g_dir_close(dir);
	g_rmdir(bundle->data);
	g_rmdir(bundle->path);
	g_free(bundle->data);
	g_free(bundle->path);
}

static void put_file(const Bundle *bundle, const char *name, const void *bytes, gsize size, gsize file_size)
{
	g_autofree char *path = g_build_filename(bundle->data, name, NULL);

	g_assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
	g_assert_cmpint(truncate(path, (off_t)file_size), ==, 0);
}

static void put_qcow2(const Bundle *bundle, const char *name, const char *backing, guint8 incompatible)
{
	guint8 bytes[512] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };

	if (backing) {
		bytes[14] = 1; /* at 256 */
		bytes[19] = (guint8)strlen(backing);
		memcpy(bytes + 256, backing, strlen(backing));
	}
	bytes[79] = incompatible;
	put_file(bundle, name, bytes, sizeof(bytes), 196608);
}

static int inspect(const Bundle *bundle, const char *drives, UtmHost **ret_host, UtmError **error)
{
	g_autoptr(UtmConfig) config = make_config(drives);

	*ret_host = make_host(NULL);
	return utm__host_inspect_bundle(*ret_host, config, bundle->path, error);
}

static void expect_vars(const Bundle *bundle, const char *format)
{
	g_autoptr(UtmHost) host = NULL;
	UtmError *error = NULL;

	check(inspect(bundle, NULL, &host, &error), error);
	g_assert_cmpstr(utm__host_get_facts(host)->efi_vars_format, ==, format);
}

static void expect_escape(const Bundle *bundle, const char *drives, const char *key_path)
{
	g_autoptr(UtmHost) host = NULL;
	g_autoptr(UtmError) error = NULL;

	g_assert_cmpint(inspect(bundle, drives, &host, &error), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, key_path);
	g_assert_nonnull(utm_error_get_file(error));
}

static void test_inspect_vars(void)
{
	g_autofree char *path = NULL;
	Bundle bundle;

	bundle_init(&bundle);
	expect_vars(&bundle, NULL); /* that of what will be made */
	put_qcow2(&bundle, "efi_vars.fd", NULL, 0);
	expect_vars(&bundle, "qcow2");
	put_file(&bundle, "efi_vars.fd", "x", 1, 540672);
	expect_vars(&bundle, "raw");
	put_file(&bundle, "efi_vars.fd", "QFI\xfb", 4, 67108864);
	expect_vars(&bundle, "raw"); /* a flash chip to which the guest wrote another header */
	put_file(&bundle, "efi_vars.fd", "", 0, 0);
	expect_vars(&bundle, "raw");
	put_qcow2(&bundle, "efi_vars.fd", "/etc/passwd", 0);
	expect_escape(&bundle, NULL, "QEMU.UEFIBoot");
	put_qcow2(&bundle, "efi_vars.fd", NULL, 4);
	expect_escape(&bundle, NULL, "QEMU.UEFIBoot");
	path = g_build_filename(bundle.data, "efi_vars.fd", NULL);
	g_unlink(path);
	g_assert_cmpint(symlink("/etc/passwd", path), ==, 0);
	expect_escape(&bundle, NULL, "QEMU.UEFIBoot");
	bundle_clear(&bundle);
}

#define DISK(name) "[{'ImageType':'Disk','Interface':'VirtIO','Identifier':'A','ImageName':'" name "'}]"

static void test_inspect_drives(void)
{
	g_autoptr(UtmHost) host = NULL;
	UtmError *error = NULL;
	Bundle bundle;

	bundle_init(&bundle);
	put_qcow2(&bundle, "disk", NULL, 0);
	check(inspect(&bundle, DISK("disk"), &host, &error), error);
	g_assert_cmpuint(utm__host_get_facts(host)->medium_count, ==, 1);
	g_assert_cmpstr(utm__host_get_facts(host)->medium[0]->format, ==, "qcow2");
	put_qcow2(&bundle, "top.qcow2", "disk", 0);
	g_clear_pointer(&host, utm_host_unref);
	check(inspect(&bundle, DISK("top.qcow2"), &host, &error), error);
	g_assert_cmpuint(utm__host_get_facts(host)->medium_count, ==, 0);
	g_clear_pointer(&host, utm_host_unref);
	check(inspect(&bundle, DISK("missing"), &host, &error), error);
	bundle_clear(&bundle);
}

static void test_inspect_escapes(void)
{
	static const char *const names[] = { "/etc/passwd", "../x", "json:{}", "nbd:x", "..", "", "missing.qcow2" };
	Bundle bundle;

	bundle_init(&bundle);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		put_qcow2(&bundle, "top.qcow2", names[i], 0);
		expect_escape(&bundle, DISK("top.qcow2"), "Drive[0].ImageName");
	}
	put_qcow2(&bundle, "middle.qcow2", "/etc/passwd", 0);
	put_qcow2(&bundle, "top.qcow2", "middle.qcow2", 0);
	expect_escape(&bundle, DISK("top.qcow2"), "Drive[0].ImageName");
	put_qcow2(&bundle, "top.qcow2", "top.qcow2", 0); /* round and round */
	expect_escape(&bundle, DISK("top.qcow2"), "Drive[0].ImageName");
	put_qcow2(&bundle, "top.qcow2", NULL, 4);
	expect_escape(&bundle, DISK("top.qcow2"), "Drive[0].ImageName");
	bundle_clear(&bundle);
}

/* --- firmware --- */

static void expect_plan(const Bundle *bundle, UtmConfig *config, const char *template)
{
	g_autoptr(UtmHost) host = make_host(NULL);
	g_autofree char *found = NULL;
	UtmError *error = NULL;

	check(utm__firmware_plan_vars(host, config, bundle->path, &found, &error), error);
	g_assert_cmpstr(found, ==, template);
}

static void test_plan_vars(void)
{
	g_autoptr(UtmConfig) config = make_config(NULL);
	g_autoptr(UtmHost) poor = make_host("{ 'Firmware': [ { 'Architecture': 'x86_64', 'Code': '/x' } ] }");
	char *found = NULL;
	Bundle bundle;

	bundle_init(&bundle);
	expect_plan(&bundle, config, "/usr/share/OVMF/OVMF_VARS_4M.fd");
	g_assert_cmpint(utm_config_set_bool(config, "QEMU.TPMDevice", true, NULL), ==, 0);
	expect_plan(&bundle, config, "/usr/share/OVMF/OVMF_VARS_4M.ms.fd");
	g_assert_cmpint(utm_config_set_bool(config, "QEMU.TPMDevice", false, NULL), ==, 0);
	g_assert_cmpint(utm__firmware_plan_vars(poor, config, bundle.path, &found, NULL), ==,
	                UTM_ERROR_FIRMWARE_NOT_FOUND);
	put_file(&bundle, "efi_vars.fd", "", 0, 0);
	expect_plan(&bundle, config, NULL);
	g_assert_cmpint(utm_config_set_bool(config, "QEMU.UEFIBoot", false, NULL), ==, 0);
	expect_plan(&bundle, config, NULL);
	bundle_clear(&bundle);
}

static void touch(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	g_assert_true(g_file_set_contents(path, "x", 1, NULL));
}

static void test_find_firmware(void)
{
	g_autoptr(UtmHost) host = utm__host_new(UTM_HOST_OS_LINUX);
	UtmHostFacts *facts = utm__host_edit_facts(host);
	Bundle bundle;

	bundle_init(&bundle);
	touch(bundle.data, "OVMF_CODE_4M.fd"); /* without its variables: of no use */
	touch(bundle.data, "edk2-x86_64-code.fd");
	touch(bundle.data, "edk2-i386-vars.fd");
	touch(bundle.data, "edk2-x86_64-secure-code.fd");
	utm__firmware_find(facts, "x86_64", (const char *const[]){ "/nowhere", bundle.data, NULL });
	g_assert_cmpuint(facts->firmware_count, ==, 1);
	g_assert_true(g_str_has_suffix(facts->firmware[0]->code, "/edk2-x86_64-code.fd"));
	g_assert_true(g_str_has_suffix(facts->firmware[0]->vars_template, "/edk2-i386-vars.fd"));
	g_assert_true(g_str_has_suffix(facts->firmware[0]->secure_code, "/edk2-x86_64-secure-code.fd"));
	bundle_clear(&bundle);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/json/round-trip", test_json_round_trip);
	g_test_add_func("/host/json/defaults", test_json_defaults);
	g_test_add_func("/host/json/refused", test_json_refused);
	g_test_add_func("/host/json/unknown", test_json_unknown);
	g_test_add_func("/host/probe/version", test_probe_version);
	g_test_add_func("/host/probe/failures", test_probe_failures);
	g_test_add_func("/host/probe/memory", test_probe_memory);
	g_test_add_func("/host/probe/misuse", test_probe_misuse);
	g_test_add_func("/host/all/missing", test_all_missing);
	g_test_add_func("/host/all/real", test_all_real);
	g_test_add_func("/host/all/items", test_items);
	g_test_add_func("/host/inspect/vars", test_inspect_vars);
	g_test_add_func("/host/inspect/drives", test_inspect_drives);
	g_test_add_func("/host/inspect/escapes", test_inspect_escapes);
	g_test_add_func("/host/firmware/vars", test_plan_vars);
	g_test_add_func("/host/firmware/find", test_find_firmware);
	return g_test_run();
}
