/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmValue as programs see it: read only, and of the kinds that JSON has. */
#include "schema/json-codec.h"

#include <string.h>
#include <utm/value.h>

int utm_value_from_json(const char *json, UtmValue **ret_value, UtmError **error)
{
	const UtmJsonDialect dialect = { .limits = utm__json_of_files.limits };
	UtmJsonSource source;
	UtmToken token;
	UtmValue *value = NULL;
	if (!json || !ret_value)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no JSON, or nowhere to put the value");
	utm__json_source_init(&source, json, strlen(json), &dialect, UTM_ERROR_INVALID_ARGUMENT);
	int result = source.source.next(&source.source, &token, error);
	if (result == 0)
		result = utm__value_read(&source.source, &token, &value, error);
	if (result == 0)
		result = source.source.next(&source.source, &token, error);
	utm__json_reader_clear(&source.reader);
	if (result == 0)
		*ret_value = value;
	else
		utm__value_free(value);
	return result;
}

static bool is_base64(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	gsize length = strspn(text, digits), padding = strspn(text + length, "=");
	return !text[length + padding] && padding <= 2 && (length + padding) % 4 == 0;
}

/* GLib's decoder passes over what is no base64; a guest may have sent anything. */
int utm_base64_decode(const char *text, char **ret_data, size_t *ret_size, UtmError **error)
{
	gsize size = 0;
	if (!ret_data)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "nowhere to put the bytes");
	char *data = g_strdup(text ? text : "");
	if (!is_base64(data)) {
		g_free(data);
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the text is no base64");
	}
	if (*data)
		g_base64_decode_inplace(data, &size);
	data[size] = 0;
	*ret_data = data;
	if (ret_size)
		*ret_size = size;
	return 0;
}

char *utm_base64_encode(const void *data, size_t size)
{
	return g_base64_encode(data, data ? size : 0);
}

UtmValue *utm_value_new_bool(bool value)
{
	const UtmToken token = { .kind = UTM_TOKEN_BOOL, .boolean = value };
	return utm__value_new_scalar(&token);
}

UtmValue *utm_value_new_int(int64_t value)
{
	const UtmToken token = { .kind = UTM_TOKEN_INT, .integer = value };
	return utm__value_new_scalar(&token);
}

UtmValue *utm_value_new_uint(uint64_t value)
{
	const UtmToken token = { .kind = UTM_TOKEN_UINT, .uinteger = value };
	return value <= INT64_MAX ? utm_value_new_int((int64_t)value) : utm__value_new_scalar(&token);
}

UtmValue *utm_value_new_string(const char *text)
{
	return text ? utm__value_new_string(text, strlen(text)) : utm__value_new_null();
}

char *utm_value_dup_json(const UtmValue *value)
{
	UtmJsonSink sink;
	GString *text = g_string_new(NULL);
	if (!value)
		return g_string_free(g_string_append(text, "null"), FALSE);
	utm__json_sink_init(&sink, text, false, true);
	utm__value_write(value, &sink.sink);
	return g_string_free(text, FALSE);
}

UtmValue *utm_value_copy(const UtmValue *value)
{
	return utm__value_copy(value);
}

void utm_value_free(UtmValue *value)
{
	utm__value_free(value);
}

bool utm_value_equal(const UtmValue *a, const UtmValue *b)
{
	return utm__value_equal(a, b);
}

UtmValueKind utm_value_get_kind(const UtmValue *value)
{
	static const guint8 kinds[] = {
		[UTM_TOKEN_BOOL] = UTM_VALUE_BOOL,           [UTM_TOKEN_INT] = UTM_VALUE_INT,
		[UTM_TOKEN_UINT] = UTM_VALUE_UINT,           [UTM_TOKEN_REAL] = UTM_VALUE_NUMBER,
		[UTM_TOKEN_STRING] = UTM_VALUE_STRING,       [UTM_TOKEN_BEGIN_ARRAY] = UTM_VALUE_ARRAY,
		[UTM_TOKEN_BEGIN_OBJECT] = UTM_VALUE_OBJECT, [UTM_TOKEN_END_ARRAY] = UTM_VALUE_NULL,
	};
	return value ? (UtmValueKind)kinds[value->kind] : UTM_VALUE_NULL;
}

bool utm_value_get_bool(const UtmValue *value)
{
	return value && value->kind == UTM_TOKEN_BOOL && value->as.boolean;
}

int64_t utm_value_get_int(const UtmValue *value)
{
	return value && value->kind == UTM_TOKEN_INT ? value->as.integer : 0;
}

uint64_t utm_value_get_uint(const UtmValue *value)
{
	if (value && value->kind == UTM_TOKEN_UINT)
		return value->as.uinteger;
	return (uint64_t)MAX(utm_value_get_int(value), 0);
}

double utm_value_get_number(const UtmValue *value)
{
	if (value && value->kind == UTM_TOKEN_REAL)
		return value->as.number;
	if (value && value->kind == UTM_TOKEN_UINT)
		return (double)value->as.uinteger;
	return (double)utm_value_get_int(value);
}

const char *utm_value_get_string(const UtmValue *value)
{
	return value && value->kind == UTM_TOKEN_STRING ? value->as.text.bytes : NULL;
}

size_t utm_value_get_count(const UtmValue *value)
{
	UtmValueKind kind = utm_value_get_kind(value);
	return kind == UTM_VALUE_ARRAY || kind == UTM_VALUE_OBJECT ? value->as.children.count : 0;
}

const UtmValue *utm_value_get_item(const UtmValue *value, size_t index)
{
	return utm__value_get(value, index);
}

const char *utm_value_get_key(const UtmValue *value, size_t index)
{
	bool there = utm_value_get_kind(value) == UTM_VALUE_OBJECT && index < value->as.children.count;
	return there ? value->as.children.keys[index] : NULL;
}

const UtmValue *utm_value_get_member(const UtmValue *value, const char *name)
{
	return name ? utm__value_find(value, name) : NULL;
}
