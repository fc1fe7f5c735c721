/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Engines that are missing, die, hang or are hostile; servers that are none. No QEMU needed. */
#include <utm/utm.h>

#include <dirent.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Seen {
	int lost, closed, reconnecting, connected, others;
	int last_lost_code, last_exit;
} Seen;

static UtmContext *new_context(const char *engine, const char *behaviour)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	options.console_engine = engine;
	if (behaviour)
		g_setenv("UTM_TEST_HOSTILE", behaviour, TRUE);
	UtmContext *ctx = utm_context_new(&options, NULL);
	g_assert_nonnull(ctx);
	return ctx;
}

static const char *hostile(void)
{
	return g_getenv("UTM_TEST_HOSTILE_ENGINE");
}

static void on_event(UtmConsole *console, const UtmConsoleEvent *event, void *data)
{
	Seen *seen = data;
	g_assert_cmpuint(event->size, ==, sizeof *event);
	if (event->kind == UTM_CONSOLE_EVENT_ENGINE_LOST) {
		g_assert_nonnull(event->error);
		seen->lost++;
		seen->last_lost_code = utm_error_get_code(event->error);
		seen->last_exit = utm_error_get_exit_status(event->error);
	} else if (event->kind == UTM_CONSOLE_EVENT_STATE) {
		seen->closed += event->state == UTM_CONSOLE_STATE_CLOSED;
		seen->reconnecting += event->state == UTM_CONSOLE_STATE_RECONNECTING;
		seen->connected += event->state == UTM_CONSOLE_STATE_CONNECTED;
	} else {
		seen->others++;
	}
}

/* Dispatches until the value is not zero, ten seconds at most. */
static void dispatch_until(UtmContext *ctx, const int *value)
{
	gint64 deadline = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
	while (!*value && g_get_monotonic_time() < deadline)
		utm_context_wait(ctx, 100);
	g_assert_true(*value != 0);
}

static int connect_to(UtmContext *ctx, const char *path, gint64 timeout_ms, UtmConsole **ret, UtmError **error)
{
	UtmConsoleOptions options = UTM_CONSOLE_OPTIONS_INIT;
	options.timeout_ms = timeout_ms;
	return utm_console_connect_path(ctx, path, &options, ret, error);
}

static guint open_fds(void)
{
	guint count = 0;
	DIR *directory = opendir("/proc/self/fd");
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* No child is left, dead or alive. */
static void assert_no_children(void)
{
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), <, 0);
}

/* Connecting fails with that code, within a time, and leaves nothing. */
static UtmError *connect_fails(const char *engine, const char *behaviour, const char *path, gint64 timeout_ms, int code)
{
	guint before = open_fds();
	UtmContext *ctx = new_context(engine, behaviour);
	UtmConsole *console = (UtmConsole *)1;
	UtmError *error = NULL;
	gint64 begin = g_get_monotonic_time();
	g_assert_cmpint(connect_to(ctx, path, timeout_ms, &console, &error), ==, code);
	g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
	g_assert_true(console == (UtmConsole *)1);
	g_assert_nonnull(error);
	g_assert_cmpint(utm_error_get_code(error), ==, code);
	g_test_message("%s", utm_error_get_message(error));
	g_assert_null(strpbrk(utm_error_get_message(error), "\n\r\033"));
	utm_context_unref(ctx);
	assert_no_children();
	g_assert_cmpuint(open_fds(), ==, before);
	return error;
}

static void test_missing(void)
{
	UtmError *error = connect_fails("/nowhere/engine", NULL, "/tmp/x", 5000, UTM_ERROR_CONSOLE_ENGINE);
	g_assert_cmpstr(utm_error_get_file(error), ==, "/nowhere/engine");
	utm_error_unref(error);
}

static void test_dies_at_once(void)
{
	UtmError *error = connect_fails(hostile(), "die-at-once", "/tmp/x", 5000, UTM_ERROR_CONSOLE_ENGINE);
	g_assert_cmpint(utm_error_get_exit_status(error), ==, 3);
	g_assert_nonnull(strstr(utm_error_get_stderr_tail(error), "I do not want to"));
	utm_error_unref(error);
	utm_error_unref(connect_fails("/bin/true", NULL, "/tmp/x", 5000, UTM_ERROR_CONSOLE_ENGINE));
}

