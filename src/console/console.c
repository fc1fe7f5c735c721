/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UtmConsole: opens, keeps alive and closes the engine, and turns what it says into states and events.
 *
 *     IDLE, CLOSED --expect, open--> CONNECTING --connected--> CONNECTED --engine lost--> RECONNECTING --> CONNECTED
 *               ^                        |                         |                           |
 *               +------------------------+-- failed, shut, server gone, lost too often --------+
 *
 * All of it happens on the I/O thread; the lock only guards what other threads look at.
 */
#include "console/console-impl.h"

#include "base/sized-struct.h"
#include "base/util.h"
#include "core/request.h"

#include <string.h>
#include <time.h>

#define DEFAULT_TIMEOUT_MS 15000
/* Events about displays, input and pointer that the application has not taken; a guest can cause any number. */
#define EVENTS_MAX 256

/* ---------------------------------------------------------------- names */

static const char *const state_names[] = {
	[UTM_CONSOLE_STATE_CONNECTING] = "connecting",
	[UTM_CONSOLE_STATE_CONNECTED] = "connected",
	[UTM_CONSOLE_STATE_RECONNECTING] = "reconnecting",
	[UTM_CONSOLE_STATE_CLOSED] = "closed",
	[UTM_CONSOLE_STATE_IDLE] = "idle",
};

const char *utm_console_state_get_name(uint32_t state)
{
	return state < G_N_ELEMENTS(state_names) ? state_names[state] : NULL;
}

static const char *const event_kind_names[] = {
	[UTM_CONSOLE_EVENT_STATE] = "state",
	[UTM_CONSOLE_EVENT_ENGINE_LOST] = "engine-lost",
	[UTM_CONSOLE_EVENT_DISPLAY_SHOWN] = "display-shown",
	[UTM_CONSOLE_EVENT_DISPLAY_HIDDEN] = "display-hidden",
	[UTM_CONSOLE_EVENT_INPUT_READY] = "input-ready",
	[UTM_CONSOLE_EVENT_POINTER_MODE] = "pointer-mode",
};

const char *utm_console_event_kind_get_name(uint32_t kind)
{
	return kind < G_N_ELEMENTS(event_kind_names) ? event_kind_names[kind] : NULL;
}

/* ---------------------------------------------------------------- events */

typedef struct ConsoleEvent {
	UtmQueueEvent event;
	UtmConsole *console;
	UtmConsoleEvent told;
	UtmError *error;
	bool counted;
} ConsoleEvent;

static void event_run(UtmQueueEvent *event)
{
	ConsoleEvent *self = (ConsoleEvent *)event;
	UtmCallback *callback = utm__slot_get(&self->console->slot);
	if (callback)
		((UtmConsoleEventFunc)callback->fn)(self->console, &self->told, callback->user_data);
	utm__callback_unref(callback);
}

static void event_free(UtmQueueEvent *event)
{
	ConsoleEvent *self = (ConsoleEvent *)event;
	if (self->counted)
		utm__slot_leave(&self->console->slot);
	utm_error_unref(self->error);
	g_free(self);
}

/* Every state and every lost engine is told; of the rest, what a guest can cause without end, only so many may wait. */
static void tell(UtmConsole *console, UtmConsoleEventKind kind, uint32_t display, const UtmError *error)
{
	bool counted = kind != UTM_CONSOLE_EVENT_STATE && kind != UTM_CONSOLE_EVENT_ENGINE_LOST;
	if (!utm__slot_is_set(&console->slot) || (counted && !utm__slot_admit(&console->slot, EVENTS_MAX)))
		return;
	ConsoleEvent *self = g_new0(ConsoleEvent, 1);
	self->event.object = &console->object;
	self->event.run = event_run;
	self->event.free = event_free;
	self->console = console;
	self->counted = counted;
	self->error = error ? utm_error_ref((UtmError *)error) : NULL;
	self->told.size = sizeof self->told;
	self->told.kind = kind;
	self->told.state = utm_console_get_state(console);
	self->told.display = display;
	self->told.error = self->error;
	utm__context_post(console->object.context, &self->event);
}

