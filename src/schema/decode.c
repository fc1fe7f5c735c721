/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From tokens to objects. The nesting of what is read is that of the schema, and of unknown values that of the source,
 * which bounds it; so recursion is bounded too. Key paths cost nothing until something is wrong: the places on the way
 * down stand on the C stack.
 */
#include "schema/schema.h"

#include <math.h>
#include <string.h>

/* Elements for which a list has room from the beginning. */
#define ROOM_FIRST 4

typedef UtmSchemaStep Step;

typedef struct Decoder {
	const UtmSchema *schema;
	UtmSource *source;
	guint flags;
	const char *base_path;
	guint depth;
	UtmPool *pool; /* NULL: each by itself */
} Decoder;

/* An object whose keys are being read, and the unions that read theirs from the same braces. */
typedef struct Flat {
	const struct Flat *above;
	guint type;
} Flat;

static int decode_object(Decoder *d, const Step *at, guint type, const UtmToken *token, void **ret_object,
                         UtmError **error);

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
	if (path->len && step->length)
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
	FAIL(d, at, error, d->schema->malformed, "%s", message);
	return d->schema->malformed;
}

static int wrong_type(const Decoder *d, const Step *at, const char *expected, const UtmToken *token, UtmError **error)
{
	FAIL(d, at, error, d->schema->malformed, "must be %s, not %s", expected, utm__token_kind_get_text(token->kind));
	return d->schema->malformed;
}

/* For messages: strings from strangers may be long. */
static char *shortened(const char *text, gsize length)
{
	gsize end = 77;
	if (length <= 80)
		return g_strndup(text, length);
	while (((guchar)text[end] & 0xc0) == 0x80)
		end--; /* not within a character */
	g_autofree char *head = g_strndup(text, end);
	return g_strconcat(head, "...", NULL);
}

