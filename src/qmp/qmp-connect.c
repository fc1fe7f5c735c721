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
#define LIVE_FLAGS (UTM_QMP_CONNECT_OOB | UTM_QMP_CONNECT_LINES)

typedef struct Connecting {
	int fd;
	char *path; /* to connect to again, or NULL */
	gint64 deadline_us;
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
	gint64 timeout_ms = utm__remaining_ms(input->deadline_us);
	UtmQmpClient *client = utm__qmp_client_new(qmp->object.context, fd, timeout_ms, &client_funcs, qmp);
	utm__qmp_client_set_path(client, input->path);
	if (input->flags & UTM_QMP_CONNECT_OOB)
		utm__qmp_client_want_oob(client);
	if (input->flags & UTM_QMP_CONNECT_LINES)
		utm__qmp_client_want_lines(client);
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
	g_free(input->path);
	g_free(input);
}

/* Greeting and negotiation of a new handle, which is taken. The limit of the options counts from the deadline. */
static int negotiate_as(UtmQmp *qmp, int fd_taken, const char *path, const UtmQmpConnectOptions *options,
                        gint64 deadline_us, UtmQmp **ret_qmp, UtmError **error)
{
	UtmRequest *request = utm__request_new(&qmp->object, "connecting to the monitor", -1, options->cancel);
	Connecting *input = g_new(Connecting, 1);
	*input = (Connecting){ .fd = fd_taken, .path = g_strdup(path), .deadline_us = deadline_us, .flags = options->flags };
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

/*
 * A socket that is connected, with options that were checked. `path` is where it can be connected to again, `replay_taken`
 * the other end; each may be NULL.
 */
static int negotiate(UtmContext *context, int fd_taken, const char *path, UtmQmpReplay *replay_taken,
                     const UtmQmpConnectOptions *options, gint64 deadline_us, UtmQmp **ret_qmp, UtmError **error)
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
	return negotiate_as(qmp, fd_taken, path, options, deadline_us, ret_qmp, error);
}

int utm__qmp_check_connect(UtmContext *context, const void *ret_handle, guint32 flags, guint32 known_flags,
                           gint64 *timeout_ms, UtmError **error)
{
	if (!context || !ret_handle)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no context, or nowhere to put the connection");
	int failed = utm__check_timeout(*timeout_ms, "timeout_ms", error);
	if (failed)
		return failed;
	if (flags & ~known_flags)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "connect flags 0x%x do not exist here", flags);
	if (*timeout_ms == 0)
		*timeout_ms = CONNECT_TIMEOUT_MS;
	return utm__context_check_blocking(context, error);
}

static int check_connect(UtmContext *context, const UtmQmpConnectOptions *options, guint32 known_flags,
                         UtmQmpConnectOptions *ret, gint64 *ret_deadline_us, UtmQmp **ret_qmp, UtmError **error)
{
	int failed = utm__sized_copy(ret, sizeof *ret, sizeof *ret, options, "UtmQmpConnectOptions", error);
	if (!failed)
		failed = utm__qmp_check_connect(context, ret_qmp, ret->flags, known_flags, &ret->timeout_ms, error);
	*ret_deadline_us = utm__deadline_after(utm__now_us(), ret->timeout_ms);
	return failed;
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
			return utm__fail_take(error, utm__error_set_remedy(utm__error_new(UTM_ERROR_TIMEOUT,
			                      "%s serves others and accepts no connection", peer), UTM_QMP_BUSY_REMEDY));
		g_usleep(CONNECT_RETRY_MS * 1000);
	}
}

int utm_qmp_connect_path(UtmContext *context, const char *path, const UtmQmpConnectOptions *options, UtmQmp **ret_qmp,
                         UtmError **error)
{
	UtmQmpConnectOptions checked = UTM_QMP_CONNECT_OPTIONS_INIT;
	gint64 deadline_us;
	int failed = check_connect(context, options, LIVE_FLAGS, &checked, &deadline_us, ret_qmp, error);
	if (failed)
		return failed;
	if (!path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no path");
	UtmError *failure = NULL;
	int fd = utm__qmp_connect_socket(path, utm__qmp_monitor.peer, deadline_us, checked.cancel, &failure);
	failed = fd < 0 ? fd : negotiate(context, fd, path, NULL, &checked, deadline_us, ret_qmp, &failure);
	return failed ? utm__fail_take(error, utm__error_at_file(failure, path)) : 0;
}

int utm_qmp_connect_tcp(UtmContext *context, const char *host, uint16_t port, const UtmQmpConnectOptions *options,
                        UtmQmp **ret_qmp, UtmError **error)
{
	UtmQmpConnectOptions checked = UTM_QMP_CONNECT_OPTIONS_INIT;
	gint64 deadline_us;
	int failed = check_connect(context, options, LIVE_FLAGS, &checked, &deadline_us, ret_qmp, error);
	if (failed)
		return failed;
	if (!host || !*host || port == 0)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no host, or port 0");
	int fd = utm__tcp_connect(host, port, deadline_us, checked.cancel, error);
	return fd < 0 ? fd : negotiate(context, fd, NULL, NULL, &checked, deadline_us, ret_qmp, error);
}

int utm__qmp_adopt_fd(int fd_taken, UtmError **error)
{
	int type = 0;
	socklen_t size = sizeof type;
	if (getsockopt(fd_taken, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM) {
		int failed = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "descriptor %d is no stream socket", fd_taken);
		utm__close_fd(&fd_taken);
		return failed;
	}
	fcntl(fd_taken, F_SETFD, FD_CLOEXEC);
	return fd_taken;
}

int utm_qmp_connect_fd(UtmContext *context, int fd, const UtmQmpConnectOptions *options, UtmQmp **ret_qmp,
                       UtmError **error)
{
	utm_autofd owned = fd;
	UtmQmpConnectOptions checked = UTM_QMP_CONNECT_OPTIONS_INIT;
	gint64 deadline_us;
	int failed = check_connect(context, options, LIVE_FLAGS, &checked, &deadline_us, ret_qmp, error);
	if (failed)
		return failed;
	owned = -1;
	fd = utm__qmp_adopt_fd(fd, error);
	return fd < 0 ? fd : negotiate(context, fd, NULL, NULL, &checked, deadline_us, ret_qmp, error);
}

int utm_qmp_connect_replay(UtmContext *context, const char *path, const UtmQmpConnectOptions *options, UtmQmp **ret_qmp,
                           UtmError **error)
{
	const guint32 flags = LIVE_FLAGS | UTM_QMP_CONNECT_REPLAY_UNORDERED | UTM_QMP_CONNECT_REPLAY_PACED;
	UtmQmpConnectOptions checked = UTM_QMP_CONNECT_OPTIONS_INIT;
	gint64 deadline_us;
	int failed = check_connect(context, options, flags, &checked, &deadline_us, ret_qmp, error);
	if (failed)
		return failed;
	if (!path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no path");
	UtmError *failure = NULL;
	int fd = -1;
	UtmQmpReplay *replay = utm__qmp_replay_new(context, path, checked.flags, &fd, &failure);
	if (!replay)
		return utm__fail_take(error, failure);
	return negotiate(context, fd, NULL, replay, &checked, deadline_us, ret_qmp, error);
}
