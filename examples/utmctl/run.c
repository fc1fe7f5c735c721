/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utmctl run: a machine in the terminal, until it ends, its time is over or Ctrl-C.
 *
 * One thread and one poll(): the library's descriptor and a pipe that the signal handler writes to. Callbacks print and
 * take notes; decide() acts on the notes, so the order in which things are reported does not matter.
 */
#include "utmctl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEYS_MAX 64
#define SERIALS_MAX 8
/* A prompt without line end is shown after so long. */
#define PROMPT_MS 300
#define FIRST_PICTURE_MS 10000
#define SECONDS_MAX 1e9

typedef struct Key {
	uint32_t scancode;
	double after_seconds;
	bool typed;
} Key;

typedef struct Run {
	const char *screenshot;
	uint32_t argument_policy;
	bool verbose;
	double for_seconds; /* 0: until the guest ends */
	Key keys[KEYS_MAX];
	size_t key_count;

	UtmContext *ctx;
	UtmBundle *bundle;
	UtmVm *vm;
	UtmFrame *latest;
	SerialLines serials[SERIALS_MAX];
	int64_t serial_ms;
	int64_t running_ms, input_ms; /* when it was first so; 0: not yet */
	int interrupts;
	bool starting, stopping, ended;
	int status;
} Run;

static int signal_pipe[2] = { -1, -1 };

