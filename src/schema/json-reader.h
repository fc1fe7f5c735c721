/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small bounded reader of JSON: one token per call over a complete text. What it refuses is refused for ever: nesting
 * beyond the limit, text beyond the limit, invalid UTF-8, lone surrogates, raw control characters, anything after the
 * value. It allocates nothing but one buffer for strings that contain escapes.
 *
 * It exists because json-glib has no nesting limit, cuts strings at U+0000 and wraps integers silently.
 *
 *	UtmJsonReader reader;
 *	utm__json_reader_init(&reader, text, size, NULL);
 *	while (utm__json_next(&reader) > UTM_JSON_END)
 *		...
 *	failed = reader.token == UTM_JSON_ERROR;
 *	utm__json_reader_clear(&reader);
 */
#pragma once

#include "base/error-private.h"

#include <stdbool.h>
#include <string.h>

typedef enum UtmJsonToken {
	UTM_JSON_ERROR = -1, /* stays: every later call returns it again */
	UTM_JSON_END = 0,    /* the value is complete and nothing but white space follows */
	UTM_JSON_NULL,
	UTM_JSON_BOOL,   /* boolean */
	UTM_JSON_INT,    /* integer: from -2^63 to 2^63-1 */
	UTM_JSON_UINT,   /* uinteger: from 2^63 to 2^64-1 */
	UTM_JSON_DOUBLE, /* number: written with a fraction or an exponent */
	UTM_JSON_BIG,    /* a number that fits none of these; only its text is there */
	UTM_JSON_STRING, /* text, length */
	UTM_JSON_KEY,    /* text, length; the value follows */
	UTM_JSON_BEGIN_OBJECT,
	UTM_JSON_END_OBJECT,
	UTM_JSON_BEGIN_ARRAY,
	UTM_JSON_END_ARRAY,
} UtmJsonToken;

#define UTM_JSON_DEPTH_MAX 1024

typedef struct UtmJsonLimits {
	gsize size;         /* bytes of text; 0: 64 MiB */
	guint depth;        /* open containers; 0: UTM_JSON_DEPTH_MAX, which is also the most */
	guint values;       /* keys not counted; 0: no limit. What becomes of a value may be far larger than its text. */
	bool single_quotes; /* 'text' is a string too */
} UtmJsonLimits;

typedef struct UtmJsonReader {
	/* The last token and its value. Strings are unescaped, not terminated, and valid until the next call. */
	UtmJsonToken token;
	const char *text;
	gsize length;
	bool has_nul; /* the string contains U+0000: strlen() would lie */
	bool boolean;
	gint64 integer;
	guint64 uinteger;
	double number;
	guint depth; /* containers that are open now */

	/* After an error: what is wrong, and where. */
	const char *problem;
	gsize problem_offset;

	/* private */
	const char *start, *at, *end, *token_start;
	UtmJsonLimits limits;
	guint values;
	int expect;
	GByteArray *scratch;
	guint8 is_object[UTM_JSON_DEPTH_MAX / 8];
} UtmJsonReader;

/* The text must stay as it is until clear; it needs no terminating zero. limits NULL: the largest, strict quotes. */
void utm__json_reader_init(UtmJsonReader *reader, const char *text, gsize size, const UtmJsonLimits *limits);
void utm__json_reader_clear(UtmJsonReader *reader);

/* Reads the next token, also into reader->token. */
UtmJsonToken utm__json_next(UtmJsonReader *reader);

/*
 * Instead of reading the next token, says what kind of value comes: NULL, BOOL, INT (any number), STRING (also a key),
 * BEGIN_*, END_*, END; ERROR when nothing sensible does. The reader does not move.
 */
UtmJsonToken utm__json_peek(UtmJsonReader *reader);

/*
 * Skips the next value whole, checking it, and says where it stood in the text: after a KEY, its value. False on error,
 * also when no value comes.
 */
bool utm__json_skip(UtmJsonReader *reader, const char **ret_start, gsize *ret_length);
/* After BEGIN_*: skips to the matching END_*. False on error. */
bool utm__json_skip_rest(UtmJsonReader *reader);

/*
 * The same in a hurry: looks for the matching bracket and checks nothing on the way. For what is going to be read again,
 * and checked then.
 */
bool utm__json_pass_rest(UtmJsonReader *reader);
/* utm__json_skip() that passes over containers so. */
bool utm__json_pass(UtmJsonReader *reader, const char **ret_start, gsize *ret_length);

/* Whether the last token is a key or a string equal to `text`. Here, because of most texts the length is a constant. */
static inline bool utm__json_text_is(const UtmJsonReader *reader, const char *text)
{
	return reader->length == strlen(text) && memcmp(reader->text, text, reader->length) == 0;
}

/* A place to come back to. Only while the containers that were open at the mark are still open. */
typedef struct UtmJsonMark {
	const char *at;
	guint depth, values;
	int expect;
} UtmJsonMark;

UtmJsonMark utm__json_mark(const UtmJsonReader *reader);
void utm__json_rewind(UtmJsonReader *reader, UtmJsonMark mark);

/* After UTM_JSON_ERROR: fails with `code` and "JSON, byte N: problem". */
int utm__json_fail(const UtmJsonReader *reader, int code, UtmError **error);

/* One whole value, nothing else: 0, or fails with `code`. */
int utm__json_check(const char *text, gsize size, const UtmJsonLimits *limits, int code, UtmError **error);
