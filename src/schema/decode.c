/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From tokens to objects. The nesting of what is read is that of the schema, and of unknown values that of the source,
 * which bounds it; so recursion is bounded too. Key paths cost nothing until something is wrong: the places on the way
 * down stand on the C stack.
 */
#include "schema/schema.h"

#include <math.h>
#include <string.h>

typedef UtmSchemaStep Step;

typedef struct Decoder {
	const UtmSchema *schema;
	UtmSource *source;
	guint flags;
	const char *base_path;
} Decoder;

static int decode_struct(Decoder *d, const Step *at, guint type, void **ret_object, UtmError **error);

/* --- errors --- */

void utm__schema_append_path(GString *path, const UtmSchemaStep *step)
{
	if (!step)
		return;
	utm__schema_append_path(path, step->above);
	if (!step->name) {
		g_string_append_printf(path, "[%" G_GSIZE_FORMAT "]", step->index);
		return;
	}
	if (path->len)
		g_string_append_c(path, '.');
	g_string_append_len(path, step->name, (gssize)step->length);
}

static void set_path(const Decoder *d, const Step *at, UtmError **error)
{
	if (!error || !*error || utm_error_get_key_path(*error))
		return;
	g_autoptr(GString) path = g_string_new(d->base_path);
	utm__schema_append_path(path, at);
	if (path->len)
		utm__error_set_key_path(*error, path->str);
}

#define FAIL(d, at, error, ...) (utm__fail((error), __VA_ARGS__), set_path((d), (at), (error)))

static int malformed(const Decoder *d, const Step *at, UtmError **error, const char *message)
{
	FAIL(d, at, error, UTM_ERROR_CONFIG_MALFORMED, "%s", message);
	return UTM_ERROR_CONFIG_MALFORMED;
}

static int wrong_type(const Decoder *d, const Step *at, const char *expected, const UtmToken *token, UtmError **error)
{
	FAIL(d, at, error, UTM_ERROR_CONFIG_MALFORMED, "must be %s, not %s", expected,
	     utm__token_kind_get_text(token->kind));
	return UTM_ERROR_CONFIG_MALFORMED;
}

/* For messages: strings from strangers may be long. */
static char *shortened(const char *text, gsize length)
{
	if (length <= 80)
		return g_strndup(text, length);
	g_autofree char *head = g_strndup(text, 77);
	return g_strconcat(head, "...", NULL);
}

static int not_allowed(const Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token,
                       UtmError **error)
{
	g_autofree char *value = shortened(token->text, token->length);
	if (member->kind == UTM_SCHEMA_ENUM) {
		g_autofree char *list = utm__schema_enum_dup_list(d->schema, member->type);
		FAIL(d, at, error, UTM_ERROR_CONFIG_INVALID_VALUE, "\"%s\" is not allowed; use %s", value, list);
		return UTM_ERROR_CONFIG_INVALID_VALUE;
	}
	int code = d->flags & UTM_SCHEMA_STRICT ? UTM_ERROR_CONFIG_INVALID_VALUE : UTM_ERROR_CONFIG_MALFORMED;
	FAIL(d, at, error, code, "\"%s\" is not a UUID", value);
	return code;
}

static int next(Decoder *d, const Step *at, UtmToken *ret_token, UtmError **error)
{
	int result = d->source->next(d->source, ret_token, error);
	if (result < 0)
		set_path(d, at, error);
	return result;
}

/* --- one value --- */

static int decode_int(Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token, int64_t *field,
                      UtmError **error)
{
	if (token->kind == UTM_TOKEN_INT)
		*field = token->integer;
	else if (token->kind == UTM_TOKEN_REAL && token->number == floor(token->number) && fabs(token->number) < 0x1p63)
		*field = (int64_t)token->number;
	else if (token->kind == UTM_TOKEN_REAL || token->kind == UTM_TOKEN_UINT)
		return malformed(d, at, error, "must be an integer of 64 bits");
	else
		return wrong_type(d, at, "an integer", token, error);
	if (!(d->flags & UTM_SCHEMA_STRICT))
		return 0;
	int result = utm__schema_check_int(d->schema, member, NULL, *field, error);
	if (result < 0)
		set_path(d, at, error);
	return result;
}

