/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gtk-window BUNDLE
 *
 * A machine in a GTK window: its picture, its keys, its pointer. The library's descriptor is one more source of GTK's own
 * main loop; that is all it takes, and the library uses neither that loop nor its default context.
 *
 * `gtk-window --check BUNDLE` proves it on the demo machine: it runs a clock in the default main context all the time,
 * compares the window with the frame, types, and prints what it found as TAP. A test runs it under Xvfb.
 */
#include <glib-unix.h>
#include <gtk/gtk.h>
#include <string.h>
#include <utm/utm.h>

#define CLOCK_MS 10
#define CHECK_LIMIT_MS 120000
#define QUIET_MS 700

typedef struct Check {
	bool wanted;
	int stage; /* 0 booting, 1 key typed, 2 stopping */
	guint tests, failed;
	gint64 started_us, frame_us;
	guint ticks, foreign_ticks;
	GThread *thread;
	UtmFrame *before_key;
	bool guest_ready, input_ready;
	GString *serial;
} Check;

typedef struct Viewer {
	UtmContext *ctx;
	UtmBundle *bundle;
	UtmVm *vm;
	UtmFrame *frame; /* what the window shows; its pixels are used as they lie */
	GtkWidget *window, *area;
	int shown_width, shown_height;
	uint32_t buttons;
	Check check;
	int status;
} Viewer;

static gboolean on_library_readable(gint fd, GIOCondition condition, gpointer data)
{
	Viewer *viewer = data;

	(void)fd;
	(void)condition;
	utm_context_dispatch(viewer->ctx, 0);
	return G_SOURCE_CONTINUE;
}

static void fail(Viewer *viewer, const char *what, UtmError *error)
{
	char *text = error ? utm_error_dup_text(error) : NULL;

	g_printerr("gtk-window: %s%s%s\n", what, text ? ": " : "", text ? text : "");
	utm_free(text);
	utm_error_unref(error);
	viewer->status = 1;
}

/* --- picture --- */

static void on_frame(UtmDisplay *display, void *data)
{
	Viewer *viewer = data;
	UtmFrame *frame = utm_display_acquire_frame(display);

	if (!frame)
		return;
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	utm_frame_unref(viewer->frame);
	viewer->frame = frame;
	viewer->check.frame_us = g_get_monotonic_time();
	if (viewer->shown_width == (int)info->width && viewer->shown_height == (int)info->height) {
		for (uint32_t i = 0; i < info->damage_count; i++)
			gtk_widget_queue_draw_area(viewer->area, info->damage[i].x, info->damage[i].y, info->damage[i].width,
			                           info->damage[i].height);
		return;
	}
	viewer->shown_width = (int)info->width;
	viewer->shown_height = (int)info->height;
	gtk_widget_set_size_request(viewer->area, viewer->shown_width, viewer->shown_height);
	gtk_widget_queue_draw(viewer->area);
}

static gboolean on_draw(GtkWidget *area, cairo_t *cairo, gpointer data)
{
	Viewer *viewer = data;

	(void)area;
	if (!viewer->frame)
		return FALSE;
	const UtmFrameInfo *info = utm_frame_get_info(viewer->frame);
	/* Cairo only reads: the surface is the source. */
	cairo_surface_t *surface =
		cairo_image_surface_create_for_data((unsigned char *)utm_frame_get_data(viewer->frame), CAIRO_FORMAT_RGB24,
	                                        (int)info->width, (int)info->height, (int)info->stride_bytes);
	cairo_set_source_surface(cairo, surface, 0, 0);
	cairo_paint(cairo);
	cairo_surface_finish(surface);
	cairo_surface_destroy(surface);
	return TRUE;
}

/* --- keys and pointer --- */

