/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's controller on a real QEMU with a small guest, and on a fake one for what a real one does not do. */
#include "bundle.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utm/utm.h>

#define WAIT_MS 60000

static const TestEdit commander[] = {
	{ "Drive", "[{'Identifier': 'KERNEL', 'ImageType': 'LinuxKernel', 'ImageName': 'commander.elf'}]" },
	{ NULL, NULL },
};
static const TestEdit headless[] = { { "Display", "[]" }, { NULL, NULL } };

typedef struct Fixture {
	char *runtime;
	char *bundle_path;
	UtmContext *context;
	UtmBundle *bundle;
	UtmVm *vm;
	GString *states;
	GString *serial;
	GString *warnings;
	int ended;
	GString *qmp_events;
} Fixture;

static void on_event(UtmVm *vm, const UtmVmEvent *event, void *data)
{
	Fixture *f = data;
	if (event->kind == UTM_VM_EVENT_STATE)
		g_string_append_printf(f->states, "%s ", utm_vm_state_get_name(event->state));
	else if (event->kind == UTM_VM_EVENT_ENDED)
		f->ended++;
	else if (event->kind == UTM_VM_EVENT_WARNING)
		g_string_append_printf(f->warnings, "%s\n", event->text);
	else if (event->kind == UTM_VM_EVENT_QMP)
		g_string_append_printf(f->qmp_events, "%s ", event->text);
}

static void on_serial(UtmVm *vm, uint32_t index, const void *bytes, size_t size, void *data)
{
	g_string_append_len(((Fixture *)data)->serial, bytes, (gssize)size);
}

/* A context whose sockets go to a directory of the test, so that what is left there can be seen. */
static void open_fixture_with(Fixture *f, const TestEdit *edits, const char *qemu_dir, const char *console_engine)
{
	const char *dirs[] = { qemu_dir, NULL };
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	f->runtime = g_dir_make_tmp("utm-run-XXXXXX", NULL);
	options.runtime_dir = f->runtime;
	options.accel_policy = UTM_ACCEL_POLICY_TCG;
	options.console_engine = console_engine;
	if (qemu_dir)
		options.qemu_dirs = dirs;
	f->context = utm_context_new(&options, NULL);
	f->bundle_path = test_bundle_new("Test", edits);
	test_bundle_add_file(f->bundle_path, "commander.elf", g_getenv("UTM_TEST_COMMANDER"), 0);
	f->states = g_string_new(NULL);
	f->serial = g_string_new(NULL);
	f->warnings = g_string_new(NULL);
	f->qmp_events = g_string_new(NULL);
	g_assert_cmpint(utm_bundle_open(f->context, f->bundle_path, &f->bundle, NULL), ==, 0);
	g_assert_cmpint(utm_vm_new(f->bundle, &f->vm, NULL), ==, 0);
	utm_vm_set_event_handler(f->vm, on_event, f, NULL);
	if (utm_vm_get_serial_count(f->vm))
		utm_vm_set_serial_handler(f->vm, 0, on_serial, f, NULL, NULL);
}

static void open_fixture(Fixture *f, const TestEdit *edits, const char *qemu_dir)
{
	open_fixture_with(f, edits, qemu_dir, NULL);
}

static void assert_nothing_left(Fixture *f)
{
	GDir *dir = g_dir_open(f->runtime, 0, NULL);
	g_assert_cmpstr(g_dir_read_name(dir), ==, NULL);
	g_dir_close(dir);
	/* No zombie, and no child that still runs. */
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
}

static void close_fixture(Fixture *f)
{
	utm_vm_unref(f->vm);
	utm_bundle_unref(f->bundle);
	utm_context_unref(f->context);
	assert_nothing_left(f);
	test_remove_tree(f->runtime);
	g_free(f->runtime);
	test_bundle_remove(f->bundle_path);
	g_string_free(f->states, TRUE);
	g_string_free(f->serial, TRUE);
	g_string_free(f->warnings, TRUE);
	g_string_free(f->qmp_events, TRUE);
}

/* By address: the call that sets the error may come after the other arguments. */
static void assert_ok(int result, UtmError *const *error)
{
	if (result < 0) {
		const char *tail = utm_error_get_stderr_tail(*error);
		g_autofree char *text = utm_error_dup_text(*error);
		g_error("%s\n%s", text, tail ? tail : "");
	}
}

static void start(Fixture *f)
{
	UtmError *error = NULL;
	assert_ok(utm_vm_start(f->vm, NULL, &error), &error);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_RUNNING);
}

#define WAIT_FOR(condition)                                                                                          \
	do {                                                                                                         \
		gint64 deadline = g_get_monotonic_time() + WAIT_MS * 1000;                                           \
		while (!(condition)) {                                                                               \
			g_assert_cmpint(g_get_monotonic_time(), <, deadline);                                        \
			utm_context_wait(f->context, 100);                                                           \
		}                                                                                                    \
	} while (0)

static void assert_end(Fixture *f, UtmEndKind kind)
{
	WAIT_FOR(f->ended > 0);
	UtmEndReason *reason = utm_vm_get_end_reason(f->vm);
	g_assert_nonnull(reason);
	g_test_message("%s: %s", utm_end_kind_get_name(utm_end_reason_get_kind(reason)), utm_end_reason_get_text(reason));
	g_assert_cmpstr(utm_end_kind_get_name(utm_end_reason_get_kind(reason)), ==, utm_end_kind_get_name(kind));
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_STOPPED);
	g_assert_cmpint(utm_vm_get_pid(f->vm), ==, -1);
	g_assert_null(utm_vm_get_qmp(f->vm));
}

/* ---------------------------------------------------------------- a real QEMU */

