/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot-and-watch BUNDLE [DIRECTORY]
 *
 * Boots a machine, saves its picture, types a key, shows that the picture changed, and shuts the guest down: the life of
 * a machine in one program, over plain poll(2). DIRECTORY (here, unless given) gets screen.png and screen-after-key.png.
 *
 * The program never blocks outside poll(). It goes through the phases below; callbacks only take note of what happened,
 * and after each dispatch step() decides whether it is time for the next phase. So nothing depends on the order in which
 * picture, serial port and state report.
 */
#define _POSIX_C_SOURCE 200809L /* poll() and clock_gettime(), when compiled as plain C99 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utm/utm.h>

#define READY_MARK "demo: ready"
#define KEY_A 0x1e
/* A picture that did not change for so long is taken for finished. */
#define QUIET_MS 700
/* A tenth of a percent: a blinking cursor is less, the demo's new colours are far more. */
#define CHANGED_PER_MILLE 1

typedef enum Phase {
	PHASE_BOOTING,  /* until the guest says that it is ready, and its picture rests */
	PHASE_TYPED,    /* until the picture is another one, and rests */
	PHASE_STOPPING, /* until the machine ended */
} Phase;

/* How long each phase may take. An emulated guest on a slow host needs most of it. */
static const int phase_limit_ms[] = { 90000, 15000, 30000 };
static const char *const phase_wish[] = { "the guest to paint its picture", "the picture to change",
	                                      "the guest to power off" };

typedef struct Watch {
	UtmContext *ctx;
	UtmBundle *bundle;
	UtmVm *vm;
	UtmDisplay *display;
	const char *directory;
	Phase phase;
	int64_t started_ms, phase_ms, frame_ms;
	UtmFrame *latest, *before_key;
	uint64_t frames;
	bool starting, input_ready, guest_ready, ended;
	char line[512];
	size_t line_used;
	int status; /* what main() returns */
} Watch;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void print_time(const Watch *watch)
{
	printf("%7.2f  ", (double)(now_ms() - watch->started_ms) / 1000);
}

static int fail(Watch *watch, const char *what, UtmError *error)
{
	char *text = error ? utm_error_dup_text(error) : NULL;

	fprintf(stderr, "boot-and-watch: %s%s%s\n", what, text ? ": " : "", text ? text : "");
	utm_free(text);
	utm_error_unref(error);
	watch->status = 1;
	return 1;
}

/* --- what the library tells: all of this runs inside utm_context_dispatch() --- */

static void on_event(UtmVm *vm, const UtmVmEvent *event, void *data)
{
	Watch *watch = data;

	(void)vm;
	print_time(watch);
	switch (event->kind) {
	case UTM_VM_EVENT_STATE:
		printf("state    %s -> %s\n", utm_vm_state_get_name(event->old_state), utm_vm_state_get_name(event->state));
		break;
	case UTM_VM_EVENT_ENDED:
		printf("ended\n");
		watch->ended = true;
		break;
	case UTM_VM_EVENT_QMP:
		printf("event    %s %s\n", event->text, event->json ? event->json : "");
		break;
	case UTM_VM_EVENT_WARNING:
		printf("warning  %s\n", event->text);
		break;
	case UTM_VM_EVENT_LOG:
		printf("qemu     %s\n", event->text);
		break;
	default: /* a later library knows more kinds */
		printf("event %" PRIu32 "\n", event->kind);
	}
}

static void on_console_event(UtmConsole *console, const UtmConsoleEvent *event, void *data)
{
	Watch *watch = data;

	(void)console;
	if (event->kind == UTM_CONSOLE_EVENT_INPUT_READY)
		watch->input_ready = true;
	if (event->kind != UTM_CONSOLE_EVENT_STATE)
		return;
	print_time(watch);
	printf("console  %s\n", utm_console_state_get_name(event->state));
}

