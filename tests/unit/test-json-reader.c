/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON reader: exact values, and a refusal for everything that is not JSON. */
#include "schema/json-reader.h"

#include <string.h>

/* One character per token, so that a whole text is one string to compare. */
static char *shape_of(const char *text, gsize size, const UtmJsonLimits *limits)
{
	static const char letters[] = ".nbiudBsk{}[]";
	GString *shape = g_string_new(NULL);
	UtmJsonReader reader;
	utm__json_reader_init(&reader, text, size, limits);
	while (utm__json_next(&reader) > UTM_JSON_END)
		g_string_append_c(shape, letters[reader.token]);
	g_string_append_c(shape, reader.token == UTM_JSON_ERROR ? '!' : '.');
	if (reader.token == UTM_JSON_ERROR)
		g_assert_nonnull(reader.problem);
	g_assert_cmpint(utm__json_next(&reader), ==, reader.token);
	utm__json_reader_clear(&reader);
	return g_string_free(shape, FALSE);
}

static void assert_shape(const char *text, const char *expected)
{
	/* An exact copy, so that AddressSanitizer sees a byte too far. */
	gsize size = strlen(text);
	g_autofree char *copy = g_memdup2(text, size);
	g_autofree char *shape = shape_of(copy, size, NULL);
	g_assert_cmpstr(shape, ==, expected);
}

static void test_values(void)
{
	assert_shape("null", "n.");
	assert_shape(" true ", "b.");
	assert_shape("[]", "[].");
	assert_shape("{}", "{}.");
	assert_shape("{\"a\": [1, -2, 3.5, 18446744073709551615], \"b\": {\"c\": \"d\"}}\r\n", "{k[iidu]k{ks}}.");
	assert_shape("[18446744073709551616, -9223372036854775809, 1e400]", "[BBB].");
	assert_shape("[-0, 0, 0.0, 1E5, 1e-5]", "[iiddd].");
}

static void test_refused(void)
{
	static const char *const wrong[] = {
		"",
		" ",
		"nul",
		"nulL",
		"truE",
		"[",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"{",
		"{\"a\"",
		"{\"a\":",
		"{\"a\":1",
		"{\"a\":1,",
		"{\"a\":1,}",
		"{a:1}",
		"{\"a\" 1}",
		"{1:2}",
		"[1 2]",
		"01",
		"-",
		"-a",
		"1.",
		".5",
		"1e",
		"1e+",
		"+1",
		"0x10",
		"--1",
		"1 2",
		"{} []",
		"]",
		"}",
		"[}",
		"{]",
		"\"a",
		"\"\\\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"'a'",
		"\"\n\"",
		"\"\t\"",
		"NaN",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud800\\u0041\"",
		"\"\\ud800x\"",
		"\"\xff\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"\xef\xbb\xbf{}",
		"[\"a\":1]",
		"Infinity",
		"var x = 1",
		"\"\\'\"",
		"[1]x",
		"{\"a\":}",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *copy = g_memdup2(wrong[i], strlen(wrong[i]));
		g_autofree char *shape = shape_of(copy, strlen(wrong[i]), NULL);
		if (!g_str_has_suffix(shape, "!"))
			g_error("accepted %s as %s", wrong[i], shape);
	}
}

static void read_one(UtmJsonReader *reader, const char *text)
{
	utm__json_reader_init(reader, text, strlen(text), NULL);
	g_assert_cmpint(utm__json_next(reader), >, UTM_JSON_END);
}

static void test_numbers_are_exact(void)
{
	static const struct {
		const char *text;
		gint64 value;
	} integers[] = {
		{ "0", 0 },
		{ "-1", -1 },
		{ "9223372036854775807", G_MAXINT64 },
		{ "-9223372036854775808", G_MININT64 },
	};
	UtmJsonReader reader;
	for (gsize i = 0; i < G_N_ELEMENTS(integers); i++) {
		read_one(&reader, integers[i].text);
		g_assert_cmpint(reader.token, ==, UTM_JSON_INT);
		g_assert_cmpint(reader.integer, ==, integers[i].value);
	}
	read_one(&reader, "9223372036854775808");
	g_assert_cmpint(reader.token, ==, UTM_JSON_UINT);
	g_assert_cmpuint(reader.uinteger, ==, (guint64)G_MAXINT64 + 1);
	read_one(&reader, "18446744073709551615");
	g_assert_cmpuint(reader.uinteger, ==, G_MAXUINT64);
	read_one(&reader, "-0.25");
	g_assert_cmpint(reader.token, ==, UTM_JSON_DOUBLE);
	g_assert_cmpfloat(reader.number, ==, -0.25);
	g_autofree char *digits = g_strnfill(100000, '7');
	read_one(&reader, digits);
	g_assert_cmpint(reader.token, ==, UTM_JSON_BIG);
}

static void test_strings(void)
{
	UtmJsonReader reader;
	read_one(&reader, "\"plain \xc3\xa9\"");
	g_assert_true(utm__json_text_is(&reader, "plain \xc3\xa9"));
	read_one(&reader, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00|\"");
	g_assert_true(utm__json_text_is(&reader, "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80|"));
	g_assert_false(reader.has_nul);
	utm__json_reader_clear(&reader);
	read_one(&reader, "\"a\\u0000b\"");
	g_assert_true(reader.has_nul);
	g_assert_cmpmem(reader.text, reader.length, "a\0b", 3);
	utm__json_reader_clear(&reader);
}

