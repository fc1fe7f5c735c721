/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UtmQmp: the application's handle over a client. Its commands are requests; a blocking one first tries the shortcut
 * that needs no other thread. The client is either the handle's own, or the machine's, which then passes on events and
 * the end; closing the handle leaves the machine's client alone.
 */
#include "base/sized-struct.h"
#include "base/util.h"
#include "core/request.h"
#include "qmp/client-private.h"
#include "qmp/framer.h"
#include "qmp/shortcut.h"
#include "schema/json-reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT_MS 10000
#define CALL_TIMEOUT_MS 30000
/* A full backlog cannot be waited for with poll(). */
#define CONNECT_RETRY_MS 20
#define EVENTS_MAX 1024
#define COMMAND_NAME_MAX 255
#define ARGUMENTS_MAX ((gsize)32 << 20)

struct UtmQmp {
	UtmObject object;
	UtmHandlerSlot handler;
	UtmQueueEvent end_event;
	bool owns_client;
	/* Fixed once connected. */
	char *greeting;
	guint32 version;

	pthread_mutex_t lock; /* guards the next two; they change on the I/O thread only */
	UtmQmpClient *client; /* a reference; NULL after the end */
	UtmError *end_error;

	/* I/O thread only */
	GQueue calls; /* of Call, sent and not answered */
	UtmRequest *connecting;
};

typedef struct Call {
	UtmQmpCall call;
	char *command;
	char *arguments;
	UtmCancel *cancel;    /* borrowed from the options; the request has a reference */
	UtmQmpClient *client; /* a reference; the one that was tried, and must adopt when it handed the call back */
	GList link;           /* in UtmQmp.calls while under way */
	bool handed;          /* back by the shortcut: sent already */
	guint ticket; /* 0: not in UtmQmp.calls */
} Call;

/* ---------------------------------------------------------------- life and end */

static void qmp_free(UtmObject *object)
{
	UtmQmp *qmp = (UtmQmp *)object;
	utm__slot_clear(&qmp->handler);
	pthread_mutex_destroy(&qmp->lock);
	utm_error_unref(qmp->end_error);
	g_free(qmp->greeting);
	g_free(qmp);
}

static UtmQmpClient *steal_client(UtmQmp *qmp, const UtmError *error)
{
	pthread_mutex_lock(&qmp->lock);
	UtmQmpClient *client = g_steal_pointer(&qmp->client);
	if (client)
		qmp->end_error = error ? utm_error_ref((UtmError *)error)
		                       : utm__error_new(UTM_ERROR_QMP_DISCONNECTED, "the connection was closed on this side");
	pthread_mutex_unlock(&qmp->lock);
	return client;
}

/* I/O thread: the handle is of no more use. Its calls end, and its handler is told. */
static void end_handle(UtmQmp *qmp, const UtmError *error)
{
	UtmQmpClient *client = steal_client(qmp, error);
	if (!client)
		return;
	for (Call *call; (call = g_queue_peek_head(&qmp->calls));)
		utm__qmp_client_abandon(client, call->ticket, utm_error_ref(qmp->end_error));
	if (qmp->owns_client)
		utm__qmp_client_free(client);
	utm__qmp_client_unref(client);
	utm__context_post(qmp->object.context, &qmp->end_event);
}

static void close_on_io(void *data)
{
	UtmQmp *qmp = data;
	end_handle(qmp, NULL);
	utm__object_release(&qmp->object);
}

/* Not waiting, so that the last reference may go anywhere. */
static void close_soon(UtmQmp *qmp)
{
	utm__object_hold(&qmp->object);
	utm__context_invoke(qmp->object.context, close_on_io, qmp);
}

static void qmp_close(UtmObject *object)
{
	UtmQmp *qmp = (UtmQmp *)object;
	utm__slot_set(&qmp->handler, NULL);
	close_soon(qmp);
}

static const UtmObjectClass qmp_class = { .name = "UtmQmp", .close = qmp_close, .free = qmp_free };

static void run_end_event(UtmQueueEvent *event);

static UtmQmp *qmp_new(UtmContext *context, bool owns_client)
{
	UtmQmp *qmp = g_new0(UtmQmp, 1);
	utm__object_init(&qmp->object, &qmp_class, context);
	utm__slot_init(&qmp->handler);
	pthread_mutex_init(&qmp->lock, NULL);
	g_queue_init(&qmp->calls);
	qmp->owns_client = owns_client;
	qmp->end_event.object = &qmp->object;
	qmp->end_event.run = run_end_event;
	return qmp;
}