static void test_silent(void)
{
	utm_error_unref(connect_fails(hostile(), "be-silent", "/tmp/x", 300, UTM_ERROR_TIMEOUT));
	utm_error_unref(connect_fails("/bin/cat", NULL, "/tmp/x", 300, UTM_ERROR_CONSOLE_ENGINE));
}

static void test_wrong_protocol(void)
{
	utm_error_unref(connect_fails(hostile(), "other-version", "/tmp/x", 5000, UTM_ERROR_CONSOLE_ENGINE));
	utm_error_unref(connect_fails(hostile(), "no-hello", "/tmp/x", 5000, UTM_ERROR_CONSOLE_ENGINE));
	utm_error_unref(connect_fails(hostile(), "insult", "/tmp/x", 5000, UTM_ERROR_CONSOLE_CONNECT));
}

/* An engine that misbehaves once it is connected is ended, started again, and given up in the end. */
static void test_gives_up(gconstpointer behaviour)
{
	guint before = open_fds();
	UtmContext *ctx = new_context(hostile(), behaviour);
	UtmConsole *console = NULL;
	UtmFrame *frame = NULL;
	Seen seen = { 0 };
	g_assert_cmpint(connect_to(ctx, "/tmp/x", 5000, &console, NULL), ==, 0);
	utm_console_set_event_handler(console, on_event, &seen, NULL);
	dispatch_until(ctx, &seen.closed);
	g_assert_cmpint(seen.lost, >=, 3); /* the first may be over before there is a handler */
	g_assert_cmpint(seen.lost, <=, 4);
	g_assert_cmpint(seen.last_lost_code, ==, UTM_ERROR_CONSOLE_ENGINE);
	g_assert_cmpuint(utm_console_get_state(console), ==, UTM_CONSOLE_STATE_CLOSED);
	g_assert_cmpint(utm_console_get_engine_pid(console), ==, -1);
	UtmDisplay *display = utm_console_get_display(console, 0);
	g_assert_null(utm_display_acquire_frame(display));
	g_assert_cmpint(utm_display_wait_frame(display, 0, -1, NULL, &frame, NULL), ==, UTM_ERROR_CONSOLE_ENGINE);
	utm_console_close(console);
	g_assert_cmpint(utm_display_wait_frame(display, 0, -1, NULL, &frame, NULL), ==, UTM_ERROR_VM_ENDED);
	g_assert_cmpint(utm_console_send_key(console, 1, true, NULL), ==, UTM_ERROR_INVALID_STATE);
	utm_console_unref(console);
	utm_context_unref(ctx);
	assert_no_children();
	g_assert_cmpuint(open_fds(), ==, before);
}

/* Wrong numbers in messages and in shared memory: wrong pictures at most. */
static void test_survives(gconstpointer behaviour)
{
	UtmContext *ctx = new_context(hostile(), behaviour);
	UtmConsole *console = NULL;
	Seen seen = { 0 };
	g_assert_cmpint(connect_to(ctx, "/tmp/x", 5000, &console, NULL), ==, 0);
	utm_console_set_event_handler(console, on_event, &seen, NULL);
	UtmDisplay *display = utm_console_get_display(console, 0);
	gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC;
	guint64 sum = 0, frames = 0;
	while (g_get_monotonic_time() < end) {
		utm_context_wait(ctx, 1);
		UtmFrame *frame = utm_display_acquire_frame(display);
		if (!frame)
			continue;
		frames++;
		const UtmFrameInfo *info = utm_frame_get_info(frame);
		const guint8 *bytes = utm_frame_get_data(frame);
		g_assert_cmpuint(info->damage_count, <=, UTM_FRAME_DAMAGE_MAX);
		for (uint32_t i = 0; i < info->damage_count; i++)
			g_assert_true(info->damage[i].x + info->damage[i].width <= (int)info->width &&
			              info->damage[i].y + info->damage[i].height <= (int)info->height);
		for (gsize i = 0; i < (gsize)info->stride_bytes * info->height; i += 64)
			sum += bytes[i];
		utm_frame_unref(frame);
	}
	g_test_message("%s: lost %d, other events %d, frames %" G_GUINT64_FORMAT ", sum %" G_GUINT64_FORMAT,
	               (const char *)behaviour, seen.lost, seen.others, frames, sum);
	g_assert_cmpint(seen.lost, ==, 0);
	g_assert_cmpuint(utm_console_get_state(console), ==, UTM_CONSOLE_STATE_CONNECTED);
	utm_console_unref(console);
	utm_context_unref(ctx);
	assert_no_children();
}