static int not_allowed(const Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token,
                       UtmError **error)
{
	g_autofree char *value = shortened(token->text, token->length);
	if (member->kind == UTM_SCHEMA_ENUM) {
		g_autofree char *list = utm__schema_enum_dup_list(d->schema, member->type);
		FAIL(d, at, error, d->schema->not_allowed, "\"%s\" is not allowed; use %s", value, list);
		return d->schema->not_allowed;
	}
	int code = d->flags & UTM_SCHEMA_STRICT ? d->schema->not_allowed : d->schema->malformed;
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

static int wrong_int(const Decoder *d, const Step *at, const UtmSchemaMember *member, UtmError **error)
{
	g_autofree char *message = g_strdup_printf("must be an integer of %u bits%s",
	                                           (member->type & UTM_SCHEMA_INT_BYTES) * 8u,
	                                           member->type & UTM_SCHEMA_INT_UNSIGNED ? " without sign" : "");
	return malformed(d, at, error, message);
}

static int decode_int(Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token, void *field,
                      UtmError **error)
{
	guint64 bits;
	if (token->kind == UTM_TOKEN_INT)
		bits = (guint64)token->integer;
	else if (token->kind == UTM_TOKEN_UINT)
		bits = token->uinteger;
	else if (token->kind == UTM_TOKEN_REAL && token->number == floor(token->number) && fabs(token->number) < 0x1p63)
		bits = (guint64)(gint64)token->number;
	else if (token->kind == UTM_TOKEN_REAL)
		return wrong_int(d, at, member, error);
	else
		return wrong_type(d, at, "an integer", token, error);
	if (!utm__schema_set_int(member, field, bits, token->kind == UTM_TOKEN_UINT))
		return wrong_int(d, at, member, error);
	if (!(d->flags & UTM_SCHEMA_STRICT))
		return 0;
	int result = utm__schema_check_int(d->schema, member, NULL, (gint64)bits, error);
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
	*(char **)field = utm__schema_dup_string(d->pool, member, token->text, token->length);
	return *(char **)field ? 0 : not_allowed(d, at, member, token, error);
}

static void keep_extra(UtmSchemaHeader *object, const char *name, gsize length, UtmValue *value_taken)
{
	if (!object->extras)
		object->extras = utm__value_new_object();
	utm__value_append(object->extras, name, length, value_taken);
}

/*
 * The text of a value that no enumeration here has, beside its -1. `list` is where those of an array go, which is made
 * with the first; NULL for a scalar.
 */
static void keep_text(const Step *at, const UtmToken *token, UtmSchemaHeader *object, UtmValue **list)
{
	UtmValue *text = utm__value_new_string(token->text, token->length);
	const Step *named = at && at->name ? at : at ? at->above : NULL;
	if (!list) {
		keep_extra(object, named->name, named->length, text);
		return;
	}
	if (!*list) {
		*list = utm__value_new_array();
		keep_extra(object, named->name, named->length, *list);
	}
	while ((*list)->as.children.count < at->index)
		utm__value_push(*list, utm__value_new_null());
	utm__value_push(*list, text);
}

/* What is being filled: an object of a schema, and when it is one of its arrays, the unknown texts in that. */
typedef struct Target {
	UtmSchemaHeader *object;
	UtmValue **list;
} Target;

static int decode_enum(Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token, int32_t *field,
                       const Target *target, UtmError **error)
{
	if (token->kind != UTM_TOKEN_STRING)
		return wrong_type(d, at, "a string", token, error);
	*field = utm__schema_enum_from_text(d->schema, member->type, token->text, token->length);
	if (*field >= 0)
		return 0;
	if (!(d->flags & UTM_SCHEMA_TOLERANT) || !at)
		return not_allowed(d, at, member, token, error);
	keep_text(at, token, target->object, target->list);
	return 0;
}

static int decode_any(Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token,
                      UtmValue **field, UtmError **error)
{
	int result = utm__value_read(d->source, token, field, error);
	if (result < 0) {
		set_path(d, at, error);
		return result;
	}
	UtmToken read = { .kind = (*field)->kind };
	if (member->type == UTM_SCHEMA_NONE || (guint)read.kind == member->type)
		return 0;
	return wrong_type(d, at, utm__token_kind_get_text((UtmTokenKind)member->type), &read, error);
}

/* An untyped reader's number: strings count as far as they are one. */
static gint64 lax_int(const UtmToken *token)
{
	if (token->kind == UTM_TOKEN_STRING) {
		g_autofree char *text = g_strndup(token->text, token->length);
		return g_ascii_strtoll(text, NULL, 10);
	}
	if (token->kind == UTM_TOKEN_REAL)
		return fabs(token->number) < 0x1p63 ? (gint64)token->number : 0;
	return token->kind == UTM_TOKEN_BOOL ? token->boolean : token->integer;
}

/* Of a string the first letter decides, or a digit other than 0, behind white space, a sign and zeros. */
static bool lax_bool(const UtmToken *token)
{
	if (token->kind == UTM_TOKEN_REAL)
		return token->number != 0;
	if (token->kind != UTM_TOKEN_STRING)
		return token->kind == UTM_TOKEN_UINT || lax_int(token) != 0;
	gsize at = 0;
	while (at < token->length && g_ascii_isspace(token->text[at]))
		at++;
	at += at < token->length && (token->text[at] == '-' || token->text[at] == '+');
	while (at < token->length && token->text[at] == '0')
		at++;
	return at < token->length && token->text[at] && strchr("YyTt123456789", token->text[at]);
}

static void make_lax(const UtmSchemaMember *member, UtmToken *token)
{
	if (member->kind == UTM_SCHEMA_BOOL)
		*token = (UtmToken){ .kind = UTM_TOKEN_BOOL, .boolean = lax_bool(token) };
	else if (member->kind == UTM_SCHEMA_INT)
		*token = (UtmToken){ .kind = UTM_TOKEN_INT, .integer = lax_int(token) };
}

/* `token` is the first of the value; the rest comes from the source. */
static int decode_field(Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token, void *field,
                        const Target *target, UtmError **error)
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
		return decode_any(d, at, member, token, field, error);
	case UTM_SCHEMA_STRUCT:
		return decode_object(d, at, member->type, token, field, error);
	case UTM_SCHEMA_ENUM:
		return decode_enum(d, at, member, token, field, target, error);
	case UTM_SCHEMA_NULL:
		return token->kind == UTM_TOKEN_NULL ? 0 : wrong_type(d, at, "null", token, error);
	default:
		return decode_text(d, at, member, token, field, error);
	}
}

