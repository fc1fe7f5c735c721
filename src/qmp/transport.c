/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/transport.h"

#include "base/util.h"
#include "qmp/framer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* QEMU's own limit for a message is 64 MiB, and the agent's longest answer holds exactly that much text. */
const UtmQmpDialect utm__qmp_monitor = {
	.peer = "the monitor", .depth_max = UTM_QMP_DEPTH_MAX, .message_max = (gsize)64 << 20, .message_max_text = "64 MiB"
};
const UtmQmpDialect utm__qmp_agent = {
	.peer = "the guest agent", .depth_max = 128, .message_max = (gsize)65 << 20, .message_max_text = "65 MiB",
	.marked = true
};

/* The answer to a question for a mark is a number; this is room for it with all that a guest may write around it. */
#define ANSWER_MAX 256
#define BUFFER_FIRST ((gsize)4 << 10)
/* What is kept for the next message; a longer one, such as the schema, gives its memory back. */
#define BUFFER_KEPT ((gsize)64 << 10)

typedef enum Passing {
	PASSING_NOTHING,
	PASSING_ALL,  /* up to the next mark */
	PASSING_MOST, /* behind a mark: a short message counts */
} Passing;

struct UtmQmpTransport {
	int fd;
	const UtmQmpDialect *dialect;

	/*
	 * The input buffer: [0, out) the compact beginning of one message, [scan, end) bytes not looked at yet. A whole
	 * message stays until popped.
	 */
	char *buffer;
	gsize capacity;
	gsize out, scan, end;
	bool whole;
	bool emptied; /* the last read took all there was: save the one that would say so */
	gint64 read_limit_ms; /* of a blocking read, as the socket has it; 0: none */
	UtmQmpFramer framer;
	Passing passing;
	bool strayed; /* `ended` does not end it */
	UtmError *ended;
	guint64 received; /* bytes so far; atomic */

	GByteArray *queue;
	gsize sent; /* of the queue */
	guint64 sent_ever;
	bool full; /* the socket took no more */
	bool broken;
	bool passes_fds;
	int fd_out;        /* a descriptor on its way; -1: none */
	guint64 fd_out_at; /* the position of the byte that it goes with */

	int watch;
	guint32 watched; /* EPOLL* bits set at the moment */
	bool listening;
};

static void reset_framer(UtmQmpTransport *transport)
{
	transport->out = 0;
	transport->whole = false;
	transport->framer = (UtmQmpFramer){ .depth_max = transport->dialect->depth_max };
}

static bool is_unix_socket(int fd)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof address;
	return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.ss_family == AF_UNIX;
}

static void take_socket(UtmQmpTransport *transport, int fd_taken)
{
	transport->fd = fd_taken;
	transport->passes_fds = is_unix_socket(fd_taken);
	transport->watched = EPOLLIN;
	/* Each read and write says whether it may block. */
	fcntl(fd_taken, F_SETFL, fcntl(fd_taken, F_GETFL) & ~O_NONBLOCK);
	setsockopt(fd_taken, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0 }, sizeof(struct timeval));
	transport->read_limit_ms = 0;
	struct epoll_event event = { .events = EPOLLIN };
	if (transport->watch < 0 || epoll_ctl(transport->watch, EPOLL_CTL_ADD, fd_taken, &event) < 0)
		utm__fail_errno(&transport->ended, errno, NULL, "cannot watch the socket");
}

UtmQmpTransport *utm__qmp_transport_new(int fd_taken, const UtmQmpDialect *dialect)
{
	UtmQmpTransport *transport = g_new0(UtmQmpTransport, 1);
	transport->dialect = dialect;
	reset_framer(transport);
	transport->fd_out = -1;
	transport->queue = g_byte_array_new();
	transport->listening = true;
	transport->watch = epoll_create1(EPOLL_CLOEXEC);
	take_socket(transport, fd_taken);
	if (transport->ended)
		utm__close_fd(&transport->watch);
	return transport;
}

void utm__qmp_transport_replace(UtmQmpTransport *transport, int fd_taken)
{
	utm__close_fd(&transport->fd); /* and so out of the watch */
	utm__qmp_transport_drop_queue(transport);
	reset_framer(transport);
	transport->scan = transport->end = 0;
	transport->emptied = transport->full = transport->broken = false;
	g_clear_pointer(&transport->ended, utm_error_unref);
	take_socket(transport, fd_taken);
}

