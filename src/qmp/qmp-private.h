/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of UtmQmp, shared by the handle itself (qmp.c), connecting and commands. */
#pragma once

#include "core/request.h"
#include "qmp/client-private.h"
#include "qmp/replay.h"
#include "qmp/subscription.h"

struct UtmQmp {
	UtmObject object;
	UtmQmpSubscribers subscribers;
	bool owns_client;
	/* Fixed once connected. */
	char *greeting;
	guint32 version;
	bool has_oob, passes_fds;
	UtmQmpReplay *replay; /* the other end, when that is ours */

	pthread_mutex_t lock; /* guards the next three; the first two change on the I/O thread only */
	UtmQmpClient *client; /* a reference; NULL after the end */
	UtmError *end_error;
	UtmQmpRecorder *recorder; /* until utm_qmp_record_stop() */

	gint on_their_way; /* atomic: calls that the I/O thread has not begun */

	/* I/O thread only */
	GQueue calls; /* sent and not answered; qmp-execute.c knows of what */
	UtmRequest *connecting;
};

UtmQmp *utm__qmp_new(UtmContext *context, bool owns_client);
/* I/O thread: the client of a new handle, which takes a reference, and what it learnt from the greeting. */
void utm__qmp_set_client(UtmQmp *qmp, UtmQmpClient *client);
void utm__qmp_learn_greeting(UtmQmp *qmp, UtmQmpClient *client);
/* I/O thread: the handle is of no more use. Its calls end, and its subscribers are told. error NULL: closed on this side. */
void utm__qmp_end(UtmQmp *qmp, const UtmError *error);

/* Any thread: somebody listens. Events that waited for that may come. */
void utm__qmp_open_events(UtmQmp *qmp);

/* I/O thread: ends the calls that are under way. */
void utm__qmp_abandon_calls(UtmQmp *qmp, UtmQmpClient *client, const UtmError *error);