/* `failure` goes to everybody who waits for a picture from now on; NULL where nothing went wrong. */
static void set_state(UtmConsole *console, UtmConsoleState state, const UtmError *failure)
{
	pthread_mutex_lock(&console->lock);
	bool changed = console->state != state;
	console->state = state;
	utm_error_unref(console->failure);
	console->failure = utm_error_ref((UtmError *)failure);
	if (state != UTM_CONSOLE_STATE_CONNECTED)
		console->input_ready = false;
	pthread_cond_broadcast(&console->changed);
	pthread_mutex_unlock(&console->lock);
	if (changed)
		tell(console, UTM_CONSOLE_EVENT_STATE, 0, NULL);
}

/* ---------------------------------------------------------------- the end of a connection */

static void engine_stopped(void *data)
{
	UtmConsole *console = data;
	pthread_mutex_lock(&console->lock);
	console->winding_up--;
	pthread_cond_broadcast(&console->changed);
	pthread_mutex_unlock(&console->lock);
	utm__object_release(&console->object);
}

static void forget_engine(UtmConsole *console)
{
	console->helper = NULL;
	pthread_mutex_lock(&console->lock);
	console->engine_pid = -1;
	pthread_mutex_unlock(&console->lock);
}

static void stop_engine(UtmConsole *console)
{
	UtmHelper *helper = console->helper;
	if (!helper)
		return;
	forget_engine(console);
	pthread_mutex_lock(&console->lock);
	console->winding_up++;
	pthread_mutex_unlock(&console->lock);
	utm__helper_stop(helper); /* the helper's reference to us goes with engine_stopped() */
}

/* Says how opening went, once. */
static void finish_open(UtmConsole *console, const UtmError *error)
{
	UtmConsoleDoneFunc done = console->done;
	console->done = NULL;
	utm__io_remove(console->object.context, &console->deadline);
	if (done)
		done(console, error, console->done_data);
}

static void close_console(UtmConsole *console, const UtmError *why, const UtmError *failure)
{
	stop_engine(console);
	set_state(console, UTM_CONSOLE_STATE_CLOSED, failure);
	if (why && !console->done)
		utm__log(console->object.context, UTM_LOG_INFO, "console: %s", utm_error_get_message(why));
	finish_open(console, why);
}

void utm__console_shut(UtmConsole *console)
{
	g_autoptr(UtmError) error = NULL;
	if (console->done)
		error = utm__error_new(UTM_ERROR_CANCELLED, "the console was closed while it was connecting");
	close_console(console, error, NULL);
	for (int i = 0; i < UTM_PROTOCOL_DISPLAYS; i++)
		if (utm__display_hide(&console->displays[i]))
			tell(console, UTM_CONSOLE_EVENT_DISPLAY_HIDDEN, (uint32_t)i, NULL);
}

static void on_deadline(void *data)
{
	UtmConsole *console = data;
	console->deadline = 0;
	g_autoptr(UtmError) error = utm__error_new(UTM_ERROR_TIMEOUT, "the display server did not answer within %"
	                                           G_GINT64_FORMAT " ms", console->timeout_ms);
	utm__error_set_file(error, console->path);
	close_console(console, error, error);
}

/* ---------------------------------------------------------------- what the engine says */

static UtmError *server_error(UtmConsole *console, const UtmMessage *message)
{
	/* Whatever an engine, and through it a server, writes goes no further than one line of text. */
	g_autofree char *text = g_utf8_make_valid(message->failed.text, -1);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ')
			*at = ' ';
	return utm__error_set_file(utm__error_new(UTM_ERROR_CONSOLE_CONNECT, "%s", text), console->path);
}

static void connected(UtmConsole *console)
{
	if (utm_console_get_state(console) == UTM_CONSOLE_STATE_CONNECTED)
		return;
	set_state(console, UTM_CONSOLE_STATE_CONNECTED, NULL);
	finish_open(console, NULL);
}

static void server_gone(UtmConsole *console, const UtmMessage *message)
{
	g_autoptr(UtmError) error = server_error(console, message);
	/* A server that was there and goes is the end of its machine. */
	close_console(console, error, message->kind == UTM_MESSAGE_FAILED ? error : NULL);
}

static void take_ring(UtmConsole *console, UtmDisplay *display, const UtmMessage *message, int fd)
{
	const char *problem = utm__display_take_ring(display, message, fd, console->helper);
	if (problem)
		utm__helper_fail(console->helper, problem);
}

