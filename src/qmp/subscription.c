/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Subscriptions: from one event on the I/O thread to everybody who wants it.
 *
 * A subscription with a function has its events in the context's queue, one entry each, so that events, replies and all
 * other callbacks come in the order in which they happened. One without collects them itself. Both are bounded alike:
 * whoever does not keep up loses the newest and is told how many, and holds up nobody else.
 */
#include "qmp/subscription.h"

#include "base/error-private.h"
#include "qmp/qmp-private.h"

#include <string.h>

#define SUBSCRIPTIONS_MAX 256
#define NAMES_MAX 256
#define NAME_LENGTH_MAX 255
#define EVENTS_MAX 1024
/* A single event may be larger. */
#define EVENT_BYTES_MAX ((gsize)16 << 20)

/* ---------------------------------------------------------------- one event, one subscriber */

typedef struct Delivery {
	UtmQueueEvent event;
	const UtmQmpEvent *told; /* a reference */
} Delivery;

/* With the lock. The end has always room. */
static bool admit(UtmQmpSubscription *subscription, const UtmQmpEvent *event)
{
	gsize bytes = utm__qmp_event_get_bytes(event);
	bool room = subscription->count < EVENTS_MAX && subscription->bytes + bytes <= EVENT_BYTES_MAX;
	if (!room && subscription->count > 0 && event->name) {
		subscription->dropped++;
		return false;
	}
	subscription->count++;
	subscription->bytes += bytes;
	return true;
}

const UtmQmpEvent *utm__qmp_subscription_leave(UtmQmpSubscription *subscription, const UtmQmpEvent *event_taken)
{
	guint64 dropped = subscription->dropped;
	subscription->dropped = 0;
	subscription->count--;
	subscription->bytes -= utm__qmp_event_get_bytes(event_taken);
	return utm__qmp_event_add_dropped(event_taken, dropped);
}

static void run_delivery(UtmQueueEvent *event)
{
	Delivery *self = (Delivery *)event;
	UtmQmpSubscription *subscription = (UtmQmpSubscription *)event->object;
	pthread_mutex_lock(&subscription->lock);
	const UtmQmpEvent *told = utm__qmp_subscription_leave(subscription, g_steal_pointer(&self->told));
	pthread_mutex_unlock(&subscription->lock);
	/* The handler does not keep its connection. */
	if (utm__object_try_ref(&subscription->qmp->object)) {
		UtmCallback *callback = subscription->callback;
		((UtmQmpEventFunc)callback->fn)(subscription->qmp, told, callback->user_data);
		utm_qmp_unref(subscription->qmp);
	}
	utm_qmp_event_unref(told);
}

static void free_delivery(UtmQueueEvent *event)
{
	Delivery *self = (Delivery *)event;
	utm_qmp_event_unref(self->told);
	g_free(self);
}

static void post(UtmQmpSubscription *subscription, const UtmQmpEvent *event)
{
	Delivery *self = g_new0(Delivery, 1);
	self->event.object = &subscription->object;
	self->event.run = run_delivery;
	self->event.free = free_delivery;
	self->told = utm_qmp_event_ref(event);
	utm__context_post(subscription->object.context, &self->event);
}

static void give(UtmQmpSubscription *subscription, const UtmQmpEvent *event)
{
	pthread_mutex_lock(&subscription->lock);
	bool admitted = admit(subscription, event);
	if (admitted && subscription->collects)
		g_queue_push_tail(&subscription->queue, (gpointer)utm_qmp_event_ref(event));
	pthread_mutex_unlock(&subscription->lock);
	if (admitted && subscription->collects)
		utm__qmp_subscription_wake(subscription);
	else if (admitted)
		post(subscription, event);
}

/* ---------------------------------------------------------------- the list */

void utm__qmp_subscribers_init(UtmQmpSubscribers *subscribers)
{
	pthread_mutex_init(&subscribers->lock, NULL);
	subscribers->list = g_ptr_array_new();
}

void utm__qmp_subscribers_clear(UtmQmpSubscribers *subscribers)
{
	utm_qmp_event_unref(subscribers->end);
	g_ptr_array_unref(subscribers->list);
	pthread_mutex_destroy(&subscribers->lock);
}

