/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes when: commands out of band, commands with descriptors and those that wait for either; and what a command that
 * ends without an answer says about what became of it.
 */
#include "session.h"

#include <unistd.h>

#define IN_BAND_MAX 7

static Session open_oob(FakeQmpScript script, void *data)
{
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.flags = UTM_QMP_CONNECT_OOB;
	Session session = session_open_with(script, data, &options);
	g_assert_cmpint(session.result, ==, 0);
	return session;
}

typedef struct Calls {
	int answered, freed, unknown, unsent, code;
	char *message;
} Calls;

static void on_reply(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Calls *calls = data;
	calls->answered++;
	calls->code = error ? utm_error_get_code(error) : 0;
	g_free(calls->message);
	calls->message = error ? g_strdup(utm_error_get_message(error)) : NULL;
	calls->unknown += error && strstr(calls->message, "took effect is unknown") != NULL;
	calls->unsent += error && strstr(calls->message, "was not sent") != NULL;
}

static void on_free(void *data)
{
	((Calls *)data)->freed++;
}

static void begin(Session *session, const char *command, const UtmQmpCallOptions *options, Calls *calls)
{
	g_assert_cmpint(utm_qmp_execute_async(session->qmp, command, NULL, options, on_reply, calls, on_free, NULL), ==, 0);
}

/* With calls under way, which are freed later. */
static void close_with(Session *session, Calls *calls, int count)
{
	session_close(session);
	wait_for(calls->freed == count);
	g_free(calls->message);
}

/* ---------------------------------------------------------------- out of band */

static void grant_oob(FakeQmp *fake, void *data)
{
	fake_qmp_send(fake, "{'QMP': {'version': {}, 'capabilities': ['teleport', null, {'oob': []}, ['oob'], 7, 'oob', 'x']}}");
	fake_qmp_reply(fake, fake_qmp_expect_arguments(fake, "qmp_capabilities", "{'enable':['oob']}"), "{}");
	fake_qmp_reply(fake, fake_qmp_expect_oob(fake, "yank"), "{}");
	fake_qmp_serve(fake);
}

static void offer_no_oob(FakeQmp *fake, void *data)
{
	fake_qmp_send(fake, data);
	g_autofree char *negotiation = fake_qmp_receive(fake);
	g_assert_cmpstr(negotiation, ==, "{\"execute\":\"qmp_capabilities\",\"id\":0}");
	fake_qmp_reply(fake, 0, "{}");
	fake_qmp_serve(fake);
}

static void plain(FakeQmp *fake, void *data)
{
	offer_no_oob(fake, "{'QMP': {'version': {}, 'capabilities': ['oob']}}");
}

static void test_negotiation(void)
{
	static const char *const without[] = { "{'QMP': {}}", "{'QMP': {'capabilities': []}}", "{'QMP': {'capabilities': 'oob'}}",
		                               "{'QMP': {'capabilities': ['OOB', ['oob'], {'oob': 'oob'}]}}",
		                               "{'QMP': {'capabilities': ['oob\\u0000']}}",
		                               "{'QMP': {'other': ['oob'], 'capabilities': null}}" };
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.flags = UTM_QMP_CALL_OOB;
	Session session = open_oob(grant_oob, NULL);
	g_assert_true(utm_qmp_has_oob(session.qmp));
	g_assert_cmpint(utm_qmp_execute(session.qmp, "yank", NULL, &options, NULL, NULL), ==, 0);
	session_close(&session);
	for (gsize i = 0; i < G_N_ELEMENTS(without); i++) {
		session = open_oob(offer_no_oob, (void *)without[i]);
		g_assert_false(utm_qmp_has_oob(session.qmp));
		g_assert_cmpint(utm_qmp_execute(session.qmp, "yank", NULL, &options, NULL, NULL), ==, UTM_ERROR_NOT_SUPPORTED);
		g_assert_cmpint(utm_qmp_execute(session.qmp, "yank", NULL, NULL, NULL, NULL), ==, 0);
		session_close(&session);
	}
	/* Who does not ask does not get it. */
	session = session_open(plain, NULL);
	g_assert_false(utm_qmp_has_oob(session.qmp));
	session_close(&session);
	g_assert_false(utm_qmp_has_oob(NULL));
}

