/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Free-form values through the public functions: every kind, the ends of the numbers, and questions that do not fit. */
#include "base/error-private.h"

#include <string.h>
#include <utm/json-glib.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmValue, utm_value_free)

static UtmValue *parse(const char *json)
{
	UtmValue *value = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_value_from_json(json, &value, &error) < 0)
		g_error("%s: %s", utm_error_get_message(error), json);
	return value;
}

/* What each reader says of a value. */
static const struct {
	const char *json;
	UtmValueKind kind;
	bool boolean;
	int64_t integer;
	uint64_t uinteger;
	double number;
	const char *string;
	size_t count;
} values[] = {
	{ "null", UTM_VALUE_NULL, false, 0, 0, 0, NULL, 0 },
	{ "true", UTM_VALUE_BOOL, true, 0, 0, 0, NULL, 0 },
	{ "false", UTM_VALUE_BOOL, false, 0, 0, 0, NULL, 0 },
	{ "0", UTM_VALUE_INT, false, 0, 0, 0, NULL, 0 },
	{ "-1", UTM_VALUE_INT, false, -1, 0, -1, NULL, 0 },
	{ "9223372036854775807", UTM_VALUE_INT, false, INT64_MAX, INT64_MAX, 0x1p63, NULL, 0 },
	{ "-9223372036854775808", UTM_VALUE_INT, false, INT64_MIN, 0, -0x1p63, NULL, 0 },
	{ "9223372036854775808", UTM_VALUE_UINT, false, 0, (uint64_t)INT64_MAX + 1, 0x1p63, NULL, 0 },
	{ "18446744073709551615", UTM_VALUE_UINT, false, 0, UINT64_MAX, 0x1p64, NULL, 0 },
	{ "1.0", UTM_VALUE_NUMBER, false, 0, 0, 1, NULL, 0 },
	{ "-2.5", UTM_VALUE_NUMBER, false, 0, 0, -2.5, NULL, 0 },
	{ "1e+300", UTM_VALUE_NUMBER, false, 0, 0, 1e300, NULL, 0 },
	{ "\"\"", UTM_VALUE_STRING, false, 0, 0, 0, "", 0 },
	{ "\"a\\n\u00e9\"", UTM_VALUE_STRING, false, 0, 0, 0, "a\n\u00e9", 0 },
	{ "[]", UTM_VALUE_ARRAY, false, 0, 0, 0, NULL, 0 },
	{ "[1,[2]]", UTM_VALUE_ARRAY, false, 0, 0, 0, NULL, 2 },
	{ "{}", UTM_VALUE_OBJECT, false, 0, 0, 0, NULL, 0 },
	{ "{\"a\":1,\"b\":{}}", UTM_VALUE_OBJECT, false, 0, 0, 0, NULL, 2 },
	/* What files of configurations write for odd things is nothing special here. */
	{ "{\"$data\":\"AA==\"}", UTM_VALUE_OBJECT, false, 0, 0, 0, NULL, 1 },
	{ "{\"$real\":\"nan\"}", UTM_VALUE_OBJECT, false, 0, 0, 0, NULL, 1 },
	{ "{\"$date\":1}", UTM_VALUE_OBJECT, false, 0, 0, 0, NULL, 1 },
};

static void test_kinds(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
		g_autoptr(UtmValue) value = parse(values[i].json);
		g_autofree char *json = utm_value_dup_json(value);
		g_assert_cmpstr(json, ==, values[i].json);
		g_assert_cmpint(utm_value_get_kind(value), ==, values[i].kind);
		g_assert_cmpint(utm_value_get_bool(value), ==, values[i].boolean);
		g_assert_cmpint(utm_value_get_int(value), ==, values[i].integer);
		g_assert_cmpuint(utm_value_get_uint(value), ==, values[i].uinteger);
		g_assert_true(utm_value_get_number(value) == values[i].number);
		g_assert_cmpstr(utm_value_get_string(value), ==, values[i].string);
		g_assert_cmpuint(utm_value_get_count(value), ==, values[i].count);
		g_assert_null(utm_value_get_item(value, values[i].count));
		g_assert_null(utm_value_get_item(value, SIZE_MAX));
		g_assert_null(utm_value_get_key(value, values[i].count));
		g_assert_null(utm_value_get_member(value, "no such member"));
		g_assert_null(utm_value_get_member(value, NULL));
	}
}

