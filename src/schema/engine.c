/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects by table: make, free, copy, compare, fill with defaults. Reading and writing are in decode.c and encode.c. */
#include "schema/schema.h"

#include <string.h>
#include <sys/random.h>

#define MAGIC 0x55544d53u

/* --- what the tables say --- */

const UtmSchemaMember *utm__schema_find_member(const UtmSchema *schema, const UtmSchemaType *type, const char *name,
                                               gsize length)
{
	guint low = 0, high = type->count;
	while (low < high) {
		guint middle = (low + high) / 2;
		const UtmSchemaMember *member = utm__schema_member(schema, type, schema->sorted[type->by_name + middle]);
		const char *candidate = utm__schema_string(schema, member->name);
		int order = strncmp(candidate, name, length);
		if (order == 0 && candidate[length])
			order = 1;
		if (order == 0)
			return member;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const UtmSchemaFact *utm__schema_find_fact(const UtmSchema *schema, const UtmSchemaMember *member,
                                           UtmSchemaFactKind what)
{
	for (guint i = 0; i < member->fact_count; i++)
		if (schema->facts[member->first_fact + i].what == what)
			return &schema->facts[member->first_fact + i];
	return NULL;
}

const char *utm__schema_enum_get_text(const UtmSchema *schema, guint type, int32_t value)
{
	const UtmSchemaType *row = &schema->types[type];
	if (value < 0 || value >= row->count)
		return NULL;
	return utm__schema_string(schema, schema->values[row->first + value]);
}

int32_t utm__schema_enum_from_text(const UtmSchema *schema, guint type, const char *text, gsize length)
{
	const UtmSchemaType *row = &schema->types[type];
	for (int32_t value = 0; value < row->count; value++) {
		const char *name = utm__schema_string(schema, schema->values[row->first + value]);
		if (strlen(name) == length && memcmp(name, text, length) == 0)
			return value;
	}
	return -1;
}

char *utm__schema_enum_dup_list(const UtmSchema *schema, guint type)
{
	const UtmSchemaType *row = &schema->types[type];
	GString *list = g_string_new(NULL);
	for (int32_t value = 0; value < row->count; value++) {
		if (value > 0)
			g_string_append(list, value + 1 == row->count ? " or " : ", ");
		g_string_append(list, utm__schema_enum_get_text(schema, type, value));
	}
	return g_string_free(list, FALSE);
}

/* --- fields: where one value stands, in a struct or in an array --- */

gsize utm__schema_element_size(const UtmSchemaMember *member)
{
	static const guint8 sizes[] = {
		[UTM_SCHEMA_BOOL] = sizeof(bool),     [UTM_SCHEMA_INT] = sizeof(int64_t), [UTM_SCHEMA_NUMBER] = sizeof(double),
		[UTM_SCHEMA_STRING] = sizeof(char *), [UTM_SCHEMA_ANY] = sizeof(void *),  [UTM_SCHEMA_ENUM] = sizeof(int32_t),
		[UTM_SCHEMA_STRUCT] = sizeof(void *),
	};
	return sizes[member->kind];
}

static void clear_field(const UtmSchema *schema, const UtmSchemaMember *member, void *field)
{
	switch (member->kind) {
	case UTM_SCHEMA_STRING:
		g_free(*(char **)field);
		break;
	case UTM_SCHEMA_ANY:
		utm__value_free(*(UtmValue **)field);
		break;
	case UTM_SCHEMA_STRUCT:
		utm__schema_free(schema, *(void **)field);
		break;
	default:
		break;
	}
	memset(field, 0, utm__schema_element_size(member));
}

static void copy_field(const UtmSchema *schema, const UtmSchemaMember *member, void *to, const void *from)
{
	switch (member->kind) {
	case UTM_SCHEMA_STRING:
		*(char **)to = g_strdup(*(char *const *)from);
		break;
	case UTM_SCHEMA_ANY:
		*(UtmValue **)to = utm__value_copy(*(UtmValue *const *)from);
		break;
	case UTM_SCHEMA_STRUCT:
		*(void **)to = utm__schema_copy(schema, *(void *const *)from);
		break;
	default:
		memcpy(to, from, utm__schema_element_size(member));
	}
}

static bool field_equal(const UtmSchema *schema, const UtmSchemaMember *member, const void *a, const void *b)
{
	switch (member->kind) {
	case UTM_SCHEMA_STRING:
		return g_strcmp0(*(char *const *)a, *(char *const *)b) == 0;
	case UTM_SCHEMA_ANY:
		return utm__value_equal(*(UtmValue *const *)a, *(UtmValue *const *)b);
	case UTM_SCHEMA_STRUCT:
		return utm__schema_equal(schema, *(void *const *)a, *(void *const *)b);
	default:
		return memcmp(a, b, utm__schema_element_size(member)) == 0;
	}
}

/* --- arrays --- */

static void **array_of(const UtmSchemaMember *member, const void *object)
{
	return utm__schema_at(object, member->offset);
}

static size_t *count_of(const UtmSchemaMember *member, const void *object)
{
	return utm__schema_at(object, member->flag_offset);
}

gsize utm__schema_get_count(const UtmSchemaMember *member, const void *object)
{
	return *count_of(member, object);
}

void *utm__schema_get_element(const UtmSchemaMember *member, const void *object, gsize index)
{
	return (char *)*array_of(member, object) + index * utm__schema_element_size(member);
}

void *utm__schema_insert_element(const UtmSchemaMember *member, void *object, gsize index)
{
	gsize size = utm__schema_element_size(member), count = *count_of(member, object);
	*array_of(member, object) = g_realloc_n(*array_of(member, object), count + 1, size);
	char *gap = utm__schema_get_element(member, object, index);
	memmove(gap + size, gap, (count - index) * size);
	memset(gap, 0, size);
	*count_of(member, object) = count + 1;
	return gap;
}

void utm__schema_remove_element(const UtmSchema *schema, const UtmSchemaMember *member, void *object, gsize index)
{
	gsize size = utm__schema_element_size(member), count = --*count_of(member, object);
	char *gap = utm__schema_get_element(member, object, index);
	clear_field(schema, member, gap);
	memmove(gap, gap + size, (count - index) * size);
}

static void clear_array(const UtmSchema *schema, const UtmSchemaMember *member, void *object)
{
	for (gsize i = 0; i < utm__schema_get_count(member, object); i++)
		clear_field(schema, member, utm__schema_get_element(member, object, i));
	g_free(*array_of(member, object));
	*array_of(member, object) = NULL;
	*count_of(member, object) = 0;
}

static void copy_array(const UtmSchema *schema, const UtmSchemaMember *member, void *to, const void *from)
{
	gsize count = utm__schema_get_count(member, from), size = utm__schema_element_size(member);
	if (!*array_of(member, from))
		return;
	*array_of(member, to) = g_malloc0_n(count + 1, size);
	*count_of(member, to) = count;
	for (gsize i = 0; i < count; i++)
		copy_field(schema, member, utm__schema_get_element(member, to, i), utm__schema_get_element(member, from, i));
}

static bool array_equal(const UtmSchema *schema, const UtmSchemaMember *member, const void *a, const void *b)
{
	gsize count = utm__schema_get_count(member, a);
	if (count != utm__schema_get_count(member, b))
		return false;
	for (gsize i = 0; i < count; i++)
		if (!field_equal(schema, member, utm__schema_get_element(member, a, i), utm__schema_get_element(member, b, i)))
			return false;
	return true;
}

/* --- members --- */

static bool has_presence_flag(const UtmSchemaMember *member)
{
	return member->flag_offset && !(member->flags & UTM_SCHEMA_ARRAY);
}

bool utm__schema_is_present(const UtmSchemaMember *member, const void *object)
{
	if (has_presence_flag(member))
		return *(bool *)utm__schema_at(object, member->flag_offset);
	if (member->flags & UTM_SCHEMA_ARRAY)
		return !(member->flags & UTM_SCHEMA_OPTIONAL) || *array_of(member, object);
	if (member->kind == UTM_SCHEMA_STRING || member->kind == UTM_SCHEMA_ANY || member->kind == UTM_SCHEMA_STRUCT)
		return *(void **)utm__schema_at(object, member->offset) != NULL;
	return true;
}

void utm__schema_clear(const UtmSchema *schema, const UtmSchemaMember *member, void *object)
{
	if (member->flags & UTM_SCHEMA_ARRAY) {
		clear_array(schema, member, object);
		return;
	}
	clear_field(schema, member, utm__schema_at(object, member->offset));
	if (has_presence_flag(member))
		*(bool *)utm__schema_at(object, member->flag_offset) = false;
}

/* A member that conditions may ask about as a number. */
static int64_t number_of(const UtmSchemaMember *member, const void *object)
{
	const void *field = utm__schema_at(object, member->offset);
	switch (member->kind) {
	case UTM_SCHEMA_BOOL:
		return *(const bool *)field;
	case UTM_SCHEMA_ENUM:
		return *(const int32_t *)field;
	default:
		return *(const int64_t *)field;
	}
}

bool utm__schema_holds(const UtmSchema *schema, const UtmSchemaFact *fact, const void *object)
{
	if (fact->condition == UTM_SCHEMA_NONE)
		return true;
	const UtmSchemaHeader *header = object;
	const UtmSchemaCondition *condition = &schema->conditions[fact->condition];
	const UtmSchemaMember *member = utm__schema_member(schema, &schema->types[header->type], condition->member);
	bool present = utm__schema_is_present(member, object);
	if (condition->op == UTM_SCHEMA_IF_ABSENT || condition->op == UTM_SCHEMA_IF_PRESENT)
		return present == (condition->op == UTM_SCHEMA_IF_PRESENT);
	bool found = false;
	for (guint i = 0; present && i < condition->count; i++)
		found |= schema->numbers[condition->first_number + i] == number_of(member, object);
	return found == (condition->op == UTM_SCHEMA_IF_IN);
}

/* Sets a scalar that is absent to what a fact says. */
static void set_from_fact(const UtmSchema *schema, const UtmSchemaMember *member, void *object,
                          const UtmSchemaFact *fact)
{
	void *field = utm__schema_at(object, member->offset);
	if (member->kind == UTM_SCHEMA_STRING)
		*(char **)field = g_strdup(utm__schema_string(schema, fact->value));
	else if (member->kind == UTM_SCHEMA_STRUCT)
		*(void **)field = utm__schema_new(schema, member->type);
	else if (member->kind == UTM_SCHEMA_BOOL)
		*(bool *)field = schema->numbers[fact->value] != 0;
	else if (member->kind == UTM_SCHEMA_ENUM)
		*(int32_t *)field = (int32_t)schema->numbers[fact->value];
	else
		*(int64_t *)field = schema->numbers[fact->value];
	if (has_presence_flag(member))
		*(bool *)utm__schema_at(object, member->flag_offset) = true;
}

void utm__schema_set_default(const UtmSchema *schema, const UtmSchemaMember *member, void *object)
{
	utm__schema_clear(schema, member, object);
	for (guint i = 0; i < member->fact_count; i++) {
		const UtmSchemaFact *fact = &schema->facts[member->first_fact + i];
		if (fact->what != UTM_SCHEMA_FACT_DEFAULT || !utm__schema_holds(schema, fact, object))
			continue;
		set_from_fact(schema, member, object, fact);
		return;
	}
}

/* --- fresh identifiers --- */

static void random_bytes(guint8 *bytes, gsize count)
{
	if (getentropy(bytes, count) == 0)
		return;
	for (gsize i = 0; i < count; i++)
		bytes[i] = (guint8)g_random_int_range(0, 256);
}

static char *generate_uuid(void)
{
	guint8 b[16];
	random_bytes(b, sizeof b);
	b[6] = (guint8)((b[6] & 0x0f) | 0x40); /* version 4, variant 1: random */
	b[8] = (guint8)((b[8] & 0x3f) | 0x80);
	return g_strdup_printf("%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X", b[0], b[1], b[2],
	                       b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static char *generate_mac(void)
{
	guint8 b[6];
	random_bytes(b, sizeof b);
	b[0] = (guint8)((b[0] & 0xfc) | 0x02); /* locally administered, one station */
	return g_strdup_printf("%02X:%02X:%02X:%02X:%02X:%02X", b[0], b[1], b[2], b[3], b[4], b[5]);
}

void utm__schema_set_new(const UtmSchema *schema, const UtmSchemaMember *member, void *object)
{
	void *field = utm__schema_at(object, member->offset);
	const UtmSchemaFact *fact = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_NEW);
	bool optional = member->flags & UTM_SCHEMA_OPTIONAL;
	utm__schema_clear(schema, member, object);
	if (member->flags & UTM_SCHEMA_ARRAY)
		return;
	if (utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_GENERATE_UUID))
		*(char **)field = generate_uuid();
	else if (utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_GENERATE_MAC))
		*(char **)field = generate_mac();
	else if (fact)
		set_from_fact(schema, member, object, fact);
	else if (optional)
		utm__schema_set_default(schema, member, object);
	else if (member->kind == UTM_SCHEMA_STRUCT)
		*(void **)field = utm__schema_new(schema, member->type);
	else if (member->kind == UTM_SCHEMA_STRING)
		*(char **)field = g_strdup("");
}

/* --- objects --- */

void *utm__schema_alloc(const UtmSchema *schema, guint type)
{
	UtmSchemaHeader *header = g_malloc0(schema->types[type].size);
	header->magic = MAGIC;
	header->type = type;
	return header;
}

void *utm__schema_new(const UtmSchema *schema, guint type)
{
	void *object = utm__schema_alloc(schema, type);
	const UtmSchemaType *row = &schema->types[type];
	for (guint i = 0; i < row->count; i++)
		utm__schema_set_new(schema, utm__schema_member(schema, row, i), object);
	return object;
}

static const UtmSchemaType *type_of(const UtmSchema *schema, const void *object)
{
	const UtmSchemaHeader *header = object;
	g_assert(header->magic == MAGIC && header->type < schema->type_count);
	return &schema->types[header->type];
}

void utm__schema_reset(const UtmSchema *schema, void *object)
{
	UtmSchemaHeader *header = object;
	const UtmSchemaType *row = type_of(schema, object);
	for (guint i = 0; i < row->count; i++)
		utm__schema_clear(schema, utm__schema_member(schema, row, i), object);
	g_clear_pointer(&header->extras, utm__value_free);
}

void utm__schema_free(const UtmSchema *schema, void *object)
{
	if (!object)
		return;
	utm__schema_reset(schema, object);
	((UtmSchemaHeader *)object)->magic = 0;
	g_free(object);
}

void *utm__schema_copy(const UtmSchema *schema, const void *object)
{
	if (!object)
		return NULL;
	const UtmSchemaHeader *header = object;
	const UtmSchemaType *row = type_of(schema, object);
	UtmSchemaHeader *copy = utm__schema_alloc(schema, header->type);
	copy->extras = utm__value_copy(header->extras);
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(schema, row, i);
		if (member->flags & UTM_SCHEMA_ARRAY)
			copy_array(schema, member, copy, object);
		else
			copy_field(schema, member, utm__schema_at(copy, member->offset), utm__schema_at(object, member->offset));
		if (has_presence_flag(member))
			*(bool *)utm__schema_at(copy, member->flag_offset) = utm__schema_is_present(member, object);
	}
	return copy;
}

