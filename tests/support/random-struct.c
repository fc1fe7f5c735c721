/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "random-struct.h"

#include "schema/json-codec.h"

#include <string.h>
#include <utm/value.h>

#define DEPTH_MAX 5
#define ELEMENTS_MAX 3

/* An object and the unions that share its braces. */
typedef struct Flat {
	const struct Flat *above;
	guint type;
} Flat;

typedef struct Random {
	const UtmSchema *schema;
	guint depth;
	bool exact;
	bool for_files;
} Random;

static void *random_object(Random *r, guint type, const Flat *above);

static bool one_in(int count)
{
	return g_test_rand_int_range(0, count) == 0;
}

/* --- scalars --- */

static void append_text(GString *text)
{
	static const char *const parts[] = { "a",  "Z",    "0",    " ",      "\"",         "\\",           "/",
		                                 "\n", "\x01", "\x7f", "\u00e9", "\U0001F5A5", "\xef\xbf\xbf", "null" };
	for (int i = g_test_rand_int_range(0, 6); i > 0; i--)
		g_string_append(text, parts[g_test_rand_int_range(0, G_N_ELEMENTS(parts))]);
}

static char *random_text(void)
{
	GString *text = g_string_new(NULL);
	append_text(text);
	return g_string_free(text, FALSE);
}

static guint64 random_bits(void)
{
	static const guint64 limits[] = { 0, 1, G_MAXINT64, (guint64)G_MAXINT64 + 1, G_MAXUINT64, G_MAXUINT32, G_MAXINT32 };
	if (one_in(4))
		return limits[g_test_rand_int_range(0, G_N_ELEMENTS(limits))];
	return (guint64)(guint32)g_test_rand_int() << 32 | (guint32)g_test_rand_int();
}

/* Of any width: what is left of the bits. */
static void random_int(const UtmSchemaMember *member, void *field)
{
	guint64 bits = random_bits();
	memcpy(field, &bits, utm__schema_element_size(member));
}

/* An end of the range as often as something within. */
static int64_t random_in_range(const UtmSchema *schema, const UtmSchemaMember *member)
{
	const UtmSchemaFact *min = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_MIN);
	const UtmSchemaFact *max = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_MAX);
	int64_t least = min ? schema->numbers[min->value] : INT64_MIN, most = max ? schema->numbers[max->value] : INT64_MAX;
	guint64 span = (guint64)most - (guint64)least;
	if (one_in(2))
		return one_in(2) ? least : most;
	return (int64_t)((guint64)least + (span == G_MAXUINT64 ? random_bits() : random_bits() % (span + 1)));
}

static char *random_uuid(void)
{
	guint64 a = random_bits(), b = random_bits();
	return g_strdup_printf("%08X-%04X-%04X-%04X-%012" G_GINT64_MODIFIER "X", (guint)(a >> 32), (guint)(a >> 16) & 0xffff,
	                       (guint)a & 0xffff, (guint)(b >> 48), b & G_GUINT64_CONSTANT(0xffffffffffff));
}

static double random_number(void)
{
	static const double some[] = { 0.0, -0.0, 1.0, 0.1, 1e308, 4.9e-324, -9007199254740993.0, 1e21 };
	return one_in(3) ? some[g_test_rand_int_range(0, G_N_ELEMENTS(some))] : g_test_rand_double_range(-1e6, 1e6);
}

/* What only property lists have. */
static UtmValue *random_data(void)
{
	guint64 bytes[8];
	for (gsize i = 0; i < G_N_ELEMENTS(bytes); i++)
		bytes[i] = random_bits();
	UtmToken token = { .kind = UTM_TOKEN_DATA, .text = (const char *)bytes,
		               .length = (gsize)g_test_rand_int_range(0, sizeof bytes + 1) };
	return utm__value_new_scalar(&token);
}

static UtmValue *random_date(void)
{
	UtmToken token = { .kind = UTM_TOKEN_DATE, .integer = g_test_rand_int_range(-1000000000, 1000000000) };
	return utm__value_new_scalar(&token);
}