static void test_equal(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
		for (gsize j = 0; j < G_N_ELEMENTS(values); j++) {
			g_autoptr(UtmValue) a = parse(values[i].json);
			g_autoptr(UtmValue) b = parse(values[j].json);
			g_autoptr(UtmValue) copy = utm_value_copy(a);
			g_assert_cmpint(utm_value_equal(a, b), ==, i == j);
			g_assert_cmpint(utm_value_equal(b, copy), ==, i == j);
		}
	g_autoptr(UtmValue) null = parse("null");
	g_assert_true(utm_value_equal(NULL, NULL));
	g_assert_false(utm_value_equal(null, NULL));
	g_assert_false(utm_value_equal(NULL, null));
}

static void test_members(void)
{
	g_autoptr(UtmValue) value = parse(" { 'b' : 1, \"a\": [true, 'x'], '\\ud83d\\udda5': 2, 'c': 1, 'c': 3 } ");
	g_autofree char *json = utm_value_dup_json(value);
	g_assert_cmpstr(json, ==, "{\"a\":[true,\"x\"],\"b\":1,\"c\":3,\"\U0001F5A5\":2}");
	g_assert_cmpstr(utm_value_get_key(value, 0), ==, "a");
	g_assert_cmpstr(utm_value_get_key(value, 3), ==, "\U0001F5A5");
	g_assert_cmpint(utm_value_get_int(utm_value_get_member(value, "c")), ==, 3);
	const UtmValue *list = utm_value_get_item(value, 0);
	g_assert_true(list == utm_value_get_member(value, "a"));
	g_assert_null(utm_value_get_key(list, 0));
	g_assert_null(utm_value_get_member(list, "a"));
	g_assert_cmpstr(utm_value_get_string(utm_value_get_item(list, 1)), ==, "x");
}