static void test_flags(void)
{
	Session session = open_oob(grant_oob, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	for (int bit = 0; bit < 32; bit++) {
		options.flags = 1u << bit;
		int expected = options.flags & (UTM_QMP_CALL_OOB | UTM_QMP_CALL_FORCE) ? 0 : UTM_ERROR_INVALID_ARGUMENT;
		g_assert_cmpint(utm_qmp_execute(session.qmp, "yank", NULL, &options, NULL, NULL), ==, expected);
	}
	session_close(&session);
	UtmQmp *qmp = NULL;
	UtmQmpConnectOptions wrong = UTM_QMP_CONNECT_OPTIONS_INIT;
	wrong.flags = 1u << 2;
	g_assert_cmpint(utm_qmp_connect_path(context, "/x", &wrong, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

#define MANY 20

/* No more than fits; the one out of band gets through; each answer makes room for one more. */
static void serve_window(FakeQmp *fake, void *data)
{
	int ids[MANY];
	fake_qmp_negotiate_oob(fake);
	for (int i = 0; i < IN_BAND_MAX; i++)
		ids[i] = fake_qmp_expect(fake, "slow");
	fake_qmp_reply(fake, fake_qmp_expect_oob(fake, "yank"), "{}");
	fake_qmp_expect_silence(fake, 30);
	for (int i = 0; i < MANY; i++) {
		fake_qmp_reply(fake, ids[i], "{}");
		if (i + IN_BAND_MAX < MANY)
			ids[i + IN_BAND_MAX] = fake_qmp_expect(fake, "slow");
	}
	fake_qmp_expect_end(fake);
}

static void test_window(void)
{
	Session session = open_oob(serve_window, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	Calls calls = { 0 };
	options.flags = UTM_QMP_CALL_OOB;
	for (int i = 0; i < MANY; i++)
		begin(&session, "slow", NULL, &calls);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "yank", NULL, &options, NULL, NULL), ==, 0);
	g_assert_cmpint(calls.answered, ==, 0);
	wait_for(calls.freed == MANY);
	g_assert_cmpint(calls.code, ==, 0);
	session_close(&session);
}

/* Late answers still count among those under way: a server that never gives them gets no more. */
static void test_window_of_late_answers(void)
{
	Session session = open_oob(serve_window, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	Calls late = { 0 }, calls = { 0 };
	options.timeout_ms = 10;
	for (int i = 0; i < IN_BAND_MAX; i++)
		begin(&session, "slow", &options, &late);
	wait_for(late.freed == IN_BAND_MAX);
	g_assert_cmpint(late.code, ==, UTM_ERROR_TIMEOUT);
	for (int i = IN_BAND_MAX; i < MANY; i++)
		begin(&session, "slow", NULL, &calls);
	options = (UtmQmpCallOptions)UTM_QMP_CALL_OPTIONS_INIT;
	options.flags = UTM_QMP_CALL_OOB;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "yank", NULL, &options, NULL, NULL), ==, 0);
	wait_for(calls.freed == MANY - IN_BAND_MAX);
	session_close(&session);
	g_free(late.message);
}

/* ---------------------------------------------------------------- descriptors */

/* One descriptor for reading a text, with nothing left on this side. */
static int pipe_with(const char *text)
{
	int fds[2];
	g_assert_cmpint(pipe(fds), ==, 0);
	g_assert_cmpint(write(fds[1], text, strlen(text)), ==, strlen(text));
	close(fds[1]);
	return fds[0];
}

static void assert_came_with(FakeQmp *fake, const char *text)
{
	char bytes[32] = "";
	int fd = fake_qmp_take_fd(fake);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(read(fd, bytes, sizeof bytes - 1), ==, strlen(text));
	g_assert_cmpstr(bytes, ==, text);
	close(fd);
}

static void take_turns(FakeQmp *fake, void *data)
{
	if (data)
		fake_qmp_negotiate_oob(fake);
	else
		fake_qmp_negotiate(fake);
	int first = fake_qmp_expect(fake, "first");
	fake_qmp_expect_silence(fake, 30);
	fake_qmp_reply(fake, first, "{}");
	for (int i = 0; i < 3; i++) {
		int id = fake_qmp_expect(fake, "getfd");
		g_autofree char *text = g_strdup_printf("content %d", i);
		assert_came_with(fake, text);
		fake_qmp_expect_silence(fake, 20);
		fake_qmp_reply_error(fake, id, "GenericError", "no, thank you");
	}
	fake_qmp_reply(fake, fake_qmp_expect(fake, "last"), "{}");
	g_assert_cmpint(fake_qmp_take_fd(fake), ==, -1);
	fake_qmp_expect_end(fake);
}

static void run_descriptors(Session session)
{
	Calls calls = { 0 };
	begin(&session, "first", NULL, &calls);
	for (int i = 0; i < 3; i++) {
		g_autofree char *text = g_strdup_printf("content %d", i);
		int fd = pipe_with(text);
		UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
		options.fd = &fd;
		begin(&session, "getfd", &options, &calls);
		close(fd);
	}
	begin(&session, "last", NULL, &calls);
	wait_for(calls.freed == 5);
	session_close(&session);
}

static void test_descriptors(void)
{
	run_descriptors(session_open(take_turns, NULL));
	run_descriptors(open_oob(take_turns, ""));
}

/* Behind more bytes than the socket takes at once, the descriptor goes with its own command. */
static void take_after_much(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	g_usleep(30000);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "much"), "{}");
	g_assert_cmpint(fake_qmp_take_fd(fake), ==, -1);
	int id = fake_qmp_expect(fake, "getfd");
	assert_came_with(fake, "content");
	fake_qmp_reply(fake, id, "{}");
	fake_qmp_expect_end(fake);
}