UtmQmp *utm_qmp_ref(UtmQmp *qmp)
{
	if (qmp)
		utm__object_ref(&qmp->object);
	return qmp;
}

void utm_qmp_unref(UtmQmp *qmp)
{
	utm__object_unref((UtmObject *)qmp);
}

void utm_qmp_close(UtmQmp *qmp)
{
	if (qmp)
		close_soon(qmp);
}

const char *utm_qmp_get_greeting(UtmQmp *qmp)
{
	return qmp ? qmp->greeting : NULL;
}

uint32_t utm_qmp_get_qemu_version(UtmQmp *qmp)
{
	return qmp ? qmp->version : 0;
}

/* ---------------------------------------------------------------- events */

typedef struct Event {
	UtmQueueEvent event;
	bool counted; /* among those that wait in the slot */
	char *name;
	char *data;
	gint64 timestamp_us;
} Event;

static void call_handler(UtmQmp *qmp, const UtmQmpEvent *event)
{
	UtmCallback *callback = utm__slot_get(&qmp->handler);
	if (callback)
		((UtmQmpEventFunc)callback->fn)(qmp, event, callback->user_data);
	utm__callback_unref(callback);
}

static void run_event(UtmQueueEvent *event)
{
	Event *self = (Event *)event;
	UtmQmp *qmp = (UtmQmp *)event->object;
	UtmQmpEvent public_event = { .size = sizeof public_event,
		                     .name = self->name,
		                     .data = self->data,
		                     .timestamp_us = self->timestamp_us,
		                     .dropped = utm__slot_leave(&qmp->handler) };
	self->counted = false;
	call_handler(qmp, &public_event);
}

static void free_event(UtmQueueEvent *event)
{
	Event *self = (Event *)event;
	if (self->counted)
		utm__slot_leave(&((UtmQmp *)event->object)->handler);
	g_free(self->name);
	g_free(self->data);
	g_free(self);
}

void utm__qmp_emit(UtmQmp *qmp, const char *name, const char *data_json, gint64 timestamp_us)
{
	if (!utm__slot_is_set(&qmp->handler) || !utm__slot_admit(&qmp->handler, EVENTS_MAX))
		return;
	Event *self = g_new0(Event, 1);
	self->event.object = &qmp->object;
	self->event.run = run_event;
	self->event.free = free_event;
	self->counted = true;
	self->name = g_strdup(name);
	self->data = g_strdup(data_json);
	self->timestamp_us = timestamp_us;
	utm__context_post(qmp->object.context, &self->event);
}

static void run_end_event(UtmQueueEvent *event)
{
	UtmQmp *qmp = (UtmQmp *)event->object;
	UtmQmpEvent public_event = { .size = sizeof public_event, .timestamp_us = -1, .error = qmp->end_error };
	call_handler(qmp, &public_event);
}

int utm_qmp_set_event_handler(UtmQmp *qmp, UtmQmpEventFunc fn, void *user_data, UtmFreeFunc free_fn)
{
	if (!qmp) {
		if (free_fn)
			free_fn(user_data);
		return UTM_ERROR_INVALID_ARGUMENT;
	}
	UtmCallback *callback = utm__callback_new(qmp->object.context, (UtmAnyFunc)fn, user_data, free_fn);
	utm__slot_set(&qmp->handler, fn ? callback : NULL);
	if (!fn)
		utm__callback_unref(callback);
	pthread_mutex_lock(&qmp->lock);
	bool ended = qmp->end_error != NULL;
	pthread_mutex_unlock(&qmp->lock);
	if (ended && fn)
		utm__context_post(qmp->object.context, &qmp->end_event);
	return 0;
}

void utm__qmp_detach(UtmQmp *qmp, const UtmError *error)
{
	end_handle(qmp, error);
}

/* ---------------------------------------------------------------- connecting */

typedef struct Connecting {
	int fd;
	gint64 timeout_ms;
} Connecting;

static void learn_greeting(UtmQmp *qmp, UtmQmpClient *client)
{
	qmp->greeting = g_strdup(utm__qmp_client_get_greeting(client));
	qmp->version = utm__qmp_client_get_qemu_version(client);
}

static void finish_connecting(UtmQmp *qmp, UtmError *error_taken)
{
	UtmRequest *request = g_steal_pointer(&qmp->connecting);
	if (request)
		utm__request_finish(request, error_taken, NULL, NULL);
	else
		utm_error_unref(error_taken);
}

