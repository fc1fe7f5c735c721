/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "schema/path.h"

#include "schema/json-codec.h"
#include "schema/value.h"

#include <string.h>
#include <utm/value.h>

/* What an edit takes: complete what is left out, let nothing pass that a typing error could have made. */
#define EDIT_FLAGS (UTM_SCHEMA_COMPLETE | UTM_SCHEMA_STRICT | UTM_SCHEMA_REFUSE_UNKNOWN)
/* What is there already stays as it is. */
#define MERGE_FLAGS (UTM_SCHEMA_COMPLETE | UTM_SCHEMA_KEEP_UNKNOWN | UTM_SCHEMA_UNFINISHED)
#define PATH_LENGTH_MAX 4096

static int fail_at(const char *path, UtmError **error, int code, const char *format, ...) G_GNUC_PRINTF(4, 5);

static int fail_at(const char *path, UtmError **error, int code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *message = g_strdup_vprintf(format, args);
	va_end(args);
	return utm__fail_take(error, utm__error_set_key_path(utm__error_new(code, "%s", message), path));
}

static int no_element(const char *path, gsize count, UtmError **error)
{
	if (count == 0)
		return fail_at(path, error, UTM_ERROR_NOT_FOUND, "the array is empty");
	return fail_at(path, error, UTM_ERROR_NOT_FOUND, "there %s only %" G_GSIZE_FORMAT " element%s",
	               count == 1 ? "is" : "are", count, count == 1 ? "" : "s");
}

/* --- finding --- */

typedef struct PathParser {
	const char *path;
	const char *at;
	bool is_pattern; /* `[]` stands for any index */
	UtmError **error;
} PathParser;

static int no_path(const PathParser *parser, const char *problem)
{
	return fail_at(parser->path, parser->error, UTM_ERROR_KEY_PATH, "%s at character %td", problem,
	               parser->at - parser->path + 1);
}

static int parse_index(PathParser *parser, gsize *ret_index)
{
	const char *digits = ++parser->at;
	gsize index = 0;
	for (; g_ascii_isdigit(*parser->at); parser->at++) {
		index = index * 10 + (gsize)(*parser->at - '0');
		if (parser->at - digits > 9)
			return no_path(parser, "the index is too large");
	}
	if ((parser->at == digits && !parser->is_pattern) || *parser->at != ']')
		return no_path(parser, "expected an index in brackets");
	parser->at++;
	*ret_index = index;
	return 0;
}

static int unknown_key(const PathParser *parser, const UtmSchema *schema, const UtmSchemaType *type, const char *name,
                       gsize length)
{
	g_autoptr(GString) known = g_string_new("Keys here are ");
	for (guint i = 0; i < type->count; i++)
		g_string_append_printf(known, "%s%s", i ? ", " : "",
		                       utm__schema_string(schema, utm__schema_member(schema, type, i)->name));
	g_string_append_c(known, '.');
	UtmError *made = utm__error_new(UTM_ERROR_KEY_PATH, "there is no key \"%.*s\"", (int)length, name);
	utm__error_set_remedy(made, known->str);
	return utm__fail_take(parser->error, utm__error_set_key_path(made, parser->path));
}

/* One step: a key and perhaps an index. */
static int find_member(PathParser *parser, const UtmSchemaType *type, UtmPlace *place)
{
	gsize length = strcspn(parser->at, ".[]");
	const char *name = parser->at;
	if (length == 0)
		return no_path(parser, "expected a key");
	place->member = utm__schema_find_member(place->schema, type, name, length);
	if (!place->member)
		return unknown_key(parser, place->schema, type, name, length);
	parser->at += length;
	place->is_element = *parser->at == '[';
	if (!place->is_element)
		return 0;
	if (!(place->member->flags & UTM_SCHEMA_ARRAY))
		return no_path(parser, "an index on what is no array");
	int result = parse_index(parser, &place->index);
	if (result < 0 || !place->object)
		return result;
	gsize count = utm__schema_get_count(place->member, place->object);
	if (place->index >= count)
		return no_element(parser->path, count, parser->error);
	return 0;
}

static void *field_of(const UtmPlace *place)
{
	if (place->is_element)
		return utm__schema_get_element(place->member, place->object, place->index);
	return utm__schema_at(place->object, place->member->offset);
}