static void test_descriptor_of_a_long_command(void)
{
	Session session = session_open(take_after_much, NULL);
	g_autofree char *text = g_strnfill(3 << 20, 'x');
	g_autofree char *arguments = g_strdup_printf("{\"x\":\"%s\"}", text);
	int fd = pipe_with("content");
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.fd = &fd;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "much", arguments, NULL, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "getfd", arguments, &options, NULL, NULL), ==, 0);
	close(fd);
	session_close(&session);
}

static void ignore_all(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_ignore_all(fake);
}

static void ignore_all_oob(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate_oob(fake);
	fake_qmp_ignore_all(fake);
}

static void test_bad_descriptors(void)
{
	Session session = open_oob(ignore_all_oob, NULL);
	g_autoptr(UtmError) error = NULL;
	int fd = -1;
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.fd = &fd;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "getfd", NULL, &options, NULL, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
	fd = 0;
	options.flags = UTM_QMP_CALL_OOB;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "getfd", NULL, &options, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	session_close(&session);
}

/* A descriptor whose command never goes is closed with it, and what waited behind it goes on. */
static void go_on_behind(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	int slow = fake_qmp_expect(fake, "slow");
	int later = fake_qmp_expect(fake, "later");
	g_assert_cmpint(fake_qmp_take_fd(fake), ==, -1);
	fake_qmp_reply(fake, slow, "{}");
	fake_qmp_reply(fake, later, "{}");
	fake_qmp_expect_end(fake);
}

static void test_descriptor_that_never_goes(void)
{
	Session session = session_open(go_on_behind, NULL);
	Calls calls = { 0 }, late = { 0 };
	int fds[2];
	char byte;
	g_assert_cmpint(pipe(fds), ==, 0);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.fd = &fds[1];
	options.timeout_ms = 30;
	begin(&session, "slow", NULL, &calls);
	begin(&session, "getfd", &options, &late);
	begin(&session, "later", NULL, &calls);
	close(fds[1]);
	wait_for(late.freed == 1);
	g_assert_cmpint(late.code, ==, UTM_ERROR_TIMEOUT);
	g_assert_true(g_str_has_prefix(late.message, "getfd was not sent within 30 ms, behind `slow`, sent "));
	wait_for(calls.freed == 2);
	g_assert_cmpint(calls.code, ==, 0);
	g_assert_cmpint(read(fds[0], &byte, 1), ==, 0);
	close(fds[0]);
	session_close(&session);
	g_free(late.message);
}

/* ---------------------------------------------------------------- stalls */

/* Silence for less is not a stall. */
#define STALLED_MS 1000

/* A command that is not answered in time: the message. (transfer full) */
static char *run_late(Session *session, const char *command, guint32 flags, gint64 timeout_ms, int expected)
{
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	g_autoptr(UtmError) error = NULL;
	options.timeout_ms = timeout_ms;
	options.flags = flags;
	g_assert_cmpint(utm_qmp_execute(session->qmp, command, NULL, &options, NULL, &error), ==, expected);
	return g_strdup(utm_error_get_message(error));
}

