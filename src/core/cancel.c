/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmCancel: a flag, and the requests that want to know when it is raised. */
#include "core/request.h"

struct UtmCancel {
	gint refs;
	pthread_mutex_t lock;
	bool triggered;
	GPtrArray *watches;
};

struct UtmCancelWatch {
	gint refs;
	UtmCancel *cancel;
	UtmContext *context;
	UtmIoFunc fn;
	void *data;
	bool active; /* I/O thread only */
};

UtmCancel *utm_cancel_new(void)
{
	UtmCancel *cancel = g_new0(UtmCancel, 1);
	cancel->refs = 1;
	pthread_mutex_init(&cancel->lock, NULL);
	cancel->watches = g_ptr_array_new();
	return cancel;
}

UtmCancel *utm_cancel_ref(UtmCancel *cancel)
{
	if (cancel)
		g_atomic_int_inc(&cancel->refs);
	return cancel;
}

void utm_cancel_unref(UtmCancel *cancel)
{
	if (!cancel || !g_atomic_int_dec_and_test(&cancel->refs))
		return;
	g_ptr_array_unref(cancel->watches);
	pthread_mutex_destroy(&cancel->lock);
	g_free(cancel);
}

static void watch_unref(UtmCancelWatch *watch)
{
	if (!g_atomic_int_dec_and_test(&watch->refs))
		return;
	utm_cancel_unref(watch->cancel);
	g_free(watch);
}

static void fire(void *data)
{
	UtmCancelWatch *watch = data;
	if (watch->active) {
		watch->active = false;
		watch->fn(watch->data);
	}
	watch_unref(watch);
}

/* With the lock held: as long as a watch is listed, its request is pending and its context alive. */
static void send(UtmCancelWatch *watch)
{
	g_atomic_int_inc(&watch->refs);
	utm__context_invoke(watch->context, fire, watch);
}

void utm_cancel_trigger(UtmCancel *cancel)
{
	if (!cancel)
		return;
	pthread_mutex_lock(&cancel->lock);
	if (!cancel->triggered) {
		cancel->triggered = true;
		for (guint i = 0; i < cancel->watches->len; i++)
			send(cancel->watches->pdata[i]);
	}
	pthread_mutex_unlock(&cancel->lock);
}

bool utm__cancel_is_triggered(UtmCancel *cancel)
{
	if (!cancel)
		return false;
	pthread_mutex_lock(&cancel->lock);
	bool triggered = cancel->triggered;
	pthread_mutex_unlock(&cancel->lock);
	return triggered;
}

UtmCancelWatch *utm__cancel_watch(UtmCancel *cancel, UtmContext *context, UtmIoFunc fn, void *data)
{
	UtmCancelWatch *watch = g_new0(UtmCancelWatch, 1);
	watch->refs = 1;
	watch->cancel = utm_cancel_ref(cancel);
	watch->context = context;
	watch->fn = fn;
	watch->data = data;
	watch->active = true;
	pthread_mutex_lock(&cancel->lock);
	g_ptr_array_add(cancel->watches, watch);
	if (cancel->triggered)
		send(watch);
	pthread_mutex_unlock(&cancel->lock);
	return watch;
}

void utm__cancel_unwatch(UtmCancelWatch *watch)
{
	if (!watch)
		return;
	watch->active = false;
	pthread_mutex_lock(&watch->cancel->lock);
	g_ptr_array_remove_fast(watch->cancel->watches, watch);
	pthread_mutex_unlock(&watch->cancel->lock);
	watch_unref(watch);
}
