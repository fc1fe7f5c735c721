/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The monitor's part in a recorded session: a server at the other end of a socket pair, on the I/O thread. So the client
 * that talks to it is the same, down to the last system call, as one that talks to QEMU.
 *
 * A command of the client is looked for in the recording, and what the monitor did after it is done again.
 */
#pragma once

#include "core/context-private.h"

#include <utm/qmp.h>

typedef struct UtmQmpReplay UtmQmpReplay;

/* flags: those of UtmQmpConnectFlags that are about this. The client's end is in *ret_fd. NULL on error. */
UtmQmpReplay *utm__qmp_replay_new(UtmContext *context, const char *path, guint32 flags, int *ret_fd, UtmError **error);
void utm__qmp_replay_free(UtmQmpReplay *replay); /* accepts NULL; after stop */

/* I/O thread: greets. */
void utm__qmp_replay_start(UtmQmpReplay *replay);
/* I/O thread: hangs up. */
void utm__qmp_replay_stop(UtmQmpReplay *replay);
/* I/O thread: somebody listens to events now; what came before the first command may begin. */
void utm__qmp_replay_open(UtmQmpReplay *replay);

/* Any thread: as utm_qmp_check_replay(). */
int utm__qmp_replay_check(UtmQmpReplay *replay, UtmError **error);
