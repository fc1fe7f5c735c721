/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest agent's connection against a scripted agent: what a real one does not do on demand, or a hostile one does. */
#include "session.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---------------------------------------------------------------- the agent's side */

/* The number in a question for a mark, which has an id or not; 0 for another command. */
static gint64 get_question(const char *command, bool has_id)
{
	char *number = command ? strstr(command, "\"arguments\":{\"id\":") : NULL;
	if (!number || !strstr(command, "guest-sync-delimited"))
		return 0;
	g_assert_true((strstr(command, "},\"id\":0}") != NULL) == has_id);
	g_assert_true((strchr(command, '\xff') != NULL) == has_id);
	return g_ascii_strtoll(number + strlen("\"arguments\":{\"id\":"), NULL, 10);
}

static gint64 expect_question(FakeQmp *fake, bool has_id)
{
	g_autofree char *question = fake_qmp_receive(fake);
	gint64 number = get_question(question, has_id);
	if (!number)
		g_error("the fake agent expected a question for a mark and got %s", question ? question : "the end");
	return number;
}

static const char stray_byte[] = "{'error': {'class': 'GenericError', 'desc': 'JSON parse error, stray'}}\n";

static void send_mark(FakeQmp *fake, gint64 number, const char *more)
{
	fake_qmp_send_bytes(fake, "\xff", 1);
	fake_qmp_sendf(fake, "{'return': %" G_GINT64_FORMAT "%s}\n", number, more);
}

/* As a real agent does it. */
static void answer_number(FakeQmp *fake, gint64 first)
{
	gint64 second = expect_question(fake, false);
	g_assert_cmpint(second, ==, first + 1);
	fake_qmp_send(fake, stray_byte);
	send_mark(fake, first, ", 'id': 0");
	send_mark(fake, second, "");
}

static void answer_question(FakeQmp *fake)
{
	answer_number(fake, expect_question(fake, true));
}

static void serve_ping(FakeQmp *fake)
{
	fake_qmp_reply(fake, fake_qmp_expect(fake, "guest-ping"), "{'pong': 1}");
}

static void mark_and_serve(FakeQmp *fake, void *data)
{
	answer_question(fake);
	fake_qmp_serve(fake);
}

/* ---------------------------------------------------------------- the library's side */

typedef struct Line {
	FakeQmp *fake;
	UtmGuest *guest;
	int result;
	UtmError *error;
} Line;

static Line line_open_with(FakeQmpScript script, void *data, gint64 timeout_ms, uint32_t flags)
{
	Line line = { 0 };
	int fd;
	UtmGuestConnectOptions options = UTM_GUEST_CONNECT_OPTIONS_INIT;
	options.timeout_ms = timeout_ms;
	options.flags = flags;
	line.fake = fake_qmp_start(script, data, &fd);
	line.result = utm_guest_connect_fd(context, fd, &options, &line.guest, &line.error);
	return line;
}

static Line line_open(FakeQmpScript script, void *data)
{
	Line line = line_open_with(script, data, PATIENCE_MS, 0);
	if (line.error)
		g_error("%s", utm_error_get_message(line.error));
	return line;
}

static void line_close(Line *line)
{
	utm_guest_unref(line->guest);
	fake_qmp_finish(line->fake);
	utm_error_unref(line->error);
}

static int run_within(Line *line, const char *command, gint64 timeout_ms, UtmError **error)
{
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = timeout_ms;
	return utm_guest_execute(line->guest, command, NULL, &options, NULL, error);
}

static int run(Line *line, const char *command)
{
	g_autoptr(UtmError) error = NULL;
	int result = run_within(line, command, PATIENCE_MS, &error);
	if (error)
		g_test_message("%s", utm_error_get_message(error));
	return result;
}

static void assert_pong(Line *line)
{
	g_autofree char *reply = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_guest_execute(line->guest, "guest-ping", NULL, NULL, &reply, &error) < 0)
		g_error("%s", utm_error_get_message(error));
	g_assert_cmpstr(reply, ==, "{\"pong\":1}");
}

/* ---------------------------------------------------------------- what succeeds */

