/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine over every type of the protocols' tables: random values go out and come back the same, and what does not
 * fit a type is refused with the path to it. Cases that are about one type are in test-protocol-cases.c.
 */
#include "random-struct.h"
#include "schema/json-codec.h"

#include <string.h>
#include <utm/value.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmValue, utm_value_free)

#define ROUNDS 6

static const UtmSchema *const schemas[] = { &utm__qmp_schema, &utm__qga_schema };

typedef void (*CheckFunc)(const UtmSchema *schema, guint type);

static void for_each_type(CheckFunc check)
{
	guint count = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(schemas); i++)
		for (guint type = 0; type < schemas[i]->type_count; type++)
			if (is_struct_type(schemas[i], type)) {
				check(schemas[i], type);
				count++;
			}
	g_test_message("%u types", count);
	g_assert_cmpuint(count, >, 500);
}

static char *encode(const UtmSchema *schema, guint type, const void *value)
{
	GString *text = g_string_new(NULL);
	g_autoptr(UtmError) error = NULL;
	if (utm__protocol_encode(schema, value, text, NULL, &error) < 0)
		g_error("%s: at %s: %s; so far %s", struct_type_name(schema, type), utm_error_get_key_path(error),
		        utm_error_get_message(error), text->str);
	return g_string_free(text, FALSE);
}

static void *decode(const UtmSchema *schema, guint type, const char *text)
{
	void *value = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm__protocol_decode(schema, type, text, strlen(text), &value, &error) < 0)
		g_error("%s: at %s: %s: %s", struct_type_name(schema, type), utm_error_get_key_path(error),
		        utm_error_get_message(error), text);
	return value;
}

static void assert_same(const UtmSchema *schema, guint type, const void *a, const void *b, const char *text)
{
	if (!utm__schema_equal(schema, a, b) || !utm__schema_equal(schema, b, a))
		g_error("%s: not the same: %s", struct_type_name(schema, type), text);
}

static UtmValue *parse(const char *text)
{
	UtmValue *tree = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_value_from_json(text, &tree, &error) < 0)
		g_error("%s: %s", utm_error_get_message(error), text);
	return tree;
}

/* --- out and back --- */

static void check_round_trip(const UtmSchema *schema, guint type)
{
	bool exact;
	void *value = random_struct_new(schema, type, &exact);
	g_autofree char *text = encode(schema, type, value);
	void *again = decode(schema, type, text);
	g_autofree char *second = encode(schema, type, again);
	g_autoptr(UtmValue) tree = parse(text);
	g_autoptr(UtmValue) second_tree = parse(second);
	/* Order of keys may differ only where a form of a member did not know their union. */
	if (!utm_value_equal(tree, second_tree) || (exact && strcmp(text, second) != 0))
		g_error("%s: %s became %s", struct_type_name(schema, type), text, second);
	if (exact)
		assert_same(schema, type, value, again, text);
	utm__schema_free(schema, value);

	g_autofree char *spelling = random_spelling(tree);
	void *respelled = decode(schema, type, spelling);
	assert_same(schema, type, respelled, again, spelling);
	utm__schema_free(schema, respelled);

	void *copy = utm__schema_copy(schema, again);
	assert_same(schema, type, copy, again, text);
	utm__schema_free(schema, again);
	g_autofree char *third = encode(schema, type, copy);
	g_assert_cmpstr(third, ==, second);
	utm__schema_free(schema, copy);
}

static void test_round_trip(void)
{
	for (int i = 0; i < ROUNDS; i++)
		for_each_type(check_round_trip);
}

/* Two random values are hardly ever the same; when their text differs, they are not. */
static void check_difference(const UtmSchema *schema, guint type)
{
	void *a = random_struct_new(schema, type, NULL), *b = random_struct_new(schema, type, NULL);
	g_autofree char *text_a = encode(schema, type, a);
	g_autofree char *text_b = encode(schema, type, b);
	if (strcmp(text_a, text_b) != 0 && utm__schema_equal(schema, a, b))
		g_error("%s: %s equals %s", struct_type_name(schema, type), text_a, text_b);
	utm__schema_free(schema, a);
	utm__schema_free(schema, b);
}

static void test_difference(void)
{
	for_each_type(check_difference);
}

/* --- new ones, by the public functions --- */

