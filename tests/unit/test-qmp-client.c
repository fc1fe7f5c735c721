/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client as the machine uses it: on the I/O thread, with a public handle wrapped around it, freed at the worst
 * moments.
 */
#include "fake-qmp.h"
#include "qmp/client.h"

#include <string.h>

#define PATIENCE_US (30 * G_USEC_PER_SEC)

typedef struct Owner {
	UtmContext *context;
	UtmQmpClient *client; /* I/O thread only */
	UtmQmp *qmp;
	int fd;
	const char *free_in; /* the callback that frees the client */
	/* I/O thread writes, the test reads */
	gint ready, ready_code, events, closed, replies, failures, last_code;
	guint ticket;
} Owner;

static void free_here(Owner *owner, const char *where)
{
	if (g_strcmp0(owner->free_in, where) == 0)
		utm__qmp_client_free(g_steal_pointer(&owner->client));
}

static void on_ready(UtmQmpClient *client, const UtmError *error, void *data)
{
	Owner *owner = data;
	if (!error && owner->qmp == NULL && !owner->free_in)
		owner->qmp = utm__qmp_new_wrapping(owner->context, client);
	g_atomic_int_set(&owner->ready_code, error ? utm_error_get_code(error) : 0);
	free_here(owner, "ready");
	g_atomic_int_inc(&owner->ready);
}

static void on_event(UtmQmpClient *client, const char *name, const char *data_json, gint64 timestamp_us, void *data)
{
	Owner *owner = data;
	if (owner->qmp)
		utm__qmp_emit(owner->qmp, name, data_json, timestamp_us);
	free_here(owner, "event");
	g_atomic_int_inc(&owner->events);
}

static void on_closed(UtmQmpClient *client, const UtmError *error, void *data)
{
	Owner *owner = data;
	if (owner->qmp)
		utm__qmp_detach(owner->qmp, error);
	free_here(owner, "closed");
	g_atomic_int_inc(&owner->closed);
}

static const UtmQmpClientFuncs funcs = { .ready = on_ready, .event = on_event, .closed = on_closed };

static void on_reply(UtmQmpClient *client, const char *reply, const UtmError *error, void *data)
{
	Owner *owner = data;
	g_assert_true((reply == NULL) != (error == NULL));
	g_atomic_int_set(&owner->last_code, error ? utm_error_get_code(error) : 0);
	g_atomic_int_add(&owner->failures, error != NULL);
	free_here(owner, "reply");
	g_atomic_int_inc(&owner->replies);
}

/* --- steps on the I/O thread --- */

static void create(void *data)
{
	Owner *owner = data;
	owner->client = utm__qmp_client_new(owner->context, owner->fd, 30000, &funcs, owner);
}

static void send_one(void *data)
{
	Owner *owner = data;
	owner->ticket = utm__qmp_client_send(owner->client, "slow", NULL, -1, on_reply, owner);
	g_assert_cmpint(owner->ticket, !=, 0);
}

static void create_and_send(void *data)
{
	create(data);
	send_one(data);
}

static void abandon(void *data)
{
	Owner *owner = data;
	utm__qmp_client_abandon(owner->client, owner->ticket, utm__error_new(UTM_ERROR_CANCELLED, "abandoned"));
	/* The second time there is nothing to abandon. */
	utm__qmp_client_abandon(owner->client, owner->ticket, utm__error_new(UTM_ERROR_INTERNAL, "twice"));
}

static void free_client(void *data)
{
	Owner *owner = data;
	utm__qmp_client_free(g_steal_pointer(&owner->client));
}

static void detach_and_free(void *data)
{
	Owner *owner = data;
	utm__qmp_detach(owner->qmp, NULL);
	utm__qmp_client_free(g_steal_pointer(&owner->client));
}

static void wait_until(Owner *owner, const gint *count, int at_least)
{
	gint64 end = g_get_monotonic_time() + PATIENCE_US;
	while (g_atomic_int_get(count) < at_least && g_get_monotonic_time() < end)
		utm_context_wait(owner->context, 5);
	g_assert_cmpint(g_atomic_int_get(count), >=, at_least);
}

