/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The console against a real QEMU whose guest is tests/guest/painter.c. */
#include "console/console-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <png.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utm/utm.h>

#define LONG_MS 20000

/* ---------------------------------------------------------------- the guest */

typedef struct Guest {
	char *directory;
	char *spice;
	char *trace; /* what QEMU's input layer got */
	pid_t pid;
	int bytes;   /* from the painter */
	int monitor;
} Guest;

static bool wait_readable(int fd, int timeout_ms)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	return poll(&readable, 1, timeout_ms) > 0;
}

/* The next byte of the painter; -1 after the time. */
static int next_byte(Guest *guest, int timeout_ms)
{
	guchar byte;
	if (!wait_readable(guest->bytes, timeout_ms) || read(guest->bytes, &byte, 1) != 1)
		return -1;
	return byte;
}

static void expect_bytes(Guest *guest, const guint8 *bytes, gsize count)
{
	for (gsize i = 0; i < count; i++)
		g_assert_cmphex((guint)next_byte(guest, LONG_MS), ==, bytes[i]);
}

/* One line of an answer; events are skipped. */
static void monitor_command(Guest *guest, const char *command)
{
	char line[65536];
	g_assert_cmpint(send(guest->monitor, command, strlen(command), MSG_NOSIGNAL), ==, (gssize)strlen(command));
	for (;;) {
		gsize length = 0;
		do
			g_assert_true(wait_readable(guest->monitor, LONG_MS) && read(guest->monitor, line + length, 1) == 1);
		while (line[length] != '\n' && ++length < sizeof line - 1);
		line[length] = 0;
		if (strstr(line, "\"return\"") || strstr(line, "\"error\""))
			break;
	}
	g_assert_null(strstr(line, "\"error\""));
}

static void exec_qemu(const Guest *guest, const char *append, const char *ticket, int bytes, int monitor)
{
	/* Painters of many pictures say a byte for each; nobody reads them here, and a full socket would stop the guest. */
	bool quiet = strstr(append, "mode=") != NULL;
	g_autofree char *bytes_fd = g_strdup_printf(quiet ? "null,id=bytes" : "socket,id=bytes,fd=%d", bytes);
	g_autofree char *monitor_fd = g_strdup_printf("socket,id=monitor,fd=%d", monitor);
	g_autofree char *spice = g_strdup_printf("unix=on,addr=spice,image-compression=off,%s",
	                                         ticket ? "password-secret=ticket" : "disable-ticketing=on");
	g_autofree char *secret = g_strdup_printf("secret,id=ticket,data=%s", ticket ? ticket : "none");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(guest->directory) < 0)
		_exit(126);
	/* Relative paths: the directory's own may be longer than a socket address. */
	execlp("qemu-system-x86_64", "qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-m", "64", "-nodefaults",
	       "-device", "VGA,vgamem_mb=32", "-device", "piix3-usb-uhci", "-device", "usb-tablet", "-kernel",
	       g_getenv("UTM_TEST_PAINTER"), "-append", append, "-object", secret, "-spice",
	       spice, "-chardev", bytes_fd, "-device",
	       "isa-debugcon,chardev=bytes,iobase=0xe9", "-chardev", monitor_fd, "-mon", "chardev=monitor,mode=control",
	       "-trace", "enable=input_event_abs,file=trace", "-D", "trace", (char *)NULL);
	_exit(127);
}

static Guest guest_start_in(char *directory_taken, const char *append, const char *ticket)
{
	int bytes[2], monitor[2];
	Guest guest = { .directory = directory_taken };
	guest.spice = g_build_filename(guest.directory, "spice", NULL);
	guest.trace = g_build_filename(guest.directory, "trace", NULL);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, bytes), ==, 0);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, monitor), ==, 0);
	fcntl(bytes[0], F_SETFD, FD_CLOEXEC);
	fcntl(monitor[0], F_SETFD, FD_CLOEXEC);
	guest.pid = fork();
	if (guest.pid == 0)
		exec_qemu(&guest, append, ticket, bytes[1], monitor[1]);
	close(bytes[1]);
	close(monitor[1]);
	guest.bytes = bytes[0];
	guest.monitor = monitor[0];
	monitor_command(&guest, "{\"execute\":\"qmp_capabilities\"}\n"); /* when QEMU answers, SPICE listens long since */
	if (!strstr(append, "mode="))
		g_assert_cmpint(next_byte(&guest, LONG_MS), ==, 0);
	return guest;
}

static Guest guest_start(const char *append)
{
	return guest_start_in(g_dir_make_tmp("utm-test-XXXXXX", NULL), append, NULL);
}

static void guest_kill(Guest *guest)
{
	if (guest->pid > 0) {
		kill(guest->pid, SIGKILL);
		waitpid(guest->pid, NULL, 0);
	}
	guest->pid = 0;
}

static void guest_free(Guest *guest)
{
	guest_kill(guest);
	close(guest->bytes);
	close(guest->monitor);
	g_unlink(guest->spice);
	g_unlink(guest->trace);
	g_rmdir(guest->directory);
	g_free(guest->spice);
	g_free(guest->trace);
	g_free(guest->directory);
}

