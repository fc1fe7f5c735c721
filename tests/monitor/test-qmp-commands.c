/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands and their answers: matched by id, once each, whatever the server does and however the calls end. */
#include "session.h"

#include <pthread.h>

static void test_nothing_under_way(UtmQmp *qmp)
{
	/* The connection still works after what the test did to it. */
	g_assert_cmpint(utm_qmp_execute(qmp, "query-name", NULL, NULL, NULL, NULL), ==, 0);
}

/* ---------------------------------------------------------------- replies and errors */

static void answer_in_many_ways(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "{ 'status': 'running', 'running': true , 'l' : [ ] }");
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "eject"), "DeviceNotFound", "Device x not found");
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "eject"), "SomethingNew", "line\\nbreak\\u0000behind");
	fake_qmp_expect_arguments(fake, "device_add", "{'driver':'a b','n':[1,2]}");
	fake_qmp_sendf(fake, "{'return': 'text \\u0000 \\ud83d\\ude00 ä', 'id': %d}\r\n", 4);
	fake_qmp_sendf(fake, "{'id': %d, 'more': [{}], 'return': 99999999999999999999999999}",
	               fake_qmp_expect(fake, "qom-get"));
	fake_qmp_serve(fake);
}

static void test_replies(void)
{
	Session session = session_open(answer_in_many_ways, NULL);
	char *reply = NULL;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "query-status", NULL, NULL, &reply, NULL), ==, 0);
	g_assert_cmpstr(reply, ==, "{\"status\":\"running\",\"running\":true,\"l\":[]}");
	g_clear_pointer(&reply, utm_free);

	g_autoptr(UtmError) not_found = NULL;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "eject", NULL, NULL, &reply, &not_found), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_qmp_class(not_found), ==, "DeviceNotFound");
	g_assert_cmpstr(utm_error_get_message(not_found), ==, "Device x not found");
	g_assert_cmpint(utm_error_get_domain(not_found), ==, UTM_ERROR_DOMAIN_QMP);
	g_assert_null(reply);

	g_autoptr(UtmError) strange = NULL;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "eject", NULL, NULL, &reply, &strange), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_qmp_class(strange), ==, "SomethingNew");
	g_assert_cmpstr(utm_error_get_message(strange), ==, "line break\xef\xbf\xbd" "behind");

	const char *spaced = " { \"driver\" : \"a b\",\n \"n\": [ 1, 2 ] } ";
	g_assert_cmpint(utm_qmp_execute(session.qmp, "device_add", spaced, NULL, &reply, NULL), ==, 0);
	g_assert_cmpstr(reply, ==, "\"text \\u0000 \\ud83d\\ude00 ä\"");
	g_clear_pointer(&reply, utm_free);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "qom-get", NULL, NULL, &reply, NULL), ==, 0);
	g_assert_cmpstr(reply, ==, "99999999999999999999999999");
	utm_free(reply);
	test_nothing_under_way(session.qmp);
	session_close(&session);
}

/* QEMU reads a command byte by byte: no space, no line end, an id of one digit for the ordinary case. */
static void expect_shortest(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	for (int i = 1; i <= 30; i++) {
		g_autofree char *command = fake_qmp_receive(fake);
		g_autofree char *expected = g_strdup_printf("{\"execute\":\"stop\",\"id\":%d}", i % 10);
		g_assert_cmpstr(command, ==, expected);
		fake_qmp_reply(fake, i % 10, "{}");
	}
	fake_qmp_expect_silence(fake, 20);
	fake_qmp_expect_end(fake);
}

static void test_shortest_form(void)
{
	Session session = session_open(expect_shortest, NULL);
	for (int i = 0; i < 30; i++)
		g_assert_cmpint(utm_qmp_execute(session.qmp, "stop", NULL, NULL, NULL, NULL), ==, 0);
	g_usleep(40000);
	session_close(&session);
}

static void big_reply(FakeQmp *fake, void *data)
{
	g_autofree char *mebibyte = g_strnfill(1 << 20, 'x');
	fake_qmp_negotiate(fake);
	int id = fake_qmp_expect(fake, "query-qmp-schema");
	fake_qmp_send(fake, "{'return': '");
	for (int i = 0; i < 20; i++)
		fake_qmp_send_bytes(fake, mebibyte, 1 << 20);
	fake_qmp_sendf(fake, "', 'id': %d}", id);
	fake_qmp_serve(fake);
}

