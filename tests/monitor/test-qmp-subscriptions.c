/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Subscriptions: who gets which events, how long, how many, and what waiting for one does. The server sends what the
 * test asks it for, so that the test decides when.
 */
#include "session.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmQmpSubscription, utm_qmp_subscription_unref)

/* As docs/limits.md has them. */
#define WAITING_MAX 1024
#define SUBSCRIPTIONS_MAX 256

/* ---------------------------------------------------------------- the server */

/* The number of the event and, for bounds of size, some text. */
static void send_event(FakeQmp *fake, const char *name, int number, gsize padding)
{
	g_autofree char *text = g_strnfill(padding, 'x');
	fake_qmp_sendf(fake, "{'event': '%s', 'data': {'n': %d", name, number);
	if (padding) {
		fake_qmp_send(fake, ", 'text': '");
		fake_qmp_send_bytes(fake, text, padding);
		fake_qmp_send(fake, "'");
	}
	fake_qmp_send(fake, "}}\r\n");
}

/* A command's name says what to do: NAME.COUNT sends events, NAME.COUNT.BYTES large ones, "hang-up" ends. */
static bool obey_one(FakeQmp *fake, const char *command, int *number)
{
	g_auto(GStrv) parts = g_strsplit(command, ".", 3);
	if (g_str_equal(command, "hang-up"))
		return false;
	for (int i = parts[1] ? atoi(parts[1]) : 0; i > 0; i--)
		send_event(fake, parts[0], (*number)++, parts[1] && parts[2] ? (gsize)atoi(parts[2]) : 0);
	return true;
}

static void obey(FakeQmp *fake, void *data)
{
	int number = 0;
	fake_qmp_negotiate(fake);
	for (char *text; (text = fake_qmp_receive(fake)); g_free(text)) {
		g_auto(GStrv) parts = g_strsplit(text, "\"", 5);
		const char *id = strstr(text, "\"id\":");
		if (!obey_one(fake, parts[3], &number)) {
			g_free(text);
			return;
		}
		fake_qmp_reply(fake, atoi(id + 5), "{}");
	}
}

static void tell(Session *session, const char *command)
{
	g_assert_cmpint(utm_qmp_execute(session->qmp, command, NULL, NULL, NULL, NULL), ==, 0);
}

/* The server goes; the connection ends some time soon. */
static void hang_up(Session *session)
{
	g_assert_cmpint(utm_qmp_execute(session->qmp, "hang-up", NULL, NULL, NULL, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
}

/* ---------------------------------------------------------------- what a test sees */

typedef struct Seen {
	UtmQmpSubscription *own;   /* to be ended by its function */
	UtmQmpSubscription *other;
	const UtmQmpEvent *kept;   /* the first */
	int events, ends, freed, replies;
	guint64 dropped;
	GString *text;
} Seen;

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Seen *seen = data;
	g_assert_cmpint(seen->ends, ==, 0); /* the end is the last */
	g_assert_cmpint(seen->freed, ==, 0);
	g_assert_cmpuint(event->size, ==, sizeof *event);
	g_assert_cmpint(event->id, ==, -1);
	g_assert_null(event->payload);
	seen->dropped += event->dropped;
	seen->events += event->name != NULL;
	seen->ends += event->name == NULL;
	g_assert_true((event->error != NULL) == (event->name == NULL));
	if (!seen->kept)
		seen->kept = utm_qmp_event_ref(event);
	if (seen->text)
		g_string_append_printf(seen->text, "%s ", event->name ? event->name : "end");
	utm_qmp_subscription_unref(g_steal_pointer(&seen->own));
	utm_qmp_subscription_unref(g_steal_pointer(&seen->other));
}

static void on_free(void *data)
{
	((Seen *)data)->freed++;
}

static void seen_clear(Seen *seen)
{
	utm_qmp_event_unref(seen->kept);
	if (seen->text)
		g_string_free(seen->text, TRUE);
}

static UtmQmpSubscription *subscribe(Session *session, const char *const *names, Seen *seen)
{
	UtmQmpSubscription *subscription = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_qmp_subscribe(session->qmp, names, seen ? on_event : NULL, seen, seen ? on_free : NULL, &subscription,
	                      &error) < 0)
		g_error("%s", utm_error_get_message(error));
	return subscription;
}