/* ---------------------------------------------------------------- the console */

typedef struct Seen {
	int shown, hidden, input_ready, pointer_mode, lost, closed, connected, reconnecting;
} Seen;

typedef struct View {
	UtmContext *ctx;
	UtmConsole *console;
	UtmDisplay *display;
	Seen seen;
} View;

static void on_event(UtmConsole *console, const UtmConsoleEvent *event, void *data)
{
	Seen *seen = data;
	seen->shown += event->kind == UTM_CONSOLE_EVENT_DISPLAY_SHOWN;
	seen->hidden += event->kind == UTM_CONSOLE_EVENT_DISPLAY_HIDDEN;
	seen->input_ready += event->kind == UTM_CONSOLE_EVENT_INPUT_READY;
	seen->pointer_mode += event->kind == UTM_CONSOLE_EVENT_POINTER_MODE;
	seen->lost += event->kind == UTM_CONSOLE_EVENT_ENGINE_LOST;
	if (event->kind == UTM_CONSOLE_EVENT_STATE) {
		seen->closed += event->state == UTM_CONSOLE_STATE_CLOSED;
		seen->connected += event->state == UTM_CONSOLE_STATE_CONNECTED;
		seen->reconnecting += event->state == UTM_CONSOLE_STATE_RECONNECTING;
	}
}

static void view_open(View *view, const Guest *guest)
{
	UtmError *error = NULL;
	memset(view, 0, sizeof *view);
	view->ctx = utm_context_new(NULL, NULL);
	int failed = utm_console_connect_path(view->ctx, guest->spice, NULL, &view->console, &error);
	if (failed)
		g_test_message("%s", utm_error_get_message(error));
	g_assert_cmpint(failed, ==, 0);
	g_assert_cmpuint(utm_console_get_state(view->console), ==, UTM_CONSOLE_STATE_CONNECTED);
	utm_console_set_event_handler(view->console, on_event, &view->seen, NULL);
	view->display = utm_console_get_display(view->console, 0);
}

static void view_close(View *view)
{
	utm_console_unref(view->console);
	utm_context_unref(view->ctx);
}

static void dispatch_until_count(View *view, const int *value, int count)
{
	gint64 deadline = g_get_monotonic_time() + LONG_MS * 1000;
	while (*value < count && g_get_monotonic_time() < deadline)
		utm_context_wait(view->ctx, 100);
	g_assert_cmpint(*value, >=, count);
}

static void dispatch_until(View *view, const int *value)
{
	dispatch_until_count(view, value, 1);
}

static UtmFrame *wait_frame(View *view, guint64 after)
{
	UtmFrame *frame = NULL;
	UtmError *error = NULL;
	if (utm_display_wait_frame(view->display, after, LONG_MS, NULL, &frame, &error) < 0)
		g_test_message("%s", utm_error_get_message(error));
	g_assert_nonnull(frame);
	return frame;
}

static guint64 serial_of(const UtmFrame *frame)
{
	return utm_frame_get_info(frame)->serial;
}

/* The firmware has shown its own screen before. */
static void wait_size(View *view, guint32 width)
{
	guint32 now = 0;
	for (guint64 serial = 0; now != width;) {
		UtmFrame *frame = wait_frame(view, serial);
		serial = serial_of(frame);
		now = utm_frame_get_info(frame)->width;
		utm_frame_unref(frame);
	}
}

static guint32 pixel(const UtmFrame *frame, guint32 x, guint32 y)
{
	const guint8 *row = (const guint8 *)utm_frame_get_data(frame) + (gsize)y * utm_frame_get_info(frame)->stride_bytes;
	return ((const guint32 *)row)[x] & 0xffffff;
}

static guint32 test_colour(guint32 x, guint32 y)
{
	return (x * 7 & 255) << 16 | (y * 5 & 255) << 8 | ((x ^ y) & 255);
}

static bool in_patch(guint32 x, guint32 y)
{
	return x >= 32 && x < 64 && y >= 32 && y < 64;
}

/* The painter's test picture; the patch shows `patch`, or the picture when that is 0. */
static bool is_test_picture(const UtmFrame *frame, guint32 width, guint32 height, guint32 patch)
{
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	if (info->width != width || info->height != height)
		return false;
	for (guint32 y = 0; y < height; y++)
		for (guint32 x = 0; x < width; x++) {
			guint32 expected = patch && in_patch(x, y) ? patch * 0x010101 : test_colour(x, y);
			if (pixel(frame, x, y) != expected)
				return false;
		}
	return true;
}

static UtmFrame *wait_test_picture(View *view, guint32 width, guint32 height, guint32 patch)
{
	gint64 deadline = g_get_monotonic_time() + LONG_MS * 1000;
	UtmFrame *frame = NULL;
	do {
		guint64 after = frame ? serial_of(frame) : 0;
		utm_frame_unref(frame);
		frame = wait_frame(view, after);
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
	} while (!is_test_picture(frame, width, height, patch));
	return frame;
}

