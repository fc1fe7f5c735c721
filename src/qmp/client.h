/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QMP client inside: everything happens on the I/O thread and nothing blocks. UtmQmp (qmp.c) is a thin public layer
 * over it; the machine (src/vm/) uses it directly for its own commands.
 */
#pragma once

#include "base/error-private.h"
#include "core/context-private.h"

#include <utm/qmp.h>

typedef struct UtmQmpClient UtmQmpClient;

typedef struct UtmQmpClientFuncs {
	/* Greeting and negotiation are done (error NULL), or failed. Exactly once. */
	void (*ready)(UtmQmpClient *client, const UtmError *error, void *data);
	/* An event; data_json may be NULL. Only after ready. */
	void (*event)(UtmQmpClient *client, const char *name, const char *data_json, gint64 timestamp_us, void *data);
	/* The connection is over; every pending command has been answered. Exactly once, after ready, never after close. */
	void (*closed)(UtmQmpClient *client, const UtmError *error, void *data);

	/* --- of a guest agent only, which has no ready and no events --- */
	/* What came is none of what may come; everything is passed over from here on. Commands wait on. */
	void (*strayed)(UtmQmpClient *client, const UtmError *error, void *data);
	/* The answer to the last utm__qmp_client_ask_mark() came; for utm__qmp_client_trust(). */
	void (*marked)(UtmQmpClient *client, void *data);
} UtmQmpClientFuncs;

/* The answer of one command: `reply_json` or an error. Exactly once per command. */
typedef void (*UtmQmpClientReplyFunc)(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data);

/* Takes the connected, non-blocking stream socket. timeout_ms for greeting and negotiation; -1: none. */
UtmQmpClient *utm__qmp_client_new(UtmContext *context, int fd_taken, gint64 timeout_ms, const UtmQmpClientFuncs *funcs,
                                  void *data);
/*
 * The same for the socket of a guest agent, which is ready at once and passes everything over until it is trusted. One
 * command at a time; src/guest/ has the queue, the deadlines and the mind to ask for a mark.
 */
UtmQmpClient *utm__qmp_client_new_agent(UtmContext *context, int fd_taken, const UtmQmpClientFuncs *funcs, void *data);
/* Answers everything pending with QMP_DISCONNECTED, closes, calls no func again and frees. NULL is fine. */
void utm__qmp_client_free(UtmQmpClient *client);

/* Before the greeting: where to connect again, should the monitor greet and then read nothing; NULL: nowhere. */
void utm__qmp_client_set_path(UtmQmpClient *client, const char *path);
/* Before the greeting: out-of-band execution is asked for where it is offered. */
void utm__qmp_client_want_oob(UtmQmpClient *client);
/* Before the greeting: a line feed ends each command. */
void utm__qmp_client_want_lines(UtmQmpClient *client);
/* Once ready: whether it was granted, and whether descriptors can be passed. */
bool utm__qmp_client_has_oob(UtmQmpClient *client);
bool utm__qmp_client_passes_fds(UtmQmpClient *client);

typedef struct UtmQmpCommand {
	const char *name;
	const char *arguments_json; /* a JSON object or NULL, validated by the caller when foreign */
	gint64 timeout_ms;          /* -1: none */
	bool oob;                   /* only where utm__qmp_client_has_oob() */
	bool urgent;                /* does not wait for the negotiation */
	bool decodes;               /* whoever gets the answer finds out itself whether it is JSON */
	gint64 given_us;            /* set by whoever takes it */
	int fd; /* goes along, -1: none. Only where utm__qmp_client_passes_fds(). When it was taken, -1 stands here. */
} UtmQmpCommand;

/*
 * Sends a command. Commands may be sent as soon as the client exists; they wait for the negotiation, and for others where
 * outbound.h says so. Returns an id to abandon it by.
 */
guint utm__qmp_client_submit(UtmQmpClient *client, UtmQmpCommand *command, UtmQmpClientReplyFunc fn, void *data);
/* The usual case of it. */
guint utm__qmp_client_send(UtmQmpClient *client, const char *command, const char *arguments_json, gint64 timeout_ms,
                           UtmQmpClientReplyFunc fn, void *data);
/*
 * Ends the wait for this reason (taken), to which the error adds whether the command was sent. A reply that comes later is
 * dropped. No effect after the end.
 */
void utm__qmp_client_abandon(UtmQmpClient *client, guint id, UtmError *error_taken);
/* I/O thread: somebody waits for what comes; a burst of blocking calls no longer keeps the socket unwatched. */
void utm__qmp_client_attend(UtmQmpClient *client);

/* --- the guest agent's stream; I/O thread --- */

/* Passes over what comes, and forgets what has not been sent: a mark ends a command that was cut. */
void utm__qmp_client_distrust(UtmQmpClient *client);
/* Asks for a mark with this even number and the next. Also again, with other numbers; only the last counts. */
void utm__qmp_client_ask_mark(UtmQmpClient *client, gint64 number);
/* In marked: what follows the mark answers commands that are sent from now on. */
void utm__qmp_client_trust(UtmQmpClient *client);
/* Whether the socket is read at all. When not, a guest that talks to nobody waits; its end is noticed all the same. */
void utm__qmp_client_listen(UtmQmpClient *client, bool listening);

const char *utm__qmp_client_get_greeting(UtmQmpClient *client); /* JSON; NULL before ready */
guint32 utm__qmp_client_get_qemu_version(UtmQmpClient *client);

/* --- the public handle over a client that somebody else made (the machine) --- */

/* Wraps a client that is ready; events and the end are to be passed on by the owner. (transfer full) */
UtmQmp *utm__qmp_new_wrapping(UtmContext *context, UtmQmpClient *client);
/* I/O thread: passes an event on to those who subscribed to the handle's. */
void utm__qmp_emit(UtmQmp *qmp, const char *name, const char *data_json, gint64 timestamp_us);
/* I/O thread: the client goes away; the handle answers further calls with QMP_DISCONNECTED. */
void utm__qmp_detach(UtmQmp *qmp, const UtmError *error);

/* Of a peer that accepts a connection, or lets it wait, and says nothing. */
#define UTM_QMP_BUSY_REMEDY                                                                                          \
	"Such a socket serves one client at a time, and another may be connected to it: the program that started QEMU, "     \
	"perhaps. End that connection, or give QEMU another socket for this one. (A guest agent sends no greeting either: "   \
	"utm_guest_connect_path() is for those.)"
/* Connects without blocking the I/O thread to a unix socket of any path length. A descriptor or a negative code. */
int utm__unix_connect(const char *path, UtmError **error);
/* Connects to a TCP port, on the calling thread, which waits. A descriptor or a negative code. */
int utm__tcp_connect(const char *host, guint16 port, gint64 deadline_us, UtmCancel *cancel, UtmError **error);