static void test_big_reply(void)
{
	Session session = session_open(big_reply, NULL);
	char *reply = NULL;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "query-qmp-schema", NULL, NULL, &reply, NULL), ==, 0);
	g_assert_cmpuint(strlen(reply), ==, (20 << 20) + 2);
	utm_free(reply);
	test_nothing_under_way(session.qmp);
	session_close(&session);
}

/* More than the socket holds, to a server that takes its time: neither the caller's command nor the next is harmed. */
static void slow_reader(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	g_usleep(50000);
	fake_qmp_serve(fake);
}

static void test_big_arguments(void)
{
	Session session = session_open(slow_reader, NULL);
	g_autofree char *text = g_strnfill(4 << 20, 'x');
	g_autofree char *arguments = g_strdup_printf("{\"device\":\"%s\"}", text);
	for (int i = 0; i < 3; i++)
		g_assert_cmpint(utm_qmp_execute(session.qmp, "eject", arguments, NULL, NULL, NULL), ==, 0);
	test_nothing_under_way(session.qmp);
	session_close(&session);
}

static void expect_nothing(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect_end(fake);
}

static gint freed_calls;

static void count_free(void *data)
{
	g_atomic_int_inc(&freed_calls);
}

static void test_bad_arguments(void)
{
	static const char *const arguments[] = { "", "[]", "1", "\"x\"", "null", "{", "{}{}", "{\"a\":}", "{'a':1}",
		                                 "{\"a\":1 2}", "{\"a\":\"\xff\"}", "{\"a\":\"\\ud800\"}", "{},\"id\":7" };
	static const char *const commands[] = { "", "a b", "stop\"", "stop\\", "\xff", "quit\n" };
	Session session = session_open(expect_nothing, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(arguments); i++) {
		g_autoptr(UtmError) error = NULL;
		g_assert_cmpint(utm_qmp_execute(session.qmp, "stop", arguments[i], NULL, NULL, &error), ==,
		                UTM_ERROR_INVALID_ARGUMENT);
		g_assert_nonnull(error);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
		g_assert_cmpint(utm_qmp_execute(session.qmp, commands[i], NULL, NULL, NULL, NULL), ==,
		                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_execute(session.qmp, NULL, NULL, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_execute(NULL, "stop", NULL, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_autofree char *deep = g_strnfill(5000, '[');
	g_autofree char *nested = g_strdup_printf("{\"a\":%s", deep);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "stop", nested, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	freed_calls = 0;
	g_assert_cmpint(utm_qmp_execute_async(session.qmp, "stop", "[]", NULL, NULL, NULL, count_free, NULL), ==,
	                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(freed_calls, ==, 1);
	session_close(&session);
}

/* ---------------------------------------------------------------- asynchronous */

typedef struct Calls {
	int answered, failed, freed;
	int last_code;
	char *last_reply;
	GString *order;
} Calls;

static void on_reply(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Calls *calls = data;
	calls->answered++;
	calls->failed += error != NULL;
	calls->last_code = error ? utm_error_get_code(error) : 0;
	if (calls->order)
		g_string_append(calls->order, reply ? reply : "!");
	g_assert_true((reply == NULL) != (error == NULL));
}

static void on_free(void *data)
{
	((Calls *)data)->freed++;
}

static void execute_async(Session *session, const char *command, const UtmQmpCallOptions *options, Calls *calls)
{
	g_assert_cmpint(utm_qmp_execute_async(session->qmp, command, NULL, options, on_reply, calls, on_free, NULL), ==, 0);
}

static void answer_backwards(FakeQmp *fake, void *data)
{
	int ids[5];
	fake_qmp_negotiate(fake);
	for (int i = 0; i < 5; i++)
		ids[i] = fake_qmp_expect(fake, "query-status");
	for (int i = 4; i >= 0; i--)
		fake_qmp_sendf(fake, "{'return': %d, 'id': %d}\r\n", i, ids[i]);
	fake_qmp_serve(fake);
}

static void test_out_of_order(void)
{
	Session session = session_open(answer_backwards, NULL);
	Calls calls = { .order = g_string_new(NULL) };
	for (int i = 0; i < 5; i++)
		execute_async(&session, "query-status", NULL, &calls);
	wait_for(calls.freed == 5);
	g_assert_cmpstr(calls.order->str, ==, "43210");
	g_assert_cmpint(calls.answered, ==, 5);
	g_string_free(calls.order, TRUE);
	test_nothing_under_way(session.qmp);
	session_close(&session);
}

static void serve(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_serve(fake);
}

/* Far more than there are ids of two digits. */
static void test_many_outstanding(void)
{
	Session session = session_open(serve, NULL);
	Calls calls = { 0 };
	for (int i = 0; i < 3000; i++)
		execute_async(&session, "query-status", NULL, &calls);
	wait_for(calls.freed == 3000);
	g_assert_cmpint(calls.answered, ==, 3000);
	g_assert_cmpint(calls.failed, ==, 0);
	session_close(&session);
}

static void never_answer(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_ignore_all(fake);
}

/* More than there can be ids: the rest is refused, nothing is lost. */
static void test_too_many_outstanding(void)
{
	Session session = session_open(never_answer, NULL);
	Calls calls = { 0 };
	for (int i = 0; i < 65536 + 100; i++)
		execute_async(&session, "stop", NULL, &calls);
	wait_for(calls.answered == 100);
	g_assert_cmpint(calls.last_code, ==, UTM_ERROR_LIMIT);
	utm_qmp_close(session.qmp);
	wait_for(calls.freed == 65536 + 100);
	g_assert_cmpint(calls.failed, ==, 65536 + 100);
	session_close(&session);
}

/* ---------------------------------------------------------------- callbacks that call */

typedef struct Chain {
	int left;
	bool ended;
} Chain;

static void call_again(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Chain *chain = data;
	char *text = NULL;
	g_assert_null(error);
	g_assert_cmpint(utm_qmp_execute(qmp, "query-status", NULL, NULL, &text, NULL), ==, 0);
	g_assert_cmpstr(text, ==, "{}");
	utm_free(text);
	chain->ended = --chain->left == 0;
	if (!chain->ended)
		utm_qmp_execute_async(qmp, "query-status", NULL, NULL, call_again, chain, NULL, NULL);
}

static void test_calls_inside_callbacks(void)
{
	Session session = session_open(serve, NULL);
	Chain chain = { .left = 50 };
	utm_qmp_execute_async(session.qmp, "query-status", NULL, NULL, call_again, &chain, NULL, NULL);
	wait_for(chain.ended);
	session_close(&session);
}

static int wakeup_results[2];

static void call_from_wakeup(void *data)
{
	wakeup_results[0] = utm_qmp_execute(data, "query-status", NULL, NULL, NULL, NULL);
	g_atomic_int_inc(&wakeup_results[1]);
}

static void test_call_inside_wakeup(void)
{
	Session session = session_open(serve, NULL);
	Calls calls = { 0 };
	utm_context_set_wakeup(context, call_from_wakeup, session.qmp, NULL);
	execute_async(&session, "query-status", NULL, &calls);
	wait_for(calls.freed == 1);
	/* The descriptor may have been quicker. */
	wait_for(g_atomic_int_get(&wakeup_results[1]) >= 1);
	utm_context_set_wakeup(context, NULL, NULL, NULL);
	g_assert_cmpint(wakeup_results[0], ==, UTM_ERROR_WRONG_THREAD);
	session_close(&session);
}

/* ---------------------------------------------------------------- deadlines and cancels */

static void answer_late(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	for (int i = 0; i < 3; i++) {
		int id = fake_qmp_expect(fake, "slow");
		g_usleep(60000);
		fake_qmp_reply(fake, id, "'late'");
		int next = fake_qmp_expect(fake, "query-status");
		g_assert_cmpint(next, !=, id);
		fake_qmp_reply(fake, next, "'right'");
	}
	fake_qmp_serve(fake);
}

static void assert_right_reply(UtmQmp *qmp)
{
	char *reply = NULL;
	g_assert_cmpint(utm_qmp_execute(qmp, "query-status", NULL, NULL, &reply, NULL), ==, 0);
	g_assert_cmpstr(reply, ==, "\"right\"");
	utm_free(reply);
}

/* On the shortcut, through the I/O thread (a call with a cancel goes there), and without waiting. */
static void test_late_reply(void)
{
	Session session = session_open(answer_late, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = 20;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "slow", NULL, &options, NULL, &error), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(utm_error_get_message(error), ==, "slow was not answered within 20 ms");
	assert_right_reply(session.qmp);

	options.cancel = utm_cancel_new();
	g_assert_cmpint(utm_qmp_execute(session.qmp, "slow", NULL, &options, NULL, NULL), ==, UTM_ERROR_TIMEOUT);
	assert_right_reply(session.qmp);

	Calls calls = { 0 };
	execute_async(&session, "slow", &options, &calls);
	wait_for(calls.freed == 1);
	g_assert_cmpint(calls.last_code, ==, UTM_ERROR_TIMEOUT);
	assert_right_reply(session.qmp);
	utm_cancel_unref(options.cancel);
	test_nothing_under_way(session.qmp);
	session_close(&session);
}

/* Half a reply and then silence: the deadline holds, and the other half is still understood. */
static void answer_by_halves(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	int id = fake_qmp_expect(fake, "slow");
	fake_qmp_send(fake, "{'return': {'status': 'ru");
	g_usleep(60000);
	fake_qmp_sendf(fake, "nning'}, 'id': %d}\r\n", id);
	fake_qmp_serve(fake);
}

static void test_half_a_reply(void)
{
	Session session = session_open(answer_by_halves, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	g_autoptr(UtmError) error = NULL;
	options.timeout_ms = 20;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "slow", NULL, &options, NULL, &error), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(utm_error_get_message(error), ==, "slow was not answered within 20 ms");
	test_nothing_under_way(session.qmp);
	session_close(&session);
}

static void *trigger_soon(void *cancel)
{
	g_usleep(30000);
	utm_cancel_trigger(cancel);
	return NULL;
}

static void answer_after_cancel(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	int first = fake_qmp_expect(fake, "slow");
	int second = fake_qmp_expect(fake, "query-name");
	fake_qmp_reply(fake, first, "'late'");
	fake_qmp_reply(fake, second, "{}");
	fake_qmp_serve(fake);
}

static void test_cancel(void)
{
	Session session = session_open(answer_after_cancel, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	g_autoptr(UtmError) error = NULL;
	options.timeout_ms = -1;
	options.cancel = utm_cancel_new();
	GThread *thread = g_thread_new("cancel", trigger_soon, options.cancel);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "slow", NULL, &options, NULL, &error), ==, UTM_ERROR_CANCELLED);
	g_assert_cmpstr(utm_error_get_message(error), ==,
	                "a QMP command was cancelled; whether `slow` took effect is unknown");
	g_thread_join(thread);
	test_nothing_under_way(session.qmp);
	/* A token that was triggered stops the call before it is sent. */
	g_assert_cmpint(utm_qmp_execute(session.qmp, "slow", NULL, &options, NULL, NULL), ==, UTM_ERROR_CANCELLED);
	utm_cancel_unref(options.cancel);
	test_nothing_under_way(session.qmp);
	session_close(&session);
}

/* ---------------------------------------------------------------- servers out of line */

static void foreign_ids(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	int id = fake_qmp_expect(fake, "query-status");
	fake_qmp_send(fake, "{'return': 'wrong', 'id': 4711}{'return': 'wrong', 'id': 'text'}{'return': 'wrong', 'id': -1}"
	                    "{'error': {'class': 'X', 'desc': 'y'}, 'id': {'a': [null]}}"
	                    "{'return': 'wrong', 'id': 18446744073709551617}{'return': 'wrong', 'id': 1.5}");
	fake_qmp_sendf(fake, "{'return': 'right', 'id': %d}{'return': 'again', 'id': %d}", id, id);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "'right'");
	fake_qmp_serve(fake);
}

static void test_foreign_ids(void)
{
	Session session = session_open(foreign_ids, NULL);
	assert_right_reply(session.qmp);
	assert_right_reply(session.qmp);
	test_nothing_under_way(session.qmp);
	session_close(&session);
}

/* Nobody but us makes our ids, so they come back as they were sent: these are somebody else's. */
static void other_spellings(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	int id = fake_qmp_expect(fake, "query-status");
	fake_qmp_sendf(fake, "{'return': 'wrong', 'id': '%d'}{'return': 'wrong', 'id': %d.0}{'return': 'wrong', 'id': %de0}"
	                     "{'return': 'wrong', 'id': [%d]}", id, id, id, id);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "'right'");
	fake_qmp_serve(fake);
}

static void test_other_spellings(void)
{
	Session session = session_open(other_spellings, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = 100;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "query-status", NULL, &options, NULL, NULL), ==, UTM_ERROR_TIMEOUT);
	assert_right_reply(session.qmp);
	session_close(&session);
}

static void answer_deep(FakeQmp *fake, void *data)
{
	g_autofree char *brackets = g_strnfill(100000, '[');
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "query-status");
	fake_qmp_send(fake, "{'return':");
	fake_qmp_send_bytes(fake, brackets, strlen(brackets));
	fake_qmp_expect_end(fake);
}

