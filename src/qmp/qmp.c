/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UtmQmp: the application's handle over a client. The client is either the handle's own, or the machine's, which then
 * passes on events and the end; closing the handle leaves the machine's client alone.
 */
#include "qmp/qmp-private.h"

/* ---------------------------------------------------------------- life and end */

static void qmp_free(UtmObject *object)
{
	UtmQmp *qmp = (UtmQmp *)object;
	utm__qmp_subscribers_clear(&qmp->subscribers);
	utm__qmp_support_clear(&qmp->support);
	if (qmp->recorder)
		utm__qmp_recorder_finish(qmp->recorder, NULL);
	utm__qmp_recorder_unref(qmp->recorder);
	utm__qmp_replay_free(qmp->replay);
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

void utm__qmp_end(UtmQmp *qmp, const UtmError *error)
{
	UtmQmpClient *client = steal_client(qmp, error);
	if (!client)
		return;
	if (qmp->route)
		qmp->route->end(qmp, qmp->end_error);
	else
		utm__qmp_abandon_calls(qmp, client, qmp->end_error);
	utm__qmp_support_end(qmp, client, qmp->end_error);
	if (qmp->owns_client)
		utm__qmp_client_free(client);
	utm__qmp_client_unref(client);
	if (qmp->replay)
		utm__qmp_replay_stop(qmp->replay);
	utm__qmp_subscribers_end(&qmp->subscribers, qmp->end_error);
}

static void close_on_io(void *data)
{
	UtmQmp *qmp = data;
	utm__qmp_end(qmp, NULL);
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
	utm__qmp_subscribers_close(&qmp->subscribers);
	close_soon(qmp);
}

static const UtmObjectClass qmp_class = { .name = "UtmQmp", .close = qmp_close, .free = qmp_free };

UtmQmp *utm__qmp_new_sized(gsize size, const UtmQmpRoute *route, UtmContext *context, bool owns_client)
{
	UtmQmp *qmp = g_malloc0(size);
	qmp->route = route;
	utm__object_init(&qmp->object, &qmp_class, context);
	utm__qmp_subscribers_init(&qmp->subscribers);
	pthread_mutex_init(&qmp->lock, NULL);
	g_queue_init(&qmp->calls);
	qmp->owns_client = owns_client;
	return qmp;
}

UtmQmp *utm__qmp_new(UtmContext *context, bool owns_client)
{
	return utm__qmp_new_sized(sizeof(UtmQmp), NULL, context, owns_client);
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

bool utm_qmp_has_oob(UtmQmp *qmp)
{
	return qmp && qmp->has_oob;
}

void utm__qmp_learn_greeting(UtmQmp *qmp, UtmQmpClient *client)
{
	qmp->greeting = g_strdup(utm__qmp_client_get_greeting(client));
	qmp->version = utm__qmp_client_get_qemu_version(client);
	qmp->has_oob = utm__qmp_client_has_oob(client);
	qmp->passes_fds = utm__qmp_client_passes_fds(client);
}

void utm__qmp_set_client(UtmQmp *qmp, UtmQmpClient *client)
{
	pthread_mutex_lock(&qmp->lock);
	qmp->client = utm__qmp_client_ref(client);
	pthread_mutex_unlock(&qmp->lock);
}

/* I/O thread. */
UtmQmp *utm__qmp_new_wrapping(UtmContext *context, UtmQmpClient *client)
{
	UtmQmp *qmp = utm__qmp_new(context, false);
	utm__qmp_learn_greeting(qmp, client);
	utm__qmp_set_client(qmp, client);
	return qmp;
}

void utm__qmp_emit(UtmQmp *qmp, const char *name, const char *data_json, gint64 timestamp_us)
{
	utm__qmp_subscribers_emit(&qmp->subscribers, name, data_json, timestamp_us);
}

void utm__qmp_detach(UtmQmp *qmp, const UtmError *error)
{
	utm__qmp_end(qmp, error);
}
