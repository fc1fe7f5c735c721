/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random values of every type as JSON, and what C makes of them: the measure for the types of other languages. The
 * output is lines of `protocol/Type TAB text TAB outcome`. The text is in any order and spelling; the outcome is what C
 * writes after it has read that text, or `!` and the key path of what it refuses. Each value comes twice, the second time
 * with one thing in it changed or missing. A `*` at the end of an outcome stands for whatever follows.
 */
#include "config-types.h"
#include "random-struct.h"
#include "schema/json-codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utm/value.h>

/* How often a change is looked for that a type of the configuration refuses. */
#define TRIES 8
#define NESTING 2000

typedef struct Family {
	const char *name;
	const UtmSchema *schema;
	bool is_config;
} Family;

static const Family families[] = {
	{ "qmp", &utm__qmp_schema, false },
	{ "qga", &utm__qga_schema, false },
	{ "config", &utm__config_schema, true },
};

/* --- C's reading and writing --- */

static int decode(const Family *family, guint type, const char *text, void **ret_object, UtmError **error)
{
	if (family->is_config)
		return utm__json_decode(family->schema, type, text, strlen(text), UTM_SCHEMA_KEEP_UNKNOWN | UTM_SCHEMA_UNFINISHED,
		                        ret_object, error);
	return utm__protocol_decode(family->schema, type, text, strlen(text), ret_object, error);
}

static char *encode(const Family *family, const void *object)
{
	GString *text = g_string_new(NULL);
	char *config = NULL;
	g_autoptr(UtmError) error = NULL;
	int result = family->is_config ? utm__json_encode(family->schema, object, 0, false, &config, &error)
	                               : utm__protocol_encode(family->schema, object, text, NULL, &error);
	if (result < 0)
		g_error("%s: at %s: %s", struct_type_name(family->schema, utm__schema_type_of(object)),
		        utm_error_get_key_path(error), utm_error_get_message(error));
	if (config)
		g_string_assign(text, config);
	g_free(config);
	return g_string_free(text, FALSE);
}

/* Of the members that an empty object lacks, each language may name another one. */
static char *refused(const char *path, bool is_one_of_many)
{
	const char *last = strrchr(path, '.');
	gsize length = !is_one_of_many ? strlen(path) : last ? (gsize)(last - path) : 0;
	return g_strdup_printf("!%.*s%s", (int)length, path, is_one_of_many ? "*" : "");
}

/* What C makes of a text. */
static char *outcome_of(const Family *family, guint type, const char *text)
{
	void *object = NULL;
	g_autoptr(UtmError) error = NULL;
	if (decode(family, type, text, &object, &error) < 0) {
		const char *path = utm_error_get_key_path(error);
		bool is_one_of_many = strstr(text, "{}") && strcmp(utm_error_get_message(error), "is missing") == 0;
		return refused(path ? path : "", is_one_of_many);
	}
	char *written = encode(family, object);
	utm__schema_free(family->schema, object);
	return written;
}

/* --- one thing changed --- */

static UtmValue *any_container(UtmValue *value)
{
	gsize count = utm_value_get_count(value);
	UtmValue *inner = count ? value->as.children.items[g_test_rand_int_range(0, (gint)count)] : NULL;
	bool goes_on = inner && utm_value_get_count(inner) && g_test_rand_bit();
	return goes_on ? any_container(inner) : value;
}

static UtmValue *odd_value(bool is_config)
{
	static const char *const odd[] = { "-1.5", "{}", "[]", "true", "1", "\"text\"", "null", "18446744073709551615", "1e2",
		                               "[null]", "-1" };
	UtmValue *value = NULL;
	/* Texts and null are no mistake in files, but for reasons that only C knows. */
	int last = is_config ? 3 : G_N_ELEMENTS(odd);
	g_assert_cmpint(utm_value_from_json(odd[g_test_rand_int_range(0, last)], &value, NULL), ==, 0);
	return value;
}

/* A member of some object or an element of some array: another value, or none. */
static void change(UtmValue *tree, bool is_config)
{
	UtmValue *container = any_container(tree);
	gsize count = utm_value_get_count(container);
	if (count == 0)
		return;
	gsize index = (gsize)g_test_rand_int_range(0, (gint)count);
	if (utm_value_get_kind(container) == UTM_VALUE_OBJECT && g_test_rand_int_range(0, 3) == 0) {
		g_autofree char *key = g_strdup(container->as.children.keys[index]);
		utm__value_remove(container, key);
		return;
	}
	utm__value_free(container->as.children.items[index]);
	container->as.children.items[index] = odd_value(is_config);
}

