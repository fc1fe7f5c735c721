/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making the index: one pass over the text, in which names become numbers; then the names of types become entities. */
#include "qmp/introspection-private.h"

#include "schema/json-reader.h"

#include <string.h>

/* QEMU 10.0 has 1 200 entities, 5 000 items and 3 200 strings in 50 KB, at most 6 levels deep. */
#define NUMBERS_MAX 0xffff
#define TEXT_MAX (1 << 20)
#define NAME_MAX_LENGTH 255
#define DEPTH_MAX 32
#define SLOTS_FIRST 8192
/* No honest set of names comes near it in a table that is half empty. */
#define PROBES_MAX 512

typedef struct Builder {
	UtmIntrospection *index;
	UtmJsonReader reader;
	GArray *text, *offsets, *entities, *items, *features; /* become the index's */
	const char *problem; /* text of our own, beside what the reader finds */
	bool full;
	bool has_members; /* the entity at hand has got `members`, which say more than `values` */
} Builder;

static bool malformed(Builder *b, const char *problem)
{
	if (!b->problem)
		b->problem = problem;
	return false;
}

/* The number of what was appended, or 0 when there is no room. */
static guint append(Builder *b, GArray *array, const void *value)
{
	if (array->len > NUMBERS_MAX) {
		b->full = true;
		return 0;
	}
	g_array_append_vals(array, value, 1);
	return array->len - 1;
}

/* ---------------------------------------------------------------- strings */

static guint hash_of(const char *text, gsize length)
{
	guint hash = 2166136261u;
	for (gsize i = 0; i < length; i++)
		hash = (hash ^ (guchar)text[i]) * 16777619u;
	return hash ^ hash >> 15;
}

/* Where the string is, or the free slot where it belongs; NULL when somebody chose names that all collide. */
static guint16 *find_slot(guint16 *slots, guint slot_count, const char *all, const guint32 *offsets, const char *text,
                          gsize length)
{
	guint at = hash_of(text, length);
	for (guint i = 0; i < PROBES_MAX; i++, at++) {
		guint16 *slot = &slots[at & (slot_count - 1)];
		guint string = *slot;
		if (!string || (offsets[string + 1] - offsets[string] == length &&
		                memcmp(all + offsets[string], text, length) == 0))
			return slot;
	}
	return NULL;
}

guint utm__introspection_find_string(const UtmIntrospection *index, const char *text, gsize length)
{
	const guint16 *slot = find_slot(index->slots, index->slot_count, index->text, index->offsets, text, length);
	return slot ? *slot : 0;
}

static guint16 *find_builder_slot(Builder *b, const char *text, gsize length)
{
	return find_slot(b->index->slots, b->index->slot_count, b->text->data, (const guint32 *)(void *)b->offsets->data,
	                 text, length);
}

static void grow_slots(Builder *b)
{
	UtmIntrospection *index = b->index;
	index->slot_count = index->slot_count ? index->slot_count * 2 : SLOTS_FIRST;
	g_free(index->slots);
	index->slots = g_new0(guint16, index->slot_count);
	for (guint string = 1; string < index->string_count; string++) {
		guint32 start = g_array_index(b->offsets, guint32, string);
		guint32 end = g_array_index(b->offsets, guint32, string + 1);
		guint16 *slot = find_builder_slot(b, b->text->data + start, end - start);
		if (slot)
			*slot = (guint16)string;
		b->full |= !slot;
	}
}

/* The number of the string that the reader stands on; 0 for the empty one, or when there is no room. */
static guint16 intern(Builder *b)
{
	const char *text = b->reader.text;
	gsize length = b->reader.length;
	if (length == 0)
		return 0;
	guint16 *slot = find_builder_slot(b, text, length);
	if (slot && *slot)
		return *slot;
	if (!slot || length > NAME_MAX_LENGTH || b->text->len + length > TEXT_MAX || b->index->string_count > NUMBERS_MAX) {
		b->full = true;
		return 0;
	}
	g_array_append_vals(b->text, text, (guint)length);
	g_array_append_val(b->offsets, b->text->len);
	*slot = (guint16)b->index->string_count++;
	guint16 string = *slot;
	if (b->index->string_count * 2 > b->index->slot_count)
		grow_slots(b);
	return string;
}