static FakeQmp *owner_open_with(Owner *owner, FakeQmpScript script, UtmIoFunc first_step)
{
	owner->context = utm_context_new(NULL, NULL);
	FakeQmp *fake = fake_qmp_start(script, NULL, &owner->fd);
	utm__context_call(owner->context, first_step, owner);
	return fake;
}

static FakeQmp *owner_open(Owner *owner, FakeQmpScript script)
{
	return owner_open_with(owner, script, create);
}

static void owner_close(Owner *owner, FakeQmp *fake)
{
	utm__context_call(owner->context, free_client, owner);
	fake_qmp_finish(fake);
	utm_qmp_unref(owner->qmp);
	utm_context_unref(owner->context);
}

/* ---------------------------------------------------------------- the client alone */

static void late_greeting(FakeQmp *fake, void *data)
{
	fake_qmp_expect_silence(fake, 30);
	fake_qmp_negotiate(fake);
	for (int i = 0; i < 3; i++)
		fake_qmp_reply(fake, fake_qmp_expect(fake, "slow"), "{}");
	fake_qmp_ignore_all(fake);
}

/* Commands given before the greeting wait for the end of the negotiation. */
static void test_send_before_ready(void)
{
	Owner owner = { 0 };
	FakeQmp *fake = owner_open(&owner, late_greeting);
	for (int i = 0; i < 3; i++)
		utm__context_call(owner.context, send_one, &owner);
	wait_until(&owner, &owner.replies, 3);
	g_assert_cmpint(owner.failures, ==, 0);
	g_assert_cmpint(owner.ready, ==, 1);
	owner_close(&owner, fake);
}

/* Answers a command that is still held back on the other side: nobody's answer. */
static void answer_early(FakeQmp *fake, void *data)
{
	fake_qmp_expect_silence(fake, 30);
	fake_qmp_greet(fake);
	int id = fake_qmp_expect(fake, "qmp_capabilities");
	g_assert_cmpint(id, ==, 1);
	fake_qmp_reply_error(fake, 0, "GenericError", "early");
	fake_qmp_reply(fake, id, "{}");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "slow"), "{}");
	fake_qmp_ignore_all(fake);
}

static void test_early_answer(void)
{
	Owner owner = { 0 };
	FakeQmp *fake = owner_open_with(&owner, answer_early, create_and_send);
	wait_until(&owner, &owner.replies, 1);
	g_assert_cmpint(owner.failures, ==, 0);
	owner_close(&owner, fake);
	g_assert_cmpint(owner.replies, ==, 1);
}

static void ignore(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_ignore_all(fake);
}

static void test_abandon(void)
{
	Owner owner = { 0 };
	FakeQmp *fake = owner_open(&owner, ignore);
	wait_until(&owner, &owner.ready, 1);
	utm__context_call(owner.context, send_one, &owner);
	utm__context_call(owner.context, abandon, &owner);
	g_assert_cmpint(owner.replies, ==, 1);
	g_assert_cmpint(owner.last_code, ==, UTM_ERROR_CANCELLED);
	owner_close(&owner, fake);
	g_assert_cmpint(owner.replies, ==, 1);
}

static void stay_silent(FakeQmp *fake, void *data)
{
	fake_qmp_ignore_all(fake);
}

/* Sent and unanswered, and not sent yet because there was no greeting. */
static void test_free_with_pending(void)
{
	for (int sent = 0; sent < 2; sent++) {
		Owner owner = { 0 };
		FakeQmp *fake = owner_open(&owner, sent ? ignore : stay_silent);
		wait_until(&owner, &owner.ready, sent);
		for (int i = 0; i < 5; i++)
			utm__context_call(owner.context, send_one, &owner);
		utm__context_call(owner.context, free_client, &owner);
		g_assert_cmpint(owner.replies, ==, 5);
		g_assert_cmpint(owner.last_code, ==, UTM_ERROR_QMP_DISCONNECTED);
		g_assert_cmpint(owner.closed, ==, 0);
		g_assert_cmpint(owner.ready, ==, sent);
		owner_close(&owner, fake);
		g_assert_cmpint(owner.replies, ==, 5);
	}
}

static void hang_up(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "slow");
}

