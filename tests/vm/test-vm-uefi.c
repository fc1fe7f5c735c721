/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The UEFI variables of a package, with the firmware and the qemu-img that are installed: made at the first start, kept
 * after that, replaced on request, and never half. Scripts stand for qemu-img where it is to fail.
 */
#include "bundle.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utm/utm.h>

#define WAIT_MS 60000
#define TEMPLATE "/usr/share/OVMF/OVMF_VARS_4M.fd"
#define KEYED_TEMPLATE "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"
#define ARM_TEMPLATE "/usr/share/AAVMF/AAVMF_VARS.fd"

static const TestEdit x86[] = {
	{ "Display", "[]" }, { "QEMU.UEFIBoot", "true" }, { "System.MemorySize", "256" }, { NULL, NULL }
};
static const TestEdit arm[] = {
	{ "System.Architecture", "aarch64" }, { "System.Target", "virt" }, { "Display", "[]" },
	{ "QEMU.UEFIBoot", "true" },          { "System.MemorySize", "256" }, { NULL, NULL }
};

typedef struct Fixture {
	char *place; /* sockets, and stand-ins for qemu-img */
	char *bundle_path;
	char *store;
	UtmContext *context;
	UtmBundle *bundle;
	UtmVm *vm;
	GString *serial;
} Fixture;

static void on_serial(UtmVm *vm, uint32_t index, const void *bytes, size_t size, void *data)
{
	g_string_append_len(((Fixture *)data)->serial, bytes, (gssize)size);
}

static void open_fixture(Fixture *f, const TestEdit *edits)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	f->place = g_dir_make_tmp("utm-run-XXXXXX", NULL);
	options.runtime_dir = f->place;
	options.accel_policy = UTM_ACCEL_POLICY_TCG;
	f->context = utm_context_new(&options, NULL);
	/* What qemu-img would take for a protocol, and for the end of an option. */
	f->bundle_path = test_bundle_new("nbd:a,b", edits);
	g_autofree char *data = g_build_filename(f->bundle_path, "Data", NULL);
	g_mkdir(data, 0755);
	f->store = g_build_filename(data, "efi_vars.fd", NULL);
	f->serial = g_string_new(NULL);
	g_assert_cmpint(utm_bundle_open(f->context, f->bundle_path, &f->bundle, NULL), ==, 0);
	g_assert_cmpint(utm_vm_new(f->bundle, &f->vm, NULL), ==, 0);
	utm_vm_set_serial_handler(f->vm, 0, on_serial, f, NULL, NULL);
}

static void close_fixture(Fixture *f)
{
	utm_vm_unref(f->vm);
	utm_bundle_unref(f->bundle);
	utm_context_unref(f->context);
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
	test_remove_tree(f->place);
	g_free(f->place);
	g_free(f->store);
	g_string_free(f->serial, TRUE);
	test_bundle_remove(f->bundle_path);
}

static void check(int result, UtmError *const *error)
{
	if (result < 0) {
		g_autofree char *text = utm_error_dup_text(*error);
		g_error("%s", text);
	}
}

static void start(Fixture *f)
{
	UtmError *error = NULL;
	check(utm_vm_start(f->vm, NULL, &error), &error);
}

static void stop(Fixture *f)
{
	UtmError *error = NULL;
	check(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, &error), &error);
}

#define WAIT_FOR(condition)                                                                                          \
	do {                                                                                                         \
		gint64 deadline = g_get_monotonic_time() + WAIT_MS * 1000;                                           \
		while (!(condition)) {                                                                               \
			g_assert_cmpint(g_get_monotonic_time(), <, deadline);                                        \
			utm_context_wait(f->context, 100);                                                           \
		}                                                                                                    \
	} while (0)

/* Whether the store has the content of the template, and is a qcow2 for its owner alone. */
static void assert_store(Fixture *f, const char *template)
{
	const char *compare[] = { "qemu-img", "compare", "-f", "raw", "-F", "qcow2", template, NULL, NULL };
	g_autofree char *url = g_strconcat("file:", f->store, NULL);
	struct stat info;
	int status = -1;
	compare[7] = url;
	g_assert_true(g_spawn_sync(NULL, (char **)compare, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
	                           NULL, NULL, &status, NULL));
	g_assert_cmpint(status, ==, 0);
	g_assert_cmpint(stat(f->store, &info), ==, 0);
	g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
}

/* Nothing but what is meant to be there, such as half a store under another name. */
static void assert_entries(Fixture *f, int expected)
{
	g_autofree char *data = g_path_get_dirname(f->store);
	GDir *dir = g_dir_open(data, 0, NULL);
	int count = 0;
	while (g_dir_read_name(dir))
		count++;
	g_dir_close(dir);
	g_assert_cmpint(count, ==, expected);
}

static ino_t inode(Fixture *f)
{
	struct stat info;
	g_assert_cmpint(lstat(f->store, &info), ==, 0);
	return info.st_ino;
}