/* Room doubles here and only here: elsewhere arrays may have been allocated to size by anybody. */
static int decode_array(Decoder *d, const Step *at, const UtmSchemaMember *member, void *object, UtmError **error)
{
	UtmValue *list = NULL;
	const Target target = { .object = object, .list = &list };
	gsize size = utm__schema_element_size(member), room = ROOM_FIRST;
	void **array = utm__schema_at(object, member->offset);
	size_t *count = utm__schema_at(object, member->flag_offset);
	*array = g_malloc_n(room, size);
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
		if ((result = decode_field(d, &element, member, &token, field, &target, error)) < 0)
			return result;
	}
}

/* --- members --- */

static int decode_member(Decoder *d, const Step *at, const UtmSchemaMember *member, const UtmToken *token, void *object,
                         UtmError **error)
{
	const Target target = { .object = object };
	if (member->flags & UTM_SCHEMA_ARRAY) {
		if (token->kind != UTM_TOKEN_BEGIN_ARRAY)
			return wrong_type(d, at, "an array", token, error);
		return decode_array(d, at, member, object, error);
	}
	int result = decode_field(d, at, member, token, utm__schema_at(object, member->offset), &target, error);
	if (result == 0)
		utm__schema_set_present(member, object);
	return result;
}

/*
 * A member whose type changed between releases has several forms in C. Each that the value fits is filled, so that a
 * program reads the one it was made for; it is an error when none fits.
 */