static bool is_earlier(const UtmSchema *schema, const UtmSchemaType *row, guint count, guint value)
{
	for (guint i = 0; i < count; i++)
		if (schema->branches[row->first_branch + i].value == value)
			return true;
	return false;
}

/*
 * A branch whose type changed has two rows here, and of both C fills what fits. Other languages have the newer one, which
 * reads all that peers of either release say, but not all that the older one takes beside its members.
 */
static bool has_two_branches(const UtmSchema *schema, guint type, guint8 *visited)
{
	const UtmSchemaType *row = &schema->types[type];
	if (visited[type] || !row->name || row->kind == UTM_SCHEMA_ENUM)
		return false;
	visited[type] = 1;
	for (guint i = 0; i < row->branch_count; i++) {
		const UtmSchemaBranch *branch = &schema->branches[row->first_branch + i];
		if (is_earlier(schema, row, i, branch->value) || has_two_branches(schema, branch->type, visited))
			return true;
	}
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(schema, row, i);
		if (member->kind == UTM_SCHEMA_STRUCT && has_two_branches(schema, member->type, visited))
			return true;
	}
	return false;
}

static char *spelled(const UtmValue *tree)
{
	char *text = random_spelling(tree);
	return g_strdelimit(text, "\r\n\t", ' ');
}

/* --- lines --- */

static void put(const Family *family, guint type, const char *text, const char *outcome)
{
	printf("%s/%s\t%s\t%s\n", family->name, struct_type_name(family->schema, type), text, outcome);
}

static UtmValue *parse(const char *text)
{
	UtmValue *tree = NULL;
	g_assert_cmpint(utm_value_from_json(text, &tree, NULL), ==, 0);
	return tree;
}

static void emit_changed(const Family *family, guint type, const char *whole)
{
	for (int i = 0; i < (family->is_config ? TRIES : 1); i++) {
		UtmValue *tree = parse(whole);
		change(tree, family->is_config);
		g_autofree char *text = spelled(tree);
		g_autofree char *outcome = outcome_of(family, type, text);
		utm__value_free(tree);
		/* What a file lacks the engine makes up, in ways that no other language knows. */
		if (family->is_config && *outcome != '!')
			continue;
		put(family, type, text, outcome);
		return;
	}
}

static void emit(const Family *family, guint type)
{
	const UtmSchema *schema = family->schema;
	void *value = family->is_config ? random_file_new(schema, type) : random_struct_new(schema, type, NULL);
	g_autofree char *first = encode(family, value);
	utm__schema_free(schema, value);
	UtmValue *tree = parse(first);
	g_autofree char *text = spelled(tree);
	utm__value_free(tree);
	/* Reading may fill more forms than were made; from then on it stays the same. */
	g_autofree char *outcome = outcome_of(family, type, text);
	g_autofree char *again = outcome_of(family, type, outcome);
	if (strcmp(outcome, again) != 0)
		g_error("%s: %s became %s", struct_type_name(schema, type), outcome, again);
	put(family, type, text, outcome);
	g_autofree guint8 *visited = g_new0(guint8, schema->type_count);
	if (!has_two_branches(schema, type, visited))
		emit_changed(family, type, outcome);
}

/* --- what no value can be --- */

