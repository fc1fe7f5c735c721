/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Machines with a TPM: a real swtpm behind a real QEMU, with UEFI that talks to it; and a script in the place of swtpm for
 * what the real one does not do.
 */
#include "bundle.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utm/qmp-commands.h>
#include <utm/utm.h>

#define WAIT_MS 60000

static const TestEdit with_tpm[] = { { "Display", "[]" }, { "QEMU.TPMDevice", "true" }, { NULL, NULL } };
static const TestEdit with_tpm_and_uefi[] = {
	{ "Display", "[]" },         { "QEMU.TPMDevice", "true" }, { "QEMU.UEFIBoot", "true" },
	{ "System.MemorySize", "256" }, { NULL, NULL },
};

typedef struct Fixture {
	char *place; /* sockets, and stand-ins for swtpm */
	char *bundle_path;
	UtmContext *context;
	UtmBundle *bundle;
	UtmVm *vm;
	GString *log;
	GString *warnings;
	GString *serial;
	int ended;
} Fixture;

static void on_event(UtmVm *vm, const UtmVmEvent *event, void *data)
{
	Fixture *f = data;
	if (event->kind == UTM_VM_EVENT_LOG)
		g_string_append_printf(f->log, "%s\n", event->text);
	else if (event->kind == UTM_VM_EVENT_WARNING)
		g_string_append_printf(f->warnings, "%s\n", event->text);
	else if (event->kind == UTM_VM_EVENT_ENDED)
		f->ended++;
}

static void on_serial(UtmVm *vm, uint32_t index, const void *bytes, size_t size, void *data)
{
	g_string_append_len(((Fixture *)data)->serial, bytes, (gssize)size);
}

static void open_fixture(Fixture *f, const TestEdit *edits, const char *qemu_dir)
{
	const char *dirs[] = { qemu_dir, NULL };
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	f->place = g_dir_make_tmp("utm-run-XXXXXX", NULL);
	options.runtime_dir = f->place;
	options.accel_policy = UTM_ACCEL_POLICY_TCG;
	if (qemu_dir)
		options.qemu_dirs = dirs;
	f->context = utm_context_new(&options, NULL);
	/* A comma, which swtpm would take for the end of a path. */
	f->bundle_path = test_bundle_new("Te,st", edits);
	g_autofree char *data = g_build_filename(f->bundle_path, "Data", NULL);
	g_mkdir(data, 0755);
	f->log = g_string_new(NULL);
	f->warnings = g_string_new(NULL);
	f->serial = g_string_new(NULL);
	g_assert_cmpint(utm_bundle_open(f->context, f->bundle_path, &f->bundle, NULL), ==, 0);
	g_assert_cmpint(utm_vm_new(f->bundle, &f->vm, NULL), ==, 0);
	utm_vm_set_event_handler(f->vm, on_event, f, NULL);
	utm_vm_set_serial_handler(f->vm, 0, on_serial, f, NULL, NULL);
}

static void close_fixture(Fixture *f)
{
	utm_vm_unref(f->vm);
	utm_bundle_unref(f->bundle);
	utm_context_unref(f->context);
	/* No child is left, dead or alive. */
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
	test_remove_tree(f->place);
	g_free(f->place);
	test_bundle_remove(f->bundle_path);
	g_string_free(f->log, TRUE);
	g_string_free(f->warnings, TRUE);
	g_string_free(f->serial, TRUE);
}

#define WAIT_FOR(condition)                                                                                          \
	do {                                                                                                         \
		gint64 deadline = g_get_monotonic_time() + WAIT_MS * 1000;                                           \
		while (!(condition)) {                                                                               \
			g_assert_cmpint(g_get_monotonic_time(), <, deadline);                                        \
			utm_context_wait(f->context, 100);                                                           \
		}                                                                                                    \
	} while (0)

static void start(Fixture *f, uint32_t flags)
{
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	UtmError *error = NULL;
	options.flags = flags;
	if (utm_vm_start(f->vm, &options, &error) < 0) {
		const char *tail = utm_error_get_stderr_tail(error);
		g_autofree char *text = utm_error_dup_text(error);
		g_error("%s\n%s", text, tail ? tail : "");
	}
}