static int decode_number(Decoder *d, const Step *at, const UtmToken *token, double *field, UtmError **error)
{
	if (token->kind == UTM_TOKEN_REAL)
		*field = token->number;
	else if (token->kind == UTM_TOKEN_INT)
		*field = (double)token->integer;
	else if (token->kind == UTM_TOKEN_UINT)
		*field = (double)token->uinteger;
	else
		return wrong_type(d, at, "a number", token, error);
	return 0;
}

static int decode_text(Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token, void *field,
                       UtmError **error)
{
	if (token->kind != UTM_TOKEN_STRING)
		return wrong_type(d, at, "a string", token, error);
	bool good;
	if (member->kind == UTM_SCHEMA_ENUM) {
		int32_t value = utm__schema_enum_from_text(d->schema, member->type, token->text, token->length);
		*(int32_t *)field = value;
		good = value >= 0;
	} else {
		*(char **)field = utm__schema_dup_string(member, token->text, token->length);
		good = *(char **)field != NULL;
	}
	return good ? 0 : not_allowed(d, at, member, token, error);
}

/* `token` is the first of the value; the rest comes from the source. */
static int decode_field(Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token, void *field,
                        UtmError **error)
{
	switch (member->kind) {
	case UTM_SCHEMA_BOOL:
		*(bool *)field = token->boolean;
		return token->kind == UTM_TOKEN_BOOL ? 0 : wrong_type(d, at, "a boolean", token, error);
	case UTM_SCHEMA_INT:
		return decode_int(d, at, member, token, field, error);
	case UTM_SCHEMA_NUMBER:
		return decode_number(d, at, token, field, error);
	case UTM_SCHEMA_ANY:
		return utm__value_read(d->source, token, field, error);
	case UTM_SCHEMA_STRUCT:
		if (token->kind != UTM_TOKEN_BEGIN_OBJECT)
			return wrong_type(d, at, "a dictionary", token, error);
		return decode_struct(d, at, member->type, field, error);
	default:
		return decode_text(d, at, member, token, field, error);
	}
}

/* Room doubles here and only here: elsewhere arrays may have been allocated to size by anybody. */
static int decode_array(Decoder *d, const Step *at, const UtmSchemaMember *member, void *object, UtmError **error)
{
	gsize size = utm__schema_element_size(member), room = 1;
	void **array = utm__schema_at(object, member->offset);
	size_t *count = utm__schema_at(object, member->flag_offset);
	*array = g_malloc0(size);
	for (;;) {
		UtmToken token;
		Step element = { .above = at, .index = *count };
		int result = next(d, &element, &token, error);
		if (result < 0 || token.kind == UTM_TOKEN_END_ARRAY)
			return result;
		if (*count == room)
			*array = g_realloc_n(*array, room *= 2, size);
		void *field = (char *)*array + (*count)++ * size;
		memset(field, 0, size);
		if ((result = decode_field(d, &element, member, &token, field, error)) < 0)
			return result;
	}
}

/* --- members --- */

static int decode_member(Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token, void *object,
                         UtmError **error)
{
	if (member->flags & UTM_SCHEMA_ARRAY) {
		if (token->kind != UTM_TOKEN_BEGIN_ARRAY)
			return wrong_type(d, at, "an array", token, error);
		return decode_array(d, at, member, object, error);
	}
	int result = decode_field(d, at, member, token, utm__schema_at(object, member->offset), error);
	if (result == 0 && member->flag_offset)
		*(bool *)utm__schema_at(object, member->flag_offset) = true;
	return result;
}

static int skip(Decoder *d, const Step *at, const UtmToken *token, UtmError **error)
{
	if (token->kind != UTM_TOKEN_BEGIN_OBJECT && token->kind != UTM_TOKEN_BEGIN_ARRAY)
		return 0;
	int result = d->source->skip(d->source, error);
	if (result < 0)
		set_path(d, at, error);
	return result;
}

static int unknown_key(Decoder *d, const Step *at, guint type, UtmError **error)
{
	g_autoptr(GString) known = g_string_new("Known here: ");
	const UtmSchemaType *row = &d->schema->types[type];
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(d->schema, row, i);
		g_string_append_printf(known, "%s%s", i ? ", " : "", utm__schema_string(d->schema, member->name));
	}
	g_string_append_c(known, '.');
	FAIL(d, at, error, UTM_ERROR_KEY_PATH, "there is no such key");
	if (error)
		utm__error_set_remedy(*error, known->str);
	return UTM_ERROR_KEY_PATH;
}