/* ---------------------------------------------------------------- pictures */

static void test_first_picture(void)
{
	Guest guest = guest_start("w=640 h=480");
	View view;
	view_open(&view, &guest);
	/* No dispatch is needed to see something. */
	UtmFrame *frame = wait_test_picture(&view, 640, 480, 0);
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	g_assert_cmpuint(info->size, ==, sizeof *info);
	g_assert_cmphex(info->fourcc, ==, UTM_FOURCC_XRGB8888);
	g_assert_cmpuint(info->stride_bytes, >=, 640 * 4);
	g_assert_cmpint(ABS(g_get_monotonic_time() - info->time_ns / 1000), <, LONG_MS * 1000);
	g_assert_cmpuint(utm_display_get_index(view.display), ==, 0);
	dispatch_until(&view, &view.seen.shown);
	dispatch_until(&view, &view.seen.input_ready);
	utm_frame_unref(frame);
	view_close(&view);
	guest_free(&guest);
}

static void count_frame(UtmDisplay *display, void *data)
{
	(*(int *)data)++;
}

static void count_free(void *data)
{
	*(int *)data += 1000;
}

/* A handler that comes late is told of the picture that is there; one that goes is freed. */
static void test_late_handler(void)
{
	Guest guest = guest_start("w=320 h=200");
	View view;
	int frames = 0, others = 0;
	view_open(&view, &guest);
	utm_frame_unref(wait_test_picture(&view, 320, 200, 0));
	while (utm_context_wait(view.ctx, 300) > 0)
		;
	utm_display_set_frame_handler(view.display, count_frame, &frames, NULL);
	dispatch_until(&view, &frames);
	Seen late = { 0 };
	utm_console_set_event_handler(view.console, on_event, &late, NULL);
	dispatch_until(&view, &late.input_ready);
	g_assert_cmpint(late.shown, ==, 1);
	g_assert_cmpint(late.connected, ==, 1);
	utm_display_set_frame_handler(view.display, count_frame, &others, count_free);
	utm_display_set_frame_handler(view.display, NULL, NULL, NULL);
	g_assert_cmpint(others, ==, 1000);
	utm_display_ref(view.display);
	utm_display_unref(view.display);
	view_close(&view);
	guest_free(&guest);
}

static void test_size_change(void)
{
	static const guint8 pressed[] = { 0x00, 0x1f };
	Guest guest = guest_start("w=640 h=480 w2=801 h2=300");
	View view;
	view_open(&view, &guest);
	UtmFrame *former = wait_test_picture(&view, 640, 480, 0);
	dispatch_until(&view, &view.seen.shown);
	view.seen.shown = 0;
	g_assert_cmpint(utm_console_send_key(view.console, 0x1f, true, NULL), ==, 0);
	expect_bytes(&guest, pressed, sizeof pressed);
	UtmFrame *frame = NULL;
	do {
		guint64 after = frame ? serial_of(frame) : serial_of(former);
		utm_frame_unref(frame);
		frame = wait_frame(&view, after);
	} while (utm_frame_get_info(frame)->width != 801 && utm_frame_get_info(frame)->width != 800);
	g_assert_cmpuint(utm_frame_get_info(frame)->height, ==, 300);
	g_assert_cmpuint(serial_of(frame), >, serial_of(former));
	dispatch_until(&view, &view.seen.shown);
	g_assert_cmpint(view.seen.hidden, ==, 0);
	/* What is held stays as it was. */
	g_assert_true(is_test_picture(former, 640, 480, 0));
	utm_frame_unref(frame);
	utm_frame_unref(former);
	view_close(&view);
	guest_free(&guest);
}

static guint32 first_mark(const UtmFrame *frame)
{
	return pixel(frame, 0, 0);
}

static guint32 last_mark(const UtmFrame *frame)
{
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	return pixel(frame, info->width - 1, info->height - 1);
}

static guint32 checksum(const UtmFrame *frame)
{
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	const guint32 *words = utm_frame_get_data(frame);
	guint32 sum = 0;
	for (gsize i = 0; i < (gsize)info->height * info->stride_bytes / 4; i++)
		sum = sum * 31 + words[i];
	return sum;
}

/*
 * Pictures that are held do not change while others come. On a quiet host most are whole too; all cannot be, for SPICE
 * does not say which piece of a refresh is the last.
 */
static void test_held_pictures(void)
{
	enum { HELD = 3, PICTURES = 150 };
	Guest guest = guest_start("w=800 h=600 mode=grad flip=1 fps=60");
	View view;
	UtmFrame *held[HELD] = { NULL };
	guint32 sums[HELD] = { 0 };
	int whole = 0;
	guint64 serial = 0;
	view_open(&view, &guest);
	wait_size(&view, 800);
	for (int i = 0; i < PICTURES; i++) {
		UtmFrame *frame = wait_frame(&view, serial);
		serial = serial_of(frame);
		g_assert_cmpuint(utm_frame_get_info(frame)->width, ==, 800);
		whole += first_mark(frame) == last_mark(frame);
		int slot = i % HELD;
		if (held[slot])
			g_assert_cmphex(checksum(held[slot]), ==, sums[slot]);
		utm_frame_unref(held[slot]);
		held[slot] = frame;
		sums[slot] = checksum(frame);
	}
	g_test_message("%d of %d pictures whole", whole, PICTURES);
	for (int i = 0; i < HELD; i++)
		utm_frame_unref(held[i]);
	view_close(&view);
	guest_free(&guest);
}

