/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands of a UtmQmp. Each is a request on the I/O thread; a blocking one first tries the shortcut that needs no
 * other thread, and becomes a request when that hands it back.
 */
#include "base/sized-struct.h"
#include "base/util.h"
#include "qmp/deadline.h"
#include "qmp/framer.h"
#include "qmp/qmp-private.h"
#include "qmp/shortcut.h"
#include "qmp/typed.h"
#include "schema/json-reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define COMMAND_NAME_MAX 255
#define ARGUMENTS_MAX ((gsize)32 << 20)

typedef struct Call {
	UtmQmpCall call;
	char *command;
	char *arguments;
	UtmCancel *cancel;    /* borrowed from the options; the request has a reference */
	UtmQmpClient *client; /* a reference; the one that was tried, and must adopt when it handed the call back */
	UtmTypedCall typed;   /* without a schema: the reply stays JSON */
	UtmRequest *request;  /* which owns this; NULL while the shortcut is tried */
	GList link;           /* in UtmQmp.held, then in UtmQmp.calls while under way */
	bool is_forced;       /* sent as it is */
	bool varies;          /* to be held against what QEMU has */
	bool is_held;         /* in UtmQmp.held */
	guint timer;          /* its deadline meanwhile */
	bool handed;          /* back by the shortcut: sent already */
	guint ticket; /* 0: not in UtmQmp.calls */
	UtmQmp *counted_in; /* its on_their_way; NULL: not any more */
} Call;

static void arrive(Call *call)
{
	UtmQmp *qmp = g_steal_pointer(&call->counted_in);
	if (qmp)
		g_atomic_int_add(&qmp->on_their_way, -1);
}

static void call_free(gpointer data)
{
	Call *call = data;
	arrive(call);
	utm__qmp_client_unref(call->client);
	utm__close_fd(&call->call.command.fd);
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
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "a QMP command has a name of letters, digits, dashes, dots and underscores");
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

static int check_options(UtmQmp *qmp, const UtmQmpCallOptions *options, UtmError **error)
{
	int failed = utm__check_timeout(options->timeout_ms, "timeout_ms", error);
	if (failed)
		return failed;
	if (options->flags & ~(uint32_t)(UTM_QMP_CALL_OOB | UTM_QMP_CALL_FORCE))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "call flags 0x%x do not exist", options->flags);
	if (options->flags & UTM_QMP_CALL_OOB && options->fd)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no command out of band takes a descriptor");
	if (options->flags & UTM_QMP_CALL_OOB && !qmp->has_oob)
		return utm__fail_take(error, utm__error_set_remedy(
			utm__error_new(UTM_ERROR_NOT_SUPPORTED, "the connection has no out-of-band execution"),
			"Connect with UTM_QMP_CONNECT_OOB; utm_qmp_has_oob() tells whether QEMU grants it. A guest agent never does."));
	if (options->fd && !qmp->passes_fds)
		return utm__fail_take(error, utm__error_set_remedy(
			utm__error_new(UTM_ERROR_NOT_SUPPORTED, "the connection passes no descriptors"),
			"Connect to the monitor over a unix socket; TCP has no descriptors, and a guest agent takes none."));
	return 0;
}