/* Into the section or element that the place is. */
static int descend(PathParser *parser, UtmPlace *place, const UtmSchemaType **type)
{
	bool is_array = (place->member->flags & UTM_SCHEMA_ARRAY) && !place->is_element;
	if (place->member->kind != UTM_SCHEMA_STRUCT || is_array)
		return no_path(parser, is_array ? "expected an index in brackets" : "there are no keys inside this value");
	if (*parser->at++ != '.')
		return no_path(parser, "expected a dot");
	*type = &place->schema->types[place->member->type];
	place->object = place->object ? *(void **)field_of(place) : NULL;
	return 0;
}

/* From a place that stands for the root to where the path leads. */
static int find(PathParser *parser, const UtmSchemaType *type, UtmPlace *place)
{
	if (!parser->path || !*parser->path)
		return 0;
	if (strlen(parser->path) > PATH_LENGTH_MAX)
		return utm__fail(parser->error, UTM_ERROR_KEY_PATH, "a key path of more than %d characters", PATH_LENGTH_MAX);
	int result = find_member(parser, type, place);
	while (result == 0 && *parser->at) {
		if ((result = descend(parser, place, &type)) == 0)
			result = find_member(parser, type, place);
	}
	return result;
}

int utm__path_find(const UtmSchema *schema, const void *root, const char *path, UtmPlace *ret_place, UtmError **error)
{
	PathParser parser = { .path = path, .at = path, .error = error };
	UtmPlace place = { .schema = schema, .path = path, .object = (void *)root };
	int result = find(&parser, &schema->types[utm__schema_type_of(root)], &place);
	if (result == 0)
		*ret_place = place;
	return result;
}

int utm__path_find_key(const UtmSchema *schema, guint type, const char *path, UtmPlace *ret_place, UtmError **error)
{
	PathParser parser = { .path = path, .at = path, .is_pattern = true, .error = error };
	UtmPlace place = { .schema = schema, .path = path };
	int result = find(&parser, &schema->types[type], &place);
	if (result == 0)
		*ret_place = place;
	return result;
}

/* --- reading --- */

static bool is_one_value(const UtmPlace *place)
{
	return place->member && (place->is_element || !(place->member->flags & UTM_SCHEMA_ARRAY));
}

static int wrong_kind(const UtmPlace *place, const char *expected, UtmError **error)
{
	return fail_at(place->path, error, UTM_ERROR_KEY_PATH, "is not %s", expected);
}

static int absent(const UtmPlace *place, UtmError **error)
{
	return fail_at(place->path, error, UTM_ERROR_NOT_FOUND, "has no value");
}

static bool is_present(const UtmPlace *place)
{
	return !place->member ||
	       (place->object && (place->is_element || utm__schema_is_present(place->member, place->object)));
}

int utm__path_has(const UtmPlace *place, bool *ret_present, UtmError **error)
{
	*ret_present = is_present(place);
	return 0;
}

int utm__path_get_int(const UtmPlace *place, int64_t *ret_value, UtmError **error)
{
	if (!is_one_value(place) || place->member->kind != UTM_SCHEMA_INT)
		return wrong_kind(place, "an integer", error);
	if (!is_present(place))
		return absent(place, error);
	*ret_value = *(int64_t *)field_of(place);
	return 0;
}

int utm__path_get_bool(const UtmPlace *place, bool *ret_value, UtmError **error)
{
	if (!is_one_value(place) || place->member->kind != UTM_SCHEMA_BOOL)
		return wrong_kind(place, "a boolean", error);
	if (!is_present(place))
		return absent(place, error);
	*ret_value = *(bool *)field_of(place);
	return 0;
}

static bool is_text(const UtmPlace *place)
{
	return is_one_value(place) && (place->member->kind == UTM_SCHEMA_STRING || place->member->kind == UTM_SCHEMA_ENUM);
}

int utm__path_dup_string(const UtmPlace *place, char **ret_value, UtmError **error)
{
	if (!is_text(place))
		return wrong_kind(place, "a string", error);
	if (!is_present(place))
		return absent(place, error);
	const char *text = place->member->kind == UTM_SCHEMA_STRING
	                       ? *(char **)field_of(place)
	                       : utm__schema_enum_get_text(place->schema, place->member->type, *(int32_t *)field_of(place));
	*ret_value = g_strdup(text ? text : "");
	return 0;
}

int utm__path_get_count(const UtmPlace *place, size_t *ret_count, UtmError **error)
{
	if (!place->member || place->is_element || !(place->member->flags & UTM_SCHEMA_ARRAY))
		return wrong_kind(place, "an array", error);
	if (!is_present(place))
		return absent(place, error);
	*ret_count = utm__schema_get_count(place->member, place->object);
	return 0;
}

