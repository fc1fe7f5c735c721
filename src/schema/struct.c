/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed values as programs see them: the engine's functions behind checks of what was handed in. */
#include "schema/json-codec.h"
#include "schema/protocols.h"

#include <string.h>
#include <utm/value.h>

/* A smaller message would leave most of a block unused; and in a block the address sanitizer sees nothing. */
#ifdef __SANITIZE_ADDRESS__
#define POOLED_FROM G_MAXSIZE
#else
#define POOLED_FROM ((gsize)16 << 10)
#endif
#define PEER_FLAGS (UTM_SCHEMA_KEEP_UNKNOWN | UTM_SCHEMA_TOLERANT | UTM_SCHEMA_NULL_COUNTS)

static const UtmSchema *find_schema(guint number)
{
	return number == utm__qmp_schema.number ? &utm__qmp_schema : number == utm__qga_schema.number ? &utm__qga_schema : NULL;
}

/* The row of a public type number; UTM_SCHEMA_NONE with any schema when there is none. */
static guint find_row(uint32_t type, const UtmSchema **ret_schema)
{
	const UtmSchema *schema = *ret_schema = find_schema(type >> 16);
	guint row = type & 0xffff & ~UTM_STRUCT_LIST;
	if (!schema || row >= schema->type_count || !schema->types[row].name)
		return UTM_SCHEMA_NONE;
	return type & UTM_STRUCT_LIST ? utm__schema_find_list(schema, row) : row;
}

const UtmSchema *utm__protocol_of(const void *value)
{
	const UtmStructHeader *header = value;
	const UtmSchema *schema = value ? find_schema(header->type >> 16) : NULL;
	return schema && utm__schema_made(value, schema->number) ? schema : NULL;
}

int utm__protocol_find_event(const UtmSchema *schema, const char *name)
{
	guint low = 0, high = schema->event_count;
	while (low < high) {
		guint middle = (low + high) / 2, index = schema->events_by_name[middle];
		int order = strcmp(utm__schema_string(schema, schema->events[index].name), name);
		if (order == 0)
			return (int)index;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

int utm__protocol_decode(const UtmSchema *schema, guint type, const char *text, gsize size, void **ret_value,
                         UtmError **error)
{
	UtmJsonSource source;
	utm__json_source_init(&source, text, size, &utm__json_of_peers, schema->malformed);
	guint flags = PEER_FLAGS | (size >= POOLED_FROM ? UTM_SCHEMA_POOLED : 0);
	int result = utm__schema_decode(schema, type, &source.source, flags, NULL, ret_value, error);
	utm__json_reader_clear(&source.reader);
	return result;
}

int utm__protocol_encode(const UtmSchema *schema, const void *value, GString *text, bool *ret_varies, UtmError **error)
{
	UtmJsonSink sink;
	utm__json_sink_init(&sink, text, false, false);
	return utm__schema_encode(schema, value, &sink.sink, 0, NULL, ret_varies, error);
}

/* --- structs --- */

void *utm_struct_new(uint32_t type)
{
	const UtmSchema *schema;
	guint row = find_row(type, &schema);
	if (row == UTM_SCHEMA_NONE || schema->types[row].kind == UTM_SCHEMA_ENUM)
		return NULL;
	return utm__schema_alloc(schema, row);
}

void utm_struct_free(void *value)
{
	const UtmSchema *schema = utm__protocol_of(value);
	if (schema)
		utm__schema_free(schema, value);
}

void *utm_struct_copy(const void *value)
{
	const UtmSchema *schema = utm__protocol_of(value);
	return schema ? utm__schema_copy(schema, value) : NULL;
}

bool utm_struct_equal(const void *a, const void *b)
{
	const UtmSchema *schema = utm__protocol_of(a);
	return schema && schema == utm__protocol_of(b) ? utm__schema_equal(schema, a, b) : !a && !b;
}

const char *utm_struct_get_type_name(const void *value)
{
	const UtmSchema *schema = utm__protocol_of(value);
	return schema ? utm__schema_string(schema, schema->types[utm__schema_type_of(value)].name) : NULL;
}

static int not_made_here(UtmError **error)
{
	return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the value was not made by the library: it is NULL, a copy by "
	                 "value, or freed");
}

int utm_struct_to_json(const void *value, char **ret_json, UtmError **error)
{
	const UtmSchema *schema = utm__protocol_of(value);
	if (!schema || !ret_json)
		return not_made_here(error);
	GString *text = g_string_new(NULL);
	int result = utm__protocol_encode(schema, value, text, NULL, error);
	char *json = g_string_free(text, result < 0);
	if (result == 0)
		*ret_json = json;
	return result;
}

int utm_struct_from_json(uint32_t type, const char *json, void *ret_value, UtmError **error)
{
	const UtmSchema *schema;
	guint row = find_row(type, &schema);
	void *value = NULL;
	if (row == UTM_SCHEMA_NONE || schema->types[row].kind == UTM_SCHEMA_ENUM)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "%#x is no type", type);
	if (!json || !ret_value)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no JSON, or nowhere to put the value");
	int result = utm__protocol_decode(schema, row, json, strlen(json), &value, error);
	if (result == 0)
		memcpy(ret_value, &value, sizeof value);
	return result;
}