/* What a guest writes is not to be trusted with a terminal: only printable characters get through. */
static void on_serial_byte(Watch *watch, unsigned char byte)
{
	if (byte != '\n' && byte != '\r')
		watch->line[watch->line_used++] = byte >= 0x20 && byte < 0x7f ? (char)byte : '?';
	if (watch->line_used == 0 || (byte != '\n' && watch->line_used < sizeof watch->line - 1))
		return;
	watch->line[watch->line_used] = '\0';
	watch->line_used = 0;
	print_time(watch);
	printf("serial   %s\n", watch->line);
	if (strstr(watch->line, READY_MARK))
		watch->guest_ready = true;
}

static void on_serial(UtmVm *vm, uint32_t index, const void *bytes, size_t size, void *data)
{
	(void)vm;
	(void)index;
	for (size_t i = 0; i < size; i++)
		on_serial_byte(data, ((const unsigned char *)bytes)[i]);
}

static void on_frame(UtmDisplay *display, void *data)
{
	Watch *watch = data;
	UtmFrame *frame = utm_display_acquire_frame(display);

	if (!frame)
		return;
	if (!watch->latest || utm_frame_get_info(watch->latest)->width != utm_frame_get_info(frame)->width) {
		const UtmFrameInfo *info = utm_frame_get_info(frame);
		print_time(watch);
		printf("picture  %" PRIu32 " x %" PRIu32 "\n", info->width, info->height);
	}
	utm_frame_unref(watch->latest);
	watch->latest = frame;
	watch->frames++;
	watch->frame_ms = now_ms();
}

static void on_started(UtmVm *vm, const UtmError *error, void *data)
{
	Watch *watch = data;

	watch->starting = false;
	if (!error)
		return;
	fail(watch, "the machine does not start", utm_error_ref((UtmError *)error));
	watch->ended = utm_vm_get_state(vm) == UTM_VM_STATE_STOPPED;
}

/* --- from phase to phase --- */

static unsigned changed_per_mille(const UtmFrame *a, const UtmFrame *b)
{
	const UtmFrameInfo *ia = utm_frame_get_info(a), *ib = utm_frame_get_info(b);
	const uint8_t *pa = utm_frame_get_data(a), *pb = utm_frame_get_data(b);
	uint64_t changed = 0;

	if (ia->width != ib->width || ia->height != ib->height)
		return 1000;
	for (uint32_t y = 0; y < ia->height; y++)
		for (uint32_t x = 0; x < ia->width; x++) {
			uint32_t va, vb;
			memcpy(&va, pa + (size_t)y * ia->stride_bytes + x * 4, 4);
			memcpy(&vb, pb + (size_t)y * ib->stride_bytes + x * 4, 4);
			changed += (va & 0xffffff) != (vb & 0xffffff);
		}
	return (unsigned)(changed * 1000 / ((uint64_t)ia->width * ia->height));
}

static int save_picture(Watch *watch, const char *name)
{
	UtmError *error = NULL;
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", watch->directory, name);
	if (utm_frame_save_png(watch->latest, path, &error) < 0)
		return fail(watch, "cannot save the picture", error);
	print_time(watch);
	printf("saved    %s\n", path);
	return 0;
}

static int type_key(Watch *watch)
{
	UtmConsole *console = utm_vm_get_console(watch->vm);
	UtmError *error = NULL;

	if (utm_console_send_key(console, KEY_A, true, &error) < 0 ||
	    utm_console_send_key(console, KEY_A, false, &error) < 0)
		return fail(watch, "cannot type", error);
	print_time(watch);
	printf("typed    a\n");
	return 0;
}

static int press_power_button(Watch *watch)
{
	UtmError *error = NULL;

	if (utm_vm_stop_async(watch->vm, UTM_VM_STOP_REQUEST, NULL, NULL, NULL, NULL, &error) < 0)
		return fail(watch, "cannot press the power button", error);
	print_time(watch);
	printf("pressed  power button\n");
	return 0;
}

static void enter(Watch *watch, Phase phase)
{
	watch->phase = phase;
	watch->phase_ms = now_ms();
}