/* Who looks seldom sees the newest picture, not the next. */
static void test_latest_wins(void)
{
	Guest guest = guest_start("w=320 h=200 mode=box fps=60");
	View view;
	int frames = 0;
	view_open(&view, &guest);
	utm_display_set_frame_handler(view.display, count_frame, &frames, NULL);
	wait_size(&view, 320);
	UtmFrame *before = wait_frame(&view, 5);
	g_usleep(600000);
	UtmFrame *after = utm_display_acquire_frame(view.display);
	g_assert_cmpuint(serial_of(after), >=, serial_of(before) + 8);
	g_assert_cmpuint(last_mark(after), >=, last_mark(before) + 16);
	/* All that changed meanwhile is in the damage, and one notification stood for all of it. */
	const UtmFrameInfo *info = utm_frame_get_info(after);
	g_assert_cmpuint(info->damage_count, >, 0);
	g_assert_cmpint(utm_context_dispatch(view.ctx, 0), >, 0);
	g_assert_cmpint(frames, ==, 1);
	utm_frame_unref(before);
	utm_frame_unref(after);
	view_close(&view);
	guest_free(&guest);
}

/* A copy that is kept up by damage alone equals every picture. */
static void test_damage(void)
{
	enum { WIDTH = 400, HEIGHT = 300 };
	Guest guest = guest_start("w=400 h=300 mode=box fps=60");
	View view;
	g_autofree guint32 *copy = g_new0(guint32, WIDTH * HEIGHT);
	guint64 serial = 0, damaged = 0;
	int looked = 0;
	view_open(&view, &guest);
	for (int i = 0; i < 120; i++) {
		UtmFrame *frame = wait_frame(&view, serial);
		const UtmFrameInfo *info = utm_frame_get_info(frame);
		serial = info->serial;
		for (uint32_t r = 0; info->width == WIDTH && r < info->damage_count; r++) {
			damaged += (guint64)info->damage[r].width * (guint64)info->damage[r].height;
			for (int y = info->damage[r].y; y < info->damage[r].y + info->damage[r].height; y++)
				for (int x = info->damage[r].x; x < info->damage[r].x + info->damage[r].width; x++)
					copy[y * WIDTH + x] = pixel(frame, (guint32)x, (guint32)y);
		}
		for (guint32 y = 0; info->width == WIDTH && y < HEIGHT; y++)
			for (guint32 x = 0; x < WIDTH; x++)
				g_assert_cmphex(copy[y * WIDTH + x], ==, pixel(frame, x, y));
		looked += info->width == WIDTH;
		utm_frame_unref(frame);
		if (i % 10 == 9)
			g_usleep(300000); /* fall behind */
	}
	g_assert_cmpint(looked, >, 60);
	/* Far less than the pictures' size, or damage would be no damage. */
	g_assert_cmpuint(damaged, <, (guint64)looked * WIDTH * HEIGHT / 2);
	view_close(&view);
	guest_free(&guest);
}

/* Every buffer held: no new picture, no harm; with the first that is given back they come again. */
static void test_all_held(void)
{
	Guest guest = guest_start("w=320 h=200 mode=box fps=60");
	View view;
	UtmFrame *held[4], *none = NULL;
	guint64 serial = 3;
	view_open(&view, &guest);
	wait_size(&view, 320);
	for (int i = 0; i < 4; i++) {
		held[i] = wait_frame(&view, serial);
		serial = serial_of(held[i]);
	}
	UtmError *error = NULL;
	g_assert_cmpint(utm_display_wait_frame(view.display, serial, 400, NULL, &none, &error), ==, UTM_ERROR_NO_PICTURE);
	g_assert_nonnull(error);
	utm_error_unref(error);
	UtmFrame *again = utm_display_acquire_frame(view.display); /* the latest is still to be had */
	g_assert_cmpuint(serial_of(again), ==, serial);
	utm_frame_unref(again);
	utm_frame_unref(held[0]);
	gint64 begin = g_get_monotonic_time();
	UtmFrame *frame = wait_frame(&view, serial);
	g_assert_cmpint(g_get_monotonic_time() - begin, <, 2 * G_USEC_PER_SEC);
	g_assert_cmpuint(last_mark(frame), >, last_mark(held[3]));
	utm_frame_unref(frame);
	for (int i = 1; i < 4; i++)
		utm_frame_unref(held[i]);
	view_close(&view);
	guest_free(&guest);
}

static void *cancel_soon(void *data)
{
	g_usleep(200000);
	utm_cancel_trigger(data);
	return NULL;
}

