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
static _Thread_local const UtmContext *in_dispatch;

bool utm__in_wakeup(void)
{
	return in_wakeup;
}

bool utm__in_dispatch(const UtmContext *context)
{
	return in_dispatch == context;
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

/* With the queue's lock. True: the caller wakes the application once it has unlocked. */
static bool signal_locked(UtmContext *context)
{
	bool wake = !context->signalled;
	context->signalled = true;
	return wake;
}

/* Without the lock, which whoever wakes wants next. */
static void wake_application(UtmContext *context)
{
	/* The pipe is nearly empty, so one byte always fits. */
	ssize_t written = write(context->pipe_fds[1], "", 1);
	(void)written;
	call_wakeup(context);
}

void utm__context_post(UtmContext *context, UtmQueueEvent *event)
{
	if (__atomic_exchange_n(&event->queued, true, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_lock(&context->queue_lock);
	event->next = NULL;
	if (event->object)
		utm__object_hold(event->object);
	*context->end = event;
	context->end = &event->next;
	context->count++;
	/* The I/O thread never waits, so its turn is over soon, and then there may be more. */
	bool wake = signal_locked(context), later = wake && utm__context_is_io_thread(context);
	context->wake_due |= later;
	pthread_mutex_unlock(&context->queue_lock);
	if (wake && !later)
		wake_application(context);
}

bool utm__queue_end_turn(UtmContext *context)
{
	pthread_mutex_lock(&context->queue_lock);
	bool due = context->wake_due;
	context->wake_due = false;
	pthread_mutex_unlock(&context->queue_lock);
	if (due)
		wake_application(context);
	return due;
}

/* ---------------------------------------------------------------- out */

/* With the queue's lock: the first events, out of the queue; at most `max`. */
static UtmQueueEvent *take_locked(UtmContext *context, guint max)
{
	UtmQueueEvent *first = NULL, **end = &first;
	for (*end = context->first; *end && max > 0; max--, context->count--)
		end = &(*end)->next;
	context->first = *end;
	if (!context->first)
		context->end = &context->first;
	*end = NULL;
	return first;
}

static void deliver(UtmQueueEvent *event, bool discard)
{
	UtmObject *object = event->object;
	__atomic_store_n(&event->queued, false, __ATOMIC_RELEASE);
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

/* Returns how many there were. */
static int deliver_all(UtmQueueEvent *events, bool discard)
{
	int count = 0;
	for (UtmQueueEvent *next; events; events = next, count++) {
		next = events->next;
		deliver(events, discard);
	}
	return count;
}

void utm__queue_discard(UtmContext *context)
{
	pthread_mutex_lock(&context->queue_lock);
	UtmQueueEvent *events = take_locked(context, G_MAXUINT);
	pthread_mutex_unlock(&context->queue_lock);
	deliver_all(events, true);
}

/* Empties the pipe before looking at the queue, so that a later event signals anew and no wakeup is lost. */
static int enter_dispatch(UtmContext *context, int max_events, UtmQueueEvent **ret_events)
{
	char bytes[8];
	pthread_mutex_lock(&context->queue_lock);
	int failed = context->dispatching ? UTM_ERROR_INVALID_STATE : 0;
	if (!failed) {
		context->dispatching = true;
		while (read(context->pipe_fds[0], bytes, sizeof bytes) == sizeof bytes)
			;
		context->signalled = context->wake_due = false;
		*ret_events = take_locked(context, max_events > 0 ? (guint)max_events : G_MAXUINT);
	}
	pthread_mutex_unlock(&context->queue_lock);
	return failed;
}

static void leave_dispatch(UtmContext *context)
{
	pthread_mutex_lock(&context->queue_lock);
	context->dispatching = false;
	bool wake = context->first && signal_locked(context);
	pthread_mutex_unlock(&context->queue_lock);
	if (wake)
		wake_application(context);
}

int utm_context_dispatch(UtmContext *context, int max_events)
{
	if (!context || max_events < 0)
		return UTM_ERROR_INVALID_ARGUMENT;
	if (in_wakeup)
		return UTM_ERROR_WRONG_THREAD;
	UtmQueueEvent *events = NULL;
	int failed = enter_dispatch(context, max_events, &events);
	if (failed)
		return failed;
	utm_context_ref(context); /* a callback may drop the application's last reference */
	const UtmContext *outer = in_dispatch; /* a callback may dispatch another context */
	in_dispatch = context;
	int count = deliver_all(events, false);
	in_dispatch = outer;
	utm__inbox_end_dispatch(context);
	leave_dispatch(context);
	utm_context_unref(context);
	return count;
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
	bool told = context->first && !context->wake_due;
	pthread_mutex_unlock(&context->queue_lock);
	if (told)
		call_wakeup(context);
	return 0;
}
