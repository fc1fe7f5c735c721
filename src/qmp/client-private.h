/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of UtmQmpClient, shared by the protocol (client.c) and the shortcut past the I/O thread (shortcut.c). */
#pragma once

#include "qmp/client.h"
#include "qmp/envelope.h"
#include "qmp/recorder.h"
#include "qmp/slots.h"
#include "qmp/transport.h"

#include <pthread.h>

typedef enum UtmQmpClientState {
	UTM_QMP_CLIENT_GREETING,    /* the server speaks first */
	UTM_QMP_CLIENT_NEGOTIATION, /* qmp_capabilities is under way */
	UTM_QMP_CLIENT_READY,
	UTM_QMP_CLIENT_ENDED,
} UtmQmpClientState;

/* Who reads from the transport at the moment. */
typedef enum UtmQmpReader {
	UTM_QMP_READER_NONE, /* whoever comes first */
	UTM_QMP_READER_IO,
	UTM_QMP_READER_CALLER, /* a thread inside utm__qmp_client_try_call() */
} UtmQmpReader;

/* Blocking calls that follow each other closely; see shortcut.c. */
typedef struct UtmQmpBurst {
	gint64 called_us; /* when the last call was made */
	guint calls;
	bool lingers; /* the socket is left unwatched for the next call, though nobody reads */
} UtmQmpBurst;

struct UtmQmpClient {
	gint refs;
	UtmContext *context;
	const UtmQmpDialect *dialect;

	/* --- I/O thread only --- */
	const UtmQmpClientFuncs *funcs; /* NULL after free */
	void *data;
	GSource *source;
	void *tag;
	char *greeting;
	guint32 version;
	char *path;        /* to connect to again; NULL: nowhere */
	guint negotiation; /* the ticket of qmp_capabilities */
	gint64 deaf_us;    /* a monitor that has not negotiated by then does not read at all */
	bool oob_wanted; /* ... and, from the negotiation on, asked for */
	bool lines;      /* a line feed ends each command; set before the first */
	bool hung_up;    /* the connection ended on the other side */
	bool more;       /* there may be whole messages in the buffer: look without waiting for the socket */
	GSList *refused; /* commands for which there was no room, answered soon */
	gint64 next_deadline_us; /* nothing is due before; may be too early */
	gint64 ready_deadline_us;
	gint64 ready_timeout_ms;
	gint64 mark; /* the number asked for last, of an agent */
	bool echoes; /* the peer repeats ids; an agent before QEMU 4.0 does not and refuses commands that have one */

	/* --- guarded by the lock; `state` changes on the I/O thread only, which may read it without --- */
	pthread_mutex_t lock;
	UtmQmpClientState state;
	UtmQmpReader reader;
	UtmQmpBurst burst;
	bool muted; /* the source does not look at the socket, because a caller reads and the I/O thread was in its way */
	UtmQmpSlots slots;
	GQueue deferred; /* commands that must not be sent yet; see outbound.h */
	gsize deferred_bytes;
	GString *command; /* scratch */
	bool oob; /* out-of-band execution was granted */
	UtmError *end_error;

	UtmQmpTap tap; /* has its own lock */
	UtmQmpTransport *transport; /* its out side by the lock, its in side by `reader` */
};

UtmQmpClient *utm__qmp_client_ref(UtmQmpClient *client);
void utm__qmp_client_unref(UtmQmpClient *client);

/*
 * Whether an answer's content is checked before it is handed on. Not for who decodes it; but what is recorded must be JSON,
 * and an agent's stream is not to be trusted any more when it is none.
 */
static inline bool utm__qmp_client_checks(UtmQmpClient *client, bool decodes)
{
	return !decodes || client->dialect->marked || utm__qmp_tap_is_open(&client->tap);
}

/* I/O thread, with the lock: who waits in this slot, and for how long. Returns the ticket. */
guint utm__qmp_client_arm(UtmQmpClient *client, guint id, gint64 deadline_us, UtmQmpClientReplyFunc fn, void *data);
/* I/O thread: reading is free again; looks at what the caller left in buffer and socket, in the next turn. */
void utm__qmp_client_resume(UtmQmpClient *client);
/* I/O thread: looks at the socket again when no call has come for a while. Returns when to look again, or G_MAXINT64. */
gint64 utm__qmp_client_end_burst(UtmQmpClient *client, gint64 now_us);
/* I/O thread: answers what cannot be sent any more, some time soon. */
void utm__qmp_client_sweep_later(UtmQmpClient *client);

/* Notes when the command was given, and returns its deadline. The clock is read once per command. */
gint64 utm__qmp_command_begin(UtmQmpCommand *command);