static void test_wait_ends(void)
{
	Guest guest = guest_start("w=320 h=200");
	View view;
	UtmFrame *none = NULL;
	UtmCancel *cancel = utm_cancel_new();
	pthread_t thread;
	view_open(&view, &guest);
	UtmFrame *frame = wait_test_picture(&view, 320, 200, 0);
	guint64 far_future = serial_of(frame) + 1000000;
	UtmDisplay *other = utm_console_get_display(view.console, 15);
	g_assert_null(utm_console_get_display(view.console, 16));
	g_assert_cmpint(utm_display_wait_frame(other, 0, 100, NULL, &none, NULL), ==, UTM_ERROR_NO_PICTURE);
	g_assert_cmpint(utm_display_wait_frame(view.display, far_future, 0, NULL, &none, NULL), ==, UTM_ERROR_NO_PICTURE);
	pthread_create(&thread, NULL, cancel_soon, cancel);
	g_assert_cmpint(utm_display_wait_frame(view.display, far_future, -1, cancel, &none, NULL), ==, UTM_ERROR_CANCELLED);
	g_assert_cmpint(utm_display_wait_frame(view.display, far_future, -1, cancel, &none, NULL), ==, UTM_ERROR_CANCELLED);
	pthread_join(thread, NULL);
	utm_cancel_unref(cancel);
	utm_frame_unref(frame);
	view_close(&view);
	guest_free(&guest);
}

/* ---------------------------------------------------------------- screenshots */

static guint8 *decode(png_image *image, const void *data, gsize size)
{
	memset(image, 0, sizeof *image);
	image->version = PNG_IMAGE_VERSION;
	g_assert_true(png_image_begin_read_from_memory(image, data, size));
	g_assert_cmpuint(image->format & PNG_FORMAT_FLAG_ALPHA, ==, 0);
	image->format = PNG_FORMAT_RGB;
	guint8 *pixels = g_malloc(PNG_IMAGE_SIZE(*image));
	g_assert_true(png_image_finish_read(image, NULL, pixels, 0, NULL));
	return pixels;
}

static mode_t mode_of(const char *path)
{
	GStatBuf info;
	g_assert_cmpint(g_stat(path, &info), ==, 0);
	return info.st_mode & 0777;
}

/* A picture is as public as the user makes new files; one that is replaced stays as it is. */
static void assert_modes(UtmFrame *frame, const char *path)
{
	static const struct {
		mode_t mask;
		mode_t mode;
	} cases[] = { { 022, 0644 }, { 027, 0640 }, { 077, 0600 } };
	mode_t former = umask(0);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		umask(cases[i].mask);
		g_assert_cmpint(utm_frame_save_png(frame, path, NULL), ==, 0);
		g_assert_cmphex(mode_of(path), ==, cases[i].mode);
		g_assert_cmpint(g_chmod(path, 0604), ==, 0);
		g_assert_cmpint(utm_frame_save_png(frame, path, NULL), ==, 0);
		g_assert_cmphex(mode_of(path), ==, 0604);
		g_unlink(path);
	}
	umask(former);
}

static void test_screenshot(void)
{
	Guest guest = guest_start("w=496 h=200");
	View view;
	void *data = NULL;
	size_t size = 0;
	png_image image;
	view_open(&view, &guest);
	UtmFrame *frame = wait_test_picture(&view, 496, 200, 0);
	g_assert_cmpint(utm_frame_encode_png(frame, &data, &size, NULL), ==, 0);
	g_autofree guint8 *pixels = decode(&image, data, size);
	g_assert_cmpuint(image.width, ==, 496);
	g_assert_cmpuint(image.height, ==, 200);
	for (guint32 i = 0; i < 496 * 200; i++) {
		guint32 colour = (guint32)pixels[i * 3] << 16 | (guint32)pixels[i * 3 + 1] << 8 | pixels[i * 3 + 2];
		g_assert_cmphex(colour, ==, test_colour(i % 496, i / 496));
	}
	g_autofree char *path = g_build_filename(guest.directory, "screen.png", NULL);
	g_autofree char *written = NULL;
	gsize written_size = 0;
	g_assert_cmpint(utm_display_save_screenshot(view.display, path, 1000, NULL), ==, 0);
	g_assert_true(g_file_get_contents(path, &written, &written_size, NULL));
	g_assert_cmpmem(written, written_size, data, size);
	g_unlink(path);
	assert_modes(frame, path);
	UtmError *error = NULL;
	g_assert_cmpint(utm_frame_save_png(frame, "/nowhere/screen.png", &error), <, 0);
	g_assert_cmpstr(utm_error_get_file(error), ==, "/nowhere/screen.png");
	utm_error_unref(error);
	utm_free(data);
	utm_frame_unref(frame);
	view_close(&view);
	guest_free(&guest);
}

/* ---------------------------------------------------------------- input */