/* X's key codes are those of Linux plus 8. Up to F12 they are also the PC's; the others have the prefix E0. */
static uint32_t to_scancode(guint hardware_keycode)
{
	static const struct {
		uint8_t linux_code, pc_code;
	} prefixed[] = {
		{ 96, 0x1c },  { 97, 0x1d },  { 98, 0x35 },  { 100, 0x38 }, { 102, 0x47 }, { 103, 0x48 },
		{ 104, 0x49 }, { 105, 0x4b }, { 106, 0x4d }, { 107, 0x4f }, { 108, 0x50 }, { 109, 0x51 },
		{ 110, 0x52 }, { 111, 0x53 }, { 125, 0x5b }, { 126, 0x5c }, { 127, 0x5d },
	};

	if (hardware_keycode < 9)
		return 0;
	guint code = hardware_keycode - 8;
	if (code <= 88)
		return code;
	for (gsize i = 0; i < G_N_ELEMENTS(prefixed); i++)
		if (prefixed[i].linux_code == code)
			return 0x100u + prefixed[i].pc_code;
	return 0;
}

static gboolean on_key(GtkWidget *widget, GdkEventKey *event, gpointer data)
{
	Viewer *viewer = data;
	uint32_t scancode = to_scancode(event->hardware_keycode);

	(void)widget;
	if (scancode)
		utm_console_send_key(utm_vm_get_console(viewer->vm), scancode, event->type == GDK_KEY_PRESS, NULL);
	return TRUE;
}

static gboolean on_motion(GtkWidget *widget, GdkEventMotion *event, gpointer data)
{
	Viewer *viewer = data;

	(void)widget;
	utm_console_move_pointer(utm_vm_get_console(viewer->vm), 0, (int32_t)event->x, (int32_t)event->y, viewer->buttons,
	                         NULL);
	return TRUE;
}

static gboolean on_button(GtkWidget *widget, GdkEventButton *event, gpointer data)
{
	static const uint32_t buttons[] = { 0, UTM_POINTER_LEFT, UTM_POINTER_MIDDLE, UTM_POINTER_RIGHT };
	Viewer *viewer = data;
	bool pressed = event->type == GDK_BUTTON_PRESS;

	(void)widget;
	if (event->button >= G_N_ELEMENTS(buttons) || (!pressed && event->type != GDK_BUTTON_RELEASE))
		return FALSE;
	if (pressed)
		viewer->buttons |= buttons[event->button];
	else
		viewer->buttons &= ~buttons[event->button];
	utm_console_send_button(utm_vm_get_console(viewer->vm), buttons[event->button], pressed, viewer->buttons, NULL);
	return TRUE;
}

/* --- machine --- */

static void on_vm_event(UtmVm *vm, const UtmVmEvent *event, void *data)
{
	Viewer *viewer = data;

	if (event->kind == UTM_VM_EVENT_STATE && viewer->window) {
		g_autofree char *title =
			g_strdup_printf("%s (%s)", utm_config_get_name(utm_vm_get_config(vm)), utm_vm_state_get_name(event->state));
		gtk_window_set_title(GTK_WINDOW(viewer->window), title);
	}
	if (event->kind == UTM_VM_EVENT_ENDED)
		gtk_main_quit();
}

static void on_console_event(UtmConsole *console, const UtmConsoleEvent *event, void *data)
{
	(void)console;
	if (event->kind == UTM_CONSOLE_EVENT_INPUT_READY)
		((Viewer *)data)->check.input_ready = true;
}

static void on_serial(UtmVm *vm, uint32_t index, const void *bytes, size_t size, void *data)
{
	Check *check = &((Viewer *)data)->check;

	(void)vm;
	(void)index;
	g_string_append_len(check->serial, bytes, (gssize)size);
	if (strstr(check->serial->str, "demo: ready"))
		check->guest_ready = true;
}

static void on_started(UtmVm *vm, const UtmError *error, void *data)
{
	Viewer *viewer = data;

	(void)vm;
	if (!error)
		return;
	fail(viewer, "the machine does not start", utm_error_ref((UtmError *)error));
	gtk_main_quit();
}

/* Closing the window presses the power button; GTK runs on until the machine has ended. */
static gboolean on_close(GtkWidget *window, GdkEvent *event, gpointer data)
{
	Viewer *viewer = data;

	(void)window;
	(void)event;
	utm_vm_stop_async(viewer->vm, UTM_VM_STOP_ESCALATE, NULL, NULL, NULL, NULL, NULL);
	return TRUE;
}

/* --- the check --- */

static void tap(Check *check, bool good, const char *what)
{
	check->tests++;
	check->failed += !good;
	g_print("%s %u - %s\n", good ? "ok" : "not ok", check->tests, what);
}

