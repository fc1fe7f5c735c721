/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON text to objects of a schema and back. */
#pragma once

#include "schema/json-reader.h"
#include "schema/schema.h"

/* --- whole objects --- */

/* `text` is one JSON object. Flags and errors are those of utm__schema_decode(); text that is no JSON is MALFORMED. */
int utm__json_decode(const UtmSchema *schema, guint type, const char *text, gsize size, guint flags, void **ret_object,
                     UtmError **error);
/* Indented for people, or compact; ends without a line feed. */
int utm__json_encode(const UtmSchema *schema, const void *object, guint flags, bool indent, char **ret_text,
                     UtmError **error);

/* --- the two ends, for values of other kinds --- */

typedef struct UtmJsonSource {
	UtmSource source;
	UtmJsonReader reader;
} UtmJsonSource;

/* Single quotes are accepted. Clear with utm__json_reader_clear(&source->reader). */
void utm__json_source_init(UtmJsonSource *source, const char *text, gsize size);

typedef struct UtmJsonSink {
	UtmSink sink;
	GString *text;
	bool indent;
	guint depth;
	bool is_empty;  /* of the innermost container, so far */
	bool after_key;
} UtmJsonSink;

/* Writes to the end of `text`. */
void utm__json_sink_init(UtmJsonSink *sink, GString *text, bool indent);