static void on_signal(int signal_number)
{
	int saved = errno;
	char byte = (char)signal_number;

	if (write(signal_pipe[1], &byte, 1) < 0)
		errno = 0; /* the pipe is full of the same news */
	errno = saved;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void flush_serials(Run *run)
{
	for (int i = 0; i < SERIALS_MAX; i++)
		serial_lines_flush(&run->serials[i]);
}

/* --- callbacks, all inside utm_context_dispatch() --- */

static void on_event(UtmVm *vm, const UtmVmEvent *event, void *data)
{
	Run *run = data;

	(void)vm;
	flush_serials(run);
	if (event->dropped)
		printf("dropped: %" PRIu64 " events\n", event->dropped);
	switch (event->kind) {
	case UTM_VM_EVENT_STATE:
		printf("state: %s\n", utm_vm_state_get_name(event->state));
		if (event->state == UTM_VM_STATE_RUNNING && !run->running_ms)
			run->running_ms = now_ms();
		break;
	case UTM_VM_EVENT_ENDED:
		run->ended = true;
		break;
	case UTM_VM_EVENT_QMP:
		if (run->verbose || strncmp(event->text, "SPICE_", 6) != 0) /* that our own console connects is no news */
			printf("event: %s%s%s\n", event->text, event->json ? " " : "", event->json ? event->json : "");
		break;
	case UTM_VM_EVENT_WARNING:
		printf("warning: %s\n", event->text);
		break;
	case UTM_VM_EVENT_LOG:
		if (run->verbose)
			printf("qemu: %s\n", event->text);
		break;
	}
}

static void on_console_event(UtmConsole *console, const UtmConsoleEvent *event, void *data)
{
	Run *run = data;

	(void)console;
	if (event->kind == UTM_CONSOLE_EVENT_INPUT_READY && !run->input_ms)
		run->input_ms = now_ms();
	if (event->kind == UTM_CONSOLE_EVENT_ENGINE_LOST)
		printf("warning: the console engine was lost: %s\n",
		       event->error ? utm_error_get_message(event->error) : "no reason known");
}

static void on_frame(UtmDisplay *display, void *data)
{
	Run *run = data;
	UtmFrame *frame = utm_display_acquire_frame(display);

	/* Kept, because the display shows nothing any more when the guest has ended. */
	if (frame) {
		utm_frame_unref(run->latest);
		run->latest = frame;
	}
}

static void on_serial(UtmVm *vm, uint32_t index, const void *bytes, size_t size, void *data)
{
	Run *run = data;

	(void)vm;
	serial_lines_add(&run->serials[index], bytes, size);
	run->serial_ms = now_ms();
}

static void on_started(UtmVm *vm, const UtmError *error, void *data)
{
	Run *run = data;

	run->starting = false;
	if (!error)
		return;
	flush_serials(run);
	run->ended = true;
	run->status = run->interrupts ? EXIT_INTERRUPTED : EXIT_OPERATION;
	if (!run->interrupts)
		report(utm_bundle_get_path(utm_vm_get_bundle(vm)), utm_error_ref((UtmError *)error));
}

static void on_stopped(UtmVm *vm, const UtmError *error, void *data)
{
	Run *run = data;

	(void)vm;
	if (error && utm_error_get_code(error) != UTM_ERROR_CANCELLED)
		run->status = report(NULL, utm_error_ref((UtmError *)error));
}

/* --- decisions, outside of callbacks --- */

static void stop(Run *run, uint32_t method)
{
	UtmError *error = NULL;

	run->stopping = true;
	if (utm_vm_stop_async(run->vm, method, NULL, on_stopped, run, NULL, &error) < 0)
		run->status = report(NULL, error);
}

static void save_screenshot(Run *run)
{
	UtmError *error = NULL;
	UtmDisplay *display = utm_vm_get_display(run->vm, 0);
	int code;

	if (run->latest)
		code = utm_frame_save_png(run->latest, run->screenshot, &error);
	else if (display && !run->ended)
		code = utm_display_save_screenshot(display, run->screenshot, FIRST_PICTURE_MS, &error);
	else {
		run->status = complain("%s: no screenshot: the machine never showed a picture\n"
		                       "        give it more time, or a display device",
		                       run->screenshot);
		return;
	}
	if (code < 0)
		run->status = report(run->screenshot, error);
	else
		printf("screenshot: %s\n", run->screenshot);
}

static void type_due_keys(Run *run)
{
	UtmConsole *console = utm_vm_get_console(run->vm);

	for (size_t i = 0; i < run->key_count && run->input_ms; i++) {
		Key *key = &run->keys[i];
		UtmError *error = NULL;
		if (key->typed || (double)(now_ms() - run->input_ms) < key->after_seconds * 1000)
			continue;
		key->typed = true;
		if (utm_console_send_key(console, key->scancode, true, &error) < 0 ||
		    utm_console_send_key(console, key->scancode, false, &error) < 0)
			run->status = report(NULL, error);
		else
			printf("typed: 0x%02x\n", key->scancode);
	}
}

static void tell_untyped_keys(const Run *run)
{
	for (size_t i = 0; i < run->key_count; i++)
		if (!run->keys[i].typed)
			printf("not typed: 0x%02x: %s\n", run->keys[i].scancode,
			       run->input_ms ? "its time never came" : "the guest never accepted keys");
}

/* A terminal that goes away may say so twice, the kernel and the shell each: that is not the wish to kill. */
static void take_signal(Run *run, int number)
{
	if (run->interrupts && number == SIGHUP)
		return;
	flush_serials(run);
	printf("interrupted: %s\n", run->interrupts ? "killing the machine" : "asking the guest to power off");
	stop(run, run->interrupts++ ? UTM_VM_STOP_KILL : UTM_VM_STOP_ESCALATE);
}

static void take_signals(Run *run)
{
	char bytes[16];
	ssize_t count = read(signal_pipe[0], bytes, sizeof bytes);

	for (ssize_t i = 0; i < count; i++)
		take_signal(run, bytes[i]);
}

static void decide(Run *run)
{
	if (now_ms() - run->serial_ms >= PROMPT_MS)
		flush_serials(run);
	if (run->stopping || run->ended)
		return;
	type_due_keys(run);
	if (run->for_seconds > 0 && run->running_ms && (double)(now_ms() - run->running_ms) >= run->for_seconds * 1000) {
		flush_serials(run);
		printf("time is over\n");
		if (run->screenshot)
			save_screenshot(run);
		run->screenshot = NULL;
		stop(run, UTM_VM_STOP_ESCALATE);
	}
}

static void watch(Run *run)
{
	struct pollfd polls[] = { { utm_context_get_fd(run->ctx), POLLIN, 0 }, { signal_pipe[0], POLLIN, 0 } };

	/* A failed start is told twice, by the event and by the end of the call, which alone knows the error. */
	while (!run->ended || run->starting) {
		poll(polls, 2, 100);
		utm_context_dispatch(run->ctx, 0);
		if (polls[1].revents)
			take_signals(run);
		decide(run);
	}
	/* What came with the end. */
	utm_context_dispatch(run->ctx, 0);
	flush_serials(run);
	if (run->screenshot && run->running_ms)
		save_screenshot(run);
	if (run->running_ms)
		tell_untyped_keys(run);
}

static bool ended_badly(uint32_t kind)
{
	return kind == UTM_END_GUEST_PANIC || kind == UTM_END_QEMU_EXITED || kind == UTM_END_QEMU_SIGNALLED;
}

static void print_end(Run *run)
{
	UtmEndReason *reason = utm_vm_get_end_reason(run->vm);

	if (!reason)
		return;
	uint32_t kind = utm_end_reason_get_kind(reason);
	const char *name = utm_end_kind_get_name(kind);
	/* What was not shown as it came, now that it may say why. */
	if (ended_badly(kind) && !run->verbose && utm_end_reason_get_stderr_tail(reason))
		print_lines_of(stdout, "qemu: ", utm_end_reason_get_stderr_tail(reason));
	printf("end: %s: %s\n", name ? name : "unknown", utm_end_reason_get_text(reason));
	if (utm_end_reason_get_qemu_reason(reason))
		printf("end: QEMU's reason: %s\n", utm_end_reason_get_qemu_reason(reason));
	if (utm_end_reason_get_signal(reason))
		printf("end: signal %d\n", utm_end_reason_get_signal(reason));
	else if (utm_end_reason_get_exit_status(reason) >= 0)
		printf("end: exit status %d\n", utm_end_reason_get_exit_status(reason));
	if (run->status == EXIT_OK && ended_badly(kind))
		run->status = EXIT_GUEST;
	if (run->status == EXIT_OK && run->interrupts)
		run->status = EXIT_INTERRUPTED;
}

static int open_and_start(Run *run, const char *path)
{
	UtmContextOptions context_options = UTM_CONTEXT_OPTIONS_INIT;
	UtmError *error = NULL;

	context_options.accel_policy = chosen_accelerator();
	context_options.argument_policy = run->argument_policy;
	run->ctx = utm_context_new(&context_options, &error);
	if (!run->ctx || utm_bundle_open(run->ctx, path, &run->bundle, &error) < 0 ||
	    utm_vm_new(run->bundle, &run->vm, &error) < 0)
		return run->status = report(path, error);
	utm_vm_set_event_handler(run->vm, on_event, run, NULL);
	utm_console_set_event_handler(utm_vm_get_console(run->vm), on_console_event, run, NULL);
	if (run->screenshot && utm_vm_get_display(run->vm, 0))
		utm_display_set_frame_handler(utm_vm_get_display(run->vm, 0), on_frame, run, NULL);
	for (uint32_t i = 0; i < utm_vm_get_serial_count(run->vm) && i < SERIALS_MAX; i++)
		utm_vm_set_serial_handler(run->vm, i, on_serial, run, NULL, NULL);
	run->starting = true;
	if (utm_vm_start_async(run->vm, NULL, on_started, run, NULL, &error) < 0)
		return run->status = report(path, error);
	return EXIT_OK;
}

static bool catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;

	if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
	    sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGHUP, NULL, &old) < 0)
		return false;
	/* nohup has it ignored, and means it. */
	return old.sa_handler == SIG_IGN || sigaction(SIGHUP, &action, NULL) == 0;
}

