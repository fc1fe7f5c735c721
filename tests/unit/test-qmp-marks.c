/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The transport of a marked peer: what it passes over, what it finds, and how much of it at a time. */
#include "qmp/transport.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Line {
	int peer, ours;
	UtmQmpTransport *transport;
} Line;

static Line line_open(void)
{
	int fds[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	return (Line){ .peer = fds[0], .ours = fds[1], .transport = utm__qmp_transport_new(fds[1], &utm__qmp_agent) };
}

static void line_close(Line *line)
{
	utm__qmp_transport_free(line->transport);
	close(line->peer);
}

static void say(Line *line, const char *text)
{
	g_assert_cmpint(write(line->peer, text, strlen(text)), ==, (ssize_t)strlen(text));
}

/* Until it says so twice: once it only means that the socket is to be polled. */
static UtmQmpInput look(Line *line, UtmQmpMessage *ret)
{
	UtmQmpInput input = utm__qmp_transport_peek(line->transport, ret);
	return input == UTM_QMP_INPUT_WAIT ? utm__qmp_transport_peek(line->transport, ret) : input;
}

static void assert_message(Line *line, const char *text)
{
	UtmQmpMessage message;
	g_assert_cmpint(look(line, &message), ==, UTM_QMP_INPUT_MESSAGE);
	g_assert_cmpmem(message.text, message.length, text, strlen(text));
	utm__qmp_transport_pop(line->transport);
}

static void test_passes_over(void)
{
	UtmQmpMessage message;
	Line line = line_open();
	utm__qmp_transport_pass_over(line.transport);
	say(&line, "{}{\"a\": \"\xff{\"b\":\"\xff\xff {\"c\": 1}{\"d\":1}\xff]{}\xff{\"e\"");
	assert_message(&line, "{\"c\":1}");
	g_assert_cmpint(look(&line, &message), ==, UTM_QMP_INPUT_WAIT);
	say(&line, ":2}\n{\"f\": 3}");
	g_assert_cmpint(look(&line, &message), ==, UTM_QMP_INPUT_MESSAGE);
	utm__qmp_transport_trust(line.transport);
	utm__qmp_transport_pop(line.transport);
	assert_message(&line, "{\"f\":3}");
	line_close(&line);
}

static void test_strays(void)
{
	UtmQmpMessage message;
	Line line = line_open();
	say(&line, "{\"a\":1}login: {\"b\":2}");
	assert_message(&line, "{\"a\":1}");
	g_assert_cmpint(look(&line, &message), ==, UTM_QMP_INPUT_STRAY);
	g_assert_cmpint(utm_error_get_code(utm__qmp_transport_get_end(line.transport)), ==, UTM_ERROR_QMP_PROTOCOL);
	g_assert_cmpint(look(&line, &message), ==, UTM_QMP_INPUT_STRAY);
	utm__qmp_transport_pass_over(line.transport);
	say(&line, "{\"c\":3}\xff{\"d\":4}");
	assert_message(&line, "{\"d\":4}");
	line_close(&line);
}

/* A peer that is faster than we are must not keep the thread. */
static void test_bounded_turn(void)
{
	UtmQmpMessage message;
	int left = 0;
	Line line = line_open();
	utm__qmp_transport_pass_over(line.transport);
	g_autofree char *rubbish = g_strnfill(65536, '{');
	say(&line, rubbish);
	g_assert_cmpint(utm__qmp_transport_peek(line.transport, &message), ==, UTM_QMP_INPUT_WAIT);
	g_assert_cmpint(ioctl(line.ours, FIONREAD, &left), ==, 0);
	g_assert_cmpint(left, >=, 32768);
	line_close(&line);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/marks/passes-over", test_passes_over);
	g_test_add_func("/qmp/marks/strays", test_strays);
	g_test_add_func("/qmp/marks/bounded-turn", test_bounded_turn);
	return g_test_run();
}
