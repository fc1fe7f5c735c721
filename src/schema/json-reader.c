/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "schema/json-reader.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SIZE_DEFAULT ((gsize)64 << 20)
/* A longer number is no number anybody meant; strtod() would read it all the same, slowly. */
#define NUMBER_LENGTH_MAX 512
#define SHORT_INTEGER_LENGTH 18

static const char single_quote[] = "a single quote: keys and strings of JSON stand in double quotes";

/* What may come next. */
enum {
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END, /* the first element of an array */
	EXPECT_KEY,
	EXPECT_KEY_OR_END, /* the first member of an object */
	EXPECT_COMMA_OR_END,
	EXPECT_END,
};

static UtmJsonToken fail(UtmJsonReader *reader, const char *problem)
{
	if (!reader->problem) {
		reader->problem = problem;
		reader->problem_offset = (gsize)(reader->at - reader->start);
	}
	return reader->token = UTM_JSON_ERROR;
}

void utm__json_reader_init(UtmJsonReader *reader, const char *text, gsize size, const UtmJsonLimits *limits)
{
	memset(reader, 0, sizeof *reader);
	if (limits)
		reader->limits = *limits;
	if (!reader->limits.size)
		reader->limits.size = SIZE_DEFAULT;
	if (!reader->limits.depth || reader->limits.depth > UTM_JSON_DEPTH_MAX)
		reader->limits.depth = UTM_JSON_DEPTH_MAX;
	if (!reader->limits.values)
		reader->limits.values = G_MAXUINT;
	reader->start = reader->at = text;
	reader->end = text + size;
	reader->expect = EXPECT_VALUE;
	if (size > reader->limits.size)
		fail(reader, "the text is too long");
}

void utm__json_reader_clear(UtmJsonReader *reader)
{
	if (reader->scratch)
		g_byte_array_unref(reader->scratch);
	reader->scratch = NULL;
}

static bool in_object(const UtmJsonReader *reader)
{
	guint level = reader->depth - 1;
	return reader->is_object[level / 8] >> level % 8 & 1;
}

static void value_done(UtmJsonReader *reader)
{
	reader->expect = reader->depth ? EXPECT_COMMA_OR_END : EXPECT_END;
}

static inline bool is_space(char c)
{
	return (guchar)c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t');
}

static inline void skip_space(UtmJsonReader *reader)
{
	while (reader->at < reader->end && is_space(*reader->at))
		reader->at++;
}

static bool is_quote(const UtmJsonReader *reader, char c)
{
	return c == '"' || (c == '\'' && reader->limits.single_quotes);
}

static UtmJsonToken begin(UtmJsonReader *reader, bool object)
{
	if (reader->depth >= reader->limits.depth)
		return fail(reader, "nested too deeply");
	guint level = reader->depth++;
	if (object)
		reader->is_object[level / 8] |= (guint8)(1u << level % 8);
	else
		reader->is_object[level / 8] &= (guint8)~(1u << level % 8);
	reader->at++;
	reader->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
	return reader->token = object ? UTM_JSON_BEGIN_OBJECT : UTM_JSON_BEGIN_ARRAY;
}

static UtmJsonToken finish(UtmJsonReader *reader)
{
	bool object = in_object(reader);
	if (*reader->at != (object ? '}' : ']'))
		return fail(reader, object ? "expected , or }" : "expected , or ]");
	reader->at++;
	reader->depth--;
	value_done(reader);
	return reader->token = object ? UTM_JSON_END_OBJECT : UTM_JSON_END_ARRAY;
}

static UtmJsonToken word(UtmJsonReader *reader, const char *expected, UtmJsonToken token)
{
	gsize length = strlen(expected);
	if ((gsize)(reader->end - reader->at) < length || memcmp(reader->at, expected, length) != 0)
		return fail(reader, "not a value");
	reader->at += length;
	reader->boolean = *expected == 't';
	value_done(reader);
	return reader->token = token;
}

/* --- numbers --- */

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && g_ascii_isdigit(*p))
		p++;
	return p;
}