/* The handler comes on top. */
typedef UtmQmpSubscription *Wanting[SUBSCRIPTIONS_MAX + 1];

/* With the lock: those who want an event of this name (NULL: the end), held. */
static guint find_wanting(const UtmQmpSubscribers *subscribers, const char *name, Wanting ret)
{
	guint count = 0;
	for (guint i = 0; i < subscribers->list->len; i++) {
		UtmQmpSubscription *subscription = subscribers->list->pdata[i];
		if (name && subscription->names && !g_hash_table_contains(subscription->names, name))
			continue;
		utm__object_hold(&subscription->object);
		ret[count++] = subscription;
	}
	return count;
}

/* Without the lock: queueing may run the wakeup callback, and that may end a subscription. */
static void give_all(const Wanting wanting, guint count, const UtmQmpEvent *event)
{
	for (guint i = 0; i < count; i++) {
		give(wanting[i], event);
		utm__object_release(&wanting[i]->object);
	}
}

void utm__qmp_subscribers_emit(UtmQmpSubscribers *subscribers, const char *name, const char *data_json,
                               gint64 timestamp_us)
{
	Wanting wanting;
	pthread_mutex_lock(&subscribers->lock);
	guint count = subscribers->end ? 0 : find_wanting(subscribers, name, wanting);
	pthread_mutex_unlock(&subscribers->lock);
	if (count == 0)
		return;
	const UtmQmpEvent *event = utm__qmp_event_new(name, data_json, timestamp_us);
	give_all(wanting, count, event);
	utm_qmp_event_unref(event);
}

void utm__qmp_subscribers_end(UtmQmpSubscribers *subscribers, const UtmError *error)
{
	Wanting wanting;
	const UtmQmpEvent *end = utm__qmp_event_new_end(error);
	pthread_mutex_lock(&subscribers->lock);
	subscribers->end = utm_qmp_event_ref(end);
	guint count = find_wanting(subscribers, NULL, wanting);
	pthread_mutex_unlock(&subscribers->lock);
	give_all(wanting, count, end);
	utm_qmp_event_unref(end);
}

/* ---------------------------------------------------------------- life */

static void subscription_free(UtmObject *object)
{
	UtmQmpSubscription *subscription = (UtmQmpSubscription *)object;
	g_queue_clear_full(&subscription->queue, (GDestroyNotify)utm_qmp_event_unref);
	g_clear_pointer(&subscription->names, g_hash_table_unref);
	pthread_mutex_destroy(&subscription->lock);
	utm__object_release(&subscription->qmp->object);
	g_free(subscription);
}

static void subscription_close(UtmObject *object)
{
	UtmQmpSubscription *subscription = (UtmQmpSubscription *)object;
	UtmQmpSubscribers *subscribers = &subscription->qmp->subscribers;
	pthread_mutex_lock(&subscribers->lock);
	g_ptr_array_remove(subscribers->list, subscription);
	pthread_mutex_unlock(&subscribers->lock);
	utm__callback_unref(g_steal_pointer(&subscription->callback));
	if (subscription->counted)
		utm_qmp_unref(subscription->qmp);
}

static const UtmObjectClass subscription_class = {
	.name = "UtmQmpSubscription",
	.close = subscription_close,
	.free = subscription_free,
};

static UtmQmpSubscription *subscription_new(UtmQmp *qmp, UtmCallback *callback_taken)
{
	UtmQmpSubscription *subscription = g_new0(UtmQmpSubscription, 1);
	utm__object_init(&subscription->object, &subscription_class, qmp->object.context);
	utm__object_hold(&qmp->object);
	subscription->qmp = qmp;
	subscription->callback = callback_taken;
	subscription->collects = callback_taken->fn == NULL;
	pthread_mutex_init(&subscription->lock, NULL);
	g_queue_init(&subscription->queue);
	g_queue_init(&subscription->waiting);
	return subscription;
}