static int decode_forms(Decoder *d, const Step *at, const UtmSchemaMember *member, UtmToken *token,
                        UtmSchemaHeader *object, UtmError **error)
{
	bool container = token->kind == UTM_TOKEN_BEGIN_OBJECT || token->kind == UTM_TOKEN_BEGIN_ARRAY;
	UtmSourceMark mark = container ? d->source->mark(d->source) : (UtmSourceMark){ 0 };
	bool fits = false;
	for (;; member += member->next_form) {
		g_autoptr(UtmError) problem = NULL;
		bool last = member->next_form == 0;
		int result = decode_member(d, at, member, token, object, &problem);
		fits |= result == 0;
		if (result < 0)
			utm__schema_clear(d->schema, member, object);
		if (last && result < 0 && !fits)
			return utm__fail_take(error, g_steal_pointer(&problem));
		if (last && result == 0)
			return 0;
		if (container)
			d->source->rewind(d->source, mark);
		if (last)
			return container ? d->source->skip(d->source, error) : 0;
	}
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

/* For what another pass has read, or will. */
static int pass_over(Decoder *d, const Step *at, const UtmToken *token, UtmError **error)
{
	if (token->kind != UTM_TOKEN_BEGIN_OBJECT && token->kind != UTM_TOKEN_BEGIN_ARRAY)
		return 0;
	int result = d->source->pass(d->source, error);
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
		return unknown_key(d, at, utm__schema_type_of(object), error);
	if (!(d->flags & UTM_SCHEMA_KEEP_UNKNOWN))
		return skip(d, at, token, error);
	int result = utm__value_read(d->source, token, &value, error);
	if (result < 0) {
		set_path(d, at, error);
		return result;
	}
	keep_extra(object, at->name, at->length, value);
	return 0;
}

/*
 * Keys of a union that are for its branch, which is known when all have been met. More, or some that do not last, are rare;
 * then the text is read once more.
 */
#define LATER_MAX 16

typedef struct LaterKey {
	UtmSourceMark value;
	const char *name;
	gsize length;
} LaterKey;

typedef struct Later {
	UtmSourceMark begin, end; /* of the first pass */
	guint count;
	bool over; /* there were more, or the branches have keys of the union */
	LaterKey keys[LATER_MAX];
} Later;

/* What one pass over an object has met. */
typedef struct Pass {
	bool old_names;
	bool is_union;   /* keys that are not its own may be those of a branch, which reads them in a pass of its own */
	bool extras_only; /* of a union without a branch: its own keys have been read */
	bool may_lack;    /* of a branch: when none of its keys is there, neither is it */
	bool met_unknown;
	bool late; /* something waits until all keys have been read */
	guint known;
	guint filled; /* bits in `seen` */
	guint likely; /* which of the members the next key may be */
	const Flat *above;
	const Later *from;   /* the keys, instead of those between the braces */
	Later *later;        /* of a union in its first pass */
	UtmSourceMark value; /* where that of the key begins, with `later` */
	bool key_lasts;
	guint8 seen[UTM_SCHEMA_MEMBERS_MAX / 8 + 1];
	guint8 misfit[UTM_SCHEMA_MEMBERS_MAX / 8 + 1]; /* of a wrong type, which may not matter */
} Pass;

static bool was_seen(const Pass *pass, guint index)
{
	return pass->seen[index / 8] >> index % 8 & 1;
}

/* What kinds of token a member takes; those of bytes include the object that stands for them in JSON. */
static bool takes(const UtmSchemaMember *member, bool lax, const UtmToken *token)
{
	static const guint16 kinds_taken[] = {
		[UTM_SCHEMA_BOOL] = 1 << UTM_TOKEN_BOOL,
		[UTM_SCHEMA_INT] = 1 << UTM_TOKEN_INT | 1 << UTM_TOKEN_UINT | 1 << UTM_TOKEN_REAL,
		[UTM_SCHEMA_NUMBER] = 1 << UTM_TOKEN_INT | 1 << UTM_TOKEN_UINT | 1 << UTM_TOKEN_REAL,
		[UTM_SCHEMA_STRING] = 1 << UTM_TOKEN_STRING,
		[UTM_SCHEMA_ANY] = 0xffff,
		[UTM_SCHEMA_ENUM] = 1 << UTM_TOKEN_STRING,
		[UTM_SCHEMA_STRUCT] = 1 << UTM_TOKEN_BEGIN_OBJECT,
		[UTM_SCHEMA_NULL] = 1 << UTM_TOKEN_NULL,
	};
	guint kinds = kinds_taken[member->kind];
	if (member->flags & UTM_SCHEMA_ARRAY)
		return token->kind == UTM_TOKEN_BEGIN_ARRAY;
	if (member->kind == UTM_SCHEMA_ANY && member->type != UTM_SCHEMA_NONE)
		kinds = 1u << member->type | (lax ? 0 : 1 << UTM_TOKEN_BEGIN_OBJECT);
	if (lax && (member->kind == UTM_SCHEMA_BOOL || member->kind == UTM_SCHEMA_INT))
		kinds |= 1 << UTM_TOKEN_BOOL | 1 << UTM_TOKEN_INT | 1 << UTM_TOKEN_REAL | 1 << UTM_TOKEN_STRING;
	return kinds >> token->kind & 1;
}

/*
 * What only the whole object can judge: a boolean in the place of an enumeration, and a wrong type where the key may
 * not count. True when that was it.
 */
static bool is_put_off(const UtmSchema *schema, const UtmSchemaMember *member, guint index, const UtmToken *token,
                       Pass *pass, void *object)
{
	bool conditional = utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_READ_IF) != NULL;
	bool is_bool = member->kind == UTM_SCHEMA_ENUM && token->kind == UTM_TOKEN_BOOL &&
	               utm__schema_find_fact(schema, member, UTM_SCHEMA_FACT_FROM_BOOL);
	bool misfit = conditional && !takes(member, false, token);
	pass->late |= conditional || is_bool;
	if (is_bool) {
		int32_t *field = utm__schema_at(object, member->offset);
		*field = token->boolean ? UTM_SCHEMA_RAW_TRUE : UTM_SCHEMA_RAW_FALSE;
		utm__schema_set_present(member, object);
	}
	if (misfit)
		pass->misfit[index / 8] |= (guint8)(1u << index % 8);
	return is_bool || misfit;
}

/* Before the missing keys are filled: keys that do not count become missing. */
static int settle_conditional(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	const UtmSchemaType *row = &d->schema->types[utm__schema_type_of(object)];
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(d->schema, row, i);
		const UtmSchemaFact *condition = utm__schema_find_fact(d->schema, member, UTM_SCHEMA_FACT_READ_IF);
		if (!condition || !was_seen(pass, i))
			continue;
		if (!utm__schema_holds(d->schema, condition, object)) {
			utm__schema_clear(d->schema, member, object);
			pass->seen[i / 8] &= (guint8)~(1u << i % 8);
			pass->filled--;
		} else if (pass->misfit[i / 8] >> i % 8 & 1) {
			const char *name = utm__schema_string(d->schema, member->name);
			Step step = { .above = at, .name = name, .length = strlen(name) };
			return malformed(d, &step, error, "is of a wrong type");
		}
	}
	return 0;
}