/* The end of the number at `p` in JSON's grammar, or NULL. */
static const char *scan_number(const char *p, const char *end, bool *ret_fraction)
{
	const char *digits = p + (*p == '-');
	const char *after = skip_digits(digits, end);
	if (after == digits || (*digits == '0' && after - digits > 1))
		return NULL;
	*ret_fraction = false;
	if (after < end && *after == '.') {
		digits = after + 1;
		after = skip_digits(digits, end);
		*ret_fraction = true;
	}
	if (after > digits && after < end && (*after == 'e' || *after == 'E')) {
		digits = after + 1;
		digits += digits < end && (*digits == '+' || *digits == '-');
		after = skip_digits(digits, end);
		*ret_fraction = true;
	}
	return after > digits ? after : NULL;
}

/* The usual case: no more digits than always fit. */
static UtmJsonToken short_integer(UtmJsonReader *reader)
{
	gint64 value = 0;
	bool negative = *reader->text == '-';
	for (gsize i = negative; i < reader->length; i++)
		value = value * 10 + (reader->text[i] - '0');
	reader->integer = negative ? -value : value;
	reader->uinteger = (guint64)reader->integer;
	return UTM_JSON_INT;
}

static UtmJsonToken convert_integer(UtmJsonReader *reader, const char *copy)
{
	errno = 0;
	if (*copy == '-') {
		reader->integer = g_ascii_strtoll(copy, NULL, 10);
		return errno == ERANGE ? UTM_JSON_BIG : UTM_JSON_INT;
	}
	reader->uinteger = g_ascii_strtoull(copy, NULL, 10);
	reader->integer = (gint64)reader->uinteger;
	if (errno == ERANGE)
		return UTM_JSON_BIG;
	return reader->uinteger <= G_MAXINT64 ? UTM_JSON_INT : UTM_JSON_UINT;
}

static UtmJsonToken number(UtmJsonReader *reader)
{
	bool fraction;
	const char *after = scan_number(reader->at, reader->end, &fraction);
	if (!after)
		return fail(reader, "not a number");
	reader->text = reader->at;
	reader->length = (gsize)(after - reader->at);
	reader->token = UTM_JSON_BIG;
	if (!fraction && reader->length <= SHORT_INTEGER_LENGTH) {
		reader->token = short_integer(reader);
	} else if (reader->length <= NUMBER_LENGTH_MAX) {
		char copy[NUMBER_LENGTH_MAX + 1];
		memcpy(copy, reader->text, reader->length);
		copy[reader->length] = 0;
		if (!fraction)
			reader->token = convert_integer(reader, copy);
		else if (isfinite(reader->number = g_ascii_strtod(copy, NULL)))
			reader->token = UTM_JSON_DOUBLE;
	}
	reader->at = after;
	value_done(reader);
	return reader->token;
}

/* --- strings --- */

