/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of UtmQmp, shared by the handle itself (qmp.c), connecting and commands. */
#pragma once

#include "core/request.h"
#include "qmp/client-private.h"
#include "qmp/replay.h"
#include "qmp/subscription.h"
#include "qmp/support.h"

/*
 * Where commands go, when not straight to the client: a guest agent has its own queue in front of it. All on the I/O
 * thread, and only before the end.
 */
typedef struct UtmQmpRoute {
	const UtmQmpDialect *dialect;
	/* As utm__qmp_client_submit(); 0 with an error when it is refused, and then fn is not called. */
	guint (*send)(UtmQmp *qmp, const UtmQmpCommand *command, UtmQmpClientReplyFunc fn, void *data, UtmError **error);
	void (*abandon)(UtmQmp *qmp, guint ticket, UtmError *error_taken);
	/* Everything that waits is answered; nothing is asked of the route any more. */
	void (*end)(UtmQmp *qmp, const UtmError *error);
} UtmQmpRoute;

struct UtmQmp {
	UtmObject object;
	const UtmQmpRoute *route; /* NULL: the client */
	UtmQmpSubscribers subscribers;
	bool owns_client;
	/* Fixed once connected. */
	char *greeting;
	guint32 version;
	bool has_oob, passes_fds;
	UtmQmpReplay *replay; /* the other end, when that is ours */

	pthread_mutex_t lock; /* guards the next two and support.index, which change on the I/O thread only, and the recorder */
	UtmQmpClient *client; /* a reference; NULL after the end */
	UtmError *end_error;
	UtmQmpSupport support;
	UtmQmpRecorder *recorder; /* until utm_qmp_record_stop() */

	gint on_their_way; /* atomic: calls that the I/O thread has not begun */

	/* I/O thread only */
	GQueue calls; /* sent and not answered; qmp-execute.c knows of what */
	GQueue held;  /* not sent before it is known what QEMU has, in their order */
	UtmQmpSupportWait held_wait;
	UtmRequest *connecting;
};

UtmQmp *utm__qmp_new(UtmContext *context, bool owns_client);
/* The same at the beginning of a larger struct. */
UtmQmp *utm__qmp_new_sized(gsize size, const UtmQmpRoute *route, UtmContext *context, bool owns_client);
/* I/O thread: the client of a new handle, which takes a reference, and what it learnt from the greeting. */
void utm__qmp_set_client(UtmQmp *qmp, UtmQmpClient *client);
void utm__qmp_learn_greeting(UtmQmp *qmp, UtmQmpClient *client);
/* I/O thread: the handle is of no more use. Its calls end, and its subscribers are told. error NULL: closed on this side. */
void utm__qmp_end(UtmQmp *qmp, const UtmError *error);

/* A socket connected to the path, within the time; or a negative code. Blocks. */
int utm__qmp_connect_socket(const char *path, const char *peer, gint64 deadline_us, UtmCancel *cancel,
                            UtmError **error);
/* A caller's descriptor, taken in any case: the same, or a negative code when it is no stream socket. */
int utm__qmp_adopt_fd(int fd_taken, UtmError **error);
/* What is asked of every connect function's arguments. A limit of 0 becomes the default. */
int utm__qmp_check_connect(UtmContext *context, const void *ret_handle, guint32 flags, guint32 known_flags,
                           gint64 *timeout_ms, UtmError **error);

/* Submits a command whose answer `deliver` hands to fn. */
int utm__qmp_submit(UtmQmp *qmp, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                    UtmRequestDeliverFunc deliver, UtmAnyFunc fn, void *user_data, UtmFreeFunc free_fn,
                    UtmError **error);
/* Any thread: somebody listens. Events that waited for that may come. */
void utm__qmp_open_events(UtmQmp *qmp);

/* I/O thread: ends the calls that are under way. */
void utm__qmp_abandon_calls(UtmQmp *qmp, UtmQmpClient *client, const UtmError *error);
