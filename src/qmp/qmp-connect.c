/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connecting a UtmQmp: the socket on the caller's thread, greeting and negotiation on the I/O thread. */
#include "base/sized-struct.h"
#include "base/util.h"
#include "qmp/qmp-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT_MS 10000
/* A full backlog cannot be waited for with poll(). */
#define CONNECT_RETRY_MS 20

typedef struct Connecting {
	int fd;
	gint64 timeout_ms;
	uint32_t flags;
} Connecting;

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
		utm__qmp_end(qmp, error);
	else
		utm__qmp_learn_greeting(qmp, client);
	finish_connecting(qmp, error ? utm_error_ref(qmp->end_error) : NULL);
}

static void on_event(UtmQmpClient *client, const char *name, const char *data_json, gint64 timestamp_us, void *data)
{
	utm__qmp_emit(data, name, data_json, timestamp_us);
}

static void on_closed(UtmQmpClient *client, const UtmError *error, void *data)
{
	utm__qmp_end(data, error);
}

static const UtmQmpClientFuncs client_funcs = { .ready = on_ready, .event = on_event, .closed = on_closed };

static void start_connecting(UtmRequest *request)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	Connecting *input = utm__request_get_input(request);
	int fd = input->fd;
	input->fd = -1;
	qmp->connecting = request;
	UtmQmpClient *client = utm__qmp_client_new(qmp->object.context, fd, input->timeout_ms, &client_funcs, qmp);
	if (input->flags & UTM_QMP_CONNECT_OOB)
		utm__qmp_client_want_oob(client);
	if (qmp->recorder)
		utm__qmp_tap_set(&client->tap, qmp->recorder);
	utm__qmp_set_client(qmp, client);
	if (qmp->replay)
		utm__qmp_replay_start(qmp->replay);
}

static void abort_connecting(UtmRequest *request, int code)
{
	UtmQmp *qmp = (UtmQmp *)utm__request_get_object(request);
	UtmError *error = utm__request_abort_error(request, code);
	utm__qmp_end(qmp, error);
	finish_connecting(qmp, error);
}

static void free_connecting(gpointer data)
{
	Connecting *input = data;
	utm__close_fd(&input->fd);
	g_free(input);
}

/* Rounded up: messages tell the limit, and it was given in whole milliseconds. */
static gint64 remaining_ms(gint64 deadline_us)
{
	return deadline_us == G_MAXINT64 ? -1 : (MAX(deadline_us - utm__now_us(), 0) + 999) / 1000;
}

/* Greeting and negotiation of a new handle, which is taken. The limit of the options counts from the deadline. */
static int negotiate_as(UtmQmp *qmp, int fd_taken, const UtmQmpConnectOptions *options, gint64 deadline_us,
                        UtmQmp **ret_qmp, UtmError **error)
{
	UtmRequest *request = utm__request_new(&qmp->object, "connecting to the monitor", -1, options->cancel);
	Connecting *input = g_new(Connecting, 1);
	*input = (Connecting){ .fd = fd_taken, .timeout_ms = remaining_ms(deadline_us), .flags = options->flags };
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

/* A socket that is connected, with options that were checked. `replay_taken` is the other end, or NULL. */
static int negotiate(UtmContext *context, int fd_taken, UtmQmpReplay *replay_taken, const UtmQmpConnectOptions *options,
                     gint64 deadline_us, UtmQmp **ret_qmp, UtmError **error)
{
	UtmError *failure = NULL;
	UtmQmpRecorder *recorder =
		options->record_file ? utm__qmp_recorder_new(context, options->record_file, &failure) : NULL;
	if (failure) {
		utm__close_fd(&fd_taken);
		utm__qmp_replay_free(replay_taken);
		return utm__fail_take(error, failure);
	}
	UtmQmp *qmp = utm__qmp_new(context, true);
	qmp->recorder = recorder;
	qmp->replay = replay_taken;
	return negotiate_as(qmp, fd_taken, options, deadline_us, ret_qmp, error);
}

static int check_connect(UtmContext *context, const UtmQmpConnectOptions *options, guint32 flags,
                         UtmQmpConnectOptions *ret, UtmQmp **ret_qmp, UtmError **error)
{
	if (!context || !ret_qmp)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no context, or nowhere to put the connection");
	int failed = utm__sized_copy(ret, sizeof *ret, sizeof *ret, options, "UtmQmpConnectOptions", error);
	if (failed)
		return failed;
	if (ret->timeout_ms < -1)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "timeout_ms is less than -1");
	if (ret->flags & ~flags)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "connect flags 0x%x do not exist here", ret->flags);
	if (ret->timeout_ms == 0)
		ret->timeout_ms = CONNECT_TIMEOUT_MS;
	return utm__context_check_blocking(context, error);
}