static void settle_from_bool(Decoder *d, const UtmSchemaMember *member, UtmSchemaHeader *object)
{
	int32_t *field = utm__schema_at(object, member->offset);
	for (guint i = 0; i < member->fact_count; i++) {
		const UtmSchemaFact *fact = &d->schema->facts[member->first_fact + i];
		if (fact->what != UTM_SCHEMA_FACT_FROM_BOOL || !utm__schema_holds(d->schema, fact, object))
			continue;
		*field = (int32_t)d->schema->numbers[fact->value];
		return;
	}
}

/* After: booleans become values of their enumerations, and what they depended on is forgotten. */
static void settle_values(Decoder *d, UtmSchemaHeader *object)
{
	const UtmSchemaType *row = &d->schema->types[utm__schema_type_of(object)];
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(d->schema, row, i);
		if (member->kind == UTM_SCHEMA_ENUM && !(member->flags & UTM_SCHEMA_ARRAY) &&
		    *(const int32_t *)utm__schema_at(object, member->offset) <= UTM_SCHEMA_RAW_FALSE)
			settle_from_bool(d, member, object);
	}
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(d->schema, row, i);
		if (utm__schema_find_fact(d->schema, member, UTM_SCHEMA_FACT_FORGET))
			utm__schema_clear(d->schema, member, object);
	}
}

static bool is_lacking(const Pass *pass)
{
	return pass->may_lack && pass->known == 0;
}

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

static bool is_known_above(const Decoder *d, const Step *at, const Flat *above)
{
	for (; above; above = above->above)
		if (utm__schema_find_member(d->schema, &d->schema->types[above->type], at->name, at->length))
			return true;
	return false;
}

static void put_off(Pass *pass, const Step *at)
{
	Later *later = pass->later;
	later->over |= later->count == LATER_MAX || !pass->key_lasts;
	if (!later->over)
		later->keys[later->count++] = (LaterKey){ .value = pass->value, .name = at->name, .length = at->length };
}

static int decode_foreign_key(Decoder *d, const Step *at, Pass *pass, const UtmToken *token, UtmSchemaHeader *object,
                              UtmError **error)
{
	if (!pass->from && is_known_above(d, at, pass->above))
		return pass_over(d, at, token, error);
	pass->met_unknown = true;
	if (!pass->is_union || pass->extras_only)
		return decode_unknown(d, at, token, object, error);
	put_off(pass, at);
	return pass_over(d, at, token, error);
}

/* Keys mostly stand in the order of the members, or follow in the same one. */
static const UtmSchemaMember *find_member(const Decoder *d, const Step *at, const UtmSchemaType *row, const Pass *pass)
{
	if (at->length > 0 && pass->likely < row->count && row->named_count == row->count) {
		const UtmSchemaMember *member = utm__schema_member(d->schema, row, pass->likely);
		const char *name = utm__schema_string(d->schema, member->name);
		if (*name == *at->name && strncmp(name, at->name, at->length) == 0 && !name[at->length])
			return member;
	}
	return utm__schema_find_member(d->schema, row, at->name, at->length);
}

static int decode_key(Decoder *d, const Step *at, Pass *pass, UtmToken *token, UtmSchemaHeader *object,
                      UtmError **error)
{
	const UtmSchemaType *row = &d->schema->types[utm__schema_type_of(object)];
	const UtmSchemaMember *member = find_member(d, at, row, pass);
	if (pass->extras_only && member)
		return pass_over(d, at, token, error);
	if (pass->old_names && member && member->old_name)
		return skip(d, at, token, error); /* the other spelling does not count, and is not kept beside this one */
	if (pass->old_names && !member)
		member = find_by_old_name(d->schema, row, at->name, at->length);
	if (!member)
		return decode_foreign_key(d, at, pass, token, object, error);
	guint index = (guint)(member - utm__schema_member(d->schema, row, 0));
	pass->likely = index + 1;
	if (was_seen(pass, index))
		return malformed(d, at, error, "stands twice");
	pass->known++;
	if (token->kind == UTM_TOKEN_NULL && !(d->flags & UTM_SCHEMA_NULL_COUNTS))
		return 0; /* as if it were not there */
	if ((d->flags & UTM_SCHEMA_LAX) && !takes(member, true, token))
		return decode_unknown(d, at, token, object, error);
	pass->seen[index / 8] |= (guint8)(1u << index % 8);
	pass->filled++;
	if (member->fact_count && is_put_off(d->schema, member, index, token, pass, object))
		return skip(d, at, token, error);
	if (d->flags & UTM_SCHEMA_LAX)
		make_lax(member, token);
	return member->next_form ? decode_forms(d, at, member, token, object, error)
	                         : decode_member(d, at, member, token, object, error);
}

