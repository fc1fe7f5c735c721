/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arguments of a command, as they are going to be sent, held against the types that QEMU has for them. */
#include "qmp/introspection-private.h"

#include "schema/json-reader.h"

#include <string.h>

/* A union in a union in a union, flat in one object; QEMU 10.0 has two. What goes on and on is let through. */
#define FLAT_MAX 8
/* An alternate among the branches of another; QEMU has none. */
#define ALTERNATES_MAX 8
/* Of a value, in a message. */
#define SHOWN_MAX 64

typedef struct Check {
	const UtmIntrospection *index;
	const char *command;
	guint32 version;
	UtmJsonReader reader;
	GString *path;
	UtmError **error;
} Check;

/* The types whose members one object may have: its own, and those of the branches that its tags choose. */
typedef struct Flat {
	const UtmEntity *types[FLAT_MAX];
	guint count;
	bool is_open; /* something in it is not known: any member may be right */
} Flat;

static int check_value(Check *c, guint type);

/* ---------------------------------------------------------------- refusals */

static int refuse(Check *c, const char *format, ...) G_GNUC_PRINTF(2, 3);

static int refuse(Check *c, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *what = g_strdup_vprintf(format, args);
	va_end(args);
	UtmError *made = utm__error_new(UTM_ERROR_QMP_UNSUPPORTED, "%s of this QEMU (%u.%u.%u) %s", c->command,
	                                c->version / 1000000, c->version / 1000 % 1000, c->version % 1000, what);
	return utm__fail_take(c->error, utm__error_set_key_path(made, c->path->str));
}

static int refuse_text(Check *c)
{
	g_autofree char *text = g_strndup(c->reader.text, c->reader.length);
	g_autofree char *shown = g_utf8_strlen(text, -1) > SHOWN_MAX ? g_utf8_substring(text, 0, SHOWN_MAX) : g_strdup(text);
	return refuse(c, "does not have the value \"%s%s\"", shown, strlen(shown) < strlen(text) ? "..." : "");
}

static int refuse_kind(Check *c, UtmJsonToken token)
{
	const char *kind = token == UTM_JSON_NULL           ? "null"
	                   : token == UTM_JSON_BOOL         ? "boolean"
	                   : token == UTM_JSON_STRING       ? "string"
	                   : token == UTM_JSON_BEGIN_OBJECT ? "object"
	                   : token == UTM_JSON_BEGIN_ARRAY  ? "list"
	                                                    : "number";
	return refuse(c, "takes no %s here", kind);
}

/* ---------------------------------------------------------------- kinds */

static UtmEntityJson kind_of_type(const UtmEntity *entity)
{
	switch (entity->kind) {
	case UTM_ENTITY_BUILTIN:
		return entity->json;
	case UTM_ENTITY_ENUM:
		return UTM_ENTITY_JSON_STRING;
	case UTM_ENTITY_ARRAY:
		return UTM_ENTITY_JSON_ARRAY;
	case UTM_ENTITY_OBJECT:
		return UTM_ENTITY_JSON_OBJECT;
	default:
		return UTM_ENTITY_JSON_VALUE;
	}
}

static UtmEntityJson kind_of_token(UtmJsonToken token)
{
	switch (token) {
	case UTM_JSON_NULL:
		return UTM_ENTITY_JSON_NULL;
	case UTM_JSON_BOOL:
		return UTM_ENTITY_JSON_BOOLEAN;
	case UTM_JSON_STRING:
		return UTM_ENTITY_JSON_STRING;
	case UTM_JSON_BEGIN_OBJECT:
		return UTM_ENTITY_JSON_OBJECT;
	case UTM_JSON_BEGIN_ARRAY:
		return UTM_ENTITY_JSON_ARRAY;
	default:
		return UTM_ENTITY_JSON_NUMBER;
	}
}

static bool takes(const UtmEntity *entity, UtmJsonToken token)
{
	UtmEntityJson wanted = kind_of_type(entity);
	return wanted == UTM_ENTITY_JSON_VALUE || wanted == kind_of_token(token);
}

/* The type that a value of this kind has; an alternate when none of its branches takes it. */
static const UtmEntity *see_through(const Check *c, guint type, UtmJsonToken token)
{
	const UtmEntity *entity = utm__introspection_entity(c->index, type);
	for (guint depth = 0; entity->kind == UTM_ENTITY_ALTERNATE && depth < ALTERNATES_MAX; depth++) {
		const UtmEntity *found = NULL;
		for (guint i = 0; i < entity->items.count && !found; i++) {
			const UtmEntityItem *item = &c->index->items[entity->items.first + i];
			const UtmEntity *branch = utm__introspection_entity(c->index, item->type);
			found = takes(branch, token) ? branch : NULL;
		}
		if (!found)
			return entity;
		entity = found;
	}
	return entity->kind == UTM_ENTITY_ALTERNATE ? utm__introspection_entity(c->index, 0) : entity;
}

/* ---------------------------------------------------------------- objects */

static int check_enum(Check *c, const UtmEntity *entity)
{
	guint name = utm__introspection_find_string(c->index, c->reader.text, c->reader.length);
	return utm__introspection_find_item(c->index, entity->items, name) ? 0 : refuse_text(c);
}