static void test_keyboard(void)
{
	static const guint8 typed[] = { 0x1e, 0x9e, 0xe0, 0x1d, 0xe0, 0x9d }, held[] = { 0x39 }, let_go[] = { 0xb9 };
	Guest guest = guest_start("w=320 h=200");
	View view;
	guint32 codes[] = { 0x1e, 0x11d };
	view_open(&view, &guest);
	utm_frame_unref(wait_test_picture(&view, 320, 200, 0));
	g_assert_cmpint(utm_console_send_key(view.console, 0x30, false, NULL), ==, 0); /* was never pressed: nothing */
	for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
		g_assert_cmpint(utm_console_send_key(view.console, codes[i], true, NULL), ==, 0);
		g_assert_cmpint(utm_console_send_key(view.console, codes[i], false, NULL), ==, 0);
	}
	expect_bytes(&guest, typed, sizeof typed);
	utm_frame_unref(wait_test_picture(&view, 320, 200, 0x9d));
	/* A key that is still pressed at the end is let go. */
	g_assert_cmpint(utm_console_send_key(view.console, 0x39, true, NULL), ==, 0);
	expect_bytes(&guest, held, sizeof held);
	view_close(&view);
	expect_bytes(&guest, let_go, sizeof let_go);
	guest_free(&guest);
}

/* Waits until QEMU's input layer has been given an absolute position of both axes; -1 each without. */
static void read_position(const Guest *guest, int *ret_x, int *ret_y)
{
	g_autofree char *text = NULL;
	*ret_x = *ret_y = -1;
	if (!g_file_get_contents(guest->trace, &text, NULL, NULL))
		return;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		const char *at = strstr(*line, "axis ");
		const char *value = at ? strstr(at, "value 0x") : NULL;
		if (value)
			*(at[5] == 'x' ? ret_x : ret_y) = (int)g_ascii_strtoull(value + 8, NULL, 16);
	}
}

static void test_pointer(void)
{
	Guest guest = guest_start("w=400 h=200");
	View view;
	view_open(&view, &guest);
	utm_frame_unref(wait_test_picture(&view, 400, 200, 0));
	/* QEMU prefers the tablet when the guest, or here the monitor, turns to it. */
	for (int i = 0; i < 4 && utm_console_get_pointer_mode(view.console) == UTM_POINTER_MODE_SERVER; i++) {
		g_autofree char *command = g_strdup_printf("{\"execute\":\"human-monitor-command\",\"arguments\":"
		                                           "{\"command-line\":\"mouse_set %d\"}}\n", i);
		monitor_command(&guest, command);
		utm_context_wait(view.ctx, 300);
	}
	dispatch_until(&view, &view.seen.pointer_mode);
	g_assert_cmpuint(utm_console_get_pointer_mode(view.console), ==, UTM_POINTER_MODE_CLIENT);
	int x = -1, y = -1;
	for (int i = 0; i < 100 && (x < 0 || y < 0); i++) {
		g_assert_cmpint(utm_console_move_pointer(view.console, 0, 300, 50, 0, NULL), ==, 0);
		g_usleep(50000);
		read_position(&guest, &x, &y);
	}
	/* The input layer counts to 0x7fff. */
	g_assert_cmpint(ABS(x - 300 * 0x7fff / 400), <, 200);
	g_assert_cmpint(ABS(y - 50 * 0x7fff / 200), <, 300);
	g_assert_cmpint(utm_console_send_button(view.console, UTM_POINTER_LEFT, true, UTM_POINTER_LEFT, NULL), ==, 0);
	g_assert_cmpint(utm_console_send_button(view.console, UTM_POINTER_LEFT, false, 0, NULL), ==, 0);
	g_assert_cmpint(utm_console_move_pointer_by(view.console, 5, 5, 0, NULL), ==, 0); /* of no effect, no harm */
	view_close(&view);
	guest_free(&guest);
}

/* ---------------------------------------------------------------- engines and servers come and go */

static void test_engine_killed(void)
{
	Guest guest = guest_start("w=320 h=200 mode=box fps=60");
	View view;
	view_open(&view, &guest);
	wait_size(&view, 320);
	UtmFrame *before = wait_frame(&view, 3);
	gint64 pid = utm_console_get_engine_pid(view.console);
	g_assert_cmpint(pid, >, 0);
	kill((pid_t)pid, SIGKILL);
	dispatch_until(&view, &view.seen.lost);
	/* The last picture stays up until there is another. */
	UtmFrame *meanwhile = utm_display_acquire_frame(view.display);
	g_assert_nonnull(meanwhile);
	dispatch_until(&view, &view.seen.reconnecting);
	dispatch_until_count(&view, &view.seen.connected, 2);
	g_assert_cmpint(utm_console_get_engine_pid(view.console), !=, pid);
	UtmFrame *after = wait_frame(&view, serial_of(meanwhile));
	g_assert_cmpuint(serial_of(after), >, serial_of(before));
	g_assert_cmpuint(utm_frame_get_info(after)->damage_count, ==, 1);
	g_assert_cmpint(utm_frame_get_info(after)->damage[0].width, ==, 320);
	utm_frame_unref(before);
	utm_frame_unref(meanwhile);
	utm_frame_unref(after);
	view_close(&view);
	guest_free(&guest);
}