static void check_new(const UtmSchema *schema, guint type)
{
	uint32_t number = (uint32_t)schema->number << 16 | type;
	void *value = utm_struct_new(number), *other = utm_struct_new(number), *copy = utm_struct_copy(value);
	g_autofree char *json = NULL;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpstr(utm_struct_get_type_name(value), ==, struct_type_name(schema, type));
	g_assert_true(utm_struct_equal(value, other));
	g_assert_true(utm_struct_equal(value, copy));
	g_assert_false(utm_struct_equal(value, NULL));
	/* Either it says all it must, or the path to what is missing is told. */
	int result = utm_struct_to_json(value, &json, &error);
	if (result == 0) {
		void *again = NULL;
		g_assert_cmpint(utm_struct_from_json(number, json, &again, NULL), ==, 0);
		utm_struct_free(again);
	} else {
		g_assert_cmpint(result, ==, UTM_ERROR_INVALID_ARGUMENT);
		g_assert_null(json);
	}
	utm_struct_free(value);
	utm_struct_free(other);
	utm_struct_free(copy);
}

static void test_new(void)
{
	for_each_type(check_new);
}

/* --- what does not fit --- */

/* A random value's text with another value of a member; NULL: without it. */
static char *with_member(const UtmSchema *schema, guint type, const char *name, const char *raw)
{
	void *value = random_struct_new(schema, type, NULL);
	g_autofree char *text = encode(schema, type, value);
	g_autoptr(UtmValue) tree = parse(text);
	utm__schema_free(schema, value);
	utm__value_remove(tree, name);
	g_autofree char *rest = utm_value_dup_json(tree);
	if (!raw)
		return g_steal_pointer(&rest);
	return g_strdup_printf("{\"%s\":%s%s%s", name, raw, tree->as.children.count ? "," : "", rest + 1);
}

static void assert_refused(const UtmSchema *schema, guint type, const char *text, const char *path)
{
	void *value = NULL;
	g_autoptr(UtmError) error = NULL;
	int result = utm__protocol_decode(schema, type, text, strlen(text), &value, &error);
	if (result == 0)
		g_error("%s: not refused: %s", struct_type_name(schema, type), text);
	g_assert_cmpint(result, ==, UTM_ERROR_QMP_MALFORMED);
	g_assert_null(value);
	if (g_strcmp0(utm_error_get_key_path(error), path) != 0)
		g_error("%s: the path is %s, not %s: %s", struct_type_name(schema, type), utm_error_get_key_path(error), path, text);
}

typedef void (*CheckMemberFunc)(const UtmSchema *schema, guint type, const UtmSchemaMember *member, const char *name);

static CheckMemberFunc check_member;
static guint member_count;

/* Those with several forms are not here: what one refuses another may take. */
static void check_members(const UtmSchema *schema, guint type)
{
	const UtmSchemaType *row = &schema->types[type];
	for (guint i = 0; row->kind == UTM_SCHEMA_STRUCT && i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(schema, row, i);
		const char *name = utm__schema_string(schema, member->name);
		if (member->next_form || utm__schema_find_member(schema, row, name, strlen(name)) != member)
			continue;
		check_member(schema, type, member, name);
	}
}

static void for_each_member(CheckMemberFunc check)
{
	check_member = check;
	member_count = 0;
	for_each_type(check_members);
	g_test_message("%u checks", member_count);
	g_assert_cmpuint(member_count, >, 500);
}

/* What left a union for its branches may be missing in the one and be required in the other. */
static bool is_in_branch(const UtmSchema *schema, const UtmSchemaType *row, const char *name)
{
	for (guint i = 0; i < row->branch_count; i++) {
		const UtmSchemaType *branch = &schema->types[schema->branches[row->first_branch + i].type];
		if (utm__schema_find_member(schema, branch, name, strlen(name)))
			return true;
	}
	return false;
}

static void check_missing(const UtmSchema *schema, guint type, const UtmSchemaMember *member, const char *name)
{
	g_autofree char *text = with_member(schema, type, name, NULL);
	member_count++;
	if (is_in_branch(schema, &schema->types[type], name))
		return;
	if (member->flags & UTM_SCHEMA_OPTIONAL)
		utm__schema_free(schema, decode(schema, type, text));
	else
		assert_refused(schema, type, text, name);
}

static void test_missing(void)
{
	for_each_member(check_missing);
}

static const struct {
	const char *text;
	guint kinds; /* of members that take it */
} some_values[] = {
	{ "null", 1 << UTM_SCHEMA_NULL },
	{ "true", 1 << UTM_SCHEMA_BOOL },
	{ "1", 1 << UTM_SCHEMA_INT | 1 << UTM_SCHEMA_NUMBER },
	{ "-1.5", 1 << UTM_SCHEMA_NUMBER },
	{ "1e400", 0 },
	{ "18446744073709551616", 0 },
	{ "\"text\"", 1 << UTM_SCHEMA_STRING | 1 << UTM_SCHEMA_ENUM },
	{ "\"cut\\u0000here\"", 0 },
	{ "{}", 1 << UTM_SCHEMA_STRUCT },
	{ "[]", 1 << UTM_SCHEMA_WRAPPER }, /* for lists */
};