static bool member_equal(const UtmSchema *schema, const UtmSchemaMember *member, const void *a, const void *b)
{
	bool present = utm__schema_is_present(member, a);
	if (present != utm__schema_is_present(member, b))
		return false;
	if (!present)
		return true;
	if (member->flags & UTM_SCHEMA_ARRAY)
		return array_equal(schema, member, a, b);
	return field_equal(schema, member, utm__schema_at(a, member->offset), utm__schema_at(b, member->offset));
}

bool utm__schema_equal(const UtmSchema *schema, const void *a, const void *b)
{
	if (!a || !b)
		return a == b;
	const UtmSchemaHeader *left = a, *right = b;
	const UtmSchemaType *row = type_of(schema, a);
	if (left->type != right->type || !utm__value_equal(left->extras, right->extras))
		return false;
	for (guint i = 0; i < row->count; i++)
		if (!member_equal(schema, utm__schema_member(schema, row, i), a, b))
			return false;
	return true;
}

void utm__schema_move(const UtmSchema *schema, const UtmSchemaMember *member, void *object, void *from)
{
	gsize size = member->flags & UTM_SCHEMA_ARRAY ? sizeof(void *) : utm__schema_element_size(member);
	gsize flag_size = member->flags & UTM_SCHEMA_ARRAY ? sizeof(size_t) : sizeof(bool);
	utm__schema_clear(schema, member, object);
	memcpy(utm__schema_at(object, member->offset), utm__schema_at(from, member->offset), size);
	memset(utm__schema_at(from, member->offset), 0, size);
	if (member->flag_offset) {
		memcpy(utm__schema_at(object, member->flag_offset), utm__schema_at(from, member->flag_offset), flag_size);
		memset(utm__schema_at(from, member->flag_offset), 0, flag_size);
	}
}