static UtmValue *random_value(void)
{
	static const char *const some[] = {
		"null", "true", "0", "-9223372036854775808", "18446744073709551615", "0.5", "1e300", "\"\"", "\"\\u00e9\\n\"",
		"[]", "{}", "[null,[[{}]],1.0,\"x\"]", "{\"\":0,\"a\":{\"b\":[{\"c\":[]}]},\"\\ud83d\\udda5\":null,\"\uffff\":1}",
	};
	UtmValue *value = NULL;
	g_assert_cmpint(utm_value_from_json(some[g_test_rand_int_range(0, G_N_ELEMENTS(some))], &value, NULL), ==, 0);
	return value;
}

/* Without null, which files do not have. */
static UtmValue *random_file_value(void)
{
	static const char *const some[] = {
		"true", "false", "0", "-1", "-9223372036854775808", "9223372036854775807", "0.5", "-1e300",
		"1.0", "\"\"", "\" <&>'\\u00e9\"", "[]", "{}", "[[[{}]],1.0,\"x\"]", "{\"\":0,\"a\":{\"b\":[{\"c\":[]}]},\"\\ud83d\\udda5\":true}",
	};
	UtmValue *value = NULL;
	if (one_in(4))
		return one_in(2) ? random_data() : random_date();
	g_assert_cmpint(utm_value_from_json(some[g_test_rand_int_range(0, G_N_ELEMENTS(some))], &value, NULL), ==, 0);
	return value;
}

/* --- what nobody knows --- */

static void add_extra(UtmSchemaHeader *object, const char *name, UtmValue *value_taken)
{
	if (!object->extras)
		object->extras = utm__value_new_object();
	utm__value_append(object->extras, name, strlen(name), value_taken);
	utm__value_sort(object->extras);
}

static UtmValue *unknown_text(void)
{
	g_autofree char *random = random_text();
	g_autofree char *text = g_strconcat("not known: ", random, NULL);
	return utm__value_new_string(text, strlen(text));
}

/* Between, before and behind the known ones in their order. */
static void random_extras(const Random *r, UtmSchemaHeader *object)
{
	static const char *const names[] = { "", "A", "m m", "zzz", "\u00e9", "\U0001F5A5", "\xef\xbf\xbf", "a\nb\"" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (one_in(4))
			add_extra(object, names[i], r->for_files ? random_file_value() : random_value());
}

/* --- members --- */

static void random_enum(Random *r, const UtmSchemaMember *member, int32_t *field, UtmSchemaHeader *object,
                        UtmValue *texts, gsize index)
{
	*field = g_test_rand_int_range(0, r->schema->types[member->type].count);
	if (r->for_files || !one_in(12))
		return;
	*field = -1;
	if (!texts) {
		add_extra(object, utm__schema_string(r->schema, member->name), unknown_text());
		return;
	}
	while (texts->as.children.count < index)
		utm__value_push(texts, utm__value_new_null());
	utm__value_push(texts, unknown_text());
}

static void random_field(Random *r, const UtmSchemaMember *member, void *field, UtmSchemaHeader *object,
                         UtmValue *texts, gsize index)
{
	switch (member->kind) {
	case UTM_SCHEMA_BOOL:
		*(bool *)field = g_test_rand_bit();
		break;
	case UTM_SCHEMA_INT:
		if (r->for_files)
			*(int64_t *)field = random_in_range(r->schema, member);
		else
			random_int(member, field);
		break;
	case UTM_SCHEMA_NUMBER:
		*(double *)field = random_number();
		break;
	case UTM_SCHEMA_STRING:
		*(char **)field = member->flags & UTM_SCHEMA_UUID ? random_uuid() : random_text();
		break;
	case UTM_SCHEMA_ANY:
		*(UtmValue **)field = r->for_files ? random_data() : random_value();
		break;
	case UTM_SCHEMA_ENUM:
		random_enum(r, member, field, object, texts, index);
		break;
	case UTM_SCHEMA_STRUCT:
		*(void **)field = random_object(r, member->type, NULL);
		break;
	}
}

static void random_array(Random *r, const UtmSchemaMember *member, UtmSchemaHeader *object)
{
	UtmValue *texts = utm__value_new_array();
	int count = r->depth > DEPTH_MAX ? 0 : g_test_rand_int_range(0, ELEMENTS_MAX + 1);
	*(void **)utm__schema_at(object, member->offset) = g_malloc0(1); /* an empty list is one, and not absent */
	for (int i = 0; i < count; i++)
		random_field(r, member, utm__schema_insert_element(member, object, (gsize)i), object, texts, (gsize)i);
	if (texts->as.children.count)
		add_extra(object, utm__schema_string(r->schema, member->name), texts);
	else
		utm__value_free(texts);
}

/* Only early files have it, so it is read and not written. */
static bool is_obsolete(const Random *r, const UtmSchemaMember *member)
{
	const UtmSchemaFact *write_if = utm__schema_find_fact(r->schema, member, UTM_SCHEMA_FACT_WRITE_IF);
	return utm__schema_find_fact(r->schema, member, UTM_SCHEMA_FACT_FORGET) ||
	       (write_if && r->schema->conditions[write_if->condition].op == UTM_SCHEMA_IF_IN &&
	        r->schema->conditions[write_if->condition].count == 0);
}

static void random_member(Random *r, const UtmSchemaMember *member, UtmSchemaHeader *object)
{
	bool wanted = r->depth <= DEPTH_MAX && g_test_rand_bit() && !is_obsolete(r, member);
	if ((member->flags & UTM_SCHEMA_OPTIONAL) && !wanted) {
		utm__schema_set_default(r->schema, member, object);
		return;
	}
	if (member->flags & UTM_SCHEMA_ARRAY)
		random_array(r, member, object);
	else
		random_field(r, member, utm__schema_at(object, member->offset), object, NULL, 0);
	utm__schema_set_present(member, object);
}

/* What others make required. */
static void complete_members(Random *r, const UtmSchemaType *row, UtmSchemaHeader *object)
{
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(r->schema, row, i);
		const UtmSchemaFact *required_if = utm__schema_find_fact(r->schema, member, UTM_SCHEMA_FACT_REQUIRED_IF);
		if (!required_if || !utm__schema_holds(r->schema, required_if, object) || utm__schema_is_present(member, object))
			continue;
		random_field(r, member, utm__schema_at(object, member->offset), object, NULL, 0);
		utm__schema_set_present(member, object);
	}
}