static void on_ready(UtmQmpClient *client, const UtmError *error, void *data)
{
	UtmQmp *qmp = data;
	if (error)
		end_handle(qmp, error);
	else
		learn_greeting(qmp, client);
	finish_connecting(qmp, error ? utm_error_ref(qmp->end_error) : NULL);
}

static void on_event(UtmQmpClient *client, const char *name, const char *data_json, gint64 timestamp_us, void *data)
{
	utm__qmp_emit(data, name, data_json, timestamp_us);
}

static void on_closed(UtmQmpClient *client, const UtmError *error, void *data)
{
	end_handle(data, error);
}

static const UtmQmpClientFuncs client_funcs = { .ready = on_ready, .event = on_event, .closed = on_closed };

static void set_client(UtmQmp *qmp, UtmQmpClient *client)
{
	pthread_mutex_lock(&qmp->lock);
	qmp->client = utm__qmp_client_ref(client);
	pthread_mutex_unlock(&qmp->lock);
}

static void start_connecting(UtmRequest *request)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Connecting *input = utm__request_get_input(request);
	int fd = input->fd;
	input->fd = -1;
	qmp->connecting = request;
	set_client(qmp, utm__qmp_client_new(qmp->object.context, fd, input->timeout_ms, &client_funcs, qmp));
}

static void abort_connecting(UtmRequest *request, int code)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	UtmError *error = utm__request_abort_error(request, code);
	end_handle(qmp, error);
	finish_connecting(qmp, error);
}

static void free_connecting(gpointer data)
{
	Connecting *input = data;
	utm__close_fd(&input->fd);
	g_free(input);
}

static int negotiate(UtmContext *context, int fd_taken, gint64 timeout_ms, UtmCancel *cancel, UtmQmp **ret_qmp,
                     UtmError **error)
{
	UtmQmp *qmp = qmp_new(context, true);
	UtmRequest *request = utm__request_new(&qmp->object, "connecting to the monitor", -1, cancel);
	Connecting *input = g_new(Connecting, 1);
	*input = (Connecting){ .fd = fd_taken, .timeout_ms = timeout_ms };
	utm__request_set_input(request, input, free_connecting);
	utm__request_set_abort(request, abort_connecting);
	int failed = utm__request_run(request, start_connecting, error);
	utm__request_unref(request);
	if (failed)
		utm_qmp_unref(qmp);
	else
		*ret_qmp = qmp;
	return failed;
}

static int check_connect(UtmContext *context, const UtmQmpConnectOptions *options, UtmQmpConnectOptions *ret,
                         UtmQmp **ret_qmp, UtmError **error)
{
	if (!context || !ret_qmp)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no context, or nowhere to put the connection");
	int failed = utm__sized_copy(ret, sizeof *ret, sizeof *ret, options, "UtmQmpConnectOptions", error);
	if (failed)
		return failed;
	if (ret->timeout_ms < -1)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "timeout_ms is less than -1");
	if (ret->timeout_ms == 0)
		ret->timeout_ms = CONNECT_TIMEOUT_MS;
	return utm__context_check_blocking(context, error);
}

/* A server that has not yet accepted those before us answers EAGAIN: try again for as long as there is time. */
static int connect_patiently(const char *path, gint64 deadline_us, UtmCancel *cancel, UtmError **error)
{
	for (;;) {
		g_autoptr(UtmError) failure = NULL;
		int fd = utm__unix_connect(path, &failure);
		if (fd >= 0)
			return fd;
		if (utm_error_get_errno(failure) != EAGAIN)
			return utm__fail_take(error, g_steal_pointer(&failure));
		if (utm__cancel_is_triggered(cancel))
			return utm__fail(error, UTM_ERROR_CANCELLED, "connecting to the monitor was cancelled");
		if (utm__now_us() >= deadline_us)
			return utm__fail(error, UTM_ERROR_TIMEOUT, "the monitor serves others and accepts no connection");
		g_usleep(CONNECT_RETRY_MS * 1000);
	}
}

static gint64 remaining_ms(gint64 deadline_us)
{
	return deadline_us == G_MAXINT64 ? -1 : MAX(deadline_us - utm__now_us(), 0) / 1000;
}