/* The host's own clock in the default context: it must keep its rate, on the host's thread. */
static gboolean on_tick(gpointer data)
{
	Check *check = data;

	check->ticks++;
	check->foreign_ticks += check->thread != g_thread_self();
	return G_SOURCE_CONTINUE;
}

static bool window_shows_frame(Viewer *viewer)
{
	const UtmFrameInfo *info = utm_frame_get_info(viewer->frame);
	g_autoptr(GdkPixbuf) shot =
		gdk_pixbuf_get_from_window(gtk_widget_get_window(viewer->area), 0, 0, (int)info->width, (int)info->height);
	if (!shot)
		return false;
	const guint8 *pixels = gdk_pixbuf_read_pixels(shot);
	int stride = gdk_pixbuf_get_rowstride(shot), channels = gdk_pixbuf_get_n_channels(shot);
	for (uint32_t y = 0; y < info->height; y++)
		for (uint32_t x = 0; x < info->width; x++) {
			const guint8 *got = pixels + (gsize)y * (gsize)stride + x * (guint)channels;
			uint32_t wanted;
			memcpy(&wanted, (const guint8 *)utm_frame_get_data(viewer->frame) + (gsize)y * info->stride_bytes + x * 4,
			       4);
			if ((guint32)(got[0] << 16 | got[1] << 8 | got[2]) != (wanted & 0xffffff))
				return false;
		}
	return true;
}

static bool differ(const UtmFrame *a, const UtmFrame *b)
{
	const UtmFrameInfo *info = utm_frame_get_info(a);

	return info->stride_bytes != utm_frame_get_info(b)->stride_bytes || info->height != utm_frame_get_info(b)->height ||
	       memcmp(utm_frame_get_data(a), utm_frame_get_data(b), (gsize)info->stride_bytes * info->height) != 0;
}

/* As if the key had been typed into the window: it takes the way through on_key(). */
static void type_into_window(Viewer *viewer, guint hardware_keycode)
{
	for (int pressed = 1; pressed >= 0; pressed--) {
		GdkEvent *event = gdk_event_new(pressed ? GDK_KEY_PRESS : GDK_KEY_RELEASE);
		event->key.window = g_object_ref(gtk_widget_get_window(viewer->window));
		event->key.hardware_keycode = (guint16)hardware_keycode;
		gdk_event_set_device(event, gdk_seat_get_keyboard(gdk_display_get_default_seat(gdk_display_get_default())));
		gtk_widget_event(viewer->window, event);
		gdk_event_free(event);
	}
}

static void finish_check(Viewer *viewer)
{
	Check *check = &viewer->check;
	double seconds = (double)(g_get_monotonic_time() - check->started_us) / 1e6;
	double expected = seconds * 1000 / CLOCK_MS;

	g_print("# %.1f s, %u of %.0f ticks\n", seconds, check->ticks, expected);
	tap(check, check->ticks > expected / 2, "timeouts of the host's default context keep their rate");
	tap(check, check->foreign_ticks == 0, "they fire on the host's thread");
	tap(check, g_main_context_is_owner(NULL), "the host owns its default context");
}

static gboolean on_check(gpointer data)
{
	Viewer *viewer = data;
	Check *check = &viewer->check;
	gint64 now = g_get_monotonic_time();
	bool rests = viewer->frame && now - check->frame_us > QUIET_MS * 1000;

	if (check->stage == 0 && check->guest_ready && check->input_ready && rests) {
		tap(check, window_shows_frame(viewer), "the window shows the frame, pixel by pixel");
		check->before_key = utm_frame_ref(viewer->frame);
		type_into_window(viewer, 30 + 8);
		check->stage = 1;
	} else if (check->stage == 1 && rests && differ(check->before_key, viewer->frame)) {
		tap(check, true, "a key typed into the window changed the picture");
		tap(check, window_shows_frame(viewer), "the window shows the new frame");
		finish_check(viewer);
		check->stage = 2;
		utm_vm_stop_async(viewer->vm, UTM_VM_STOP_ESCALATE, NULL, NULL, NULL, NULL, NULL);
	} else if (check->stage < 2 && now - check->started_us > CHECK_LIMIT_MS * 1000) {
		tap(check, false, check->stage == 0 ? "the guest painted in time" : "the key changed the picture in time");
		gtk_main_quit();
	}
	return G_SOURCE_CONTINUE;
}

