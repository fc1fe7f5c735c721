/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What differs between the two that speak QMP: QEMU's monitor, and the agent inside the guest.
 *
 * The agent is under the guest's control, knows no greeting, no negotiation and no events, and its line outlives it:
 * what comes may be older than the connection. So where a monitor that sends nonsense is left, an agent's stream is passed
 * over up to a mark that was asked for, and goes on from there.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct UtmQmpDialect {
	const char *peer;  /* as messages call it */
	guint depth_max;   /* brackets that may be open in a message */
	gsize message_max; /* bytes */
	const char *message_max_text;
	bool marked; /* the agent's: no greeting, and the stream can be taken up again at a mark */
} UtmQmpDialect;

/* The byte that no UTF-8 contains: before it nothing counts. */
#define UTM_QMP_MARK '\xff'
#define UTM_QMP_ASK_MARK "guest-sync-delimited"

extern const UtmQmpDialect utm__qmp_monitor, utm__qmp_agent;
