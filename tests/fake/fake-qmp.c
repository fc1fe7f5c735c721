/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-qmp.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* No script waits longer than this for the client. */
#define PATIENCE_MS 30000

struct FakeQmp {
	int fd;
	FakeQmpScript script;
	void *data;
	pthread_t thread;
	GString *input;
	int passed_fd;
};

static const char greeting[] = "{'QMP': {'version': {'qemu': {'micro': 22, 'minor': 2, 'major': 7}, "
			       "'package': 'fake'}, 'capabilities': ['oob']}}\r\n";

static void *run_script(void *data)
{
	FakeQmp *fake = data;
	fake->script(fake, fake->data);
	close(fake->fd);
	return NULL;
}

FakeQmp *fake_qmp_start_on(int fd_taken, FakeQmpScript script, void *data)
{
	FakeQmp *fake = g_new0(FakeQmp, 1);
	fake->fd = fd_taken;
	fake->passed_fd = -1;
	fake->script = script;
	fake->data = data;
	fake->input = g_string_new(NULL);
	if (pthread_create(&fake->thread, NULL, run_script, fake) != 0)
		g_error("no thread for the fake monitor");
	return fake;
}

FakeQmp *fake_qmp_start(FakeQmpScript script, void *data, int *ret_fd)
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		g_error("socketpair: %s", g_strerror(errno));
	*ret_fd = fds[1];
	return fake_qmp_start_on(fds[0], script, data);
}

void fake_qmp_finish(FakeQmp *fake)
{
	pthread_join(fake->thread, NULL);
	if (fake->passed_fd >= 0)
		close(fake->passed_fd);
	g_string_free(fake->input, TRUE);
	g_free(fake);
}

/* ---------------------------------------------------------------- out */

bool fake_qmp_send_bytes(FakeQmp *fake, const void *bytes, gsize count)
{
	const char *from = bytes;
	while (count > 0) {
		ssize_t sent = send(fake->fd, from, count, MSG_NOSIGNAL);
		if (sent < 0)
			return false;
		from += sent;
		count -= (gsize)sent;
	}
	return true;
}

gsize fake_qmp_try_send(FakeQmp *fake, const void *bytes, gsize count)
{
	ssize_t sent = send(fake->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent > 0 ? (gsize)sent : 0;
}

void fake_qmp_send(FakeQmp *fake, const char *text)
{
	g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');
	fake_qmp_send_bytes(fake, json, strlen(json));
}

void fake_qmp_sendf(FakeQmp *fake, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	fake_qmp_send(fake, text);
}

void fake_qmp_reply(FakeQmp *fake, int id, const char *value)
{
	fake_qmp_sendf(fake, "{'return': %s, 'id': %d}\r\n", value, id);
}

void fake_qmp_reply_error(FakeQmp *fake, int id, const char *class, const char *desc)
{
	fake_qmp_sendf(fake, "{'id': %d, 'error': {'class': '%s', 'desc': '%s'}}\r\n", id, class, desc);
}

void fake_qmp_greet(FakeQmp *fake)
{
	fake_qmp_send(fake, greeting);
}

/* ---------------------------------------------------------------- in */

/* The length of the first whole object in the input, or 0. */
static gsize whole_object(const GString *input)
{
	int depth = 0;
	bool quoted = false;
	for (gsize i = 0; i < input->len; i++) {
		char c = input->str[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '}'))
			depth += c == '{' ? 1 : -1;
		if (!quoted && c == '}' && depth == 0)
			return i + 1;
	}
	return 0;
}

static void keep_fd(FakeQmp *fake, const struct cmsghdr *header)
{
	if (header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
		g_error("the fake monitor got something else than one descriptor");
	if (fake->passed_fd >= 0)
		close(fake->passed_fd);
	memcpy(&fake->passed_fd, CMSG_DATA(header), sizeof(int));
}

/* False at the end of the connection, or when nothing comes for this time. */
static bool read_more(FakeQmp *fake, int patience_ms)
{
	char bytes[65536];
	struct pollfd readable = { .fd = fake->fd, .events = POLLIN };
	if (poll(&readable, 1, patience_ms) <= 0)
		return false;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { bytes, sizeof bytes };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes
	};
	ssize_t count = recvmsg(fake->fd, &message, MSG_CMSG_CLOEXEC);
	if (count > 0)
		g_string_append_len(fake->input, bytes, count);
	if (count > 0 && message.msg_controllen > 0)
		keep_fd(fake, CMSG_FIRSTHDR(&message));
	return count > 0;
}