static void test_stalled_behind(void)
{
	Session session = session_open(ignore_all, NULL);
	Calls calls = { 0 };
	begin(&session, "savevm", NULL, &calls);
	begin(&session, "query-name", NULL, &calls);
	g_autofree char *first = run_late(&session, "query-status", 0, STALLED_MS, UTM_ERROR_QMP_STALLED);
	g_assert_true(g_str_has_prefix(first, "query-status was not answered within 1000 ms, behind `savevm`, sent "));
	g_assert_nonnull(strstr(first, " ms ago; nothing at all came"));
	close_with(&session, &calls, 2);
	/* A command that nobody waits for any more holds up the others all the same. */
	session = session_open(ignore_all, NULL);
	g_autofree char *ahead = run_late(&session, "savevm", 0, 20, UTM_ERROR_TIMEOUT);
	g_autofree char *behind = run_late(&session, "query-status", 0, STALLED_MS, UTM_ERROR_QMP_STALLED);
	g_assert_cmpstr(ahead, ==, "savevm was not answered within 20 ms");
	g_assert_nonnull(strstr(behind, "behind `savevm`"));
	session_close(&session);
}

static void send_event_and_ignore(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "savevm");
	fake_qmp_expect(fake, "query-status");
	fake_qmp_send(fake, "{'event': 'STOP'}");
	fake_qmp_ignore_all(fake);
}

/* It lives, it is only late. */
static void test_late_but_alive(void)
{
	Session session = session_open(send_event_and_ignore, NULL);
	Calls calls = { 0 };
	begin(&session, "savevm", NULL, &calls);
	g_autofree char *message = run_late(&session, "query-status", 0, STALLED_MS, UTM_ERROR_TIMEOUT);
	g_assert_nonnull(strstr(message, "within 1000 ms, behind `savevm`, sent "));
	g_assert_true(g_str_has_suffix(message, " ms ago"));
	close_with(&session, &calls, 1);
}

static void stall_oob(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate_oob(fake);
	fake_qmp_ignore_all(fake);
}

/* What runs beside the others is not behind them. */
static void test_stalled_beside(void)
{
	Session session = open_oob(stall_oob, NULL);
	Calls calls = { 0 };
	begin(&session, "savevm", NULL, &calls);
	g_autofree char *message = run_late(&session, "yank", UTM_QMP_CALL_OOB, 20, UTM_ERROR_TIMEOUT);
	g_assert_null(strstr(message, "behind"));
	close_with(&session, &calls, 1);
}

/* ---------------------------------------------------------------- ends */

/* Hangs up after this command. */
static void hang_up_at(FakeQmp *fake, void *data)
{
	char *command;
	g_autofree char *name = g_strdup_printf("\"%s\"", (const char *)data);
	fake_qmp_negotiate(fake);
	while ((command = fake_qmp_receive(fake)) && !strstr(command, name))
		g_free(command);
	g_free(command);
}

static void test_quit(void)
{
	Session session = session_open(hang_up_at, "quit");
	char *reply = NULL;
	g_assert_cmpint(utm_qmp_execute(session.qmp, "quit", NULL, NULL, &reply, NULL), ==, 0);
	g_assert_cmpstr(reply, ==, "{}");
	utm_free(reply);
	session_close(&session);

	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.cancel = utm_cancel_new();
	session = session_open(hang_up_at, "quit");
	g_assert_cmpint(utm_qmp_execute(session.qmp, "quit", NULL, &options, NULL, NULL), ==, 0);
	utm_cancel_unref(options.cancel);
	session_close(&session);

	/* Others that were under way do not succeed with it, and nothing answers twice. */
	Calls quit = { 0 }, others = { 0 };
	session = session_open(hang_up_at, "quite");
	begin(&session, "slow", NULL, &others);
	begin(&session, "quit", NULL, &quit);
	begin(&session, "quite", NULL, &others);
	wait_for(quit.freed == 1 && others.freed == 2);
	g_assert_cmpint(quit.answered + others.answered, ==, 3);
	g_assert_cmpint(quit.code, ==, 0);
	g_assert_cmpint(others.code, ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_cmpint(others.unknown, ==, 2);
	session_close(&session);
	g_free(others.message);
}

static void send_garbage_after_quit(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "quit");
	fake_qmp_send(fake, "segmentation fault");
	fake_qmp_expect_end(fake);
}