void utm__schema_swap_element(const UtmSchemaMember *member, void *object, gsize index, void *other)
{
	gsize size = utm__schema_element_size(member);
	void *left = utm__schema_get_element(member, object, index), *right = utm__schema_get_element(member, other, 0);
	guint8 bytes[sizeof(int64_t)];
	g_assert(size <= sizeof bytes);
	memcpy(bytes, left, size);
	memcpy(left, right, size);
	memcpy(right, bytes, size);
}

/* --- checks --- */

int utm__schema_check_int(const UtmSchema *schema, const UtmSchemaMember *member, const char *path, int64_t value,
                          UtmError **error)
{
	const UtmSchemaFact *min = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_MIN);
	const UtmSchemaFact *max = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_MAX);
	int64_t low = min ? schema->numbers[min->value] : G_MININT64, high = max ? schema->numbers[max->value] : G_MAXINT64;
	if (value >= low && value <= high)
		return 0;
	const UtmSchemaFact *unit = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_UNIT);
	const char *unit_text = unit ? utm__schema_string(schema, unit->value) : NULL;
	UtmError *made =
		utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE,
	                   "%" G_GINT64_FORMAT " is out of range: %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT "%s%s", value,
	                   low, high, unit_text ? " " : "", unit_text ? unit_text : "");
	return utm__fail_take(error, utm__error_set_key_path(made, path));
}

char *utm__schema_dup_string(const UtmSchemaMember *member, const char *text, gsize length)
{
	g_autofree char *copy = g_strndup(text, length);
	if (!(member->flags & UTM_SCHEMA_UUID))
		return g_steal_pointer(&copy);
	if (length != 36 || !g_uuid_string_is_valid(copy))
		return NULL;
	return g_ascii_strup(copy, -1);
}
