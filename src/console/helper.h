/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One running engine: its process and our end of its socket. I/O thread unless said otherwise; nothing blocks. */
#pragma once

#include "base/error-private.h"
#include "console/frame-ring.h"
#include "console/protocol.h"
#include "core/context-private.h"

typedef struct UtmHelper UtmHelper;

typedef struct UtmHelperEvents {
	/* A checked message other than HELLO. A RING comes with a descriptor to take, all others with -1. */
	void (*message)(const UtmMessage *message, int fd_taken, void *data);
	/* It ended by itself, or was failed: nothing comes any more, and the helper is gone. */
	void (*lost)(const UtmError *error, void *data);
	/* The process that was stopped is gone. */
	void (*stopped)(void *data);
	void *data;
} UtmHelperEvents;

/* Starts the engine program and greets it. CONSOLE_ENGINE. */
UtmHelper *utm__helper_start(UtmContext *context, const UtmHelperEvents *events, UtmError **error);
void utm__helper_send(UtmHelper *helper, const UtmMessage *message);
/* It did what an engine does not do: ends it; lost() follows. */
void utm__helper_fail(UtmHelper *helper, const char *problem);
/* Lets it wind up, for a second at most. Only stopped() is called from now on, and frees the helper. */
void utm__helper_stop(UtmHelper *helper);
gint64 utm__helper_get_pid(UtmHelper *helper);
/* Makes the ring tell this engine when a buffer of that display becomes free, for as long as there is an engine. */
void utm__helper_watch_ring(UtmHelper *helper, UtmRing *ring, guint display);