static void set_pointer_mode(UtmConsole *console, uint32_t mode)
{
	pthread_mutex_lock(&console->lock);
	bool changed = console->pointer_mode != mode;
	console->pointer_mode = mode;
	pthread_mutex_unlock(&console->lock);
	if (changed)
		tell(console, UTM_CONSOLE_EVENT_POINTER_MODE, 0, NULL);
}

static void set_input_ready(UtmConsole *console)
{
	pthread_mutex_lock(&console->lock);
	console->input_ready = true;
	pthread_mutex_unlock(&console->lock);
	tell(console, UTM_CONSOLE_EVENT_INPUT_READY, 0, NULL);
}

static void on_message(const UtmMessage *message, int fd, void *data)
{
	UtmConsole *console = data;
	UtmDisplay *display = &console->displays[message->display];
	switch (message->kind) {
	case UTM_MESSAGE_CONNECTED:
		connected(console);
		break;
	case UTM_MESSAGE_FAILED:
	case UTM_MESSAGE_ENDED:
		server_gone(console, message);
		break;
	case UTM_MESSAGE_RING:
		take_ring(console, display, message, fd);
		break;
	case UTM_MESSAGE_FRAME:
		if (utm__display_take_frame(display, message))
			tell(console, UTM_CONSOLE_EVENT_DISPLAY_SHOWN, message->display, NULL);
		break;
	case UTM_MESSAGE_HIDDEN:
		if (utm__display_hide(display))
			tell(console, UTM_CONSOLE_EVENT_DISPLAY_HIDDEN, message->display, NULL);
		break;
	case UTM_MESSAGE_INPUT_READY:
		set_input_ready(console);
		break;
	case UTM_MESSAGE_POINTER_MODE:
		set_pointer_mode(console, message->pointer_mode.mode);
		break;
	}
}

/* ---------------------------------------------------------------- the engine's life */

static void on_lost(const UtmError *error, void *data);

static int start_engine(UtmConsole *console, UtmError **error)
{
	UtmHelperEvents events = { on_message, on_lost, engine_stopped, console };
	UtmHelper *helper = utm__helper_start(console->object.context, &events, error);
	if (!helper)
		return UTM_ERROR_CONSOLE_ENGINE;
	utm__object_hold(&console->object);
	console->helper = helper;
	pthread_mutex_lock(&console->lock);
	console->engine_pid = utm__helper_get_pid(helper);
	pthread_mutex_unlock(&console->lock);
	UtmMessage open = { .kind = UTM_MESSAGE_OPEN };
	g_strlcpy(open.open.path, console->path, sizeof open.open.path);
	g_strlcpy(open.open.password, console->password ? console->password : "", sizeof open.open.password);
	utm__helper_send(helper, &open);
	if (console->timeout_ms >= 0)
		console->deadline = utm__io_add_timeout(console->object.context, console->timeout_ms, on_deadline, console);
	return 0;
}

/* False when engines died too often lately. */
static bool may_restart(UtmConsole *console)
{
	gint64 now = utm__now_us();
	gint64 oldest = console->losses[UTM_CONSOLE_RESTARTS - 1];
	memmove(console->losses + 1, console->losses, sizeof console->losses - sizeof console->losses[0]);
	console->losses[0] = now;
	return oldest == 0 || now - oldest > UTM_CONSOLE_RESTART_WINDOW_US;
}

static void restart(UtmConsole *console)
{
	g_autoptr(UtmError) error = NULL;
	set_state(console, UTM_CONSOLE_STATE_RECONNECTING, NULL);
	if (start_engine(console, &error) < 0)
		close_console(console, error, error);
}

static void on_lost(const UtmError *error, void *data)
{
	UtmConsole *console = data;
	bool was_connected = console->done == NULL;
	forget_engine(console);
	utm__io_remove(console->object.context, &console->deadline);
	tell(console, UTM_CONSOLE_EVENT_ENGINE_LOST, 0, error);
	/* An engine that cannot even connect is a failure of the call that waits for it. */
	if (was_connected && may_restart(console))
		restart(console);
	else
		close_console(console, error, error);
	utm__object_release(&console->object);
}

static UtmError *check_open(UtmConsole *console, const char *path, const char *password)
{
	if (console->helper || console->done)
		return utm__error_new(UTM_ERROR_INVALID_STATE, "the console is open already");
	if (strlen(path) >= UTM_PROTOCOL_PATH_MAX || (password && strlen(password) >= UTM_PROTOCOL_TEXT_MAX))
		return utm__error_new(UTM_ERROR_INVALID_ARGUMENT, "the path or the password is too long");
	return NULL;
}

