/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of the index. Everything is a number of 16 bits: that is compact, and bounds what a peer can make us keep.
 *
 *	strings   each once; 0 is the empty one, and means "none"
 *	entities  types, commands, events; 0 is a type of which nothing is known
 *	items     members, values, branches; those of one entity stand together; 0 is none
 *	features  names; lists of them end with 0, and list 0 is empty
 */
#pragma once

#include "qmp/introspection.h"

typedef enum UtmEntityKind {
	UTM_ENTITY_UNKNOWN,
	UTM_ENTITY_BUILTIN,
	UTM_ENTITY_ENUM,
	UTM_ENTITY_ARRAY,
	UTM_ENTITY_OBJECT,
	UTM_ENTITY_ALTERNATE,
	UTM_ENTITY_COMMAND,
	UTM_ENTITY_EVENT,
} UtmEntityKind;

/* Kinds of JSON that a builtin type takes. */
typedef enum UtmEntityJson {
	UTM_ENTITY_JSON_VALUE, /* any */
	UTM_ENTITY_JSON_NULL,
	UTM_ENTITY_JSON_BOOLEAN,
	UTM_ENTITY_JSON_NUMBER, /* also "int": what the text of a number may be, the peer knows best */
	UTM_ENTITY_JSON_STRING,
	UTM_ENTITY_JSON_OBJECT,
	UTM_ENTITY_JSON_ARRAY,
} UtmEntityJson;

typedef struct UtmEntityItem {
	guint16 name; /* of a member or value; the tag's value for a variant; 0 for a branch of an alternate */
	guint16 type; /* entity */
	guint16 features;
} UtmEntityItem;

typedef struct UtmEntityItems {
	guint16 first, count;
} UtmEntityItems;

typedef struct UtmEntity {
	guint8 kind, json;
	guint16 name;
	guint16 tag;  /* name of the member that chooses among `variants` */
	guint16 type; /* entity: of an array's elements, of arguments, of an event's data */
	guint16 result;
	guint16 features;
	UtmEntityItems items;
	UtmEntityItems variants;
} UtmEntity;

struct UtmIntrospection {
	gint refs;
	char *text; /* of the strings, one after the other */
	guint32 *offsets; /* string_count + 1 of them */
	guint16 *slots; /* open addressing, a power of two: text to string */
	guint slot_count;
	guint string_count;
	guint16 *calls; /* string to command or event; 0: none */
	UtmEntity *entities;
	UtmEntityItem *items;
	guint16 *features;
	guint entity_count, item_count, feature_count;
};

/* 0 when nothing has this name. */
guint utm__introspection_find_string(const UtmIntrospection *index, const char *text, gsize length);
const UtmEntityItem *utm__introspection_find_item(const UtmIntrospection *index, UtmEntityItems items, guint name);
/* The command or event; NULL when there is none. */
const UtmEntity *utm__introspection_find_call(const UtmIntrospection *index, const char *name, gsize length);

static inline const UtmEntity *utm__introspection_entity(const UtmIntrospection *index, guint number)
{
	return &index->entities[number];
}