static int dup_fd(const int *fd, int *ret, UtmError **error)
{
	if (fd && (*ret = fcntl(*fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return errno == EBADF ? utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "descriptor %d is not open", *fd)
		                      : utm__fail_errno(error, errno, NULL, "cannot duplicate the descriptor to pass");
	return 0;
}

/* `arguments_taken` is compact JSON already. */
static Call *call_new_checked(UtmQmp *qmp, const char *command, char *arguments_taken, const UtmQmpCallOptions *options,
                              UtmError **error)
{
	UtmQmpCallOptions checked = UTM_QMP_CALL_OPTIONS_INIT;
	g_autoptr(Call) call = g_new0(Call, 1);
	call->arguments = arguments_taken;
	call->call.command.fd = -1;
	if (!qmp) {
		utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no QMP connection");
		return NULL;
	}
	if (utm__sized_copy(&checked, sizeof checked, sizeof checked, options, "UtmQmpCallOptions", error) < 0 ||
	    check_options(qmp, &checked, error) < 0 || dup_fd(checked.fd, &call->call.command.fd, error) < 0)
		return NULL;
	call->command = g_strdup(command);
	call->cancel = checked.cancel;
	call->link.data = call;
	call->call.command.name = call->command;
	call->call.command.arguments_json = call->arguments;
	call->is_forced = checked.flags & UTM_QMP_CALL_FORCE;
	call->call.command.oob = checked.flags & UTM_QMP_CALL_OOB;
	call->call.command.timeout_ms = checked.timeout_ms ? checked.timeout_ms : utm__qmp_default_timeout_ms(command);
	return g_steal_pointer(&call);
}

static Call *call_new(UtmQmp *qmp, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                      UtmError **error)
{
	char *compact = NULL;
	if (check_command(command, error) < 0 || (arguments && compact_arguments(arguments, &compact, error) < 0))
		return NULL;
	return call_new_checked(qmp, command, compact, options, error);
}

static void free_struct(gpointer data)
{
	utm_struct_free(data);
}

static UtmQmpClient *ref_client(UtmQmp *qmp)
{
	pthread_mutex_lock(&qmp->lock);
	UtmQmpClient *client = qmp->client ? utm__qmp_client_ref(qmp->client) : NULL;
	pthread_mutex_unlock(&qmp->lock);
	return client;
}

/* Here, so that the application's thread is spared the reading of a large answer. */
static void finish_typed(UtmRequest *request, Call *call, const char *reply_json, const UtmError *error)
{
	void *object = NULL;
	UtmError *failure = utm_error_ref((UtmError *)error);
	if (!failure)
		utm__typed_decode(call->typed, reply_json, &object, &failure);
	utm__request_finish(request, failure ? utm__typed_refine(call->typed, failure) : NULL, object, free_struct);
}

static void on_reply(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	UtmRequest *request = data;
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Call *call = utm__request_get_input(request);
	if (call->ticket)
		g_queue_unlink(&qmp->calls, &call->link);
	if (call->typed.schema)
		finish_typed(request, call, reply_json, error);
	else
		utm__request_finish(request, utm_error_ref((UtmError *)error), g_strdup(reply_json), g_free);
}

/* 0 when it was refused, or taken but cannot be abandoned. */
static guint send_call(UtmQmp *qmp, UtmQmpClient *client, Call *call, UtmRequest *request, UtmError **error)
{
	if (call->handed)
		return utm__qmp_client_adopt(client, &call->call, on_reply, request);
	if (qmp->route)
		return qmp->route->send(qmp, &call->call.command, on_reply, request, error);
	return utm__qmp_client_submit(client, &call->call.command, on_reply, request);
}

static UtmError *ended_error(const UtmQmp *qmp, const Call *call)
{
	return utm__error_new(UTM_ERROR_QMP_DISCONNECTED, "%s; `%s` was not sent",
	                      utm_error_get_message(qmp->end_error), call->command);
}

static void begin_call(UtmRequest *request)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Call *call = utm__request_get_input(request);
	UtmQmpClient *client = call->handed ? call->client : qmp->client;
	if (!client) {
		utm__request_finish(request, ended_error(qmp, call), NULL, NULL);
		return;
	}
	UtmError *refused = NULL;
	call->ticket = send_call(qmp, client, call, request, &refused);
	arrive(call);
	if (refused)
		utm__request_finish(request, refused, NULL, NULL);
	else if (call->ticket)
		g_queue_push_tail_link(&qmp->calls, &call->link);
}

/* --- calls that are held against what QEMU has, and whatever was given after one that waits for that --- */

static void finish_unsent(UtmRequest *request, UtmError *error_taken)
{
	arrive(utm__request_get_input(request));
	utm__request_finish(request, error_taken, NULL, NULL);
}

static void unhold(UtmQmp *qmp, Call *call)
{
	g_queue_unlink(&qmp->held, &call->link);
	call->is_held = false;
	utm__io_remove(qmp->object.context, &call->timer);
}

/* Where QEMU does not tell what it has, it finds out itself. */
static void check_and_send(UtmRequest *request, const UtmIntrospection *index)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Call *call = utm__request_get_input(request);
	UtmError *failure = NULL;
	if (call->varies && index)
		utm__introspection_check(index, call->command, call->arguments, qmp->version, &failure);
	if (failure)
		finish_unsent(request, failure);
	else
		begin_call(request);
}

