/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/transport.h"

#include "base/util.h"
#include "qmp/framer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* QEMU's own limit for a message; more than that is no reply of it. */
#define MESSAGE_MAX ((gsize)64 << 20)
#define BUFFER_FIRST ((gsize)4 << 10)
/* What is kept for the next message; a longer one, such as the schema, gives its memory back. */
#define BUFFER_KEPT ((gsize)64 << 10)

struct UtmQmpTransport {
	int fd;

	/*
	 * The input buffer: [0, out) the compact beginning of one message, [scan, end) bytes not looked at yet. A whole
	 * message stays until popped.
	 */
	char *buffer;
	gsize capacity;
	gsize out, scan, end;
	bool whole;
	bool emptied; /* the last read took all there was: save the one that would say so */
	UtmQmpFramer framer;
	UtmError *ended;

	GByteArray *queue;
	gsize sent; /* of the queue */
	bool broken;

	int watch;
	guint32 watched; /* EPOLL* bits set at the moment */
	bool listening;
};

UtmQmpTransport *utm__qmp_transport_new(int fd_taken)
{
	UtmQmpTransport *transport = g_new0(UtmQmpTransport, 1);
	transport->fd = fd_taken;
	transport->queue = g_byte_array_new();
	transport->listening = true;
	transport->watched = EPOLLIN;
	transport->watch = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	if (transport->watch >= 0 && epoll_ctl(transport->watch, EPOLL_CTL_ADD, fd_taken, &event) == 0)
		return transport;
	utm__fail_errno(&transport->ended, errno, NULL, "cannot watch the monitor's socket");
	utm__close_fd(&transport->watch);
	return transport;
}

void utm__qmp_transport_free(UtmQmpTransport *transport)
{
	utm__close_fd(&transport->watch);
	utm__close_fd(&transport->fd);
	utm_error_unref(transport->ended);
	g_byte_array_unref(transport->queue);
	g_free(transport->buffer);
	g_free(transport);
}

void utm__qmp_transport_shutdown(UtmQmpTransport *transport)
{
	shutdown(transport->fd, SHUT_RDWR);
}

/* ---------------------------------------------------------------- in */

static UtmQmpInput end_input(UtmQmpTransport *transport, UtmError *error_taken)
{
	transport->ended = error_taken;
	return UTM_QMP_INPUT_END;
}

/* Looks at what was read, up to the end of the first message. */
static UtmQmpFrame scan(UtmQmpTransport *transport)
{
	const char *from = transport->buffer + transport->scan;
	char *to = transport->buffer + transport->out;
	UtmQmpFrame frame = utm__qmp_framer_run(&transport->framer, &from, transport->buffer + transport->end, &to);
	transport->scan = (gsize)(from - transport->buffer);
	transport->out = (gsize)(to - transport->buffer);
	transport->whole = frame == UTM_QMP_FRAME_WHOLE;
	return frame;
}

/* Room behind the bytes that are there. The capacity doubles, so a long message is not copied for every piece of it. */
static void make_room(UtmQmpTransport *transport)
{
	transport->scan = transport->end = transport->out;
	if (transport->out == 0 && transport->capacity > BUFFER_KEPT) {
		g_clear_pointer(&transport->buffer, g_free);
		transport->capacity = 0;
	}
	if (transport->capacity - transport->end >= BUFFER_FIRST / 2)
		return;
	transport->capacity = MAX(transport->capacity * 2, BUFFER_FIRST);
	transport->buffer = g_realloc(transport->buffer, transport->capacity);
}

/* Reads once. WAIT: nothing was there; MESSAGE: something was. */
static UtmQmpInput receive(UtmQmpTransport *transport)
{
	if (transport->emptied && !transport->broken) {
		transport->emptied = false;
		return UTM_QMP_INPUT_WAIT;
	}
	make_room(transport);
	ssize_t count;
	do {
		count = recv(transport->fd, transport->buffer + transport->end, transport->capacity - transport->end,
		             MSG_DONTWAIT);
	} while (count < 0 && errno == EINTR);
	if (count > 0) {
		transport->end += (gsize)count;
		transport->emptied = transport->end < transport->capacity;
		return UTM_QMP_INPUT_MESSAGE;
	}
	if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return transport->broken ? end_input(transport, utm__error_new(UTM_ERROR_QMP_DISCONNECTED,
		                                                               "the monitor takes no more commands"))
		                         : UTM_QMP_INPUT_WAIT;
	if (count < 0)
		return end_input(transport, utm__error_set_errno(utm__error_new(UTM_ERROR_QMP_DISCONNECTED,
		                                                                "the monitor's connection broke: %s",
		                                                                g_strerror(errno)),
		                                                 errno));
	return end_input(transport, utm__error_new(UTM_ERROR_QMP_DISCONNECTED, "the monitor closed the connection%s",
	                                           transport->out ? " in the middle of a message" : ""));
}