/* One of the forms of a member whose type changed, or none; reading fills more. */
static void random_form(Random *r, const UtmSchemaMember *first, UtmSchemaHeader *object)
{
	const UtmSchemaMember *member = first;
	while (member->next_form && g_test_rand_bit())
		member += member->next_form;
	random_member(r, member, object);
	r->exact = false;
}

static bool is_later_form(const UtmSchema *schema, const UtmSchemaType *row, guint index)
{
	const UtmSchemaMember *member = utm__schema_member(schema, row, index);
	const char *name = utm__schema_string(schema, member->name);
	return utm__schema_find_member(schema, row, name, strlen(name)) != member;
}

static bool stands_above(const Random *r, const Flat *above, const char *name)
{
	for (; above; above = above->above)
		if (utm__schema_find_member(r->schema, &r->schema->types[above->type], name, strlen(name)))
			return true;
	return false;
}

/* What may stand in the union as well as in its branch is read into both. */
static void random_members(Random *r, const UtmSchemaType *row, UtmSchemaHeader *object, const Flat *above)
{
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(r->schema, row, i);
		r->exact &= !stands_above(r, above, utm__schema_string(r->schema, member->name));
		if (is_later_form(r->schema, row, i))
			continue;
		if (member->next_form)
			random_form(r, member, object);
		else
			random_member(r, member, object);
	}
}

/* True when the object's keys go on in a branch, which then has the unknown ones. */
static bool random_branch(Random *r, UtmSchemaHeader *object, const Flat *flat)
{
	guint forms = 0;
	bool late = false;
	const UtmSchemaBranch *branch = NULL, *chosen = NULL;
	while ((branch = utm__schema_next_branch(r->schema, object, branch))) {
		late |= branch->late;
		if (one_in((int)++forms))
			chosen = branch;
	}
	r->exact &= forms <= 1;
	if (!chosen || (late && g_test_rand_bit()))
		return false;
	void **place = utm__schema_at(object, chosen->offset);
	*place = random_object(r, chosen->type, flat);
	return true;
}