int utm__path_to_json(const UtmPlace *place, bool indent, char **ret_json, UtmError **error)
{
	int result;
	if (!is_present(place))
		return absent(place, error);
	UtmJsonSink sink;
	GString *text = g_string_new(NULL);
	utm__json_sink_init(&sink, text, indent, true);
	if (!place->member)
		result = utm__schema_encode(place->schema, place->object, &sink.sink, 0, NULL, NULL, error);
	else if (place->is_element)
		result = utm__schema_encode_element(place->schema, place->member, place->object, place->index, &sink.sink, 0,
		                                    place->path, error);
	else
		result =
			utm__schema_encode_member(place->schema, place->member, place->object, &sink.sink, 0, place->path, error);
	char *taken = g_string_free(text, result < 0);
	if (result == 0)
		*ret_json = taken;
	return result;
}

/* --- editing --- */

static int check_editable(const UtmPlace *place, UtmError **error)
{
	if (!place->member)
		return wrong_kind(place, "a key", error);
	if (!place->object)
		return fail_at(place->path, error, UTM_ERROR_NOT_FOUND,
		               "is in a section that is absent; set the section first");
	if (place->member->flags & UTM_SCHEMA_FIXED)
		return fail_at(place->path, error, UTM_ERROR_CONFIG_INVALID_VALUE, "cannot be changed");
	return 0;
}

static void mark_present(const UtmPlace *place)
{
	if (!place->is_element && place->member->flag_offset)
		*(bool *)utm__schema_at(place->object, place->member->flag_offset) = true;
}

int utm__path_set_int(const UtmPlace *place, int64_t value, UtmError **error)
{
	if (!is_one_value(place) || place->member->kind != UTM_SCHEMA_INT)
		return wrong_kind(place, "an integer", error);
	int result = check_editable(place, error);
	if (result == 0)
		result = utm__schema_check_int(place->schema, place->member, place->path, value, error);
	if (result < 0)
		return result;
	*(int64_t *)field_of(place) = value;
	mark_present(place);
	return 0;
}

int utm__path_set_bool(const UtmPlace *place, bool value, UtmError **error)
{
	if (!is_one_value(place) || place->member->kind != UTM_SCHEMA_BOOL)
		return wrong_kind(place, "a boolean", error);
	int result = check_editable(place, error);
	if (result < 0)
		return result;
	*(bool *)field_of(place) = value;
	mark_present(place);
	return 0;
}

static int set_enum(const UtmPlace *place, const char *text, UtmError **error)
{
	int32_t value = utm__schema_enum_from_text(place->schema, place->member->type, text, strlen(text));
	if (value < 0) {
		g_autofree char *list = utm__schema_enum_dup_list(place->schema, place->member->type);
		return fail_at(place->path, error, UTM_ERROR_CONFIG_INVALID_VALUE, "\"%s\" is not allowed; use %s", text, list);
	}
	*(int32_t *)field_of(place) = value;
	mark_present(place);
	return 0;
}

int utm__path_set_string(const UtmPlace *place, const char *value, UtmError **error)
{
	if (!is_text(place))
		return wrong_kind(place, "a string", error);
	int result = check_editable(place, error);
	if (result < 0)
		return result;
	if (!value)
		return utm__path_remove(place, error);
	if (!g_utf8_validate(value, -1, NULL))
		return fail_at(place->path, error, UTM_ERROR_CONFIG_INVALID_VALUE, "is not valid UTF-8");
	if (place->member->kind == UTM_SCHEMA_ENUM)
		return set_enum(place, value, error);
	char *kept = utm__schema_dup_string(NULL, place->member, value, strlen(value));
	if (!kept)
		return fail_at(place->path, error, UTM_ERROR_CONFIG_INVALID_VALUE, "\"%s\" is not a UUID", value);
	g_free(*(char **)field_of(place));
	*(char **)field_of(place) = kept;
	return 0;
}

static int set_json(const UtmPlace *place, const char *text, guint flags, UtmError **error)
{
	UtmJsonSource source;
	utm__json_source_init(&source, text, strlen(text), &utm__json_of_files, place->schema->malformed);
	int result = place->is_element
	                 ? utm__schema_decode_element(place->schema, place->member, &source.source, flags, place->path,
	                                              place->object, place->index, error)
	                 : utm__schema_decode_member(place->schema, place->member, &source.source, flags, place->path,
	                                             place->object, error);
	utm__json_reader_clear(&source.reader);
	return result;
}

