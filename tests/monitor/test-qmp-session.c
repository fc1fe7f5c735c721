/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connecting: greeting, negotiation, and everything that can go wrong in them. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---------------------------------------------------------------- what succeeds */

static void negotiate_and_serve(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_serve(fake);
}

static void test_greeting(void)
{
	Session session = session_open(negotiate_and_serve, NULL);
	g_assert_cmpuint(utm_qmp_get_qemu_version(session.qmp), ==, 7002022);
	g_assert_cmpstr(utm_qmp_get_greeting(session.qmp), ==,
	                "{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},\"package\":\"fake\"},"
	                "\"capabilities\":[\"oob\"]}");
	session_close(&session);
}

static void events_everywhere(FakeQmp *fake, void *data)
{
	fake_qmp_send(fake, "{'event': 'RESET', 'timestamp': {'seconds': 1, 'microseconds': 2}}\r\n");
	fake_qmp_greet(fake);
	fake_qmp_send(fake, "{'timestamp': {'seconds': -1, 'microseconds': -1}, 'event': 'STOP', 'data': {}}");
	int id = fake_qmp_expect(fake, "qmp_capabilities");
	fake_qmp_send(fake, "{'event': 'RESUME', 'data': {'a': [1, 2]}}\n\n");
	fake_qmp_reply(fake, id, "{}");
	fake_qmp_serve(fake);
}

static void test_events_before_ready(void)
{
	Session session = session_open(events_everywhere, NULL);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "query-status", NULL, NULL, NULL, NULL), ==, 0);
	session_close(&session);
}

static void pretty(FakeQmp *fake, void *data)
{
	fake_qmp_send(fake, "{\r\n    'QMP': {\r\n        'version': {'qemu': {'major': 10, 'minor': 0, 'micro': 2}},\r\n"
	                    "        'capabilities': [\r\n        ]\r\n    }\r\n}\r\n");
	fake_qmp_sendf(fake, "{\n\t'return': {\n\t},\n\t'id': %d\n}", fake_qmp_expect(fake, "qmp_capabilities"));
	fake_qmp_serve(fake);
}

static void test_pretty(void)
{
	Session session = session_open(pretty, NULL);
	g_assert_cmpuint(utm_qmp_get_qemu_version(session.qmp), ==, 10000002);
	session_close(&session);
}

static void byte_by_byte(FakeQmp *fake, void *data)
{
	const char greeting[] = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";
	for (gsize i = 0; i < sizeof greeting - 1; i++) {
		fake_qmp_send_bytes(fake, greeting + i, 1);
		g_usleep(200);
	}
	fake_qmp_reply(fake, fake_qmp_expect(fake, "qmp_capabilities"), "{}");
	fake_qmp_serve(fake);
}

static void test_byte_by_byte(void)
{
	Session session = session_open(byte_by_byte, NULL);
	g_assert_cmpuint(utm_qmp_get_qemu_version(session.qmp), ==, 0);
	session_close(&session);
}

/* What stands between passes on whole lines only: without the line feed this would wait in vain. */
static void answer_line_by_line(FakeQmp *fake, void *data)
{
	char *line;
	fake_qmp_greet(fake);
	line = fake_qmp_receive_line(fake);
	g_assert_cmpstr(line, ==, "{\"execute\":\"qmp_capabilities\",\"id\":0}");
	g_free(line);
	fake_qmp_reply(fake, 0, "{}");
	line = fake_qmp_receive_line(fake);
	g_assert_cmpstr(line, ==, "{\"execute\":\"stop\",\"arguments\":{\"a\":1},\"id\":1}");
	g_free(line);
	fake_qmp_reply(fake, 1, "{}");
	fake_qmp_serve(fake);
}