/* Pictures are saved at the end, which is late to learn that they cannot be. */
static bool can_save(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
	char *directory = length ? strndup(path, length) : strdup(".");
	struct stat info;
	bool exists = directory && access(directory, W_OK | X_OK) == 0;

	if (exists && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
		errno = EISDIR;
		exists = false;
	}
	if (!exists)
		complain("%s: no picture can be saved there: %s\n"
		         "        name a file in a directory that exists and that you may write to",
		         path, strerror(errno));
	free(directory);
	return exists;
}

static Run the_run;

/* CODE or CODE@SECONDS. */
static bool add_key(const char *text)
{
	char *end = NULL;
	unsigned long code = strtoul(text, &end, 0);
	const char *seconds_text = *end == '@' && end > text ? end + 1 : NULL;
	double seconds = seconds_text ? strtod(seconds_text, &end) : 0;

	if (*end || end == text || end == seconds_text || !(seconds >= 0 && seconds < SECONDS_MAX))
		return false;
	if (code > 0x17f || (code & 0xff) < 1 || (code & 0xff) > 0x7f || the_run.key_count == KEYS_MAX)
		return false;
	the_run.keys[the_run.key_count++] = (Key){ (uint32_t)code, seconds, false };
	return true;
}

static bool set_seconds(const char *text)
{
	char *end = NULL;

	the_run.for_seconds = strtod(text, &end);
	return !*end && end != text && the_run.for_seconds > 0 && the_run.for_seconds < SECONDS_MAX;
}