/* ---------------------------------------------------------------- reading */

static bool read_string(Builder *b, guint16 *ret)
{
	if (utm__json_next(&b->reader) != UTM_JSON_STRING)
		return malformed(b, "a name is no string");
	*ret = intern(b);
	return !b->full;
}

static bool skip(Builder *b)
{
	return utm__json_skip(&b->reader, NULL, NULL);
}

static bool begin_array(Builder *b)
{
	return utm__json_next(&b->reader) == UTM_JSON_BEGIN_ARRAY || malformed(b, "a list is no array");
}

static bool read_features(Builder *b, guint16 *ret)
{
	guint16 name;
	guint first = b->features->len;
	if (!begin_array(b))
		return false;
	while (utm__json_next(&b->reader) == UTM_JSON_STRING) {
		name = intern(b);
		if (b->full || (name && !append(b, b->features, &name)))
			return false;
	}
	if (b->reader.token != UTM_JSON_END_ARRAY)
		return malformed(b, "a feature is no string");
	*ret = 0;
	if (b->features->len == first)
		return true;
	*ret = (guint16)first;
	name = 0;
	return append(b, b->features, &name) != 0;
}

/* A member, a value of an enumeration or a branch. */
static bool read_item_members(Builder *b, UtmEntityItem *item)
{
	UtmJsonReader *reader = &b->reader;
	bool fine = true;
	while (fine && utm__json_next(reader) == UTM_JSON_KEY) {
		if (utm__json_text_is(reader, "name") || utm__json_text_is(reader, "case"))
			fine = read_string(b, &item->name);
		else if (utm__json_text_is(reader, "type"))
			fine = read_string(b, &item->type);
		else if (utm__json_text_is(reader, "features"))
			fine = read_features(b, &item->features);
		else
			fine = skip(b);
	}
	return fine && reader->token == UTM_JSON_END_OBJECT;
}

/* The reader stands on its first token. */
static bool read_item(Builder *b)
{
	UtmEntityItem item = { 0 };
	if (b->reader.token == UTM_JSON_STRING)
		item.name = intern(b);
	else if (b->reader.token != UTM_JSON_BEGIN_OBJECT)
		return malformed(b, "a member is neither an object nor a string");
	else if (!read_item_members(b, &item))
		return false;
	return !b->full && append(b, b->items, &item);
}

static bool read_items(Builder *b, UtmEntityItems *items)
{
	guint first = b->items->len;
	if (!begin_array(b))
		return false;
	while (utm__json_next(&b->reader) != UTM_JSON_END_ARRAY)
		if (!read_item(b))
			return false;
	*items = (UtmEntityItems){ .first = (guint16)first, .count = (guint16)(b->items->len - first) };
	return true;
}

static guint find_word(const char *const *words, guint count, const UtmJsonReader *reader)
{
	guint i = 0;
	while (i < count && (!words[i] || !utm__json_text_is(reader, words[i])))
		i++;
	return i < count ? i : 0;
}

static bool read_kind(Builder *b, UtmEntity *entity)
{
	static const char *const kinds[] = { NULL, "builtin", "enum", "array", "object", "alternate", "command", "event" };
	bool is_string = utm__json_next(&b->reader) == UTM_JSON_STRING;
	entity->kind = is_string ? (guint8)find_word(kinds, G_N_ELEMENTS(kinds), &b->reader) : UTM_ENTITY_UNKNOWN;
	return is_string || malformed(b, "a meta-type is no string");
}