static void refuse_quit(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "quit"), "GenericError", "not now");
}

static void hang_up_full(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate_oob(fake);
	for (int i = 0; i < IN_BAND_MAX; i++)
		fake_qmp_expect(fake, "slow");
}

/* When the end is no proof that it worked. */
static void test_quit_that_fails(void)
{
	Session session = session_open(send_garbage_after_quit, NULL);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "quit", NULL, NULL, NULL, NULL), ==, UTM_ERROR_QMP_PROTOCOL);
	session_close(&session);

	session = session_open(refuse_quit, NULL);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "quit", NULL, NULL, NULL, NULL), ==, UTM_ERROR_QMP_COMMAND);
	session_close(&session);

	Calls quit = { 0 }, slow = { 0 };
	session = open_oob(hang_up_full, NULL);
	for (int i = 0; i < IN_BAND_MAX; i++)
		begin(&session, "slow", NULL, &slow);
	begin(&session, "quit", NULL, &quit);
	wait_for(quit.freed == 1 && slow.freed == IN_BAND_MAX);
	g_assert_cmpint(quit.code, ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_cmpint(quit.unsent, ==, 1);
	g_assert_cmpint(slow.unknown, ==, IN_BAND_MAX);
	session_close(&session);
	g_free(quit.message);
	g_free(slow.message);

	quit = (Calls){ 0 };
	session = session_open(ignore_all, NULL);
	begin(&session, "quit", NULL, &quit);
	utm_qmp_close(session.qmp);
	wait_for(quit.freed == 1);
	g_assert_cmpint(quit.code, ==, UTM_ERROR_QMP_DISCONNECTED);
	session_close(&session);
	g_free(quit.message);
}

/* What was under way, what waited here, and what came too late. */
static void test_fates(void)
{
	Session session = open_oob(ignore_all_oob, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	Calls sent = { 0 }, waiting = { 0 }, cancelled = { 0 };
	for (int i = 0; i < IN_BAND_MAX; i++)
		begin(&session, "slow", NULL, &sent);
	begin(&session, "waits", NULL, &waiting);
	options.cancel = utm_cancel_new();
	begin(&session, "never", &options, &cancelled);
	g_usleep(20000);
	utm_cancel_trigger(options.cancel);
	wait_for(cancelled.freed == 1);
	g_assert_cmpint(cancelled.code, ==, UTM_ERROR_CANCELLED);
	g_assert_cmpint(cancelled.unsent, ==, 1);
	utm_qmp_close(session.qmp);
	wait_for(sent.freed == IN_BAND_MAX && waiting.freed == 1);
	g_assert_cmpint(sent.answered, ==, IN_BAND_MAX);
	g_assert_cmpint(sent.unknown, ==, IN_BAND_MAX);
	g_assert_cmpint(waiting.unsent, ==, 1);
	g_assert_cmpint(waiting.code, ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_cancel_unref(options.cancel);
	session_close(&session);
	g_free(sent.message);
	g_free(waiting.message);
	g_free(cancelled.message);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/order/negotiation", test_negotiation);
	g_test_add_func("/qmp/order/flags", test_flags);
	g_test_add_func("/qmp/order/window", test_window);
	g_test_add_func("/qmp/order/window-of-late-answers", test_window_of_late_answers);
	g_test_add_func("/qmp/order/descriptors", test_descriptors);
	g_test_add_func("/qmp/order/descriptor-of-a-long-command", test_descriptor_of_a_long_command);
	g_test_add_func("/qmp/order/bad-descriptors", test_bad_descriptors);
	g_test_add_func("/qmp/order/descriptor-that-never-goes", test_descriptor_that_never_goes);
	g_test_add_func("/qmp/order/stalled-behind", test_stalled_behind);
	g_test_add_func("/qmp/order/late-but-alive", test_late_but_alive);
	g_test_add_func("/qmp/order/stalled-beside", test_stalled_beside);
	g_test_add_func("/qmp/order/quit", test_quit);
	g_test_add_func("/qmp/order/quit-that-fails", test_quit_that_fails);
	g_test_add_func("/qmp/order/fates", test_fates);
	return session_main();
}