static void test_whole_life(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	g_assert_null(utm_vm_get_end_reason(f->vm));
	start(f);
	g_assert_cmpint(utm_vm_get_pid(f->vm), >, 1);
	WAIT_FOR(strstr(f->serial->str, "ready\n"));
	g_assert_cmpint(utm_vm_serial_write(f->vm, 0, "abc", 3, NULL), ==, 0);
	WAIT_FOR(strstr(f->serial->str, "abc"));

	g_assert_cmpint(utm_vm_pause(f->vm, NULL), ==, 0);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_PAUSED);
	g_assert_cmpint(utm_vm_pause(f->vm, NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_vm_resume(f->vm, NULL), ==, 0);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_RUNNING);
	g_assert_cmpint(utm_vm_start(f->vm, NULL, NULL), ==, UTM_ERROR_INVALID_STATE);

	g_assert_cmpint(utm_vm_reset(f->vm, NULL), ==, 0);
	WAIT_FOR(strstr(strstr(f->serial->str, "abc"), "ready\n"));

	/* The guest powers itself off. */
	utm_vm_serial_write(f->vm, 0, "q", 1, NULL);
	assert_end(f, UTM_END_GUEST_SHUTDOWN);
	g_assert_cmpstr(utm_end_reason_get_qemu_reason(utm_vm_get_end_reason(f->vm)), ==, "guest-shutdown");
	g_assert_cmpint(utm_end_reason_get_exit_status(utm_vm_get_end_reason(f->vm)), ==, 0);
	g_assert_cmpstr(f->states->str, ==,
	                "starting running pausing paused resuming running stopping stopped ");
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_REQUEST, NULL, NULL), ==, UTM_ERROR_INVALID_STATE);
	close_fixture(f);
}

/* Whoever starts a machine may wait for its picture at once, however long the console needs. */
static void test_picture_right_after_start(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	for (int i = 0; i < 5; i++) {
		start(f);
		UtmFrame *frame = NULL;
		UtmError *error = NULL;
		assert_ok(utm_display_wait_frame(utm_vm_get_display(f->vm, 0), 0, WAIT_MS, NULL, &frame, &error), &error);
		utm_frame_unref(frame);
		g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
	}
	close_fixture(f);
}

static int wait_frame(Fixture *f, int64_t timeout_ms, UtmError **error)
{
	UtmFrame *frame = NULL;
	int result = utm_display_wait_frame(utm_vm_get_display(f->vm, 0), 0, timeout_ms, NULL, &frame, error);
	g_assert_true((frame != NULL) == (result == 0));
	utm_frame_unref(frame);
	return result;
}

static void on_console_event(UtmConsole *console, const UtmConsoleEvent *event, void *data)
{
	if (event->kind == UTM_CONSOLE_EVENT_STATE)
		g_string_append_printf(data, "%s ", utm_console_state_get_name(event->state));
}

/* Nor need the start be over: a machine that was told to start is waited for, and one that was not is no end. */
static void test_picture_while_starting(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmError *error = NULL;
	open_fixture(f, commander, NULL);
	g_autoptr(GString) states = g_string_new(NULL);
	UtmConsole *console = utm_vm_get_console(f->vm);
	utm_console_set_event_handler(console, on_console_event, states, NULL);
	g_assert_cmpuint(utm_console_get_state(console), ==, UTM_CONSOLE_STATE_IDLE);
	g_assert_cmpint(wait_frame(f, -1, NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_console_send_key(console, 0x1e, true, NULL), ==, UTM_ERROR_INVALID_STATE);
	for (int i = 0; i < 3; i++) {
		g_string_truncate(states, 0);
		g_assert_cmpint(utm_vm_start_async(f->vm, NULL, NULL, NULL, NULL, NULL), ==, 0);
		assert_ok(wait_frame(f, WAIT_MS, &error), &error);
		g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
		g_assert_cmpint(wait_frame(f, -1, NULL), ==, UTM_ERROR_VM_ENDED);
		WAIT_FOR(strstr(states->str, "closed"));
		/* A picture may come before the inputs are there, and with them the state of being connected. */
		g_assert_true(g_str_has_prefix(states->str, i ? "connecting " : "idle connecting "));
		g_assert_true(g_str_has_suffix(strstr(states->str, "closed"), "closed "));
	}
	utm_console_set_event_handler(console, NULL, NULL, NULL);
	close_fixture(f);
}

/* Who waits for a picture of a machine whose engine is broken is told so, in the engine's words, and does not wait. */
static void test_picture_without_an_engine(void)
{
	static const struct {
		const char *engine;
		const char *text;
	} cases[] = { { "/nonexistent/engine", "/nonexistent/engine" }, { "/bin/false", "exited with status 1" } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		Fixture fixture = { 0 }, *f = &fixture;
		open_fixture_with(f, commander, NULL, cases[i].engine);
		g_assert_cmpint(utm_vm_start_async(f->vm, NULL, NULL, NULL, NULL, NULL), ==, 0);
		UtmError *error = NULL;
		g_assert_cmpint(wait_frame(f, -1, &error), ==, UTM_ERROR_CONSOLE_ENGINE);
		g_autofree char *text = utm_error_dup_text(error);
		g_test_message("%s", text);
		g_assert_nonnull(strstr(text, cases[i].text));
		utm_error_unref(error);
		WAIT_FOR(utm_vm_get_state(f->vm) == UTM_VM_STATE_RUNNING);
		g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
		g_assert_cmpint(wait_frame(f, -1, NULL), ==, UTM_ERROR_VM_ENDED);
		close_fixture(f);
	}
}

static void test_start_again(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	for (int i = 0; i < 3; i++) {
		f->ended = 0;
		start(f);
		g_assert_null(utm_vm_get_end_reason(f->vm));
		g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
		assert_end(f, UTM_END_QUIT);
	}
	close_fixture(f);
}

/* --- one package, one machine: what a second start is told, by whoever tries it --- */

#define TRY_START "--try-start"

/* Starts a package in a context of its own. Returns what that is told, or NULL when it runs and has been stopped again. */
static char *try_start(UtmContext *context, const char *path)
{
	UtmBundle *bundle = NULL;
	UtmVm *vm = NULL;
	UtmError *error = NULL;
	char *told = NULL;
	int result = utm_bundle_open(context, path, &bundle, &error);
	if (result == 0)
		result = utm_vm_new(bundle, &vm, &error);
	if (result == 0)
		result = utm_vm_start(vm, NULL, &error);
	if (result < 0)
		told = g_strdup_printf("%s: %s: %s\n%s", utm_error_code_get_name(utm_error_get_code(error)),
		                       utm_error_get_file(error), utm_error_get_message(error), utm_error_get_remedy(error));
	else
		utm_vm_stop(vm, UTM_VM_STOP_FORCE, NULL, NULL);
	utm_error_unref(error);
	utm_vm_unref(vm);
	utm_bundle_unref(bundle);
	return told;
}

static UtmContext *new_context(const char *runtime)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	options.runtime_dir = runtime;
	options.accel_policy = UTM_ACCEL_POLICY_TCG;
	return utm_context_new(&options, NULL);
}