static void test_refused(void)
{
	static const char *const wrong[] = { "", " ", "{", "[1,]", "{\"a\"}", "tru", "nul", "01", "+1", ".5", "1.", "0x10", "NaN",
		                             "Infinity", "1e999", "-1e999", "18446744073709551616", "-9223372036854775809", "\"a",
		                             "\"\\u0000\"", "{\"\\u0000\":1}", "\"\\ud800\"", "\"\\udc00\"", "\"\xff\"", "\"\n\"", "1 2",
		                             "{}{}", "[1 2]", "]" };
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		UtmValue *value = NULL;
		g_autoptr(UtmError) error = NULL;
		g_autofree char *shown = g_strescape(wrong[i], NULL);
		g_test_message("%s", shown);
		g_assert_cmpint(utm_value_from_json(wrong[i], &value, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
		g_assert_null(value);
		g_assert_cmpint(utm_error_get_code(error), ==, UTM_ERROR_INVALID_ARGUMENT);
	}
}

static int depth_result(int depth)
{
	g_autofree char *open = g_strnfill((gsize)depth, '[');
	g_autofree char *close = g_strnfill((gsize)depth, ']');
	g_autofree char *json = g_strconcat(open, close, NULL);
	UtmValue *value = NULL;
	int result = utm_value_from_json(json, &value, NULL);
	utm_value_free(value);
	return result;
}

static void test_bounds(void)
{
	g_assert_cmpint(depth_result(128), ==, 0);
	g_assert_cmpint(depth_result(129), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(depth_result(100000), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_autofree char *zeros = g_strnfill(2 * 500000, '0');
	for (gsize i = 0; i < 500000; i++)
		zeros[2 * i + 1] = ',';
	UtmValue *value = NULL;
	zeros[2 * 499999 + 1] = 0;
	g_autofree char *too_many = g_strconcat("[", zeros, "]", NULL);
	g_assert_cmpint(utm_value_from_json(too_many, &value, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_autofree char *most = g_strconcat("[", zeros + 2, "]", NULL);
	g_assert_cmpint(utm_value_from_json(most, &value, NULL), ==, 0);
	g_assert_cmpuint(utm_value_get_count(value), ==, 499999);
	utm_value_free(value);
}

static void test_null(void)
{
	g_autofree char *json = utm_value_dup_json(NULL);
	UtmValue *value = NULL;
	g_assert_cmpstr(json, ==, "null");
	g_assert_null(utm_value_copy(NULL));
	utm_value_free(NULL);
	g_assert_cmpint(utm_value_get_kind(NULL), ==, UTM_VALUE_NULL);
	g_assert_false(utm_value_get_bool(NULL));
	g_assert_cmpint(utm_value_get_int(NULL), ==, 0);
	g_assert_cmpuint(utm_value_get_uint(NULL), ==, 0);
	g_assert_true(utm_value_get_number(NULL) == 0);
	g_assert_null(utm_value_get_string(NULL));
	g_assert_cmpuint(utm_value_get_count(NULL), ==, 0);
	g_assert_null(utm_value_get_item(NULL, 0));
	g_assert_null(utm_value_get_key(NULL, 0));
	g_assert_null(utm_value_get_member(NULL, "a"));
	g_assert_cmpint(utm_value_from_json(NULL, &value, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_value_from_json("1", NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

static void test_base64(void)
{
	static const char *const bad[] = { "=", "a", "ab", "abc", "abcde", "ab=c", "a===", "====", "ab\ncd", "ab-_", "abcd====", "\xff" };
	static const char bytes[] = "\0\xff\n!";
	for (gsize size = 0; size < sizeof bytes; size++) {
		g_autofree char *text = utm_base64_encode(bytes, size), *back = NULL;
		size_t got = 99;
		g_assert_cmpuint(strlen(text), ==, (size + 2) / 3 * 4);
		g_assert_cmpint(utm_base64_decode(text, &back, &got, NULL), ==, 0);
		g_assert_cmpmem(back, got, bytes, size);
		g_assert_cmpint(back[size], ==, 0);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(UtmError) error = NULL;
		char *untouched = NULL;
		g_assert_cmpint(utm_base64_decode(bad[i], &untouched, NULL, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
		g_assert_null(untouched);
	}
	g_autofree char *nothing = NULL, *none = utm_base64_encode(NULL, 5);
	g_assert_cmpint(utm_base64_decode(NULL, &nothing, NULL, NULL), ==, 0);
	g_assert_cmpstr(nothing, ==, "");
	g_assert_cmpstr(none, ==, "");
	g_assert_cmpint(utm_base64_decode("", NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

/* There and back; what json-glib has no number for becomes the nearest that it has. */
static void test_json_glib(void)
{
	static const char *const texts[][2] = {
		{ "null", NULL },
		{ "[true,false,-9223372036854775808,9223372036854775807,1.5,\"a \\\"b\\\" \u00e9\"]", NULL },
		{ "{\"a\":{\"b\":[[],{}]},\"c\":null}", NULL },
		{ "18446744073709551615", "18446744073709552000.0" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(UtmValue) value = parse(texts[i][0]);
		g_autoptr(UtmValue) wanted = parse(texts[i][1] ? texts[i][1] : texts[i][0]);
		g_autoptr(UtmValue) back = NULL;
		JsonNode *node = utm_value_dup_json_node(value);
		g_assert_cmpint(utm_value_from_json_node(node, &back, NULL), ==, 0);
		g_assert_true(utm_value_equal(back, wanted));
		json_node_unref(node);
	}
	g_autoptr(JsonNode) none = utm_value_dup_json_node(NULL);
	g_assert_true(JSON_NODE_HOLDS_NULL(none));
}

static void test_json_glib_that_is_no_json(void)
{
	UtmValue *value = NULL;
	g_autoptr(JsonNode) infinite = json_node_init_double(json_node_alloc(), 1e308 * 10);
	g_autoptr(JsonNode) text = json_node_init_string(json_node_alloc(), "\xff");
	g_assert_cmpint(utm_value_from_json_node(infinite, &value, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_value_from_json_node(text, &value, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_value_from_json_node(NULL, &value, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(value);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/value/kinds", test_kinds);
	g_test_add_func("/value/equal", test_equal);
	g_test_add_func("/value/members", test_members);
	g_test_add_func("/value/refused", test_refused);
	g_test_add_func("/value/bounds", test_bounds);
	g_test_add_func("/value/null", test_null);
	g_test_add_func("/value/base64", test_base64);
	g_test_add_func("/value/json-glib", test_json_glib);
	g_test_add_func("/value/json-glib/no-json", test_json_glib_that_is_no_json);
	return g_test_run();
}
