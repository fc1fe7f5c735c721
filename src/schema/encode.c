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
	guint depth;
	bool varies;
} Encoder;

/* An object whose members are being written, and those into whose braces they go: a union and its branches. */
typedef struct Flat {
	const struct Flat *above;
	const UtmSchemaHeader *object;
} Flat;

static const char not_made[] = "was not made by the library: it is a copy by value, or freed";

static int encode_object(Encoder *e, const void *object);

static int refuse(Encoder *e, const char *problem)
{
	UtmError *made = utm__error_new(e->schema->unwritable, "%s", problem);
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

/* The text that came for an enumeration's value which nobody here knows, and which goes back as it came. */
static const UtmValue *find_kept(const UtmSchemaHeader *object, const char *name, gssize index)
{
	const UtmValue *kept = utm__value_find(object->extras, name);
	if (kept && index >= 0)
		kept = utm__value_get(kept, (gsize)index);
	return kept && kept->kind == UTM_TOKEN_STRING ? kept : NULL;
}

static int encode_enum(Encoder *e, const UtmSchemaMember *member, int32_t value, const UtmSchemaHeader *object,
                       gssize index)
{
	const char *text = utm__schema_enum_get_text(e->schema, member->type, value);
	const UtmValue *kept =
		!text && object ? find_kept(object, utm__schema_string(e->schema, member->name), index) : NULL;
	e->varies |= !text || !utm__schema_is_everywhere(e->schema, member->type, value);
	if (kept)
		return put_text(e, UTM_TOKEN_STRING, kept->as.text.bytes);
	return text ? put_text(e, UTM_TOKEN_STRING, text) : refuse(e, "is not one of the allowed values");
}

static int encode_any(Encoder *e, const UtmValue *value)
{
	if (!value)
		return refuse(e, "is missing");
	const char *problem = utm__value_write(value, e->sink);
	return problem ? refuse(e, problem) : 0;
}

static int encode_int(Encoder *e, const UtmSchemaMember *member, const void *field)
{
	UtmToken token = { .kind = UTM_TOKEN_UINT };
	utm__schema_get_int(member, field, &token.integer, &token.uinteger);
	if (!(member->type & UTM_SCHEMA_INT_UNSIGNED) || token.uinteger <= G_MAXINT64)
		token.kind = UTM_TOKEN_INT;
	return put(e, &token);
}

static int encode_inner(Encoder *e, guint type, const void *object)
{
	if (utm__schema_made(object, e->schema->number) && utm__schema_type_of(object) != type)
		return refuse(e, "is a struct of another type");
	return encode_object(e, object);
}

static int encode_field(Encoder *e, const UtmSchemaMember *member, const void *field, const UtmSchemaHeader *object,
                        gssize index)
{
	UtmToken token;
	switch (member->kind) {
	case UTM_SCHEMA_BOOL:
		token = (UtmToken){ .kind = UTM_TOKEN_BOOL, .boolean = *(const bool *)field };
		return put(e, &token);
	case UTM_SCHEMA_INT:
		return encode_int(e, member, field);
	case UTM_SCHEMA_NUMBER:
		token = (UtmToken){ .kind = UTM_TOKEN_REAL, .number = *(const double *)field };
		return put(e, &token);
	case UTM_SCHEMA_ENUM:
		return encode_enum(e, member, *(const int32_t *)field, object, index);
	case UTM_SCHEMA_ANY:
		return encode_any(e, *(UtmValue *const *)field);
	case UTM_SCHEMA_STRUCT:
		return encode_inner(e, member->type, *(void *const *)field);
	case UTM_SCHEMA_NULL:
		return put_kind(e, UTM_TOKEN_NULL);
	default:
		return put_text(e, UTM_TOKEN_STRING, *(char *const *)field);
	}
}

static int encode_array(Encoder *e, const UtmSchemaMember *member, const void *object)
{
	UtmSchemaStep step = { .above = e->at };
	if (*(const size_t *)utm__schema_at(object, member->flag_offset) != utm__schema_get_count(member, object))
		return refuse(e, "has a count, and no elements");
	int result = put_kind(e, UTM_TOKEN_BEGIN_ARRAY);
	e->at = &step;
	for (; result == 0 && step.index < utm__schema_get_count(member, object); step.index++)
		result = encode_field(e, member, utm__schema_get_element(member, object, step.index), object,
		                      (gssize)step.index);
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
		return encode_field(e, member, utm__schema_at(object, member->offset), object, -1);
	UtmToken token = { .kind = member->kind == UTM_SCHEMA_BOOL ? UTM_TOKEN_BOOL : UTM_TOKEN_INT };
	token.boolean = forced != 0;
	token.integer = forced;
	return member->kind == UTM_SCHEMA_ENUM ? encode_enum(e, member, (int32_t)forced, NULL, -1) : put(e, &token);
}

/* Of the forms of a member whose type changed, the newest one that is there. */
static const UtmSchemaMember *newest_form(const UtmSchemaMember *member, const void *object)
{
	const UtmSchemaMember *newest = member;
	while (member->next_form) {
		member += member->next_form;
		if (utm__schema_is_present(member, object))
			newest = member;
	}
	return newest;
}

/* What left a union for its branches is in both. */
static bool stands_above(const Encoder *e, const Flat *above, const char *name)
{
	for (; above; above = above->above) {
		const UtmSchemaType *row = &e->schema->types[utm__schema_type_of(above->object)];
		const UtmSchemaMember *member = utm__schema_find_member(e->schema, row, name, strlen(name));
		if (member && is_written(e, newest_form(member, above->object), above->object))
			return true;
	}
	return false;
}

static int encode_member(Encoder *e, const UtmSchemaMember *member, const Flat *flat)
{
	const void *object = flat->object;
	const char *name = utm__schema_string(e->schema, member->name);
	member = newest_form(member, object);
	if (!is_written(e, member, object) || stands_above(e, flat->above, name))
		return 0;
	UtmSchemaStep step = { .above = e->at, .name = name, .length = strlen(name) };
	e->varies |= member->span != UTM_SCHEMA_SPAN_ALL || (member->flags & UTM_SCHEMA_CONDITIONAL);
	e->at = &step;
	int result = put_text(e, UTM_TOKEN_KEY, name);
	if (result == 0)
		result = encode_value(e, member, object);
	e->at = step.above;
	return result;
}

static int encode_extra(Encoder *e, const UtmValue *extras, gsize index)
{
	const char *name = extras->as.children.keys[index];
	UtmSchemaStep step = { .above = e->at, .name = name, .length = strlen(name) };
	e->varies = true;
	e->at = &step;
	int result = put_text(e, UTM_TOKEN_KEY, name);
	if (result == 0)
		result = encode_any(e, extras->as.children.items[index]);
	e->at = step.above;
	return result;
}

/* Two sorted rows become one. An extra with the name of a member is the text of an enumeration. */
static int encode_members(Encoder *e, const Flat *flat)
{
	const UtmSchemaHeader *object = flat->object;
	const UtmSchemaType *row = &e->schema->types[utm__schema_type_of(object)];
	gsize known = 0, extra = 0, extra_count = object->extras ? object->extras->as.children.count : 0;
	int result = 0;
	while (result == 0 && (known < row->named_count || extra < extra_count)) {
		const UtmSchemaMember *member = NULL;
		if (known < row->named_count)
			member = utm__schema_member(e->schema, row, e->schema->sorted[row->by_name + known]);
		int order = 1;
		if (extra < extra_count)
			order = member ? utm__key_compare(object->extras->as.children.keys[extra],
			                                  utm__schema_string(e->schema, member->name)) : -1;
		if (order < 0)
			result = encode_extra(e, object->extras, extra);
		else
			result = encode_member(e, member, flat);
		extra += order <= 0;
		known += order >= 0;
	}
	return result;
}

static bool requires_something(const UtmSchema *schema, guint type)
{
	const UtmSchemaType *row = &schema->types[type];
	for (guint i = 0; i < row->count; i++)
		if (!(utm__schema_member(schema, row, i)->flags & UTM_SCHEMA_OPTIONAL))
			return true;
	return false;
}

static const void *branch_at(const UtmSchemaBranch *branch, const void *object)
{
	return *(void *const *)utm__schema_at(object, branch->offset);
}

/* The tag chooses one of the branches that may stand in this place, and what stands there is of its type. */
static bool is_chosen(const UtmSchema *schema, const void *object, guint16 offset)
{
	const UtmSchemaBranch *branch = NULL;
	while ((branch = utm__schema_next_branch(schema, object, branch)))
		if (branch->offset == offset && utm__schema_type_of(branch_at(branch, object)) == branch->type)
			return true;
	return false;
}

/* Another branch is there than the one that the tag chooses: said at the tag, with its value. */
static int refuse_tag(Encoder *e, const UtmSchemaType *row, const void *object)
{
	const UtmSchemaMember *tag = utm__schema_member(e->schema, row, row->tag);
	const char *name = utm__schema_string(e->schema, tag->name);
	const char *text = utm__schema_enum_get_text(e->schema, tag->type, *(int32_t *)utm__schema_at(object, tag->offset));
	g_autofree char *problem = g_strdup_printf("is %s%s%s, but the branch of another value is set", text ? "\"" : "",
	                                           text ? text : "none of its values", text ? "\"" : "");
	UtmSchemaStep step = { .above = e->at, .name = name, .length = strlen(name) };
	e->at = &step;
	int result = refuse(e, problem);
	e->at = step.above;
	return result;
}

/* What stands in the places of branches is what the tag chooses; of a union's branches most share one place. */
static int check_branches(Encoder *e, const void *object)
{
	const UtmSchemaType *row = &e->schema->types[utm__schema_type_of(object)];
	for (guint i = 0; i < row->branch_count; i++) {
		const UtmSchemaBranch *branch = &e->schema->branches[row->first_branch + i];
		const void *there = branch_at(branch, object);
		if (!there || (i > 0 && branch->offset == branch[-1].offset))
			continue;
		if (!utm__schema_made(there, e->schema->number))
			return refuse(e, not_made);
		if (!is_chosen(e->schema, object, branch->offset))
			return refuse_tag(e, row, object);
	}
	return 0;
}

/* The newest form of the branch that is there; NULL when the tag has none, or none is there. */
static const void *find_branch(const UtmSchema *schema, const void *object, bool *ret_expected)
{
	const void *found = NULL;
	*ret_expected = false;
	for (const UtmSchemaBranch *branch = NULL; (branch = utm__schema_next_branch(schema, object, branch));) {
		const void *candidate = branch_at(branch, object);
		*ret_expected |= !branch->late && requires_something(schema, branch->type);
		found = candidate ? candidate : found;
	}
	return found;
}

/* The members of an object, and those of the branch that its tag chooses. */
static int encode_flat(Encoder *e, const Flat *above, const void *object)
{
	Flat flat = { .above = above, .object = object };
	bool expected;
	int result = check_branches(e, object);
	const void *branch = result == 0 ? find_branch(e->schema, object, &expected) : NULL;
	if (result == 0)
		result = encode_members(e, &flat);
	if (result == 0 && branch)
		return encode_flat(e, &flat, branch);
	return result == 0 && expected ? refuse(e, "lacks the branch that its tag chooses") : result;
}

/* The one branch that is there: it stands for the whole. */
static int encode_alternate(Encoder *e, const UtmSchemaType *row, const void *object)
{
	int32_t choice = *(int32_t *)utm__schema_at(object, row->tag);
	if (choice < 1 || choice > row->count)
		return refuse(e, "has no choice");
	return encode_value(e, utm__schema_member(e->schema, row, (guint)choice - 1), object);
}

static int encode_struct(Encoder *e, const void *object)
{
	int result = put_kind(e, UTM_TOKEN_BEGIN_OBJECT);
	if (result == 0)
		result = encode_flat(e, NULL, object);
	return result < 0 ? result : put_kind(e, UTM_TOKEN_END_OBJECT);
}

static int encode_object(Encoder *e, const void *object)
{
	if (!object)
		return refuse(e, "is missing");
	if (!utm__schema_made(object, e->schema->number))
		return refuse(e, not_made);
	if (++e->depth > UTM_SCHEMA_DEPTH_MAX)
		return refuse(e, "is nested too deeply");
	const UtmSchemaType *row = &e->schema->types[utm__schema_type_of(object)];
	int result = row->kind == UTM_SCHEMA_ALTERNATE ? encode_alternate(e, row, object)
	             : row->kind == UTM_SCHEMA_WRAPPER ? encode_value(e, utm__schema_member(e->schema, row, 0), object)
	                                               : encode_struct(e, object);
	e->depth--;
	return result;
}

/* --- entries --- */

int utm__schema_encode(const UtmSchema *schema, const void *object, UtmSink *sink, guint flags, const char *base_path,
                       bool *ret_varies, UtmError **error)
{
	Encoder e = { .schema = schema, .sink = sink, .flags = flags, .base_path = base_path, .error = error };
	int result = encode_object(&e, object);
	if (result == 0 && ret_varies)
		*ret_varies = e.varies;
	return result;
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
	return encode_field(&e, member, utm__schema_get_element(member, object, index), object,
	                    (gssize)index);
}