static const struct {
	const char *type, *text, *outcome;
} fixed[] = {
	{ "StatusInfo", "", "!*" },
	{ "StatusInfo", "[]", NULL },
	{ "StatusInfo", "{\"running\":true,\"status\":\"running\"", "!*" },
	{ "StatusInfo", "{\"running\":true,\"status\":\"running\"}}", "!*" },
	{ "StatusInfo", "{\"running\":true,\"running\":true,\"status\":\"running\"}", NULL },
	{ "StatusInfo", "{\"running\":true,\"status\":\"\\u0000\"}", "!*" },
	{ "StatusInfo", "{\"running\":true,\"status\":\"\\ud800\"}", "!*" },
	{ "StatusInfo", "{\"running\":true,\"status\":\"running\",\"x\":1e400}", "!*" },
	{ "StatusInfo", "{\"running\":true,\"status\":\"running\",\"x\":18446744073709551616}", "!*" },
	{ "StatusInfo", "{\"running\":true,\"status\":\"running\",\"x\":NaN}", "!*" },
	{ "StatusInfo", "{\"running\":true,\"status\":\"running\",\"x\":{\"a\":1,\"a\":2.50}}", NULL },
	{ "StatusInfo", "{\"running\":true,\"status\":\"running\",\"x\":1,\"x\":2}", NULL },
	{ "StatusInfo", "{'running':true,'status':'running'}", "!*" },
	{ "Stats", "{\"name\":\"n\",\"value\":1e2}", NULL },
	{ "Stats", "{\"name\":\"n\",\"value\":0.5}", NULL },
	{ "Stats", "{\"name\":\"n\",\"value\":[1,2.0,-1]}", NULL },
	{ "Stats", "{\"name\":\"n\",\"value\":null}", NULL },
	{ "StatsValue", "3.0", NULL },
	{ "StatsValue", "{}", NULL },
	{ "BlockdevRefOrNull", "null", NULL },
	{ "BlockInfo", "{\"device\":\"d\",\"locked\":false,\"removable\":true,\"type\":\"t\",\"inserted\":null}", NULL },
	{ "BlockInfo", "{\"device\":\"d\",\"locked\":false,\"removable\":true,\"type\":\"t\",\"\\u0000\":1}", "!*" },
	{ "BalloonInfo", "{\"actual\":4.096e3}", NULL },
	{ "BalloonInfo", "{\"actual\":1e300}", NULL },
	{ "BalloonInfo", "{\"actual\":9223372036854775808}", NULL },
};

static guint find_type(const UtmSchema *schema, const char *name)
{
	for (guint type = 0; type < schema->type_count; type++)
		if (is_struct_type(schema, type) && strcmp(struct_type_name(schema, type), name) == 0)
			return type;
	g_error("there is no type %s", name);
}

static void emit_fixed(void)
{
	const Family *qmp = &families[0];
	for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++) {
		guint type = find_type(qmp->schema, fixed[i].type);
		g_autofree char *outcome = outcome_of(qmp, type, fixed[i].text);
		if (fixed[i].outcome && *outcome != '!')
			g_error("%s is not refused", fixed[i].text);
		put(qmp, type, fixed[i].text, fixed[i].outcome ? fixed[i].outcome : outcome);
	}
}

static void emit_nested(const char *name, const char *open, const char *inner, const char *close)
{
	GString *text = g_string_new(NULL);
	for (int i = 0; i < NESTING; i++)
		g_string_append(text, open);
	g_string_append(text, inner);
	for (int i = 0; i < NESTING; i++)
		g_string_append(text, close);
	const Family *qmp = &families[0];
	guint type = find_type(qmp->schema, name);
	g_autofree char *outcome = outcome_of(qmp, type, text->str);
	if (*outcome != '!')
		g_error("%s is not too deep", name);
	put(qmp, type, text->str, "!*");
	g_string_free(text, TRUE);
}

/* With a count and a seed; without, 10 values of each type. */
int main(int argc, char **argv)
{
	g_autofree char *seed = g_strdup_printf("--seed=%s", argc > 2 ? argv[2] : "R02S00000000000000000000000000000001");
	char *options[] = { argv[0], seed, NULL }, **place = options;
	int count = argc > 1 ? atoi(argv[1]) : 10, option_count = 2;
	g_test_init(&option_count, &place, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(families); i++)
		for (guint type = 0; type < families[i].schema->type_count; type++) {
			guint kind = families[i].schema->types[type].kind;
			bool wanted = is_struct_type(families[i].schema, type) && kind != UTM_SCHEMA_WRAPPER;
			for (int round = 0; wanted && round < count; round++)
				emit(&families[i], type);
		}
	emit_fixed();
	emit_nested("BlockdevOptions", "{\"driver\":\"raw\",\"file\":", "\"x\"", "}");
	emit_nested("StatusInfo", "[", "1", "]");
	emit_nested("ObjectPropertyInfo", "{\"name\":\"n\",\"type\":\"t\",\"default-value\":", "1", "}");
	return 0;
}