static void stop(Fixture *f, uint32_t method)
{
	int ended = f->ended;
	g_assert_cmpint(utm_vm_stop(f->vm, method, NULL, NULL), ==, 0);
	WAIT_FOR(f->ended > ended);
}

static void stat_state(Fixture *f, struct stat *info)
{
	g_autofree char *path = g_build_filename(f->bundle_path, "Data", "tpmdata", NULL);
	g_assert_cmpint(stat(path, info), ==, 0);
}

static bool has_state(Fixture *f)
{
	g_autofree char *path = g_build_filename(f->bundle_path, "Data", "tpmdata", NULL);
	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* The child of ours that runs this program; 0: none. */
static pid_t find_child(const char *name)
{
	GDir *tasks = g_dir_open("/proc/self/task", 0, NULL);
	const char *task;
	pid_t found = 0;
	while (!found && (task = g_dir_read_name(tasks))) {
		g_autofree char *path = g_strdup_printf("/proc/self/task/%s/children", task);
		g_autofree char *text = NULL;
		if (!g_file_get_contents(path, &text, NULL, NULL))
			continue;
		g_auto(GStrv) pids = g_strsplit(g_strstrip(text), " ", -1);
		for (char **pid = pids; *pid && **pid && !found; pid++) {
			g_autofree char *comm_path = g_strdup_printf("/proc/%s/comm", *pid);
			g_autofree char *comm = NULL;
			if (g_file_get_contents(comm_path, &comm, NULL, NULL) && !strcmp(g_strstrip(comm), name))
				found = (pid_t)atoi(*pid);
		}
	}
	g_dir_close(tasks);
	return found;
}

/* ---------------------------------------------------------------- a real swtpm */

static void assert_tpm_is(Fixture *f, int model)
{
	UtmQmpTPMInfoList *tpms = NULL;
	UtmError *error = NULL;
	if (utm_qmp_query_tpm(utm_vm_get_qmp(f->vm), NULL, NULL, &tpms, &error) < 0)
		g_error("%s", utm_error_get_message(error));
	g_assert_cmpuint(tpms->count, ==, 1);
	g_assert_cmpstr(tpms->items[0]->id, ==, "tpm0");
	g_assert_cmpint(tpms->items[0]->model, ==, model);
	g_assert_cmpint(tpms->items[0]->options->type, ==, UTM_QMP_TPM_TYPE_EMULATOR);
	utm_qmp_tpm_info_list_free(tpms);
}

static void assert_tpm(Fixture *f)
{
	assert_tpm_is(f, UTM_QMP_TPM_MODEL_TPM_TIS);
}

static bool have(const char *program)
{
	g_autofree char *path = g_find_program_in_path(program);
	return path != NULL;
}

/* The device that each kind of machine has a place for. */
static void test_machines(void)
{
	static const struct {
		const char *architecture, *target;
		int model;
	} cases[] = {
		{ "x86_64", "pc", UTM_QMP_TPM_MODEL_TPM_TIS },     { "i386", "q35", UTM_QMP_TPM_MODEL_TPM_TIS },
		{ "aarch64", "virt", UTM_QMP_TPM_MODEL_TPM_TIS },  { "riscv64", "virt", UTM_QMP_TPM_MODEL_TPM_TIS },
		{ "ppc64", "pseries", UTM_QMP_TPM_MODEL_TPM_SPAPR },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const TestEdit edits[] = {
			{ "System.Architecture", cases[i].architecture }, { "System.Target", cases[i].target }, { "Display", "[]" },
			{ "QEMU.TPMDevice", "true" }, { "System.MemorySize", "256" }, { NULL, NULL },
		};
		Fixture fixture = { 0 }, *f = &fixture;
		g_autofree char *program = g_strconcat("qemu-system-", cases[i].architecture, NULL);
		g_test_message("%s %s%s", cases[i].architecture, cases[i].target, have(program) ? "" : ": not installed");
		if (!have(program))
			continue;
		open_fixture(f, edits, NULL);
		start(f, UTM_VM_START_PAUSED);
		assert_tpm_is(f, cases[i].model);
		stop(f, UTM_VM_STOP_FORCE);
		close_fixture(f);
	}
}

/* Firmware with Secure Boot, in system management mode, finds the TPM; and the second time it is the same TPM. */
static void test_uefi_and_tpm(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	struct stat first, second;
	open_fixture(f, with_tpm_and_uefi, NULL);
	start(f, 0);
	assert_tpm(f);
	WAIT_FOR(strstr(f->serial->str, "BdsDxe"));
	WAIT_FOR(strstr(f->log->str, "new linear NVRAM store"));
	stop(f, UTM_VM_STOP_FORCE);
	stat_state(f, &first);
	g_assert_cmpuint(first.st_mode & 0777, ==, 0600);
	g_assert_cmpint(first.st_size, >, 2000);
	g_string_truncate(f->log, 0);
	start(f, 0);
	assert_tpm(f);
	stop(f, UTM_VM_STOP_FORCE);
	stat_state(f, &second);
	g_assert_cmpuint(second.st_ino, ==, first.st_ino);
	g_assert_null(strstr(f->log->str, "new linear NVRAM store"));
	g_assert_cmpstr(f->warnings->str, ==, "");
	close_fixture(f);
}

/* However QEMU ends, swtpm goes with it, and is not missed. */
static void test_ends_with_qemu(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, with_tpm, NULL);
	for (int i = 0; i < 3; i++) {
		start(f, 0);
		pid_t tpm = find_child("swtpm");
		g_assert_cmpint(tpm, >, 0);
		if (i == 2)
			kill((pid_t)utm_vm_get_pid(f->vm), SIGKILL);
		else
			stop(f, i ? UTM_VM_STOP_KILL : UTM_VM_STOP_FORCE);
		WAIT_FOR(f->ended == i + 1);
		g_assert_cmpint(find_child("swtpm"), ==, 0);
		g_assert_cmpint(kill(tpm, 0), ==, -1);
	}
	g_assert_cmpstr(f->warnings->str, ==, "");
	close_fixture(f);
}