/* A command given after the end fails too, but not before send has returned; freeing the client does not lose it. */
static void test_send_after_end(void)
{
	Owner owner = { 0 };
	FakeQmp *fake = owner_open(&owner, hang_up);
	utm__context_call(owner.context, send_one, &owner);
	wait_until(&owner, &owner.closed, 1);
	g_assert_cmpint(owner.replies, ==, 1);
	utm__context_call(owner.context, send_one, &owner);
	wait_until(&owner, &owner.replies, 2);
	utm__context_invoke(owner.context, send_one, &owner);
	utm__context_invoke(owner.context, free_client, &owner);
	wait_until(&owner, &owner.replies, 3);
	g_assert_cmpint(owner.failures, ==, 3);
	g_assert_cmpint(owner.closed, ==, 1);
	owner_close(&owner, fake);
}

static void all_callbacks(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_send(fake, "{'event': 'STOP'}{'event': 'RESUME'}");
	char *command = fake_qmp_receive(fake);
	if (command)
		fake_qmp_send(fake, "{'return': {}, 'id': 1}{'event': 'STOP'}");
	g_free(command);
}

static void test_free_inside_callbacks(void)
{
	static const char *const places[] = { "ready", "event", "reply", "closed" };
	for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
		Owner owner = { .free_in = places[i] };
		FakeQmp *fake = owner_open_with(&owner, all_callbacks, create_and_send);
		wait_until(&owner, &owner.replies, 1);
		if (strcmp(places[i], "closed") == 0)
			wait_until(&owner, &owner.closed, 1);
		owner_close(&owner, fake);
		g_assert_cmpint(owner.replies, ==, 1);
		g_assert_cmpint(owner.closed, ==, strcmp(places[i], "closed") == 0);
	}
}

/* ---------------------------------------------------------------- with a handle around it */

static void serve(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_serve(fake);
}

