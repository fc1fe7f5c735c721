/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A recorded session, read back: what the client said, and what the monitor said after each of it. Everything is checked
 * while it is read, so whoever plays it has nothing to doubt. docs/qmp-recordings.md has the format and the rules.
 */
#pragma once

#include "base/error-private.h"

#include <stdbool.h>

/* A part of the file. */
typedef struct UtmQmpSlice {
	const char *text; /* not terminated */
	gsize length;
} UtmQmpSlice;

/* Something that the monitor did. */
typedef struct UtmQmpStep {
	UtmQmpSlice text;   /* an event: the message; an answer: its member `return` or `error`; nothing: the end */
	gint64 delay_us;    /* since the client's command that it follows */
	guint32 segment;    /* which one that is; 0: the negotiation */
	guint32 command;    /* whose answer this is; 0: nobody's */
	bool is_error;      /* that answer */
} UtmQmpStep;

typedef struct UtmQmpRecordedCommand {
	char *name; /* with its arguments in an order that is always the same */
	gint64 us;
	guint32 line;
	guint32 first_step, step_count;
	const UtmQmpStep *answer; /* NULL: none */
} UtmQmpRecordedCommand;

typedef struct UtmQmpRecording {
	char *path;
	char *bytes;
	UtmQmpSlice greeting;
	UtmQmpStep negotiated; /* no text: answered with {} */
	bool ends_early;       /* the session ended while it was negotiated */
	GArray *commands;      /* of UtmQmpRecordedCommand; the first one is not real, but its steps are those before any */
	GArray *steps;         /* of UtmQmpStep, by segment */
	GHashTable *places;    /* name -> GArray of guint32: how many were played, and where they all are */
	GHashTable *asides;    /* name -> UtmQmpStep: answers of what the library asks at times of its own */
} UtmQmpRecording;

/*
 * `by_command`: each answer stands with its own command, for commands that may come in any order; else where it was.
 * QMP_MALFORMED with file and line; NOT_FOUND, IO, LIMIT.
 */
UtmQmpRecording *utm__qmp_recording_load(const char *path, bool by_command, UtmError **error);
void utm__qmp_recording_free(UtmQmpRecording *recording); /* accepts NULL */

static inline UtmQmpRecordedCommand *utm__qmp_recording_get(const UtmQmpRecording *recording, guint command)
{
	return &g_array_index(recording->commands, UtmQmpRecordedCommand, command);
}

/* A command as a client sends it. */
typedef struct UtmQmpRequest {
	char *name;     /* as in UtmQmpRecordedCommand */
	UtmQmpSlice id; /* as it was written, or nothing */
} UtmQmpRequest;

/* NULL, or what is wrong with it. */
const char *utm__qmp_request_read(UtmQmpRequest *request, const char *message, gsize length);
/* Whether it is `qmp_capabilities`. */
bool utm__qmp_request_is_negotiation(const char *name);
/* Whether it takes part in no order: the library asks it when it needs to, once for each build of QEMU. */
bool utm__qmp_request_is_aside(const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmQmpRecording, utm__qmp_recording_free)