static int run_machine(const Command *command, char **operands)
{
	Run *run = &the_run;

	(void)command;
	if (run->screenshot && !can_save(run->screenshot))
		return EXIT_OPERATION;
	if (!catch_signals())
		return complain("signals cannot be caught: %s", strerror(errno));
	if (open_and_start(run, operands[0]) == EXIT_OK) {
		watch(run);
		print_end(run);
	}
	utm_frame_unref(run->latest);
	utm_vm_unref(run->vm);
	utm_bundle_unref(run->bundle);
	utm_context_unref(run->ctx);
	return run->status;
}

static bool set_arguments(const char *text)
{
	static const char *const names[] = { [UTM_ARGUMENT_POLICY_LIST] = "list",
		                                 [UTM_ARGUMENT_POLICY_ALLOW] = "allow",
		                                 [UTM_ARGUMENT_POLICY_REFUSE] = "refuse" };

	for (uint32_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(text, names[i]) == 0) {
			the_run.argument_policy = i;
			return true;
		}
	}
	return false;
}

static const Option options[] = {
	{ .name = "--for", .add = set_seconds },
	{ .name = "--screenshot", .value = &the_run.screenshot },
	{ .name = "--type-key", .add = add_key },
	{ .name = "--arguments", .add = set_arguments },
	{ .name = "--verbose", .present = &the_run.verbose },
	{ 0 },
};

const Command run_command = {
	.name = "run",
	.arguments = "BUNDLE [--for SECONDS] [--screenshot FILE] [--type-key CODE[@SECONDS]]... [--arguments allow|list|refuse] [--verbose]",
	.summary = "run a machine until it ends or the time is over; print states, serial port and end reason",
	.notes =
		"--type-key presses and releases a key, by its PC AT set 1 code (0x1e is `a`, 0x100 + code with the prefix E0), so\n"
		"many seconds after the guest accepts keys (0 unless given). --arguments says what becomes of additional arguments\n"
		"for QEMU, which may do anything: they are used and listed, unless allow silences that or refuse forbids them.\n"
		"--screenshot saves the last picture as PNG. --verbose\n"
		"prints what QEMU writes to its standard error, and the events of its SPICE server; without it QEMU's last lines\n"
		"are shown when the machine ends badly. When the time of --for is over the guest is asked to power off; one that does\n"
		"not follow within 30 s is stopped.\n"
		"\n"
		"Ctrl-C, SIGTERM and SIGHUP ask the guest to power off, then have QEMU quit, then kill it; a second Ctrl-C kills\n"
		"at once.\n",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run_machine,
};