int utm_qmp_connect_path(UtmContext *context, const char *path, const UtmQmpConnectOptions *options, UtmQmp **ret_qmp,
                         UtmError **error)
{
	UtmQmpConnectOptions checked = UTM_QMP_CONNECT_OPTIONS_INIT;
	int failed = check_connect(context, options, &checked, ret_qmp, error);
	if (failed)
		return failed;
	if (!path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no path");
	gint64 deadline_us = utm__qmp_deadline(checked.timeout_ms);
	UtmError *failure = NULL;
	int fd = connect_patiently(path, deadline_us, checked.cancel, &failure);
	failed = fd < 0 ? fd : negotiate(context, fd, remaining_ms(deadline_us), checked.cancel, ret_qmp, &failure);
	return failed ? utm__fail_take(error, utm__error_at_file(failure, path)) : 0;
}

static bool is_stream_socket(int fd)
{
	int type = 0;
	socklen_t size = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

int utm_qmp_connect_fd(UtmContext *context, int fd, const UtmQmpConnectOptions *options, UtmQmp **ret_qmp,
                       UtmError **error)
{
	utm_autofd owned = fd;
	UtmQmpConnectOptions checked = UTM_QMP_CONNECT_OPTIONS_INIT;
	int failed = check_connect(context, options, &checked, ret_qmp, error);
	if (failed)
		return failed;
	if (!is_stream_socket(fd))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "descriptor %d is no stream socket", fd);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	owned = -1;
	return negotiate(context, fd, checked.timeout_ms, checked.cancel, ret_qmp, error);
}

/* I/O thread. */
UtmQmp *utm__qmp_new_wrapping(UtmContext *context, UtmQmpClient *client)
{
	UtmQmp *qmp = qmp_new(context, false);
	learn_greeting(qmp, client);
	set_client(qmp, client);
	return qmp;
}

/* ---------------------------------------------------------------- commands */

static void call_free(gpointer data)
{
	Call *call = data;
	utm__qmp_client_unref(call->client);
	g_free(call->command);
	g_free(call->arguments);
	g_free(call->call.reply);
	utm_error_unref(call->call.error);
	g_free(call);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_free)

/* The characters of QAPI's names; none of them needs escaping in JSON. */
static int check_command(const char *command, UtmError **error)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	gsize length = command ? strspn(command, allowed) : 0;
	if (length == 0 || length > COMMAND_NAME_MAX || command[length])
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the name of the QMP command is none");
	return 0;
}

/* Checks foreign arguments and leaves out their white space: QEMU takes its time over every byte. */
static int compact_arguments(const char *text, char **ret, UtmError **error)
{
	/* The arguments stand one level deep in the command. */
	const UtmJsonLimits limits = { .size = ARGUMENTS_MAX, .depth = UTM_QMP_DEPTH_MAX - 1 };
	gsize length = strlen(text);
	int failed = utm__json_check(text, length, &limits, UTM_ERROR_INVALID_ARGUMENT, error);
	if (failed)
		return failed;
	UtmQmpFramer framer = { 0 };
	g_autofree char *compact = g_malloc(length + 1);
	char *to = compact;
	const char *from = text;
	/* Valid JSON that is no object does not look like a message. */
	if (utm__qmp_framer_run(&framer, &from, text + length, &to) != UTM_QMP_FRAME_WHOLE)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the arguments of a QMP command are a JSON object");
	*to = 0;
	*ret = g_steal_pointer(&compact);
	return 0;
}

static Call *call_new(UtmQmp *qmp, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                      UtmError **error)
{
	UtmQmpCallOptions checked = UTM_QMP_CALL_OPTIONS_INIT;
	g_autoptr(Call) call = g_new0(Call, 1);
	if (!qmp) {
		utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no QMP connection");
		return NULL;
	}
	if (check_command(command, error) < 0 ||
	    utm__sized_copy(&checked, sizeof checked, sizeof checked, options, "UtmQmpCallOptions", error) < 0 ||
	    (arguments && compact_arguments(arguments, &call->arguments, error) < 0))
		return NULL;
	if (checked.timeout_ms < -1) {
		utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "timeout_ms is less than -1");
		return NULL;
	}
	call->command = g_strdup(command);
	call->cancel = checked.cancel;
	call->link.data = call;
	call->call.command = call->command;
	call->call.arguments_json = call->arguments;
	call->call.timeout_ms = checked.timeout_ms == 0 ? CALL_TIMEOUT_MS : checked.timeout_ms;
	return g_steal_pointer(&call);
}

/* The client knows neither the command's name nor its limit. */
static UtmError *refine_error(const Call *call, const UtmError *error)
{
	if (utm_error_get_code(error) != UTM_ERROR_TIMEOUT)
		return utm_error_ref((UtmError *)error);
	return utm__error_new(UTM_ERROR_TIMEOUT, "%s was not answered within %" G_GINT64_FORMAT " ms", call->command,
	                      call->call.timeout_ms);
}