static bool read_json_kind(Builder *b, UtmEntity *entity)
{
	static const char *const kinds[] = { "value", "null", "boolean", "number", "string", "object", "array" };
	bool is_string = utm__json_next(&b->reader) == UTM_JSON_STRING;
	if (!is_string)
		return malformed(b, "a json-type is no string");
	bool is_int = utm__json_text_is(&b->reader, "int");
	entity->json = is_int ? UTM_ENTITY_JSON_NUMBER : (guint8)find_word(kinds, G_N_ELEMENTS(kinds), &b->reader);
	return true;
}

static bool read_values(Builder *b, UtmEntity *entity)
{
	return b->has_members ? skip(b) : read_items(b, &entity->items);
}

static bool read_entity_member(Builder *b, UtmEntity *entity)
{
	static const struct {
		const char *key;
		guint offset;
	} names[] = {
		{ "name", G_STRUCT_OFFSET(UtmEntity, name) },         { "tag", G_STRUCT_OFFSET(UtmEntity, tag) },
		{ "arg-type", G_STRUCT_OFFSET(UtmEntity, type) },     { "ret-type", G_STRUCT_OFFSET(UtmEntity, result) },
		{ "element-type", G_STRUCT_OFFSET(UtmEntity, type) },
	};
	UtmJsonReader *reader = &b->reader;
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (utm__json_text_is(reader, names[i].key))
			return read_string(b, (guint16 *)(void *)((char *)entity + names[i].offset));
	if (utm__json_text_is(reader, "meta-type"))
		return read_kind(b, entity);
	if (utm__json_text_is(reader, "json-type"))
		return read_json_kind(b, entity);
	if (utm__json_text_is(reader, "features"))
		return read_features(b, &entity->features);
	if (utm__json_text_is(reader, "variants"))
		return read_items(b, &entity->variants);
	if (utm__json_text_is(reader, "values"))
		return read_values(b, entity);
	if (!utm__json_text_is(reader, "members"))
		return skip(b);
	b->has_members = true;
	return read_items(b, &entity->items);
}

/* The reader stands on its first token. */
static bool read_entity(Builder *b)
{
	UtmEntity entity = { 0 };
	b->has_members = false;
	if (b->reader.token != UTM_JSON_BEGIN_OBJECT)
		return malformed(b, "an entity is no object");
	while (utm__json_next(&b->reader) == UTM_JSON_KEY)
		if (!read_entity_member(b, &entity))
			return false;
	return b->reader.token == UTM_JSON_END_OBJECT && append(b, b->entities, &entity);
}

static bool read_all(Builder *b)
{
	if (utm__json_next(&b->reader) != UTM_JSON_BEGIN_ARRAY)
		return malformed(b, "it is no array");
	while (utm__json_next(&b->reader) != UTM_JSON_END_ARRAY)
		if (!read_entity(b))
			return false;
	return utm__json_next(&b->reader) == UTM_JSON_END;
}

/* ---------------------------------------------------------------- names to entities */

static bool is_call(const UtmEntity *entity)
{
	return entity->kind == UTM_ENTITY_COMMAND || entity->kind == UTM_ENTITY_EVENT;
}

static void resolve(UtmIntrospection *index)
{
	g_autofree guint16 *types = g_new0(guint16, index->string_count);
	index->calls = g_new0(guint16, index->string_count);
	for (guint i = 1; i < index->entity_count; i++) {
		const UtmEntity *entity = &index->entities[i];
		if (entity->name)
			(is_call(entity) ? index->calls : types)[entity->name] = (guint16)i;
	}
	for (guint i = 1; i < index->entity_count; i++) {
		UtmEntity *entity = &index->entities[i];
		entity->type = types[entity->type];
		entity->result = types[entity->result];
	}
	for (guint i = 0; i < index->item_count; i++)
		index->items[i].type = types[index->items[i].type];
}

/* The array's memory at its true size. */
static void *take(GArray **array, guint *ret_count)
{
	gsize size = g_array_get_element_size(*array);
	if (ret_count)
		*ret_count = (*array)->len;
	gsize count = MAX((*array)->len, 1);
	void *data = g_array_free(g_steal_pointer(array), FALSE);
	return g_realloc_n(data, count, size);
}