static void on_support(UtmQmpSupportWait *wait, const UtmIntrospection *index, const UtmError *error)
{
	UtmQmp *qmp = (UtmQmp *)((char *)wait - G_STRUCT_OFFSET(UtmQmp, held_wait));
	for (Call *call; (call = g_queue_peek_head(&qmp->held));) {
		unhold(qmp, call);
		if (call->call.deadline_us != G_MAXINT64)
			call->call.command.timeout_ms = MAX(call->call.deadline_us - utm__now_us(), 0) / 1000;
		check_and_send(call->request, index);
	}
}

static void on_held_deadline(void *data)
{
	Call *call = data;
	call->timer = 0;
	unhold((UtmQmp *)utm__request_get_object(call->request), call);
	finish_unsent(call->request,
	              utm__error_new(UTM_ERROR_TIMEOUT, "`%s` was not sent: the monitor did not tell within %" G_GINT64_FORMAT
	                             " ms what it supports", call->command, call->call.command.timeout_ms));
}

static void hold_call(UtmQmp *qmp, Call *call)
{
	gint64 timeout_ms = call->call.command.timeout_ms;
	call->is_held = true;
	call->call.deadline_us = utm__deadline_after(utm__now_us(), timeout_ms);
	if (timeout_ms >= 0)
		call->timer = utm__io_add_timeout(qmp->object.context, timeout_ms, on_held_deadline, call);
	g_queue_push_tail_link(&qmp->held, &call->link);
	qmp->held_wait.done = on_support;
	if (!qmp->held_wait.is_waiting)
		utm__qmp_support_want(qmp, &qmp->held_wait);
}

static void start_call(UtmRequest *request)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Call *call = utm__request_get_input(request);
	bool waits = call->varies && !utm__qmp_support_is_settled(qmp);
	bool overtakes = call->handed || call->call.command.oob || g_queue_is_empty(&qmp->held);
	if (waits || !overtakes)
		hold_call(qmp, call);
	else
		check_and_send(request, qmp->support.index);
}

static void abort_held(UtmRequest *request, int code)
{
	Call *call = utm__request_get_input(request);
	g_autoptr(UtmError) reason = utm__request_abort_error(request, code);
	unhold((UtmQmp *)utm__request_get_object(request), call);
	finish_unsent(request, utm__error_new(code, "%s; `%s` was not sent", utm_error_get_message(reason), call->command));
}

static void abort_call(UtmRequest *request, int code)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Call *call = utm__request_get_input(request);
	if (call->is_held) {
		abort_held(request, code);
		return;
	}
	UtmError *error = utm__request_abort_error(request, code);
	if (qmp->client && qmp->route)
		qmp->route->abandon(qmp, call->ticket, error);
	else if (qmp->client)
		utm__qmp_client_abandon(qmp->client, call->ticket, error);
	else
		utm_error_unref(error);
}

static UtmRequest *request_new(UtmQmp *qmp, Call *call_taken)
{
	UtmRequest *request = utm__request_new(&qmp->object, "a QMP command", -1, call_taken->cancel);
	utm__request_set_input(request, call_taken, call_free);
	utm__request_set_abort(request, abort_call);
	call_taken->request = request;
	call_taken->counted_in = qmp;
	g_atomic_int_inc(&qmp->on_their_way);
	return request;
}

void utm__qmp_abandon_calls(UtmQmp *qmp, UtmQmpClient *client, const UtmError *error)
{
	/* on_reply takes each out of the queue. */
	for (Call *call; (call = g_queue_peek_head(&qmp->calls));)
		utm__qmp_client_abandon(client, call->ticket, utm_error_ref((UtmError *)error));
}

/*
 * A call that can be cancelled needs the I/O thread, which hears of it. And none overtakes those that are on their way
 * there: a thread's commands reach QEMU in the order in which it gave them.
 */
static UtmQmpCallResult try_shortcut(UtmQmp *qmp, Call *call)
{
	bool detour = call->cancel || qmp->route || g_atomic_int_get(&qmp->on_their_way);
	call->client = detour ? NULL : ref_client(qmp);
	UtmQmpCallResult result = call->client ? utm__qmp_client_try_call(call->client, &call->call) : UTM_QMP_CALL_BUSY;
	call->handed = result == UTM_QMP_CALL_HANDED;
	return result;
}