void utm__console_expect(UtmConsole *console)
{
	set_state(console, UTM_CONSOLE_STATE_CONNECTING, NULL);
}

void utm__console_open(UtmConsole *console, const char *path, const char *password, gint64 timeout_ms,
                       UtmConsoleDoneFunc done, void *data)
{
	g_autoptr(UtmError) error = check_open(console, path, password);
	if (error) {
		if (done)
			done(console, error, data);
		return;
	}
	g_free(console->path);
	g_free(console->password);
	console->path = g_strdup(path);
	console->password = g_strdup(password);
	console->timeout_ms = timeout_ms;
	console->done = done;
	console->done_data = data;
	memset(console->losses, 0, sizeof console->losses);
	set_state(console, UTM_CONSOLE_STATE_CONNECTING, NULL);
	if (start_engine(console, &error) < 0)
		close_console(console, error, error);
}

/* ---------------------------------------------------------------- the object */

static void shut_on_io_thread(void *data)
{
	utm__console_shut(data);
}

static void shut_and_release(void *data)
{
	UtmConsole *console = data;
	utm__console_shut(console);
	utm__object_release(&console->object);
}

/* The end of the context kills its children; before that the engine shall have let go of keys that are pressed. */
static void wait_for_engines(UtmConsole *console)
{
	struct timespec deadline;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += UTM_ENGINE_WAIT_MS / 1000;
	pthread_mutex_lock(&console->lock);
	while (console->winding_up && pthread_cond_timedwait(&console->changed, &console->lock, &deadline) == 0)
		;
	pthread_mutex_unlock(&console->lock);
}

static void console_close(UtmObject *object)
{
	UtmConsole *console = (UtmConsole *)object;
	utm__slot_set(&console->slot, NULL);
	for (int i = 0; i < UTM_PROTOCOL_DISPLAYS; i++)
		utm__slot_set(&console->displays[i].slot, NULL);
	if (utm__context_check_blocking(object->context, NULL) < 0) {
		utm__object_hold(object);
		utm__context_invoke(object->context, shut_and_release, console);
		return;
	}
	utm__context_call(object->context, shut_on_io_thread, console);
	wait_for_engines(console);
}

static void console_free(UtmObject *object)
{
	UtmConsole *console = (UtmConsole *)object;
	for (int i = 0; i < UTM_PROTOCOL_DISPLAYS; i++)
		utm__display_clear(&console->displays[i]);
	utm__slot_clear(&console->slot);
	pthread_mutex_destroy(&console->lock);
	pthread_cond_destroy(&console->changed);
	utm_error_unref(console->failure);
	g_free(console->path);
	g_free(console->password);
	g_free(console);
}

static const UtmObjectClass console_class = { "console", console_close, console_free };

UtmConsole *utm__console_new(UtmContext *context)
{
	UtmConsole *console = g_new0(UtmConsole, 1);
	utm__object_init(&console->object, &console_class, context);
	pthread_mutex_init(&console->lock, NULL);
	utm__cond_init_monotonic(&console->changed);
	utm__slot_init(&console->slot);
	console->state = UTM_CONSOLE_STATE_IDLE;
	console->engine_pid = -1;
	for (uint32_t i = 0; i < UTM_PROTOCOL_DISPLAYS; i++)
		utm__display_init(&console->displays[i], console, i);
	return console;
}

UtmConsole *utm_console_ref(UtmConsole *console)
{
	if (console)
		utm__object_ref(&console->object);
	return console;
}

void utm_console_unref(UtmConsole *console)
{
	if (console)
		utm__object_unref(&console->object);
}

void utm_console_close(UtmConsole *console)
{
	if (!console)
		return;
	utm__object_hold(&console->object);
	utm__context_invoke(console->object.context, shut_and_release, console);
}

uint32_t utm_console_get_state(UtmConsole *console)
{
	if (!console)
		return UTM_CONSOLE_STATE_CLOSED;
	pthread_mutex_lock(&console->lock);
	uint32_t state = console->state;
	pthread_mutex_unlock(&console->lock);
	return state;
}

int64_t utm_console_get_engine_pid(UtmConsole *console)
{
	if (!console)
		return -1;
	pthread_mutex_lock(&console->lock);
	gint64 pid = console->engine_pid;
	pthread_mutex_unlock(&console->lock);
	return pid;
}