/* The value of the four hexadecimal digits at `p`, or -1. */
static gint32 hex4(const char *p, const char *end)
{
	gint32 value = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = g_ascii_xdigit_value(p[i]);
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* Reads XXXX, or XXXX\uXXXX for a surrogate pair, at reader->at. Returns a code point or -1. */
static gint32 code_point(UtmJsonReader *reader)
{
	gint32 unit = hex4(reader->at, reader->end);
	if (unit < 0)
		return -1;
	reader->at += 4;
	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	if (unit > 0xdbff || reader->end - reader->at < 6 || reader->at[0] != '\\' || reader->at[1] != 'u')
		return -1;
	gint32 low = hex4(reader->at + 2, reader->end);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	reader->at += 6;
	return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static bool append_escape(UtmJsonReader *reader)
{
	static const char from[] = "\"\\/bfnrt'", to[] = "\"\\/\b\f\n\r\t'";
	char c = reader->at < reader->end ? *reader->at++ : 0;
	const char *known = c ? strchr(from, c) : NULL;
	if (known && (c != '\'' || reader->limits.single_quotes)) {
		g_byte_array_append(reader->scratch, (const guint8 *)&to[known - from], 1);
		return true;
	}
	gint32 point = c == 'u' ? code_point(reader) : -1;
	if (point < 0)
		return false;
	char utf8[6];
	int length = g_unichar_to_utf8((gunichar)point, utf8);
	g_byte_array_append(reader->scratch, (const guint8 *)utf8, (guint)length);
	reader->has_nul |= point == 0;
	return true;
}

/* What a byte is in a string. */
enum { STOP = 1, DOUBLE_QUOTE = 2, SINGLE_QUOTE = 4, BEYOND_ASCII = 8 };

static const guint8 in_string[256] = {
	[0 ... 0x1f] = STOP, ['"'] = DOUBLE_QUOTE, ['\\'] = STOP, ['\''] = SINGLE_QUOTE, [0x80 ... 0xff] = BEYOND_ASCII,
};

#define EVERY_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* The highest bit of each byte that is zero, and perhaps of bytes after one. */
static inline guint64 zero_bytes(guint64 bytes)
{
	return (bytes - EVERY_BYTE(1)) & ~bytes & EVERY_BYTE(0x80);
}

/* How many of the next eight characters are plain ASCII: no quote, backslash or control character, nothing beyond. */
static inline guint count_plain(const char *p, char quote)
{
	guint64 bytes;
	memcpy(&bytes, p, sizeof bytes);
	bytes = GUINT64_FROM_LE(bytes);
	guint64 special = bytes | ((bytes - EVERY_BYTE(0x20)) & ~bytes) | zero_bytes(bytes ^ EVERY_BYTE((guint8)quote)) |
	                  zero_bytes(bytes ^ EVERY_BYTE('\\'));
	special &= EVERY_BYTE(0x80);
	return special ? (guint)__builtin_ctzll(special) / 8 : 8;
}

/*
 * The first character from `p` on that ends a run of plain ones: the quote, a backslash or a control character. Most
 * text is ASCII, and need not be looked at once more.
 */
static inline const char *plain_run(const char *p, const char *end, char quote, bool *ret_ascii)
{
	guint8 stop = STOP | (quote == '"' ? DOUBLE_QUOTE : SINGLE_QUOTE), met = 0;
	for (guint count = 8; count == 8 && end - p >= 8; p += count)
		count = count_plain(p, quote);
	for (; p < end && !(in_string[(guchar)*p] & stop); p++)
		met |= in_string[(guchar)*p];
	*ret_ascii = !(met & BEYOND_ASCII);
	return p;
}

/* A run of plain characters from reader->at, which then stands on what ends it. */
static bool read_run(UtmJsonReader *reader, char quote, const char **ret_run, gsize *ret_length)
{
	bool ascii;
	*ret_run = reader->at;
	reader->at = plain_run(reader->at, reader->end, quote, &ascii);
	*ret_length = (gsize)(reader->at - *ret_run);
	if (!ascii && !g_utf8_validate_len(*ret_run, *ret_length, NULL))
		return fail(reader, "invalid UTF-8"), false;
	if (reader->at == reader->end)
		return fail(reader, "the string does not end"), false;
	if (*reader->at != quote && *reader->at != '\\')
		return fail(reader, "a control character in a string"), false;
	return true;
}

/* The rest of a string whose first escape is at reader->at, after `run`. */
static bool string_with_escapes(UtmJsonReader *reader, char quote, const char *run, gsize length)
{
	if (!reader->scratch)
		reader->scratch = g_byte_array_new();
	g_byte_array_set_size(reader->scratch, 0);
	g_byte_array_append(reader->scratch, (const guint8 *)run, (guint)length);
	while (*reader->at != quote) {
		reader->at++;
		if (!append_escape(reader))
			return fail(reader, "a bad escape in a string"), false;
		if (!read_run(reader, quote, &run, &length))
			return false;
		g_byte_array_append(reader->scratch, (const guint8 *)run, (guint)length);
	}
	reader->at++;
	reader->text = (const char *)reader->scratch->data;
	reader->length = reader->scratch->len;
	return true;
}

/* A string that is more than plain ASCII, or stands where the text ends. */
static bool string_of_runs(UtmJsonReader *reader, char quote)
{
	const char *run;
	gsize length;
	if (!read_run(reader, quote, &run, &length))
		return false;
	if (*reader->at != quote)
		return string_with_escapes(reader, quote, run, length);
	reader->at++;
	reader->text = run;
	reader->length = length;
	return true;
}

/* Reads the string at reader->at into text and length; the common case without escapes copies nothing. */
static bool string(UtmJsonReader *reader)
{
	char quote = *reader->at++;
	const char *p = reader->at;
	reader->has_nul = false;
	for (guint count = 8; count == 8 && reader->end - p >= 8; p += count)
		count = count_plain(p, quote);
	if (p == reader->end || *p != quote)
		return string_of_runs(reader, quote);
	reader->text = reader->at;
	reader->length = (gsize)(p - reader->at);
	reader->at = p + 1;
	return true;
}

static UtmJsonToken key(UtmJsonReader *reader)
{
	if (!is_quote(reader, *reader->at))
		return fail(reader, *reader->at == '\'' ? single_quote : "expected a key");
	if (!string(reader))
		return UTM_JSON_ERROR;
	skip_space(reader);
	if (reader->at == reader->end || *reader->at != ':')
		return fail(reader, "expected :");
	reader->at++;
	reader->expect = EXPECT_VALUE;
	return reader->token = UTM_JSON_KEY;
}

static UtmJsonToken value(UtmJsonReader *reader)
{
	char c = *reader->at;
	if (reader->values++ >= reader->limits.values)
		return fail(reader, "too many values");
	if (c == '{' || c == '[')
		return begin(reader, c == '{');
	if (c == 'n')
		return word(reader, "null", UTM_JSON_NULL);
	if (c == 't')
		return word(reader, "true", UTM_JSON_BOOL);
	if (c == 'f')
		return word(reader, "false", UTM_JSON_BOOL);
	if (c == '-' || g_ascii_isdigit(c))
		return number(reader);
	if (!is_quote(reader, c))
		return fail(reader, c == '\'' ? single_quote : "not a value");
	if (!string(reader))
		return UTM_JSON_ERROR;
	value_done(reader);
	return reader->token = UTM_JSON_STRING;
}

UtmJsonToken utm__json_next(UtmJsonReader *reader)
{
	if (reader->token == UTM_JSON_ERROR)
		return UTM_JSON_ERROR;
	skip_space(reader);
	if (reader->at == reader->end)
		return reader->expect == EXPECT_END ? (reader->token = UTM_JSON_END) : fail(reader, "the text ends early");
	if (reader->expect == EXPECT_COMMA_OR_END) {
		if (*reader->at != ',')
			return finish(reader);
		reader->at++;
		reader->expect = in_object(reader) ? EXPECT_KEY : EXPECT_VALUE;
		skip_space(reader);
		if (reader->at == reader->end)
			return fail(reader, "the text ends early");
	}
	reader->token_start = reader->at;
	switch (reader->expect) {
	case EXPECT_KEY_OR_END:
		return *reader->at == '}' ? finish(reader) : key(reader);
	case EXPECT_KEY:
		return key(reader);
	case EXPECT_VALUE_OR_END:
		return *reader->at == ']' ? finish(reader) : value(reader);
	case EXPECT_VALUE:
		return value(reader);
	default:
		return fail(reader, "something follows the value");
	}
}

UtmJsonToken utm__json_peek(UtmJsonReader *reader)
{
	const char *p = reader->at;
	bool comma = reader->expect == EXPECT_COMMA_OR_END;
	if (reader->token == UTM_JSON_ERROR)
		return UTM_JSON_ERROR;
	for (; p < reader->end; p++) {
		if (comma && *p == ',')
			comma = false;
		else if (!is_space(*p))
			break;
	}
	if (p == reader->end)
		return reader->expect == EXPECT_END ? UTM_JSON_END : UTM_JSON_ERROR;
	if (is_quote(reader, *p))
		return UTM_JSON_STRING;
	switch (*p) {
	case '{':
		return UTM_JSON_BEGIN_OBJECT;
	case '}':
		return UTM_JSON_END_OBJECT;
	case '[':
		return UTM_JSON_BEGIN_ARRAY;
	case ']':
		return UTM_JSON_END_ARRAY;
	case 'n':
		return UTM_JSON_NULL;
	case 't':
	case 'f':
		return UTM_JSON_BOOL;
	default:
		return *p == '-' || g_ascii_isdigit(*p) ? UTM_JSON_INT : UTM_JSON_ERROR;
	}
}

/* The closing quote of the string that begins at `p`, or the last character of the text. */
static const char *end_of_string(const char *p, const char *end)
{
	char quote = *p++;
	bool ascii;
	while ((p = plain_run(p, end, quote, &ascii)) < end && *p != quote)
		p += *p == '\\' ? 2 : 1;
	return MIN(p, end - 1);
}

bool utm__json_skip_rest(UtmJsonReader *reader)
{
	guint outside = reader->depth - 1;
	while (reader->depth > outside)
		if (utm__json_next(reader) == UTM_JSON_ERROR)
			return false;
	return true;
}

/* What counts in a value that is only passed over. */
enum { PASS_ON, PASS_OPEN, PASS_CLOSE, PASS_QUOTE };

static const guint8 in_passing[256] = {
	['{'] = PASS_OPEN, ['['] = PASS_OPEN, ['}'] = PASS_CLOSE, [']'] = PASS_CLOSE, ['"'] = PASS_QUOTE, ['\''] = PASS_QUOTE,
};

bool utm__json_pass_rest(UtmJsonReader *reader)
{
	const char *p = reader->at;
	gsize depth = 1;
	for (; p < reader->end && depth > 0; p++) {
		switch (in_passing[(guchar)*p]) {
		case PASS_OPEN:
			depth++;
			break;
		case PASS_CLOSE:
			depth--;
			break;
		case PASS_QUOTE:
			p = is_quote(reader, *p) ? end_of_string(p, reader->end) : p;
			break;
		default:
			break;
		}
	}
	if (depth > 0)
		return fail(reader, "the text ends early"), false;
	reader->at = p;
	reader->depth--;
	value_done(reader);
	return true;
}

typedef bool (*RestFunc)(UtmJsonReader *reader);

static bool skip_with(UtmJsonReader *reader, RestFunc skip_rest, const char **ret_start, gsize *ret_length)
{
	UtmJsonToken token = utm__json_next(reader);
	if (token == UTM_JSON_KEY || token == UTM_JSON_END || token == UTM_JSON_END_ARRAY || token == UTM_JSON_END_OBJECT)
		return fail(reader, "no value to skip"), false;
	if (token == UTM_JSON_ERROR)
		return false;
	bool container = token == UTM_JSON_BEGIN_OBJECT || token == UTM_JSON_BEGIN_ARRAY;
	const char *start = reader->token_start;
	if (container && !skip_rest(reader))
		return false;
	if (ret_start)
		*ret_start = start;
	if (ret_length)
		*ret_length = (gsize)(reader->at - start);
	return true;
}

bool utm__json_skip(UtmJsonReader *reader, const char **ret_start, gsize *ret_length)
{
	return skip_with(reader, utm__json_skip_rest, ret_start, ret_length);
}

bool utm__json_pass(UtmJsonReader *reader, const char **ret_start, gsize *ret_length)
{
	return skip_with(reader, utm__json_pass_rest, ret_start, ret_length);
}

UtmJsonMark utm__json_mark(const UtmJsonReader *reader)
{
	return (UtmJsonMark){
		.at = reader->at, .depth = reader->depth, .values = reader->values, .expect = reader->expect
	};
}

void utm__json_rewind(UtmJsonReader *reader, UtmJsonMark mark)
{
	reader->at = mark.at;
	reader->depth = mark.depth;
	reader->values = mark.values;
	reader->expect = mark.expect;
}

int utm__json_fail(const UtmJsonReader *reader, int code, UtmError **error)
{
	UtmError *made = utm__error_new(code, "JSON, byte %" G_GSIZE_FORMAT ": %s", reader->problem_offset,
	                                reader->problem ? reader->problem : "no problem");
	if (reader->problem == single_quote)
		utm__error_set_remedy(made, "Write double quotes, which stand in C as \"{\\\"id\\\":\\\"usb1\\\"}\".");
	return utm__fail_take(error, made);
}

int utm__json_check(const char *text, gsize size, const UtmJsonLimits *limits, int code, UtmError **error)
{
	UtmJsonReader reader;
	utm__json_reader_init(&reader, text, size, limits);
	while (utm__json_next(&reader) > UTM_JSON_END)
		;
	int result = reader.token == UTM_JSON_ERROR ? utm__json_fail(&reader, code, error) : 0;
	utm__json_reader_clear(&reader);
	return result;
}
