/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A value of any shape in memory: what the schema does not know and the library keeps all the same. */
#pragma once

#include "schema/token.h"

typedef struct UtmValue UtmValue;
struct UtmValue {
	UtmTokenKind kind; /* BEGIN_OBJECT and BEGIN_ARRAY for containers */
	union {
		bool boolean;
		gint64 integer;
		guint64 uinteger;
		double number;
		struct {
			char *bytes; /* terminated as well */
			gsize length;
		} text;
		struct {
			char **keys; /* objects only, sorted and unique */
			UtmValue **items;
			gsize count;
		} children;
	} as;
};

void utm__value_free(UtmValue *value); /* accepts NULL */
UtmValue *utm__value_copy(const UtmValue *value);
/* NULL equals NULL. Numbers are equal when kind and bits are. */
bool utm__value_equal(const UtmValue *a, const UtmValue *b);

/* Makes a value of the tokens from `first`, which the caller has taken from the source already, to its end. */
int utm__value_read(UtmSource *source, const UtmToken *first, UtmValue **ret_value, UtmError **error);
/* NULL, or why the sink cannot hold the value. */
const char *utm__value_write(const UtmValue *value, UtmSink *sink);

UtmValue *utm__value_new_object(void);
/* Adds members, and then once puts them into the order of keys; of equal keys the last one stays. */
void utm__value_append(UtmValue *object, const char *key, gsize key_length, UtmValue *value_taken);
void utm__value_sort(UtmValue *object);

/* JSON has { "$data": base64 } for data, { "$date": seconds since 2001 } for dates, { "$real": text } for NaN. */
#define UTM_VALUE_WRAP_DATA "$data"
#define UTM_VALUE_WRAP_DATE "$date"
#define UTM_VALUE_WRAP_REAL "$real"

/* The shortest text that reads back the same, with a fraction or an exponent; nan, +infinity, -infinity. */
char *utm__number_dup_text(double number);

/* The order of keys in files: by UTF-16 code units, which differs from strcmp() beyond the basic plane. */
int utm__key_compare(const char *a, const char *b);
