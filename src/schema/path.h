/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values by key path: `System.MemorySize`, `Drive[1].ImageName`, `Drive`, `System.CPUFlagsAdd[0]`. NULL or the empty
 * path is the root itself. Every error names the path.
 *
 * KEY_PATH: the path does not parse, the schema does not know it, or it leads to another kind of value. NOT_FOUND: an
 * index beyond the end, or a value that is absent.
 */
#pragma once

#include "schema/schema.h"

/* Where a path leads. */
typedef struct UtmPlace {
	const UtmSchema *schema;
	const char *path;
	void *object; /* the struct that has the member; NULL when an optional section on the way is absent */
	const UtmSchemaMember *member; /* NULL: the root itself */
	bool is_element;               /* of the member, which is an array */
	gsize index;
} UtmPlace;

int utm__path_find(const UtmSchema *schema, const void *root, const char *path, UtmPlace *ret_place, UtmError **error);
/* The same without values: the place has no object, any index is good, and `Drive[].Interface` needs none. */
int utm__path_find_key(const UtmSchema *schema, guint type, const char *path, UtmPlace *ret_place, UtmError **error);

int utm__path_has(const UtmPlace *place, bool *ret_present, UtmError **error);
int utm__path_get_int(const UtmPlace *place, int64_t *ret_value, UtmError **error);
int utm__path_get_bool(const UtmPlace *place, bool *ret_value, UtmError **error);
/* Strings and enumerations. */
int utm__path_dup_string(const UtmPlace *place, char **ret_value, UtmError **error);
int utm__path_get_count(const UtmPlace *place, size_t *ret_count, UtmError **error);
/* Anything. */
int utm__path_to_json(const UtmPlace *place, bool indent, char **ret_json, UtmError **error);

/* Edits check type, range and allowed values; on failure nothing has changed. */
int utm__path_set_int(const UtmPlace *place, int64_t value, UtmError **error);
int utm__path_set_bool(const UtmPlace *place, bool value, UtmError **error);
/* NULL clears an optional member. */
int utm__path_set_string(const UtmPlace *place, const char *value, UtmError **error);
/* By the member's type: a word for scalars, JSON for sections and arrays. */
int utm__path_set_text(const UtmPlace *place, const char *text, UtmError **error);
/* A new element before `index`, -1: at the end. Keys that the JSON leaves out are those of a new object. */
int utm__path_insert(const UtmPlace *place, int64_t index, const char *json, UtmError **error);
/* An element goes; an optional member becomes absent, or gets its default. */
int utm__path_remove(const UtmPlace *place, UtmError **error);
