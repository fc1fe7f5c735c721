/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From objects to tokens, keys in the order of files, those that the schema does not know between the others. Whatever
 * cannot be written is an error with its key path: it comes from code that put it into a struct, not from a file.
 */
#include "schema/schema.h"

#include <string.h>

typedef struct Encoder {
	const UtmSchema *schema;
	UtmSink *sink;
	guint flags;
	const char *base_path;
	const UtmSchemaStep *at; /* where the value stands that is being written */
	UtmError **error;
} Encoder;

static int encode_struct(Encoder *e, const void *object);

static int refuse(Encoder *e, const char *problem)
{
	UtmError *made = utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE, "%s", problem);
	g_autoptr(GString) path = g_string_new(e->base_path);
	utm__schema_append_path(path, e->at);
	return utm__fail_take(e->error, utm__error_set_key_path(made, path->len ? path->str : NULL));
}

static int put(Encoder *e, const UtmToken *token)
{
	const char *problem = e->sink->put(e->sink, token);
	return problem ? refuse(e, problem) : 0;
}

static int put_kind(Encoder *e, UtmTokenKind kind)
{
	UtmToken token = { .kind = kind };
	return put(e, &token);
}

static int put_text(Encoder *e, UtmTokenKind kind, const char *text)
{
	if (!text)
		return refuse(e, "is missing");
	UtmToken token = { .kind = kind, .text = text, .length = strlen(text) };
	return put(e, &token);
}

/* --- values --- */

static int encode_enum(Encoder *e, const UtmSchemaMember *member, int32_t value)
{
	const char *text = utm__schema_enum_get_text(e->schema, member->type, value);
	return text ? put_text(e, UTM_TOKEN_STRING, text) : refuse(e, "is not one of the allowed values");
}

static int encode_any(Encoder *e, const UtmValue *value)
{
	if (!value)
		return refuse(e, "is missing");
	const char *problem = utm__value_write(value, e->sink);
	return problem ? refuse(e, problem) : 0;
}

static int encode_field(Encoder *e, const UtmSchemaMember *member, const void *field)
{
	UtmToken token;
	switch (member->kind) {
	case UTM_SCHEMA_BOOL:
		token = (UtmToken){ .kind = UTM_TOKEN_BOOL, .boolean = *(const bool *)field };
		return put(e, &token);
	case UTM_SCHEMA_INT:
		token = (UtmToken){ .kind = UTM_TOKEN_INT, .integer = *(const int64_t *)field };
		return put(e, &token);
	case UTM_SCHEMA_NUMBER:
		token = (UtmToken){ .kind = UTM_TOKEN_REAL, .number = *(const double *)field };
		return put(e, &token);
	case UTM_SCHEMA_ENUM:
		return encode_enum(e, member, *(const int32_t *)field);
	case UTM_SCHEMA_ANY:
		return encode_any(e, *(UtmValue *const *)field);
	case UTM_SCHEMA_STRUCT:
		return encode_struct(e, *(void *const *)field);
	default:
		return put_text(e, UTM_TOKEN_STRING, *(char *const *)field);
	}
}

static int encode_array(Encoder *e, const UtmSchemaMember *member, const void *object)
{
	UtmSchemaStep step = { .above = e->at };
	int result = put_kind(e, UTM_TOKEN_BEGIN_ARRAY);
	e->at = &step;
	for (; result == 0 && step.index < utm__schema_get_count(member, object); step.index++)
		result = encode_field(e, member, utm__schema_get_element(member, object, step.index));
	e->at = step.above;
	return result < 0 ? result : put_kind(e, UTM_TOKEN_END_ARRAY);
}

/* --- members --- */

static bool is_written(const Encoder *e, const UtmSchemaMember *member, const void *object)
{
	if ((member->flags & UTM_SCHEMA_OPTIONAL) && !utm__schema_is_present(member, object))
		return false;
	const UtmSchemaFact *condition = utm__schema_find_fact(e->schema, member, UTM_SCHEMA_FACT_WRITE_IF);
	return !condition || !(e->flags & UTM_SCHEMA_FILE) || utm__schema_holds(e->schema, condition, object);
}

