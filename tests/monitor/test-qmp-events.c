/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events and the end of the connection, on their way to the handler. */
#include "session.h"

typedef struct Seen {
	int events;
	int ends;
	int end_code;
	guint64 dropped;
	GString *text;
	int freed;
} Seen;

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Seen *seen = data;
	g_assert_cmpuint(event->size, ==, sizeof *event);
	seen->dropped += event->dropped;
	if (event->name) {
		seen->events++;
		if (seen->text)
			g_string_append_printf(seen->text, "%s %s %" G_GINT64_FORMAT "\n", event->name,
			                       event->data ? event->data : "-", event->timestamp_us);
		return;
	}
	seen->ends++;
	seen->end_code = utm_error_get_code(event->error);
}

static void on_free(void *data)
{
	((Seen *)data)->freed++;
}

static void send_events(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "go");
	fake_qmp_send(fake, "{'event': 'STOP', 'timestamp': {'seconds': 1700000000, 'microseconds': 5}}\r\n"
	                    "{'timestamp': {'seconds': -1, 'microseconds': -1}, 'event': 'RESUME', "
	                    "'data': { 'a' : [ 1 , 2 ] }}"
	                    "{'event': 'X\\u0000\\u00e4', 'data': '\\u0000', "
	                    "'timestamp': {'seconds': 99999999999999999999}}"
	                    "{'event': 'NEW', 'unknown': {'deep': [[[]]]}, 'id': 3}"
	                    "{'return': {}, 'id': 1}");
}

static void test_events(void)
{
	Session session = session_open(send_events, NULL);
	Seen seen = { .text = g_string_new(NULL) };
	utm_qmp_set_event_handler(session.qmp, on_event, &seen, on_free);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "go", NULL, NULL, NULL, NULL), ==, 0);
	wait_for(seen.ends == 1);
	g_assert_cmpstr(seen.text->str, ==, "STOP - 1700000000000005\nRESUME {\"a\":[1,2]} -1\n"
	                                    "X\xef\xbf\xbd\xc3\xa4 \"\\u0000\" -1\nNEW - -1\n");
	g_assert_cmpint(seen.end_code, ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_cmpint(seen.freed, ==, 0);
	session_close(&session);
	g_assert_cmpint(seen.freed, ==, 1);
	g_string_free(seen.text, TRUE);
}

#define FLOOD 5000

static void flood(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	int id = fake_qmp_expect(fake, "go");
	for (int i = 0; i < FLOOD; i++)
		fake_qmp_sendf(fake, "{'event': 'E%d'}\r\n", i);
	fake_qmp_reply(fake, id, "{}");
	id = fake_qmp_expect(fake, "one-more");
	fake_qmp_send(fake, "{'event': 'LAST'}");
	fake_qmp_reply(fake, id, "{}");
	fake_qmp_expect_end(fake);
}

/* An application that does not dispatch gets the first 1024 and the number of the others; nothing grows or waits. */
static void test_overflow(void)
{
	Session session = session_open(flood, NULL);
	Seen seen = { 0 };
	utm_qmp_set_event_handler(session.qmp, on_event, &seen, NULL);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "go", NULL, NULL, NULL, NULL), ==, 0);
	wait_for(seen.events == 1024);
	g_assert_cmpuint(seen.dropped, ==, FLOOD - 1024);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "one-more", NULL, NULL, NULL, NULL), ==, 0);
	wait_for(seen.events == 1025);
	g_assert_cmpuint(seen.dropped, ==, FLOOD - 1024);
	session_close(&session);
}

static void serve(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_serve(fake);
}

static void test_end_by_close(void)
{
	Session session = session_open(serve, NULL);
	Seen seen = { 0 }, late = { 0 };
	utm_qmp_set_event_handler(session.qmp, on_event, &seen, on_free);
	utm_qmp_close(session.qmp);
	utm_qmp_close(session.qmp);
	wait_for(seen.ends == 1);
	g_assert_cmpint(seen.end_code, ==, UTM_ERROR_QMP_DISCONNECTED);
	/* Whoever comes after the end still hears of it. */
	utm_qmp_set_event_handler(session.qmp, on_event, &late, on_free);
	g_assert_cmpint(seen.freed, ==, 1);
	wait_for(late.ends == 1);
	g_assert_cmpint(seen.ends, ==, 1);
	utm_qmp_set_event_handler(session.qmp, NULL, &late, on_free);
	g_assert_cmpint(late.freed, ==, 2);
	session_close(&session);
}

static void send_garbage(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_send(fake, "{'event': 'STOP'}\r\nFormatting 'disk.img'");
	fake_qmp_expect_end(fake);
}

static void test_end_by_garbage(void)
{
	Session session = session_open(send_garbage, NULL);
	Seen seen = { 0 };
	utm_qmp_set_event_handler(session.qmp, on_event, &seen, NULL);
	wait_for(seen.ends == 1);
	g_assert_cmpint(seen.end_code, ==, UTM_ERROR_QMP_PROTOCOL);
	session_close(&session);
}

static void cut(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_send(fake, "{'event': 'STOP'}{'event': 'RES");
}

static void test_end_inside_a_message(void)
{
	Session session = session_open(cut, NULL);
	Seen seen = { 0 };
	utm_qmp_set_event_handler(session.qmp, on_event, &seen, NULL);
	wait_for(seen.ends == 1);
	g_assert_cmpint(seen.end_code, ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_cmpint(seen.events, <=, 1);
	session_close(&session);
}

static void unref_in_handler(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	UtmQmp **own = data;
	utm_qmp_unref(g_steal_pointer(own));
}

static void send_many(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "go");
	for (int i = 0; i < 100; i++)
		fake_qmp_send(fake, "{'event': 'STOP'}");
	fake_qmp_expect_end(fake);
}

/* The handler drops the last reference: it is not called again. */
static void test_unref_inside_handler(void)
{
	Session session = session_open(send_many, NULL);
	UtmQmp **own = &session.qmp;
	utm_qmp_set_event_handler(session.qmp, unref_in_handler, own, NULL);
	utm_qmp_execute_async(session.qmp, "go", NULL, NULL, NULL, NULL, NULL, NULL);
	wait_for(session.qmp == NULL);
	session_close(&session);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/events/delivered", test_events);
	g_test_add_func("/qmp/events/overflow", test_overflow);
	g_test_add_func("/qmp/events/end-by-close", test_end_by_close);
	g_test_add_func("/qmp/events/end-by-garbage", test_end_by_garbage);
	g_test_add_func("/qmp/events/end-inside-a-message", test_end_inside_a_message);
	g_test_add_func("/qmp/events/unref-inside-handler", test_unref_inside_handler);
	return session_main();
}
