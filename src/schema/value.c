/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "schema/value.h"

#include <math.h>
#include <string.h>

const char *utm__token_kind_get_text(UtmTokenKind kind)
{
	static const char *const texts[] = {
		[UTM_TOKEN_END] = "nothing",
		[UTM_TOKEN_NULL] = "no value",
		[UTM_TOKEN_BOOL] = "a boolean",
		[UTM_TOKEN_INT] = "an integer",
		[UTM_TOKEN_UINT] = "an integer",
		[UTM_TOKEN_REAL] = "a real number",
		[UTM_TOKEN_STRING] = "a string",
		[UTM_TOKEN_DATA] = "data",
		[UTM_TOKEN_DATE] = "a date",
		[UTM_TOKEN_KEY] = "a key",
		[UTM_TOKEN_BEGIN_OBJECT] = "a dictionary",
		[UTM_TOKEN_END_OBJECT] = "the end of a dictionary",
		[UTM_TOKEN_BEGIN_ARRAY] = "an array",
		[UTM_TOKEN_END_ARRAY] = "the end of an array",
	};
	return texts[kind];
}

int utm__key_compare(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	guchar left = (guchar)*a, right = (guchar)*b;
	/* Characters beyond the basic plane are surrogates in UTF-16, which sort before U+E000 to U+FFFF. */
	if (left >= 0xee && right >= 0xee && (left >= 0xf0) != (right >= 0xf0))
		return left >= 0xf0 ? -1 : 1;
	return (int)left - (int)right;
}

static bool is_container(UtmTokenKind kind)
{
	return kind == UTM_TOKEN_BEGIN_OBJECT || kind == UTM_TOKEN_BEGIN_ARRAY;
}

static bool is_text(UtmTokenKind kind)
{
	return kind == UTM_TOKEN_STRING || kind == UTM_TOKEN_DATA;
}

void utm__value_free(UtmValue *value)
{
	if (!value)
		return;
	if (is_text(value->kind))
		g_free(value->as.text.bytes);
	if (is_container(value->kind)) {
		for (gsize i = 0; i < value->as.children.count; i++) {
			utm__value_free(value->as.children.items[i]);
			if (value->as.children.keys)
				g_free(value->as.children.keys[i]);
		}
		g_free(value->as.children.items);
		g_free(value->as.children.keys);
	}
	g_free(value);
}

static UtmValue *value_new(UtmTokenKind kind)
{
	UtmValue *value = g_new0(UtmValue, 1);
	value->kind = kind;
	return value;
}

UtmValue *utm__value_new_object(void)
{
	return value_new(UTM_TOKEN_BEGIN_OBJECT);
}

UtmValue *utm__value_new_array(void)
{
	return value_new(UTM_TOKEN_BEGIN_ARRAY);
}

UtmValue *utm__value_new_null(void)
{
	return value_new(UTM_TOKEN_NULL);
}

static char *dup_bytes(const char *bytes, gsize length)
{
	char *copy = g_malloc(length + 1);
	if (length)
		memcpy(copy, bytes, length);
	copy[length] = 0;
	return copy;
}

/* Room grows at powers of two, so that a row of additions stays linear; only this file allocates children. */
static void append(UtmValue *container, char *key_taken, UtmValue *item_taken)
{
	gsize count = container->as.children.count++;
	if ((count & (count - 1)) == 0) {
		gsize room = count ? 2 * count : 1;
		container->as.children.items = g_renew(UtmValue *, container->as.children.items, room);
		if (container->kind == UTM_TOKEN_BEGIN_OBJECT)
			container->as.children.keys = g_renew(char *, container->as.children.keys, room);
	}
	container->as.children.items[count] = item_taken;
	if (container->kind == UTM_TOKEN_BEGIN_OBJECT)
		container->as.children.keys[count] = key_taken;
}

UtmValue *utm__value_new_string(const char *text, gsize length)
{
	UtmValue *value = value_new(UTM_TOKEN_STRING);
	value->as.text.bytes = dup_bytes(text, length);
	value->as.text.length = length;
	return value;
}

void utm__value_push(UtmValue *array, UtmValue *value_taken)
{
	append(array, NULL, value_taken);
}