/* The application closes its handle; the machine's own commands go on. */
static void test_close_wrapping(void)
{
	Owner owner = { 0 };
	FakeQmp *fake = owner_open(&owner, serve);
	wait_until(&owner, &owner.ready, 1);
	g_assert_cmpuint(utm_qmp_get_qemu_version(owner.qmp), ==, 7002022);
	g_assert_cmpint(utm_qmp_execute(owner.qmp, "query-status", NULL, NULL, NULL, NULL), ==, 0);
	utm_qmp_close(owner.qmp);
	utm__context_call(owner.context, send_one, &owner);
	wait_until(&owner, &owner.replies, 1);
	g_assert_cmpint(owner.last_code, ==, 0);
	g_assert_cmpint(utm_qmp_execute(owner.qmp, "query-status", NULL, NULL, NULL, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	owner_close(&owner, fake);
}

static void on_has(UtmQmp *qmp, bool has, const UtmError *error, void *data)
{
	g_assert_cmpint(utm_error_get_code(error), ==, UTM_ERROR_QMP_DISCONNECTED);
	g_atomic_int_inc((gint *)data);
}

/* The client lives on, and so would the question that was sent for the handle. */
static void test_close_while_asking(void)
{
	Owner owner = { 0 };
	gint ends = 0;
	FakeQmp *fake = owner_open(&owner, ignore);
	wait_until(&owner, &owner.ready, 1);
	g_assert_cmpint(utm_qmp_has_async(owner.qmp, "stop", NULL, on_has, &ends, NULL, NULL), ==, 0);
	utm_qmp_close(owner.qmp);
	wait_until(&owner, &ends, 1);
	owner_close(&owner, fake);
	g_assert_cmpint(ends, ==, 1);
}

static void emit_one(void *data)
{
	utm__qmp_emit(((Owner *)data)->qmp, "STOP", NULL, -1);
}

typedef struct Heard {
	gint events, ends;
} Heard;

static void hear(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Heard *heard = data;
	heard->events += event->name != NULL;
	heard->ends += event->name == NULL;
}

/* The client of a closed handle goes on and has events, but the end was the last that the handle told. */
static void test_events_of_a_closed_handle(void)
{
	Owner owner = { 0 };
	Heard handler = { 0 }, subscriber = { 0 };
	UtmQmpSubscription *subscription = NULL;
	FakeQmp *fake = owner_open(&owner, serve);
	wait_until(&owner, &owner.ready, 1);
	utm_qmp_set_event_handler(owner.qmp, hear, &handler, NULL);
	g_assert_cmpint(utm_qmp_subscribe(owner.qmp, NULL, hear, &subscriber, NULL, &subscription, NULL), ==, 0);
	utm__context_call(owner.context, emit_one, &owner);
	utm_qmp_close(owner.qmp);
	wait_until(&owner, &subscriber.ends, 1);
	utm__context_call(owner.context, emit_one, &owner);
	utm_qmp_set_event_handler(owner.qmp, hear, &handler, NULL);
	utm__context_call(owner.context, emit_one, &owner);
	while (utm_context_wait(owner.context, 5) > 0)
		;
	g_assert_cmpint(handler.events, ==, 1);
	g_assert_cmpint(handler.ends, ==, 2);
	g_assert_cmpint(subscriber.events, ==, 1);
	g_assert_cmpint(subscriber.ends, ==, 1);
	utm_qmp_subscription_unref(subscription);
	owner_close(&owner, fake);
}

static void *call_until_end(void *data)
{
	int result;
	do
		result = utm_qmp_execute(data, "query-status", NULL, NULL, NULL, NULL);
	while (result == 0);
	g_assert_cmpint(result, ==, UTM_ERROR_QMP_DISCONNECTED);
	return NULL;
}

/* The machine takes its client away while threads of the application are inside calls. */
static void test_detach_under_calls(void)
{
	for (int round = 0; round < 30; round++) {
		Owner owner = { 0 };
		GThread *threads[2];
		FakeQmp *fake = owner_open(&owner, serve);
		wait_until(&owner, &owner.ready, 1);
		int count = 1 + round % 2;
		for (int i = 0; i < count; i++)
			threads[i] = g_thread_new("calls", call_until_end, owner.qmp);
		g_usleep((gulong)round * 100);
		utm__context_call(owner.context, round % 3 ? detach_and_free : free_client, &owner);
		if (round % 3 == 0)
			utm_qmp_close(owner.qmp);
		for (int i = 0; i < count; i++)
			g_thread_join(threads[i]);
		owner_close(&owner, fake);
	}
}

static void *call_while_machine_sends(void *data)
{
	for (int i = 0; i < 500; i++)
		g_assert_cmpint(utm_qmp_execute(data, "query-status", NULL, NULL, NULL, NULL), ==, 0);
	return NULL;
}

/* The machine's commands on the I/O thread and the application's, which reads for itself, on one connection. */
static void test_shared_connection(void)
{
	Owner owner = { 0 };
	FakeQmp *fake = owner_open(&owner, serve);
	wait_until(&owner, &owner.ready, 1);
	GThread *thread = g_thread_new("calls", call_while_machine_sends, owner.qmp);
	for (int i = 0; i < 500; i++) {
		utm__context_call(owner.context, send_one, &owner);
		g_usleep(20);
	}
	g_thread_join(thread);
	wait_until(&owner, &owner.replies, 500);
	g_assert_cmpint(owner.failures, ==, 0);
	owner_close(&owner, fake);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/client/send-before-ready", test_send_before_ready);
	g_test_add_func("/qmp/client/early-answer", test_early_answer);
	g_test_add_func("/qmp/client/abandon", test_abandon);
	g_test_add_func("/qmp/client/free-with-pending", test_free_with_pending);
	g_test_add_func("/qmp/client/send-after-end", test_send_after_end);
	g_test_add_func("/qmp/client/free-inside-callbacks", test_free_inside_callbacks);
	g_test_add_func("/qmp/client/close-wrapping", test_close_wrapping);
	g_test_add_func("/qmp/client/close-while-asking", test_close_while_asking);
	g_test_add_func("/qmp/client/events-of-a-closed-handle", test_events_of_a_closed_handle);
	g_test_add_func("/qmp/client/detach-under-calls", test_detach_under_calls);
	g_test_add_func("/qmp/client/shared-connection", test_shared_connection);
	return g_test_run();
}