/* The kinds that a member consists of, alternates resolved. */
static guint kinds_of(const UtmSchema *schema, const UtmSchemaMember *member)
{
	if (member->flags & UTM_SCHEMA_ARRAY)
		return 1 << UTM_SCHEMA_WRAPPER;
	if (member->kind != UTM_SCHEMA_STRUCT || schema->types[member->type].kind != UTM_SCHEMA_ALTERNATE)
		return 1u << member->kind;
	guint kinds = 0;
	const UtmSchemaType *row = &schema->types[member->type];
	for (guint i = 0; i < row->count; i++)
		kinds |= kinds_of(schema, utm__schema_member(schema, row, i));
	return kinds;
}

static void check_kinds(const UtmSchema *schema, guint type, const UtmSchemaMember *member, const char *name)
{
	for (gsize i = 0; member->kind != UTM_SCHEMA_ANY && i < G_N_ELEMENTS(some_values); i++, member_count++) {
		if (some_values[i].kinds & kinds_of(schema, member))
			continue;
		g_autofree char *text = with_member(schema, type, name, some_values[i].text);
		assert_refused(schema, type, text, name);
	}
	/* Lists may not be of nothing. */
	if (!(member->flags & UTM_SCHEMA_ARRAY) || member->kind == UTM_SCHEMA_ANY)
		return;
	g_autofree char *text = with_member(schema, type, name, "[null]");
	g_autofree char *path = g_strconcat(name, "[0]", NULL);
	assert_refused(schema, type, text, path);
}

static void test_kinds(void)
{
	for_each_member(check_kinds);
}

/* --- integers --- */

/* (value, what it becomes) at and beyond the ends of each width. */
static const struct {
	guint bytes;
	const char *low, *high, *below, *above;
} widths[] = {
	{ 1, "-128", "127", "-129", "128" },
	{ 2, "-32768", "32767", "-32769", "32768" },
	{ 4, "-2147483648", "2147483647", "-2147483649", "2147483648" },
	{ 8, "-9223372036854775808", "9223372036854775807", "-9223372036854775809", "9223372036854775808" },
	{ 1 | UTM_SCHEMA_INT_UNSIGNED, "0", "255", "-1", "256" },
	{ 2 | UTM_SCHEMA_INT_UNSIGNED, "0", "65535", "-1", "65536" },
	{ 4 | UTM_SCHEMA_INT_UNSIGNED, "0", "4294967295", "-1", "4294967296" },
	{ 8 | UTM_SCHEMA_INT_UNSIGNED, "0", "18446744073709551615", "-1", "18446744073709551616" },
};

static void assert_kept(const UtmSchema *schema, guint type, const char *name, const char *raw)
{
	g_autofree char *text = with_member(schema, type, name, raw);
	void *value = decode(schema, type, text);
	g_autofree char *second = encode(schema, type, value);
	g_autoptr(UtmValue) tree = parse(second);
	g_autofree char *kept = utm_value_dup_json(utm_value_get_member(tree, name));
	g_assert_cmpstr(kept, ==, raw);
	utm__schema_free(schema, value);
}

static void check_int(const UtmSchema *schema, guint type, const UtmSchemaMember *member, const char *name)
{
	bool list = member->flags & UTM_SCHEMA_ARRAY;
	g_autofree char *path = g_strconcat(name, list ? "[0]" : "", NULL);
	for (gsize i = 0; member->kind == UTM_SCHEMA_INT && i < G_N_ELEMENTS(widths); i++) {
		const char *const wrong[] = { widths[i].below, widths[i].above, "0.5", "-1e300", "18446744073709551616", "true" };
		const char *const right[] = { widths[i].low, widths[i].high };
		for (gsize j = 0; widths[i].bytes == member->type && j < G_N_ELEMENTS(wrong); j++) {
			g_autofree char *raw = list ? g_strdup_printf("[%s]", wrong[j]) : g_strdup(wrong[j]);
			g_autofree char *text = with_member(schema, type, name, raw);
			assert_refused(schema, type, text, path);
			member_count++;
		}
		for (gsize j = 0; widths[i].bytes == member->type && j < G_N_ELEMENTS(right); j++) {
			g_autofree char *raw = list ? g_strdup_printf("[%s]", right[j]) : g_strdup(right[j]);
			assert_kept(schema, type, name, raw);
			member_count++;
		}
	}
}