static void test_engine_killed_too_often(void)
{
	Guest guest = guest_start("w=320 h=200");
	View view;
	view_open(&view, &guest);
	for (int i = 0; i < 4; i++) {
		dispatch_until_count(&view, &view.seen.connected, i + 1);
		gint64 pid = utm_console_get_engine_pid(view.console);
		g_assert_cmpint(pid, >, 0);
		kill((pid_t)pid, SIGKILL);
		dispatch_until_count(&view, &view.seen.lost, i + 1);
	}
	dispatch_until(&view, &view.seen.closed);
	g_assert_cmpint(utm_console_send_key(view.console, 1, true, NULL), ==, UTM_ERROR_INVALID_STATE);
	view_close(&view);
	guest_free(&guest);
}

static void test_server_gone(void)
{
	Guest guest = guest_start("w=320 h=200");
	View view;
	UtmFrame *none = NULL;
	view_open(&view, &guest);
	UtmFrame *frame = wait_test_picture(&view, 320, 200, 0);
	guest_kill(&guest);
	dispatch_until(&view, &view.seen.closed);
	g_assert_cmpint(view.seen.lost, ==, 0);
	g_assert_true(is_test_picture(frame, 320, 200, 0));
	int ended = utm_display_wait_frame(view.display, serial_of(frame) + 1000, -1, NULL, &none, NULL);
	g_assert_cmpint(ended, ==, UTM_ERROR_VM_ENDED);
	/* The last words of a machine: its last picture can still be saved. */
	UtmFrame *last = utm_display_acquire_frame(view.display);
	g_assert_nonnull(last);
	utm_frame_unref(last);
	view_close(&view);
	/* Neither console nor context are needed to look at it. */
	g_assert_true(is_test_picture(frame, 320, 200, 0));
	utm_frame_unref(frame);
	guest_free(&guest);
}

typedef struct Opening {
	UtmConsole *console;
	const char *path;
	gint done;
	int code;
} Opening;

static void on_opened(UtmConsole *console, const UtmError *error, void *data)
{
	Opening *opening = data;
	opening->code = error ? utm_error_get_code(error) : 0;
	g_atomic_int_inc(&opening->done);
}

static void open_on_io_thread(void *data)
{
	Opening *opening = data;
	utm__console_open(opening->console, opening->path, NULL, 5000, on_opened, opening);
}

static void shut_on_io_thread(void *data)
{
	utm__console_shut(((Opening *)data)->console);
}

static void open_again(UtmContext *ctx, Opening *opening, int expected)
{
	opening->done = 0;
	utm__context_call(ctx, open_on_io_thread, opening);
	for (int i = 0; i < 1000 && !g_atomic_int_get(&opening->done); i++)
		g_usleep(10000);
	g_assert_cmpint(opening->done, ==, 1);
	g_assert_cmpint(opening->code, ==, expected);
}

/* As a machine uses it: one console, opened at each start; handlers stay. */
static void test_reopen(void)
{
	Guest guest = guest_start("w=320 h=200");
	View view = { .ctx = utm_context_new(NULL, NULL) };
	view.console = utm__console_new(view.ctx);
	view.display = utm_console_get_display(view.console, 0);
	Opening opening = { .console = view.console, .path = guest.spice };
	int frames = 0;
	guint64 serial = 0;
	utm_console_set_event_handler(view.console, on_event, &view.seen, NULL);
	utm_display_set_frame_handler(view.display, count_frame, &frames, NULL);
	for (int i = 0; i < 3; i++) {
		frames = view.seen.closed = view.seen.hidden = 0;
		open_again(view.ctx, &opening, 0);
		open_again(view.ctx, &opening, UTM_ERROR_INVALID_STATE);
		UtmFrame *frame = wait_test_picture(&view, 320, 200, 0);
		g_assert_cmpuint(serial_of(frame), >, serial);
		serial = serial_of(frame);
		dispatch_until(&view, &frames);
		utm__context_call(view.ctx, shut_on_io_thread, &opening);
		g_assert_null(utm_display_acquire_frame(view.display));
		dispatch_until(&view, &view.seen.closed);
		dispatch_until(&view, &view.seen.hidden);
		g_assert_true(is_test_picture(frame, 320, 200, 0));
		utm_frame_unref(frame);
	}
	/* Shut while it opens. */
	opening.done = 0;
	utm__context_call(view.ctx, open_on_io_thread, &opening);
	utm__context_call(view.ctx, shut_on_io_thread, &opening);
	g_assert_cmpint(opening.done, ==, 1);
	g_assert_cmpint(opening.code, ==, UTM_ERROR_CANCELLED);
	view_close(&view);
	guest_free(&guest);
}

/* The socket's path may be longer than an address: names of 200 characters are allowed. */
static void test_long_path(void)
{
	g_autofree char *top = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *name = g_strnfill(200, 'x');
	char *directory = g_build_filename(top, name, NULL);
	View view;
	g_assert_cmpint(g_mkdir(directory, 0700), ==, 0);
	Guest guest = guest_start_in(directory, "w=320 h=200", NULL);
	g_assert_cmpuint(strlen(guest.spice), >, 200);
	view_open(&view, &guest);
	utm_frame_unref(wait_test_picture(&view, 320, 200, 0));
	view_close(&view);
	guest_free(&guest);
	g_rmdir(top);
}

