/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UtmGuest: the application's handle of a connection to a guest agent. It is a UtmQmp whose commands go through the
 * agent's queue, so calls, blocking or not, deadlines, cancellation and the end are those of the monitor.
 */
#include "base/sized-struct.h"
#include "base/util.h"
#include "guest/agent.h"
#include "guest/typed.h"
#include "qmp/qmp-private.h"
#include "qmp/typed.h"

#include <fcntl.h>
#include <utm/guest.h>


struct UtmGuest {
	UtmQmp qmp;
	UtmAgent *agent; /* I/O thread only; NULL before the client is there and after the end */
	int fd;          /* until the client takes it */
};

/* ---------------------------------------------------------------- the route of commands */

static UtmAgent *get_agent(UtmQmp *qmp)
{
	return ((UtmGuest *)qmp)->agent;
}

static guint route_send(UtmQmp *qmp, const UtmQmpCommand *command, UtmQmpClientReplyFunc fn, void *data,
                        UtmError **error)
{
	return utm__agent_send(get_agent(qmp), command, fn, data, error);
}

static void route_abandon(UtmQmp *qmp, guint ticket, UtmError *error_taken)
{
	utm__agent_abandon(get_agent(qmp), ticket, error_taken);
}

static void route_end(UtmQmp *qmp, const UtmError *error)
{
	utm__agent_end(g_steal_pointer(&((UtmGuest *)qmp)->agent), error);
}

static const UtmQmpRoute route = {
	.dialect = &utm__qmp_agent, .send = route_send, .abandon = route_abandon, .end = route_end
};

/* ---------------------------------------------------------------- the client */

static void on_strayed(UtmQmpClient *client, const UtmError *error, void *data)
{
	utm__agent_strayed(get_agent(data), error);
}

static void on_marked(UtmQmpClient *client, void *data)
{
	utm__agent_marked(get_agent(data));
}

static void on_closed(UtmQmpClient *client, const UtmError *error, void *data)
{
	utm__qmp_end(data, error);
}

static const UtmQmpClientFuncs client_funcs = { .closed = on_closed, .strayed = on_strayed, .marked = on_marked };

static void start(void *data)
{
	UtmGuest *guest = data;
	UtmContext *context = guest->qmp.object.context;
	int fd = guest->fd;
	guest->fd = -1;
	UtmQmpClient *client = utm__qmp_client_new_agent(context, fd, &client_funcs, guest);
	guest->agent = utm__agent_new(context, client);
	utm__qmp_set_client(&guest->qmp, client);
	utm__object_release(&guest->qmp.object);
}

/* ---------------------------------------------------------------- connecting */

static int check_connect(UtmContext *context, const UtmGuestConnectOptions *options, UtmGuestConnectOptions *ret,
                         UtmGuest **ret_guest, UtmError **error)
{
	int failed = utm__sized_copy(ret, sizeof *ret, sizeof *ret, options, "UtmGuestConnectOptions", error);
	return failed ? failed : utm__qmp_check_connect(context, ret_guest, ret->flags, UTM_GUEST_CONNECT_NO_WAIT,
	                                                &ret->timeout_ms, error);
}

/* The guest behind a socket, once its agent has answered unless that is not to be waited for. */
static int begin(UtmContext *context, int fd_taken, const UtmGuestConnectOptions *options, UtmGuest **ret_guest,
                 UtmError **error)
{
	UtmGuest *guest = (UtmGuest *)utm__qmp_new_sized(sizeof *guest, &route, context, true);
	guest->fd = fd_taken;
	utm__object_hold(&guest->qmp.object);
	utm__context_invoke(context, start, guest);
	UtmQmpCallOptions call = UTM_QMP_CALL_OPTIONS_INIT;
	call.timeout_ms = options->timeout_ms;
	call.cancel = options->cancel;
	int failed = options->flags & UTM_GUEST_CONNECT_NO_WAIT ? 0 : utm_guest_sync(guest, &call, error);
	if (failed)
		utm_guest_unref(guest);
	else
		*ret_guest = guest;
	return failed;
}