static UtmQmpClient *ref_client(UtmQmp *qmp)
{
	pthread_mutex_lock(&qmp->lock);
	UtmQmpClient *client = qmp->client ? utm__qmp_client_ref(qmp->client) : NULL;
	pthread_mutex_unlock(&qmp->lock);
	return client;
}

static void on_reply(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	UtmRequest *request = data;
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Call *call = utm__request_get_input(request);
	if (call->ticket)
		g_queue_unlink(&qmp->calls, &call->link);
	utm__request_finish(request, error ? refine_error(call, error) : NULL, g_strdup(reply_json), g_free);
}

static void start_call(UtmRequest *request)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Call *call = utm__request_get_input(request);
	UtmQmpClient *client = call->handed ? call->client : qmp->client;
	if (!client) {
		utm__request_finish(request,
		                    utm__error_new(UTM_ERROR_QMP_DISCONNECTED, "the connection to the monitor has ended: %s",
		                                   utm_error_get_message(qmp->end_error)),
		                    NULL, NULL);
		return;
	}
	call->ticket = call->handed ? utm__qmp_client_adopt(client, &call->call, on_reply, request)
	                            : utm__qmp_client_send(client, call->command, call->arguments, call->call.timeout_ms,
	                                                   on_reply, request);
	if (call->ticket)
		g_queue_push_tail_link(&qmp->calls, &call->link);
}

static void abort_call(UtmRequest *request, int code)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Call *call = utm__request_get_input(request);
	UtmError *error = utm__error_new(code, "%s was cancelled; whether it took effect is unknown", call->command);
	if (qmp->client)
		utm__qmp_client_abandon(qmp->client, call->ticket, error);
	else
		utm_error_unref(error);
}

static UtmRequest *request_new(UtmQmp *qmp, Call *call_taken)
{
	UtmRequest *request = utm__request_new(&qmp->object, "a QMP command", -1, call_taken->cancel);
	utm__request_set_input(request, call_taken, call_free);
	utm__request_set_abort(request, abort_call);
	return request;
}

/* A call that can be cancelled needs the I/O thread, which hears of it. */
static UtmQmpCallResult try_shortcut(UtmQmp *qmp, Call *call)
{
	call->client = call->cancel ? NULL : ref_client(qmp);
	UtmQmpCallResult result = call->client ? utm__qmp_client_try_call(call->client, &call->call) : UTM_QMP_CALL_BUSY;
	call->handed = result == UTM_QMP_CALL_HANDED;
	return result;
}

static int take_result(Call *call, char **ret_reply, UtmError **error)
{
	if (call->call.error)
		return utm__fail_take(error, refine_error(call, call->call.error));
	if (ret_reply)
		*ret_reply = g_steal_pointer(&call->call.reply);
	return 0;
}

int utm_qmp_execute(UtmQmp *qmp, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                    char **ret_reply, UtmError **error)
{
	UtmError *failure = NULL;
	g_autoptr(Call) call = call_new(qmp, command, arguments, options, &failure);
	if (!call || utm__context_check_blocking(qmp->object.context, &failure) < 0)
		return utm__fail_take(error, failure);
	if (try_shortcut(qmp, call) == UTM_QMP_CALL_DONE)
		return take_result(call, ret_reply, error);
	g_autoptr(UtmRequest) request = request_new(qmp, g_steal_pointer(&call));
	int failed = utm__request_run(request, start_call, error);
	if (!failed && ret_reply)
		*ret_reply = utm__request_steal_result(request);
	return failed;
}

static void deliver_reply(UtmRequest *request, UtmCallback *callback)
{
	if (callback->fn)
		((UtmQmpReplyFunc)callback->fn)((UtmQmp *)utm__request_get_object(request), utm__request_get_result(request),
		                                utm__request_get_error(request), callback->user_data);
}

int utm_qmp_execute_async(UtmQmp *qmp, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                          UtmQmpReplyFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmError *failure = NULL;
	Call *call = call_new(qmp, command, arguments, options, &failure);
	if (!call) {
		if (free_fn)
			free_fn(user_data);
		return utm__fail_take(error, failure);
	}
	UtmRequest *request = request_new(qmp, call);
	utm__request_submit(request, start_call, deliver_reply,
	                    utm__callback_new(qmp->object.context, (UtmAnyFunc)fn, user_data, free_fn));
	utm__request_unref(request);
	return 0;
}