/* This program as another process: `test-vm --try-start RUNTIME BUNDLE`. */
static int try_start_here(char **argv)
{
	UtmContext *context = new_context(argv[2]);
	g_autofree char *told = context ? try_start(context, argv[3]) : g_strdup("no context");
	utm_context_unref(context);
	printf("%s", told ? told : "it ran");
	return 0;
}

static const char *program;

static char *try_start_elsewhere(Fixture *f)
{
	char *argv[] = { (char *)program, (char *)TRY_START, f->runtime, f->bundle_path, NULL };
	char *told = NULL;
	int status = -1;
	GError *error = NULL;
	if (!g_spawn_sync(NULL, argv, NULL, 0, NULL, NULL, &told, NULL, &status, &error))
		g_error("%s", error->message);
	g_assert_cmpint(status, ==, 0);
	return told;
}

static void assert_locked_out(Fixture *f, bool elsewhere, char *told_taken)
{
	g_autofree char *told = told_taken;
	g_autofree char *holder = elsewhere ? g_strdup_printf("is in use by process %d (", (int)getpid())
	                                    : g_strdup_printf("is in use by another part of this process (%d)", (int)getpid());
	g_test_message("%s", told);
	g_assert_nonnull(told);
	g_assert_true(g_str_has_prefix(told, "bundle-locked: "));
	g_assert_nonnull(strstr(told, f->bundle_path));
	g_assert_nonnull(strstr(told, holder));
	g_assert_nonnull(strstr(told, "\nStop the machine "));
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_RUNNING);
}

static void test_second_start_is_refused(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	start(f);
	UtmContext *other = new_context(f->runtime);
	assert_locked_out(f, false, try_start(f->context, f->bundle_path));
	assert_locked_out(f, false, try_start(other, f->bundle_path));
	assert_locked_out(f, true, try_start_elsewhere(f));
	/* By a link it is the same package. */
	g_autofree char *link = g_strconcat(f->bundle_path, "-link.utm", NULL);
	g_assert_cmpint(symlink(f->bundle_path, link), ==, 0);
	assert_locked_out(f, false, try_start(other, link));
	g_assert_cmpint(unlink(link), ==, 0);
	utm_context_unref(other);
	/* With its end the package is free at once, for any of them. */
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
	assert_end(f, UTM_END_QUIT);
	g_autofree char *told = try_start_elsewhere(f);
	g_assert_cmpstr(told, ==, "it ran");
	close_fixture(f);
}

static void test_kill(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, headless, NULL);
	start(f);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_KILL, NULL, NULL), ==, 0);
	assert_end(f, UTM_END_KILLED);
	g_assert_cmpint(utm_end_reason_get_signal(utm_vm_get_end_reason(f->vm)), ==, SIGKILL);
	close_fixture(f);
}

static void test_killed_by_somebody(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, headless, NULL);
	start(f);
	kill((pid_t)utm_vm_get_pid(f->vm), SIGKILL);
	assert_end(f, UTM_END_QEMU_SIGNALLED);
	close_fixture(f);
}

static void test_escalate(void)
{
	/* The commander does not know power buttons, so the request is overtaken by quit. */
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	start(f);
	UtmVmStopOptions options = UTM_VM_STOP_OPTIONS_INIT;
	options.request_timeout_ms = 300;
	gint64 before = g_get_monotonic_time();
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_ESCALATE, &options, NULL), ==, 0);
	g_assert_cmpint(g_get_monotonic_time() - before, >=, 300000);
	assert_end(f, UTM_END_QUIT);
	g_assert_nonnull(strstr(f->qmp_events->str, "POWERDOWN"));
	close_fixture(f);
}

static void test_start_paused(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	options.flags = UTM_VM_START_PAUSED;
	g_assert_cmpint(utm_vm_start(f->vm, &options, NULL), ==, 0);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_PAUSED);
	g_assert_cmpint(utm_vm_resume(f->vm, NULL), ==, 0);
	WAIT_FOR(strstr(f->serial->str, "ready\n"));
	close_fixture(f); /* dropping a machine that runs kills it */
}

