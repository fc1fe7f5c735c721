/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arm, then command, then wait, with QEMU itself: no event is lost, however the threads interleave. */
#include "real-qemu.h"

#define ROUNDS 1000

static const char *const names_stop[] = { "STOP", NULL };
static const char *const names_resume[] = { "RESUME", NULL };

static UtmQmpSubscription *subscribe(UtmQmp *qmp, const char *const *names)
{
	UtmQmpSubscription *subscription = NULL;
	g_assert_cmpint(utm_qmp_subscribe(qmp, names, NULL, NULL, NULL, &subscription, NULL), ==, 0);
	return subscription;
}

static int wait_within(UtmQmpSubscription *subscription, gint64 timeout_ms)
{
	UtmQmpWaitOptions options = UTM_QMP_WAIT_OPTIONS_INIT;
	options.timeout_ms = timeout_ms;
	return utm_qmp_subscription_wait(subscription, NULL, NULL, &options, NULL, NULL);
}

static void assert_next(UtmQmpSubscription *subscription, const char *name)
{
	const UtmQmpEvent *event = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_qmp_subscription_wait(subscription, NULL, NULL, NULL, &event, &error) < 0)
		g_error("%s: %s", name, utm_error_get_message(error));
	g_assert_cmpstr(event->name, ==, name);
	g_assert_cmpuint(event->dropped, ==, 0);
	utm_qmp_event_unref(event);
}

typedef struct Seen {
	int stops, resumes, ends;
} Seen;

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Seen *seen = data;
	seen->stops += g_strcmp0(event->name, "STOP") == 0;
	seen->resumes += g_strcmp0(event->name, "RESUME") == 0;
	seen->ends += event->name == NULL;
}

static void dispatch_until(const int *count, int at_least)
{
	gint64 end = g_get_monotonic_time() + PATIENCE_MS * 1000;
	while (*count < at_least && g_get_monotonic_time() < end)
		utm_context_wait(context, 100);
	g_assert_cmpint(*count, ==, at_least);
}

/* One subscription for all rounds, next to one that hears everything: both get each event, once. */
static void test_thousand_times(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	Seen seen = { 0 };
	UtmQmpSubscription *stops = subscribe(qmp, names_stop), *resumes = subscribe(qmp, names_resume), *all = NULL;
	g_assert_cmpint(utm_qmp_subscribe(qmp, NULL, on_event, &seen, NULL, &all, NULL), ==, 0);
	for (int i = 0; i < ROUNDS; i++) {
		utm_free(execute(qmp, "stop", NULL));
		assert_next(stops, "STOP");
		utm_free(execute(qmp, "cont", NULL));
		assert_next(resumes, "RESUME");
		utm_context_dispatch(context, 0);
	}
	dispatch_until(&seen.resumes, ROUNDS);
	g_assert_cmpint(seen.stops, ==, ROUNDS);
	g_assert_cmpint(wait_within(stops, 20), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpint(wait_within(resumes, 20), ==, UTM_ERROR_TIMEOUT);
	utm_qmp_subscription_unref(stops);
	utm_qmp_subscription_unref(resumes);
	utm_qmp_subscription_unref(all);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

/* A subscription for each command, made just before it, while the command itself does not wait. */
static void test_armed_each_time(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	for (int i = 0; i < ROUNDS; i++) {
		bool stop = i % 2 == 0;
		UtmQmpSubscription *armed = subscribe(qmp, stop ? names_stop : names_resume);
		const char *command = stop ? "stop" : "cont";
		g_assert_cmpint(utm_qmp_execute_async(qmp, command, NULL, NULL, NULL, NULL, NULL, NULL), ==, 0);
		assert_next(armed, stop ? "STOP" : "RESUME");
		utm_qmp_subscription_unref(armed);
		utm_context_dispatch(context, 0);
	}
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

static void *wait_for_all_stops(void *data)
{
	for (int i = 0; i < ROUNDS; i++)
		assert_next(data, "STOP");
	return NULL;
}

/* The waiting thread is not the one that gives the commands. */
static void test_second_thread(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	UtmQmpSubscription *stops = subscribe(qmp, names_stop);
	GThread *thread = g_thread_new("waiter", wait_for_all_stops, stops);
	for (int i = 0; i < ROUNDS; i++) {
		utm_free(execute(qmp, "stop", NULL));
		utm_free(execute(qmp, "cont", NULL));
	}
	g_thread_join(thread);
	utm_qmp_subscription_unref(stops);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

typedef struct Inside {
	UtmQmpSubscription *resumes;
	UtmQmpSubscription *own;
	int rounds;
} Inside;

/* In dispatch: command, wait, and after the last round away with the subscription that called. */
static void resume_and_wait(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Inside *inside = data;
	utm_free(execute(qmp, "cont", NULL));
	assert_next(inside->resumes, "RESUME");
	if (++inside->rounds == 100)
		utm_qmp_subscription_unref(inside->own);
}

static void test_inside_a_callback(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	Inside inside = { .resumes = subscribe(qmp, names_resume) };
	g_assert_cmpint(utm_qmp_subscribe(qmp, names_stop, resume_and_wait, &inside, NULL, &inside.own, NULL), ==, 0);
	for (int i = 0; i < 100; i++) {
		utm_free(execute(qmp, "stop", NULL));
		dispatch_until(&inside.rounds, i + 1);
	}
	utm_free(execute(qmp, "stop", NULL));
	utm_context_wait(context, 20);
	g_assert_cmpint(inside.rounds, ==, 100);
	utm_qmp_subscription_unref(inside.resumes);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

static void *wait_for_the_end(void *data)
{
	return GINT_TO_POINTER(wait_within(data, PATIENCE_MS));
}

static void test_killed_with_waiters(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	UtmQmpSubscription *stops = subscribe(qmp, names_stop);
	GThread *threads[3];
	for (int i = 0; i < 3; i++)
		threads[i] = g_thread_new("waiter", wait_for_the_end, stops);
	/* A wait that is over in time says so, with QEMU at a stand, and leaves the others alone. */
	kill(machine.pid, SIGSTOP);
	g_assert_cmpint(wait_within(stops, 20), ==, UTM_ERROR_TIMEOUT);
	kill(machine.pid, SIGKILL);
	for (int i = 0; i < 3; i++)
		g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(threads[i])), ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_qmp_subscription_unref(stops);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (!have_qemu())
		return 0;
	g_test_add_func("/qmp/real-events/thousand-times", test_thousand_times);
	g_test_add_func("/qmp/real-events/armed-each-time", test_armed_each_time);
	g_test_add_func("/qmp/real-events/second-thread", test_second_thread);
	g_test_add_func("/qmp/real-events/inside-a-callback", test_inside_a_callback);
	g_test_add_func("/qmp/real-events/killed-with-waiters", test_killed_with_waiters);
	return real_main();
}
