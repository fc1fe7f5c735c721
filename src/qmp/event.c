/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/event.h"

#include "schema/protocols.h"

#include <string.h>

typedef struct Event {
	UtmQmpEvent told; /* first: what the application sees is what is counted */
	gint refs;
	gsize bytes;
	const UtmQmpEvent *shown; /* (nullable) a reference: the event whose fields this one repeats */
	UtmError *error;
	void *payload;
	char text[]; /* name and data */
} Event;

static Event *event_alloc(gsize text_size)
{
	Event *self = g_malloc0(sizeof *self + text_size);
	self->refs = 1;
	self->bytes = sizeof *self + text_size;
	self->told.size = sizeof self->told;
	self->told.timestamp_us = -1;
	self->told.id = -1;
	return self;
}

static UtmError *not_understood(const char *name, UtmError *reason_taken)
{
	UtmError *made = utm__error_new(UTM_ERROR_QMP_MALFORMED, "the data of %s is not understood: %s", name,
	                                utm_error_get_message(reason_taken));
	utm__error_set_key_path(made, utm_error_get_key_path(reason_taken));
	utm_error_unref(reason_taken);
	return made;
}

/* Data that does not fit its type stays text, with the reason beside it: an event is never lost, and never fatal. */
static void decode(Event *self)
{
	self->told.id = utm__protocol_find_event(&utm__qmp_schema, self->told.name);
	guint type = self->told.id < 0 ? UTM_SCHEMA_NONE : utm__qmp_schema.events[self->told.id].args;
	if (type == UTM_SCHEMA_NONE)
		return;
	const char *data = self->told.data ? self->told.data : "{}";
	UtmError *reason = NULL;
	if (utm__protocol_decode(&utm__qmp_schema, type, data, strlen(data), &self->payload, &reason) < 0)
		self->error = not_understood(self->told.name, reason);
	self->told.payload = self->payload;
	self->told.error = self->error;
}

const UtmQmpEvent *utm__qmp_event_new(const char *name, const char *data_json, gint64 timestamp_us)
{
	gsize name_size = strlen(name) + 1;
	gsize data_size = data_json ? strlen(data_json) + 1 : 0;
	Event *self = event_alloc(name_size + data_size);
	self->told.name = memcpy(self->text, name, name_size);
	self->told.data = data_json ? memcpy(self->text + name_size, data_json, data_size) : NULL;
	self->told.timestamp_us = timestamp_us;
	decode(self);
	return &self->told;
}

const UtmQmpEvent *utm__qmp_event_new_end(const UtmError *error)
{
	Event *self = event_alloc(0);
	self->error = utm_error_ref((UtmError *)error);
	self->told.error = self->error;
	return &self->told;
}

const UtmQmpEvent *utm__qmp_event_add_dropped(const UtmQmpEvent *event_taken, guint64 dropped)
{
	if (!dropped)
		return event_taken;
	Event *self = event_alloc(0);
	self->told = *event_taken;
	self->told.dropped = dropped;
	self->shown = event_taken;
	return &self->told;
}

gsize utm__qmp_event_get_bytes(const UtmQmpEvent *event)
{
	return ((const Event *)event)->bytes;
}

const UtmQmpEvent *utm_qmp_event_ref(const UtmQmpEvent *event)
{
	if (event)
		g_atomic_int_inc(&((Event *)event)->refs);
	return event;
}

void utm_qmp_event_unref(const UtmQmpEvent *event)
{
	Event *self = (Event *)event;
	if (!self || !g_atomic_int_dec_and_test(&self->refs))
		return;
	utm_qmp_event_unref(self->shown);
	utm_error_unref(self->error);
	utm_struct_free(self->payload);
	g_free(self);
}
