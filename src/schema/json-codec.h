/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON text to objects of a schema and back. */
#pragma once

#include "schema/json-reader.h"
#include "schema/schema.h"

/* --- whole objects --- */

/* What JSON may be in one place or another. */
typedef struct UtmJsonDialect {
	UtmJsonLimits limits;
	bool wraps; /* objects with one odd key stand for what JSON lacks; see value.h */
} UtmJsonDialect;

/* What people and programs hand over for a configuration: single quotes are accepted, 16 MiB, 128 levels. */
extern const UtmJsonDialect utm__json_of_files;
/* What a peer sends, or is to be sent: JSON as it is, as large as the peer's protocol allows. */
extern const UtmJsonDialect utm__json_of_peers;

/*
 * `text` is one JSON value, as it may stand in a file. Flags and errors are those of utm__schema_decode(); text that is
 * no JSON has the schema's `malformed`.
 */
int utm__json_decode(const UtmSchema *schema, guint type, const char *text, gsize size, guint flags, void **ret_object,
                     UtmError **error);
/* Indented for people, or compact; ends without a line feed. */
int utm__json_encode(const UtmSchema *schema, const void *object, guint flags, bool indent, char **ret_text,
                     UtmError **error);

/* --- the two ends, for values of other kinds --- */

typedef struct UtmJsonSource {
	UtmSource source;
	UtmJsonReader reader;
	int code;
} UtmJsonSource;

/* `code` for what is no JSON. Clear with utm__json_reader_clear(&source->reader). */
void utm__json_source_init(UtmJsonSource *source, const char *text, gsize size, const UtmJsonDialect *dialect, int code);

typedef struct UtmJsonSink {
	UtmSink sink;
	GString *text;
	bool indent;
	bool wraps;
	guint depth;
	bool is_empty;  /* of the innermost container, so far */
	bool after_key;
} UtmJsonSink;

/* Writes to the end of `text`. Without `wraps` what JSON has no word for is refused. */
void utm__json_sink_init(UtmJsonSink *sink, GString *text, bool indent, bool wraps);