/*
 * A client that leaves while it joins makes SPICE servers crash, and the guest with them. Ours does not: neither when
 * it is closed at once nor when it runs out of time at any moment of joining.
 */
static void test_hasty(void)
{
	Guest guest = guest_start("w=320 h=200");
	UtmContext *ctx = utm_context_new(NULL, NULL);
	for (int i = 0; i < 40; i++) {
		UtmConsoleOptions options = UTM_CONSOLE_OPTIONS_INIT;
		UtmConsole *console = NULL;
		options.timeout_ms = i % 2 ? i * 5 : LONG_MS;
		g_autoptr(UtmError) error = NULL;
		int code = utm_console_connect_path(ctx, guest.spice, &options, &console, &error);
		if (code != 0 && (i % 2 == 0 || code != UTM_ERROR_TIMEOUT))
			g_error("try %d: %s (%s)", i, utm_error_get_message(error), utm_error_code_get_name(code));
		utm_console_unref(console);
	}
	utm_context_unref(ctx);
	View view;
	view_open(&view, &guest);
	utm_frame_unref(wait_test_picture(&view, 320, 200, 0));
	view_close(&view);
	guest_free(&guest);
}

static void test_password(void)
{
	Guest guest = guest_start_in(g_dir_make_tmp("utm-test-XXXXXX", NULL), "w=320 h=200", "friend");
	static const struct {
		const char *password;
		int code;
	} tries[] = { { NULL, UTM_ERROR_CONSOLE_CONNECT }, { "foe", UTM_ERROR_CONSOLE_CONNECT }, { "friend", 0 } };
	UtmContext *ctx = utm_context_new(NULL, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(tries); i++) {
		UtmConsoleOptions options = UTM_CONSOLE_OPTIONS_INIT;
		UtmConsole *console = NULL;
		UtmError *error = NULL;
		options.password = tries[i].password;
		g_assert_cmpint(utm_console_connect_path(ctx, guest.spice, &options, &console, &error), ==, tries[i].code);
		if (error)
			g_test_message("%s", utm_error_get_message(error));
		utm_error_unref(error);
		utm_console_unref(console);
	}
	utm_context_unref(ctx);
	guest_free(&guest);
}

/* Several consoles look at several guests from one context. */
static void test_two_guests(void)
{
	Guest first = guest_start("w=320 h=200"), second = guest_start("w=640 h=480");
	View view;
	UtmConsole *other = NULL;
	view_open(&view, &first);
	g_assert_cmpint(utm_console_connect_path(view.ctx, second.spice, NULL, &other, NULL), ==, 0);
	View other_view = { .ctx = view.ctx, .console = other, .display = utm_console_get_display(other, 0) };
	utm_frame_unref(wait_test_picture(&view, 320, 200, 0));
	utm_frame_unref(wait_test_picture(&other_view, 640, 480, 0));
	utm_console_unref(other);
	view_close(&view);
	guest_free(&first);
	guest_free(&second);
}

static bool can_run(void)
{
	g_autofree char *qemu = g_find_program_in_path("qemu-system-x86_64");
	const char *painter = g_getenv("UTM_TEST_PAINTER"), *engine = g_getenv("UTM_CONSOLE_ENGINE");
	return qemu && painter && g_file_test(painter, G_FILE_TEST_EXISTS) && engine &&
	       g_file_test(engine, G_FILE_TEST_IS_EXECUTABLE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (!can_run()) {
		g_print("1..0 # SKIP needs qemu-system-x86_64, the painter and the console engine\n");
		return 0;
	}
	g_test_add_func("/console/first-picture", test_first_picture);
	g_test_add_func("/console/late-handler", test_late_handler);
	g_test_add_func("/console/size-change", test_size_change);
	g_test_add_func("/console/held-pictures", test_held_pictures);
	g_test_add_func("/console/latest-wins", test_latest_wins);
	g_test_add_func("/console/damage", test_damage);
	g_test_add_func("/console/all-held", test_all_held);
	g_test_add_func("/console/wait-ends", test_wait_ends);
	g_test_add_func("/console/screenshot", test_screenshot);
	g_test_add_func("/console/keyboard", test_keyboard);
	g_test_add_func("/console/pointer", test_pointer);
	g_test_add_func("/console/engine-killed", test_engine_killed);
	g_test_add_func("/console/engine-killed-too-often", test_engine_killed_too_often);
	g_test_add_func("/console/server-gone", test_server_gone);
	g_test_add_func("/console/reopen", test_reopen);
	g_test_add_func("/console/long-path", test_long_path);
	g_test_add_func("/console/hasty", test_hasty);
	g_test_add_func("/console/password", test_password);
	g_test_add_func("/console/two-guests", test_two_guests);
	return g_test_run();
}