static void test_integers(void)
{
	for_each_member(check_int);
}

/* --- enumerations --- */

static guint check_enum(const UtmSchema *schema, guint type)
{
	uint32_t number = (uint32_t)schema->number << 16 | type;
	guint count = schema->types[type].count;
	for (guint value = 0; value < count; value++) {
		const char *text = utm_enum_to_string(number, (int32_t)value);
		g_autofree char *longer = g_strconcat(text, "x", NULL);
		g_autofree char *shorter = g_strndup(text, strlen(text) - 1);
		g_assert_cmpint(utm_enum_from_string(number, text), ==, (int32_t)value);
		g_assert_cmpint(utm_enum_from_string(number, longer), !=, (int32_t)value);
		g_assert_cmpint(utm_enum_from_string(number, shorter), !=, (int32_t)value);
	}
	g_assert_null(utm_enum_to_string(number, (int32_t)count));
	g_assert_null(utm_enum_to_string(number, -1));
	g_assert_null(utm_enum_to_string(number, G_MININT32));
	g_assert_cmpint(utm_enum_from_string(number, "no such value"), ==, -1);
	g_assert_cmpint(utm_enum_from_string(number, ""), ==, -1);
	g_assert_cmpint(utm_enum_from_string(number, NULL), ==, -1);
	g_assert_null(utm_struct_new(number));
	return count;
}

static void test_enums(void)
{
	guint values = 0;
	for (gsize i = 0; i < G_N_ELEMENTS(schemas); i++)
		for (guint type = 0; type < schemas[i]->type_count; type++) {
			if (schemas[i]->types[type].name && schemas[i]->types[type].kind == UTM_SCHEMA_ENUM)
				values += check_enum(schemas[i], type);
			else
				g_assert_null(utm_enum_to_string((uint32_t)schemas[i]->number << 16 | type, 0));
		}
	g_test_message("%u values", values);
	g_assert_cmpuint(values, >, 900);
}

/* --- numbers that are no type --- */

static void test_no_types(void)
{
	static const uint32_t numbers[] = { 0, 1, 0xffff, 0x10000 | 0x7fff, 0x1ffff, 0x30000, 0xffff0000, 0xffffffff };
	for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
		g_autoptr(UtmError) error = NULL;
		void *value = NULL;
		g_assert_null(utm_struct_new(numbers[i]));
		g_assert_null(utm_enum_to_string(numbers[i], 0));
		g_assert_cmpint(utm_enum_from_string(numbers[i], "x"), ==, -1);
		g_assert_cmpint(utm_struct_from_json(numbers[i], "{}", &value, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
		g_assert_null(value);
	}
}

/* --- any bytes --- */

/* Valid texts with a byte changed, cut or doubled: read or refused, and what was read can be written and read again. */
static void check_damaged(const UtmSchema *schema, guint type)
{
	void *value = random_struct_new(schema, type, NULL), *read = NULL;
	g_autofree char *text = encode(schema, type, value);
	utm__schema_free(schema, value);
	for (int i = 0; i < 20; i++) {
		static const char bytes[] = "{}[],:\"\\0129-.eE ntf\x80\xff\n";
		g_autoptr(GString) damaged = g_string_new(text);
		gsize at = (gsize)g_test_rand_int_range(0, (gint)damaged->len);
		if (g_test_rand_bit())
			damaged->str[at] = bytes[g_test_rand_int_range(0, sizeof bytes - 1)];
		else if (g_test_rand_bit())
			g_string_truncate(damaged, at);
		else
			g_string_insert_c(damaged, (gssize)at, damaged->str[at]);
		if (utm__protocol_decode(schema, type, damaged->str, damaged->len, &read, NULL) < 0)
			continue;
		g_autofree char *first = encode(schema, type, read);
		void *again = decode(schema, type, first);
		assert_same(schema, type, read, again, first);
		utm__schema_free(schema, read);
		utm__schema_free(schema, again);
	}
}

static void test_damaged(void)
{
	for_each_type(check_damaged);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/protocol/round-trip", test_round_trip);
	g_test_add_func("/protocol/difference", test_difference);
	g_test_add_func("/protocol/new", test_new);
	g_test_add_func("/protocol/missing", test_missing);
	g_test_add_func("/protocol/kinds", test_kinds);
	g_test_add_func("/protocol/integers", test_integers);
	g_test_add_func("/protocol/enums", test_enums);
	g_test_add_func("/protocol/no-types", test_no_types);
	g_test_add_func("/protocol/damaged", test_damaged);
	return g_test_run();
}