static void test_qmp_of_the_machine(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	start(f);
	UtmQmp *qmp = utm_qmp_ref(utm_vm_get_qmp(f->vm));
	g_autofree char *reply = NULL;
	g_assert_cmpint(utm_qmp_execute(qmp, "query-name", NULL, NULL, &reply, NULL), ==, 0);
	g_assert_cmpstr(reply, ==, "{\"name\":\"Test\"}");
	/* What somebody else does to QEMU is seen: the state is derived, not remembered. */
	g_assert_cmpint(utm_qmp_execute(qmp, "stop", NULL, NULL, NULL, NULL), ==, 0);
	WAIT_FOR(utm_vm_get_state(f->vm) == UTM_VM_STATE_PAUSED);
	g_assert_cmpint(utm_qmp_execute(qmp, "cont", NULL, NULL, NULL, NULL), ==, 0);
	WAIT_FOR(utm_vm_get_state(f->vm) == UTM_VM_STATE_RUNNING);
	utm_qmp_execute(qmp, "quit", NULL, NULL, NULL, NULL);
	assert_end(f, UTM_END_QUIT);
	g_assert_cmpint(utm_qmp_execute(qmp, "query-name", NULL, NULL, NULL, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_qmp_unref(qmp);
	close_fixture(f);
}

/* The library's own commands are in the recording, too; a program that replays it says only its own. */
static void test_recording_of_the_machine(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	start(f);
	g_autofree char *path = g_build_filename(f->runtime, "session.jsonl", NULL), *again = NULL;
	UtmQmp *qmp = utm_qmp_ref(utm_vm_get_qmp(f->vm)), *replay = NULL;
	g_assert_cmpint(utm_qmp_record(qmp, path, NULL), ==, 0);
	g_assert_cmpint(utm_vm_pause(f->vm, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_execute(qmp, "query-name", NULL, NULL, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_KILL, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_record_stop(qmp, NULL), ==, 0);
	utm_qmp_unref(qmp);

	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.flags = UTM_QMP_CONNECT_REPLAY_UNORDERED;
	g_assert_cmpint(utm_qmp_connect_replay(f->context, path, &options, &replay, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_execute(replay, "stop", NULL, NULL, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_execute(replay, "query-name", NULL, NULL, &again, NULL), ==, 0);
	g_assert_cmpstr(again, ==, "{\"name\":\"Test\"}");
	utm_qmp_unref(replay);
	g_unlink(path);
	close_fixture(f);
}

static void assert_next_event(UtmQmpSubscription *subscription, const char *name)
{
	const UtmQmpEvent *event = NULL;
	g_assert_cmpint(utm_qmp_subscription_wait(subscription, NULL, NULL, NULL, &event, NULL), ==, 0);
	g_assert_cmpstr(event->name, ==, name);
	utm_qmp_event_unref(event);
}

/* Arm, command, wait on the connection that the controller uses itself; it ends with the machine. */
static void test_events_of_the_machine(void)
{
	static const char *const names[] = { "STOP", "RESUME", NULL };
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	start(f);
	UtmQmpSubscription *subscription = NULL;
	g_assert_cmpint(utm_qmp_subscribe(utm_vm_get_qmp(f->vm), names, NULL, NULL, NULL, &subscription, NULL), ==, 0);
	for (int i = 0; i < 20; i++) {
		g_assert_cmpint(utm_vm_pause(f->vm, NULL), ==, 0);
		assert_next_event(subscription, "STOP");
		g_assert_cmpint(utm_vm_resume(f->vm, NULL), ==, 0);
		assert_next_event(subscription, "RESUME");
	}
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_KILL, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_subscription_wait(subscription, NULL, NULL, NULL, NULL, NULL), ==,
	                UTM_ERROR_QMP_DISCONNECTED);
	utm_qmp_subscription_unref(subscription);
	close_fixture(f);
}

static guint64 get_written_bytes(UtmVm *vm)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/io", (int)utm_vm_get_pid(vm));
	g_autofree char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return 0;
	return g_ascii_strtoull(strstr(text, "wchar: ") + 7, NULL, 10);
}

/* Until QEMU cannot write any more because nobody reads. */
static void wait_for_silence(UtmVm *vm)
{
	guint64 before, now = get_written_bytes(vm);
	do {
		before = now;
		g_usleep(500000);
		now = get_written_bytes(vm);
	} while (now - before > 16384); /* it also writes to itself, to wake its threads */
}

static void test_serial_flood_loses_nothing(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	start(f);
	WAIT_FOR(strstr(f->serial->str, "ready\n"));
	g_string_truncate(f->serial, 0);
	utm_vm_serial_write(f->vm, 0, "fq", 2, NULL);
	wait_for_silence(f->vm); /* more than the bound piles up before the first dispatch */
	g_assert_cmpint(utm_vm_get_pid(f->vm), >, 0);
	assert_end(f, UTM_END_GUEST_SHUTDOWN);
	gsize lines = 2 * 1024 * 1024 / 8;
	g_assert_cmpuint(f->serial->len, ==, lines * 8);
	g_autofree char *last = g_strdup_printf("%07x\n", (guint)lines - 1);
	g_assert_true(g_str_has_suffix(f->serial->str, last));
	close_fixture(f);
}

/* Dispatching goes on while a port is held, and yet nothing of it arrives or is lost. */
static void test_serial_hold(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	start(f);
	WAIT_FOR(strstr(f->serial->str, "ready\n"));
	g_string_truncate(f->serial, 0);
	g_assert_cmpint(utm_vm_serial_hold(f->vm, 0, true, NULL), ==, 0);
	utm_vm_serial_write(f->vm, 0, "fq", 2, NULL);
	for (gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC; g_get_monotonic_time() < end;)
		utm_context_wait(f->context, 100);
	g_assert_cmpuint(f->serial->len, ==, 0);
	g_assert_cmpint(utm_vm_get_pid(f->vm), >, 0); /* it writes more than may wait */
	g_assert_cmpint(utm_vm_serial_hold(f->vm, 0, false, NULL), ==, 0);
	assert_end(f, UTM_END_GUEST_SHUTDOWN);
	WAIT_FOR(f->serial->len >= 2 * 1024 * 1024);
	g_assert_cmpuint(f->serial->len, ==, 2 * 1024 * 1024);
	g_assert_cmpint(utm_vm_serial_hold(f->vm, 1, true, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_vm_serial_hold(NULL, 0, true, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	close_fixture(f);
}

typedef struct Done {
	int calls;
	int frees;
	int code;
} Done;

static void on_done(UtmVm *vm, const UtmError *error, void *data)
{
	Done *done = data;
	done->calls++;
	done->code = utm_error_get_code(error);
}

static void on_freed(void *data)
{
	((Done *)data)->frees++;
}

static void test_async_and_cancel(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	Done started = { 0 }, stopped = { 0 };
	open_fixture(f, commander, NULL);
	g_assert_cmpint(utm_vm_start_async(f->vm, NULL, on_done, &started, on_freed, NULL), ==, 0);
	WAIT_FOR(started.calls);
	g_assert_cmpint(started.code, ==, 0);
	g_assert_cmpint(started.frees, ==, 1);

	Done controlled = { 0 };
	g_assert_cmpint(utm_vm_pause_async(f->vm, on_done, &controlled, on_freed, NULL), ==, 0);
	WAIT_FOR(controlled.frees == 1);
	g_assert_cmpint(controlled.code, ==, 0);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_PAUSED);
	g_assert_cmpint(utm_vm_pause_async(f->vm, on_done, &controlled, on_freed, NULL), ==, 0);
	WAIT_FOR(controlled.frees == 2);
	g_assert_cmpint(controlled.code, ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_vm_resume_async(f->vm, on_done, &controlled, on_freed, NULL), ==, 0);
	WAIT_FOR(controlled.frees == 3);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_RUNNING);
	g_assert_cmpint(utm_vm_reset_async(f->vm, on_done, &controlled, on_freed, NULL), ==, 0);
	WAIT_FOR(controlled.frees == 4);
	g_assert_cmpint(controlled.code, ==, 0);
	g_assert_cmpint(controlled.calls, ==, 4);
	g_assert_cmpint(utm_vm_reset_async(NULL, on_done, &controlled, on_freed, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(controlled.frees, ==, 5);

	/* A cancelled escalation leaves the machine as it is. */
	UtmVmStopOptions options = UTM_VM_STOP_OPTIONS_INIT;
	options.cancel = utm_cancel_new();
	utm_vm_stop_async(f->vm, UTM_VM_STOP_ESCALATE, &options, on_done, &stopped, on_freed, NULL);
	utm_cancel_trigger(options.cancel);
	WAIT_FOR(stopped.calls);
	g_assert_cmpint(stopped.code, ==, UTM_ERROR_CANCELLED);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_RUNNING);
	utm_cancel_unref(options.cancel);
	g_assert_cmpstr(utm_vm_event_kind_get_name(UTM_VM_EVENT_LOG), ==, "log");
	g_assert_null(utm_vm_event_kind_get_name(0));
	g_assert_null(utm_vm_event_kind_get_name(UTM_VM_EVENT_LOG + 1));
	close_fixture(f);
}

/* A power button that QEMU does not pass on is given up when the caller wants. */
static void test_fake_cancelled_request(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	Done stopped = { 0 };
	UtmVmStopOptions options = UTM_VM_STOP_OPTIONS_INIT;
	options.cancel = utm_cancel_new();
	g_setenv("FAKE_QEMU_MODE", "numb", TRUE);
	open_fixture(f, headless, g_getenv("UTM_TEST_FAKE_QEMU_DIR"));
	start(f);
	utm_vm_stop_async(f->vm, UTM_VM_STOP_REQUEST, &options, on_done, &stopped, on_freed, NULL);
	g_usleep(100000);
	utm_cancel_trigger(options.cancel);
	WAIT_FOR(stopped.frees);
	g_assert_cmpint(stopped.code, ==, UTM_ERROR_CANCELLED);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_RUNNING);
	utm_cancel_unref(options.cancel);
	close_fixture(f);
}

static void on_event_stop(UtmVm *vm, const UtmVmEvent *event, void *data)
{
	on_event(vm, event, data);
	if (event->kind == UTM_VM_EVENT_STATE && event->state == UTM_VM_STATE_RUNNING)
		g_assert_cmpint(utm_vm_stop(vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
}

static void test_blocking_call_inside_a_callback(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, headless, NULL);
	utm_vm_set_event_handler(f->vm, on_event_stop, f, NULL);
	g_assert_cmpint(utm_vm_start_async(f->vm, NULL, NULL, NULL, NULL, NULL), ==, 0);
	assert_end(f, UTM_END_QUIT);
	close_fixture(f);
}

static void test_dropped_while_starting(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	Done started = { 0 };
	open_fixture(f, commander, NULL);
	utm_vm_start_async(f->vm, NULL, on_done, &started, on_freed, NULL);
	close_fixture(f);
	g_assert_cmpint(started.calls, ==, 0);
	g_assert_cmpint(started.frees, ==, 1);
}

static void test_long_paths(void)
{
	g_autofree char *above = g_dir_make_tmp("utm-long-XXXXXX", NULL);
	g_autofree char *part = g_strnfill(200, 'x');
	g_autofree char *home = g_build_filename(above, part, NULL);
	g_autofree char *name = g_strnfill(200, 'y');
	g_autofree char *old_runtime = g_strdup(g_getenv("XDG_RUNTIME_DIR"));
	g_mkdir(home, 0700);
	g_setenv("XDG_RUNTIME_DIR", home, TRUE);
	UtmContext *context = utm_context_new(NULL, NULL);
	char *path = test_bundle_new(name, headless);
	UtmBundle *bundle = NULL;
	UtmVm *vm = NULL;
	UtmError *error = NULL;
	assert_ok(utm_bundle_open(context, path, &bundle, &error), &error);
	assert_ok(utm_vm_new(bundle, &vm, &error), &error);
	assert_ok(utm_vm_start(vm, NULL, &error), &error);
	assert_ok(utm_vm_stop(vm, UTM_VM_STOP_FORCE, NULL, &error), &error);
	utm_vm_unref(vm);
	utm_bundle_unref(bundle);
	utm_context_unref(context);
	test_bundle_remove(path);
	test_remove_tree(above);
	if (old_runtime)
		g_setenv("XDG_RUNTIME_DIR", old_runtime, TRUE);
	else
		g_unsetenv("XDG_RUNTIME_DIR");
}

/* ---------------------------------------------------------------- what goes wrong */

/* Fails to start with the code; afterwards nothing is left and the end reason says the same. */
static void assert_start_fails(Fixture *f, const UtmVmStartOptions *options, int code, const char *message_part)
{
	UtmError *error = NULL;
	g_assert_cmpint(utm_vm_start(f->vm, options, &error), <, 0);
	g_autofree char *text = utm_error_dup_text(error);
	g_test_message("%s", text);
	g_assert_cmpstr(utm_error_code_get_name(utm_error_get_code(error)), ==, utm_error_code_get_name(code));
	g_assert_nonnull(strstr(text, message_part));
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_STOPPED);
	assert_end(f, UTM_END_START_FAILED);
	g_assert_cmpint(utm_error_get_code(utm_end_reason_get_error(utm_vm_get_end_reason(f->vm))), ==, code);
	utm_error_unref(error);
	assert_nothing_left(f);
}

static void test_missing_image(void)
{
	static const TestEdit edits[] = {
		{ "Drive", "[{'Identifier': 'A', 'ImageType': 'Disk', 'Interface': 'VirtIO', 'ImageName': 'gone.qcow2'}]" },
		{ NULL, NULL },
	};
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, edits, NULL);
	assert_start_fails(f, NULL, UTM_ERROR_IMAGE_MISSING, "Drive[0].ImageName");
	close_fixture(f);
}

static void test_damaged_image(void)
{
	/* QEMU itself refuses it: its own words arrive. */
	static const TestEdit edits[] = {
		{ "Drive", "[{'Identifier': 'A', 'ImageType': 'Disk', 'Interface': 'VirtIO', 'ImageName': 'bad.qcow2'}]" },
		{ NULL, NULL },
	};
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, edits, NULL);
	test_bundle_add_file(f->bundle_path, "bad.qcow2", NULL, 4096);
	assert_start_fails(f, NULL, UTM_ERROR_PROCESS_EXITED, "Image is not in qcow2 format");
	close_fixture(f);
}

static void test_no_qemu(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	g_autofree char *path = g_strdup(g_getenv("PATH"));
	g_setenv("PATH", "/nonexistent", TRUE);
	open_fixture(f, headless, "/nonexistent");
	assert_start_fails(f, NULL, UTM_ERROR_QEMU_NOT_FOUND, "qemu-system-x86_64");
	close_fixture(f);
	g_setenv("PATH", path, TRUE);
}

static void with_fake(Fixture *f, const char *mode)
{
	g_setenv("FAKE_QEMU_MODE", mode, TRUE);
	open_fixture(f, headless, g_getenv("UTM_TEST_FAKE_QEMU_DIR"));
}

static void test_fake_exits_at_once(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	with_fake(f, "exit");
	assert_start_fails(f, NULL, UTM_ERROR_PROCESS_EXITED, "exit status 1");
	close_fixture(f);
}

/* Neither the warnings before it nor the hint after it are why it did not start. */
static void test_fake_complains(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	with_fake(f, "complain");
	assert_start_fails(f, NULL, UTM_ERROR_PROCESS_EXITED, "(exit status 1): qemu-system-x86_64: -device frob");
	close_fixture(f);
}

/* A guest that has run was started, and has ended, even when that was too quick to be asked about. */
static void test_fake_powers_off_at_once(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmError *error = NULL;
	with_fake(f, "poweroff");
	assert_ok(utm_vm_start(f->vm, NULL, &error), &error);
	assert_end(f, UTM_END_GUEST_SHUTDOWN);
	g_assert_cmpstr(f->states->str, ==, "starting running stopping stopped ");
	close_fixture(f);
}

/* What waits for a picture of a start that fails is woken, and finds the reason. */
static void test_fake_picture_of_a_failed_start(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	g_setenv("FAKE_QEMU_MODE", "exit", TRUE);
	open_fixture(f, NULL, g_getenv("UTM_TEST_FAKE_QEMU_DIR"));
	for (int i = 0; i < 3; i++) {
		g_assert_cmpint(utm_vm_start_async(f->vm, NULL, NULL, NULL, NULL, NULL), ==, 0);
		g_assert_cmpint(wait_frame(f, -1, NULL), ==, UTM_ERROR_VM_ENDED);
		g_assert_cmpuint(utm_end_reason_get_kind(utm_vm_get_end_reason(f->vm)), ==, UTM_END_START_FAILED);
		WAIT_FOR(f->ended == i + 1);
	}
	close_fixture(f);
}

/* A start that never began ends nothing: the former reason stays, and no event tells of an end. */
static void test_fake_start_cancelled_before_it_began(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	options.cancel = utm_cancel_new();
	utm_cancel_trigger(options.cancel);
	with_fake(f, "");
	g_assert_cmpint(utm_vm_start(f->vm, &options, NULL), ==, UTM_ERROR_CANCELLED);
	g_assert_null(utm_vm_get_end_reason(f->vm));
	start(f);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
	assert_end(f, UTM_END_QUIT);
	g_assert_cmpint(utm_vm_start(f->vm, &options, NULL), ==, UTM_ERROR_CANCELLED);
	assert_end(f, UTM_END_QUIT);
	while (utm_context_wait(f->context, 50) > 0)
		;
	g_assert_cmpint(f->ended, ==, 1);
	utm_cancel_unref(options.cancel);
	close_fixture(f);
}

static void assert_no_start(Fixture *f, UtmVmStartOptions options)
{
	g_assert_cmpint(utm_vm_start(f->vm, &options, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_vm_start_async(f->vm, &options, NULL, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

static void assert_no_stop(Fixture *f, UtmVmStopOptions options)
{
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, &options, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_vm_stop_async(f->vm, UTM_VM_STOP_FORCE, &options, NULL, NULL, NULL, NULL), ==,
	                UTM_ERROR_INVALID_ARGUMENT);
}

static void test_wrong_options(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmVmStartOptions start_options = UTM_VM_START_OPTIONS_INIT;
	UtmVmStopOptions stop_options = UTM_VM_STOP_OPTIONS_INIT;
	with_fake(f, "");
	start_options.timeout_ms = -2;
	assert_no_start(f, start_options);
	start_options.timeout_ms = 0;
	start_options.reserved = 1;
	assert_no_start(f, start_options);
	start_options.reserved = 0;
	start_options.flags = 1u << 31;
	assert_no_start(f, start_options);
	stop_options.request_timeout_ms = -2;
	assert_no_stop(f, stop_options);
	stop_options.request_timeout_ms = 0;
	stop_options.force_timeout_ms = INT64_MIN;
	assert_no_stop(f, stop_options);
	g_assert_cmpuint(utm_vm_get_state(f->vm), ==, UTM_VM_STATE_STOPPED);
	close_fixture(f);
}

/* -1 is no deadline at all; only the end of the machine ends such a call. */
static void test_fake_stop_without_deadline(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	Done forced = { 0 };
	UtmVmStopOptions options = UTM_VM_STOP_OPTIONS_INIT;
	options.force_timeout_ms = -1;
	with_fake(f, "no-quit");
	start(f);
	utm_vm_stop_async(f->vm, UTM_VM_STOP_FORCE, &options, on_done, &forced, on_freed, NULL);
	gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC;
	while (g_get_monotonic_time() < end)
		utm_context_wait(f->context, 100);
	g_assert_cmpint(forced.calls, ==, 0);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_KILL, NULL, NULL), ==, 0);
	WAIT_FOR(forced.calls);
	g_assert_cmpint(forced.code, ==, 0);
	close_fixture(f);
}

static void test_fake_hangs_before_the_greeting(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	options.timeout_ms = 700;
	with_fake(f, "hang");
	assert_start_fails(f, &options, UTM_ERROR_TIMEOUT, "starting the machine took longer than 700 ms");
	close_fixture(f);
}

static void test_fake_prints_rubbish(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	with_fake(f, "rubbish");
	assert_start_fails(f, NULL, UTM_ERROR_QMP_PROTOCOL, "");
	close_fixture(f);
}

static void test_fake_never_answers(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	options.timeout_ms = 700;
	with_fake(f, "mute");
	assert_start_fails(f, &options, UTM_ERROR_TIMEOUT, "700 ms");
	close_fixture(f);
}

static void test_fake_cancelled_start(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	Done started = { 0 };
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	options.cancel = utm_cancel_new();
	with_fake(f, "hang");
	utm_vm_start_async(f->vm, &options, on_done, &started, on_freed, NULL);
	g_usleep(100000);
	utm_cancel_trigger(options.cancel);
	WAIT_FOR(started.calls);
	g_assert_cmpint(started.code, ==, UTM_ERROR_CANCELLED);
	assert_end(f, UTM_END_START_FAILED);
	utm_cancel_unref(options.cancel);
	close_fixture(f);
}

static void test_fake_stopped_while_starting(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	Done started = { 0 };
	with_fake(f, "hang");
	utm_vm_start_async(f->vm, NULL, on_done, &started, on_freed, NULL);
	g_usleep(100000);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_ESCALATE, NULL, NULL), ==, 0);
	WAIT_FOR(started.calls);
	g_assert_cmpint(started.code, ==, UTM_ERROR_CANCELLED);
	close_fixture(f);
}

static void test_fake_ignores_quit(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	UtmVmStopOptions options = UTM_VM_STOP_OPTIONS_INIT;
	options.request_timeout_ms = 100;
	options.force_timeout_ms = 200;
	with_fake(f, "no-quit");
	start(f);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, &options, NULL), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpint(utm_vm_get_pid(f->vm), >, 1);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_ESCALATE, &options, NULL), ==, 0);
	assert_end(f, UTM_END_KILLED);
	close_fixture(f);
}

