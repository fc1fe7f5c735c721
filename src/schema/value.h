/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A value of any shape in memory: what the schema does not know and the library keeps all the same. */
#pragma once

#include "schema/token.h"

#include <utm/types.h>

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

/* The member of an object, or the element of an array; NULL when there is none, or `value` is no such container. */
const UtmValue *utm__value_find(const UtmValue *value, const char *key);
const UtmValue *utm__value_get(const UtmValue *value, gsize index);

/* Of a token that begins no container. */
UtmValue *utm__value_new_scalar(const UtmToken *token);
UtmValue *utm__value_new_object(void);
UtmValue *utm__value_new_array(void);
UtmValue *utm__value_new_string(const char *text, gsize length);
UtmValue *utm__value_new_null(void);
/* Removes the member with this key, if there is one. Accepts NULL. */
void utm__value_remove(UtmValue *object, const char *key);
/* Adds an element. */
void utm__value_push(UtmValue *array, UtmValue *value_taken);
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