static int wait_within(UtmQmpSubscription *subscription, UtmQmpEventMatchFunc match, void *data, gint64 timeout_ms,
                       const UtmQmpEvent **ret_event)
{
	UtmQmpWaitOptions options = UTM_QMP_WAIT_OPTIONS_INIT;
	options.timeout_ms = timeout_ms;
	return utm_qmp_subscription_wait(subscription, match, data, &options, ret_event, NULL);
}

static int get_number(const UtmQmpEvent *event)
{
	return atoi(event->data + strlen("{\"n\":"));
}

/* Waits for the next event and returns its number. */
static int next_number(UtmQmpSubscription *subscription)
{
	const UtmQmpEvent *event = NULL;
	g_assert_cmpint(wait_within(subscription, NULL, NULL, PATIENCE_MS, &event), ==, 0);
	int number = get_number(event);
	utm_qmp_event_unref(event);
	return number;
}

static const char *const names_a[] = { "A", NULL }, *const names_b[] = { "B", NULL }, *const names_ab[] = { "A", "B", NULL },
                  *const names_none[] = { NULL };

/* ---------------------------------------------------------------- who gets what */

static void test_by_name(void)
{
	Session session = session_open(obey, NULL);
	const char *const *const names[] = { NULL, names_a, names_b, names_ab, names_none };
	const char *const expected[] = { "A B C B end ", "A end ", "B B end ", "A B B end ", "end " };
	Seen seen[G_N_ELEMENTS(names)] = { 0 };
	UtmQmpSubscription *subscriptions[G_N_ELEMENTS(names)];
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		seen[i].text = g_string_new(NULL);
		subscriptions[i] = subscribe(&session, names[i], &seen[i]);
	}
	tell(&session, "A.1");
	tell(&session, "B.1");
	tell(&session, "C.1");
	tell(&session, "B.1");
	hang_up(&session);
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		wait_for(seen[i].ends == 1);
		g_assert_cmpstr(seen[i].text->str, ==, expected[i]);
		g_assert_cmpint(seen[i].freed, ==, 0);
		utm_qmp_subscription_unref(subscriptions[i]);
		g_assert_cmpint(seen[i].freed, ==, 1);
		seen_clear(&seen[i]);
	}
	session_close(&session);
}

/* All subscribers, and the handler, are shown the same object; it outlives everything. */
static void test_one_event_for_all(void)
{
	UtmContext *shared = context;
	context = utm_context_new(NULL, NULL);
	Session session = session_open(obey, NULL);
	Seen seen[3] = { 0 };
	g_autoptr(UtmQmpSubscription) collecting = subscribe(&session, NULL, NULL);
	UtmQmpSubscription *first = subscribe(&session, NULL, &seen[0]), *second = subscribe(&session, names_a, &seen[1]);
	utm_qmp_set_event_handler(session.qmp, on_event, &seen[2], on_free);
	tell(&session, "A.1");
	for (int i = 0; i < 3; i++)
		wait_for(seen[i].events == 1);
	const UtmQmpEvent *event = NULL;
	g_assert_cmpint(wait_within(collecting, NULL, NULL, PATIENCE_MS, &event), ==, 0);
	for (int i = 0; i < 3; i++) {
		g_assert_true(seen[i].kept == event);
		utm_qmp_event_unref(seen[i].kept);
	}
	utm_qmp_subscription_unref(first);
	utm_qmp_subscription_unref(second);
	utm_qmp_subscription_unref(g_steal_pointer(&collecting));
	session_close(&session);
	utm_context_unref(context);
	context = shared;
	g_assert_cmpint(seen[0].freed + seen[1].freed + seen[2].freed, ==, 3);
	g_assert_cmpstr(event->name, ==, "A");
	g_assert_cmpstr(event->data, ==, "{\"n\":0}");
	utm_qmp_event_unref(event);
}

static void on_reply(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Seen *seen = data;
	seen->replies++;
	g_string_append(seen->text, "reply ");
}

/* Events and answers come in the order in which QEMU sent them, also when many wait for dispatch. */
static void test_order(void)
{
	Session session = session_open(obey, NULL);
	Seen seen = { .text = g_string_new(NULL) };
	g_autoptr(UtmQmpSubscription) subscription = subscribe(&session, names_ab, &seen);
	utm_qmp_execute_async(session.qmp, "A.2", NULL, NULL, on_reply, &seen, NULL, NULL);
	utm_qmp_execute_async(session.qmp, "B.1", NULL, NULL, on_reply, &seen, NULL, NULL);
	utm_qmp_execute_async(session.qmp, "C.1", NULL, NULL, on_reply, &seen, NULL, NULL);
	utm_qmp_execute_async(session.qmp, "A.1", NULL, NULL, on_reply, &seen, NULL, NULL);
	wait_for(seen.replies == 4);
	g_assert_cmpstr(seen.text->str, ==, "A A reply B reply reply A reply ");
	utm_qmp_subscription_unref(g_steal_pointer(&subscription));
	session_close(&session);
	seen_clear(&seen);
}