/* --- extras --- */

int utm_struct_set_extra(void *value, const char *name, const char *json, UtmError **error)
{
	const UtmSchema *schema = utm__protocol_of(value);
	UtmStructHeader *header = value;
	UtmValue *parsed = NULL;
	if (!schema)
		return not_made_here(error);
	const UtmSchemaType *row = &schema->types[utm__schema_type_of(value)];
	if (!name || !*name || row->kind != UTM_SCHEMA_STRUCT || !g_utf8_validate(name, -1, NULL) ||
	    utm__schema_find_member(schema, row, name, strlen(name)))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "\"%s\" is no name for an extra: it is empty, no UTF-8, or a member's",
		                 name && g_utf8_validate(name, -1, NULL) ? name : "");
	int result = json ? utm_value_from_json(json, &parsed, error) : 0;
	if (result < 0)
		return result;
	utm__value_remove(header->extras, name);
	if (parsed && !header->extras)
		header->extras = utm__value_new_object();
	if (parsed)
		utm__value_append(header->extras, name, strlen(name), parsed);
	if (header->extras && header->extras->as.children.count == 0)
		g_clear_pointer(&header->extras, utm__value_free); /* a struct without extras has none, not an empty set */
	if (parsed)
		utm__value_sort(header->extras);
	return 0;
}

const UtmValue *utm_struct_get_extra(const void *value, const char *name)
{
	const UtmStructHeader *header = value;
	return utm__protocol_of(value) && name ? utm__value_find(header->extras, name) : NULL;
}

/* --- members --- */

void utm_set_string(char **member, const char *text)
{
	if (!member)
		return;
	char *copy = g_strdup(text);
	utm__text_free(*member);
	*member = copy;
}

void utm_append_scalar(void *list, size_t *count, const void *item, size_t size)
{
	char *items;
	if (!list || !count || !item)
		return;
	memcpy(&items, list, sizeof items);
	items = g_realloc_n(items, *count + 1, size);
	memcpy(items + (*count)++ * size, item, size);
	memcpy(list, &items, sizeof items);
}

void utm_append_struct(void *list, size_t *count, void *value_taken)
{
	if (list && count)
		utm_append_scalar(list, count, &value_taken, sizeof value_taken);
}

void utm_append_string(char ***list, size_t *count, const char *text)
{
	char *copy = g_strdup(text);
	if (list && count)
		utm_append_scalar(list, count, &copy, sizeof copy);
	else
		g_free(copy);
}

/* --- enumerations --- */

static bool is_enum(uint32_t type, const UtmSchema **ret_schema, guint *ret_row)
{
	*ret_row = find_row(type, ret_schema);
	return *ret_row != UTM_SCHEMA_NONE && (*ret_schema)->types[*ret_row].kind == UTM_SCHEMA_ENUM;
}

const char *utm_enum_to_string(uint32_t type, int32_t value)
{
	const UtmSchema *schema;
	guint row;
	return is_enum(type, &schema, &row) ? utm__schema_enum_get_text(schema, row, value) : NULL;
}

int32_t utm_enum_from_string(uint32_t type, const char *text)
{
	const UtmSchema *schema;
	guint row;
	return text && is_enum(type, &schema, &row) ? utm__schema_enum_from_text(schema, row, text, strlen(text)) : -1;
}