static void test_lines(void)
{
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	g_autofree char *file = g_build_filename(g_get_tmp_dir(), "utm-test-lines.jsonl", NULL);
	g_autofree char *recorded = NULL;
	options.flags = UTM_QMP_CONNECT_LINES;
	options.record_file = file;
	Session session = session_open_with(answer_line_by_line, NULL, &options);
	g_assert_cmpint(session.result, ==, 0);
	g_assert_cmpint(utm_qmp_execute(session.qmp, "stop", "{ \"a\": 1 }", NULL, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_record_stop(session.qmp, NULL), ==, 0);
	session_close(&session);
	/* A recording has a message in a line as it is; and it is played to one who ends lines, too. */
	g_assert_true(g_file_get_contents(file, &recorded, NULL, NULL));
	g_assert_nonnull(strstr(recorded, "\"message\":{\"execute\":\"stop\",\"arguments\":{\"a\":1},\"id\":1}}\n"));
	options.record_file = NULL;
	UtmQmp *replayed = NULL;
	g_assert_cmpint(utm_qmp_connect_replay(context, file, &options, &replayed, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_execute(replayed, "stop", "{\"a\":1}", NULL, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_check_replay(replayed, NULL), ==, 0);
	utm_qmp_unref(replayed);
	g_unlink(file);
}

/* ---------------------------------------------------------------- what fails */

static void send_and_wait(FakeQmp *fake, void *data)
{
	fake_qmp_send(fake, data);
	fake_qmp_expect_end(fake);
}

/* The connection fails with `code` and the server sees it closed. */
static void assert_refused(FakeQmpScript script, void *data, gint64 timeout_ms, int code)
{
	Session session = session_open_within(script, data, timeout_ms);
	g_assert_cmpint(session.result, ==, code);
	g_assert_cmpint(utm_error_get_code(session.error), ==, code);
	g_assert_null(session.qmp);
	session_close(&session);
}

static void test_no_qmp(void)
{
	static const char *const openings[] = {
		"SSH-2.0-OpenSSH_9.2\r\n",
		"\xff",
		"{'QMP': {}}garbage{",
		"{'QMP': {'version': \xff}}",
		"[]",
		"}",
		"{'return': {}, 'id': 0}",
		"{'error': {'class': 'GenericError', 'desc': 'no'}}",
		"{'QMP': {}, 'return': {}}",
		"{'hello': 'world'}",
		"{'event': 5}",
		"{'event': ''}",
		"{'QMP': {} 1 2}",
		"{'QMP': {'version': 1 2}}",
		"{'QMP': {'a': '\\ud800'}}",
		"{'QMP': {'a': '\xc3\x28'}}",
		"{'QMP': {'a': '\x01'}}",
		"{'QMP': {'a': [}]}",
		"{'QMP': {}}{'QMP': {}}",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(openings); i++) {
		g_autofree char *shown = g_strescape(openings[i], NULL);
		g_test_message("%s", shown);
		assert_refused(send_and_wait, (void *)openings[i], PATIENCE_MS, UTM_ERROR_QMP_PROTOCOL);
	}
}

static void send_nul(FakeQmp *fake, void *data)
{
	fake_qmp_send_bytes(fake, "\0\0{\"QMP\":{}}", 13);
	fake_qmp_expect_end(fake);
}

static void test_nul(void)
{
	assert_refused(send_nul, NULL, PATIENCE_MS, UTM_ERROR_QMP_PROTOCOL);
}

static void send_brackets(FakeQmp *fake, void *data)
{
	g_autoptr(GString) text = g_string_new("{\"QMP\":");
	for (int i = 0; i < 100000; i++)
		g_string_append(text, "[");
	fake_qmp_send_bytes(fake, text->str, text->len);
	fake_qmp_expect_end(fake);
}

static void test_brackets(void)
{
	assert_refused(send_brackets, NULL, PATIENCE_MS, UTM_ERROR_QMP_PROTOCOL);
}

static void send_long_line(FakeQmp *fake, void *data)
{
	g_autofree char *mebibyte = g_strnfill(1 << 20, 'x');
	fake_qmp_send(fake, "{'QMP': {'package': '");
	for (int i = 0; i < 80; i++)
		if (!fake_qmp_send_bytes(fake, mebibyte, 1 << 20))
			return;
	g_error("80 MiB in one message were taken");
}

static void test_long_line(void)
{
	assert_refused(send_long_line, NULL, PATIENCE_MS, UTM_ERROR_QMP_PROTOCOL);
}

static void stay_silent(FakeQmp *fake, void *data)
{
	if (data)
		fake_qmp_send(fake, data);
	fake_qmp_expect_end(fake);
}

static void greet_and_stay_silent(FakeQmp *fake, void *data)
{
	fake_qmp_greet(fake);
	fake_qmp_expect(fake, "qmp_capabilities");
	fake_qmp_expect_end(fake);
}

static void test_silence(void)
{
	assert_refused(stay_silent, NULL, 50, UTM_ERROR_TIMEOUT);
	assert_refused(stay_silent, "{'QMP': {'vers", 50, UTM_ERROR_TIMEOUT);
	assert_refused(greet_and_stay_silent, NULL, 50, UTM_ERROR_TIMEOUT);
}

/* A monitor that serves another client is silent; one that greeted serves us, and is only slow. */
static void test_silence_has_a_reason(void)
{
	Session silent = session_open_within(stay_silent, NULL, 50), slow = session_open_within(greet_and_stay_silent, NULL, 500);
	g_assert_nonnull(strstr(utm_error_get_remedy(silent.error), "one client at a time"));
	g_assert_null(strstr(utm_error_get_remedy(slow.error), "one client at a time"));
	session_close(&silent);
	session_close(&slow);
}

static void refuse_negotiation(FakeQmp *fake, void *data)
{
	fake_qmp_greet(fake);
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "qmp_capabilities"), "CommandNotFound", "not today");
	fake_qmp_expect_end(fake);
}

static void test_negotiation_refused(void)
{
	assert_refused(refuse_negotiation, NULL, PATIENCE_MS, UTM_ERROR_QMP_PROTOCOL);
}

static void hang_up(FakeQmp *fake, void *data)
{
	if (data)
		fake_qmp_send(fake, data);
}

static void test_hang_up(void)
{
	assert_refused(hang_up, NULL, PATIENCE_MS, UTM_ERROR_QMP_DISCONNECTED);
	assert_refused(hang_up, "{'QMP': {'ver", PATIENCE_MS, UTM_ERROR_QMP_DISCONNECTED);
	assert_refused(hang_up, "{'QMP': {'version': {}}}", PATIENCE_MS, UTM_ERROR_QMP_DISCONNECTED);
}

/* ---------------------------------------------------------------- cut at every byte */

static const char whole_session[] = "{\"QMP\": {\"version\": {}}}\r\n{\"return\": {}, \"id\": 0}\r\n"
				    "{\"event\": \"STOP\"}{\"return\": [1], \"id\": 1}\r\n{\"event\": \"RESUME\"}\r\n";

/* Sends a part of the session without regard to what the client says, and hangs up. */
static void send_part(FakeQmp *fake, void *data)
{
	fake_qmp_send_bytes(fake, whole_session, (gsize)GPOINTER_TO_INT(data));
}

static void test_cut_at_every_byte(void)
{
	for (gsize length = 0; length < sizeof whole_session; length++) {
		Session session = session_open_within(send_part, GINT_TO_POINTER((int)length), PATIENCE_MS);
		int result = session.qmp ? utm_qmp_execute(session.qmp, "query-status", NULL, NULL, NULL, NULL)
		                         : session.result;
		/* The reply may come before its command here: then it is a foreign one. */
		g_assert_true(result == UTM_ERROR_QMP_DISCONNECTED || (result == 0 && length >= 75));
		session_close(&session);
	}
}

/* ---------------------------------------------------------------- arguments, cancel, paths */

static void *trigger_soon(void *cancel)
{
	g_usleep(30000);
	utm_cancel_trigger(cancel);
	return NULL;
}

static void test_cancel(void)
{
	int fd;
	UtmQmp *qmp = NULL;
	g_autoptr(UtmError) error = NULL;
	FakeQmp *fake = fake_qmp_start(stay_silent, NULL, &fd);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.timeout_ms = -1;
	options.cancel = utm_cancel_new();
	GThread *thread = g_thread_new("cancel", trigger_soon, options.cancel);
	g_assert_cmpint(utm_qmp_connect_fd(context, fd, &options, &qmp, &error), ==, UTM_ERROR_CANCELLED);
	g_thread_join(thread);
	fake_qmp_finish(fake);
	utm_cancel_unref(options.cancel);
}

static void test_bad_arguments(void)
{
	UtmQmp *qmp = NULL;
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.timeout_ms = -2;
	g_assert_cmpint(utm_qmp_connect_path(context, "/x", &options, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.timeout_ms = 0;
	options.size = 3;
	g_assert_cmpint(utm_qmp_connect_path(context, "/x", &options, &qmp, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	g_assert_cmpint(utm_qmp_connect_path(NULL, "/x", NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_path(context, NULL, NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_path(context, "/x", NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_fd(context, -1, NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	utm_qmp_unref(NULL);
	utm_qmp_close(NULL);
	g_assert_null(utm_qmp_ref(NULL));
	g_assert_null(utm_qmp_get_greeting(NULL));
	g_assert_cmpuint(utm_qmp_get_qemu_version(NULL), ==, 0);
}

/* The descriptor is the library's also when it is refused. */
static void test_not_a_socket(void)
{
	UtmQmp *qmp = NULL;
	int fds[2];
	g_assert_cmpint(pipe(fds), ==, 0);
	g_assert_cmpint(utm_qmp_connect_fd(context, fds[0], NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(fcntl(fds[0], F_GETFD), ==, -1);
	close(fds[1]);
}

/* Listens in `dir`, by a short relative way that fits a socket address. */
static int listen_in(const char *dir, const char *name, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	g_snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir_fd, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
	g_assert_cmpint(listen(fd, backlog), ==, 0);
	close(dir_fd);
	return fd;
}

static void *accept_one(void *listener)
{
	static const char greeting[] = "{\"QMP\": {}}", answer[] = "{\"return\": {}, \"id\": 0}";
	char command[256];
	int fd = accept(GPOINTER_TO_INT(listener), NULL, NULL);
	g_assert_cmpint(write(fd, greeting, sizeof greeting - 1), ==, sizeof greeting - 1);
	g_assert_cmpint(read(fd, command, sizeof command), >, 0);
	g_assert_cmpint(write(fd, answer, sizeof answer - 1), ==, sizeof answer - 1);
	close(fd);
	return NULL;
}

static void remove_dir(const char *dir, const char *inner, const char *socket_path)
{
	g_unlink(socket_path);
	g_rmdir(inner);
	g_rmdir(dir);
}

static void test_long_path(void)
{
	UtmQmp *qmp = NULL;
	g_autofree char *dir = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *long_name = g_strnfill(200, 'd');
	g_autofree char *inner = g_build_filename(dir, long_name, NULL);
	g_autofree char *path = g_build_filename(inner, "qmp", NULL);
	g_assert_cmpint(g_mkdir(inner, 0700), ==, 0);
	g_assert_cmpint(utm_qmp_connect_path(context, path, NULL, &qmp, NULL), ==, UTM_ERROR_NOT_FOUND);

	int listener = listen_in(inner, "qmp", 4);
	GThread *thread = g_thread_new("accept", accept_one, GINT_TO_POINTER(listener));
	g_assert_cmpint(utm_qmp_connect_path(context, path, NULL, &qmp, NULL), ==, 0);
	utm_qmp_unref(qmp);
	g_thread_join(thread);
	close(listener);
	remove_dir(dir, inner, path);
}

static void greet_and_be_deaf(FakeQmp *fake, void *connected_again)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	fake_qmp_greet(fake);
	while (!g_atomic_int_get((gint *)connected_again))
		nanosleep(&pause, NULL);
	fake_qmp_ignore_all(fake);
}

static void *accept_two(void *listener)
{
	static gint connected_again;
	g_atomic_int_set(&connected_again, 0);
	FakeQmp *deaf = fake_qmp_start_on(accept(GPOINTER_TO_INT(listener), NULL, NULL), greet_and_be_deaf, &connected_again);
	FakeQmp *good = fake_qmp_start_on(accept(GPOINTER_TO_INT(listener), NULL, NULL), negotiate_and_serve, NULL);
	g_atomic_int_set(&connected_again, 1);
	fake_qmp_finish(deaf);
	fake_qmp_finish(good);
	return NULL;
}

/* A monitor that greets and then reads nothing is connected to again; a recording of that can be replayed. */
static void test_deaf(void)
{
	UtmQmp *qmp = NULL;
	g_autofree char *dir = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "qmp", NULL);
	g_autofree char *recording = g_build_filename(dir, "recording", NULL);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.record_file = recording;
	int listener = listen_in(dir, "qmp", 4);
	GThread *thread = g_thread_new("accept", accept_two, GINT_TO_POINTER(listener));
	g_assert_cmpint(utm_qmp_connect_path(context, path, &options, &qmp, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_execute(qmp, "stop", NULL, NULL, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_record_stop(qmp, NULL), ==, 0);
	utm_qmp_unref(qmp);
	g_thread_join(thread);
	close(listener);

	g_assert_cmpint(utm_qmp_connect_replay(context, recording, NULL, &qmp, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_execute(qmp, "stop", NULL, NULL, NULL, NULL), ==, 0);
	utm_qmp_unref(qmp);
	g_unlink(recording);
	remove_dir(dir, dir, path);
}

/* Listens no more, once it has a client; and never reads from that one. */
static void *accept_and_leave(void *listener)
{
	gint connected_again = 0;
	FakeQmp *deaf = fake_qmp_start_on(accept(GPOINTER_TO_INT(listener), NULL, NULL), greet_and_be_deaf, &connected_again);
	close(GPOINTER_TO_INT(listener));
	g_usleep(4 * G_USEC_PER_SEC);
	g_atomic_int_set(&connected_again, 1);
	fake_qmp_finish(deaf);
	return NULL;
}

/* Where nobody listens any more, the first connection is kept until its time is up. */
static void test_deaf_for_good(void)
{
	UtmQmp *qmp = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autofree char *dir = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "qmp", NULL);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.timeout_ms = 3000;
	int listener = listen_in(dir, "qmp", 4);
	GThread *thread = g_thread_new("accept", accept_and_leave, GINT_TO_POINTER(listener));
	g_assert_cmpint(utm_qmp_connect_path(context, path, &options, &qmp, &error), ==, UTM_ERROR_TIMEOUT);
	g_assert_nonnull(strstr(utm_error_get_message(error), "negotiate within 3000 ms"));
	g_thread_join(thread);
	remove_dir(dir, dir, path);
}

static void test_bad_paths(void)
{
	UtmQmp *qmp = NULL;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qmp_connect_path(context, "/nowhere/qmp", NULL, &qmp, &error), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpstr(utm_error_get_file(error), ==, "/nowhere/qmp");
	g_assert_cmpint(utm_error_get_errno(error), ==, ENOENT);
	g_clear_pointer(&error, utm_error_unref);
	g_assert_cmpint(utm_qmp_connect_path(context, "/dev/null", NULL, &qmp, &error), ==, UTM_ERROR_IO);
	g_assert_cmpstr(utm_error_get_message(error), ==, "this is no socket but a file");
	g_clear_pointer(&error, utm_error_unref);
	g_assert_cmpint(utm_qmp_connect_path(context, "/", NULL, &qmp, &error), ==, UTM_ERROR_IO);
	g_assert_cmpstr(utm_error_get_message(error), ==, "this is no socket but a directory");
	g_assert_cmpint(utm_error_get_errno(error), ==, ENOTSOCK);
	g_assert_nonnull(strstr(utm_error_get_remedy(error), "-qmp unix:"));
	g_clear_pointer(&error, utm_error_unref);
	g_assert_cmpint(utm_qmp_connect_path(context, "", NULL, &qmp, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(utm_error_get_file(error));
}

/* A QEMU that was killed leaves its socket's file behind. */
static void test_nobody_behind(void)
{
	UtmQmp *qmp = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autofree char *dir = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "qmp", NULL);
	close(listen_in(dir, "qmp", 0));
	g_assert_cmpint(utm_qmp_connect_path(context, path, NULL, &qmp, &error), ==, UTM_ERROR_IO);
	g_assert_cmpint(utm_error_get_errno(error), ==, ECONNREFUSED);
	g_assert_cmpstr(utm_error_get_file(error), ==, path);
	g_assert_nonnull(strstr(utm_error_get_remedy(error), "Nobody listens"));
	remove_dir(dir, dir, path);
}

/* A server that never accepts: first silent, then, with its backlog full, refusing. Both are a matter of time. */
static void test_busy_server(void)
{
	g_autofree char *dir = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "qmp", NULL);
	int listener = listen_in(dir, "qmp", 0);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.timeout_ms = 100;
	for (int i = 0; i < 4; i++) {
		UtmQmp *qmp = NULL;
		g_autoptr(UtmError) error = NULL;
		g_assert_cmpint(utm_qmp_connect_path(context, path, &options, &qmp, &error), ==, UTM_ERROR_TIMEOUT);
		g_assert_cmpstr(utm_error_get_file(error), ==, path);
		g_assert_nonnull(strstr(utm_error_get_remedy(error), "one client at a time"));
	}
	close(listener);
	remove_dir(dir, dir, path);
}

/* ---------------------------------------------------------------- TCP */

/* Listens on a free port of the loopback address; -1 without that kind of address. */
static int listen_tcp(int family, int backlog, guint16 *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 address6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr *any = family == AF_INET ? (struct sockaddr *)&address : (struct sockaddr *)&address6;
	socklen_t size = family == AF_INET ? sizeof address : sizeof address6;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, any, size) < 0 || listen(fd, backlog) < 0 || getsockname(fd, any, &size) < 0) {
		close(fd);
		return -1;
	}
	*ret_port = ntohs(family == AF_INET ? address.sin_port : address6.sin6_port);
	return fd;
}

static void test_tcp(void)
{
	static const struct {
		int family;
		const char *host;
	} ways[] = { { AF_INET, "127.0.0.1" }, { AF_INET, "localhost" }, { AF_INET6, "::1" } };
	for (gsize i = 0; i < G_N_ELEMENTS(ways); i++) {
		UtmQmp *qmp = NULL;
		guint16 port;
		int listener = listen_tcp(ways[i].family, 4, &port);
		if (listener < 0) {
			g_test_message("%s is not there", ways[i].host);
			continue;
		}
		GThread *thread = g_thread_new("accept", accept_one, GINT_TO_POINTER(listener));
		g_assert_cmpint(utm_qmp_connect_tcp(context, ways[i].host, port, NULL, &qmp, NULL), ==, 0);
		g_thread_join(thread);
		utm_qmp_unref(qmp);
		close(listener);
		/* And when nobody listens any more. */
		g_autoptr(UtmError) error = NULL;
		g_assert_cmpint(utm_qmp_connect_tcp(context, ways[i].host, port, NULL, &qmp, &error), ==, UTM_ERROR_IO);
		g_assert_cmpint(utm_error_get_errno(error), ==, ECONNREFUSED);
		g_assert_nonnull(strstr(utm_error_get_message(error), ways[i].host));
	}
}

static void test_bad_tcp(void)
{
	UtmQmp *qmp = NULL;
	g_assert_cmpint(utm_qmp_connect_tcp(context, "no host", 4444, NULL, &qmp, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_qmp_connect_tcp(context, "", 4444, NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_tcp(context, NULL, 4444, NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_tcp(context, "127.0.0.1", 0, NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_tcp(NULL, "127.0.0.1", 4444, NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_tcp(context, "127.0.0.1", 4444, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

static int busy_tcp(guint16 port, gint64 timeout_ms, UtmCancel *cancel)
{
	UtmQmp *qmp = NULL;
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.timeout_ms = timeout_ms;
	options.cancel = cancel;
	return utm_qmp_connect_tcp(context, "127.0.0.1", port, &options, &qmp, NULL);
}

/* Accepted by the kernel and then silent, and, behind a full backlog, not even that. */
static void test_busy_tcp(void)
{
	guint16 port;
	int listener = listen_tcp(AF_INET, 0, &port);
	int waiting[4];
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	g_assert_cmpint(busy_tcp(port, 50, NULL), ==, UTM_ERROR_TIMEOUT);
	for (gsize i = 0; i < G_N_ELEMENTS(waiting); i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(waiting[i], (struct sockaddr *)&address, sizeof address);
	}
	g_assert_cmpint(busy_tcp(port, 100, NULL), ==, UTM_ERROR_TIMEOUT);
	UtmCancel *cancel = utm_cancel_new();
	GThread *thread = g_thread_new("cancel", trigger_soon, cancel);
	g_assert_cmpint(busy_tcp(port, -1, cancel), ==, UTM_ERROR_CANCELLED);
	g_thread_join(thread);
	utm_cancel_unref(cancel);
	for (gsize i = 0; i < G_N_ELEMENTS(waiting); i++)
		close(waiting[i]);
	close(listener);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/session/greeting", test_greeting);
	g_test_add_func("/qmp/session/events-before-ready", test_events_before_ready);
	g_test_add_func("/qmp/session/pretty", test_pretty);
	g_test_add_func("/qmp/session/byte-by-byte", test_byte_by_byte);
	g_test_add_func("/qmp/session/lines", test_lines);
	g_test_add_func("/qmp/session/no-qmp", test_no_qmp);
	g_test_add_func("/qmp/session/nul", test_nul);
	g_test_add_func("/qmp/session/brackets", test_brackets);
	g_test_add_func("/qmp/session/long-line", test_long_line);
	g_test_add_func("/qmp/session/silence", test_silence);
	g_test_add_func("/qmp/session/silence-has-a-reason", test_silence_has_a_reason);
	g_test_add_func("/qmp/session/negotiation-refused", test_negotiation_refused);
	g_test_add_func("/qmp/session/hang-up", test_hang_up);
	g_test_add_func("/qmp/session/cut-at-every-byte", test_cut_at_every_byte);
	g_test_add_func("/qmp/session/cancel", test_cancel);
	g_test_add_func("/qmp/session/bad-arguments", test_bad_arguments);
	g_test_add_func("/qmp/session/not-a-socket", test_not_a_socket);
	g_test_add_func("/qmp/session/long-path", test_long_path);
	g_test_add_func("/qmp/session/deaf", test_deaf);
	g_test_add_func("/qmp/session/deaf-for-good", test_deaf_for_good);
	g_test_add_func("/qmp/session/bad-paths", test_bad_paths);
	g_test_add_func("/qmp/session/nobody-behind", test_nobody_behind);
	g_test_add_func("/qmp/session/busy-server", test_busy_server);
	g_test_add_func("/qmp/session/tcp", test_tcp);
	g_test_add_func("/qmp/session/bad-tcp", test_bad_tcp);
	g_test_add_func("/qmp/session/busy-tcp", test_busy_tcp);
	return session_main();
}
