/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recording what a UtmQmp says and hears, and what is particular to one that plays a recording. */
#include "qmp/qmp-private.h"

/* How long a stop waits for the disk. */
#define STOP_TIMEOUT_MS 10000

static UtmQmpClient *ref_client(UtmQmp *qmp)
{
	pthread_mutex_lock(&qmp->lock);
	UtmQmpClient *client = qmp->client ? utm__qmp_client_ref(qmp->client) : NULL;
	pthread_mutex_unlock(&qmp->lock);
	return client;
}

/* False when there is one already. recorder NULL: only asks. */
static bool set_recorder(UtmQmp *qmp, UtmQmpRecorder *recorder)
{
	pthread_mutex_lock(&qmp->lock);
	bool free_to_set = !qmp->recorder;
	if (free_to_set && recorder)
		qmp->recorder = utm__qmp_recorder_ref(recorder);
	pthread_mutex_unlock(&qmp->lock);
	return free_to_set;
}

/* A recording begins with a greeting, which this session had long ago. */
static void add_greeting(UtmQmpRecorder *recorder, UtmQmp *qmp)
{
	g_autoptr(GString) message = g_string_new("{\"QMP\":");
	g_string_append_c(g_string_append(message, qmp->greeting), '}');
	utm__qmp_recorder_add(recorder, UTM_QMP_SIDE_MONITOR, message->str, message->len);
}

static int record(UtmQmp *qmp, UtmQmpClient *client, const char *path, UtmError **error)
{
	UtmError *failure = NULL;
	g_autoptr(UtmQmpRecorder) recorder = utm__qmp_recorder_new(qmp->object.context, path, &failure);
	if (!recorder)
		return utm__fail_take(error, failure);
	add_greeting(recorder, qmp);
	bool set = set_recorder(qmp, recorder);
	/* A session that has just ended has a recording of its greeting. */
	if (!set || !utm__qmp_tap_set(&client->tap, recorder))
		utm__qmp_recorder_finish(recorder, NULL);
	return set ? 0 : utm__fail(error, UTM_ERROR_INVALID_STATE, "the connection is recorded already");
}

int utm_qmp_record(UtmQmp *qmp, const char *path, UtmError **error)
{
	if (!qmp || !path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no QMP connection, or no path");
	int failed = utm__context_check_blocking(qmp->object.context, error);
	if (failed)
		return failed;
	/* Before the file is touched: it may be the one that is being written. */
	if (!set_recorder(qmp, NULL))
		return utm__fail(error, UTM_ERROR_INVALID_STATE, "the connection is recorded already");
	UtmQmpClient *client = ref_client(qmp);
	if (!client)
		return utm__fail(error, UTM_ERROR_QMP_DISCONNECTED, "the connection to the monitor has ended");
	failed = record(qmp, client, path, error);
	utm__qmp_client_unref(client);
	return failed;
}

int utm_qmp_record_stop(UtmQmp *qmp, UtmError **error)
{
	if (!qmp)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no QMP connection");
	int failed = utm__context_check_blocking(qmp->object.context, error);
	if (failed)
		return failed;
	pthread_mutex_lock(&qmp->lock);
	g_autoptr(UtmQmpRecorder) recorder = g_steal_pointer(&qmp->recorder);
	pthread_mutex_unlock(&qmp->lock);
	if (!recorder)
		return utm__fail(error, UTM_ERROR_INVALID_STATE, "the connection is not recorded");
	UtmQmpClient *client = ref_client(qmp);
	if (client)
		utm__qmp_tap_remove(&client->tap, recorder);
	utm__qmp_client_unref(client);
	utm__qmp_recorder_finish(recorder, NULL);
	return utm__qmp_recorder_wait(recorder, STOP_TIMEOUT_MS, error);
}

int utm_qmp_check_replay(UtmQmp *qmp, UtmError **error)
{
	if (!qmp || !qmp->replay)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no QMP connection, or one that plays no recording");
	return utm__qmp_replay_check(qmp->replay, error);
}

static void open_on_io(void *data)
{
	UtmQmp *qmp = data;
	utm__qmp_replay_open(qmp->replay);
	utm__object_release(&qmp->object);
}

void utm__qmp_open_events(UtmQmp *qmp)
{
	if (!qmp->replay)
		return;
	utm__object_hold(&qmp->object);
	utm__context_invoke(qmp->object.context, open_on_io, qmp);
}
