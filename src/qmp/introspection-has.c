/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to the index, in the language of utm_qmp_has(): COMMAND.member.member=value#feature.
 *
 * A path may lead to several types at once, since any branch of a union is meant: so a place is a set of types. A set has
 * each type once, which bounds the walk whatever the types refer to.
 */
#include "qmp/introspection-private.h"

#include <string.h>

#define QUESTION_MAX 1024

/* ---------------------------------------------------------------- language */

typedef struct Word {
	char op; /* what stood before it; 0 for the first */
	const char *text;
	gsize length;
} Word;

/* QAPI's names; the domain in front of a vendor's, as in __com.example_name, may have dots. */
static gsize name_length(const char *text)
{
	static const char domain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	gsize prefix = 0;
	if (strncmp(text, "__", 2) == 0)
		prefix = 2 + strspn(text + 2, domain);
	return prefix + strspn(text + prefix, name);
}

/* Which operators may follow a word that came after this one. A result is asked for at the beginning only. */
static const char *followers(char op)
{
	switch (op) {
	case 0:
		return ".:#";
	case '=':
		return ".#";
	case '#':
		return "";
	default:
		return ".=#";
	}
}

/* The next word, from *at on. NULL, or what is wrong at *at; at the end the word has length 0. */
static const char *next_word(const char **at, Word *word)
{
	bool first = !word->text;
	char before = word->op;
	word->length = 0;
	if (!first && !**at)
		return NULL;
	if (!first && !strchr(followers(before), **at))
		return strchr(".:=#", **at) ? "this has no meaning here" : "a character that no name has";
	word->op = first ? 0 : *(*at)++;
	word->text = *at;
	word->length = name_length(*at);
	*at += word->length;
	return word->length ? NULL : "a name is missing";
}

int utm__introspection_check_question(const char *what, UtmError **error)
{
	const char *at = what, *problem;
	Word word = { 0 };
	if (!what)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no question");
	if (strlen(what) > QUESTION_MAX)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the question is longer than %d bytes", QUESTION_MAX);
	do
		problem = next_word(&at, &word);
	while (!problem && word.length);
	if (!problem)
		return 0;
	return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "byte %d of the question: %s", (int)(at - what), problem);
}

/* ---------------------------------------------------------------- places */

enum {
	OWN = 1 << 0,   /* the members of the type itself */
	WHOLE = 1 << 1, /* and those of its branches */
};

/* Types, and how much of each. */
typedef struct Place {
	guint8 *marks; /* by entity */
	GArray *types; /* guint16; twice where first a part and then the whole was added */
} Place;

static void place_init(Place *place, const UtmIntrospection *index)
{
	place->marks = g_new0(guint8, index->entity_count);
	place->types = g_array_new(FALSE, FALSE, sizeof(guint16));
}

static void place_clear(Place *place)
{
	g_free(place->marks);
	g_array_free(place->types, TRUE);
}

static void place_add(Place *place, guint16 type, guint8 how)
{
	if (place->marks[type] & (how | WHOLE))
		return;
	place->marks[type] |= how;
	g_array_append_val(place->types, type);
}

static void add_items(Place *place, const UtmIntrospection *index, UtmEntityItems items, guint8 how)
{
	for (guint i = 0; i < items.count; i++)
		place_add(place, index->items[items.first + i].type, how);
}

/* Adds what the types stand for: elements, alternatives, branches. */
static void place_expand(Place *place, const UtmIntrospection *index)
{
	for (guint i = 0; i < place->types->len; i++) {
		guint16 type = g_array_index(place->types, guint16, i);
		const UtmEntity *entity = utm__introspection_entity(index, type);
		if (!(place->marks[type] & WHOLE))
			continue;
		if (entity->kind == UTM_ENTITY_ARRAY)
			place_add(place, entity->type, WHOLE);
		else if (entity->kind == UTM_ENTITY_ALTERNATE)
			add_items(place, index, entity->items, WHOLE);
		else
			add_items(place, index, entity->variants, WHOLE);
	}
}

/* ---------------------------------------------------------------- answers */

typedef struct Walk {
	const UtmIntrospection *index;
	Place above, here; /* where the last member was looked for, and where it leads */
	guint member;      /* its name */
	GArray *features;  /* guint16: lists of the thing named last */
	bool found;
} Walk;

static void add_features(Walk *walk, guint16 list)
{
	if (list)
		g_array_append_val(walk->features, list);
}