void utm__qmp_transport_free(UtmQmpTransport *transport)
{
	utm__close_fd(&transport->watch);
	utm__close_fd(&transport->fd);
	utm__close_fd(&transport->fd_out);
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

/* Looks at what was read, up to there or to the end of the first message. */
static UtmQmpFrame scan(UtmQmpTransport *transport, gsize limit)
{
	const char *from = transport->buffer + transport->scan;
	char *to = transport->buffer + transport->out;
	UtmQmpFrame frame = utm__qmp_framer_run(&transport->framer, &from, transport->buffer + limit, &to);
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

static UtmError *broken_error(const UtmQmpTransport *transport, int errno_value)
{
	UtmError *error = utm__error_new(UTM_ERROR_QMP_DISCONNECTED, "the connection to %s broke: %s",
	                                 transport->dialect->peer, g_strerror(errno_value));
	return utm__error_set_errno(error, errno_value);
}

/* Reads once. WAIT: nothing came; MESSAGE: something did. */
static UtmQmpInput receive(UtmQmpTransport *transport, int flags)
{
	make_room(transport);
	gsize room = transport->capacity - transport->end;
	ssize_t count = recv(transport->fd, transport->buffer + transport->end, room, flags);
	if (count > 0) {
		transport->end += (gsize)count;
		__atomic_store_n(&transport->received, transport->received + (gsize)count, __ATOMIC_RELAXED);
		transport->emptied = transport->end < transport->capacity;
		return UTM_QMP_INPUT_MESSAGE;
	}
	if (count < 0 && errno == EINTR)
		return flags ? receive(transport, flags) : UTM_QMP_INPUT_WAIT;
	if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return end_input(transport, broken_error(transport, errno));
	if (count == 0)
		return end_input(transport, utm__error_new(UTM_ERROR_QMP_DISCONNECTED, "%s closed the connection%s",
		                                           transport->dialect->peer,
		                                           transport->out ? " in the middle of a message" : ""));
	return transport->broken ? end_input(transport, broken_error(transport, EPIPE)) : UTM_QMP_INPUT_WAIT;
}

static void refuse_input(UtmQmpTransport *transport, UtmError *error_taken)
{
	transport->strayed = transport->dialect->marked;
	end_input(transport, error_taken);
}

/* Whether a short message stands behind a mark. From mark to mark, so that none hides in what a cut one opened. */
static bool find_answer(UtmQmpTransport *transport)
{
	while (transport->scan < transport->end) {
		char *mark = memchr(transport->buffer + transport->scan, UTM_QMP_MARK, transport->end - transport->scan);
		gsize limit = mark ? (gsize)(mark - transport->buffer) : transport->end;
		UtmQmpFrame frame = transport->passing == PASSING_MOST ? scan(transport, limit) : UTM_QMP_FRAME_BAD;
		if (frame == UTM_QMP_FRAME_WHOLE)
			return true;
		if (frame == UTM_QMP_FRAME_PART && !mark && transport->out <= ANSWER_MAX)
			return false;
		reset_framer(transport);
		transport->scan = mark ? limit + 1 : limit;
		transport->passing = mark ? PASSING_MOST : PASSING_ALL;
	}
	return false;
}

/* Whether a whole message is there. False with `ended` set when what was read is none. */
static bool find_message(UtmQmpTransport *transport)
{
	const UtmQmpDialect *dialect = transport->dialect;
	if (transport->whole || transport->ended)
		return transport->whole;
	if (transport->passing)
		return find_answer(transport);
	if (transport->scan < transport->end && scan(transport, transport->end) == UTM_QMP_FRAME_BAD)
		refuse_input(transport, utm__error_new(UTM_ERROR_QMP_PROTOCOL, "%s sent what is no QMP", dialect->peer));
	else if (transport->out > dialect->message_max)
		refuse_input(transport, utm__error_new(UTM_ERROR_QMP_PROTOCOL, "%s sent a message of more than %s",
		                                       dialect->peer, dialect->message_max_text));
	return transport->whole && !transport->ended;
}

UtmQmpInput utm__qmp_transport_peek(UtmQmpTransport *transport, UtmQmpMessage *ret)
{
	for (bool read = false; !find_message(transport); read = true) {
		if (transport->ended)
			return transport->strayed ? UTM_QMP_INPUT_STRAY : UTM_QMP_INPUT_END;
		/* Nothing bounds what is passed over, so others get their turn. */
		if (read && transport->passing)
			return UTM_QMP_INPUT_WAIT;
		bool emptied = transport->emptied && !transport->broken;
		transport->emptied = false;
		UtmQmpInput input = emptied ? UTM_QMP_INPUT_WAIT : receive(transport, MSG_DONTWAIT);
		if (input != UTM_QMP_INPUT_MESSAGE)
			return input;
	}
	*ret = (UtmQmpMessage){ .text = transport->buffer, .length = transport->out };
	return UTM_QMP_INPUT_MESSAGE;
}

/* The time a blocking read takes at most. Calls mostly have the same limit, so it is mostly set already. */
static void limit_read(UtmQmpTransport *transport, gint64 deadline_us)
{
	gint64 limit_ms = deadline_us == G_MAXINT64 ? 0 : MAX((deadline_us - utm__now_us() + 999) / 1000, 1);
	if (limit_ms == transport->read_limit_ms)
		return;
	struct timeval limit = { .tv_sec = limit_ms / 1000, .tv_usec = limit_ms % 1000 * 1000 };
	setsockopt(transport->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	transport->read_limit_ms = limit_ms;
}

UtmQmpInput utm__qmp_transport_await(UtmQmpTransport *transport, gint64 deadline_us, UtmQmpMessage *ret)
{
	transport->emptied = false;
	while (!find_message(transport)) {
		if (transport->ended)
			return UTM_QMP_INPUT_END;
		limit_read(transport, deadline_us);
		if (receive(transport, 0) == UTM_QMP_INPUT_WAIT && utm__now_us() >= deadline_us)
			return UTM_QMP_INPUT_WAIT;
	}
	*ret = (UtmQmpMessage){ .text = transport->buffer, .length = transport->out };
	return UTM_QMP_INPUT_MESSAGE;
}

/*
 * What follows stays where it is and the next message grows from the front: its compact form cannot overtake it, for it
 * is never longer than what it was read from. The line end that follows nearly every message goes too, so that there is
 * nothing left to look at.
 */
void utm__qmp_transport_pop(UtmQmpTransport *transport)
{
	transport->whole = false;
	transport->out = 0;
	if (transport->passing)
		transport->passing = PASSING_ALL;
	while (transport->scan < transport->end && g_ascii_isspace(transport->buffer[transport->scan]))
		transport->scan++;
}

const UtmError *utm__qmp_transport_get_end(UtmQmpTransport *transport)
{
	return transport->ended;
}

void utm__qmp_transport_pass_over(UtmQmpTransport *transport)
{
	if (transport->strayed)
		g_clear_pointer(&transport->ended, utm_error_unref);
	transport->strayed = false;
	transport->passing = PASSING_ALL;
	transport->scan = transport->end;
	reset_framer(transport);
}

void utm__qmp_transport_trust(UtmQmpTransport *transport)
{
	transport->passing = PASSING_NOTHING;
}

bool utm__qmp_transport_is_passing_over(UtmQmpTransport *transport)
{
	return transport->passing != PASSING_NOTHING;
}

bool utm__qmp_transport_is_idle(UtmQmpTransport *transport)
{
	return !transport->whole && transport->scan == transport->end && !transport->ended;
}

guint64 utm__qmp_transport_get_received(UtmQmpTransport *transport)
{
	return __atomic_load_n(&transport->received, __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------------- out and watch */

static void update_watch(UtmQmpTransport *transport)
{
	struct epoll_event event = { .events = (transport->listening ? EPOLLIN : 0) | (transport->full ? EPOLLOUT : 0) };
	if (event.events == transport->watched || transport->watch < 0)
		return;
	transport->watched = event.events;
	epoll_ctl(transport->watch, EPOLL_CTL_MOD, transport->fd, &event);
}

bool utm__qmp_transport_passes_fds(UtmQmpTransport *transport)
{
	return transport->passes_fds;
}

guint64 utm__qmp_transport_get_queued(UtmQmpTransport *transport)
{
	return transport->sent_ever + transport->queue->len - transport->sent;
}

guint64 utm__qmp_transport_get_sent(UtmQmpTransport *transport)
{
	return transport->sent_ever;
}

bool utm__qmp_transport_write(UtmQmpTransport *transport, const char *text, gsize length, int fd_taken)
{
	if (transport->queue->len - transport->sent + length > UTM_QMP_QUEUE_MAX)
		return false;
	if (fd_taken >= 0 && transport->fd_out >= 0)
		return false;
	if (fd_taken >= 0) {
		transport->fd_out = fd_taken;
		transport->fd_out_at = utm__qmp_transport_get_queued(transport);
	}
	g_byte_array_append(transport->queue, (const guint8 *)text, (guint)length);
	return true;
}

void utm__qmp_transport_drop_queue(UtmQmpTransport *transport)
{
	g_byte_array_set_size(transport->queue, 0);
	transport->sent = 0;
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

/* A part of the queue that begins with the byte the descriptor belongs to. */
static ssize_t send_with_fd(UtmQmpTransport *transport, struct iovec *part)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = { 0 };
	struct msghdr message = {
		.msg_iov = part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &transport->fd_out, sizeof(int));
	ssize_t count = sendmsg(transport->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (count > 0)
		utm__close_fd(&transport->fd_out);
	return count;
}

static ssize_t send_some(UtmQmpTransport *transport)
{
	struct iovec part = { transport->queue->data + transport->sent, transport->queue->len - transport->sent };
	if (transport->fd_out >= 0 && transport->fd_out_at == transport->sent_ever)
		return send_with_fd(transport, &part);
	if (transport->fd_out >= 0)
		part.iov_len = transport->fd_out_at - transport->sent_ever;
	return send(transport->fd, part.iov_base, part.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool utm__qmp_transport_flush(UtmQmpTransport *transport)
{
	GByteArray *queue = transport->queue;
	transport->full = false;
	while (transport->sent < queue->len && !transport->full && !transport->broken) {
		ssize_t count = send_some(transport);
		if (count > 0) {
			transport->sent += (gsize)count;
			transport->sent_ever += (gsize)count;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			transport->full = true;
		} else if (errno != EINTR) {
			transport->broken = true;
		}
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