static void test_killed_while_running(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, with_tpm, NULL);
	start(f, 0);
	kill(find_child("swtpm"), SIGKILL);
	WAIT_FOR(strstr(f->warnings->str, "no TPM any more"));
	g_test_message("%s", f->warnings->str);
	g_assert_nonnull(strstr(f->warnings->str, "signal 9"));
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_RUNNING);
	stop(f, UTM_VM_STOP_FORCE);
	start(f, 0);
	assert_tpm(f);
	stop(f, UTM_VM_STOP_FORCE);
	close_fixture(f);
}

/* What a disposable run does to the TPM goes with it, and a state that can only be read will do. */
static void test_disposable(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, with_tpm, NULL);
	start(f, UTM_VM_START_DISPOSABLE);
	assert_tpm(f);
	stop(f, UTM_VM_STOP_FORCE);
	g_assert_false(has_state(f));
	start(f, 0);
	stop(f, UTM_VM_STOP_FORCE);
	struct stat before, after;
	stat_state(f, &before);
	start(f, UTM_VM_START_DISPOSABLE);
	assert_tpm(f);
	stop(f, UTM_VM_STOP_FORCE);
	stat_state(f, &after);
	g_assert_cmpint(after.st_mtim.tv_sec, ==, before.st_mtim.tv_sec);
	g_assert_cmpint(after.st_mtim.tv_nsec, ==, before.st_mtim.tv_nsec);
	close_fixture(f);
}

/* ---------------------------------------------------------------- faults */

static void assert_start_fails(Fixture *f, int code, const char *text)
{
	UtmError *error = NULL;
	g_assert_cmpint(utm_vm_start(f->vm, NULL, &error), ==, code);
	g_autofree char *told = utm_error_dup_text(error);
	g_test_message("%s / %s", told, utm_error_get_remedy(error));
	g_assert_nonnull(strstr(told, text));
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "QEMU.TPMDevice");
	utm_error_unref(error);
}

