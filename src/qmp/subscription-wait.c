/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for an event. What came already is looked at on the caller's thread, and taken out of the queue by it; only
 * when the queue is empty the thread sleeps, in a request. The I/O thread begins that request and fills the queue, so
 * between the last look and the sleep nothing can come unnoticed.
 */
#include "base/error-private.h"
#include "base/sized-struct.h"
#include "base/util.h"
#include "qmp/qmp-private.h"

#define WAIT_TIMEOUT_MS 30000

typedef struct Wait {
	UtmQmpSubscription *subscription;
	UtmQmpEventMatchFunc match;
	void *match_data;
	UtmQmpWaitOptions options;
	gint64 deadline_us;
} Wait;

/* ---------------------------------------------------------------- I/O thread */

void utm__qmp_subscription_wake(UtmQmpSubscription *subscription)
{
	for (UtmRequest *request; (request = g_queue_pop_head(&subscription->waiting));)
		utm__request_finish(request, NULL, NULL, NULL);
}

static void start_sleep(UtmRequest *request)
{
	UtmQmpSubscription *subscription = (UtmQmpSubscription *)utm__request_get_object(request);
	pthread_mutex_lock(&subscription->lock);
	bool empty = g_queue_is_empty(&subscription->queue);
	pthread_mutex_unlock(&subscription->lock);
	if (empty && subscription->qmp->client)
		utm__qmp_client_attend(subscription->qmp->client);
	if (empty)
		g_queue_push_tail(&subscription->waiting, request);
	else
		utm__request_finish(request, NULL, NULL, NULL);
}

static void abort_sleep(UtmRequest *request, int code)
{
	UtmQmpSubscription *subscription = (UtmQmpSubscription *)utm__request_get_object(request);
	g_queue_remove(&subscription->waiting, request);
	utm__request_finish(request, utm__request_abort_error(request, code), NULL, NULL);
}

/* ---------------------------------------------------------------- the waiting thread */

static int fail_timeout(const Wait *wait, UtmError **error)
{
	return utm__fail(error, UTM_ERROR_TIMEOUT, "the event did not come within %" G_GINT64_FORMAT " ms",
	                 wait->options.timeout_ms);
}

/* Until there is something in the queue. */
static int sleep_until_filled(const Wait *wait, UtmError **error)
{
	g_autoptr(UtmError) failure = NULL;
	g_autoptr(UtmRequest) request = utm__request_new(&wait->subscription->object, "waiting for an event",
	                                                 utm__remaining_ms(wait->deadline_us), wait->options.cancel);
	utm__request_set_abort(request, abort_sleep);
	int failed = utm__request_run(request, start_sleep, &failure);
	if (failed == UTM_ERROR_TIMEOUT)
		return fail_timeout(wait, error);
	return failed ? utm__fail_take(error, g_steal_pointer(&failure)) : 0;
}

/* (transfer full) The first event in the queue, out of it; the end only shows itself. NULL when there is none. */
static const UtmQmpEvent *take(UtmQmpSubscription *subscription)
{
	pthread_mutex_lock(&subscription->lock);
	const UtmQmpEvent *event = g_queue_peek_head(&subscription->queue);
	if (event && event->name)
		event = utm__qmp_subscription_leave(subscription, g_queue_pop_head(&subscription->queue));
	else
		utm_qmp_event_ref(event);
	pthread_mutex_unlock(&subscription->lock);
	return event;
}

/* An event that nobody gets must not take with it how many were dropped before. */
static void reject(UtmQmpSubscription *subscription, const UtmQmpEvent *event_taken)
{
	pthread_mutex_lock(&subscription->lock);
	subscription->dropped += event_taken->dropped;
	pthread_mutex_unlock(&subscription->lock);
	utm_qmp_event_unref(event_taken);
}

static int fail_ended(const UtmQmpEvent *end_taken, UtmError **error)
{
	int failed = utm__fail(error, UTM_ERROR_QMP_DISCONNECTED, "the connection to the monitor has ended: %s",
	                       utm_error_get_message(end_taken->error));
	utm_qmp_event_unref(end_taken);
	return failed;
}

/* Events that do not match may come faster than they are looked at. */
static int check_deadline(const Wait *wait, UtmError **error)
{
	return utm__now_us() < wait->deadline_us ? 0 : fail_timeout(wait, error);
}

static bool matches(const Wait *wait, const UtmQmpEvent *event)
{
	return !wait->match || wait->match(event, wait->match_data);
}

static int wait_for_match(const Wait *wait, const UtmQmpEvent **ret_event, UtmError **error)
{
	for (;;) {
		int failed;
		if (utm__cancel_is_triggered(wait->options.cancel))
			return utm__fail(error, UTM_ERROR_CANCELLED, "waiting for an event was cancelled");
		const UtmQmpEvent *event = take(wait->subscription);
		if (!event) {
			failed = sleep_until_filled(wait, error);
		} else if (!event->name) {
			failed = fail_ended(event, error);
		} else if (matches(wait, event)) {
			*ret_event = event;
			return 0;
		} else {
			reject(wait->subscription, event);
			failed = check_deadline(wait, error);
		}
		if (failed)
			return failed;
	}
}

static int check(Wait *wait, const UtmQmpWaitOptions *options, UtmError **error)
{
	if (!wait->subscription)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no subscription");
	int failed = utm__sized_copy(&wait->options, sizeof wait->options, sizeof wait->options, options,
	                             "UtmQmpWaitOptions", error);
	if (failed)
		return failed;
	failed = utm__check_timeout(wait->options.timeout_ms, "timeout_ms", error);
	if (failed)
		return failed;
	if (!wait->subscription->collects)
		return utm__fail_take(error, utm__error_set_remedy(
			utm__error_new(UTM_ERROR_INVALID_STATE, "the events of this subscription go to its function"),
			"Subscribe without a function to wait for events."));
	if (wait->options.timeout_ms == 0)
		wait->options.timeout_ms = WAIT_TIMEOUT_MS;
	wait->deadline_us = utm__deadline_after(utm__now_us(), wait->options.timeout_ms);
	return utm__context_check_blocking(wait->subscription->object.context, error);
}

int utm_qmp_subscription_wait(UtmQmpSubscription *subscription, UtmQmpEventMatchFunc match, void *match_data,
                              const UtmQmpWaitOptions *options, const UtmQmpEvent **ret_event, UtmError **error)
{
	Wait wait = { .subscription = subscription, .match = match, .match_data = match_data };
	const UtmQmpEvent *event = NULL;
	int failed = check(&wait, options, error);
	if (failed)
		return failed;
	/* It lives as long as this, whatever another thread or `match` does with the caller's reference. */
	utm_qmp_subscription_ref(subscription);
	failed = wait_for_match(&wait, &event, error);
	utm_qmp_subscription_unref(subscription);
	if (!failed && ret_event)
		*ret_event = event;
	else
		utm_qmp_event_unref(event);
	return failed;
}