static void test_fake_crashes(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	with_fake(f, "crash");
	UtmError *error = NULL;
	if (utm_vm_start(f->vm, NULL, &error) == 0)
		assert_end(f, UTM_END_QEMU_SIGNALLED);
	else
		g_assert_cmpint(utm_error_get_exit_status(error), ==, 128 + SIGABRT);
	utm_error_unref(error);
	close_fixture(f);
}

static void test_fake_closes_its_monitor(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	with_fake(f, "hangup");
	UtmError *error = NULL;
	if (utm_vm_start(f->vm, NULL, &error) == 0)
		assert_end(f, UTM_END_QEMU_EXITED);
	else
		g_assert_cmpint(utm_error_get_code(error), ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_error_unref(error);
	close_fixture(f);
}

/* What a handler that is taken away has not fetched is not waited for: the guest goes on. */
static void test_serial_handler_taken_away(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, commander, NULL);
	start(f);
	WAIT_FOR(strstr(f->serial->str, "ready\n"));
	utm_vm_serial_write(f->vm, 0, "fq", 2, NULL);
	wait_for_silence(f->vm);
	utm_vm_set_serial_handler(f->vm, 0, NULL, NULL, NULL, NULL);
	assert_end(f, UTM_END_GUEST_SHUTDOWN);
	/* The newest 64 KiB wait for the next handler. */
	g_string_truncate(f->serial, 0);
	utm_vm_set_serial_handler(f->vm, 0, on_serial, f, NULL, NULL);
	WAIT_FOR(f->serial->len > 0);
	g_assert_cmpuint(f->serial->len, <=, 64 * 1024);
	g_assert_true(g_str_has_suffix(f->serial->str, "003ffff\n"));
	close_fixture(f);
}