static void answer_long(FakeQmp *fake, void *data)
{
	g_autofree char *mebibyte = g_strnfill(1 << 20, 'x');
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "query-status");
	fake_qmp_send(fake, "{'return':'");
	for (int i = 0; i < 80; i++)
		if (!fake_qmp_send_bytes(fake, mebibyte, 1 << 20))
			return;
	g_error("80 MiB in one message were taken");
}

static void test_replies_beyond_bounds(void)
{
	static const FakeQmpScript scripts[] = { answer_deep, answer_long };
	for (gsize i = 0; i < G_N_ELEMENTS(scripts); i++) {
		Session session = session_open(scripts[i], NULL);
		g_assert_cmpint(utm_qmp_execute(session.qmp, "query-status", NULL, NULL, NULL, NULL), ==,
		                UTM_ERROR_QMP_PROTOCOL);
		session_close(&session);
	}
}

static void answer_with(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "query-status");
	fake_qmp_send(fake, data);
	fake_qmp_ignore_all(fake);
}

/* What ends the connection; the call under way hears why, later ones that it is over. */
static void test_protocol_failures(void)
{
	static const char *const answers[] = {
		"{'error': {'class': 'GenericError', 'desc': 'Invalid JSON syntax'}}",
		"{'error': {'class': 'GenericError', 'desc': 'JSON parse error, stray'}}\r\n"
		"{'error': {'class': 'GenericError', 'desc': 'JSON parse error, expecting value'}}\r\n"
		"{'error': {'class': 'GenericError', 'desc': 'JSON parse error, unterminated'}}\r\n",
		"{'return': {}}",
		"\xff",
		"garbage",
		"{'return': {}, 'id': 1}}",
		"{'QMP': {}}",
		"{'return': {}, 'error': {'class': 'X', 'desc': 'y'}, 'id': 1}",
		"{'return': '\\udc00', 'id': 1}",
		"{'return': \"\xff\", 'id': 1}",
		"{'return': [1 2], 'id': 1}",
		"{'return': [1,], 'id': 1}",
		"{'return': tru, 'id': 1}",
		"{'error': 'X', 'id': 1}",
		"{'error': {'class': 'X'}, 'id': 1}",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
		Session session = session_open(answer_with, (void *)answers[i]);
		g_autoptr(UtmError) later = NULL;
		g_autofree char *shown = g_strescape(answers[i], NULL);
		g_test_message("%s", shown);
		int result = utm_qmp_execute(session.qmp, "query-status", NULL, NULL, NULL, NULL);
		/* Of the one that has a right beginning the call takes the right part. */
		g_assert_cmpint(result, ==, g_str_has_suffix(answers[i], "1}}") ? 0 : UTM_ERROR_QMP_PROTOCOL);
		wait_for(utm_qmp_execute(session.qmp, "query-status", NULL, NULL, NULL, &later) == UTM_ERROR_QMP_DISCONNECTED ||
		         (utm_error_unref(g_steal_pointer(&later)), false));
		session_close(&session);
	}
}

