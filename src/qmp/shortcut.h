/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A blocking command without the I/O thread.
 *
 * Through the I/O thread a call costs two more thread switches than the socket itself: as much again as the whole call
 * of a fast server. When nothing else is under way, the calling thread borrows the reading: it sends, waits for the
 * socket and takes its own answer. The moment anything else arrives, an event, another's answer, rubbish, the end, it
 * gives all back untouched and waits for the I/O thread like everybody else. So there is one place for the protocol.
 */
#pragma once

#include "qmp/client.h"

typedef struct UtmQmpCall {
	UtmQmpCommand command;
	/* set by the call: */
	char *reply;
	UtmError *error;
	guint id;
	gint64 deadline_us;
} UtmQmpCall;

typedef enum UtmQmpCallResult {
	UTM_QMP_CALL_DONE,   /* reply or error is set, both (transfer full) */
	UTM_QMP_CALL_BUSY,   /* nothing happened: send it through the I/O thread */
	UTM_QMP_CALL_HANDED, /* it was sent; utm__qmp_client_adopt() must follow */
} UtmQmpCallResult;

/* Any application thread that may block. The caller holds a reference to the client until the end of the call. */
UtmQmpCallResult utm__qmp_client_try_call(UtmQmpClient *client, UtmQmpCall *call);
/* I/O thread: takes over a call that was handed back, as if utm__qmp_client_send() had sent it. Returns the ticket. */
guint utm__qmp_client_adopt(UtmQmpClient *client, const UtmQmpCall *call, UtmQmpClientReplyFunc fn, void *data);