/* What `over` names takes the place of what `base` has; in dictionaries, again only what they name. Null takes out. */
static void lay_over(UtmValue *base, const UtmValue *over)
{
	for (gsize i = 0; i < over->as.children.count; i++) {
		const char *key = over->as.children.keys[i];
		const UtmValue *item = over->as.children.items[i], *old = utm__value_find(base, key);
		if (item->kind == UTM_TOKEN_NULL) {
			utm__value_remove(base, key);
		} else if (old && old->kind == UTM_TOKEN_BEGIN_OBJECT && item->kind == UTM_TOKEN_BEGIN_OBJECT) {
			lay_over((UtmValue *)old, item);
		} else {
			utm__value_append(base, key, strlen(key), utm__value_copy(item));
			utm__value_sort(base);
		}
	}
}

/* (transfer full) The section as it is with `text` laid over it; NULL when one of them is no dictionary. */
static char *dup_merged(const UtmPlace *place, const char *text)
{
	g_autofree char *present = NULL;
	GString *merged = NULL;
	UtmJsonSink sink;
	UtmValue *base = NULL, *over = NULL;
	if (utm__path_to_json(place, false, &present, NULL) == 0 && utm_value_from_json(present, &base, NULL) == 0 &&
	    utm_value_from_json(text, &over, NULL) == 0 && base->kind == UTM_TOKEN_BEGIN_OBJECT &&
	    over->kind == UTM_TOKEN_BEGIN_OBJECT) {
		lay_over(base, over);
		merged = g_string_new(NULL);
		utm__json_sink_init(&sink, merged, false, false);
		(void)utm__value_write(base, &sink.sink); /* what came from JSON goes into it */
	}
	utm__value_free(base);
	utm__value_free(over);
	return merged ? g_string_free(merged, FALSE) : NULL;
}

/* The text must be good by itself, which is tried on a copy; then it need not name what is there already. */
static int merge_json(const UtmPlace *place, const char *text, UtmError **error)
{
	g_autofree char *merged = dup_merged(place, text);
	if (!merged)
		return set_json(place, text, EDIT_FLAGS, error);
	UtmPlace trial = *place;
	trial.object = utm__schema_copy(place->schema, place->object);
	int result = set_json(&trial, text, EDIT_FLAGS, error);
	utm__schema_free(place->schema, trial.object);
	return result < 0 ? result : set_json(place, merged, MERGE_FLAGS, error);
}

static bool is_section(const UtmPlace *place)
{
	return place->member->kind == UTM_SCHEMA_STRUCT && (place->is_element || !(place->member->flags & UTM_SCHEMA_ARRAY));
}

int utm__path_set_text(const UtmPlace *place, const char *text, UtmError **error)
{
	int result = check_editable(place, error);
	if (result < 0)
		return result;
	if (is_text(place))
		return utm__path_set_string(place, text, error);
	return is_section(place) ? merge_json(place, text, error) : set_json(place, text, EDIT_FLAGS, error);
}

int utm__path_insert(const UtmPlace *place, int64_t index, const char *json, UtmError **error)
{
	size_t count;
	int result = utm__path_get_count(place, &count, error);
	if (result == 0)
		result = check_editable(place, error);
	if (result < 0)
		return result;
	if (index < -1 || (index >= 0 && (guint64)index > count))
		return no_element(place->path, count, error);
	g_autofree char *path = g_strdup_printf("%s[%" G_GSIZE_FORMAT "]", place->path, index < 0 ? count : (gsize)index);
	UtmPlace element = *place;
	element.is_element = true;
	element.path = path;
	element.index = index < 0 ? count : (gsize)index;
	utm__schema_insert_element(place->member, place->object, element.index);
	result = set_json(&element, json, EDIT_FLAGS, error);
	if (result < 0)
		utm__schema_remove_element(place->schema, place->member, place->object, element.index);
	return result;
}

int utm__path_remove(const UtmPlace *place, UtmError **error)
{
	int result = check_editable(place, error);
	if (result < 0)
		return result;
	if (place->is_element)
		utm__schema_remove_element(place->schema, place->member, place->object, place->index);
	else if (place->member->flags & UTM_SCHEMA_OPTIONAL)
		utm__schema_set_default(place->schema, place->member, place->object);
	else
		return fail_at(place->path, error, UTM_ERROR_CONFIG_INVALID_VALUE, "is required and cannot be removed");
	return 0;
}