static int decode_unknown(Decoder *d, const Step *at, const UtmToken *token, UtmSchemaHeader *object, UtmError **error)
{
	UtmValue *value;
	if (d->flags & UTM_SCHEMA_REFUSE_UNKNOWN)
		return unknown_key(d, at, object->type, error);
	if (!(d->flags & UTM_SCHEMA_KEEP_UNKNOWN))
		return skip(d, at, token, error);
	int result = utm__value_read(d->source, token, &value, error);
	if (result < 0) {
		set_path(d, at, error);
		return result;
	}
	if (!object->extras)
		object->extras = utm__value_new_object();
	utm__value_append(object->extras, at->name, at->length, value);
	return 0;
}

/* What one pass over an object has met. */
typedef struct Pass {
	bool old_names;
	guint known;
	guint8 seen[UTM_SCHEMA_MEMBERS_MAX];
} Pass;

static const UtmSchemaMember *find_by_old_name(const UtmSchema *schema, const UtmSchemaType *row, const char *name,
                                               gsize length)
{
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(schema, row, i);
		const char *old = utm__schema_string(schema, member->old_name);
		if (member->old_name && strlen(old) == length && memcmp(old, name, length) == 0)
			return member;
	}
	return NULL;
}

static int decode_key(Decoder *d, const Step *at, Pass *pass, const UtmToken *token, UtmSchemaHeader *object,
                      UtmError **error)
{
	const UtmSchemaType *row = &d->schema->types[object->type];
	const UtmSchemaMember *member = utm__schema_find_member(d->schema, row, at->name, at->length);
	if (pass->old_names && member && member->old_name)
		return skip(d, at, token, error); /* the other spelling does not count, and is not kept beside this one */
	if (pass->old_names && !member)
		member = find_by_old_name(d->schema, row, at->name, at->length);
	if (!member)
		return decode_unknown(d, at, token, object, error);
	guint8 *seen = &pass->seen[member - utm__schema_member(d->schema, row, 0)];
	if (*seen)
		return malformed(d, at, error, "stands twice");
	pass->known++;
	if (token->kind == UTM_TOKEN_NULL)
		return 0; /* as if it were not there */
	*seen = true;
	return decode_member(d, at, member, token, object, error);
}

static int decode_members(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	for (;;) {
		UtmToken token;
		int result = next(d, at, &token, error);
		if (result < 0 || token.kind == UTM_TOKEN_END_OBJECT)
			return result;
		/* The text is the source's and goes with the next token, but errors below still want it. */
		char small[64];
		g_autofree char *large = token.length < sizeof small ? NULL : g_strndup(token.text, token.length);
		char *name = large ? large : memcpy(small, token.text, token.length);
		Step step = { .above = at, .name = name, .length = token.length };
		if ((result = next(d, &step, &token, error)) < 0)
			return result;
		if ((result = decode_key(d, &step, pass, &token, object, error)) < 0)
			return result;
	}
}

static int fill_missing_member(Decoder *d, const Step *at, const UtmSchemaMember *member, void *object,
                               UtmError **error)
{
	bool optional = member->flags & UTM_SCHEMA_OPTIONAL;
	if (d->flags & UTM_SCHEMA_COMPLETE)
		utm__schema_set_new(d->schema, member, object);
	else if (optional)
		utm__schema_set_default(d->schema, member, object);
	else
		return malformed(d, at, error, "is missing");
	const UtmSchemaFact *required = utm__schema_find_fact(d->schema, member, UTM_SCHEMA_FACT_REQUIRED_IF);
	if (required && utm__schema_holds(d->schema, required, object) && !utm__schema_is_present(member, object))
		return malformed(d, at, error, "is missing");
	return 0;
}

