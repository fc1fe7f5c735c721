/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects by table: make, free, copy, compare, fill with defaults. Reading and writing are in decode.c and encode.c. */
#include "schema/schema.h"

#include <string.h>
#include <sys/random.h>

/*
 * Differs with the address, so that a struct that was copied by value is told from one of ours; and between memory of its own
 * and that of a pool.
 */
static guint32 magic_of(const void *object, bool pooled)
{
	guint32 magic = 0x55544d53u ^ (guint32)((guintptr)object >> 3);
	return pooled ? ~magic : magic;
}

/* --- what the tables say --- */

static int compare_name(const char *candidate, const char *name, gsize length)
{
	/* Mostly the first letters differ. */
	int order = length ? (guchar)*candidate - (guchar)*name : 0;
	if (order == 0)
		order = strncmp(candidate, name, length);
	return order == 0 && candidate[length] ? 1 : order;
}

const UtmSchemaMember *utm__schema_find_member(const UtmSchema *schema, const UtmSchemaType *type, const char *name,
                                               gsize length)
{
	guint low = 0, high = type->named_count;
	while (low < high) {
		guint middle = (low + high) / 2;
		const UtmSchemaMember *member = utm__schema_member(schema, type, schema->sorted[type->by_name + middle]);
		int order = compare_name(utm__schema_string(schema, member->name), name, length);
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
	guint low = 0, high = row->named_count;
	while (low < high) {
		guint middle = (low + high) / 2, value = schema->sorted[row->by_name + middle];
		int order = compare_name(utm__schema_string(schema, schema->values[row->first + value]), text, length);
		if (order == 0)
			return (int32_t)value;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

bool utm__schema_is_everywhere(const UtmSchema *schema, guint enum_type, int32_t value)
{
	return !schema->value_spans || schema->value_spans[schema->types[enum_type].first + value] == UTM_SCHEMA_SPAN_ALL;
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
		[UTM_SCHEMA_BOOL] = sizeof(bool),     [UTM_SCHEMA_INT] = 0,              [UTM_SCHEMA_NUMBER] = sizeof(double),
		[UTM_SCHEMA_STRING] = sizeof(char *), [UTM_SCHEMA_ANY] = sizeof(void *), [UTM_SCHEMA_ENUM] = sizeof(int32_t),
		[UTM_SCHEMA_STRUCT] = sizeof(void *), [UTM_SCHEMA_NULL] = 0,
	};
	return member->kind == UTM_SCHEMA_INT ? member->type & UTM_SCHEMA_INT_BYTES : sizes[member->kind];
}

void utm__schema_get_int(const UtmSchemaMember *member, const void *field, int64_t *ret_signed, uint64_t *ret_unsigned)
{
	switch (member->type) {
	case 1:
		*ret_signed = *(const int8_t *)field;
		break;
	case 2:
		*ret_signed = *(const int16_t *)field;
		break;
	case 4:
		*ret_signed = *(const int32_t *)field;
		break;
	case UTM_SCHEMA_INT_UNSIGNED | 1:
		*ret_signed = *(const uint8_t *)field;
		break;
	case UTM_SCHEMA_INT_UNSIGNED | 2:
		*ret_signed = *(const uint16_t *)field;
		break;
	case UTM_SCHEMA_INT_UNSIGNED | 4:
		*ret_signed = *(const uint32_t *)field;
		break;
	default:
		*ret_signed = *(const int64_t *)field;
	}
	*ret_unsigned = (uint64_t)*ret_signed;
}

bool utm__schema_set_int(const UtmSchemaMember *member, void *field, uint64_t bits, bool is_large)
{
	guint width = (member->type & UTM_SCHEMA_INT_BYTES) * 8u;
	bool is_unsigned = member->type & UTM_SCHEMA_INT_UNSIGNED, negative = !is_large && (int64_t)bits < 0;
	/* What is left above the bits of the type, the sign included: nothing, or nothing but signs. */
	uint64_t above = width == 64 ? 0 : bits >> (is_unsigned ? width : width - 1);
	uint64_t signs = width == 64 ? 0 : UINT64_MAX >> (width - 1);
	if ((is_unsigned && (negative || above)) || (!is_unsigned && (is_large || (above && above != signs))))
		return false;
	switch (width) {
	case 8:
		*(uint8_t *)field = (uint8_t)bits;
		break;
	case 16:
		*(uint16_t *)field = (uint16_t)bits;
		break;
	case 32:
		*(uint32_t *)field = (uint32_t)bits;
		break;
	default:
		*(uint64_t *)field = bits;
	}
	return true;
}

static void clear_field(const UtmSchema *schema, const UtmSchemaMember *member, void *field)
{
	switch (member->kind) {
	case UTM_SCHEMA_STRING:
		utm__text_free(*(char **)field);
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

/* Whoever sets a count without elements has none. */
gsize utm__schema_get_count(const UtmSchemaMember *member, const void *object)
{
	return *array_of(member, object) ? *count_of(member, object) : 0;
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

/* Whether the flag says that the member is there. */
static void set_flag(const UtmSchemaMember *member, void *object, bool present)
{
	if (has_presence_flag(member))
		*(bool *)utm__schema_at(object, member->flag_offset) = present == !(member->flags & UTM_SCHEMA_OMIT);
}

void utm__schema_set_present(const UtmSchemaMember *member, void *object)
{
	set_flag(member, object, true);
}

bool utm__schema_is_present(const UtmSchemaMember *member, const void *object)
{
	if (has_presence_flag(member))
		return *(bool *)utm__schema_at(object, member->flag_offset) == !(member->flags & UTM_SCHEMA_OMIT);
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
	set_flag(member, object, member->flags & UTM_SCHEMA_OMIT);
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
	const UtmSchemaCondition *condition = &schema->conditions[fact->condition];
	const UtmSchemaType *row = &schema->types[utm__schema_type_of(object)];
	const UtmSchemaMember *member = utm__schema_member(schema, row, condition->member);
	bool present = utm__schema_is_present(member, object);
	if (condition->inner) {
		row = &schema->types[member->type];
		object = *(void *const *)utm__schema_at(object, member->offset);
		member = utm__schema_member(schema, row, condition->inner - 1u);
		present = present && utm__schema_is_present(member, object);
	}
	if (condition->op == UTM_SCHEMA_IF_ABSENT || condition->op == UTM_SCHEMA_IF_PRESENT)
		return present == (condition->op == UTM_SCHEMA_IF_PRESENT);
	bool found = false;
	for (guint i = 0; present && i < condition->count; i++)
		found |= schema->numbers[condition->first_number + i] == number_of(member, object);
	return found == (condition->op == UTM_SCHEMA_IF_IN);
}

/* Sets what is absent to what a fact says: of an array, that it has one element. */
static void set_from_fact(const UtmSchema *schema, const UtmSchemaMember *member, void *object,
                          const UtmSchemaFact *fact)
{
	void *field = utm__schema_at(object, member->offset);
	if (member->flags & UTM_SCHEMA_ARRAY)
		*(void **)utm__schema_insert_element(member, object, 0) = utm__schema_new(schema, member->type);
	else if (member->kind == UTM_SCHEMA_STRING)
		*(char **)field = g_strdup(utm__schema_string(schema, fact->value));
	else if (member->kind == UTM_SCHEMA_STRUCT)
		*(void **)field = utm__schema_new(schema, member->type);
	else if (member->kind == UTM_SCHEMA_BOOL)
		*(bool *)field = schema->numbers[fact->value] != 0;
	else if (member->kind == UTM_SCHEMA_ENUM)
		*(int32_t *)field = (int32_t)schema->numbers[fact->value];
	else
		*(int64_t *)field = schema->numbers[fact->value];
	set_flag(member, object, true);
}

void utm__schema_set_default(const UtmSchema *schema, const UtmSchemaMember *member, void *object)
{
	utm__schema_clear(schema, member, object);
	set_flag(member, object, false);
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

static char *generate_mac(bool lower)
{
	guint8 b[6];
	random_bytes(b, sizeof b);
	b[0] = (guint8)((b[0] & 0xfc) | 0x02); /* locally administered, one station */
	g_autofree char *upper = g_strdup_printf("%02X:%02X:%02X:%02X:%02X:%02X", b[0], b[1], b[2], b[3], b[4], b[5]);
	return lower ? g_ascii_strdown(upper, -1) : g_steal_pointer(&upper);
}

void utm__schema_set_new(const UtmSchema *schema, const UtmSchemaMember *member, void *object)
{
	void *field = utm__schema_at(object, member->offset);
	const UtmSchemaFact *fact = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_NEW);
	const UtmSchemaFact *mac = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_GENERATE_MAC);
	bool optional = member->flags & UTM_SCHEMA_OPTIONAL;
	utm__schema_clear(schema, member, object);
	if (utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_GENERATE_UUID))
		*(char **)field = generate_uuid();
	else if (mac)
		*(char **)field = generate_mac(schema->numbers[mac->value] != 0);
	else if (fact)
		set_from_fact(schema, member, object, fact);
	else if (optional)
		utm__schema_set_default(schema, member, object);
	else if (member->flags & UTM_SCHEMA_ARRAY)
		return;
	else if (member->kind == UTM_SCHEMA_STRUCT)
		*(void **)field = utm__schema_new(schema, member->type);
	else if (member->kind == UTM_SCHEMA_STRING)
		*(char **)field = g_strdup("");
}

/* --- objects --- */

void *utm__schema_alloc_in(UtmPool *pool, const UtmSchema *schema, guint type)
{
	gsize size = schema->types[type].size;
	UtmSchemaHeader *pooled = pool ? utm__pool_take(pool, size) : NULL;
	UtmSchemaHeader *header = pooled ? pooled : g_malloc0(size);
	header->magic = magic_of(header, pooled != NULL);
	header->type = (guint32)schema->number << 16 | type;
	return header;
}

void *utm__schema_alloc(const UtmSchema *schema, guint type)
{
	return utm__schema_alloc_in(NULL, schema, type);
}

void *utm__schema_new(const UtmSchema *schema, guint type)
{
	void *object = utm__schema_alloc(schema, type);
	const UtmSchemaType *row = &schema->types[type];
	for (guint i = 0; i < row->count; i++)
		utm__schema_set_new(schema, utm__schema_member(schema, row, i), object);
	return object;
}

bool utm__schema_made(const void *object, guint schema_number)
{
	const UtmSchemaHeader *header = object;
	guint32 magic = header ? header->magic : 0, own = magic_of(object, false);
	return (magic == own || magic == ~own) && header && header->type >> 16 == schema_number;
}

static const UtmSchemaType *type_of(const UtmSchema *schema, const void *object)
{
	g_assert(utm__schema_made(object, schema->number) && utm__schema_type_of(object) < schema->type_count);
	return &schema->types[utm__schema_type_of(object)];
}

/* --- unions --- */

const UtmSchemaBranch *utm__schema_next_branch(const UtmSchema *schema, const void *object,
                                               const UtmSchemaBranch *before)
{
	const UtmSchemaType *row = type_of(schema, object);
	if (row->branch_count == 0)
		return NULL;
	const UtmSchemaMember *tag = utm__schema_member(schema, row, row->tag);
	const UtmSchemaBranch *end = &schema->branches[row->first_branch + row->branch_count];
	int32_t value = *(const int32_t *)utm__schema_at(object, tag->offset);
	if (!utm__schema_is_present(tag, object))
		return NULL;
	for (const UtmSchemaBranch *branch = before ? before + 1 : end - row->branch_count; branch < end; branch++)
		if (branch->value == value)
			return branch;
	return NULL;
}

static void **branch_of(const UtmSchemaBranch *branch, const void *object)
{
	return utm__schema_at(object, branch->offset);
}

/*
 * Where a branch pointer is depends on the table alone, and branches share a place: whatever stands there is freed, be
 * it of this branch or, after the tag was changed by hand, of another one.
 */
static void clear_branches(const UtmSchema *schema, const UtmSchemaType *row, void *object)
{
	for (guint i = 0; i < row->branch_count; i++) {
		void **place = branch_of(&schema->branches[row->first_branch + i], object);
		utm__schema_free(schema, *place);
		*place = NULL;
	}
}

static void copy_branches(const UtmSchema *schema, const UtmSchemaType *row, void *to, const void *from)
{
	for (guint i = 0; i < row->branch_count; i++) {
		const UtmSchemaBranch *branch = &schema->branches[row->first_branch + i];
		if (!*branch_of(branch, to))
			*branch_of(branch, to) = utm__schema_copy(schema, *branch_of(branch, from));
	}
}

static bool branches_equal(const UtmSchema *schema, const UtmSchemaType *row, const void *a, const void *b)
{
	for (guint i = 0; i < row->branch_count; i++) {
		const UtmSchemaBranch *branch = &schema->branches[row->first_branch + i];
		bool first = i == 0 || branch->offset != branch[-1].offset;
		if (first && !utm__schema_equal(schema, *branch_of(branch, a), *branch_of(branch, b)))
			return false;
	}
	return true;
}

/* --- life --- */

static int32_t *choice_of(const UtmSchemaType *row, const void *object)
{
	return utm__schema_at(object, row->tag);
}

void utm__schema_reset(const UtmSchema *schema, void *object)
{
	UtmSchemaHeader *header = object;
	const UtmSchemaType *row = type_of(schema, object);
	for (guint i = 0; i < row->count; i++)
		utm__schema_clear(schema, utm__schema_member(schema, row, i), object);
	clear_branches(schema, row, object);
	if (row->kind == UTM_SCHEMA_ALTERNATE)
		*choice_of(row, object) = 0;
	g_clear_pointer(&header->extras, utm__value_free);
}

static void drop_field(const UtmSchema *schema, const UtmSchemaMember *member, void *field)
{
	if (member->kind == UTM_SCHEMA_STRING)
		utm__text_free(*(char **)field);
	else if (member->kind == UTM_SCHEMA_STRUCT)
		utm__schema_free(schema, *(void **)field);
	else if (member->kind == UTM_SCHEMA_ANY)
		utm__value_free(*(UtmValue **)field);
}

static void drop_member(const UtmSchema *schema, const UtmSchemaMember *member, void *object)
{
	if (!(member->flags & UTM_SCHEMA_ARRAY)) {
		drop_field(schema, member, utm__schema_at(object, member->offset));
		return;
	}
	for (gsize i = 0; i < utm__schema_get_count(member, object); i++)
		drop_field(schema, member, utm__schema_get_element(member, object, i));
	g_free(*array_of(member, object));
}

/* As utm__schema_reset() does, of an object that nobody will look at again. */
static void drop_content(const UtmSchema *schema, void *object)
{
	const UtmSchemaType *row = type_of(schema, object);
	for (guint i = 0; i < row->count; i++)
		drop_member(schema, utm__schema_member(schema, row, i), object);
	clear_branches(schema, row, object);
	utm__value_free(((UtmSchemaHeader *)object)->extras);
}

/* What programs put into a struct may be none of ours: that is left alone, here, in copies and when comparing. */
void utm__schema_free(const UtmSchema *schema, void *object)
{
	if (!utm__schema_made(object, schema->number))
		return;
	bool pooled = ((UtmSchemaHeader *)object)->magic == magic_of(object, true);
	drop_content(schema, object);
	((UtmSchemaHeader *)object)->magic = 0;
	if (pooled)
		utm__pool_give(object);
	else
		g_free(object);
}

void *utm__schema_copy(const UtmSchema *schema, const void *object)
{
	if (!utm__schema_made(object, schema->number))
		return NULL;
	const UtmSchemaHeader *header = object;
	const UtmSchemaType *row = type_of(schema, object);
	UtmSchemaHeader *copy = utm__schema_alloc(schema, utm__schema_type_of(object));
	copy->extras = utm__value_copy(header->extras);
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(schema, row, i);
		if (member->flags & UTM_SCHEMA_ARRAY)
			copy_array(schema, member, copy, object);
		else
			copy_field(schema, member, utm__schema_at(copy, member->offset), utm__schema_at(object, member->offset));
		set_flag(member, copy, utm__schema_is_present(member, object));
	}
	copy_branches(schema, row, copy, object);
	if (row->kind == UTM_SCHEMA_ALTERNATE)
		*choice_of(row, copy) = *choice_of(row, object);
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
	if (!utm__schema_made(a, schema->number) || !utm__schema_made(b, schema->number))
		return a == b;
	const UtmSchemaHeader *left = a, *right = b;
	const UtmSchemaType *row = type_of(schema, a);
	if (left->type != right->type || !utm__value_equal(left->extras, right->extras))
		return false;
	if (row->kind == UTM_SCHEMA_ALTERNATE && *choice_of(row, a) != *choice_of(row, b))
		return false;
	for (guint i = 0; i < row->count; i++)
		if (!member_equal(schema, utm__schema_member(schema, row, i), a, b))
			return false;
	return branches_equal(schema, row, a, b);
}

guint utm__schema_find_list(const UtmSchema *schema, guint element_type)
{
	for (guint type = 0; type < schema->type_count; type++) {
		const UtmSchemaType *row = &schema->types[type];
		const UtmSchemaMember *member = &schema->members[row->first];
		if (row->kind == UTM_SCHEMA_WRAPPER && (member->flags & UTM_SCHEMA_ARRAY) && member->type == element_type &&
		    (member->kind == UTM_SCHEMA_STRUCT || member->kind == UTM_SCHEMA_ENUM))
			return type;
	}
	return UTM_SCHEMA_NONE;
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
		utm__error_new(schema->not_allowed,
	                   "%" G_GINT64_FORMAT " is out of range: %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT "%s%s", value,
	                   low, high, unit_text ? " " : "", unit_text ? unit_text : "");
	return utm__fail_take(error, utm__error_set_key_path(made, path));
}

static char *take_text(UtmPool *pool, gsize size)
{
	char *text = pool ? utm__pool_take_text(pool, size) : NULL;
	return text ? text : g_malloc(size);
}

char *utm__schema_dup_string(UtmPool *pool, const UtmSchemaMember *member, const char *text, gsize length)
{
	bool is_uuid = member->flags & UTM_SCHEMA_UUID;
	char *copy = take_text(is_uuid ? NULL : pool, length + 1);
	memcpy(copy, text, length);
	copy[length] = 0;
	if (!is_uuid)
		return copy;
	char *upper = length == 36 && g_uuid_string_is_valid(copy) ? g_ascii_strup(copy, -1) : NULL;
	g_free(copy);
	return upper;
}