static void random_choice(Random *r, const UtmSchemaType *row, UtmSchemaHeader *object)
{
	int choice;
	const UtmSchemaMember *branch;
	do {
		choice = g_test_rand_int_range(0, row->count);
		branch = utm__schema_member(r->schema, row, (guint)choice);
	} while (branch->kind == UTM_SCHEMA_STRUCT && r->depth > DEPTH_MAX);
	random_member(r, branch, object);
	*(int32_t *)utm__schema_at(object, row->tag) = choice + 1;
}

static void *random_object(Random *r, guint type, const Flat *above)
{
	const UtmSchemaType *row = &r->schema->types[type];
	UtmSchemaHeader *object = utm__schema_alloc(r->schema, type);
	Flat flat = { .above = above, .type = type };
	g_assert_cmpuint(++r->depth, <, 64);
	if (row->kind == UTM_SCHEMA_ALTERNATE) {
		random_choice(r, row, object);
	} else {
		random_members(r, row, object, above);
		complete_members(r, row, object);
		if (!random_branch(r, object, &flat) && row->kind == UTM_SCHEMA_STRUCT && one_in(3))
			random_extras(r, object);
	}
	r->depth--;
	return object;
}

void *random_struct_new(const UtmSchema *schema, guint type, bool *ret_exact)
{
	/* Some are shallow, so that not only their deepest parts are short. */
	Random r = { .schema = schema, .exact = true, .depth = (guint)g_test_rand_int_range(0, DEPTH_MAX) };
	void *object = random_object(&r, type, NULL);
	if (ret_exact)
		*ret_exact = r.exact;
	return object;
}

void *random_file_new(const UtmSchema *schema, guint type)
{
	Random r = { .schema = schema, .for_files = true };
	return random_object(&r, type, NULL);
}

/* --- spelling --- */

static void append_space(GString *text)
{
	static const char *const spaces[] = { "", "", "", " ", "\r\n", "\t  " };
	g_string_append(text, spaces[g_test_rand_int_range(0, G_N_ELEMENTS(spaces))]);
}

static void append_string(GString *text, const char *p)
{
	g_string_append_c(text, '"');
	for (; *p; p++) {
		bool needs_escape = (guchar)*p < ' ' || *p == '"' || *p == '\\';
		if (needs_escape || ((guchar)*p < 0x80 && one_in(8)))
			g_string_append_printf(text, "\\u%04X", *p);
		else
			g_string_append_c(text, *p);
	}
	g_string_append_c(text, '"');
}

static void append_spelling(GString *text, const UtmValue *value);

static void append_children(GString *text, const UtmValue *value)
{
	gsize count = utm_value_get_count(value), start = count ? (gsize)g_test_rand_int_range(0, (gint)count) : 0;
	bool object = utm_value_get_kind(value) == UTM_VALUE_OBJECT, backwards = object && g_test_rand_bit();
	g_string_append_c(text, object ? '{' : '[');
	for (gsize i = 0; i < count; i++) {
		gsize index = !object ? i : backwards ? count - 1 - i : (start + i) % count;
		append_space(text);
		if (object) {
			append_string(text, utm_value_get_key(value, index));
			append_space(text);
			g_string_append_c(text, ':');
		}
		append_spelling(text, utm_value_get_item(value, index));
		g_string_append_c(text, i + 1 < count ? ',' : ' ');
	}
	g_string_append_c(text, object ? '}' : ']');
}

static void append_spelling(GString *text, const UtmValue *value)
{
	UtmValueKind kind = utm_value_get_kind(value);
	append_space(text);
	if (kind == UTM_VALUE_ARRAY || kind == UTM_VALUE_OBJECT) {
		append_children(text, value);
	} else if (kind == UTM_VALUE_STRING) {
		append_string(text, utm_value_get_string(value));
	} else {
		g_autofree char *scalar = utm_value_dup_json(value);
		g_string_append(text, scalar);
	}
	append_space(text);
}

char *random_spelling(const UtmValue *value)
{
	GString *text = g_string_new(NULL);
	append_spelling(text, value);
	return g_string_free(text, FALSE);
}

/* --- types --- */

bool is_struct_type(const UtmSchema *schema, guint type)
{
	const UtmSchemaType *row = &schema->types[type];
	return row->name && row->kind != UTM_SCHEMA_ENUM;
}

const char *struct_type_name(const UtmSchema *schema, guint type)
{
	return utm__schema_string(schema, schema->types[type].name);
}
