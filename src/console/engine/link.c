/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine's end of the protocol: messages become calls of the engine, what it tells becomes messages. */
#include "link.h"

#include "loop.h"
#include "picture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

typedef struct Outgoing {
	UtmMessage message;
	int fd;
} Outgoing;

typedef struct Link {
	int socket;
	const EngineKind *kind;
	Engine *engine;
	bool greeted;
	bool opened;
	bool closing;
	guint read_source;
	guint write_source;
	guint signal_source;
	GQueue outgoing; /* only while the library is slow to read */
	EngineHost host;
	PictureSink sink;
	Picture *pictures[UTM_PROTOCOL_DISPLAYS];
} Link;

/* ---------------------------------------------------------------- out */

static void outgoing_free(Outgoing *outgoing)
{
	if (outgoing->fd >= 0)
		close(outgoing->fd);
	g_free(outgoing);
}

static void begin_close(Link *link)
{
	if (link->closing)
		return;
	link->closing = true;
	loop_remove(&link->read_source);
	loop_add_timeout(UTM_ENGINE_EXIT_MS, (LoopFunc)loop_quit, NULL);
	link->kind->close(link->engine);
}

static bool flush(int fd, GIOCondition condition, void *data)
{
	Link *link = data;
	Outgoing *first;
	while ((first = g_queue_peek_head(&link->outgoing))) {
		UtmProtocolResult result = utm__protocol_send(link->socket, &first->message, first->fd);
		if (result == UTM_PROTOCOL_AGAIN)
			return true;
		outgoing_free(g_queue_pop_head(&link->outgoing));
	}
	link->write_source = 0;
	return false;
}

/* What a newer message about a display makes superfluous, so that the queue stays short however slow the library is. */
static bool overtakes(const UtmMessage *newer, const UtmMessage *older)
{
	if (newer->display != older->display)
		return false;
	bool about_picture = older->kind == UTM_MESSAGE_FRAME || older->kind == UTM_MESSAGE_RING ||
	                     older->kind == UTM_MESSAGE_HIDDEN;
	switch (newer->kind) {
	case UTM_MESSAGE_FRAME:
		return older->kind == UTM_MESSAGE_FRAME;
	case UTM_MESSAGE_RING:
	case UTM_MESSAGE_HIDDEN:
		return about_picture;
	default:
		return older->kind == newer->kind;
	}
}

static void drop_overtaken(Link *link, const UtmMessage *newer)
{
	for (GList *l = link->outgoing.head; l;) {
		GList *next = l->next;
		Outgoing *older = l->data;
		if (overtakes(newer, &older->message)) {
			outgoing_free(older);
			g_queue_delete_link(&link->outgoing, l);
		}
		l = next;
	}
}

static void say(Link *link, const UtmMessage *message, int fd)
{
	if (link->closing)
		return;
	if (!link->outgoing.head && utm__protocol_send(link->socket, message, fd) != UTM_PROTOCOL_AGAIN)
		return; /* sent, or nobody listens: then reading says so too */
	drop_overtaken(link, message);
	Outgoing *outgoing = g_new(Outgoing, 1);
	outgoing->message = *message;
	outgoing->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	g_queue_push_tail(&link->outgoing, outgoing);
	if (!link->write_source)
		link->write_source = loop_add_fd(link->socket, G_IO_OUT, G_PRIORITY_DEFAULT, flush, link);
}

static void say_failure(Link *link, UtmMessageKind kind, UtmEngineFailure failure, const char *text)
{
	UtmMessage message = { .kind = kind, .failed.failure = failure };
	g_strlcpy(message.failed.text, text ? text : "", sizeof message.failed.text);
	say(link, &message, -1);
}

static void on_connected(void *data)
{
	say(data, &(UtmMessage){ .kind = UTM_MESSAGE_CONNECTED }, -1);
}

static void on_failed(void *data, UtmEngineFailure failure, const char *text)
{
	say_failure(data, UTM_MESSAGE_FAILED, failure, text);
}

static void on_ended(void *data, UtmEngineFailure failure, const char *text)
{
	say_failure(data, UTM_MESSAGE_ENDED, failure, text);
}

static void on_input_ready(void *data)
{
	say(data, &(UtmMessage){ .kind = UTM_MESSAGE_INPUT_READY }, -1);
}

static void on_pointer_mode(void *data, bool client)
{
	say(data, &(UtmMessage){ .kind = UTM_MESSAGE_POINTER_MODE, .pointer_mode.mode = client }, -1);
}

static void on_closed(void *data)
{
	loop_quit();
}