/* Looks at what the callbacks noted. Returns non-zero to end the program. */
static int step(Watch *watch)
{
	bool rests = watch->latest && now_ms() - watch->frame_ms >= QUIET_MS;

	if (watch->phase == PHASE_BOOTING && watch->guest_ready && watch->input_ready && rests) {
		watch->before_key = utm_frame_ref(watch->latest);
		enter(watch, PHASE_TYPED);
		return save_picture(watch, "screen.png") || type_key(watch);
	}
	if (watch->phase == PHASE_TYPED && rests) {
		unsigned changed = changed_per_mille(watch->before_key, watch->latest);
		if (changed >= CHANGED_PER_MILLE) {
			print_time(watch);
			printf("changed  %u.%u %% of the pixels\n", changed / 10, changed % 10);
			enter(watch, PHASE_STOPPING);
			return save_picture(watch, "screen-after-key.png") || press_power_button(watch);
		}
	}
	if (watch->ended && !watch->starting) {
		if (watch->phase != PHASE_STOPPING && watch->status == 0)
			fail(watch, "the machine ended too early", NULL);
		return 1;
	}
	if (now_ms() - watch->phase_ms > phase_limit_ms[watch->phase]) {
		fprintf(stderr, "boot-and-watch: waited too long for %s\n", phase_wish[watch->phase]);
		return watch->status = 1;
	}
	return 0;
}

static void run(Watch *watch)
{
	struct pollfd events = { utm_context_get_fd(watch->ctx), POLLIN, 0 };

	enter(watch, PHASE_BOOTING);
	do {
		poll(&events, 1, 100);
		utm_context_dispatch(watch->ctx, 0);
	} while (!step(watch));
}

static void print_end(const Watch *watch)
{
	UtmEndReason *reason = utm_vm_get_end_reason(watch->vm);

	if (!reason)
		return;
	print_time(watch);
	printf("end      %s: %s (exit status %d, signal %d, QEMU's reason %s)\n",
	       utm_end_kind_get_name(utm_end_reason_get_kind(reason)), utm_end_reason_get_text(reason),
	       utm_end_reason_get_exit_status(reason), utm_end_reason_get_signal(reason),
	       utm_end_reason_get_qemu_reason(reason) ? utm_end_reason_get_qemu_reason(reason) : "none");
	print_time(watch);
	printf("seen     %" PRIu64 " pictures\n", watch->frames);
}

static int open_machine(Watch *watch, const char *path)
{
	UtmError *error = NULL;

	watch->ctx = utm_context_new(NULL, &error);
	if (!watch->ctx || utm_bundle_open(watch->ctx, path, &watch->bundle, &error) < 0 ||
	    utm_vm_new(watch->bundle, &watch->vm, &error) < 0)
		return fail(watch, "cannot open the machine", error);
	watch->display = utm_vm_get_display(watch->vm, 0);
	if (!watch->display)
		return fail(watch, "the machine has no display", NULL);
	utm_vm_set_event_handler(watch->vm, on_event, watch, NULL);
	utm_console_set_event_handler(utm_vm_get_console(watch->vm), on_console_event, watch, NULL);
	utm_display_set_frame_handler(watch->display, on_frame, watch, NULL);
	if (utm_vm_get_serial_count(watch->vm) > 0)
		utm_vm_set_serial_handler(watch->vm, 0, on_serial, watch, NULL, NULL);
	watch->starting = true;
	if (utm_vm_start_async(watch->vm, NULL, on_started, watch, NULL, &error) < 0)
		return fail(watch, "cannot start the machine", error);
	return 0;
}

int main(int argc, char **argv)
{
	Watch watch = { .directory = argc > 2 ? argv[2] : ".", .started_ms = now_ms() };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: boot-and-watch BUNDLE [DIRECTORY]\n");
		return 2;
	}
	if (open_machine(&watch, argv[1]) == 0)
		run(&watch);
	if (watch.vm && !watch.ended)
		utm_vm_stop(watch.vm, UTM_VM_STOP_KILL, NULL, NULL);
	if (watch.vm)
		print_end(&watch);
	utm_frame_unref(watch.before_key);
	utm_frame_unref(watch.latest);
	utm_vm_unref(watch.vm);
	utm_bundle_unref(watch.bundle);
	utm_context_unref(watch.ctx);
	return watch.status;
}