static int fill_missing(Decoder *d, const Step *at, const Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	const UtmSchemaType *row = &d->schema->types[object->type];
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(d->schema, row, i);
		guint16 spelling = pass->old_names && member->old_name ? member->old_name : member->name;
		const char *name = utm__schema_string(d->schema, spelling);
		Step step = { .above = at, .name = name, .length = strlen(name) };
		int result = pass->seen[i] ? 0 : fill_missing_member(d, &step, member, object, error);
		if (result < 0)
			return result;
	}
	return 0;
}

static int decode_pass(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	int result = decode_members(d, at, pass, object, error);
	if (result == 0)
		result = fill_missing(d, at, pass, object, error);
	if (result == 0 && object->extras)
		utm__value_sort(object->extras);
	return result;
}

/* A second pass, for an entry that cannot be read in the current spelling. The better informed error stays. */
static int decode_old_names(Decoder *d, const Step *at, UtmSourceMark mark, const Pass *first, UtmSchemaHeader *object,
                            UtmError **error)
{
	g_autoptr(UtmError) first_error = error ? g_steal_pointer(error) : NULL;
	Pass second = { .old_names = true };
	utm__schema_reset(d->schema, object);
	d->source->rewind(d->source, mark);
	int result = decode_pass(d, at, &second, object, error);
	if (result < 0 && first->known >= second.known && error) {
		utm_error_unref(*error);
		*error = g_steal_pointer(&first_error);
	}
	return result;
}

static int decode_struct(Decoder *d, const Step *at, guint type, void **ret_object, UtmError **error)
{
	Pass pass = { .old_names = false };
	UtmSourceMark mark = d->source->mark(d->source);
	void *object = utm__schema_alloc(d->schema, type);
	int result = decode_pass(d, at, &pass, object, error);
	if (result == UTM_ERROR_CONFIG_MALFORMED && d->schema->types[type].has_old_names)
		result = decode_old_names(d, at, mark, &pass, object, error);
	if (result < 0)
		utm__schema_free(d->schema, object);
	else
		*ret_object = object;
	return result;
}

/* --- entries --- */

int utm__schema_decode(const UtmSchema *schema, guint type, UtmSource *source, guint flags, const char *base_path,
                       void **ret_object, UtmError **error)
{
	Decoder d = { .schema = schema, .source = source, .flags = flags, .base_path = base_path };
	UtmToken token;
	void *object = NULL;
	int result = next(&d, NULL, &token, error);
	if (result == 0 && token.kind != UTM_TOKEN_BEGIN_OBJECT)
		result = wrong_type(&d, NULL, "a dictionary", &token, error);
	if (result == 0)
		result = decode_struct(&d, NULL, type, &object, error);
	if (result == 0)
		result = next(&d, NULL, &token, error);
	if (result == 0)
		*ret_object = object;
	else
		utm__schema_free(schema, object);
	return result;
}

/* Into a spare object first: what fails half way must change nothing. */
int utm__schema_decode_member(const UtmSchema *schema, const UtmSchemaMember *member, UtmSource *source, guint flags,
                              const char *path, void *object, UtmError **error)
{
	Decoder d = { .schema = schema, .source = source, .flags = flags, .base_path = path };
	void *spare = utm__schema_alloc(schema, ((UtmSchemaHeader *)object)->type);
	UtmToken token;
	int result = next(&d, NULL, &token, error);
	if (result == 0)
		result = decode_member(&d, NULL, member, &token, spare, error);
	if (result == 0)
		result = next(&d, NULL, &token, error);
	if (result == 0)
		utm__schema_move(schema, member, object, spare);
	utm__schema_free(schema, spare);
	return result;
}

int utm__schema_decode_element(const UtmSchema *schema, const UtmSchemaMember *member, UtmSource *source, guint flags,
                               const char *path, void *object, gsize index, UtmError **error)
{
	Decoder d = { .schema = schema, .source = source, .flags = flags, .base_path = path };
	void *spare = utm__schema_alloc(schema, ((UtmSchemaHeader *)object)->type);
	void *field = utm__schema_insert_element(member, spare, 0);
	UtmToken token;
	int result = next(&d, NULL, &token, error);
	if (result == 0)
		result = decode_field(&d, NULL, member, &token, field, error);
	if (result == 0)
		result = next(&d, NULL, &token, error);
	if (result == 0)
		utm__schema_swap_element(member, object, index, spare);
	utm__schema_free(schema, spare);
	return result;
}