static void plain(FakeQmp *fake, void *data)
{
	answer_question(fake);
	serve_ping(fake);
	int id = fake_qmp_expect_arguments(fake, "guest-file-close", "{'handle':7}");
	fake_qmp_reply_error(fake, id, "GenericError", "no such handle");
	/* Nothing was wrong with the stream: no question in between. */
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void test_plain(void)
{
	g_autoptr(UtmError) error = NULL;
	Line line = line_open(plain, NULL);
	assert_pong(&line);
	int failed = utm_guest_execute(line.guest, "guest-file-close", "{ \"handle\": 7 }", NULL, NULL, &error);
	g_assert_cmpint(failed, ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_message(error), ==, "no such handle");
	assert_pong(&line);
	line_close(&line);
}

/* All that may lie on the line before the mark, and looks as much like one as possible. */
static void stale(FakeQmp *fake, void *data)
{
	static const char rubbish[] = "login: \x1b[0m\n{\"return\": {}, \"id\": 0}{\"return\": \"cut in the mid";
	gint64 first = expect_question(fake, true), second = expect_question(fake, false);
	fake_qmp_send_bytes(fake, rubbish, sizeof rubbish);
	send_mark(fake, 0, "");
	send_mark(fake, 4711, ", 'id': 0");
	send_mark(fake, first - 2, ", 'id': 0");
	send_mark(fake, first - 1, "");
	send_mark(fake, first, ", 'id': 0");
	fake_qmp_sendf(fake, "{'return': %" G_GINT64_FORMAT "}", second); /* no mark before it */
	fake_qmp_send_bytes(fake, "\xff\xff{\"return\":\xff{\"return\": \"\xff", 23);
	fake_qmp_sendf(fake, "{'return': %" G_GINT64_FORMAT ".0}\xff{'return': [%" G_GINT64_FORMAT "]}", second, second);
	send_mark(fake, second, ", 'id': 0");
	fake_qmp_send(fake, "{'return': {'wrong': 1}, 'id': 0}");
	g_autofree char *long_line = g_strnfill(100000, ' ');
	fake_qmp_sendf(fake, "\xff{'a': %s1}", long_line);
	send_mark(fake, second, "");
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void test_stale(void)
{
	Line line = line_open(stale, NULL);
	assert_pong(&line);
	line_close(&line);
}

static void byte_by_byte(FakeQmp *fake, void *data)
{
	gint64 second = (expect_question(fake, true), expect_question(fake, false));
	g_autofree char *text = g_strdup_printf("{\"x\xff{\"return\": %" G_GINT64_FORMAT "}\r\n", second);
	for (char *c = text; *c; c++) {
		fake_qmp_send_bytes(fake, c, 1);
		g_usleep(200);
	}
	/* The answer to the question with an id never came, so ids are not to be had. */
	g_autofree char *command = fake_qmp_receive(fake);
	g_assert_cmpstr(command, ==, "{\"execute\":\"guest-ping\"}");
	fake_qmp_send(fake, "{'return': {'pong': 1}}");
	fake_qmp_expect_end(fake);
}

static void test_byte_by_byte(void)
{
	Line line = line_open(byte_by_byte, NULL);
	assert_pong(&line);
	line_close(&line);
}

/* Before QEMU 4.0: a command with an id is refused. */
static void without_ids(FakeQmp *fake, void *data)
{
	expect_question(fake, true);
	fake_qmp_send(fake, stray_byte);
	fake_qmp_send(fake, "{'error': {'class': 'GenericError', 'desc': 'QMP input member 'id' is unexpected'}}");
	send_mark(fake, expect_question(fake, false), "");
	for (int i = 0; i < 3; i++) {
		g_autofree char *command = fake_qmp_receive(fake);
		g_assert_true(g_str_has_suffix(command, "{\"execute\":\"guest-ping\"}"));
		fake_qmp_send(fake, i == 1 ? "{'error': {'class': 'GenericError', 'desc': 'no'}}" : "{'return': {'pong': 1}}");
	}
	fake_qmp_expect_end(fake);
}

static void test_without_ids(void)
{
	Line line = line_open(without_ids, NULL);
	assert_pong(&line);
	g_assert_cmpint(run(&line, "guest-ping"), ==, UTM_ERROR_QMP_COMMAND);
	assert_pong(&line);
	line_close(&line);
}

/* As guest-file-read answers at most: 48 MiB, 64 MiB as base64. */
static void send_long_answer(FakeQmp *fake, void *data)
{
	answer_question(fake);
	g_autofree char *mebibyte = g_strnfill(1 << 20, 'A');
	int id = fake_qmp_expect(fake, "guest-file-read");
	fake_qmp_send(fake, "{'return': {'count': 50331648, 'buf-b64': '");
	for (int i = 0; i < 64; i++)
		fake_qmp_send_bytes(fake, mebibyte, 1 << 20);
	fake_qmp_sendf(fake, "', 'eof': false}, 'id': %d}\n", id);
	fake_qmp_expect_end(fake);
}

static void test_long_answer(void)
{
	g_autofree char *reply = NULL;
	g_autoptr(UtmError) error = NULL;
	Line line = line_open(send_long_answer, NULL);
	if (utm_guest_execute(line.guest, "guest-file-read", NULL, NULL, &reply, &error) < 0)
		g_error("%s", utm_error_get_message(error));
	g_assert_cmpuint(strlen(reply), >, 64 << 20);
	line_close(&line);
}

static void test_sync(void)
{
	g_autofree char *reply = NULL;
	Line line = line_open(mark_and_serve, NULL);
	line_close(&line);

	line = line_open_with(mark_and_serve, NULL, 0, UTM_GUEST_CONNECT_NO_WAIT);
	g_assert_cmpint(line.result, ==, 0);
	int failed = utm_guest_execute(line.guest, "guest-sync-delimited", "{\"id\": -5}", NULL, &reply, NULL);
	g_assert_cmpint(failed, ==, 0);
	g_assert_cmpstr(reply, ==, "-5");
	static const char *const wrong[] = { "{}", "{\"id\":\"x\"}", "{\"id\":1,\"more\":2}", "{\"di\":1}" };
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		g_assert_cmpint(utm_guest_execute(line.guest, "guest-sync-delimited", wrong[i], NULL, NULL, NULL), ==,
		                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(run(&line, "guest-sync-delimited"), ==, UTM_ERROR_INVALID_ARGUMENT);
	line_close(&line);
}

static void mark_twice(FakeQmp *fake, void *data)
{
	answer_question(fake);
	answer_question(fake);
	answer_question(fake);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

/* Each sync wants an answer of its own. */
static void test_sync_asks(void)
{
	Line line = line_open(mark_twice, NULL);
	g_assert_cmpint(utm_guest_sync(line.guest, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_guest_sync(line.guest, NULL, NULL), ==, 0);
	assert_pong(&line);
	line_close(&line);
}

/* ---------------------------------------------------------------- no agent */

static void stay_silent(FakeQmp *fake, void *data)
{
	fake_qmp_ignore_all(fake);
}

static void answer_wrongly(FakeQmp *fake, void *data)
{
	gint64 first = expect_question(fake, true), second = expect_question(fake, false);
	if (data)
		send_mark(fake, second + 1, "");
	else
		fake_qmp_sendf(fake, "{'return': %" G_GINT64_FORMAT ", 'id': 0}{'return': %" G_GINT64_FORMAT "}", first, second);
	fake_qmp_ignore_all(fake);
}

/* For ever, as fast as it is read: brackets, marks, text, nothing that ends. */
static void flood(FakeQmp *fake, void *data)
{
	g_autofree char *bytes = g_strnfill(65536, *(const char *)data);
	fake_qmp_send_bytes(fake, "\xff{\"return\": ", 12);
	while (fake_qmp_send_bytes(fake, bytes, 65536))
		continue;
}

static void assert_no_agent(FakeQmpScript script, void *data)
{
	gint64 start = g_get_monotonic_time();
	Line line = line_open_with(script, data, 100, 0);
	g_assert_cmpint(line.result, ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(utm_error_get_message(line.error), ==, "the guest agent did not answer within 100 ms");
	g_assert_null(line.guest);
	line_close(&line);
	g_assert_cmpint(g_get_monotonic_time() - start, <, PATIENCE_MS * 1000);
}

static void test_no_agent(void)
{
	assert_no_agent(stay_silent, NULL);
	assert_no_agent(answer_wrongly, NULL);
	assert_no_agent(answer_wrongly, "next number");
	for (const char *c = "[{\"\xff x1}\\"; *c; c++)
		assert_no_agent(flood, (void *)c);
}

static void wake_up_late(FakeQmp *fake, void *data)
{
	/* It reads nothing for a while; what was written meanwhile is all there when it does. */
	while (g_atomic_int_get((int *)data) == 0)
		g_usleep(1000);
	/* One question, as not even a second has passed; no command, as nobody waits for one. */
	answer_question(fake);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void test_agent_comes_late(void)
{
	int awake = 0;
	g_autoptr(UtmError) error = NULL;
	Line line = line_open_with(wake_up_late, &awake, 0, UTM_GUEST_CONNECT_NO_WAIT);
	g_assert_cmpint(line.result, ==, 0);
	g_assert_cmpint(run_within(&line, "guest-exec", 30, &error), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(utm_error_get_message(error), ==,
	                "guest-exec was not sent: the guest agent did not answer for 30 ms");
	for (int i = 0; i < 20; i++)
		g_assert_cmpint(run_within(&line, "guest-exec", 10, NULL), ==, UTM_ERROR_TIMEOUT);
	g_atomic_int_set(&awake, 1);
	assert_pong(&line);
	line_close(&line);
}

/* An agent that is stopped takes the question with it; the next one gets one of its own. */
static void swallow_question(FakeQmp *fake, void *data)
{
	expect_question(fake, true);
	expect_question(fake, false);
	answer_question(fake);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void test_question_lost(void)
{
	Line line = line_open(swallow_question, NULL);
	assert_pong(&line);
	line_close(&line);
}

/* ---------------------------------------------------------------- a stream that cannot be trusted */

typedef struct Stray {
	const char *text;
	gsize length; /* 0: up to the end */
} Stray;

static void send_stray(FakeQmp *fake, const Stray *stray)
{
	if (stray->length)
		fake_qmp_send_bytes(fake, stray->text, stray->length);
	else
		fake_qmp_send(fake, stray->text);
}

static void stray_answer(FakeQmp *fake, void *data)
{
	answer_question(fake);
	fake_qmp_expect(fake, "guest-info");
	send_stray(fake, data);
	answer_question(fake);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

/* The command may have been on its way already; then it meets the stray bytes, and the next one asks. */
static void stray_unasked(FakeQmp *fake, void *data)
{
	answer_question(fake);
	serve_ping(fake);
	send_stray(fake, data);
	g_autofree char *next = fake_qmp_receive(fake);
	gint64 number = get_question(next, true);
	answer_number(fake, number ? number : expect_question(fake, true));
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void check_stray(const Stray *stray)
{
	Line line = line_open(stray_answer, (void *)stray);
	g_assert_cmpint(run(&line, "guest-info"), ==, UTM_ERROR_QMP_PROTOCOL);
	assert_pong(&line);
	line_close(&line);

	line = line_open(stray_unasked, (void *)stray);
	assert_pong(&line);
	g_usleep(20000);
	int result = run(&line, "guest-ping");
	if (result == UTM_ERROR_QMP_PROTOCOL)
		assert_pong(&line);
	else
		g_assert_cmpint(result, ==, 0);
	line_close(&line);
}

static void test_stray(void)
{
	static const char *const strays[] = {
		"login: ", "]", "{]", "{'return': 1}}", "{'return' 1 2}", "\xff", "\xff{'return': 1}",
		"{'return': '\xc3\x28', 'id': 0}", "{'return': '\\ud800', 'id': 0}",
		"{'return': {}, 'id': 99}", "{'return': {}, 'id': 70000}", "{'return': {}, 'id': -1}",
		"{'return': {}, 'id': '0'}", "{'return': {}}", "{'return': {}, 'error': {}}",
		"{'error': {'class': 'GenericError', 'desc': 'JSON parse error'}}",
		"{'error': {'class': 'GenericError'}, 'id': 0}", "{'hello': 'host'}",
		"{'event': 'SHUTDOWN', 'timestamp': {'seconds': 1, 'microseconds': 2}}",
		"{'QMP': {'version': {}, 'capabilities': []}}",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(strays); i++) {
		g_autofree char *shown = g_strescape(strays[i], NULL);
		g_test_message("%s", shown);
		check_stray(&(Stray){ strays[i], 0 });
	}
	check_stray(&(Stray){ "\0", 1 });
}

static void test_nesting(void)
{
	g_autofree char *brackets = g_strnfill(100000, '[');
	g_autofree char *open = g_strconcat("{\"return\":", brackets, NULL);
	check_stray(&(Stray){ open, strlen(open) });
	/* 128 levels are read, 129 are not: one is the message's own. */
	memset(brackets + 128, ']', 128);
	brackets[256] = 0;
	g_autofree char *closed = g_strconcat("{\"id\":0,\"return\":", brackets, "}", NULL);
	check_stray(&(Stray){ closed, strlen(closed) });
}

static void nest_as_allowed(FakeQmp *fake, void *data)
{
	answer_question(fake);
	g_autofree char *open = g_strnfill(127, '['), *close = g_strnfill(127, ']');
	fake_qmp_sendf(fake, "{'id': %d, 'return': %s%s}", fake_qmp_expect(fake, "guest-info"), open, close);
	fake_qmp_expect_end(fake);
}

static void test_nesting_allowed(void)
{
	Line line = line_open(nest_as_allowed, NULL);
	g_assert_cmpint(run(&line, "guest-info"), ==, 0);
	line_close(&line);
}

static void test_long_line(void)
{
	const gsize length = (gsize)66 << 20;
	g_autofree char *text = g_strnfill(length, 'x');
	memcpy(text, "{\"return\":\"", 11);
	Line line = line_open(stray_answer, &(Stray){ text, length });
	g_assert_cmpint(run(&line, "guest-info"), ==, UTM_ERROR_QMP_PROTOCOL);
	assert_pong(&line);
	line_close(&line);
}

static void answer_late(FakeQmp *fake, void *data)
{
	answer_question(fake);
	int id = fake_qmp_expect(fake, "guest-info");
	/* The question that follows the deadline, and the late answer before its mark. */
	gint64 number = expect_question(fake, true);
	fake_qmp_reply(fake, id, "{'late': 1}");
	fake_qmp_reply(fake, 1, "{'late': 2}");
	answer_number(fake, number);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void test_late_answer(void)
{
	g_autoptr(UtmError) error = NULL;
	Line line = line_open(answer_late, NULL);
	g_assert_cmpint(run_within(&line, "guest-info", 50, &error), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(utm_error_get_message(error), ==, "the guest agent did not answer guest-info within 50 ms");
	assert_pong(&line);
	line_close(&line);
}

/* More than there are ids of one digit. */
#define LOST 12

static void forget_many(FakeQmp *fake, void *data)
{
	for (int i = 0; i < LOST; i++) {
		answer_question(fake);
		/* What was lost does not keep its id. */
		g_assert_cmpint(fake_qmp_expect(fake, "guest-info"), <, 10);
	}
	answer_question(fake);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

/* Answers that never come take nothing with them. */
static void test_lost_answers(void)
{
	Line line = line_open(forget_many, NULL);
	for (int i = 0; i < LOST; i++)
		g_assert_cmpint(run_within(&line, "guest-info", 250, NULL), ==, UTM_ERROR_TIMEOUT);
	assert_pong(&line);
	line_close(&line);
}

/* What a guest writes that nobody listens to is left where it is: in the guest, once the socket is full. */
static void chatter(FakeQmp *fake, void *data)
{
	answer_question(fake);
	fake_qmp_expect(fake, "guest-info");
	fake_qmp_send(fake, "]");
	g_autofree char *bytes = g_strnfill(65536, 'x');
	gsize taken = 0;
	int idle_ms = 0;
	while (idle_ms < 300 && taken < 64 << 20) {
		gsize count = fake_qmp_try_send(fake, bytes, 65536);
		taken += count;
		idle_ms = count ? 0 : idle_ms + 10;
		g_usleep(count ? 0 : 10000);
	}
	g_assert_cmpuint(taken, <, 4 << 20);
	g_atomic_int_set((int *)data, 1);
	answer_question(fake);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void test_idle_is_not_read(void)
{
	int full = 0;
	Line line = line_open(chatter, &full);
	g_assert_cmpint(run(&line, "guest-info"), ==, UTM_ERROR_QMP_PROTOCOL);
	while (!g_atomic_int_get(&full))
		g_usleep(1000);
	assert_pong(&line);
	line_close(&line);
}

static void hang_up_unread(FakeQmp *fake, void *data)
{
	answer_question(fake);
	fake_qmp_expect(fake, "guest-info");
	fake_qmp_send(fake, "]xxxxxxxxxxxxxxxxx");
}

/* The end is noticed also when nothing is read. */
static void test_idle_end(void)
{
	g_autoptr(UtmError) error = NULL;
	Line line = line_open(hang_up_unread, NULL);
	g_assert_cmpint(run(&line, "guest-info"), ==, UTM_ERROR_QMP_PROTOCOL);
	g_assert_cmpint(run_within(&line, "guest-info", -1, &error), ==, UTM_ERROR_QMP_DISCONNECTED);
	line_close(&line);
}

/* ---------------------------------------------------------------- commands without an answer */

static void shut_down_silently(FakeQmp *fake, void *data)
{
	answer_question(fake);
	int id = fake_qmp_expect(fake, "guest-shutdown");
	gint64 number = expect_question(fake, true);
	fake_qmp_reply_error(fake, id, "GenericError", "too late");
	answer_number(fake, number);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void test_silent_success(void)
{
	static const struct {
		const char *command;
		int64_t timeout_ms, at_least_ms;
	} cases[] = { { "guest-shutdown", 0, 990 }, { "guest-shutdown", 300, 290 } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *reply = NULL;
		UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
		options.timeout_ms = cases[i].timeout_ms;
		Line line = line_open(shut_down_silently, NULL);
		gint64 start = g_get_monotonic_time();
		g_assert_cmpint(utm_guest_execute(line.guest, cases[i].command, NULL, &options, &reply, NULL), ==, 0);
		g_assert_cmpint(g_get_monotonic_time() - start, >=, cases[i].at_least_ms * 1000);
		g_assert_cmpstr(reply, ==, "{}");
		assert_pong(&line);
		line_close(&line);
	}
}

static void suspend_with(FakeQmp *fake, void *data)
{
	answer_question(fake);
	int id = fake_qmp_expect(fake, data);
	fake_qmp_reply_error(fake, id, "GenericError", "not here");
	fake_qmp_reply(fake, fake_qmp_expect(fake, data), "{}");
	fake_qmp_expect(fake, data); /* and hangs up */
}

static void test_silent_answers(void)
{
	static const char *const commands[] = {
		"guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid"
	};
	for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
		Line line = line_open(suspend_with, (void *)commands[i]);
		g_assert_cmpint(run(&line, commands[i]), ==, UTM_ERROR_QMP_COMMAND);
		g_assert_cmpint(run(&line, commands[i]), ==, 0);
		g_assert_cmpint(run(&line, commands[i]), ==, 0);
		g_assert_cmpint(run(&line, commands[i]), ==, UTM_ERROR_QMP_DISCONNECTED);
		line_close(&line);
	}
}

static void test_silent_without_agent(void)
{
	Line line = line_open_with(stay_silent, NULL, 0, UTM_GUEST_CONNECT_NO_WAIT);
	g_assert_cmpint(run_within(&line, "guest-shutdown", 50, NULL), ==, UTM_ERROR_TIMEOUT);
	line_close(&line);
}

/* ---------------------------------------------------------------- several commands, their ends */

typedef struct Answers {
	int count, codes[8];
	char *replies[8];
	int freed;
} Answers;

static void on_reply(UtmGuest *guest, const char *reply, const UtmError *error, void *data)
{
	Answers *answers = data;
	answers->codes[answers->count] = utm_error_get_code(error);
	answers->replies[answers->count] = g_strdup(reply);
	answers->count++;
}

static void on_free(void *data)
{
	((Answers *)data)->freed++;
}

static void answers_clear(Answers *answers)
{
	for (int i = 0; i < answers->count; i++)
		g_free(answers->replies[i]);
}

static void submit(Line *line, const char *command, Answers *answers)
{
	g_assert_cmpint(utm_guest_execute_async(line->guest, command, NULL, NULL, on_reply, answers, on_free, NULL), ==, 0);
}

static void one_by_one(FakeQmp *fake, void *data)
{
	answer_question(fake);
	for (int i = 0; i < 3; i++) {
		g_autofree char *command = g_strdup_printf("guest-%c", 'a' + i);
		int id = fake_qmp_expect(fake, command);
		fake_qmp_expect_silence(fake, 30);
		g_autofree char *reply = g_strdup_printf("%d", i);
		fake_qmp_reply(fake, id, reply);
	}
	fake_qmp_expect_end(fake);
}

static void test_one_by_one(void)
{
	Answers answers = { 0 };
	Line line = line_open(one_by_one, NULL);
	submit(&line, "guest-a", &answers);
	submit(&line, "guest-b", &answers);
	submit(&line, "guest-c", &answers);
	wait_for(answers.freed == 3);
	g_assert_cmpint(answers.count, ==, 3);
	g_assert_cmpstr(answers.replies[0], ==, "0");
	g_assert_cmpstr(answers.replies[1], ==, "1");
	g_assert_cmpstr(answers.replies[2], ==, "2");
	line_close(&line);
	answers_clear(&answers);
}

static void take_one_and_hang_up(FakeQmp *fake, void *data)
{
	answer_question(fake);
	fake_qmp_expect(fake, "guest-a");
}

static void test_disconnect(void)
{
	Answers answers = { 0 };
	Line line = line_open(take_one_and_hang_up, NULL);
	submit(&line, "guest-a", &answers);
	submit(&line, "guest-b", &answers);
	submit(&line, "guest-shutdown", &answers); /* not sent, so it does not succeed either */
	wait_for(answers.freed == 3);
	g_assert_cmpint(answers.count, ==, 3);
	for (int i = 0; i < 3; i++)
		g_assert_cmpint(answers.codes[i], ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_cmpint(run(&line, "guest-ping"), ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_cmpint(utm_guest_sync(line.guest, NULL, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	line_close(&line);
	answers_clear(&answers);
}

static void hang_up(FakeQmp *fake, void *data)
{
}

static void test_hang_up(void)
{
	Line line = line_open_with(hang_up, NULL, PATIENCE_MS, 0);
	g_assert_cmpint(line.result, ==, UTM_ERROR_QMP_DISCONNECTED);
	line_close(&line);
}

static void test_close(void)
{
	Answers answers = { 0 };
	Line line = line_open_with(stay_silent, NULL, 0, UTM_GUEST_CONNECT_NO_WAIT);
	g_assert_true(utm_guest_ref(line.guest) == line.guest);
	utm_guest_unref(line.guest);
	submit(&line, "guest-a", &answers);
	submit(&line, "guest-b", &answers);
	utm_guest_close(line.guest);
	wait_for(answers.freed == 2);
	g_assert_cmpint(answers.codes[1], ==, UTM_ERROR_QMP_DISCONNECTED);
	line_close(&line);

	/* The last reference with commands under way: none is answered, all are freed. */
	line = line_open_with(stay_silent, NULL, 0, UTM_GUEST_CONNECT_NO_WAIT);
	answers = (Answers){ 0 };
	submit(&line, "guest-a", &answers);
	submit(&line, "guest-b", &answers);
	line_close(&line);
	wait_for(answers.freed == 2);
	g_assert_cmpint(answers.count, ==, 0);
}

static void cancelled_one(FakeQmp *fake, void *data)
{
	answer_question(fake);
	int id = fake_qmp_expect(fake, "guest-info");
	utm_cancel_trigger(data);
	gint64 number = expect_question(fake, true);
	fake_qmp_reply(fake, id, "{}");
	answer_number(fake, number);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void test_cancel(void)
{
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.cancel = utm_cancel_new();
	Line line = line_open(cancelled_one, options.cancel);
	g_assert_cmpint(utm_guest_execute(line.guest, "guest-info", NULL, &options, NULL, NULL), ==, UTM_ERROR_CANCELLED);
	/* It stays cancelled, and what was not sent does not disturb the stream. */
	g_assert_cmpint(utm_guest_execute(line.guest, "guest-info", NULL, &options, NULL, NULL), ==, UTM_ERROR_CANCELLED);
	assert_pong(&line);
	line_close(&line);
	utm_cancel_unref(options.cancel);
}

/* Cut by its deadline in the middle: the socket takes no more. What follows ends it. */
static void read_slowly(FakeQmp *fake, void *data)
{
	answer_question(fake);
	while (g_atomic_int_get((int *)data) == 0)
		g_usleep(1000);
	/* The beginning of the command, and the mark's byte in its middle. */
	g_autofree char *cut = fake_qmp_receive_until(fake, '\xff');
	g_assert_true(g_str_has_prefix(cut, "{\"execute\":\"guest-file-write\""));
	g_assert_null(strchr(cut, '}'));
	answer_question(fake);
	serve_ping(fake);
	fake_qmp_expect_end(fake);
}

static void test_command_cut(void)
{
	int awake = 0;
	g_autofree char *bytes = g_strnfill(16 << 20, 'A');
	g_autofree char *arguments = g_strconcat("{\"buf-b64\":\"", bytes, "\"}", NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = 300;
	Line line = line_open(read_slowly, &awake);
	g_assert_cmpint(utm_guest_execute(line.guest, "guest-file-write", arguments, &options, NULL, NULL), ==,
	                UTM_ERROR_TIMEOUT);
	g_atomic_int_set(&awake, 1);
	assert_pong(&line);
	line_close(&line);
}

/* ---------------------------------------------------------------- what callers get wrong */

static void test_limit(void)
{
	g_autofree char *bytes = g_strnfill(30 << 20, 'A');
	g_autofree char *arguments = g_strconcat("{\"a\":\"", bytes, "\"}", NULL);
	Answers answers = { 0 };
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = -1;
	Line line = line_open_with(stay_silent, NULL, 0, UTM_GUEST_CONNECT_NO_WAIT);
	for (int i = 0; i < 3; i++)
		utm_guest_execute_async(line.guest, "guest-a", arguments, &options, on_reply, &answers, on_free, NULL);
	wait_for(answers.count == 1);
	g_assert_cmpint(answers.codes[0], ==, UTM_ERROR_LIMIT);
	line_close(&line);
	wait_for(answers.freed == 3);
	answers_clear(&answers);
}

/* What only a monitor has. */
static void test_refused_options(void)
{
	int fd = 0;
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	Line line = line_open(mark_and_serve, NULL);
	options.flags = UTM_QMP_CALL_OOB;
	g_assert_cmpint(utm_guest_sync(line.guest, &options, NULL), ==, UTM_ERROR_NOT_SUPPORTED);
	options.flags = 0;
	options.fd = &fd;
	g_assert_cmpint(utm_guest_sync(line.guest, &options, NULL), ==, UTM_ERROR_NOT_SUPPORTED);
	line_close(&line);
}

static void test_bad_arguments(void)
{
	UtmGuest *guest = NULL;
	g_autoptr(UtmError) error = NULL;
	UtmGuestConnectOptions options = UTM_GUEST_CONNECT_OPTIONS_INIT;
	options.timeout_ms = -2;
	g_assert_cmpint(utm_guest_connect_path(context, "/x", &options, &guest, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.timeout_ms = 0;
	options.flags = 2;
	g_assert_cmpint(utm_guest_connect_path(context, "/x", &options, &guest, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.flags = 0;
	options.size = 3;
	g_assert_cmpint(utm_guest_connect_path(context, "/x", &options, &guest, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	g_assert_cmpint(utm_guest_connect_path(NULL, "/x", NULL, &guest, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_guest_connect_path(context, NULL, NULL, &guest, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_guest_connect_path(context, "/x", NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_guest_connect_path(context, "/nowhere/qga", NULL, &guest, &error), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpstr(utm_error_get_file(error), ==, "/nowhere/qga");
	g_assert_cmpint(utm_guest_connect_fd(context, -1, NULL, &guest, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	g_assert_cmpint(utm_guest_connect_fd(context, fd, NULL, &guest, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
	g_assert_cmpint(utm_guest_execute(NULL, "guest-ping", NULL, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_guest_sync(NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(guest);
	utm_guest_unref(NULL);
	utm_guest_close(NULL);
	g_assert_null(utm_guest_ref(NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/guest-agent/plain", test_plain);
	g_test_add_func("/guest-agent/stale", test_stale);
	g_test_add_func("/guest-agent/byte-by-byte", test_byte_by_byte);
	g_test_add_func("/guest-agent/without-ids", test_without_ids);
	g_test_add_func("/guest-agent/long-answer", test_long_answer);
	g_test_add_func("/guest-agent/sync", test_sync);
	g_test_add_func("/guest-agent/sync-asks", test_sync_asks);
	g_test_add_func("/guest-agent/no-agent", test_no_agent);
	g_test_add_func("/guest-agent/agent-comes-late", test_agent_comes_late);
	g_test_add_func("/guest-agent/question-lost", test_question_lost);
	g_test_add_func("/guest-agent/stray", test_stray);
	g_test_add_func("/guest-agent/nesting", test_nesting);
	g_test_add_func("/guest-agent/nesting-allowed", test_nesting_allowed);
	g_test_add_func("/guest-agent/long-line", test_long_line);
	g_test_add_func("/guest-agent/late-answer", test_late_answer);
	g_test_add_func("/guest-agent/lost-answers", test_lost_answers);
	g_test_add_func("/guest-agent/idle-is-not-read", test_idle_is_not_read);
	g_test_add_func("/guest-agent/idle-end", test_idle_end);
	g_test_add_func("/guest-agent/silent-success", test_silent_success);
	g_test_add_func("/guest-agent/silent-answers", test_silent_answers);
	g_test_add_func("/guest-agent/silent-without-agent", test_silent_without_agent);
	g_test_add_func("/guest-agent/one-by-one", test_one_by_one);
	g_test_add_func("/guest-agent/disconnect", test_disconnect);
	g_test_add_func("/guest-agent/hang-up", test_hang_up);
	g_test_add_func("/guest-agent/close", test_close);
	g_test_add_func("/guest-agent/cancel", test_cancel);
	g_test_add_func("/guest-agent/command-cut", test_command_cut);
	g_test_add_func("/guest-agent/limit", test_limit);
	g_test_add_func("/guest-agent/refused-options", test_refused_options);
	g_test_add_func("/guest-agent/bad-arguments", test_bad_arguments);
	return session_main();
}