/* --- real ones --- */

static void made_and_kept(const TestEdit *edits, const char *template, const char *words)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmVmStartOptions paused = UTM_VM_START_OPTIONS_INIT;
	UtmError *error = NULL;
	open_fixture(f, edits);
	paused.flags = UTM_VM_START_PAUSED;
	check(utm_vm_start(f->vm, &paused, &error), &error);
	stop(f);
	assert_store(f, template);
	assert_entries(f, 1);
	ino_t first = inode(f);
	start(f);
	WAIT_FOR(strstr(f->serial->str, words));
	stop(f);
	g_assert_cmpuint(inode(f), ==, first);
	close_fixture(f);
}

static void test_x86(void)
{
	made_and_kept(x86, TEMPLATE, "BdsDxe");
}

static void test_arm(void)
{
	made_and_kept(arm, ARM_TEMPLATE, "UEFI");
}

static void reset(Fixture *f, uint32_t keys)
{
	UtmUefiResetOptions options = UTM_UEFI_RESET_OPTIONS_INIT;
	UtmError *error = NULL;
	options.keys = keys;
	check(utm_bundle_reset_uefi_variables(f->bundle, &options, &error), &error);
}

static void test_reset(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmError *error = NULL;
	open_fixture(f, x86);
	reset(f, UTM_UEFI_KEYS_AUTO);
	assert_store(f, TEMPLATE);
	ino_t first = inode(f);
	reset(f, UTM_UEFI_KEYS_ENROLLED);
	assert_store(f, KEYED_TEMPLATE);
	g_assert_cmpuint(inode(f), !=, first);
	/* A link, which a start refuses, is replaced and not followed. */
	g_autofree char *victim = g_build_filename(f->place, "victim", NULL);
	g_assert_true(g_file_set_contents(victim, "precious", -1, NULL));
	g_remove(f->store);
	g_assert_cmpint(symlink(victim, f->store), ==, 0);
	g_assert_cmpint(utm_vm_start(f->vm, NULL, NULL), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	reset(f, UTM_UEFI_KEYS_NONE);
	assert_store(f, TEMPLATE);
	g_autofree char *content = NULL;
	g_assert_true(g_file_get_contents(victim, &content, NULL, NULL));
	g_assert_cmpstr(content, ==, "precious");
	/* Not under a machine that runs. */
	start(f);
	g_assert_cmpint(utm_bundle_reset_uefi_variables(f->bundle, NULL, &error), ==, UTM_ERROR_BUNDLE_LOCKED);
	utm_error_unref(error);
	stop(f);
	assert_entries(f, 1);
	close_fixture(f);
}

static void test_unfit(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmError *error = NULL;
	open_fixture(f, x86);
	test_bundle_add_file(f->bundle_path, "efi_vars.fd", NULL, 131072);
	g_assert_cmpint(utm_vm_start(f->vm, NULL, &error), ==, UTM_ERROR_FIRMWARE_MISMATCH);
	g_assert_nonnull(strstr(utm_error_get_remedy(error), "reset-uefi"));
	utm_error_unref(error);
	reset(f, UTM_UEFI_KEYS_AUTO);
	start(f);
	stop(f);
	close_fixture(f);
}

/* --- asynchronous --- */

typedef struct Outcome {
	int calls, freed, code;
} Outcome;

static void on_reset(UtmBundle *bundle, const UtmError *error, void *data)
{
	Outcome *outcome = data;
	outcome->calls++;
	outcome->code = utm_error_get_code(error);
}

static void on_freed(void *data)
{
	((Outcome *)data)->freed++;
}

static void test_async(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	Outcome outcome = { 0 };
	UtmUefiResetOptions options = UTM_UEFI_RESET_OPTIONS_INIT;
	open_fixture(f, x86);
	g_assert_cmpint(utm_bundle_reset_uefi_variables_async(f->bundle, NULL, on_reset, &outcome, on_freed, NULL), ==, 0);
	WAIT_FOR(outcome.freed);
	g_assert_cmpint(outcome.calls, ==, 1);
	g_assert_cmpint(outcome.code, ==, 0);
	assert_store(f, TEMPLATE);
	options.keys = 3;
	g_assert_cmpint(utm_bundle_reset_uefi_variables_async(f->bundle, &options, on_reset, &outcome, on_freed, NULL), ==,
	                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(outcome.freed, ==, 2);
	/* Whoever gives the bundle up meanwhile hears no more of it. */
	utm_bundle_reset_uefi_variables_async(f->bundle, NULL, on_reset, &outcome, on_freed, NULL);
	utm_vm_unref(g_steal_pointer(&f->vm));
	utm_bundle_unref(g_steal_pointer(&f->bundle));
	utm_context_unref(g_steal_pointer(&f->context));
	g_assert_cmpint(outcome.freed, ==, 3);
	g_assert_cmpint(outcome.calls, ==, 1);
	assert_entries(f, 1);
	close_fixture(f);
}

/* --- misuse and faults --- */

static void test_refused(void)
{
	static const TestEdit bios[] = { { "Display", "[]" }, { NULL, NULL } };
	Fixture fixture = { 0 }, *f = &fixture;
	UtmUefiResetOptions options = UTM_UEFI_RESET_OPTIONS_INIT;
	UtmError *error = NULL;
	open_fixture(f, bios);
	g_assert_cmpint(utm_bundle_reset_uefi_variables(NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.reserved = 1;
	g_assert_cmpint(utm_bundle_reset_uefi_variables(f->bundle, &options, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.reserved = 0;
	options.timeout_ms = -2;
	g_assert_cmpint(utm_bundle_reset_uefi_variables(f->bundle, &options, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_bundle_reset_uefi_variables(f->bundle, NULL, &error), ==, UTM_ERROR_CONFIG_UNSUPPORTED);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "QEMU.UEFIBoot");
	utm_error_unref(error);
	assert_entries(f, 0);
	close_fixture(f);
}

/* A qemu-img of ours, beside nothing: host facts name a QEMU in the same directory. */
static UtmHost *host_with(Fixture *f, const char *script)
{
	g_autofree char *tool = g_build_filename(f->place, "qemu-img", NULL);
	g_autofree char *template = g_build_filename(f->place, "vars.fd", NULL);
	g_autofree char *json = g_strdup_printf("{ \"QemuPath\": \"%s/qemu-system-x86_64\", \"Firmware\": [ { \"Architecture\": "
	                                        "\"x86_64\", \"Code\": \"/code.fd\", \"VarsTemplate\": \"%s\" } ] }",
	                                        f->place, template);
	g_autofree char *zeros = g_malloc0(540672);
	UtmHost *host = NULL;
	g_assert_true(g_file_set_contents(template, zeros, 540672, NULL));
	put_file(f->place, "qemu-img", script);
	g_chmod(tool, 0700);
	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, json, &host, NULL), ==, 0);
	return host;
}

/* However it fails, the former store stays as it is, and nothing lies beside it. */
static void test_faults(void)
{
	static const struct {
		const char *script;
		int64_t timeout_ms;
		int code;
	} cases[] = {
		{ "#!/bin/sh\necho no room >&2; exit 1\n", 0, UTM_ERROR_PROCESS_EXITED },
		{ "#!/bin/sh\nexit 0\n", 0, UTM_ERROR_PROCESS_EXITED },
		{ "#!/bin/sh\nprintf 'QFI\\373' >&4; exit 0\n", 0, UTM_ERROR_PROCESS_EXITED },
		{ "#!/bin/sh\nkill -9 $$\n", 0, UTM_ERROR_PROCESS_EXITED },
		{ "#!/bin/sh\nprintf 'QFI\\373' >&4; sleep 30\n", 300, UTM_ERROR_TIMEOUT },
	};
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, x86);
	test_bundle_add_file(f->bundle_path, "efi_vars.fd", NULL, 540672);
	ino_t former = inode(f);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		UtmUefiResetOptions options = UTM_UEFI_RESET_OPTIONS_INIT;
		UtmError *error = NULL;
		options.host = host_with(f, cases[i].script);
		options.timeout_ms = cases[i].timeout_ms;
		int code = utm_bundle_reset_uefi_variables(f->bundle, &options, &error);
		g_test_message("%s", utm_error_get_message(error));
		g_assert_cmpint(code, ==, cases[i].code);
		g_assert_cmpuint(inode(f), ==, former);
		assert_entries(f, 1);
		utm_error_unref(error);
		utm_host_unref(options.host);
	}
	close_fixture(f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *qemu = g_find_program_in_path("qemu-system-x86_64");
	g_autofree char *qemu_arm = g_find_program_in_path("qemu-system-aarch64");
	g_autofree char *qemu_img = g_find_program_in_path("qemu-img");
	if (qemu && qemu_img && g_file_test(KEYED_TEMPLATE, G_FILE_TEST_EXISTS)) {
		g_test_add_func("/uefi/x86", test_x86);
		g_test_add_func("/uefi/reset", test_reset);
		g_test_add_func("/uefi/unfit", test_unfit);
		g_test_add_func("/uefi/async", test_async);
		g_test_add_func("/uefi/refused", test_refused);
	} else {
		g_test_message("UEFI on x86 needs the packages qemu-system-x86, qemu-utils and ovmf");
	}
	if (qemu_arm && qemu_img && g_file_test(ARM_TEMPLATE, G_FILE_TEST_EXISTS))
		g_test_add_func("/uefi/arm", test_arm);
	else
		g_test_message("UEFI on aarch64 needs the packages qemu-system-arm, qemu-utils and qemu-efi-aarch64");
	g_test_add_func("/uefi/faults", test_faults);
	return g_test_run();
}