/* An engine that does not go when it is told to is killed, and nobody waits long for it. */
static void test_clings(void)
{
	UtmContext *ctx = new_context(hostile(), "cling");
	UtmConsole *console = NULL;
	g_assert_cmpint(connect_to(ctx, "/tmp/x", 5000, &console, NULL), ==, 0);
	gint64 begin = g_get_monotonic_time();
	utm_console_unref(console);
	g_assert_cmpint(g_get_monotonic_time() - begin, <, 4 * G_USEC_PER_SEC);
	utm_context_unref(ctx);
	assert_no_children();
}

static void unref_once(UtmConsole *console, const UtmConsoleEvent *event, void *data)
{
	int *count = data;
	if ((*count)++ == 0)
		utm_console_unref(console);
}

/* Nobody waits inside a callback; the end of the context sees to the engine, and what was kept for it is freed. */
static void test_clings_past_its_context(void)
{
	UtmContext *ctx = new_context(hostile(), "cling");
	UtmConsole *console = NULL;
	int count = 0;
	g_assert_cmpint(connect_to(ctx, "/tmp/x", 5000, &console, NULL), ==, 0);
	utm_console_set_event_handler(console, unref_once, &count, NULL);
	dispatch_until(ctx, &count);
	gint64 begin = g_get_monotonic_time();
	utm_context_unref(ctx);
	g_assert_cmpint(g_get_monotonic_time() - begin, <, 2 * G_USEC_PER_SEC);
	assert_no_children();
}

/* ---------------------------------------------------------------- servers that are none */

typedef struct Server {
	char *directory, *path;
	int fd;
	const char *says;
	pthread_t thread;
} Server;

static void *answer(void *data)
{
	Server *server = data;
	int connection;
	while ((connection = accept(server->fd, NULL, NULL)) >= 0) {
		(void)!send(connection, server->says, strlen(server->says), MSG_NOSIGNAL);
		close(connection);
	}
	return NULL;
}

/* Listens; with `says` NULL nobody ever accepts. */
static Server server_new(const char *says)
{
	Server server = { .says = says };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	server.directory = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	server.path = g_build_filename(server.directory, "spice", NULL);
	g_strlcpy(address.sun_path, server.path, sizeof address.sun_path);
	server.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(bind(server.fd, (struct sockaddr *)&address, sizeof address), ==, 0);
	g_assert_cmpint(listen(server.fd, 5), ==, 0);
	return server;
}

static void server_free(Server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	if (server->says)
		pthread_join(server->thread, NULL);
	close(server->fd);
	g_unlink(server->path);
	g_rmdir(server->directory);
	g_free(server->path);
	g_free(server->directory);
}

static bool have_engine(void)
{
	if (g_getenv("UTM_CONSOLE_ENGINE") && g_file_test(g_getenv("UTM_CONSOLE_ENGINE"), G_FILE_TEST_IS_EXECUTABLE))
		return true;
	g_test_skip("no console engine in this build");
	return false;
}

