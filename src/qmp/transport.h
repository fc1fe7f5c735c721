/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The socket of a QMP connection: whole messages in, a queue of bytes out, never blocking.
 *
 * It has two independent sides. The *in* side (peek, pop, the end) belongs to whoever reads at the moment; the *out*
 * side and the watch belong to the holder of the client's lock. It knows nothing of threads itself.
 *
 * The watch is an epoll descriptor around the socket. The I/O thread polls it as it polls everything, and another
 * thread can make it silent for a while, and read the socket itself, without waking the I/O thread to tell it so.
 */
#pragma once

#include "base/error-private.h"
#include "qmp/dialect.h"

#include <stdbool.h>

typedef struct UtmQmpTransport UtmQmpTransport;

/* Takes the connected socket. Never fails: what goes wrong shows as the end of the input. */
UtmQmpTransport *utm__qmp_transport_new(int fd_taken, const UtmQmpDialect *dialect);
void utm__qmp_transport_free(UtmQmpTransport *transport);
/* Goes on with another socket, also taken: nothing of the former is left. For the holder of both sides. */
void utm__qmp_transport_replace(UtmQmpTransport *transport, int fd_taken);
/* Both directions at once; who waits for the socket wakes up. The descriptor itself stays until free. */
void utm__qmp_transport_shutdown(UtmQmpTransport *transport);

/* --- in --- */

typedef enum UtmQmpInput {
	UTM_QMP_INPUT_MESSAGE,
	UTM_QMP_INPUT_WAIT, /* nothing more for now */
	UTM_QMP_INPUT_END,  /* for good */
	UTM_QMP_INPUT_STRAY, /* a marked peer sent what is no message: pass it over */
} UtmQmpInput;

typedef struct UtmQmpMessage {
	char *text; /* may be written to, up to its length */
	gsize length;
} UtmQmpMessage;

/*
 * The first message that has not been popped: compact, one JSON object by its brackets. Reads from the socket only when
 * no whole message is there, and never waits; WAIT means that it is to be polled before the next peek.
 */
UtmQmpInput utm__qmp_transport_peek(UtmQmpTransport *transport, UtmQmpMessage *ret);
/* The same, and waits for it. WAIT when the time is up; deadline_us G_MAXINT64: no limit. */
UtmQmpInput utm__qmp_transport_await(UtmQmpTransport *transport, gint64 deadline_us, UtmQmpMessage *ret);
void utm__qmp_transport_pop(UtmQmpTransport *transport);
/* Whether the next peek has to read from the socket. */
bool utm__qmp_transport_is_idle(UtmQmpTransport *transport);
/* After END: QMP_DISCONNECTED, or QMP_PROTOCOL when the peer sent what is no QMP; after STRAY: that. */
const UtmError *utm__qmp_transport_get_end(UtmQmpTransport *transport);

/*
 * From here on everything is passed over, except for what stands behind a mark and is as short as the answer to a
 * question for one: those are the messages, until trust. For marked peers; also the way on after STRAY.
 */
void utm__qmp_transport_pass_over(UtmQmpTransport *transport);
/* The message that is there is the answer: what follows it is to be read in full again. */
void utm__qmp_transport_trust(UtmQmpTransport *transport);
bool utm__qmp_transport_is_passing_over(UtmQmpTransport *transport);
/* How many bytes have come so far. Any thread. */
guint64 utm__qmp_transport_get_received(UtmQmpTransport *transport);

/* --- out --- */

#define UTM_QMP_QUEUE_MAX ((gsize)64 << 20)

/*
 * Queues, with a descriptor that travels with the first byte of the text; -1: none. The descriptor is taken unless this
 * returns false: when the peer has left so much unread that no more is taken, or when another descriptor waits.
 */
bool utm__qmp_transport_write(UtmQmpTransport *transport, const char *text, gsize length, int fd_taken);
/* Forgets what was queued and not sent; a command may have been cut by it. */
void utm__qmp_transport_drop_queue(UtmQmpTransport *transport);
/* Whether descriptors can travel at all. */
bool utm__qmp_transport_passes_fds(UtmQmpTransport *transport);
/* Positions in the stream: the end of what was queued, and the end of what the socket took. */
guint64 utm__qmp_transport_get_queued(UtmQmpTransport *transport);
guint64 utm__qmp_transport_get_sent(UtmQmpTransport *transport);
/* Sends what the socket takes. False when it is broken; then the input will end. */
bool utm__qmp_transport_flush(UtmQmpTransport *transport);
bool utm__qmp_transport_is_drained(UtmQmpTransport *transport);

/* --- the watch: readable when there is something to do --- */

/* -1 when the system refused one; then the input ends at once. */
int utm__qmp_transport_get_watch(UtmQmpTransport *transport);
/* Whether input makes the watch readable. Room for output that waits always does. */
void utm__qmp_transport_set_listening(UtmQmpTransport *transport, bool listening);