/* The value that a file gets, whatever the object says; false when that is the object's own. */
static bool find_forced(const Encoder *e, const UtmSchemaMember *member, const void *object, int64_t *ret_value)
{
	const UtmSchemaFact *forced = utm__schema_find_fact(e->schema, member, UTM_SCHEMA_FACT_WRITE_AS);
	if (!forced || !(e->flags & UTM_SCHEMA_FILE) || utm__schema_holds(e->schema, forced, object))
		return false;
	*ret_value = e->schema->numbers[forced->value];
	return true;
}

static int encode_value(Encoder *e, const UtmSchemaMember *member, const void *object)
{
	int64_t forced;
	if (member->flags & UTM_SCHEMA_ARRAY)
		return encode_array(e, member, object);
	if (!find_forced(e, member, object, &forced))
		return encode_field(e, member, utm__schema_at(object, member->offset));
	UtmToken token = { .kind = member->kind == UTM_SCHEMA_BOOL ? UTM_TOKEN_BOOL : UTM_TOKEN_INT };
	token.boolean = forced != 0;
	token.integer = forced;
	return member->kind == UTM_SCHEMA_ENUM ? encode_enum(e, member, (int32_t)forced) : put(e, &token);
}

static int encode_member(Encoder *e, const UtmSchemaMember *member, const void *object)
{
	if (!is_written(e, member, object))
		return 0;
	const char *name = utm__schema_string(e->schema, member->name);
	UtmSchemaStep step = { .above = e->at, .name = name, .length = strlen(name) };
	e->at = &step;
	int result = put_text(e, UTM_TOKEN_KEY, name);
	if (result == 0)
		result = encode_value(e, member, object);
	e->at = step.above;
	return result;
}

static int encode_extra(Encoder *e, const UtmValue *extras, gsize index)
{
	int result = put_text(e, UTM_TOKEN_KEY, extras->as.children.keys[index]);
	return result < 0 ? result : encode_any(e, extras->as.children.items[index]);
}

/* Two sorted rows become one. */
static int encode_members(Encoder *e, const UtmSchemaHeader *object)
{
	const UtmSchemaType *row = &e->schema->types[object->type];
	gsize known = 0, extra = 0, extra_count = object->extras ? object->extras->as.children.count : 0;
	int result = 0;
	while (result == 0 && (known < row->count || extra < extra_count)) {
		const UtmSchemaMember *member = NULL;
		if (known < row->count)
			member = utm__schema_member(e->schema, row, e->schema->sorted[row->by_name + known]);
		if (!member || (extra < extra_count && utm__key_compare(object->extras->as.children.keys[extra],
		                                                        utm__schema_string(e->schema, member->name)) < 0)) {
			result = encode_extra(e, object->extras, extra++);
		} else {
			result = encode_member(e, member, object);
			known++;
		}
	}
	return result;
}

static int encode_struct(Encoder *e, const void *object)
{
	if (!object)
		return refuse(e, "is missing");
	int result = put_kind(e, UTM_TOKEN_BEGIN_OBJECT);
	if (result == 0)
		result = encode_members(e, object);
	return result < 0 ? result : put_kind(e, UTM_TOKEN_END_OBJECT);
}

/* --- entries --- */

int utm__schema_encode(const UtmSchema *schema, const void *object, UtmSink *sink, guint flags, const char *base_path,
                       UtmError **error)
{
	Encoder e = { .schema = schema, .sink = sink, .flags = flags, .base_path = base_path, .error = error };
	return encode_struct(&e, object);
}

int utm__schema_encode_member(const UtmSchema *schema, const UtmSchemaMember *member, const void *object, UtmSink *sink,
                              guint flags, const char *path, UtmError **error)
{
	Encoder e = { .schema = schema, .sink = sink, .flags = flags, .base_path = path, .error = error };
	return encode_value(&e, member, object);
}

int utm__schema_encode_element(const UtmSchema *schema, const UtmSchemaMember *member, const void *object, gsize index,
                               UtmSink *sink, guint flags, const char *path, UtmError **error)
{
	Encoder e = { .schema = schema, .sink = sink, .flags = flags, .base_path = path, .error = error };
	return encode_field(&e, member, utm__schema_get_element(member, object, index));
}