/* Where the reading stood, with the count of values as it is now but for those that are read once more. */
static void go_to(Decoder *d, UtmSourceMark mark, guint again)
{
	mark.count = d->source->mark(d->source).count - again;
	d->source->rewind(d->source, mark);
}

static int decode_later_members(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	int result = 0;
	for (guint i = 0; i < pass->from->count && result == 0; i++) {
		const LaterKey *key = &pass->from->keys[i];
		UtmToken token;
		Step step = { .above = at, .name = key->name, .length = key->length };
		pass->value = key->value;
		pass->key_lasts = true;
		go_to(d, key->value, 1);
		result = next(d, &step, &token, error);
		if (result == 0)
			result = decode_key(d, &step, pass, &token, object, error);
	}
	return result;
}

static int decode_members(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	if (pass->from)
		return decode_later_members(d, at, pass, object, error);
	for (;;) {
		UtmToken token;
		int result = next(d, at, &token, error);
		if (result < 0 || token.kind == UTM_TOKEN_END_OBJECT)
			return result;
		/* The text is the source's and may go with the next token, but errors below still want it. */
		char small[64];
		g_autofree char *large = token.lasts || token.length < sizeof small ? NULL : g_strndup(token.text, token.length);
		const char *name = token.lasts ? token.text : large ? large : memcpy(small, token.text, token.length);
		Step step = { .above = at, .name = name, .length = token.length };
		pass->key_lasts = token.lasts;
		if (pass->later)
			pass->value = d->source->mark(d->source);
		if ((result = next(d, &step, &token, error)) < 0)
			return result;
		if ((result = decode_key(d, &step, pass, &token, object, error)) < 0)
			return result;
	}
}

/* A new object has it as it is to be when it is missing. */
static bool is_missing_as_made(const Decoder *d, const UtmSchemaMember *member)
{
	return (member->flags & UTM_SCHEMA_OPTIONAL) && !(member->flags & UTM_SCHEMA_OMIT) && !member->fact_count &&
	       !(d->flags & UTM_SCHEMA_COMPLETE);
}

static int fill_missing_member(Decoder *d, const Step *at, const UtmSchemaMember *member, void *object,
                               UtmError **error)
{
	bool optional = member->flags & UTM_SCHEMA_OPTIONAL, complete = d->flags & UTM_SCHEMA_COMPLETE;
	if (complete)
		utm__schema_set_new(d->schema, member, object);
	else if (optional)
		utm__schema_set_default(d->schema, member, object);
	/* There are no new bytes to make up. */
	if (!optional && (!complete || !utm__schema_is_present(member, object)))
		return malformed(d, at, error, "is missing");
	const UtmSchemaFact *required =
		d->flags & UTM_SCHEMA_UNFINISHED ? NULL : utm__schema_find_fact(d->schema, member, UTM_SCHEMA_FACT_REQUIRED_IF);
	if (required && utm__schema_holds(d->schema, required, object) && !utm__schema_is_present(member, object))
		return malformed(d, at, error, "is missing");
	return 0;
}

static bool is_form_of_earlier(const UtmSchema *schema, const UtmSchemaType *row, guint index)
{
	for (guint i = 0; row->named_count < row->count && i < index; i++) {
		const UtmSchemaMember *member = utm__schema_member(schema, row, i);
		if (member->next_form && i + member->next_form == index)
			return true;
	}
	return false;
}

static int fill_missing(Decoder *d, const Step *at, const Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	const UtmSchemaType *row = &d->schema->types[utm__schema_type_of(object)];
	if (pass->filled == row->count)
		return 0;
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(d->schema, row, i);
		if (was_seen(pass, i) || is_missing_as_made(d, member) || (i > 0 && is_form_of_earlier(d->schema, row, i)))
			continue;
		guint16 spelling = pass->old_names && member->old_name ? member->old_name : member->name;
		const char *name = utm__schema_string(d->schema, spelling);
		Step step = { .above = at, .name = name, .length = strlen(name) };
		int result = fill_missing_member(d, &step, member, object, error);
		if (result < 0)
			return result;
	}
	return 0;
}

