/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The context's events on their way to the application:
 *
 *     I/O thread --post--> queue --pipe, wakeup--> application: dispatch --> callbacks
 *
 * The queue's lock is never held while foreign code runs.
 */
#include "core/context-impl.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

static _Thread_local bool in_wakeup;

bool utm__in_wakeup(void)
{
	return in_wakeup;
}

/* ---------------------------------------------------------------- life */

void utm__queue_init(UtmContext *context)
{
	context->end = &context->first;
	context->pipe_fds[0] = context->pipe_fds[1] = -1;
	pthread_mutex_init(&context->queue_lock, NULL);
	pthread_mutex_init(&context->wakeup_lock, NULL);
}

int utm__queue_open(UtmContext *context)
{
	return pipe2(context->pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0 ? errno : 0;
}

void utm__queue_clear(UtmContext *context)
{
	utm__callback_unref(context->wakeup);
	utm__close_fd(&context->pipe_fds[0]);
	utm__close_fd(&context->pipe_fds[1]);
	pthread_mutex_destroy(&context->queue_lock);
	pthread_mutex_destroy(&context->wakeup_lock);
}

/* ---------------------------------------------------------------- in */

static void call_wakeup(UtmContext *context)
{
	/* What the callback itself brings about, such as a line of the log, is found by the loop that it wakes. */
	if (in_wakeup)
		return;
	pthread_mutex_lock(&context->wakeup_lock);
	UtmCallback *wakeup = context->wakeup;
	if (wakeup) {
		in_wakeup = true;
		((UtmWakeupFunc)wakeup->fn)(wakeup->user_data);
		in_wakeup = false;
	}
	pthread_mutex_unlock(&context->wakeup_lock);
}

/* With the queue's lock. True: the caller calls the wakeup callback once it has unlocked. */
static bool signal_locked(UtmContext *context)
{
	if (context->signalled)
		return false;
	context->signalled = true;
	/* The pipe is empty, so one byte always fits. */
	ssize_t written = write(context->pipe_fds[1], "", 1);
	(void)written;
	return true;
}

void utm__context_post(UtmContext *context, UtmQueueEvent *event)
{
	pthread_mutex_lock(&context->queue_lock);
	if (event->queued) {
		pthread_mutex_unlock(&context->queue_lock);
		return;
	}
	event->queued = true;
	event->next = NULL;
	if (event->object)
		utm__object_hold(event->object);
	*context->end = event;
	context->end = &event->next;
	context->count++;
	bool wake = signal_locked(context);
	pthread_mutex_unlock(&context->queue_lock);
	if (wake)
		call_wakeup(context);
}

/* ---------------------------------------------------------------- out */

static UtmQueueEvent *pop(UtmContext *context)
{
	pthread_mutex_lock(&context->queue_lock);
	UtmQueueEvent *event = context->first;
	if (event) {
		context->first = event->next;
		if (!context->first)
			context->end = &context->first;
		context->count--;
		event->queued = false;
	}
	pthread_mutex_unlock(&context->queue_lock);
	return event;
}

static void deliver(UtmQueueEvent *event, bool discard)
{
	UtmObject *object = event->object;
	bool alive = !discard && (!object || utm__object_try_ref(object));
	if (alive && event->run)
		event->run(event);
	/* An event embedded in its object may be posted again from here on; `event` is not touched after its free. */
	if (event->free)
		event->free(event);
	if (alive)
		utm__object_unref(object);
	if (object)
		utm__object_release(object);
}

void utm__queue_discard(UtmContext *context)
{
	for (UtmQueueEvent *event = pop(context); event; event = pop(context))
		deliver(event, true);
}

/* Empties the pipe before looking at the queue, so that a later event signals anew and no wakeup is lost. */
static guint enter_dispatch(UtmContext *context, int max_events, int *ret_failed)
{
	char byte[8];
	pthread_mutex_lock(&context->queue_lock);
	if (context->dispatching) {
		pthread_mutex_unlock(&context->queue_lock);
		*ret_failed = UTM_ERROR_INVALID_STATE;
		return 0;
	}
	context->dispatching = true;
	while (read(context->pipe_fds[0], byte, sizeof byte) > 0)
		;
	context->signalled = false;
	guint count = context->count;
	pthread_mutex_unlock(&context->queue_lock);
	return max_events > 0 ? MIN(count, (guint)max_events) : count;
}

static void leave_dispatch(UtmContext *context)
{
	pthread_mutex_lock(&context->queue_lock);
	context->dispatching = false;
	bool wake = context->first && signal_locked(context);
	pthread_mutex_unlock(&context->queue_lock);
	if (wake)
		call_wakeup(context);
}

int utm_context_dispatch(UtmContext *context, int max_events)
{
	if (!context || max_events < 0)
		return UTM_ERROR_INVALID_ARGUMENT;
	if (in_wakeup)
		return UTM_ERROR_WRONG_THREAD;
	int failed = 0;
	guint count = enter_dispatch(context, max_events, &failed);
	if (failed)
		return failed;
	utm_context_ref(context); /* a callback may drop the application's last reference */
	for (guint i = 0; i < count; i++)
		deliver(pop(context), false);
	leave_dispatch(context);
	utm_context_unref(context);
	return (int)count;
}

static int remaining_ms(gint64 deadline_us)
{
	gint64 left = deadline_us - utm__now_us();
	return left > 0 ? (int)((left + 999) / 1000) : 0;
}

static bool is_dispatching(UtmContext *context)
{
	pthread_mutex_lock(&context->queue_lock);
	bool dispatching = context->dispatching;
	pthread_mutex_unlock(&context->queue_lock);
	return dispatching;
}

int utm_context_wait(UtmContext *context, int timeout_ms)
{
	if (!context)
		return UTM_ERROR_INVALID_ARGUMENT;
	/* Inside a callback it would wait for itself, and the error would come when that is over. */
	if (is_dispatching(context))
		return UTM_ERROR_INVALID_STATE;
	gint64 deadline_us = utm__now_us() + (gint64)MAX(timeout_ms, 0) * 1000;
	struct pollfd readable = { .fd = context->pipe_fds[0], .events = POLLIN };
	utm_context_ref(context);
	int handled = 0;
	for (bool over = false; handled == 0 && !over;) {
		int wait_ms = timeout_ms < 0 ? -1 : remaining_ms(deadline_us);
		int ready = in_wakeup ? 0 : poll(&readable, 1, wait_ms);
		over = timeout_ms >= 0 && ready == 0;
		handled = utm_context_dispatch(context, 0);
	}
	utm_context_unref(context);
	return handled;
}

int utm_context_get_fd(UtmContext *context)
{
	return context ? context->pipe_fds[0] : UTM_ERROR_INVALID_ARGUMENT;
}

int utm_context_set_wakeup(UtmContext *context, UtmWakeupFunc fn, void *user_data, UtmFreeFunc free_fn)
{
	if (!context || in_wakeup) {
		if (free_fn && !in_wakeup)
			free_fn(user_data);
		return context ? UTM_ERROR_WRONG_THREAD : UTM_ERROR_INVALID_ARGUMENT;
	}
	UtmCallback *callback = utm__callback_new_handler(context, (UtmAnyFunc)fn, user_data, free_fn);
	pthread_mutex_lock(&context->wakeup_lock);
	UtmCallback *former = context->wakeup;
	context->wakeup = callback;
	pthread_mutex_unlock(&context->wakeup_lock);
	utm__callback_unref(former);

	pthread_mutex_lock(&context->queue_lock);
	bool waiting = context->first != NULL;
	pthread_mutex_unlock(&context->queue_lock);
	if (waiting)
		call_wakeup(context);
	return 0;
}