/* ---------------------------------------------------------------- how long */

static void test_unsubscribe_inside(void)
{
	Session session = session_open(obey, NULL);
	Seen ends_itself = { 0 }, ended = { 0 }, stays = { 0 };
	ends_itself.own = subscribe(&session, NULL, &ends_itself);
	ends_itself.other = subscribe(&session, NULL, &ended);
	g_autoptr(UtmQmpSubscription) subscription = subscribe(&session, NULL, &stays);
	tell(&session, "A.5");
	wait_for(stays.events == 5);
	g_assert_cmpint(ends_itself.events, ==, 1);
	g_assert_cmpint(ends_itself.freed, ==, 1);
	g_assert_cmpint(ended.events, ==, 0);
	g_assert_cmpint(ended.freed, ==, 1);
	tell(&session, "A.1");
	wait_for(stays.events == 6);
	utm_qmp_subscription_unref(g_steal_pointer(&subscription));
	session_close(&session);
	seen_clear(&ends_itself);
	seen_clear(&stays);
}

static void test_unsubscribe_outside(void)
{
	Session session = session_open(obey, NULL);
	Seen seen = { 0 };
	UtmQmpSubscription *subscription = subscribe(&session, NULL, &seen);
	g_assert_true(utm_qmp_subscription_ref(subscription) == subscription);
	tell(&session, "A.5");
	utm_qmp_subscription_unref(subscription);
	g_assert_cmpint(seen.freed, ==, 0);
	utm_qmp_subscription_unref(subscription);
	g_assert_cmpint(seen.freed, ==, 1);
	while (utm_context_wait(context, 20) > 0)
		;
	g_assert_cmpint(seen.events, ==, 0);
	session_close(&session);
}

/* A handler that is replaced hears no more, also of what waited for it; the new one hears of what is new. */
static void test_handler_replaced(void)
{
	Session session = session_open(obey, NULL);
	Seen former = { 0 }, present = { 0 };
	utm_qmp_set_event_handler(session.qmp, on_event, &former, on_free);
	tell(&session, "A.3");
	utm_qmp_set_event_handler(session.qmp, on_event, &present, on_free);
	g_assert_cmpint(former.freed, ==, 1);
	tell(&session, "A.4");
	hang_up(&session);
	wait_for(present.ends == 1);
	g_assert_cmpint(present.events, ==, 4);
	session_close(&session);
	g_assert_cmpint(present.freed, ==, 1);
	seen_clear(&present);
}

/* The last reference to the connection is the subscription's; the events that wait for it are freed with it. */
static void test_keeps_its_connection(void)
{
	for (int with_function = 0; with_function < 2; with_function++) {
		UtmContext *shared = context;
		context = utm_context_new(NULL, NULL);
		Session session = session_open(obey, NULL);
		Seen seen = { 0 };
		UtmQmpSubscription *subscription = subscribe(&session, NULL, with_function ? &seen : NULL);
		utm_context_unref(context);
		context = shared;
		tell(&session, "A.3");
		UtmQmp *qmp = g_steal_pointer(&session.qmp);
		utm_qmp_unref(qmp);
		/* Open still, though nobody but the subscription has a reference. */
		g_assert_cmpint(utm_qmp_execute(qmp, "A.1", NULL, NULL, NULL, NULL), ==, 0);
		for (int n = 0; n < 4 && !with_function; n++)
			g_assert_cmpint(next_number(subscription), ==, n);
		utm_qmp_subscription_unref(subscription);
		g_assert_cmpint(seen.freed, ==, with_function);
		g_assert_cmpint(seen.events, ==, 0);
		session_close(&session);
	}
}