static void test_host_ignores_sigchld(void)
{
	signal(SIGCHLD, SIG_IGN);
	Fixture fixture = { 0 }, *f = &fixture;
	static const TestEdit edits[] = { { "Display", "[]" }, { "QEMU.UEFIBoot", "true" }, { NULL, NULL } };
	open_fixture(f, edits, NULL);
	start(f);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_KILL, NULL, NULL), ==, 0);
	assert_end(f, UTM_END_KILLED);
	f->ended = 0;
	start(f);
	kill((pid_t)utm_vm_get_pid(f->vm), SIGKILL);
	assert_end(f, UTM_END_QEMU_EXITED);
	g_assert_null(strstr(utm_end_reason_get_text(utm_vm_get_end_reason(f->vm)), "-1"));
	close_fixture(f);
	signal(SIGCHLD, SIG_DFL);
}

/* A bundle from a stranger may hold a link where the variables are made. */
static void test_variables_do_not_follow_links(void)
{
	static const TestEdit edits[] = { { "Display", "[]" }, { "QEMU.UEFIBoot", "true" }, { NULL, NULL } };
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, edits, NULL);
	g_autofree char *victim = g_build_filename(f->runtime, "victim", NULL);
	g_autofree char *link = g_build_filename(f->bundle_path, "Data", "efi_vars.fd.new", NULL);
	g_assert_true(g_file_set_contents(victim, "precious", -1, NULL));
	g_assert_cmpint(symlink(victim, link), ==, 0);
	start(f);
	g_assert_cmpint(utm_vm_stop(f->vm, UTM_VM_STOP_FORCE, NULL, NULL), ==, 0);
	g_autofree char *contents = NULL;
	g_assert_true(g_file_get_contents(victim, &contents, NULL, NULL));
	g_assert_cmpstr(contents, ==, "precious");
	g_remove(victim);
	g_autofree char *data = g_build_filename(f->bundle_path, "Data", NULL);
	GDir *dir = g_dir_open(data, 0, NULL);
	for (const char *name; (name = g_dir_read_name(dir));)
		g_assert_true(!g_str_has_prefix(name, "efi_vars.fd") || !strcmp(name, "efi_vars.fd") ||
		              !strcmp(name, "efi_vars.fd.new"));
	g_dir_close(dir);
	close_fixture(f);
}