/* A script called swtpm in a directory of its own that stands first in PATH; without a script, PATH is that only. */
static void put_script(Fixture *f, const char *script)
{
	g_autofree char *bin = g_build_filename(f->place, "bin", NULL);
	g_autofree char *file = g_build_filename(bin, "swtpm", NULL);
	g_autofree char *path = script ? g_strconcat(bin, ":/usr/bin:/bin", NULL) : g_strdup(bin);
	g_mkdir(bin, 0700);
	if (script) {
		put_file(bin, "swtpm", script);
		g_chmod(file, 0700);
	}
	g_setenv("PATH", path, TRUE);
}

/* With a QEMU beside which there is no swtpm. */
static void open_faulty(Fixture *f, const char *script, char **ret_path)
{
	*ret_path = g_strdup(g_getenv("PATH"));
	g_setenv("FAKE_QEMU_MODE", "", TRUE);
	open_fixture(f, with_tpm, g_getenv("UTM_TEST_FAKE_QEMU_DIR"));
	put_script(f, script);
}

static void close_faulty(Fixture *f, char *path_taken)
{
	g_setenv("PATH", path_taken, TRUE);
	g_free(path_taken);
	close_fixture(f);
}

static void test_no_swtpm(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	char *path;
	open_faulty(f, NULL, &path);
	assert_start_fails(f, UTM_ERROR_NOT_FOUND, "swtpm");
	close_faulty(f, path);
}

static void test_exits_at_once(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	char *path;
	open_faulty(f, "#!/bin/sh\necho swtpm: no more room >&2\nexit 3\n", &path);
	assert_start_fails(f, UTM_ERROR_PROCESS_EXITED, "(exit status 3): swtpm: no more room");
	close_faulty(f, path);
}

/* Even one that will not listen to SIGTERM; and the call of whoever starts it may be given up meanwhile. */
static void test_hangs(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	char *path;
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	open_faulty(f, "#!/bin/sh\ntrap '' TERM\necho swtpm: one moment >&2\nwhile :; do sleep 1; done\n", &path);
	options.timeout_ms = 500;
	g_assert_cmpint(utm_vm_start(f->vm, &options, NULL), ==, UTM_ERROR_TIMEOUT);
	WAIT_FOR(f->ended == 1);
	close_faulty(f, path);
}

static void test_state_is_a_link(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmError *error = NULL;
	char *path;
	open_faulty(f, "#!/bin/sh\nexit 9\n", &path);
	g_autofree char *data = g_build_filename(f->bundle_path, "Data", NULL);
	put_link(data, "tpmdata", "/tmp/utm-tpm-elsewhere");
	g_assert_cmpint(utm_vm_start(f->vm, NULL, &error), ==, UTM_ERROR_BUNDLE_PATH_ESCAPE);
	utm_error_unref(error);
	g_assert_false(g_file_test("/tmp/utm-tpm-elsewhere", G_FILE_TEST_EXISTS));
	close_faulty(f, path);
}

static void test_state_is_a_directory(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	char *path;
	open_faulty(f, "#!/bin/sh\nexit 9\n", &path);
	g_autofree char *state = g_build_filename(f->bundle_path, "Data", "tpmdata", NULL);
	g_mkdir(state, 0755);
	assert_start_fails(f, UTM_ERROR_IO, "TPM's state");
	close_faulty(f, path);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (have("qemu-system-x86_64") && have("swtpm")) {
		if (g_file_test("/usr/share/OVMF/OVMF_VARS_4M.ms.fd", G_FILE_TEST_EXISTS))
			g_test_add_func("/tpm/uefi", test_uefi_and_tpm);
		g_test_add_func("/tpm/machines", test_machines);
		g_test_add_func("/tpm/ends-with-qemu", test_ends_with_qemu);
		g_test_add_func("/tpm/killed", test_killed_while_running);
		g_test_add_func("/tpm/disposable", test_disposable);
	} else {
		g_test_message("a TPM needs the packages qemu-system-x86 and swtpm");
	}
	g_test_add_func("/tpm/fault/no-swtpm", test_no_swtpm);
	g_test_add_func("/tpm/fault/exits-at-once", test_exits_at_once);
	g_test_add_func("/tpm/fault/hangs", test_hangs);
	g_test_add_func("/tpm/fault/link", test_state_is_a_link);
	g_test_add_func("/tpm/fault/directory", test_state_is_a_directory);
	return g_test_run();
}