/* From here on `above` is what `here` was, and `here` is empty. */
static void walk_on(Walk *walk)
{
	place_clear(&walk->above);
	walk->above = walk->here;
	place_init(&walk->here, walk->index);
	g_array_set_size(walk->features, 0);
	walk->found = false;
	place_expand(&walk->above, walk->index);
}

static const UtmEntity *type_above(const Walk *walk, guint i)
{
	return utm__introspection_entity(walk->index, g_array_index(walk->above.types, guint16, i));
}

/* A type's features are those of what has the type. */
static void add_type(Walk *walk, guint16 type)
{
	place_add(&walk->here, type, WHOLE);
	add_features(walk, utm__introspection_entity(walk->index, type)->features);
}

/* QEMU takes any member and any text there; no index has their names. */
static void add_free_form(Walk *walk, guint i)
{
	const UtmEntity *entity = type_above(walk, i);
	if (entity->kind != UTM_ENTITY_BUILTIN || entity->json != UTM_ENTITY_JSON_VALUE)
		return;
	walk->found = true;
	add_type(walk, g_array_index(walk->above.types, guint16, i));
}

/* `name` 0: one that QEMU has nowhere. */
static void step_member(Walk *walk, guint name)
{
	walk_on(walk);
	walk->member = name;
	for (guint i = 0; i < walk->above.types->len; i++) {
		const UtmEntity *entity = type_above(walk, i);
		const UtmEntityItem *item = NULL;
		add_free_form(walk, i);
		if (name && entity->kind == UTM_ENTITY_OBJECT)
			item = utm__introspection_find_item(walk->index, entity->items, name);
		if (!item)
			continue;
		walk->found = true;
		add_features(walk, item->features);
		add_type(walk, item->type);
	}
}

/* The objects whose tag was named last, with only the branch that this value chooses. */
static void choose_branches(Walk *walk, const Place *owners, guint value)
{
	for (guint i = 0; i < owners->types->len; i++) {
		guint16 type = g_array_index(owners->types, guint16, i);
		const UtmEntity *entity = utm__introspection_entity(walk->index, type);
		if (entity->kind != UTM_ENTITY_OBJECT || !walk->member || entity->tag != walk->member)
			continue;
		place_add(&walk->here, type, OWN);
		const UtmEntityItem *variant = utm__introspection_find_item(walk->index, entity->variants, value);
		if (variant)
			add_type(walk, variant->type);
	}
}

static void step_value(Walk *walk, guint value)
{
	Place owners = walk->above;
	place_init(&walk->above, walk->index);
	walk_on(walk);
	for (guint i = 0; i < walk->above.types->len; i++) {
		const UtmEntity *entity = type_above(walk, i);
		const UtmEntityItem *item = NULL;
		add_free_form(walk, i);
		if (value && entity->kind == UTM_ENTITY_ENUM)
			item = utm__introspection_find_item(walk->index, entity->items, value);
		walk->found |= item != NULL;
		add_features(walk, item ? item->features : 0);
	}
	if (value)
		choose_branches(walk, &owners, value);
	place_clear(&owners);
}

static void step_feature(Walk *walk, guint name)
{
	walk->found = false;
	for (guint i = 0; i < walk->features->len; i++) {
		const guint16 *list = &walk->index->features[g_array_index(walk->features, guint16, i)];
		for (; *list; list++)
			walk->found |= *list == name;
	}
}

static void step_call(Walk *walk, const Word *word, bool result)
{
	const UtmEntity *call = utm__introspection_find_call(walk->index, word->text, word->length);
	walk->found = call != NULL;
	if (!call)
		return;
	add_features(walk, call->features);
	if (result)
		place_add(&walk->here, call->result, WHOLE);
	else
		add_type(walk, call->type);
}

static void step(Walk *walk, const Word *word)
{
	guint name = utm__introspection_find_string(walk->index, word->text, word->length);
	if (word->op == '=')
		step_value(walk, name);
	else if (word->op == '#')
		step_feature(walk, name);
	else
		step_member(walk, name);
}

bool utm__introspection_has(const UtmIntrospection *index, const char *what)
{
	Walk walk = { .index = index, .features = g_array_new(FALSE, FALSE, sizeof(guint16)) };
	Word word = { 0 };
	const char *at = what;
	place_init(&walk.above, index);
	place_init(&walk.here, index);
	next_word(&at, &word);
	step_call(&walk, &word, *at == ':');
	while (walk.found && !next_word(&at, &word) && word.length)
		step(&walk, &word);
	place_clear(&walk.above);
	place_clear(&walk.here);
	g_array_free(walk.features, TRUE);
	return walk.found;
}