/* ---------------------------------------------------------------- the end with work under way */

static void hang_up_after(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	for (int i = 0; i < GPOINTER_TO_INT(data); i++)
		g_free(fake_qmp_receive(fake));
}

static void test_disconnect_ends_all(void)
{
	Session session = session_open(hang_up_after, GINT_TO_POINTER(20));
	Calls calls = { 0 };
	for (int i = 0; i < 20; i++)
		execute_async(&session, "stop", NULL, &calls);
	wait_for(calls.freed == 20);
	g_assert_cmpint(calls.answered, ==, 20);
	g_assert_cmpint(calls.failed, ==, 20);
	g_assert_cmpint(calls.last_code, ==, UTM_ERROR_QMP_DISCONNECTED);
	execute_async(&session, "stop", NULL, &calls);
	wait_for(calls.freed == 21);
	g_assert_cmpint(calls.last_code, ==, UTM_ERROR_QMP_DISCONNECTED);
	session_close(&session);
}

static void test_disconnect_ends_blocking_call(void)
{
	Session session = session_open(hang_up_after, GINT_TO_POINTER(1));
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "stop", NULL, NULL, NULL, &error), ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_nonnull(strstr(utm_error_get_message(error), "; whether `stop` took effect is unknown"));
	g_autoptr(UtmError) later = NULL;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "stop", NULL, NULL, NULL, &later), ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_nonnull(strstr(utm_error_get_message(later), "; `stop` was not sent"));
	session_close(&session);
}