static void test_no_server(void)
{
	if (!have_engine())
		return;
	UtmError *error = connect_fails(NULL, NULL, "/nowhere/spice.sock", 5000, UTM_ERROR_CONSOLE_CONNECT);
	g_assert_cmpstr(utm_error_get_file(error), ==, "/nowhere/spice.sock");
	utm_error_unref(error);
	g_autofree char *far = g_strdup_printf("/tmp/%0200d/spice.sock", 1);
	utm_error_unref(connect_fails(NULL, NULL, far, 5000, UTM_ERROR_CONSOLE_CONNECT));
	g_autofree char *endless = g_strdup_printf("/tmp/%05000d", 1);
	utm_error_unref(connect_fails(NULL, NULL, endless, 5000, UTM_ERROR_INVALID_ARGUMENT));
}

static void test_server_silent(void)
{
	if (!have_engine())
		return;
	Server server = server_new(NULL);
	UtmError *error = connect_fails(NULL, NULL, server.path, 500, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(utm_error_get_file(error), ==, server.path);
	utm_error_unref(error);
	server_free(&server);
}

static void test_server_rubbish(void)
{
	if (!have_engine())
		return;
	Server server = server_new("220 mail.example.org ESMTP; this is no display server at all\r\n");
	pthread_create(&server.thread, NULL, answer, &server);
	utm_error_unref(connect_fails(NULL, NULL, server.path, 5000, UTM_ERROR_CONSOLE_CONNECT));
	server_free(&server);
}

static void *trigger_soon(void *data)
{
	g_usleep(200000);
	utm_cancel_trigger(data);
	return NULL;
}

static void test_cancel(void)
{
	UtmContext *ctx = new_context(hostile(), "be-silent");
	UtmConsoleOptions options = UTM_CONSOLE_OPTIONS_INIT;
	UtmConsole *console = NULL;
	pthread_t thread;
	options.timeout_ms = -1;
	options.cancel = utm_cancel_new();
	pthread_create(&thread, NULL, trigger_soon, options.cancel);
	g_assert_cmpint(utm_console_connect_path(ctx, "/tmp/x", &options, &console, NULL), ==, UTM_ERROR_CANCELLED);
	pthread_join(thread, NULL);
	utm_cancel_unref(options.cancel);
	g_assert_null(console);
	utm_context_unref(ctx);
	assert_no_children();
}

/* ---------------------------------------------------------------- misuse */

static void count_free(void *data)
{
	(*(int *)data)++;
}

static void test_misuse(void)
{
	UtmContext *ctx = new_context(NULL, NULL);
	UtmConsole *console = NULL;
	UtmFrame *frame = NULL;
	UtmConsoleOptions wrong = UTM_CONSOLE_OPTIONS_INIT;
	int freed = 0;
	wrong.timeout_ms = -2;
	g_assert_cmpint(utm_console_connect_path(NULL, "/x", NULL, &console, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_console_connect_path(ctx, NULL, NULL, &console, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_console_connect_path(ctx, "/x", NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_console_connect_path(ctx, "/x", &wrong, &console, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	wrong.size = 3;
	g_assert_cmpint(utm_console_connect_path(ctx, "/x", &wrong, &console, NULL), <, 0);
	g_assert_null(console);
	g_assert_cmpuint(utm_console_get_state(NULL), ==, UTM_CONSOLE_STATE_CLOSED);
	g_assert_cmpstr(utm_console_state_get_name(UTM_CONSOLE_STATE_IDLE), ==, "idle");
	g_assert_null(utm_console_state_get_name(UTM_CONSOLE_STATE_IDLE + 1));
	g_assert_null(utm_console_event_kind_get_name(0));
	g_assert_cmpstr(utm_console_event_kind_get_name(UTM_CONSOLE_EVENT_POINTER_MODE), ==, "pointer-mode");
	g_assert_null(utm_console_event_kind_get_name(UTM_CONSOLE_EVENT_POINTER_MODE + 1));
	g_assert_cmpint(utm_console_get_engine_pid(NULL), ==, -1);
	g_assert_null(utm_console_get_display(NULL, 0));
	g_assert_cmpint(utm_console_set_event_handler(NULL, NULL, &freed, count_free), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_display_set_frame_handler(NULL, NULL, &freed, count_free), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(freed, ==, 2);
	g_assert_cmpint(utm_console_send_key(NULL, 1, true, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_display_wait_frame(NULL, 0, 0, NULL, &frame, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_display_save_screenshot(NULL, "/x", 0, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_frame_save_png(NULL, "/x", NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(utm_display_acquire_frame(NULL));
	g_assert_null(utm_frame_get_info(NULL));
	g_assert_null(utm_frame_get_data(NULL));
	utm_frame_unref(NULL);
	utm_display_unref(NULL);
	utm_console_unref(NULL);
	utm_console_close(NULL);
	utm_context_unref(ctx);
}

static void test_bad_input(void)
{
	UtmContext *ctx = new_context(hostile(), "false-frames");
	UtmConsole *console = NULL;
	g_assert_cmpint(connect_to(ctx, "/tmp/x", 5000, &console, NULL), ==, 0);
	static const uint32_t no_codes[] = { 0, 0x80, 0x100, 0x180, 0x200, 0xe01d };
	for (gsize i = 0; i < G_N_ELEMENTS(no_codes); i++)
		g_assert_cmpint(utm_console_send_key(console, no_codes[i], true, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	/* A position needs a picture that it is a position in. */
	UtmFrame *frame = NULL;
	utm_display_wait_frame(utm_console_get_display(console, 0), 0, 5000, NULL, &frame, NULL);
	g_assert_nonnull(frame);
	utm_frame_unref(frame);
	g_assert_cmpint(utm_console_move_pointer(console, 1, 0, 0, 0, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_console_move_pointer(console, 16, 0, 0, 0, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_console_move_pointer(console, 0, -1, 0, 0, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_console_move_pointer(console, 0, 0, 0, 0x80, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_console_send_button(console, 3, true, 0, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_console_send_button(console, 0, true, 0, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_console_send_key(console, 0x17f, true, NULL), ==, 0);
	/* More than any socket holds, to an engine that hardly reads: nothing blocks, nothing is lost on our side. */
	for (int i = 0; i < 20000; i++)
		g_assert_cmpint(utm_console_move_pointer(console, 0, i, i, 0, NULL), ==, 0);
	utm_console_close(console);
	utm_console_close(console);
	utm_console_unref(console);
	utm_context_unref(ctx);
	assert_no_children();
}

/* GLib opens an eventfd for good with the first child. */
static void warm_up(void)
{
	UtmContext *ctx = new_context("/nowhere/engine", NULL);
	UtmConsole *console = NULL;
	connect_to(ctx, "/tmp/x", 5000, &console, NULL);
	utm_context_unref(ctx);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	warm_up();
	static const char *const give_up[] = { "crash",     "rubbish",    "oversized", "unsealed",
		                               "too-small", "not-memory", "cling" };
	static const char *const survive[] = { "false-frames", "flood", "scribble" };
	g_test_add_func("/engine/missing", test_missing);
	g_test_add_func("/engine/dies-at-once", test_dies_at_once);
	g_test_add_func("/engine/silent", test_silent);
	g_test_add_func("/engine/wrong-protocol", test_wrong_protocol);
	g_test_add_func("/engine/clings", test_clings);
	g_test_add_func("/engine/clings-past-its-context", test_clings_past_its_context);
	for (gsize i = 0; i < G_N_ELEMENTS(give_up); i++) {
		g_autofree char *name = g_strdup_printf("/engine/gives-up/%s", give_up[i]);
		g_test_add_data_func(name, give_up[i], test_gives_up);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(survive); i++) {
		g_autofree char *name = g_strdup_printf("/engine/survives/%s", survive[i]);
		g_test_add_data_func(name, survive[i], test_survives);
	}
	g_test_add_func("/server/none", test_no_server);
	g_test_add_func("/server/silent", test_server_silent);
	g_test_add_func("/server/rubbish", test_server_rubbish);
	g_test_add_func("/console/cancel", test_cancel);
	g_test_add_func("/console/misuse", test_misuse);
	g_test_add_func("/console/bad-input", test_bad_input);
	return g_test_run();
}