/* Reads the value of the tag, wherever in the object it stands. False when it is no string, or not there. */
static bool read_tag(Check *c, guint tag)
{
	UtmJsonReader *reader = &c->reader;
	while (utm__json_next(reader) == UTM_JSON_KEY) {
		if (utm__introspection_find_string(c->index, reader->text, reader->length) == tag)
			return utm__json_next(reader) == UTM_JSON_STRING;
		if (!utm__json_skip(reader, NULL, NULL))
			return false;
	}
	return false;
}

static gsize enter(Check *c, const char *name, gsize length)
{
	gsize before = c->path->len;
	if (before)
		g_string_append_c(c->path, '.');
	g_string_append_len(c->path, name, (gssize)length);
	return before;
}

/*
 * A tag without the value is refused before the members of its branch, which nobody knows then. Behind the tag, in
 * *ret_value, the value's name, or 0.
 */
static int check_tag(Check *c, const UtmEntity *entity, guint *ret_value)
{
	const UtmEntityItem *member = utm__introspection_find_item(c->index, entity->items, entity->tag);
	const UtmEntity *type = utm__introspection_entity(c->index, member ? member->type : 0);
	UtmJsonMark mark = utm__json_mark(&c->reader);
	int result = 0;
	*ret_value = 0;
	if (read_tag(c, entity->tag)) {
		const guint32 *offsets = c->index->offsets + entity->tag;
		gsize before = enter(c, c->index->text + offsets[0], offsets[1] - offsets[0]);
		*ret_value = utm__introspection_find_string(c->index, c->reader.text, c->reader.length);
		result = type->kind == UTM_ENTITY_ENUM ? check_enum(c, type) : 0;
		g_string_truncate(c->path, before);
	}
	utm__json_rewind(&c->reader, mark);
	return result;
}

static int gather(Check *c, const UtmEntity *entity, Flat *flat)
{
	guint value;
	*flat = (Flat){ .count = 0 };
	while (flat->count < FLAT_MAX && entity->kind == UTM_ENTITY_OBJECT) {
		flat->types[flat->count++] = entity;
		if (!entity->tag)
			return 0;
		int result = check_tag(c, entity, &value);
		const UtmEntityItem *variant = utm__introspection_find_item(c->index, entity->variants, value);
		if (result < 0 || !variant)
			return result;
		entity = utm__introspection_entity(c->index, variant->type);
	}
	flat->is_open = true;
	return 0;
}

static const UtmEntityItem *find_member(const Check *c, const Flat *flat)
{
	guint name = utm__introspection_find_string(c->index, c->reader.text, c->reader.length);
	const UtmEntityItem *item = NULL;
	for (guint i = 0; i < flat->count && !item; i++)
		item = utm__introspection_find_item(c->index, flat->types[i]->items, name);
	return item;
}

static int check_member(Check *c, const Flat *flat)
{
	const UtmEntityItem *item = find_member(c, flat);
	gsize before = enter(c, c->reader.text, c->reader.length);
	int result = 0;
	if (item)
		result = check_value(c, item->type);
	else if (flat->is_open)
		utm__json_skip(&c->reader, NULL, NULL);
	else
		result = refuse(c, "does not have it");
	if (result == 0)
		g_string_truncate(c->path, before);
	return result;
}

/* After the opening bracket. */
static int check_object(Check *c, const UtmEntity *entity)
{
	Flat flat;
	int result = gather(c, entity, &flat);
	while (result == 0 && utm__json_next(&c->reader) == UTM_JSON_KEY)
		result = check_member(c, &flat);
	return result;
}

static int check_array(Check *c, guint element)
{
	gsize before = c->path->len;
	int result = 0;
	for (guint i = 0; result == 0; i++) {
		UtmJsonToken coming = utm__json_peek(&c->reader);
		if (coming == UTM_JSON_END_ARRAY || coming == UTM_JSON_ERROR)
			break;
		g_string_append_printf(c->path, "[%u]", i);
		result = check_value(c, element);
		if (result == 0)
			g_string_truncate(c->path, before);
	}
	utm__json_next(&c->reader);
	return result;
}

/* ---------------------------------------------------------------- values */

static int check_value(Check *c, guint type)
{
	UtmJsonToken token = utm__json_peek(&c->reader);
	const UtmEntity *entity = see_through(c, type, token);
	if (!takes(entity, token) || entity->kind == UTM_ENTITY_ALTERNATE)
		return refuse_kind(c, token);
	switch (entity->kind) {
	case UTM_ENTITY_ENUM:
		utm__json_next(&c->reader);
		return check_enum(c, entity);
	case UTM_ENTITY_ARRAY:
		utm__json_next(&c->reader);
		return check_array(c, entity->type);
	case UTM_ENTITY_OBJECT:
		utm__json_next(&c->reader);
		return check_object(c, entity);
	default:
		utm__json_skip(&c->reader, NULL, NULL);
		return 0;
	}
}

int utm__introspection_check(const UtmIntrospection *index, const char *command, const char *arguments, guint32 version,
                             UtmError **error)
{
	Check c = { .index = index, .command = command, .version = version, .error = error };
	const UtmEntity *call = utm__introspection_find_call(index, command, strlen(command));
	if (!call || call->kind != UTM_ENTITY_COMMAND)
		return 0;
	c.path = g_string_new(NULL);
	utm__json_reader_init(&c.reader, arguments, strlen(arguments), NULL);
	int result = check_value(&c, call->type);
	utm__json_reader_clear(&c.reader);
	g_string_free(c.path, TRUE);
	return result;
}