static void *close_soon(void *qmp)
{
	g_usleep(30000);
	utm_qmp_close(qmp);
	return NULL;
}

/* Closed under a call that waits in the socket itself, and under one that waits for the I/O thread. */
static void test_close_ends_blocking_call(void)
{
	for (int with_cancel = 0; with_cancel < 2; with_cancel++) {
		Session session = session_open(never_answer, NULL);
		UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
		options.timeout_ms = -1;
		options.cancel = with_cancel ? utm_cancel_new() : NULL;
		GThread *thread = g_thread_new("close", close_soon, session.qmp);
		g_assert_cmpint(utm_qmp_execute(session.qmp, "stop", NULL, &options, NULL, NULL), ==,
		                UTM_ERROR_QMP_DISCONNECTED);
		g_thread_join(thread);
		utm_cancel_unref(options.cancel);
		session_close(&session);
	}
}

static void test_unref_with_pending(void)
{
	Session session = session_open(never_answer, NULL);
	Calls calls = { 0 };
	for (int i = 0; i < 10; i++)
		execute_async(&session, "stop", NULL, &calls);
	utm_qmp_unref(g_steal_pointer(&session.qmp));
	wait_for(calls.freed == 10);
	g_assert_cmpint(calls.answered, ==, 0);
	session_close(&session);
}