static void builder_init(Builder *b, const char *reply, gsize size)
{
	static const UtmJsonLimits limits = { .depth = DEPTH_MAX };
	static const guint32 zeros[2];
	UtmEntity unknown = { 0 };
	UtmEntityItem none = { 0 };
	guint16 end_of_list = 0;
	*b = (Builder){ .index = g_new0(UtmIntrospection, 1) };
	b->index->refs = 1;
	utm__json_reader_init(&b->reader, reply, size, &limits);
	b->text = g_array_sized_new(FALSE, FALSE, 1, 65536);
	b->offsets = g_array_new(FALSE, FALSE, sizeof(guint32));
	b->entities = g_array_new(FALSE, FALSE, sizeof(UtmEntity));
	b->items = g_array_new(FALSE, FALSE, sizeof(UtmEntityItem));
	b->features = g_array_new(FALSE, FALSE, sizeof(guint16));
	g_array_append_vals(b->offsets, zeros, 2); /* the empty string is number 0 */
	b->index->string_count = 1;
	g_array_append_val(b->entities, unknown);
	g_array_append_val(b->items, none);
	g_array_append_val(b->features, end_of_list);
	grow_slots(b);
}

static void builder_finish(Builder *b)
{
	UtmIntrospection *index = b->index;
	index->text = take(&b->text, NULL);
	index->offsets = take(&b->offsets, NULL);
	index->entities = take(&b->entities, &index->entity_count);
	index->items = take(&b->items, &index->item_count);
	index->features = take(&b->features, &index->feature_count);
	resolve(index);
	utm__json_reader_clear(&b->reader);
}

int utm__introspection_new(const char *reply, gsize size, UtmIntrospection **ret, UtmError **error)
{
	Builder b;
	builder_init(&b, reply, size);
	bool fine = read_all(&b);
	builder_finish(&b);
	if (fine) {
		*ret = b.index;
		return 0;
	}
	utm__introspection_unref(b.index);
	if (b.full)
		return utm__fail(error, UTM_ERROR_LIMIT, "the answer to query-qmp-schema has more in it than any QEMU's");
	const char *problem = b.problem && !b.reader.problem ? b.problem : b.reader.problem;
	return utm__fail(error, UTM_ERROR_QMP_MALFORMED, "the answer to query-qmp-schema is not understood: byte %"
	                 G_GSIZE_FORMAT ": %s", (gsize)(b.reader.at - b.reader.start), problem ? problem : "it ends early");
}

/* ---------------------------------------------------------------- life, and finding things */

UtmIntrospection *utm__introspection_ref(UtmIntrospection *index)
{
	if (index)
		g_atomic_int_inc(&index->refs);
	return index;
}

void utm__introspection_unref(UtmIntrospection *index)
{
	if (!index || !g_atomic_int_dec_and_test(&index->refs))
		return;
	g_free(index->text);
	g_free(index->offsets);
	g_free(index->slots);
	g_free(index->calls);
	g_free(index->entities);
	g_free(index->items);
	g_free(index->features);
	g_free(index);
}

gsize utm__introspection_get_size(const UtmIntrospection *index)
{
	return sizeof *index + index->offsets[index->string_count] + (index->string_count + 1) * sizeof *index->offsets +
	       index->slot_count * sizeof *index->slots + index->string_count * sizeof *index->calls +
	       index->entity_count * sizeof *index->entities + index->item_count * sizeof *index->items +
	       index->feature_count * sizeof *index->features;
}

const UtmEntityItem *utm__introspection_find_item(const UtmIntrospection *index, UtmEntityItems items, guint name)
{
	const UtmEntityItem *item = &index->items[items.first];
	for (guint i = 0; name && i < items.count; i++, item++)
		if (item->name == name)
			return item;
	return NULL;
}

const UtmEntity *utm__introspection_find_call(const UtmIntrospection *index, const char *name, gsize length)
{
	guint number = index->calls[utm__introspection_find_string(index, name, length)];
	return number ? &index->entities[number] : NULL;
}
