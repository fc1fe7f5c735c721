/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UtmQmp: the application's handle over a client. The client is either the handle's own, or the machine's, which then
 * passes on events and the end; closing the handle leaves the machine's client alone.
 */
#include "qmp/qmp-private.h"

#define EVENTS_MAX 1024

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

void utm__qmp_end(UtmQmp *qmp, const UtmError *error)
{
	UtmQmpClient *client = steal_client(qmp, error);
	if (!client)
		return;
	if (qmp->route)
		qmp->route->end(qmp, qmp->end_error);
	else
		utm__qmp_abandon_calls(qmp, client, qmp->end_error);
	if (qmp->owns_client)
		utm__qmp_client_free(client);
	utm__qmp_client_unref(client);
	utm__context_post(qmp->object.context, &qmp->end_event);
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
	utm__slot_set(&qmp->handler, NULL);
	close_soon(qmp);
}

static const UtmObjectClass qmp_class = { .name = "UtmQmp", .close = qmp_close, .free = qmp_free };

static void run_end_event(UtmQueueEvent *event);

UtmQmp *utm__qmp_new_sized(gsize size, const UtmQmpRoute *route, UtmContext *context, bool owns_client)
{
	UtmQmp *qmp = g_malloc0(size);
	qmp->route = route;
	utm__object_init(&qmp->object, &qmp_class, context);
	utm__slot_init(&qmp->handler);
	pthread_mutex_init(&qmp->lock, NULL);
	g_queue_init(&qmp->calls);
	qmp->owns_client = owns_client;
	qmp->end_event.object = &qmp->object;
	qmp->end_event.run = run_end_event;
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

void utm__qmp_learn_greeting(UtmQmp *qmp, UtmQmpClient *client)
{
	qmp->greeting = g_strdup(utm__qmp_client_get_greeting(client));
	qmp->version = utm__qmp_client_get_qemu_version(client);
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
	utm__slot_set(&qmp->handler, utm__callback_new_handler(qmp->object.context, (UtmAnyFunc)fn, user_data, free_fn));
	pthread_mutex_lock(&qmp->lock);
	bool ended = qmp->end_error != NULL;
	pthread_mutex_unlock(&qmp->lock);
	if (ended && fn)
		utm__context_post(qmp->object.context, &qmp->end_event);
	return 0;
}

void utm__qmp_detach(UtmQmp *qmp, const UtmError *error)
{
	utm__qmp_end(qmp, error);
}