int utm_guest_connect_path(UtmContext *context, const char *path, const UtmGuestConnectOptions *options,
                           UtmGuest **ret_guest, UtmError **error)
{
	UtmGuestConnectOptions checked = UTM_GUEST_CONNECT_OPTIONS_INIT;
	int failed = check_connect(context, options, &checked, ret_guest, error);
	if (failed)
		return failed;
	if (!path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no path");
	gint64 deadline_us = utm__deadline_after(utm__now_us(), checked.timeout_ms);
	UtmError *failure = NULL;
	int fd = utm__qmp_connect_socket(path, utm__qmp_agent.peer, deadline_us, checked.cancel, &failure);
	if (checked.timeout_ms > 0) /* 0 would be the default */
		checked.timeout_ms = MAX(utm__remaining_ms(deadline_us), 1);
	failed = fd < 0 ? fd : begin(context, fd, &checked, ret_guest, &failure);
	return failed ? utm__fail_take(error, utm__error_at_file(failure, path)) : 0;
}

int utm_guest_connect_fd(UtmContext *context, int fd, const UtmGuestConnectOptions *options, UtmGuest **ret_guest,
                         UtmError **error)
{
	utm_autofd owned = fd;
	UtmGuestConnectOptions checked = UTM_GUEST_CONNECT_OPTIONS_INIT;
	int failed = check_connect(context, options, &checked, ret_guest, error);
	if (failed)
		return failed;
	owned = -1;
	fd = utm__qmp_adopt_fd(fd, error);
	return fd < 0 ? fd : begin(context, fd, &checked, ret_guest, error);
}

UtmGuest *utm_guest_ref(UtmGuest *guest)
{
	return (UtmGuest *)utm_qmp_ref((UtmQmp *)guest);
}

void utm_guest_unref(UtmGuest *guest)
{
	utm_qmp_unref((UtmQmp *)guest);
}

void utm_guest_close(UtmGuest *guest)
{
	utm_qmp_close((UtmQmp *)guest);
}

/* ---------------------------------------------------------------- commands */

int utm_guest_execute(UtmGuest *guest, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                      char **ret_reply, UtmError **error)
{
	return utm_qmp_execute((UtmQmp *)guest, command, arguments, options, ret_reply, error);
}

int utm_guest_sync(UtmGuest *guest, const UtmQmpCallOptions *options, UtmError **error)
{
	return utm_guest_execute(guest, UTM_QMP_ASK_MARK, "{\"id\":0}", options, NULL, error);
}

static void deliver_reply(UtmRequest *request, UtmCallback *callback)
{
	if (callback->fn)
		((UtmGuestReplyFunc)callback->fn)((UtmGuest *)utm__request_get_object(request),
		                                  utm__request_get_result(request), utm__request_get_error(request),
		                                  callback->user_data);
}

int utm_guest_execute_async(UtmGuest *guest, const char *command, const char *arguments,
                            const UtmQmpCallOptions *options, UtmGuestReplyFunc fn, void *user_data,
                            UtmFreeFunc free_fn, UtmError **error)
{
	return utm__qmp_submit((UtmQmp *)guest, command, arguments, options, deliver_reply, (UtmAnyFunc)fn, user_data,
	                       free_fn, error);
}

/* ---------------------------------------------------------------- typed commands */

int utm__guest_call(UtmGuest *guest, unsigned number, const void *args, const UtmQmpCallOptions *options,
                    void *ret_result, UtmError **error)
{
	UtmTypedCall call = { .schema = &utm__qga_schema, .number = number };
	return utm__typed_run((UtmQmp *)guest, call, args, options, ret_result, error);
}

int utm__guest_call_async(UtmGuest *guest, unsigned number, const void *args, const UtmQmpCallOptions *options,
                          UtmCallFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmTypedCall call = { .schema = &utm__qga_schema, .number = number };
	return utm__typed_submit((UtmQmp *)guest, call, args, options, fn, user_data, free_fn, error);
}