UtmQmpInput utm__qmp_transport_peek(UtmQmpTransport *transport, char **ret_text, gsize *ret_length)
{
	while (!transport->whole) {
		if (transport->ended)
			return UTM_QMP_INPUT_END;
		if (transport->scan < transport->end && scan(transport) == UTM_QMP_FRAME_BAD)
			return end_input(transport, utm__error_new(UTM_ERROR_QMP_PROTOCOL, "the monitor sent what is no QMP"));
		if (transport->out > MESSAGE_MAX)
			return end_input(transport, utm__error_new(UTM_ERROR_QMP_PROTOCOL,
			                                           "the monitor sent a message of more than 64 MiB"));
		UtmQmpInput input = transport->whole ? UTM_QMP_INPUT_MESSAGE : receive(transport);
		if (input != UTM_QMP_INPUT_MESSAGE)
			return input;
	}
	*ret_text = transport->buffer;
	*ret_length = transport->out;
	return UTM_QMP_INPUT_MESSAGE;
}

void utm__qmp_transport_pop(UtmQmpTransport *transport)
{
	gsize rest = transport->end - transport->scan;
	transport->whole = false;
	transport->out = 0;
	/*
	 * The rest stays where it is and the next message grows from the front: its compact form cannot overtake it, for
	 * a message is never longer than what it was read from.
	 */
	if (rest == 0)
		transport->scan = transport->end = 0;
}

const UtmError *utm__qmp_transport_get_end(UtmQmpTransport *transport)
{
	return transport->ended;
}

bool utm__qmp_transport_is_idle(UtmQmpTransport *transport)
{
	return !transport->whole && transport->scan == transport->end && !transport->ended;
}

bool utm__qmp_transport_wait(UtmQmpTransport *transport, gint64 deadline_us)
{
	struct pollfd readable = { .fd = transport->fd, .events = POLLIN };
	for (;;) {
		gint64 left_us = deadline_us == G_MAXINT64 ? 0 : MAX(deadline_us - utm__now_us(), 0);
		struct timespec left = { .tv_sec = left_us / G_USEC_PER_SEC, .tv_nsec = left_us % G_USEC_PER_SEC * 1000 };
		int ready = ppoll(&readable, 1, deadline_us == G_MAXINT64 ? NULL : &left, NULL);
		/* Of an error the read tells more. */
		if (ready > 0 || (ready < 0 && errno != EINTR))
			return true;
		if (ready == 0)
			return false;
	}
}

/* ---------------------------------------------------------------- out and watch */

static void update_watch(UtmQmpTransport *transport)
{
	bool waiting = transport->sent < transport->queue->len;
	struct epoll_event event = { .events = (transport->listening ? EPOLLIN : 0) | (waiting ? EPOLLOUT : 0) };
	if (event.events == transport->watched || transport->watch < 0)
		return;
	transport->watched = event.events;
	epoll_ctl(transport->watch, EPOLL_CTL_MOD, transport->fd, &event);
}

bool utm__qmp_transport_write(UtmQmpTransport *transport, const char *text, gsize length)
{
	if (transport->queue->len - transport->sent + length > UTM_QMP_QUEUE_MAX)
		return false;
	g_byte_array_append(transport->queue, (const guint8 *)text, (guint)length);
	return true;
}

/* Not at every call: moving the rest down each time would be quadratic in a long queue. */
static void forget_sent(UtmQmpTransport *transport)
{
	GByteArray *queue = transport->queue;
	gsize gone = transport->broken ? queue->len : transport->sent;
	if (gone == queue->len && gone > BUFFER_KEPT) {
		g_byte_array_unref(queue);
		transport->queue = g_byte_array_new();
	} else if (gone == queue->len) {
		g_byte_array_set_size(queue, 0);
	} else if (gone > queue->len / 2) {
		g_byte_array_remove_range(queue, 0, (guint)gone);
	} else {
		return;
	}
	transport->sent = 0;
}

bool utm__qmp_transport_flush(UtmQmpTransport *transport)
{
	GByteArray *queue = transport->queue;
	while (transport->sent < queue->len && !transport->broken) {
		ssize_t count = send(transport->fd, queue->data + transport->sent, queue->len - transport->sent,
		                     MSG_DONTWAIT | MSG_NOSIGNAL);
		if (count > 0)
			transport->sent += (gsize)count;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		else if (errno != EINTR)
			transport->broken = true;
	}
	forget_sent(transport);
	update_watch(transport);
	return !transport->broken;
}

bool utm__qmp_transport_is_drained(UtmQmpTransport *transport)
{
	return transport->queue->len == 0;
}

int utm__qmp_transport_get_watch(UtmQmpTransport *transport)
{
	return transport->watch;
}

void utm__qmp_transport_set_listening(UtmQmpTransport *transport, bool listening)
{
	transport->listening = listening;
	update_watch(transport);
}