static void test_single_quotes(void)
{
	UtmJsonLimits limits = { .single_quotes = true };
	const char *text = "{ 'a': \"it's\", 'b': 'say \"x\\''}";
	g_autofree char *shape = shape_of(text, strlen(text), &limits);
	g_assert_cmpstr(shape, ==, "{ksks}.");
}

static void test_limits(void)
{
	g_autofree char *brackets = g_strnfill(100000, '[');
	g_autofree char *shape = shape_of(brackets, 100000, NULL);
	g_assert_cmpuint(strlen(shape), ==, UTM_JSON_DEPTH_MAX + 1);
	UtmJsonLimits limits = { .size = 10, .depth = 2 };
	g_autofree char *deep = shape_of("[[[", 3, &limits);
	g_assert_cmpstr(deep, ==, "[[!");
	g_autofree char *enough = shape_of("[[],[]]", 7, &limits);
	g_assert_cmpstr(enough, ==, "[[][]].");
	g_autofree char *longer = shape_of("[1,2,3,4,5]", 11, &limits);
	g_assert_cmpstr(longer, ==, "!");
}

static void test_every_prefix_is_refused(void)
{
	const char *text = "{\"a\": [1, -2.5e3, \"x\\u0041\", true, null], \"b\": {}}";
	for (gsize size = 0; size < strlen(text); size++) {
		g_autofree char *copy = g_memdup2(text, size);
		g_autofree char *shape = shape_of(copy, size, NULL);
		g_assert_true(g_str_has_suffix(shape, "!"));
	}
}

static void test_skip_and_rewind(void)
{
	const char *text = "{\"a\": {\"x\": [1, 2]} , \"b\": \"c\\n\", \"d\": 12 }";
	UtmJsonReader reader;
	const char *start;
	gsize length;
	read_one(&reader, text);
	g_assert_cmpint(utm__json_peek(&reader), ==, UTM_JSON_STRING);
	UtmJsonMark mark = utm__json_mark(&reader);
	for (int round = 0; round < 2; round++) {
		g_assert_cmpint(utm__json_next(&reader), ==, UTM_JSON_KEY);
		g_assert_cmpint(utm__json_peek(&reader), ==, UTM_JSON_BEGIN_OBJECT);
		g_assert_true(utm__json_skip(&reader, &start, &length));
		g_assert_cmpmem(start, length, "{\"x\": [1, 2]}", 13);
		g_assert_cmpint(utm__json_next(&reader), ==, UTM_JSON_KEY);
		g_assert_true(utm__json_skip(&reader, &start, &length));
		g_assert_cmpmem(start, length, "\"c\\n\"", 5);
		g_assert_cmpint(utm__json_next(&reader), ==, UTM_JSON_KEY);
		g_assert_true(utm__json_skip(&reader, &start, &length));
		g_assert_cmpmem(start, length, "12", 2);
		if (round == 0)
			utm__json_rewind(&reader, mark);
	}
	g_assert_cmpint(utm__json_next(&reader), ==, UTM_JSON_END_OBJECT);
	g_assert_cmpint(utm__json_next(&reader), ==, UTM_JSON_END);
	g_assert_false(utm__json_skip(&reader, NULL, NULL));
	utm__json_reader_clear(&reader);
}

static void test_check_says_where(void)
{
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm__json_check("[1]", 3, NULL, UTM_ERROR_QMP_PROTOCOL, NULL), ==, 0);
	g_assert_cmpint(utm__json_check("[1,x]", 5, NULL, UTM_ERROR_QMP_PROTOCOL, &error), ==, UTM_ERROR_QMP_PROTOCOL);
	g_assert_cmpstr(utm_error_get_message(error), ==, "JSON, byte 3: not a value");
}

/* What many write in C, where it is easier to read. */
static void test_single_quotes_have_a_remedy(void)
{
	static const struct {
		const char *text, *where;
	} texts[] = { { "{'a':1}", "JSON, byte 1: a single quote" }, { "{\"a\":'b'}", "JSON, byte 5: a single quote" } };
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(UtmError) error = NULL;
		utm__json_check(texts[i].text, strlen(texts[i].text), NULL, UTM_ERROR_INVALID_ARGUMENT, &error);
		g_assert_true(g_str_has_prefix(utm_error_get_message(error), texts[i].where));
		g_assert_cmpstr(utm_error_get_remedy(error), ==, "Write double quotes, which stand in C as \"{\\\"id\\\":\\\"usb1\\\"}\".");
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/json-reader/values", test_values);
	g_test_add_func("/json-reader/refused", test_refused);
	g_test_add_func("/json-reader/numbers-are-exact", test_numbers_are_exact);
	g_test_add_func("/json-reader/strings", test_strings);
	g_test_add_func("/json-reader/single-quotes", test_single_quotes);
	g_test_add_func("/json-reader/limits", test_limits);
	g_test_add_func("/json-reader/every-prefix-is-refused", test_every_prefix_is_refused);
	g_test_add_func("/json-reader/skip-and-rewind", test_skip_and_rewind);
	g_test_add_func("/json-reader/check-says-where", test_check_says_where);
	g_test_add_func("/json-reader/single-quotes-have-a-remedy", test_single_quotes_have_a_remedy);
	return g_test_run();
}
