/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "schema/json-codec.h"

#include <math.h>
#include <string.h>

/* One machine at most. */
const UtmJsonDialect utm__json_of_files = {
	.limits = { .size = (gsize)16 << 20, .depth = 128, .values = 500000, .single_quotes = true }, .wraps = true
};
/*
 * The longest answer, of a guest agent, holds 64 MiB of text and a little around it. The statistics of a machine with a
 * thousand processors are some hundred thousand values.
 */
const UtmJsonDialect utm__json_of_peers = {
	.limits = { .size = (gsize)65 << 20, .depth = UTM_JSON_DEPTH_MAX, .values = 2u << 20 }
};

/* --- source --- */

static int source_next(UtmSource *base, UtmToken *ret_token, UtmError **error)
{
	static const UtmTokenKind kinds[] = {
		[UTM_JSON_END] = UTM_TOKEN_END,
		[UTM_JSON_NULL] = UTM_TOKEN_NULL,
		[UTM_JSON_BOOL] = UTM_TOKEN_BOOL,
		[UTM_JSON_INT] = UTM_TOKEN_INT,
		[UTM_JSON_UINT] = UTM_TOKEN_UINT,
		[UTM_JSON_DOUBLE] = UTM_TOKEN_REAL,
		[UTM_JSON_STRING] = UTM_TOKEN_STRING,
		[UTM_JSON_KEY] = UTM_TOKEN_KEY,
		[UTM_JSON_BEGIN_OBJECT] = UTM_TOKEN_BEGIN_OBJECT,
		[UTM_JSON_END_OBJECT] = UTM_TOKEN_END_OBJECT,
		[UTM_JSON_BEGIN_ARRAY] = UTM_TOKEN_BEGIN_ARRAY,
		[UTM_JSON_END_ARRAY] = UTM_TOKEN_END_ARRAY,
	};
	UtmJsonReader *reader = &((UtmJsonSource *)base)->reader;
	int code = ((UtmJsonSource *)base)->code;
	UtmJsonToken token = utm__json_next(reader);
	if (token == UTM_JSON_ERROR)
		return utm__json_fail(reader, code, error);
	if (token == UTM_JSON_BIG)
		return utm__fail(error, code, "a number beyond 64 bits");
	if ((token == UTM_JSON_STRING || token == UTM_JSON_KEY) && reader->has_nul)
		return utm__fail(error, code, "a string with U+0000");
	/* Field by field, as few as matter: this runs for each token of large answers. */
	ret_token->kind = kinds[token];
	ret_token->text = reader->text;
	ret_token->length = reader->length;
	ret_token->lasts = reader->text >= reader->start && reader->text < reader->end;
	ret_token->boolean = reader->boolean;
	if (token < UTM_JSON_STRING) {
		ret_token->integer = reader->integer;
		ret_token->uinteger = reader->uinteger;
		ret_token->number = reader->number;
	}
	return 0;
}

static UtmSourceMark source_mark(UtmSource *base)
{
	UtmJsonMark mark = utm__json_mark(&((UtmJsonSource *)base)->reader);
	return (UtmSourceMark){ .at = mark.at, .depth = mark.depth, .count = mark.values, .state = mark.expect };
}

static void source_rewind(UtmSource *base, UtmSourceMark mark)
{
	UtmJsonMark own = { .at = mark.at, .depth = mark.depth, .values = mark.count, .expect = mark.state };
	utm__json_rewind(&((UtmJsonSource *)base)->reader, own);
}

static int source_skip(UtmSource *base, UtmError **error)
{
	UtmJsonReader *reader = &((UtmJsonSource *)base)->reader;
	return utm__json_skip_rest(reader) ? 0 : utm__json_fail(reader, ((UtmJsonSource *)base)->code, error);
}

static int source_pass(UtmSource *base, UtmError **error)
{
	UtmJsonReader *reader = &((UtmJsonSource *)base)->reader;
	return utm__json_pass_rest(reader) ? 0 : utm__json_fail(reader, ((UtmJsonSource *)base)->code, error);
}

void utm__json_source_init(UtmJsonSource *source, const char *text, gsize size, const UtmJsonDialect *dialect, int code)
{
	source->source = (UtmSource){
		.next = source_next, .mark = source_mark, .rewind = source_rewind, .skip = source_skip,
		.pass = source_pass, .wraps = dialect->wraps
	};
	source->code = code;
	utm__json_reader_init(&source->reader, text, size, &dialect->limits);
}

/* --- sink --- */

static void put_line(UtmJsonSink *sink)
{
	if (!sink->indent)
		return;
	g_string_append_c(sink->text, '\n');
	for (guint i = 0; i < sink->depth; i++)
		g_string_append(sink->text, "  ");
}

/* What stands before a key, or before a value without one. */
static void put_separator(UtmJsonSink *sink)
{
	if (sink->after_key) {
		sink->after_key = false;
		return;
	}
	if (!sink->is_empty)
		g_string_append_c(sink->text, ',');
	if (sink->depth)
		put_line(sink);
	sink->is_empty = false;
}

static void put_escape(GString *text, guchar c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *known = strchr(from, c);
	if (known)
		g_string_append_printf(text, "\\%c", to[known - from]);
	else
		g_string_append_printf(text, "\\u%04x", c);
}

static void put_quoted(GString *text, const char *p, gsize length)
{
	const char *end = p + length;
	g_string_append_c(text, '"');
	while (p < end) {
		const char *plain = p;
		while (p < end && (guchar)*p >= ' ' && *p != '"' && *p != '\\')
			p++;
		g_string_append_len(text, plain, p - plain);
		if (p < end)
			put_escape(text, (guchar)*p++);
	}
	g_string_append_c(text, '"');
}