static int take_result(Call *call, char **ret_reply, UtmError **error)
{
	if (call->call.error)
		return utm__fail_take(error, g_steal_pointer(&call->call.error));
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

int utm__qmp_submit(UtmQmp *qmp, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                    UtmRequestDeliverFunc deliver, UtmAnyFunc fn, void *user_data, UtmFreeFunc free_fn,
                    UtmError **error)
{
	UtmError *failure = NULL;
	Call *call = call_new(qmp, command, arguments, options, &failure);
	if (!call) {
		if (free_fn)
			free_fn(user_data);
		return utm__fail_take(error, failure);
	}
	UtmRequest *request = request_new(qmp, call);
	utm__request_submit(request, start_call, deliver, utm__callback_new(qmp->object.context, fn, user_data, free_fn));
	utm__request_unref(request);
	return 0;
}

int utm_qmp_execute_async(UtmQmp *qmp, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                          UtmQmpReplyFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	return utm__qmp_submit(qmp, command, arguments, options, deliver_reply, (UtmAnyFunc)fn, user_data, free_fn, error);
}

/* --- typed --- */

/* Only the monitor tells what it has, and an open command takes more than that. */
static Call *call_new_typed(UtmQmp *qmp, UtmTypedCall typed, char *arguments_taken, bool varies,
                            const UtmQmpCallOptions *options, UtmError **error)
{
	const UtmSchemaCall *row = utm__typed_row(typed);
	Call *call = call_new_checked(qmp, utm__schema_string(typed.schema, row->name), arguments_taken, options, error);
	if (!call)
		return NULL;
	call->typed = typed;
	call->call.command.decodes = true;
	call->varies = varies && !call->is_forced && !(row->flags & UTM_SCHEMA_CALL_OPEN) && typed.schema == &utm__qmp_schema;
	return call;
}

/* On the caller's thread, when it is known already what QEMU has; else the I/O thread will. */
static int check_now(UtmQmp *qmp, Call *call, UtmError **error)
{
	g_autoptr(UtmIntrospection) index = call->varies ? utm__qmp_support_ref_index(qmp) : NULL;
	if (!index)
		return 0;
	call->varies = false;
	return utm__introspection_check(index, call->command, call->arguments, qmp->version, error);
}

UtmTypedCall utm__qmp_request_get_typed(UtmRequest *request)
{
	return ((Call *)utm__request_get_input(request))->typed;
}

static int decode_result(Call *call, void **ret_object, UtmError **error)
{
	UtmError *failure = NULL;
	if (call->call.error)
		failure = g_steal_pointer(&call->call.error);
	else
		utm__typed_decode(call->typed, call->call.reply, ret_object, &failure);
	return failure ? utm__fail_take(error, utm__typed_refine(call->typed, failure)) : 0;
}

int utm__qmp_run_typed(UtmQmp *qmp, UtmTypedCall typed, char *arguments_taken, bool varies,
                       const UtmQmpCallOptions *options, void **ret_object, UtmError **error)
{
	UtmError *failure = NULL;
	g_autoptr(Call) call = call_new_typed(qmp, typed, arguments_taken, varies, options, &failure);
	if (!call || utm__context_check_blocking(qmp->object.context, &failure) < 0 || check_now(qmp, call, &failure) < 0)
		return utm__fail_take(error, failure);
	if (!call->varies && try_shortcut(qmp, call) == UTM_QMP_CALL_DONE)
		return decode_result(call, ret_object, error);
	g_autoptr(UtmRequest) request = request_new(qmp, g_steal_pointer(&call));
	int failed = utm__request_run(request, start_call, error);
	if (!failed)
		*ret_object = utm__request_steal_result(request);
	return failed;
}

int utm__qmp_submit_typed(UtmQmp *qmp, UtmTypedCall typed, char *arguments_taken, bool varies,
                          const UtmQmpCallOptions *options, UtmRequestDeliverFunc deliver, UtmCallback *callback_taken,
                          UtmError **error)
{
	UtmError *failure = NULL;
	Call *call = call_new_typed(qmp, typed, arguments_taken, varies, options, &failure);
	if (!call) {
		utm__callback_unref(callback_taken);
		return utm__fail_take(error, failure);
	}
	g_autoptr(UtmRequest) request = request_new(qmp, call);
	utm__request_submit(request, start_call, deliver, callback_taken);
	return 0;
}
