/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who hears of the events of a connection, and of its end. UtmQmp has one of these; the I/O thread feeds it, and every
 * thread of the application may subscribe. The handler of utm_qmp_set_event_handler() is a subscription like any other.
 */
#pragma once

#include "core/queue.h"
#include "qmp/event.h"

typedef struct UtmQmpSubscribers {
	pthread_mutex_t lock; /* guards all of this */
	GPtrArray *list; /* not counted: who closes leaves it */
	const UtmQmpEvent *end; /* once there is one, nothing follows */
	UtmQmpSubscription *handler; /* of utm_qmp_set_event_handler(); NULL: none */
} UtmQmpSubscribers;

void utm__qmp_subscribers_init(UtmQmpSubscribers *subscribers);
void utm__qmp_subscribers_clear(UtmQmpSubscribers *subscribers);
/* The last public reference of the connection went. No subscription but the handler can be left: they keep it. */
void utm__qmp_subscribers_close(UtmQmpSubscribers *subscribers);
/* I/O thread. */
void utm__qmp_subscribers_emit(UtmQmpSubscribers *subscribers, const char *name, const char *data_json,
                               gint64 timestamp_us);
/* I/O thread, once: the connection has ended. */
void utm__qmp_subscribers_end(UtmQmpSubscribers *subscribers, const UtmError *error);

/* --- one subscription, shared by its life (subscription.c) and by waiting (subscription-wait.c) --- */

struct UtmQmpSubscription {
	UtmObject object;
	UtmQmp *qmp;          /* held; all but the handler have a public reference, too */
	bool counted;         /* that is: not the handler */
	GHashTable *names;    /* a set; NULL for all */
	UtmCallback *callback; /* for as long as there are public references */
	bool collects;        /* has no function: the events wait in `queue`, not for dispatch */

	pthread_mutex_t lock; /* guards what is below, up to `queue` */
	guint count;          /* waiting, in `queue` or for dispatch */
	gsize bytes;
	guint64 dropped;      /* since the last one that was told */
	GQueue queue;         /* UtmQmpEvent. The end stays in it, for whoever comes later */

	GQueue waiting;       /* I/O thread only: requests of threads that wait for something in `queue` */
};

/* With the lock. The event was waiting and is about to be told; returns it as this subscriber sees it. */
const UtmQmpEvent *utm__qmp_subscription_leave(UtmQmpSubscription *subscription, const UtmQmpEvent *event_taken);
/* I/O thread: something came into the queue. */
void utm__qmp_subscription_wake(UtmQmpSubscription *subscription);