static void put_key(UtmJsonSink *sink, const char *key, gsize length)
{
	put_separator(sink);
	put_quoted(sink->text, key, length);
	g_string_append(sink->text, sink->indent ? ": " : ":");
	sink->after_key = true;
}

static void put_begin(UtmJsonSink *sink, char bracket)
{
	put_separator(sink);
	g_string_append_c(sink->text, bracket);
	sink->depth++;
	sink->is_empty = true;
}

static void put_end(UtmJsonSink *sink, char bracket)
{
	sink->depth--;
	if (!sink->is_empty)
		put_line(sink);
	g_string_append_c(sink->text, bracket);
	sink->is_empty = false;
}

/* What JSON has no word for becomes an object with one key that says what it is. */
static void put_wrapped(UtmJsonSink *sink, const char *kind, const char *value, bool quoted)
{
	put_begin(sink, '{');
	put_key(sink, kind, strlen(kind));
	sink->after_key = false;
	if (quoted)
		put_quoted(sink->text, value, strlen(value));
	else
		g_string_append(sink->text, value);
	put_end(sink, '}');
}

static void put_real(UtmJsonSink *sink, double number)
{
	g_autofree char *text = utm__number_dup_text(number);
	if (!isfinite(number)) {
		put_wrapped(sink, UTM_VALUE_WRAP_REAL, text, true);
		return;
	}
	put_separator(sink);
	g_string_append(sink->text, text);
}

static void put_data(UtmJsonSink *sink, const UtmToken *token)
{
	g_autofree char *base64 = g_base64_encode((const guchar *)token->text, token->length);
	put_wrapped(sink, UTM_VALUE_WRAP_DATA, base64, true);
}

static void put_date(UtmJsonSink *sink, gint64 seconds)
{
	char text[24];
	g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, seconds);
	put_wrapped(sink, UTM_VALUE_WRAP_DATE, text, false);
}

static void put_scalar(UtmJsonSink *sink, const UtmToken *token)
{
	put_separator(sink);
	switch (token->kind) {
	case UTM_TOKEN_NULL:
		g_string_append(sink->text, "null");
		break;
	case UTM_TOKEN_BOOL:
		g_string_append(sink->text, token->boolean ? "true" : "false");
		break;
	case UTM_TOKEN_INT:
		g_string_append_printf(sink->text, "%" G_GINT64_FORMAT, token->integer);
		break;
	case UTM_TOKEN_UINT:
		g_string_append_printf(sink->text, "%" G_GUINT64_FORMAT, token->uinteger);
		break;
	default:
		put_quoted(sink->text, token->text, token->length);
	}
}

static const char *sink_put(UtmSink *base, const UtmToken *token)
{
	UtmJsonSink *sink = (UtmJsonSink *)base;
	if ((token->kind == UTM_TOKEN_STRING || token->kind == UTM_TOKEN_KEY) &&
	    !g_utf8_validate_len(token->text, token->length, NULL))
		return "is not valid UTF-8";
	bool odd = token->kind == UTM_TOKEN_DATA || token->kind == UTM_TOKEN_DATE ||
	           (token->kind == UTM_TOKEN_REAL && !isfinite(token->number));
	if (odd && !sink->wraps)
		return "is nothing that JSON can say";
	switch (token->kind) {
	case UTM_TOKEN_KEY:
		put_key(sink, token->text, token->length);
		break;
	case UTM_TOKEN_BEGIN_OBJECT:
	case UTM_TOKEN_BEGIN_ARRAY:
		put_begin(sink, token->kind == UTM_TOKEN_BEGIN_OBJECT ? '{' : '[');
		break;
	case UTM_TOKEN_END_OBJECT:
	case UTM_TOKEN_END_ARRAY:
		put_end(sink, token->kind == UTM_TOKEN_END_OBJECT ? '}' : ']');
		break;
	case UTM_TOKEN_DATA:
		put_data(sink, token);
		break;
	case UTM_TOKEN_DATE:
		put_date(sink, token->integer);
		break;
	case UTM_TOKEN_REAL:
		put_real(sink, token->number);
		break;
	default:
		put_scalar(sink, token);
	}
	return NULL;
}

void utm__json_sink_init(UtmJsonSink *sink, GString *text, bool indent, bool wraps)
{
	*sink = (UtmJsonSink){ .sink.put = sink_put, .text = text, .indent = indent, .wraps = wraps, .is_empty = true };
}

/* --- whole objects --- */

int utm__json_decode(const UtmSchema *schema, guint type, const char *text, gsize size, guint flags, void **ret_object,
                     UtmError **error)
{
	UtmJsonSource source;
	utm__json_source_init(&source, text, size, &utm__json_of_files, schema->malformed);
	int result = utm__schema_decode(schema, type, &source.source, flags, NULL, ret_object, error);
	utm__json_reader_clear(&source.reader);
	return result;
}

int utm__json_encode(const UtmSchema *schema, const void *object, guint flags, bool indent, char **ret_text,
                     UtmError **error)
{
	UtmJsonSink sink;
	GString *text = g_string_new(NULL);
	utm__json_sink_init(&sink, text, indent, true);
	int result = utm__schema_encode(schema, object, &sink.sink, flags, NULL, NULL, error);
	char *taken = g_string_free(text, result < 0);
	if (result == 0)
		*ret_text = taken;
	return result;
}