static int decode_pass(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	int result = decode_members(d, at, pass, object, error);
	if (result == 0 && pass->late)
		result = settle_conditional(d, at, pass, object, error);
	if (result == 0 && !pass->extras_only && !is_lacking(pass))
		result = fill_missing(d, at, pass, object, error);
	if (result == 0 && pass->late)
		settle_values(d, object);
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

static int decode_flat(Decoder *d, const Step *at, guint type, Pass *pass, void **ret_object, UtmError **error);

/* A union's keys for another pass: those that were put off, or all from the opening brace. */
static void read_again(Decoder *d, const Later *later, Pass *pass)
{
	pass->from = later->over ? NULL : later;
	d->source->rewind(d->source, later->over ? later->begin : later->end);
}

/* Keys of a union that nobody knows: with a branch they became its extras, without one they become the union's. */
static int decode_union_extras(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	if (!pass->met_unknown)
		return 0;
	pass->extras_only = true;
	read_again(d, pass->later, pass);
	return decode_pass(d, at, pass, object, error);
}

/* What was put off is checked all the same when nobody has read all of it. */
static int skip_again(Decoder *d, const Step *at, const Later *later, UtmError **error)
{
	Pass all = { 0 };
	read_again(d, later, &all);
	if (!all.from)
		return d->source->skip(d->source, error);
	int result = 0;
	for (guint i = 0; i < later->count && result == 0; i++) {
		UtmToken token;
		go_to(d, later->keys[i].value, 1);
		result = next(d, at, &token, error);
		if (result == 0)
			result = skip(d, at, &token, error);
	}
	return result;
}

/*
 * The tag may stand anywhere among the keys, and a branch be a union itself. So a union's own keys are read first, then
 * those that were put off, by the branch that the tag chose. Of a branch that has several forms each that the keys fit is
 * filled, as with members.
 */
static int decode_branches(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	Flat flat = { .above = pass->above, .type = utm__schema_type_of(object) };
	const UtmSchemaBranch *branch = NULL;
	g_autoptr(UtmError) problem = NULL;
	bool found = false;
	while ((branch = utm__schema_next_branch(d->schema, object, branch))) {
		Pass form = { .above = &flat, .may_lack = branch->late };
		void **place = utm__schema_at(object, branch->offset);
		g_clear_pointer(&problem, utm_error_unref);
		read_again(d, pass->later, &form);
		decode_flat(d, at, branch->type, &form, place, &problem);
		found |= *place != NULL;
	}
	if (!found)
		return problem ? utm__fail_take(error, g_steal_pointer(&problem))
		               : decode_union_extras(d, at, pass, object, error);
	return problem ? skip_again(d, at, pass->later, error) : 0;
}

/* A union in the braces that are open, or among the keys that were put off. */
static int decode_union(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	Later later; /* not all of it is made zero, for each union */
	later.count = 0;
	later.over = d->schema->types[utm__schema_type_of(object)].shares_keys;
	later.begin = d->source->mark(d->source);
	pass->is_union = true;
	pass->later = &later;
	int result = decode_pass(d, at, pass, object, error);
	later.end = d->source->mark(d->source);
	if (result == 0)
		result = decode_branches(d, at, pass, object, error);
	if (result == 0)
		go_to(d, later.end, 0);
	return result;
}

static int decode_plain(Decoder *d, const Step *at, Pass *pass, UtmSchemaHeader *object, UtmError **error)
{
	UtmSourceMark mark = d->source->mark(d->source);
	int result = decode_pass(d, at, pass, object, error);
	bool again = result < 0 && result == d->schema->malformed &&
	             d->schema->types[utm__schema_type_of(object)].has_old_names;
	return again ? decode_old_names(d, at, mark, pass, object, error) : result;
}

static int decode_flat(Decoder *d, const Step *at, guint type, Pass *pass, void **ret_object, UtmError **error)
{
	void *object = utm__schema_alloc_in(d->pool, d->schema, type);
	int result = d->schema->types[type].branch_count ? decode_union(d, at, pass, object, error)
	                                                 : decode_plain(d, at, pass, object, error);
	if (result < 0 || is_lacking(pass))
		utm__schema_free(d->schema, object);
	else
		*ret_object = object;
	return result;
}

static int decode_alternate(Decoder *d, const Step *at, guint type, const UtmToken *token, void **ret_object,
                            UtmError **error)
{
	const UtmSchemaType *row = &d->schema->types[type];
	guint index = 0;
	while (index < row->count && !takes(utm__schema_member(d->schema, row, index), false, token))
		index++;
	if (index == row->count)
		return wrong_type(d, at, "of another kind", token, error);
	const UtmSchemaMember *branch = utm__schema_member(d->schema, row, index);
	const char *name = utm__schema_string(d->schema, branch->name);
	/* Errors are told of the place; what is kept, of the branch. */
	Step kept = { .above = at, .name = name, .length = strlen(name) };
	void *object = utm__schema_alloc_in(d->pool, d->schema, type);
	int result = decode_member(d, branch->kind == UTM_SCHEMA_ENUM ? &kept : at, branch, token, object, error);
	*(int32_t *)utm__schema_at(object, row->tag) = (int32_t)index + 1;
	if (result < 0)
		utm__schema_free(d->schema, object);
	else
		*ret_object = object;
	return result;
}

static int decode_wrapper(Decoder *d, const Step *at, guint type, const UtmToken *token, void **ret_object,
                          UtmError **error)
{
	/* Without a name the texts of unknown values have a place all the same: that of the member, which has none. */
	const Step unnamed = { .above = at, .name = "" };
	const UtmSchemaMember *member = utm__schema_member(d->schema, &d->schema->types[type], 0);
	void *object = utm__schema_alloc_in(d->pool, d->schema, type);
	int result = decode_member(d, &unnamed, member, token, object, error);
	if (result < 0)
		utm__schema_free(d->schema, object);
	else
		*ret_object = object;
	return result;
}

/* `token` is the first of the value. */
static int decode_object(Decoder *d, const Step *at, guint type, const UtmToken *token, void **ret_object,
                         UtmError **error)
{
	guint kind = d->schema->types[type].kind;
	if (kind == UTM_SCHEMA_STRUCT && token->kind != UTM_TOKEN_BEGIN_OBJECT)
		return wrong_type(d, at, "a dictionary", token, error);
	if (d->depth >= UTM_SCHEMA_DEPTH_MAX)
		return malformed(d, at, error, "is nested too deeply");
	Pass pass = { 0 };
	d->depth++;
	int result = kind == UTM_SCHEMA_STRUCT    ? decode_flat(d, at, type, &pass, ret_object, error)
	             : kind == UTM_SCHEMA_WRAPPER ? decode_wrapper(d, at, type, token, ret_object, error)
	                                          : decode_alternate(d, at, type, token, ret_object, error);
	d->depth--;
	return result;
}

/* --- entries --- */

int utm__schema_decode(const UtmSchema *schema, guint type, UtmSource *source, guint flags, const char *base_path,
                       void **ret_object, UtmError **error)
{
	UtmPool pool = { 0 };
	Decoder d = { .schema = schema, .source = source, .flags = flags, .base_path = base_path };
	d.pool = flags & UTM_SCHEMA_POOLED ? &pool : NULL;
	UtmToken token;
	void *object = NULL;
	int result = next(&d, NULL, &token, error);
	if (result == 0)
		result = decode_object(&d, NULL, type, &token, &object, error);
	if (result == 0)
		result = next(&d, NULL, &token, error);
	utm__pool_close(&pool);
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
	void *spare = utm__schema_alloc(schema, utm__schema_type_of(object));
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
	void *spare = utm__schema_alloc(schema, utm__schema_type_of(object));
	void *field = utm__schema_insert_element(member, spare, 0);
	const Target target = { .object = spare };
	UtmToken token;
	int result = next(&d, NULL, &token, error);
	if (result == 0)
		result = decode_field(&d, NULL, member, &token, field, &target, error);
	if (result == 0)
		result = next(&d, NULL, &token, error);
	if (result == 0)
		utm__schema_swap_element(member, object, index, spare);
	utm__schema_free(schema, spare);
	return result;
}