/* The application's facts about the host say nothing about whether a strange image may be opened. */
static void test_own_host_facts_do_not_skip_the_check_of_images(void)
{
	static const TestEdit edits[] = {
		{ "Display", "[]" },
		{ "Drive", "[{'Identifier': 'A', 'ImageType': 'Disk', 'Interface': 'VirtIO', 'ImageName': 'a.qcow2'}]" },
		{ NULL, NULL },
	};
	Fixture fixture = { 0 }, *f = &fixture;
	open_fixture(f, edits, NULL);
	g_autofree char *outside = g_build_filename(f->runtime, "..", "outside.raw", NULL);
	g_autofree char *image = g_build_filename(f->bundle_path, "Data", "a.qcow2", NULL);
	g_autofree char *base = g_canonicalize_filename(outside, NULL);
	g_assert_true(g_file_set_contents(base, "0123456789", -1, NULL));
	const char *make[] = { "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, image, "1M", NULL };
	g_assert_true(g_spawn_sync(NULL, (char **)make, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	g_assert_cmpint(utm_host_probe(f->context, utm_vm_get_config(f->vm), &options.host, NULL), ==, 0);
	assert_start_fails(f, &options, UTM_ERROR_BUNDLE_PATH_ESCAPE, "Drive[0].ImageName");
	utm_host_unref(options.host);
	g_remove(base);
	close_fixture(f);
}

static void stop_while_starting(UtmVm *vm)
{
	g_usleep(100000);
	gint64 before = g_get_monotonic_time();
	g_assert_cmpint(utm_vm_stop(vm, UTM_VM_STOP_KILL, NULL, NULL), ==, 0);
	g_assert_cmpint(g_get_monotonic_time() - before, <, 700000);
}

/* Nothing is drained from a monitor that never spoke. */
static void test_fake_kill_while_starting_is_quick(void)
{
	Fixture fixture = { 0 }, *f = &fixture;
	with_fake(f, "hang");
	for (int i = 0; i < 3; i++) {
		utm_vm_start_async(f->vm, NULL, NULL, NULL, NULL, NULL);
		stop_while_starting(f->vm);
	}
	close_fixture(f);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], TRY_START) == 0)
		return try_start_here(argv);
	program = argv[0];
	g_test_init(&argc, &argv, NULL);
	g_autofree char *qemu = g_find_program_in_path("qemu-system-x86_64");
	if (qemu && g_getenv("UTM_TEST_COMMANDER")) {
		g_test_add_func("/vm/life", test_whole_life);
		g_test_add_func("/vm/picture-right-after-start", test_picture_right_after_start);
		g_test_add_func("/vm/picture-while-starting", test_picture_while_starting);
		g_test_add_func("/vm/picture-without-an-engine", test_picture_without_an_engine);
		g_test_add_func("/vm/start-again", test_start_again);
		g_test_add_func("/vm/second-start", test_second_start_is_refused);
		g_test_add_func("/vm/kill", test_kill);
		g_test_add_func("/vm/killed-by-somebody", test_killed_by_somebody);
		g_test_add_func("/vm/escalate", test_escalate);
		g_test_add_func("/vm/start-paused", test_start_paused);
		g_test_add_func("/vm/qmp", test_qmp_of_the_machine);
		g_test_add_func("/vm/recording", test_recording_of_the_machine);
		g_test_add_func("/vm/qmp-events", test_events_of_the_machine);
		g_test_add_func("/vm/serial-flood", test_serial_flood_loses_nothing);
		g_test_add_func("/vm/serial-hold", test_serial_hold);
		g_test_add_func("/vm/serial-handler-taken-away", test_serial_handler_taken_away);
		g_test_add_func("/vm/host-ignores-sigchld", test_host_ignores_sigchld);
		g_test_add_func("/vm/variables-follow-no-link", test_variables_do_not_follow_links);
		g_test_add_func("/vm/own-host-facts", test_own_host_facts_do_not_skip_the_check_of_images);
		g_test_add_func("/vm/async-and-cancel", test_async_and_cancel);
		g_test_add_func("/vm/blocking-inside-callback", test_blocking_call_inside_a_callback);
		g_test_add_func("/vm/dropped-while-starting", test_dropped_while_starting);
		g_test_add_func("/vm/long-paths", test_long_paths);
		g_test_add_func("/vm/fault/missing-image", test_missing_image);
		g_test_add_func("/vm/fault/damaged-image", test_damaged_image);
	}
	g_test_add_func("/vm/fault/no-qemu", test_no_qemu);
	g_test_add_func("/vm/fault/exits-at-once", test_fake_exits_at_once);
	g_test_add_func("/vm/fault/cancelled-request", test_fake_cancelled_request);
	g_test_add_func("/vm/fault/complains", test_fake_complains);
	g_test_add_func("/vm/fault/powers-off-at-once", test_fake_powers_off_at_once);
	g_test_add_func("/vm/fault/picture-of-a-failed-start", test_fake_picture_of_a_failed_start);
	g_test_add_func("/vm/fault/cancelled-before-the-start", test_fake_start_cancelled_before_it_began);
	g_test_add_func("/vm/fault/wrong-options", test_wrong_options);
	g_test_add_func("/vm/fault/stop-without-deadline", test_fake_stop_without_deadline);
	g_test_add_func("/vm/fault/hangs-before-greeting", test_fake_hangs_before_the_greeting);
	g_test_add_func("/vm/fault/prints-rubbish", test_fake_prints_rubbish);
	g_test_add_func("/vm/fault/never-answers", test_fake_never_answers);
	g_test_add_func("/vm/fault/cancelled-start", test_fake_cancelled_start);
	g_test_add_func("/vm/fault/stopped-while-starting", test_fake_stopped_while_starting);
	g_test_add_func("/vm/fault/kill-while-starting", test_fake_kill_while_starting_is_quick);
	g_test_add_func("/vm/fault/ignores-quit", test_fake_ignores_quit);
	g_test_add_func("/vm/fault/crashes", test_fake_crashes);
	g_test_add_func("/vm/fault/closes-its-monitor", test_fake_closes_its_monitor);
	return g_test_run();
}
