/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events on their way to the application, and the callbacks that receive them.
 *
 * Guarded by pthread mutexes, not GLib's, so that ThreadSanitizer sees the hand-over.
 */
#pragma once

#include "core/object.h"

#include <pthread.h>

/* Any function pointer; cast back to its real type before it is called. */
typedef void (*UtmAnyFunc)(void);

/* A callback triple. Counted: the slot that holds it and a dispatch that runs it each have a reference. */
typedef struct UtmCallback {
	gint refs;
	UtmContext *context; /* not counted */
	UtmAnyFunc fn;
	void *user_data;
	UtmFreeFunc free_fn;
} UtmCallback;

/* Owns the triple from now on, so free_fn runs exactly once whatever happens. With fn NULL it only owns user_data. */
UtmCallback *utm__callback_new(UtmContext *context, UtmAnyFunc fn, void *user_data, UtmFreeFunc free_fn);
/* For handlers, where no function means none: then NULL, and user_data is released at once. */
UtmCallback *utm__callback_new_handler(UtmContext *context, UtmAnyFunc fn, void *user_data, UtmFreeFunc free_fn);
UtmCallback *utm__callback_ref(UtmCallback *callback);
/* The last reference runs free_fn: here on an application's thread, through the queue on the library's. NULL is fine. */
void utm__callback_unref(UtmCallback *callback);

/* A place for one handler of an object, exchanged under a lock of its own. */
typedef struct UtmHandlerSlot {
	pthread_mutex_t lock;
	UtmCallback *callback;
	/* Events queued for this handler, and dropped since the last one delivered. */
	guint pending;
	guint64 dropped;
} UtmHandlerSlot;

void utm__slot_init(UtmHandlerSlot *slot);
void utm__slot_clear(UtmHandlerSlot *slot);
/* Takes the callback (NULL: none). The former one is released. */
void utm__slot_set(UtmHandlerSlot *slot, UtmCallback *callback_taken);
/* (transfer full) or NULL */
UtmCallback *utm__slot_get(UtmHandlerSlot *slot);
bool utm__slot_is_set(UtmHandlerSlot *slot);
/* Bounds: true and counted when one more event may be queued, else false and counted as dropped. */
bool utm__slot_admit(UtmHandlerSlot *slot, guint max);
/* The event is about to be delivered. Returns how many were dropped before it. */
guint64 utm__slot_leave(UtmHandlerSlot *slot);

typedef struct UtmQueueEvent UtmQueueEvent;
struct UtmQueueEvent {
	UtmQueueEvent *next;
	bool queued;
	/* Whom it is about; NULL for the context itself. Held internally while queued. */
	UtmObject *object;
	/* On the application's thread, in dispatch. Skipped when the object was closed meanwhile. */
	void (*run)(UtmQueueEvent *event);
	/* After run, or instead of it; on an application's thread. NULL for events embedded in their object. */
	void (*free)(UtmQueueEvent *event);
};

/*
 * Queues an event. One that is queued already is left where it is: an event embedded in its object coalesces. `run` is
 * called with the event already out of the queue, so it may be posted again from there.
 */
void utm__context_post(UtmContext *context, UtmQueueEvent *event);