uint32_t utm_console_get_pointer_mode(UtmConsole *console)
{
	if (!console)
		return UTM_POINTER_MODE_SERVER;
	pthread_mutex_lock(&console->lock);
	uint32_t mode = console->pointer_mode;
	pthread_mutex_unlock(&console->lock);
	return mode;
}

UtmDisplay *utm_console_get_display(UtmConsole *console, uint32_t index)
{
	return console && index < UTM_PROTOCOL_DISPLAYS ? &console->displays[index] : NULL;
}

/* What a handler that comes late has missed. */
static void tell_present(UtmConsole *console)
{
	pthread_mutex_lock(&console->lock);
	bool input_ready = console->input_ready;
	pthread_mutex_unlock(&console->lock);
	tell(console, UTM_CONSOLE_EVENT_STATE, 0, NULL);
	for (uint32_t i = 0; i < UTM_PROTOCOL_DISPLAYS; i++)
		if (utm__display_is_shown(&console->displays[i]))
			tell(console, UTM_CONSOLE_EVENT_DISPLAY_SHOWN, i, NULL);
	if (input_ready)
		tell(console, UTM_CONSOLE_EVENT_INPUT_READY, 0, NULL);
}

int utm_console_set_event_handler(UtmConsole *console, UtmConsoleEventFunc fn, void *user_data, UtmFreeFunc free_fn)
{
	if (!console) {
		if (free_fn)
			free_fn(user_data);
		return UTM_ERROR_INVALID_ARGUMENT;
	}
	utm__slot_set(&console->slot, utm__callback_new_handler(console->object.context, (UtmAnyFunc)fn, user_data, free_fn));
	if (fn)
		tell_present(console);
	return 0;
}

/* ---------------------------------------------------------------- connecting from outside */

typedef struct Connect {
	UtmConsole *console;
	char *path;
	char *password;
	gint64 timeout_ms;
} Connect;

static void connect_free(void *data)
{
	Connect *connect = data;
	g_free(connect->path);
	g_free(connect->password);
	g_free(connect);
}

static void connect_done(UtmConsole *console, const UtmError *error, void *data)
{
	UtmRequest *request = data;
	utm__request_finish(request, error ? utm_error_ref((UtmError *)error) : NULL, NULL, NULL);
	utm__request_unref(request);
}

static void connect_start(UtmRequest *request)
{
	Connect *connect = utm__request_get_input(request);
	utm__console_open(connect->console, connect->path, connect->password, connect->timeout_ms, connect_done,
	                  utm__request_ref(request));
}

static void connect_abort(UtmRequest *request, int code)
{
	Connect *connect = utm__request_get_input(request);
	utm__request_finish(request, utm__request_abort_error(request, code), NULL, NULL);
	utm__console_shut(connect->console);
}

static UtmRequest *connect_request(UtmConsole *console, const char *path, const UtmConsoleOptions *options)
{
	/* The console keeps the deadline: its message names the server. */
	UtmRequest *request = utm__request_new(&console->object, "connecting to the display server", -1, options->cancel);
	Connect *connect = g_new0(Connect, 1);
	connect->console = console;
	connect->path = g_canonicalize_filename(path, NULL);
	connect->password = g_strdup(options->password);
	connect->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
	utm__request_set_input(request, connect, connect_free);
	utm__request_set_abort(request, connect_abort);
	return request;
}

int utm_console_connect_path(UtmContext *ctx, const char *path, const UtmConsoleOptions *options,
                             UtmConsole **ret_console, UtmError **error)
{
	UtmConsoleOptions checked = UTM_CONSOLE_OPTIONS_INIT;
	if (!ctx || !path || !*path || !ret_console)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "ctx, path and ret_console must not be NULL or empty");
	int failed = utm__sized_copy(&checked, sizeof checked, sizeof checked, options, "UtmConsoleOptions", error);
	if (!failed)
		failed = utm__check_timeout(checked.timeout_ms, "timeout_ms", error);
	if (failed)
		return failed;
	UtmConsole *console = utm__console_new(ctx);
	g_autoptr(UtmRequest) request = connect_request(console, path, &checked);
	failed = utm__request_run(request, connect_start, error);
	if (failed)
		utm_console_unref(console);
	else
		*ret_console = console;
	return failed;
}
