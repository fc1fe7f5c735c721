/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is around the content of a QMP message: which kind it is, the id, an event's name and time, an error's class and
 * text. The content itself stays text, a slice of the message that ends at its bracket. It is not checked yet: whoever
 * decodes it does that, and large answers are read but once.
 */
#pragma once

#include "base/error-private.h"
#include "qmp/dialect.h"

#include <stdbool.h>

typedef enum UtmQmpKind {
	UTM_QMP_KIND_GREETING, /* body: the QMP object */
	UTM_QMP_KIND_REPLY,    /* body: the return value */
	UTM_QMP_KIND_ERROR,    /* name: class; text: desc */
	UTM_QMP_KIND_EVENT,    /* name; body: data or NULL */
} UtmQmpKind;

typedef struct UtmQmpEnvelope {
	UtmQmpKind kind;
	bool has_id; /* there is one, of any type */
	gint64 id;   /* -1 when it is none of ours: not an integer, or negative */
	char *body;
	gsize body_length;
	char *name;
	char *text;
	gint64 timestamp_us; /* -1: none, or QEMU's clock failed */
} UtmQmpEnvelope;

/* Reads one whole message, or fails with QMP_PROTOCOL. body points into `message`, the rest is the envelope's. */
int utm__qmp_envelope_read(UtmQmpEnvelope *envelope, const UtmQmpDialect *dialect, char *message, gsize length,
                           UtmError **error);
/* Whether the body is JSON, for whoever passes it on as it is. */
int utm__qmp_envelope_check_body(const UtmQmpEnvelope *envelope, const UtmQmpDialect *dialect, UtmError **error);
void utm__qmp_envelope_clear(UtmQmpEnvelope *envelope);
/* Ends the body with a zero, which overwrites the message behind it. NULL when there is none. */
const char *utm__qmp_envelope_close_body(UtmQmpEnvelope *envelope);

/* An UTM_ERROR_QMP_COMMAND of an ERROR message. */
UtmError *utm__qmp_envelope_to_error(const UtmQmpEnvelope *envelope);

/* Writes text as a JSON string. What is no UTF-8 in it is replaced. */
void utm__qmp_append_quoted(GString *json, const char *text);

/* From the body of a greeting: major * 1000000 + minor * 1000 + micro, or 0. */
guint32 utm__qmp_greeting_get_version(const char *greeting, gsize length);
/* Whether a greeting's capabilities have this one; unknown ones and what is no text are no matter. */
bool utm__qmp_greeting_offers(const char *greeting, gsize length, const char *capability);