int fake_qmp_take_fd(FakeQmp *fake)
{
	int fd = fake->passed_fd;
	fake->passed_fd = -1;
	return fd;
}

char *fake_qmp_receive(FakeQmp *fake)
{
	gsize length;
	while (!(length = whole_object(fake->input)))
		if (!read_more(fake, PATIENCE_MS))
			return NULL;
	char *command = g_strchug(g_strndup(fake->input->str, length));
	g_string_erase(fake->input, 0, (gssize)length);
	return command;
}

char *fake_qmp_receive_until(FakeQmp *fake, char byte)
{
	char *found;
	while (!(found = memchr(fake->input->str, byte, fake->input->len)))
		if (!read_more(fake, PATIENCE_MS))
			g_error("the fake waited in vain for the byte %#x", (guchar)byte);
	char *text = g_strndup(fake->input->str, (gsize)(found - fake->input->str));
	g_string_erase(fake->input, 0, found - fake->input->str);
	return text;
}

char *fake_qmp_receive_line(FakeQmp *fake)
{
	char *line = fake_qmp_receive_until(fake, '\n');
	g_string_erase(fake->input, 0, 1);
	return line;
}

static int get_id(const char *command)
{
	const char *id = strstr(command, "\"id\":");
	return id ? (int)g_ascii_strtoll(id + 5, NULL, 10) : -1;
}

static int expect_begin(FakeQmp *fake, const char *begin)
{
	g_autofree char *json = g_strdelimit(g_strdup(begin), "'", '"');
	g_autofree char *command = fake_qmp_receive(fake);
	if (!command || !g_str_has_prefix(command, json))
		g_error("the fake monitor expected %s and got %s", json, command ? command : "the end");
	return get_id(command);
}

int fake_qmp_expect(FakeQmp *fake, const char *command)
{
	g_autofree char *begin = g_strdup_printf("{'execute':'%s',", command);
	return expect_begin(fake, begin);
}

int fake_qmp_expect_oob(FakeQmp *fake, const char *command)
{
	g_autofree char *begin = g_strdup_printf("{'exec-oob':'%s',", command);
	return expect_begin(fake, begin);
}

int fake_qmp_expect_arguments(FakeQmp *fake, const char *command, const char *arguments)
{
	g_autofree char *begin = g_strdup_printf("{'execute':'%s','arguments':%s,'id':", command, arguments);
	return expect_begin(fake, begin);
}

static void assert_at_end(FakeQmp *fake)
{
	struct pollfd readable = { .fd = fake->fd, .events = POLLIN };
	if (poll(&readable, 1, 0) != 1)
		g_error("the fake monitor expected the end, and the client is still there");
}

void fake_qmp_expect_end(FakeQmp *fake)
{
	g_autofree char *command = fake_qmp_receive(fake);
	if (command)
		g_error("the fake monitor expected the end and got %s", command);
	assert_at_end(fake);
}

void fake_qmp_ignore_all(FakeQmp *fake)
{
	char *command;
	while ((command = fake_qmp_receive(fake)))
		g_free(command);
	assert_at_end(fake);
}

void fake_qmp_expect_silence(FakeQmp *fake, int ms)
{
	if (read_more(fake, ms))
		g_error("the fake monitor expected silence and got %s", fake->input->str);
}

void fake_qmp_negotiate(FakeQmp *fake)
{
	fake_qmp_greet(fake);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "qmp_capabilities"), "{}");
}

void fake_qmp_negotiate_oob(FakeQmp *fake)
{
	fake_qmp_greet(fake);
	fake_qmp_reply(fake, fake_qmp_expect_arguments(fake, "qmp_capabilities", "{'enable':['oob']}"), "{}");
}

void fake_qmp_serve(FakeQmp *fake)
{
	char *command;
	while ((command = fake_qmp_receive(fake))) {
		fake_qmp_reply(fake, get_id(command), "{}");
		g_free(command);
	}
}