static void begin_check(Viewer *viewer)
{
	viewer->check.thread = g_thread_self();
	viewer->check.started_us = g_get_monotonic_time();
	viewer->check.serial = g_string_new(NULL);
	g_timeout_add(CLOCK_MS, on_tick, &viewer->check);
	g_timeout_add(50, on_check, viewer);
	utm_vm_set_serial_handler(viewer->vm, 0, on_serial, viewer, NULL, NULL);
}

static void end_check(Viewer *viewer)
{
	Check *check = &viewer->check;
	UtmEndReason *reason = utm_vm_get_end_reason(viewer->vm);

	tap(check, reason && utm_end_reason_get_kind(reason) == UTM_END_GUEST_SHUTDOWN,
	    "the guest followed its power button");
	g_print("1..%u\n", check->tests);
	utm_frame_unref(check->before_key);
	g_string_free(check->serial, TRUE);
	viewer->status = check->failed != 0;
}

/* --- main --- */

static void make_window(Viewer *viewer)
{
	viewer->window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
	viewer->area = gtk_drawing_area_new();
	gtk_widget_set_size_request(viewer->area, 640, 480);
	gtk_widget_add_events(viewer->area, GDK_POINTER_MOTION_MASK | GDK_BUTTON_PRESS_MASK | GDK_BUTTON_RELEASE_MASK);
	gtk_container_add(GTK_CONTAINER(viewer->window), viewer->area);
	g_signal_connect(viewer->area, "draw", G_CALLBACK(on_draw), viewer);
	g_signal_connect(viewer->area, "motion-notify-event", G_CALLBACK(on_motion), viewer);
	g_signal_connect(viewer->area, "button-press-event", G_CALLBACK(on_button), viewer);
	g_signal_connect(viewer->area, "button-release-event", G_CALLBACK(on_button), viewer);
	g_signal_connect(viewer->window, "key-press-event", G_CALLBACK(on_key), viewer);
	g_signal_connect(viewer->window, "key-release-event", G_CALLBACK(on_key), viewer);
	g_signal_connect(viewer->window, "delete-event", G_CALLBACK(on_close), viewer);
	gtk_widget_show_all(viewer->window);
}

static bool open_machine(Viewer *viewer, const char *path)
{
	UtmError *error = NULL;

	viewer->ctx = utm_context_new(NULL, &error);
	if (!viewer->ctx || utm_bundle_open(viewer->ctx, path, &viewer->bundle, &error) < 0 ||
	    utm_vm_new(viewer->bundle, &viewer->vm, &error) < 0) {
		fail(viewer, "cannot open the machine", error);
		return false;
	}
	g_unix_fd_add(utm_context_get_fd(viewer->ctx), G_IO_IN, on_library_readable, viewer);
	utm_vm_set_event_handler(viewer->vm, on_vm_event, viewer, NULL);
	utm_console_set_event_handler(utm_vm_get_console(viewer->vm), on_console_event, viewer, NULL);
	utm_display_set_frame_handler(utm_vm_get_display(viewer->vm, 0), on_frame, viewer, NULL);
	return true;
}

int main(int argc, char **argv)
{
	Viewer viewer = { 0 };

	gtk_init(&argc, &argv);
	viewer.check.wanted = argc == 3 && strcmp(argv[1], "--check") == 0;
	if (argc != 2 + viewer.check.wanted) {
		g_printerr("usage: gtk-window [--check] BUNDLE\n");
		return 2;
	}
	if (!open_machine(&viewer, argv[argc - 1]))
		return 1;
	make_window(&viewer);
	if (viewer.check.wanted)
		begin_check(&viewer);
	if (utm_vm_start_async(viewer.vm, NULL, on_started, &viewer, NULL, NULL) == 0)
		gtk_main();
	if (viewer.check.wanted)
		end_check(&viewer);
	utm_vm_stop(viewer.vm, UTM_VM_STOP_KILL, NULL, NULL);
	utm_frame_unref(viewer.frame);
	utm_vm_unref(viewer.vm);
	utm_bundle_unref(viewer.bundle);
	utm_context_unref(viewer.ctx);
	return viewer.status;
}