const UtmValue *utm__value_find(const UtmValue *value, const char *key)
{
	gsize low = 0, high = value && value->kind == UTM_TOKEN_BEGIN_OBJECT ? value->as.children.count : 0;
	while (low < high) {
		gsize middle = (low + high) / 2;
		int order = utm__key_compare(value->as.children.keys[middle], key);
		if (order == 0)
			return value->as.children.items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const UtmValue *utm__value_get(const UtmValue *value, gsize index)
{
	bool there = value && is_container(value->kind) && index < value->as.children.count;
	return there ? value->as.children.items[index] : NULL;
}

UtmValue *utm__value_copy(const UtmValue *value)
{
	if (!value)
		return NULL;
	UtmValue *copy = value_new(value->kind);
	if (is_container(value->kind)) {
		for (gsize i = 0; i < value->as.children.count; i++)
			append(copy, value->as.children.keys ? g_strdup(value->as.children.keys[i]) : NULL,
			       utm__value_copy(value->as.children.items[i]));
		return copy;
	}
	copy->as = value->as;
	if (is_text(value->kind))
		copy->as.text.bytes = dup_bytes(value->as.text.bytes, value->as.text.length);
	return copy;
}

static bool children_equal(const UtmValue *a, const UtmValue *b)
{
	if (a->as.children.count != b->as.children.count)
		return false;
	for (gsize i = 0; i < a->as.children.count; i++) {
		if (a->as.children.keys && strcmp(a->as.children.keys[i], b->as.children.keys[i]) != 0)
			return false;
		if (!utm__value_equal(a->as.children.items[i], b->as.children.items[i]))
			return false;
	}
	return true;
}

bool utm__value_equal(const UtmValue *a, const UtmValue *b)
{
	if (!a || !b)
		return a == b;
	if (a->kind != b->kind)
		return false;
	if (is_container(a->kind))
		return children_equal(a, b);
	if (is_text(a->kind))
		return a->as.text.length == b->as.text.length &&
		       memcmp(a->as.text.bytes, b->as.text.bytes, a->as.text.length) == 0;
	switch (a->kind) {
	case UTM_TOKEN_BOOL:
		return a->as.boolean == b->as.boolean;
	case UTM_TOKEN_NULL:
		return true;
	case UTM_TOKEN_REAL:
		/* Text has one NaN, a binary list many. */
		return (isnan(a->as.number) && isnan(b->as.number)) ||
		       memcmp(&a->as.number, &b->as.number, sizeof a->as.number) == 0;
	default:
		return a->as.integer == b->as.integer;
	}
}

/* --- objects --- */

static void remove_at(UtmValue *object, gsize index)
{
	gsize after = --object->as.children.count - index;
	g_free(object->as.children.keys[index]);
	utm__value_free(object->as.children.items[index]);
	memmove(object->as.children.keys + index, object->as.children.keys + index + 1, after * sizeof(char *));
	memmove(object->as.children.items + index, object->as.children.items + index + 1, after * sizeof(UtmValue *));
}

void utm__value_remove(UtmValue *object, const char *key)
{
	for (gsize i = 0; object && i < object->as.children.count; i++)
		if (strcmp(object->as.children.keys[i], key) == 0)
			remove_at(object, i--);
}

void utm__value_append(UtmValue *object, const char *key, gsize key_length, UtmValue *value_taken)
{
	append(object, dup_bytes(key, key_length), value_taken);
}

static int compare_positions(const void *a, const void *b, void *keys)
{
	return utm__key_compare(((char **)keys)[*(const gsize *)a], ((char **)keys)[*(const gsize *)b]);
}

void utm__value_sort(UtmValue *object)
{
	gsize count = object->as.children.count;
	char **keys = object->as.children.keys;
	UtmValue **items = object->as.children.items;
	g_autofree gsize *order = g_new(gsize, count + 1);
	for (gsize i = 0; i < count; i++)
		order[i] = i;
	/* Stable, so that the last of several equal keys is the one that stays. */
	g_qsort_with_data(order, (gint)count, sizeof *order, compare_positions, keys);
	object->as.children.keys = NULL;
	object->as.children.items = NULL;
	object->as.children.count = 0;
	for (gsize i = 0; i < count; i++) {
		if (i > 0 && strcmp(keys[order[i]], object->as.children.keys[object->as.children.count - 1]) == 0)
			remove_at(object, object->as.children.count - 1);
		append(object, keys[order[i]], items[order[i]]);
	}
	g_free(keys);
	g_free(items);
}

/* --- from tokens --- */

static int read_children(UtmSource *source, UtmValue *container, UtmError **error)
{
	UtmTokenKind end = container->kind == UTM_TOKEN_BEGIN_OBJECT ? UTM_TOKEN_END_OBJECT : UTM_TOKEN_END_ARRAY;
	for (;;) {
		UtmToken token;
		g_autofree char *key = NULL;
		UtmValue *item = NULL;
		int result = source->next(source, &token, error);
		if (result == 0 && token.kind == UTM_TOKEN_KEY) {
			key = dup_bytes(token.text, token.length);
			result = source->next(source, &token, error);
		}
		if (result < 0 || token.kind == end)
			return result;
		if ((result = utm__value_read(source, &token, &item, error)) < 0)
			return result;
		append(container, g_steal_pointer(&key), item);
	}
}

/* JSON has no data, dates and odd reals: there they are objects with one key that says what they are. */
static UtmValue *unwrapped(const UtmValue *object)
{
	if (object->as.children.count != 1)
		return NULL;
	const char *key = object->as.children.keys[0];
	const UtmValue *inner = object->as.children.items[0];
	UtmValue *value = NULL;
	if (inner->kind == UTM_TOKEN_STRING && strcmp(key, UTM_VALUE_WRAP_DATA) == 0) {
		value = value_new(UTM_TOKEN_DATA);
		value->as.text.bytes = dup_bytes("", 0);
		if (inner->as.text.length) {
			g_free(value->as.text.bytes);
			value->as.text.bytes = (char *)g_base64_decode(inner->as.text.bytes, &value->as.text.length);
		}
	} else if (inner->kind == UTM_TOKEN_STRING && strcmp(key, UTM_VALUE_WRAP_REAL) == 0) {
		value = value_new(UTM_TOKEN_REAL);
		value->as.number = g_ascii_strtod(inner->as.text.bytes, NULL);
	} else if (inner->kind == UTM_TOKEN_INT && strcmp(key, UTM_VALUE_WRAP_DATE) == 0) {
		value = value_new(UTM_TOKEN_DATE);
		value->as.integer = inner->as.integer;
	}
	return value;
}

static int read_container(UtmSource *source, UtmTokenKind kind, UtmValue **ret_value, UtmError **error)
{
	UtmValue *container = value_new(kind);
	int result = read_children(source, container, error);
	if (result < 0) {
		utm__value_free(container);
		return result;
	}
	if (kind == UTM_TOKEN_BEGIN_OBJECT)
		utm__value_sort(container);
	UtmValue *special = kind == UTM_TOKEN_BEGIN_OBJECT && source->wraps ? unwrapped(container) : NULL;
	if (special)
		utm__value_free(container);
	*ret_value = special ? special : container;
	return 0;
}

UtmValue *utm__value_new_scalar(const UtmToken *token)
{
	UtmValue *value = value_new(token->kind);
	switch (token->kind) {
	case UTM_TOKEN_BOOL:
		value->as.boolean = token->boolean;
		break;
	case UTM_TOKEN_INT:
	case UTM_TOKEN_DATE:
		value->as.integer = token->integer;
		break;
	case UTM_TOKEN_UINT:
		value->as.uinteger = token->uinteger;
		break;
	case UTM_TOKEN_REAL:
		value->as.number = token->number;
		break;
	case UTM_TOKEN_STRING:
	case UTM_TOKEN_DATA:
		value->as.text.bytes = dup_bytes(token->text, token->length);
		value->as.text.length = token->length;
		break;
	default:
		break;
	}
	return value;
}

int utm__value_read(UtmSource *source, const UtmToken *first, UtmValue **ret_value, UtmError **error)
{
	if (is_container(first->kind))
		return read_container(source, first->kind, ret_value, error);
	*ret_value = utm__value_new_scalar(first);
	return 0;
}

/* --- to tokens --- */

static const char *put_kind(UtmSink *sink, UtmTokenKind kind)
{
	UtmToken token = { .kind = kind };
	return sink->put(sink, &token);
}

static const char *write_children(const UtmValue *value, UtmSink *sink)
{
	bool object = value->kind == UTM_TOKEN_BEGIN_OBJECT;
	const char *problem = put_kind(sink, value->kind);
	for (gsize i = 0; !problem && i < value->as.children.count; i++) {
		if (object) {
			const char *key = value->as.children.keys[i];
			UtmToken token = { .kind = UTM_TOKEN_KEY, .text = key, .length = strlen(key) };
			problem = sink->put(sink, &token);
		}
		if (!problem)
			problem = utm__value_write(value->as.children.items[i], sink);
	}
	return problem ? problem : put_kind(sink, object ? UTM_TOKEN_END_OBJECT : UTM_TOKEN_END_ARRAY);
}

const char *utm__value_write(const UtmValue *value, UtmSink *sink)
{
	if (is_container(value->kind))
		return write_children(value, sink);
	UtmToken token = { .kind = value->kind };
	if (is_text(value->kind)) {
		token.text = value->as.text.bytes;
		token.length = value->as.text.length;
	} else if (value->kind == UTM_TOKEN_BOOL) {
		token.boolean = value->as.boolean;
	} else if (value->kind == UTM_TOKEN_REAL) {
		token.number = value->as.number;
	} else {
		token.integer = value->as.integer;
		token.uinteger = value->as.uinteger;
	}
	return sink->put(sink, &token);
}

char *utm__number_dup_text(double number)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE + 2];
	if (!isfinite(number))
		return g_strdup(isnan(number) ? "nan" : number > 0 ? "+infinity" : "-infinity");
	for (int digits = 15; digits <= 17; digits++) {
		char format[8];
		g_snprintf(format, sizeof format, "%%.%dg", digits);
		g_ascii_formatd(text, sizeof text - 2, format, number);
		if (g_ascii_strtod(text, NULL) == number)
			break;
	}
	/* A fraction keeps it a real when it is read again. */
	return g_strconcat(text, strpbrk(text, ".e") ? NULL : ".0", NULL);
}