static void test_after_the_end(void)
{
	Session session = session_open(obey, NULL);
	Seen seen = { 0 }, handler = { 0 };
	UtmQmpSubscription *before = subscribe(&session, NULL, NULL);
	hang_up(&session);
	g_assert_cmpint(wait_within(before, NULL, NULL, PATIENCE_MS, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	g_autoptr(UtmQmpSubscription) subscription = subscribe(&session, names_a, &seen);
	g_autoptr(UtmQmpSubscription) collecting = subscribe(&session, names_a, NULL);
	utm_qmp_set_event_handler(session.qmp, on_event, &handler, NULL);
	utm_qmp_close(session.qmp);
	wait_for(seen.ends == 1 && handler.ends == 1);
	g_assert_cmpint(wait_within(collecting, NULL, NULL, PATIENCE_MS, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_cmpint(wait_within(collecting, NULL, NULL, PATIENCE_MS, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_qmp_subscription_unref(before);
	utm_qmp_subscription_unref(g_steal_pointer(&subscription));
	utm_qmp_subscription_unref(g_steal_pointer(&collecting));
	session_close(&session);
	seen_clear(&seen);
	seen_clear(&handler);
}

/* ---------------------------------------------------------------- how many */

static bool is_in_a_hurry(const UtmQmpEvent *event, void *data)
{
	return strcmp(event->name, "B") == 0;
}

/* Who does not keep up loses the newest and is told; nobody else loses any. */
static void test_overflow(void)
{
	Session session = session_open(obey, NULL);
	Seen idle = { 0 };
	g_autoptr(UtmQmpSubscription) function = subscribe(&session, NULL, &idle);
	g_autoptr(UtmQmpSubscription) collecting = subscribe(&session, NULL, NULL);
	g_autoptr(UtmQmpSubscription) picky = subscribe(&session, NULL, NULL);
	g_autoptr(UtmQmpSubscription) keeps_up = subscribe(&session, NULL, NULL);
	int taken = 0;
	for (int i = 0; i < 3; i++) {
		tell(&session, "A.600");
		for (int n = 0; n < 600; n++)
			g_assert_cmpint(next_number(keeps_up), ==, taken++);
	}
	wait_for(idle.events == WAITING_MAX);
	g_assert_cmpuint(idle.dropped, ==, 1800 - WAITING_MAX);

	const UtmQmpEvent *event = NULL;
	g_assert_cmpint(wait_within(collecting, NULL, NULL, PATIENCE_MS, &event), ==, 0);
	g_assert_cmpint(get_number(event), ==, 0);
	g_assert_cmpuint(event->dropped, ==, 1800 - WAITING_MAX);
	utm_qmp_event_unref(event);
	for (int n = 1; n < WAITING_MAX; n++)
		g_assert_cmpint(next_number(collecting), ==, n);
	tell(&session, "A.1");
	g_assert_cmpint(wait_within(collecting, NULL, NULL, PATIENCE_MS, &event), ==, 0);
	g_assert_cmpint(get_number(event), ==, 1800);
	g_assert_cmpuint(event->dropped, ==, 0);
	utm_qmp_event_unref(event);

	/* Those that do not match do not swallow the number. */
	g_assert_cmpint(wait_within(picky, is_in_a_hurry, NULL, 1, NULL), ==, UTM_ERROR_TIMEOUT);
	while (wait_within(picky, is_in_a_hurry, NULL, 1, NULL) != UTM_ERROR_TIMEOUT)
		;
	tell(&session, "B.1");
	g_assert_cmpint(wait_within(picky, is_in_a_hurry, NULL, PATIENCE_MS, &event), ==, 0);
	g_assert_cmpuint(event->dropped, ==, 1801 - WAITING_MAX);
	utm_qmp_event_unref(event);
	utm_qmp_subscription_unref(g_steal_pointer(&function));
	utm_qmp_subscription_unref(g_steal_pointer(&collecting));
	utm_qmp_subscription_unref(g_steal_pointer(&picky));
	utm_qmp_subscription_unref(g_steal_pointer(&keeps_up));
	session_close(&session);
	seen_clear(&idle);
}

/* The end has room where nothing else has, for a function and for those who collect. */
static void test_end_on_top_of_a_full_queue(void)
{
	Session session = session_open(obey, NULL);
	Seen seen = { 0 };
	UtmQmpSubscription *function = subscribe(&session, NULL, &seen), *collecting = subscribe(&session, NULL, NULL);
	tell(&session, "A.2000");
	hang_up(&session);
	utm_qmp_close(session.qmp);
	wait_for(seen.ends == 1);
	g_assert_cmpint(seen.events, ==, WAITING_MAX);
	for (int n = 0; n < WAITING_MAX; n++)
		g_assert_cmpint(next_number(collecting), ==, n);
	g_assert_cmpint(wait_within(collecting, NULL, NULL, PATIENCE_MS, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_qmp_subscription_unref(function);
	utm_qmp_subscription_unref(collecting);
	session_close(&session);
	seen_clear(&seen);
}

/* Events are bounded by what they hold, too, but one alone always gets through; so does the end. */
static void test_large_events(void)
{
	Session session = session_open(obey, NULL);
	Seen seen = { 0 };
	g_autoptr(UtmQmpSubscription) function = subscribe(&session, NULL, &seen);
	g_autoptr(UtmQmpSubscription) collecting = subscribe(&session, NULL, NULL);
	tell(&session, "A.1.20000000");
	tell(&session, "A.1");
	wait_for(seen.events == 1);
	g_assert_cmpuint(seen.dropped, ==, 1);
	g_assert_cmpint(next_number(collecting), ==, 0);
	tell(&session, "A.5.5000000");
	hang_up(&session);
	wait_for(seen.ends == 1);
	g_assert_cmpint(seen.events, ==, 4);
	g_assert_cmpuint(seen.dropped, ==, 3);
	for (int i = 0; i < 3; i++)
		g_assert_cmpint(next_number(collecting), ==, 2 + i);
	g_assert_cmpint(wait_within(collecting, NULL, NULL, PATIENCE_MS, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_qmp_subscription_unref(g_steal_pointer(&function));
	utm_qmp_subscription_unref(g_steal_pointer(&collecting));
	session_close(&session);
	seen_clear(&seen);
}

static void test_too_many(void)
{
	Session session = session_open(obey, NULL);
	UtmQmpSubscription *subscriptions[SUBSCRIPTIONS_MAX], *one_more = NULL;
	for (int i = 0; i < SUBSCRIPTIONS_MAX; i++)
		subscriptions[i] = subscribe(&session, i % 2 ? names_a : names_b, NULL);
	Seen refused = { 0 }, handler = { 0 };
	g_assert_cmpint(utm_qmp_subscribe(session.qmp, NULL, on_event, &refused, on_free, &one_more, NULL), ==,
	                UTM_ERROR_LIMIT);
	g_assert_null(one_more);
	g_assert_cmpint(refused.freed, ==, 1);
	/* The handler has its place. */
	utm_qmp_set_event_handler(session.qmp, on_event, &handler, NULL);
	tell(&session, "A.1");
	wait_for(handler.events == 1);
	for (int i = 1; i < SUBSCRIPTIONS_MAX; i += 2)
		g_assert_cmpint(next_number(subscriptions[i]), ==, 0);
	for (int i = 0; i < SUBSCRIPTIONS_MAX; i++)
		utm_qmp_subscription_unref(subscriptions[i]);
	utm_qmp_subscription_unref(subscribe(&session, NULL, NULL));
	session_close(&session);
	seen_clear(&handler);
}

/* ---------------------------------------------------------------- waiting */

static bool has_number(const UtmQmpEvent *event, void *number)
{
	return get_number(event) == GPOINTER_TO_INT(number);
}

static void test_match_consumes(void)
{
	Session session = session_open(obey, NULL);
	g_autoptr(UtmQmpSubscription) subscription = subscribe(&session, NULL, NULL);
	tell(&session, "A.10");
	g_assert_cmpint(wait_within(subscription, has_number, GINT_TO_POINTER(4), PATIENCE_MS, NULL), ==, 0);
	g_assert_cmpint(next_number(subscription), ==, 5);
	g_assert_cmpint(wait_within(subscription, has_number, GINT_TO_POINTER(1), 10, NULL), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpint(wait_within(subscription, NULL, NULL, 10, NULL), ==, UTM_ERROR_TIMEOUT);
	/* What waits is still had after the end. */
	tell(&session, "A.2");
	hang_up(&session);
	utm_qmp_close(session.qmp);
	g_assert_cmpint(next_number(subscription), ==, 10);
	g_assert_cmpint(next_number(subscription), ==, 11);
	g_assert_cmpint(wait_within(subscription, NULL, NULL, PATIENCE_MS, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_qmp_subscription_unref(g_steal_pointer(&subscription));
	session_close(&session);
}

static bool never(const UtmQmpEvent *event, void *data)
{
	g_usleep(1000);
	return false;
}

static void *tell_without_pause(void *data)
{
	while (utm_qmp_execute(data, "A.100", NULL, NULL, NULL, NULL) == 0)
		;
	return NULL;
}

/* Events that do not match do not put off the deadline, even when there is no end to them. */
static void test_deadline_in_a_flood(void)
{
	Session session = session_open(obey, NULL);
	g_autoptr(UtmQmpSubscription) subscription = subscribe(&session, NULL, NULL);
	GThread *thread = g_thread_new("flood", tell_without_pause, session.qmp);
	g_assert_cmpint(wait_within(subscription, never, NULL, 50, NULL), ==, UTM_ERROR_TIMEOUT);
	utm_qmp_close(session.qmp);
	g_thread_join(thread);
	utm_qmp_subscription_unref(g_steal_pointer(&subscription));
	session_close(&session);
}

typedef struct Waiter {
	UtmQmpSubscription *subscription;
	UtmCancel *cancel;
	GThread *thread;
	int count;
	int code;
	int seen[1000];
} Waiter;

/* Takes events until that fails. */
static void *wait_and_count(void *data)
{
	Waiter *waiter = data;
	UtmQmpWaitOptions options = { sizeof options, -1, waiter->cancel };
	const UtmQmpEvent *event = NULL;
	while ((waiter->code = utm_qmp_subscription_wait(waiter->subscription, NULL, NULL, &options, &event, NULL)) == 0) {
		waiter->seen[get_number(event)]++;
		waiter->count++;
		utm_qmp_event_unref(event);
	}
	return NULL;
}

#define WAITERS 4

static void start_waiters(Waiter *waiters, UtmQmpSubscription *subscription, UtmCancel *cancel)
{
	for (int i = 0; i < WAITERS; i++) {
		waiters[i] = (Waiter){ .subscription = subscription, .cancel = cancel };
		waiters[i].thread = g_thread_new("waiter", wait_and_count, &waiters[i]);
	}
}

static void join_waiters(Waiter *waiters, int code)
{
	for (int i = 0; i < WAITERS; i++) {
		g_thread_join(waiters[i].thread);
		g_assert_cmpint(waiters[i].code, ==, code);
	}
}

/* Each event goes to one of them; the end goes to all. */
static void test_many_waiters(void)
{
	Session session = session_open(obey, NULL);
	UtmQmpSubscription *subscription = subscribe(&session, NULL, NULL);
	Waiter *waiters = g_new(Waiter, WAITERS);
	start_waiters(waiters, subscription, NULL);
	for (int i = 0; i < 100; i++)
		tell(&session, "A.10");
	hang_up(&session);
	join_waiters(waiters, UTM_ERROR_QMP_DISCONNECTED);
	for (int n = 0; n < 1000; n++)
		g_assert_cmpint(waiters[0].seen[n] + waiters[1].seen[n] + waiters[2].seen[n] + waiters[3].seen[n], ==, 1);
	g_free(waiters);
	utm_qmp_subscription_unref(subscription);
	session_close(&session);
}

static void let_them_sleep(void)
{
	g_usleep(20000);
}

static void test_close_wakes_waiters(void)
{
	Session session = session_open(obey, NULL);
	UtmQmpSubscription *subscription = subscribe(&session, NULL, NULL);
	Waiter *waiters = g_new(Waiter, WAITERS);
	start_waiters(waiters, subscription, NULL);
	let_them_sleep();
	utm_qmp_close(session.qmp);
	join_waiters(waiters, UTM_ERROR_QMP_DISCONNECTED);
	g_free(waiters);
	utm_qmp_subscription_unref(subscription);
	session_close(&session);
}

/* The application lets go of everything while threads wait: they keep it, until the server ends it. */
static void test_dropped_with_waiters(void)
{
	UtmContext *shared = context;
	context = utm_context_new(NULL, NULL);
	Session session = session_open(obey, NULL);
	UtmQmpSubscription *subscription = subscribe(&session, NULL, NULL);
	Waiter *waiters = g_new(Waiter, WAITERS);
	start_waiters(waiters, subscription, NULL);
	let_them_sleep();
	utm_qmp_subscription_unref(subscription);
	utm_qmp_execute_async(session.qmp, "hang-up", NULL, NULL, NULL, NULL, NULL, NULL);
	utm_qmp_unref(g_steal_pointer(&session.qmp));
	utm_context_unref(context);
	context = shared;
	join_waiters(waiters, UTM_ERROR_QMP_DISCONNECTED);
	g_free(waiters);
	session_close(&session);
}

static void test_cancel(void)
{
	Session session = session_open(obey, NULL);
	UtmQmpSubscription *subscription = subscribe(&session, NULL, NULL);
	UtmCancel *cancel = utm_cancel_new();
	Waiter *waiters = g_new(Waiter, WAITERS);
	start_waiters(waiters, subscription, cancel);
	let_them_sleep();
	utm_cancel_trigger(cancel);
	join_waiters(waiters, UTM_ERROR_CANCELLED);
	/* Cancelled before it began: nothing is taken. */
	tell(&session, "A.1");
	wait_and_count(&waiters[0]);
	g_assert_cmpint(waiters[0].code, ==, UTM_ERROR_CANCELLED);
	g_assert_cmpint(waiters[0].count, ==, 0);
	g_assert_cmpint(next_number(subscription), ==, 0);
	utm_cancel_unref(cancel);
	g_free(waiters);
	utm_qmp_subscription_unref(subscription);
	session_close(&session);
}

typedef struct Chain {
	UtmQmpSubscription *collecting;
	int left;
} Chain;

/* Nobody dispatches meanwhile, for this is inside dispatch. */
static void command_and_wait(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Chain *chain = data;
	if (chain->left == 0)
		return;
	chain->left--;
	g_assert_cmpint(utm_qmp_execute_async(qmp, "B.1", NULL, NULL, NULL, NULL, NULL, NULL), ==, 0);
	next_number(chain->collecting);
	g_assert_cmpint(utm_qmp_execute(qmp, "A.1", NULL, NULL, NULL, NULL), ==, 0);
}

static void test_wait_inside_a_callback(void)
{
	Session session = session_open(obey, NULL);
	Chain chain = { .left = 50 };
	UtmQmpSubscription *subscription = NULL;
	chain.collecting = subscribe(&session, names_b, NULL);
	utm_qmp_subscribe(session.qmp, names_a, command_and_wait, &chain, NULL, &subscription, NULL);
	tell(&session, "A.1");
	wait_for(chain.left == 0);
	utm_qmp_subscription_unref(subscription);
	utm_qmp_subscription_unref(chain.collecting);
	session_close(&session);
}

static gint code_in_wakeup;

static void wait_in_wakeup(void *data)
{
	g_atomic_int_set(&code_in_wakeup, utm_qmp_subscription_wait(data, NULL, NULL, NULL, NULL, NULL));
}

static void test_wait_inside_the_wakeup(void)
{
	Session session = session_open(obey, NULL);
	Seen seen = { 0 };
	UtmQmpSubscription *collecting = subscribe(&session, NULL, NULL), *function = subscribe(&session, NULL, &seen);
	utm_context_set_wakeup(context, wait_in_wakeup, collecting, NULL);
	tell(&session, "A.1");
	wait_for(seen.events == 1);
	utm_context_set_wakeup(context, NULL, NULL, NULL);
	g_assert_cmpint(g_atomic_int_get(&code_in_wakeup), ==, UTM_ERROR_WRONG_THREAD);
	utm_qmp_subscription_unref(collecting);
	utm_qmp_subscription_unref(function);
	session_close(&session);
	seen_clear(&seen);
}

/* Subscribing and leaving from two threads, while events come and are dispatched on a third. */
static void *come_and_go(void *data)
{
	Session *session = data;
	for (int i = 0; i < 300; i++) {
		UtmQmpSubscription *subscription = subscribe(session, i % 3 ? names_ab : NULL, NULL);
		tell(session, "A.2");
		g_assert_cmpint(wait_within(subscription, NULL, NULL, PATIENCE_MS, NULL), ==, 0);
		utm_qmp_subscription_unref(subscription);
	}
	return NULL;
}

static void test_come_and_go(void)
{
	Session session = session_open(obey, NULL);
	Seen seen = { 0 };
	g_autoptr(UtmQmpSubscription) subscription = subscribe(&session, NULL, &seen);
	GThread *threads[2] = { g_thread_new("one", come_and_go, &session), g_thread_new("two", come_and_go, &session) };
	for (gint64 end = g_get_monotonic_time() + PATIENCE_MS * 1000;
	     seen.events + (int)seen.dropped < 1200 && g_get_monotonic_time() < end;)
		utm_context_wait(context, 100);
	g_assert_cmpint(seen.events + (int)seen.dropped, ==, 1200);
	for (int i = 0; i < 2; i++)
		g_thread_join(threads[i]);
	utm_qmp_subscription_unref(g_steal_pointer(&subscription));
	session_close(&session);
	seen_clear(&seen);
}

/* ---------------------------------------------------------------- after a burst of blocking calls */

#define BURST 100

/* Answers `later` at once and sends its event a moment after, when nobody reads; `leave` ends it the same way. */
static void lag(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	for (char *text; (text = fake_qmp_receive(fake)); g_free(text)) {
		bool later = strstr(text, "later"), leave = strstr(text, "leave");
		fake_qmp_reply(fake, atoi(strstr(text, "\"id\":") + 5), "{}");
		if (later || leave)
			g_usleep(300);
		if (later)
			send_event(fake, "A", 7, 0);
		if (leave) {
			g_free(text);
			return;
		}
	}
}

static void call_burst(Session *session, const char *last)
{
	for (int i = 0; i < BURST; i++)
		tell(session, "query-status");
	tell(session, last);
}

static void on_late_reply(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	g_assert_null(error);
	((Seen *)data)->replies++;
}

/* The socket is not watched right after a burst: whatever comes next must be seen all the same. */
static void test_after_a_burst(void)
{
	Session session = session_open(lag, NULL);
	Seen seen = { 0 };
	g_autoptr(UtmQmpSubscription) listener = subscribe(&session, NULL, &seen);
	UtmQmpSubscription *waiter = subscribe(&session, names_ab, NULL);
	for (int round = 1; round <= 10; round++) {
		call_burst(&session, "later");
		wait_for(seen.events == round); /* by dispatch alone */
		g_assert_cmpint(next_number(waiter), ==, 7);
	}
	call_burst(&session, "later");
	g_assert_cmpint(next_number(waiter), ==, 7); /* by a thread that sleeps */
	call_burst(&session, "query-status");
	g_assert_cmpint(utm_qmp_execute_async(session.qmp, "query-status", NULL, NULL, on_late_reply, &seen, NULL, NULL), ==, 0);
	wait_for(seen.replies == 1);
	call_burst(&session, "leave");
	wait_for(seen.ends == 1);
	utm_qmp_subscription_unref(waiter);
	utm_qmp_subscription_unref(g_steal_pointer(&listener));
	session_close(&session);
	seen_clear(&seen);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/subscriptions/by-name", test_by_name);
	g_test_add_func("/qmp/subscriptions/one-event-for-all", test_one_event_for_all);
	g_test_add_func("/qmp/subscriptions/order", test_order);
	g_test_add_func("/qmp/subscriptions/unsubscribe-inside", test_unsubscribe_inside);
	g_test_add_func("/qmp/subscriptions/unsubscribe-outside", test_unsubscribe_outside);
	g_test_add_func("/qmp/subscriptions/handler-replaced", test_handler_replaced);
	g_test_add_func("/qmp/subscriptions/keeps-its-connection", test_keeps_its_connection);
	g_test_add_func("/qmp/subscriptions/after-the-end", test_after_the_end);
	g_test_add_func("/qmp/subscriptions/overflow", test_overflow);
	g_test_add_func("/qmp/subscriptions/end-on-top-of-a-full-queue", test_end_on_top_of_a_full_queue);
	g_test_add_func("/qmp/subscriptions/large-events", test_large_events);
	g_test_add_func("/qmp/subscriptions/too-many", test_too_many);
	g_test_add_func("/qmp/subscriptions/match-consumes", test_match_consumes);
	g_test_add_func("/qmp/subscriptions/deadline-in-a-flood", test_deadline_in_a_flood);
	g_test_add_func("/qmp/subscriptions/many-waiters", test_many_waiters);
	g_test_add_func("/qmp/subscriptions/close-wakes-waiters", test_close_wakes_waiters);
	g_test_add_func("/qmp/subscriptions/dropped-with-waiters", test_dropped_with_waiters);
	g_test_add_func("/qmp/subscriptions/cancel", test_cancel);
	g_test_add_func("/qmp/subscriptions/wait-inside-a-callback", test_wait_inside_a_callback);
	g_test_add_func("/qmp/subscriptions/wait-inside-the-wakeup", test_wait_inside_the_wakeup);
	g_test_add_func("/qmp/subscriptions/come-and-go", test_come_and_go);
	g_test_add_func("/qmp/subscriptions/after-a-burst", test_after_a_burst);
	return session_main();
}
