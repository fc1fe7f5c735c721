/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a session to a file, one line of JSON per message; docs/qmp-recordings.md has the format.
 *
 * Whoever sends or receives adds to a buffer, which costs a copy; a thread of the recorder's own writes it to the file.
 * So a disk that is slow, or stands still, is felt by nobody but that thread, up to the bound of the buffer. What goes
 * wrong ends the recording, never the session.
 */
#pragma once

#include "core/context-private.h"

#include <pthread.h>

typedef struct UtmQmpRecorder UtmQmpRecorder;

typedef enum UtmQmpSide {
	UTM_QMP_SIDE_CLIENT,
	UTM_QMP_SIDE_MONITOR,
} UtmQmpSide;

/* Makes the file, or empties it, and begins. The end of the context waits for what is not written yet. */
UtmQmpRecorder *utm__qmp_recorder_new(UtmContext *context, const char *path, UtmError **error);
UtmQmpRecorder *utm__qmp_recorder_ref(UtmQmpRecorder *recorder);
void utm__qmp_recorder_unref(UtmQmpRecorder *recorder); /* accepts NULL */

/* Adds a message: one object of JSON on one line. Any thread; never waits. False: the recording has ended. */
bool utm__qmp_recorder_add(UtmQmpRecorder *recorder, UtmQmpSide from, const char *message, gsize length);
/* The last line, when the monitor ended the session; NULL: this side did. Nothing is added from now on. */
void utm__qmp_recorder_finish(UtmQmpRecorder *recorder, const UtmError *end);
/* What went wrong so far, or NULL. (transfer full) */
UtmError *utm__qmp_recorder_get_error(UtmQmpRecorder *recorder);
/* After finish: waits until all is in the file. 0, or what went wrong, or TIMEOUT. */
int utm__qmp_recorder_wait(UtmQmpRecorder *recorder, gint64 timeout_ms, UtmError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmQmpRecorder, utm__qmp_recorder_unref)

/* --- where a client's messages are seen, whichever thread has them --- */

typedef struct UtmQmpTap {
	UtmContext *context;
	pthread_mutex_t lock;     /* guards what follows; the recorder is looked at without, too, to find that there is none */
	UtmQmpRecorder *recorder; /* NULL: nothing is recorded */
	bool ended;               /* the session is over, and will not be recorded any more */
} UtmQmpTap;

void utm__qmp_tap_init(UtmQmpTap *tap, UtmContext *context);
void utm__qmp_tap_clear(UtmQmpTap *tap);
/* Takes a reference. False when there is one already, or the session is over. */
bool utm__qmp_tap_set(UtmQmpTap *tap, UtmQmpRecorder *recorder);
/* The present recorder, if it is this one, is of no more use. */
void utm__qmp_tap_remove(UtmQmpTap *tap, UtmQmpRecorder *recorder);
void utm__qmp_tap_end(UtmQmpTap *tap, const UtmError *end);
void utm__qmp_tap_record(UtmQmpTap *tap, UtmQmpSide from, const char *message, gsize length);

static inline bool utm__qmp_tap_is_open(UtmQmpTap *tap)
{
	return G_UNLIKELY(__atomic_load_n(&tap->recorder, __ATOMIC_RELAXED) != NULL);
}

static inline void utm__qmp_tap_see(UtmQmpTap *tap, UtmQmpSide from, const char *message, gsize length)
{
	if (utm__qmp_tap_is_open(tap))
		utm__qmp_tap_record(tap, from, message, length);
}