static void on_ring(void *data, guint display, guint32 ring, const UtmRingLayout *layout, int fd)
{
	UtmMessage message = { .kind = UTM_MESSAGE_RING, .display = display };
	message.ring.ring = ring;
	message.ring.width = layout->width;
	message.ring.height = layout->height;
	say(data, &message, fd);
}

static void on_frame(void *data, guint display, guint32 ring, guint64 serial)
{
	UtmMessage message = { .kind = UTM_MESSAGE_FRAME, .display = display };
	message.frame.ring = ring;
	message.frame.serial = serial;
	say(data, &message, -1);
}

static void on_hidden(void *data, guint display)
{
	say(data, &(UtmMessage){ .kind = UTM_MESSAGE_HIDDEN, .display = display }, -1);
}

static Picture *picture_of(void *data, guint display)
{
	Link *link = data;
	if (display >= UTM_PROTOCOL_DISPLAYS)
		return NULL;
	if (!link->pictures[display])
		link->pictures[display] = picture_new(display, &link->sink);
	return link->pictures[display];
}

/* ---------------------------------------------------------------- in */

/* False for a message out of order. */
static bool take_opening(Link *link, const UtmMessage *m)
{
	if (m->kind == UTM_MESSAGE_HELLO) {
		link->greeted = m->hello.version == UTM_PROTOCOL_VERSION;
		/* The answer goes out in any case: the library then knows whom it has before it. */
		say(link, &(UtmMessage){ .kind = UTM_MESSAGE_HELLO, .hello.version = UTM_PROTOCOL_VERSION }, -1);
		return link->greeted;
	}
	if (m->kind != UTM_MESSAGE_OPEN || !link->greeted || link->opened)
		return false;
	link->opened = true;
	link->kind->open(link->engine, m->open.path, m->open.password);
	return true;
}

static bool take(Link *link, const UtmMessage *m)
{
	if (!link->opened)
		return take_opening(link, m);
	switch (m->kind) {
	case UTM_MESSAGE_KEY:
		link->kind->key(link->engine, m->key.scancode, m->key.pressed);
		return true;
	case UTM_MESSAGE_MOVE:
		link->kind->move(link->engine, m->display, m->pointer.x, m->pointer.y, m->pointer.buttons);
		return true;
	case UTM_MESSAGE_MOTION:
		link->kind->motion(link->engine, m->pointer.x, m->pointer.y, m->pointer.buttons);
		return true;
	case UTM_MESSAGE_BUTTON:
		link->kind->button(link->engine, m->button.button, m->button.pressed, m->button.buttons);
		return true;
	case UTM_MESSAGE_BUFFER_FREE:
		return true;
	default:
		return false;
	}
}

/*
 * Any message may be the sign that a buffer is free again: when the socket was full the library could not say so, but
 * then it had said other things that are still to be read.
 */
static void resume_pictures(Link *link)
{
	for (int i = 0; i < UTM_PROTOCOL_DISPLAYS; i++)
		if (link->pictures[i])
			picture_resume(link->pictures[i]);
}

static bool on_readable(int fd, GIOCondition condition, void *data)
{
	Link *link = data;
	UtmProtocolResult result;
	UtmMessage message;
	int no_fd;
	while ((result = utm__protocol_receive(link->socket, UTM_PROTOCOL_ENGINE, &message, &no_fd)) == UTM_PROTOCOL_OK)
		if (!take(link, &message)) {
			result = UTM_PROTOCOL_BROKEN;
			break;
		}
	resume_pictures(link);
	if (result == UTM_PROTOCOL_AGAIN)
		return true;
	begin_close(link); /* removes this source */
	return true;
}

/* The library's process died: its socket closes too, but perhaps a moment later. */
static void on_signal(void *data)
{
	begin_close(data);
}

void link_serve(int socket, const EngineKind *kind)
{
	Link link = { .socket = socket, .kind = kind };
	link.host = (EngineHost){ on_connected, on_failed, on_ended, on_input_ready, on_pointer_mode,
		                  picture_of, on_closed, &link };
	link.sink = (PictureSink){ on_ring, on_frame, on_hidden, &link };
	g_queue_init(&link.outgoing);
	link.engine = kind->create(&link.host);
	link.signal_source = loop_add_signal(SIGTERM, on_signal, &link);
	/* Input goes first, whatever the pictures do. */
	link.read_source = loop_add_fd(socket, G_IO_IN, G_PRIORITY_HIGH, on_readable, &link);
	loop_run();
	kind->destroy(link.engine);
	for (int i = 0; i < UTM_PROTOCOL_DISPLAYS; i++)
		g_clear_pointer(&link.pictures[i], picture_free);
	loop_remove(&link.read_source);
	loop_remove(&link.write_source);
	loop_remove(&link.signal_source);
	g_queue_clear_full(&link.outgoing, (GDestroyNotify)outgoing_free);
}