/* After the end nobody enters the list any more, but hears of it. */
static int enter(UtmQmpSubscribers *subscribers, UtmQmpSubscription *subscription, UtmError **error)
{
	pthread_mutex_lock(&subscribers->lock);
	const UtmQmpEvent *end = utm_qmp_event_ref(subscribers->end);
	guint others = subscribers->list->len - (subscribers->handler ? 1 : 0);
	if (!end && others < SUBSCRIPTIONS_MAX)
		g_ptr_array_add(subscribers->list, subscription);
	pthread_mutex_unlock(&subscribers->lock);
	if (!end && others >= SUBSCRIPTIONS_MAX)
		return utm__fail(error, UTM_ERROR_LIMIT, "the connection has %d subscriptions already", SUBSCRIPTIONS_MAX);
	if (end)
		give(subscription, end);
	utm_qmp_event_unref(end);
	return 0;
}

static int copy_names(const char *const *names, GHashTable **ret, UtmError **error)
{
	if (!names)
		return 0;
	g_autoptr(GHashTable) set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (gsize i = 0; names[i]; i++) {
		if (i == NAMES_MAX)
			return utm__fail(error, UTM_ERROR_LIMIT, "more than %d names of events", NAMES_MAX);
		if (!*names[i] || strlen(names[i]) > NAME_LENGTH_MAX)
			return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "names[%zu] is no name of an event", i);
		g_hash_table_add(set, g_strdup(names[i]));
	}
	*ret = g_steal_pointer(&set);
	return 0;
}

int utm_qmp_subscribe(UtmQmp *qmp, const char *const *names, UtmQmpEventFunc fn, void *user_data, UtmFreeFunc free_fn,
                      UtmQmpSubscription **ret_subscription, UtmError **error)
{
	g_autoptr(GHashTable) set = NULL;
	int failed = 0;
	if (!qmp || !ret_subscription)
		failed = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no connection, or nowhere to put the subscription");
	else
		failed = copy_names(names, &set, error);
	if (failed) {
		if (free_fn)
			free_fn(user_data);
		return failed;
	}
	UtmCallback *callback = utm__callback_new(qmp->object.context, (UtmAnyFunc)fn, user_data, free_fn);
	UtmQmpSubscription *subscription = subscription_new(utm_qmp_ref(qmp), callback);
	subscription->counted = true;
	subscription->names = g_steal_pointer(&set);
	failed = enter(&qmp->subscribers, subscription, error);
	if (failed) {
		utm_qmp_subscription_unref(subscription);
		return failed;
	}
	utm__qmp_open_events(qmp);
	*ret_subscription = subscription;
	return 0;
}

UtmQmpSubscription *utm_qmp_subscription_ref(UtmQmpSubscription *subscription)
{
	if (subscription)
		utm__object_ref(&subscription->object);
	return subscription;
}

void utm_qmp_subscription_unref(UtmQmpSubscription *subscription)
{
	utm__object_unref((UtmObject *)subscription);
}

/* ---------------------------------------------------------------- the handler */

/* Takes the subscription (NULL: none) instead of the present one; no event falls between the two, or goes to both. */
static void set_handler(UtmQmpSubscribers *subscribers, UtmQmpSubscription *handler_taken)
{
	pthread_mutex_lock(&subscribers->lock);
	UtmQmpSubscription *former = subscribers->handler;
	const UtmQmpEvent *end = utm_qmp_event_ref(subscribers->end);
	subscribers->handler = handler_taken;
	g_ptr_array_remove(subscribers->list, former);
	if (handler_taken && !end)
		g_ptr_array_add(subscribers->list, handler_taken);
	if (handler_taken)
		utm__object_hold(&handler_taken->object);
	pthread_mutex_unlock(&subscribers->lock);
	utm_qmp_subscription_unref(former);
	if (handler_taken && end)
		give(handler_taken, end);
	utm__object_release((UtmObject *)handler_taken);
	utm_qmp_event_unref(end);
}

void utm__qmp_subscribers_close(UtmQmpSubscribers *subscribers)
{
	set_handler(subscribers, NULL);
}

int utm_qmp_set_event_handler(UtmQmp *qmp, UtmQmpEventFunc fn, void *user_data, UtmFreeFunc free_fn)
{
	if (!qmp) {
		if (free_fn)
			free_fn(user_data);
		return UTM_ERROR_INVALID_ARGUMENT;
	}
	UtmCallback *callback = utm__callback_new_handler(qmp->object.context, (UtmAnyFunc)fn, user_data, free_fn);
	set_handler(&qmp->subscribers, callback ? subscription_new(qmp, callback) : NULL);
	if (fn)
		utm__qmp_open_events(qmp);
	return 0;
}
