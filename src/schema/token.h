/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the codecs and the engine speak: a value is a row of tokens. A source gives them (JSON text, a property list, a
 * value in memory), a sink takes them (JSON text, an XML property list, a value in memory).
 */
#pragma once

#include "base/error-private.h"

#include <stdbool.h>

typedef enum UtmTokenKind {
	UTM_TOKEN_END, /* the value is complete */
	UTM_TOKEN_NULL,
	UTM_TOKEN_BOOL,   /* boolean */
	UTM_TOKEN_INT,    /* integer */
	UTM_TOKEN_UINT,   /* uinteger, above G_MAXINT64 */
	UTM_TOKEN_REAL,   /* number */
	UTM_TOKEN_STRING, /* text, length: UTF-8 without U+0000 */
	UTM_TOKEN_DATA,   /* text, length: bytes; only property lists have them */
	UTM_TOKEN_DATE,   /* integer: seconds since 2001-01-01; only property lists have them */
	UTM_TOKEN_KEY,    /* as STRING */
	UTM_TOKEN_BEGIN_OBJECT,
	UTM_TOKEN_END_OBJECT,
	UTM_TOKEN_BEGIN_ARRAY,
	UTM_TOKEN_END_ARRAY,
} UtmTokenKind;

typedef struct UtmToken {
	UtmTokenKind kind;
	bool boolean;
	bool lasts; /* text is part of what is read, and valid as long as that */
	gint64 integer;
	guint64 uinteger;
	double number;
	const char *text; /* not terminated; valid until the next token, if it does not last */
	gsize length;
} UtmToken;

/* Where a source stands; its own business. */
typedef struct UtmSourceMark {
	const void *at;
	guint depth, count;
	int state;
} UtmSourceMark;

typedef struct UtmSource UtmSource;
struct UtmSource {
	/* Gives the next token, or fails for good. Nesting is bounded by the source. */
	int (*next)(UtmSource *source, UtmToken *ret_token, UtmError **error);
	/* Right after BEGIN_OBJECT: where its members begin. Going back is possible while the object is open. */
	UtmSourceMark (*mark)(UtmSource *source);
	void (*rewind)(UtmSource *source, UtmSourceMark mark);
	/* Right after BEGIN_*: moves behind the matching END_*. */
	int (*skip)(UtmSource *source, UtmError **error);
	/* The same for what is read again later: what is wrong in it need not be noticed now. */
	int (*pass)(UtmSource *source, UtmError **error);
	/* The format lacks some kinds of token and has objects in their place; see value.h. */
	bool wraps;
};

typedef struct UtmSink UtmSink;
struct UtmSink {
	/* Takes a token. Returns NULL, or why the format cannot hold it. */
	const char *(*put)(UtmSink *sink, const UtmToken *token);
};

/* "an integer" and so on, for messages. */
const char *utm__token_kind_get_text(UtmTokenKind kind);