static void drop_inside(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	utm_qmp_unref(qmp);
}

static void test_unref_inside_callback(void)
{
	Session session = session_open(serve, NULL);
	Calls calls = { 0 };
	utm_qmp_execute_async(session.qmp, "stop", NULL, NULL, drop_inside, &calls, on_free, NULL);
	session.qmp = NULL;
	wait_for(calls.freed == 1);
	session_close(&session);
}

/* The context goes first of all, with calls under way: each free_fn runs before its unref returns. */
static void test_context_ends_with_pending(void)
{
	UtmContext *own = utm_context_new(NULL, NULL), *former = context;
	context = own;
	Session session = session_open(never_answer, NULL);
	Calls calls = { 0 };
	for (int i = 0; i < 10; i++)
		execute_async(&session, "stop", NULL, &calls);
	utm_context_unref(own);
	session_close(&session);
	g_assert_cmpint(calls.freed, ==, 10);
	g_assert_cmpint(calls.answered, ==, 0);
	context = former;
}

/* ---------------------------------------------------------------- many threads */

static void serve_with_events(FakeQmp *fake, void *data)
{
	char *command;
	fake_qmp_negotiate(fake);
	for (int i = 0; (command = fake_qmp_receive(fake)); i++) {
		const char *arguments = strstr(command, "\"arguments\":") + 12;
		g_autofree char *value = g_strndup(arguments, (gsize)(strchr(arguments, '}') + 1 - arguments));
		int id = (int)g_ascii_strtoll(strstr(command, "\"id\":") + 5, NULL, 10);
		if (i % 3 == 0)
			fake_qmp_send(fake, "{'event': 'STOP', 'data': {}}");
		fake_qmp_reply(fake, id, value);
		if (i % 5 == 0)
			fake_qmp_send(fake, "{'event': 'RESUME'}");
		g_free(command);
	}
}