/* A server that has not yet accepted those before us answers EAGAIN: try again for as long as there is time. */
int utm__qmp_connect_socket(const char *path, const char *peer, gint64 deadline_us, UtmCancel *cancel,
                            UtmError **error)
{
	for (;;) {
		g_autoptr(UtmError) failure = NULL;
		int fd = utm__unix_connect(path, &failure);
		if (fd >= 0)
			return fd;
		if (utm_error_get_errno(failure) != EAGAIN)
			return utm__fail_take(error, g_steal_pointer(&failure));
		if (utm__cancel_is_triggered(cancel))
			return utm__fail(error, UTM_ERROR_CANCELLED, "connecting to %s was cancelled", peer);
		if (utm__now_us() >= deadline_us)
			return utm__fail(error, UTM_ERROR_TIMEOUT, "%s serves others and accepts no connection", peer);
		g_usleep(CONNECT_RETRY_MS * 1000);
	}
}

int utm_qmp_connect_path(UtmContext *context, const char *path, const UtmQmpConnectOptions *options, UtmQmp **ret_qmp,
                         UtmError **error)
{
	UtmQmpConnectOptions checked = UTM_QMP_CONNECT_OPTIONS_INIT;
	int failed = check_connect(context, options, UTM_QMP_CONNECT_OOB, &checked, ret_qmp, error);
	if (failed)
		return failed;
	if (!path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no path");
	gint64 deadline_us = utm__qmp_deadline(checked.timeout_ms);
	UtmError *failure = NULL;
	int fd = utm__qmp_connect_socket(path, utm__qmp_monitor.peer, deadline_us, checked.cancel, &failure);
	failed = fd < 0 ? fd : negotiate(context, fd, NULL, &checked, deadline_us, ret_qmp, &failure);
	return failed ? utm__fail_take(error, utm__error_at_file(failure, path)) : 0;
}

int utm_qmp_connect_tcp(UtmContext *context, const char *host, uint16_t port, const UtmQmpConnectOptions *options,
                        UtmQmp **ret_qmp, UtmError **error)
{
	UtmQmpConnectOptions checked = UTM_QMP_CONNECT_OPTIONS_INIT;
	int failed = check_connect(context, options, UTM_QMP_CONNECT_OOB, &checked, ret_qmp, error);
	if (failed)
		return failed;
	if (!host || !*host || port == 0)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no host, or port 0");
	gint64 deadline_us = utm__qmp_deadline(checked.timeout_ms);
	int fd = utm__tcp_connect(host, port, deadline_us, checked.cancel, error);
	return fd < 0 ? fd : negotiate(context, fd, NULL, &checked, deadline_us, ret_qmp, error);
}

bool utm__qmp_is_stream_socket(int fd)
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
	int failed = check_connect(context, options, UTM_QMP_CONNECT_OOB, &checked, ret_qmp, error);
	if (failed)
		return failed;
	if (!utm__qmp_is_stream_socket(fd))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "descriptor %d is no stream socket", fd);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	owned = -1;
	return negotiate(context, fd, NULL, &checked, utm__qmp_deadline(checked.timeout_ms), ret_qmp, error);
}

int utm_qmp_connect_replay(UtmContext *context, const char *path, const UtmQmpConnectOptions *options, UtmQmp **ret_qmp,
                           UtmError **error)
{
	const guint32 flags = UTM_QMP_CONNECT_OOB | UTM_QMP_CONNECT_REPLAY_UNORDERED | UTM_QMP_CONNECT_REPLAY_PACED;
	UtmQmpConnectOptions checked = UTM_QMP_CONNECT_OPTIONS_INIT;
	int failed = check_connect(context, options, flags, &checked, ret_qmp, error);
	if (failed)
		return failed;
	if (!path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no path");
	UtmError *failure = NULL;
	int fd = -1;
	UtmQmpReplay *replay = utm__qmp_replay_new(context, path, checked.flags, &fd, &failure);
	if (!replay)
		return utm__fail_take(error, failure);
	return negotiate(context, fd, replay, &checked, utm__qmp_deadline(checked.timeout_ms), ret_qmp, error);
}
