/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Callback triples and the slots that hold them. The queue itself is part of the context (dispatch.c). */
#include "core/queue.h"

#include "core/context-private.h"

UtmCallback *utm__callback_new(UtmContext *context, UtmAnyFunc fn, void *user_data, UtmFreeFunc free_fn)
{
	UtmCallback *callback = g_new0(UtmCallback, 1);
	callback->refs = 1;
	callback->context = context;
	callback->fn = fn;
	callback->user_data = user_data;
	callback->free_fn = free_fn;
	return callback;
}

UtmCallback *utm__callback_new_handler(UtmContext *context, UtmAnyFunc fn, void *user_data, UtmFreeFunc free_fn)
{
	UtmCallback *callback = utm__callback_new(context, fn, user_data, free_fn);
	if (fn)
		return callback;
	utm__callback_unref(callback);
	return NULL;
}

UtmCallback *utm__callback_ref(UtmCallback *callback)
{
	g_atomic_int_inc(&callback->refs);
	return callback;
}

static void callback_free(UtmCallback *callback)
{
	if (callback->free_fn)
		callback->free_fn(callback->user_data);
	g_free(callback);
}

typedef struct FreeEvent {
	UtmQueueEvent event;
	UtmCallback *callback;
} FreeEvent;

static void free_event_free(UtmQueueEvent *event)
{
	FreeEvent *self = (FreeEvent *)event;
	callback_free(self->callback);
	g_free(self);
}

void utm__callback_unref(UtmCallback *callback)
{
	if (!callback || !g_atomic_int_dec_and_test(&callback->refs))
		return;
	if (!callback->free_fn || !utm__context_is_io_thread(callback->context)) {
		callback_free(callback);
		return;
	}
	FreeEvent *self = g_new0(FreeEvent, 1);
	self->callback = callback;
	self->event.free = free_event_free;
	utm__context_post(callback->context, &self->event);
}

void utm__slot_init(UtmHandlerSlot *slot)
{
	pthread_mutex_init(&slot->lock, NULL);
	slot->callback = NULL;
	slot->pending = 0;
	slot->dropped = 0;
}

void utm__slot_clear(UtmHandlerSlot *slot)
{
	utm__slot_set(slot, NULL);
	pthread_mutex_destroy(&slot->lock);
}

void utm__slot_set(UtmHandlerSlot *slot, UtmCallback *callback_taken)
{
	pthread_mutex_lock(&slot->lock);
	UtmCallback *former = slot->callback;
	slot->callback = callback_taken;
	pthread_mutex_unlock(&slot->lock);
	/* Outside the lock: free_fn is the application's and may call anything. */
	utm__callback_unref(former);
}

UtmCallback *utm__slot_get(UtmHandlerSlot *slot)
{
	pthread_mutex_lock(&slot->lock);
	UtmCallback *callback = slot->callback ? utm__callback_ref(slot->callback) : NULL;
	pthread_mutex_unlock(&slot->lock);
	return callback;
}

bool utm__slot_is_set(UtmHandlerSlot *slot)
{
	pthread_mutex_lock(&slot->lock);
	bool set = slot->callback != NULL;
	pthread_mutex_unlock(&slot->lock);
	return set;
}

bool utm__slot_admit(UtmHandlerSlot *slot, guint max)
{
	pthread_mutex_lock(&slot->lock);
	bool admitted = slot->pending < max;
	if (admitted)
		slot->pending++;
	else
		slot->dropped++;
	pthread_mutex_unlock(&slot->lock);
	return admitted;
}

guint64 utm__slot_leave(UtmHandlerSlot *slot)
{
	pthread_mutex_lock(&slot->lock);
	guint64 dropped = slot->dropped;
	slot->dropped = 0;
	slot->pending--;
	pthread_mutex_unlock(&slot->lock);
	return dropped;
}