typedef struct Worker {
	UtmQmp *qmp;
	int number;
	UtmCancel *cancel;
} Worker;

static void *work(void *data)
{
	Worker *worker = data;
	for (int i = 0; i < 300; i++) {
		UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
		g_autofree char *arguments = g_strdup_printf("{\"n\":%d}", worker->number * 1000 + i);
		char *reply = NULL;
		options.cancel = i % 4 == 0 ? worker->cancel : NULL;
		g_assert_cmpint(utm_qmp_execute(worker->qmp, "echo", arguments, &options, &reply, NULL), ==, 0);
		g_assert_cmpstr(reply, ==, arguments);
		utm_free(reply);
	}
	return NULL;
}

static void count_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	int *count = data;
	*count += 1 + (int)event->dropped;
}

/* Each thread gets its own answers, and no event is lost between callers that read for themselves. */
static void run_workers(int count)
{
	Session session = session_open(serve_with_events, NULL);
	Worker workers[8];
	GThread *threads[8];
	const int commands = count * 300;
	static int events;
	events = 0;
	utm_qmp_set_event_handler(session.qmp, count_event, &events, NULL);
	UtmCancel *cancel = utm_cancel_new();
	for (int i = 0; i < count; i++) {
		workers[i] = (Worker){ .qmp = session.qmp, .number = i, .cancel = cancel };
		threads[i] = g_thread_new("worker", work, &workers[i]);
	}
	wait_for(events == (commands + 2) / 3 + (commands + 4) / 5);
	for (int i = 0; i < count; i++)
		g_thread_join(threads[i]);
	utm_cancel_unref(cancel);
	session_close(&session);
}

static void test_many_threads(void)
{
	run_workers(8);
}

static void test_one_thread_with_events(void)
{
	run_workers(1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/commands/replies", test_replies);
	g_test_add_func("/qmp/commands/shortest-form", test_shortest_form);
	g_test_add_func("/qmp/commands/big-reply", test_big_reply);
	g_test_add_func("/qmp/commands/big-arguments", test_big_arguments);
	g_test_add_func("/qmp/commands/bad-arguments", test_bad_arguments);
	g_test_add_func("/qmp/commands/out-of-order", test_out_of_order);
	g_test_add_func("/qmp/commands/many-outstanding", test_many_outstanding);
	g_test_add_func("/qmp/commands/too-many-outstanding", test_too_many_outstanding);
	g_test_add_func("/qmp/commands/calls-inside-callbacks", test_calls_inside_callbacks);
	g_test_add_func("/qmp/commands/call-inside-wakeup", test_call_inside_wakeup);
	g_test_add_func("/qmp/commands/late-reply", test_late_reply);
	g_test_add_func("/qmp/commands/half-a-reply", test_half_a_reply);
	g_test_add_func("/qmp/commands/cancel", test_cancel);
	g_test_add_func("/qmp/commands/foreign-ids", test_foreign_ids);
	g_test_add_func("/qmp/commands/other-spellings", test_other_spellings);
	g_test_add_func("/qmp/commands/replies-beyond-bounds", test_replies_beyond_bounds);
	g_test_add_func("/qmp/commands/protocol-failures", test_protocol_failures);
	g_test_add_func("/qmp/commands/disconnect-ends-all", test_disconnect_ends_all);
	g_test_add_func("/qmp/commands/disconnect-ends-blocking-call", test_disconnect_ends_blocking_call);
	g_test_add_func("/qmp/commands/close-ends-blocking-call", test_close_ends_blocking_call);
	g_test_add_func("/qmp/commands/unref-with-pending", test_unref_with_pending);
	g_test_add_func("/qmp/commands/unref-inside-callback", test_unref_inside_callback);
	g_test_add_func("/qmp/commands/context-ends-with-pending", test_context_ends_with_pending);
	g_test_add_func("/qmp/commands/many-threads", test_many_threads);
	g_test_add_func("/qmp/commands/one-thread-with-events", test_one_thread_with_events);
	return session_main();
}
