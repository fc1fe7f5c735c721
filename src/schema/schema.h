/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The schema engine. qapi/generate turns a schema file into C structs (NAME-types.h) and tables of integers
 * (NAME-tables.c); the engine makes, reads, writes, copies, compares and frees any struct by its table. There is no
 * code per type, so a new key is one line in a schema file.
 *
 * Objects come from the engine only and nest by pointer. Their strings and arrays are g_malloc() memory that code may
 * replace: g_free() the old, g_strdup() the new.
 *
 *	UtmConfigDrive *drive = utm__config_drive_new();
 *	utm__schema_decode(&utm__config_schema, UTM_CONFIG_SCHEMA_DRIVE, source, flags, (void **)&drive, error);
 *	utm__schema_free(&utm__config_schema, drive);
 *
 * Codecs: json-codec.h, plist-codec.h. Key paths: path.h. Values that no schema describes: value.h.
 */
#pragma once

#include "schema/value.h"

#include <stddef.h>
#include <stdint.h>

/* The first member of every struct; private to the engine. */
typedef struct UtmSchemaHeader {
	uint32_t magic; /* says that the engine made it */
	uint32_t type;
	UtmValue *extras; /* an object with the keys that the schema does not know; NULL when there are none */
} UtmSchemaHeader;

/* --- tables, made by qapi/generate; integers only, so that they are shared and need no relocation --- */

#define UTM_SCHEMA_NONE 0xffff
#define UTM_SCHEMA_MEMBERS_MAX 255

typedef enum UtmSchemaKind {
	UTM_SCHEMA_BOOL,   /* bool */
	UTM_SCHEMA_INT,    /* int64_t */
	UTM_SCHEMA_NUMBER, /* double */
	UTM_SCHEMA_STRING, /* char *, NULL for absent */
	UTM_SCHEMA_ANY,    /* UtmValue *, NULL for absent */
	UTM_SCHEMA_ENUM,   /* int32_t */
	UTM_SCHEMA_STRUCT, /* a pointer, NULL for absent */
} UtmSchemaKind;

enum {
	UTM_SCHEMA_OPTIONAL = 1 << 0,
	UTM_SCHEMA_ARRAY = 1 << 1, /* a count and a pointer to the elements; objects by pointer */
	UTM_SCHEMA_UUID = 1 << 2,
	UTM_SCHEMA_FIXED = 1 << 3, /* never edited */
};

typedef enum UtmSchemaFactKind {
	UTM_SCHEMA_FACT_DEFAULT, /* value when absent on reading; the first whose condition holds */
	UTM_SCHEMA_FACT_NEW,     /* value in a new object */
	UTM_SCHEMA_FACT_GENERATE_UUID,
	UTM_SCHEMA_FACT_GENERATE_MAC,
	UTM_SCHEMA_FACT_MIN,
	UTM_SCHEMA_FACT_MAX,
	UTM_SCHEMA_FACT_UNIT, /* a string */
	UTM_SCHEMA_FACT_REQUIRED_IF,
	UTM_SCHEMA_FACT_WRITE_IF,
	UTM_SCHEMA_FACT_WRITE_AS, /* value in a file unless the condition holds */
} UtmSchemaFactKind;

typedef enum UtmSchemaConditionOp {
	UTM_SCHEMA_IF_ABSENT,
	UTM_SCHEMA_IF_PRESENT,
	UTM_SCHEMA_IF_IN,
	UTM_SCHEMA_IF_NOT_IN,
} UtmSchemaConditionOp;

typedef struct UtmSchemaCondition {
	uint8_t op;
	uint8_t member; /* of the same struct */
	uint16_t first_number;
	uint16_t count;
} UtmSchemaCondition;

typedef struct UtmSchemaFact {
	uint16_t what;
	uint16_t value;     /* index of a number, or offset of a string when the fact or the member is one */
	uint16_t condition; /* or UTM_SCHEMA_NONE */
} UtmSchemaFact;

typedef struct UtmSchemaMember {
	uint16_t name;
	uint16_t old_name; /* 0: none */
	uint16_t doc;
	uint8_t kind;
	uint8_t flags;
	uint16_t type; /* of an enum or a struct */
	uint16_t offset;
	uint16_t flag_offset; /* of the count of an array, or of has_...; 0: none */
	uint16_t first_fact;
	uint16_t fact_count;
} UtmSchemaMember;

typedef struct UtmSchemaType {
	uint16_t name;
	uint16_t doc;
	uint8_t kind;
	uint8_t has_old_names;
	uint16_t first;   /* member, or string offset of an enum's value 0 in `values` */
	uint16_t count;   /* members or values */
	uint16_t by_name; /* first of `count` entries in `sorted`: positions in the order of names */
	uint16_t size;
} UtmSchemaType;

typedef struct UtmSchema {
	const char *strings;
	const int64_t *numbers;
	const uint16_t *values;
	const uint16_t *sorted;
	const UtmSchemaCondition *conditions;
	const UtmSchemaFact *facts;
	const UtmSchemaMember *members;
	const UtmSchemaType *types;
	uint16_t type_count;
} UtmSchema;

/* --- what the tables say --- */

static inline const char *utm__schema_string(const UtmSchema *schema, uint16_t offset)
{
	return schema->strings + offset;
}

static inline const UtmSchemaMember *utm__schema_member(const UtmSchema *schema, const UtmSchemaType *type, guint index)
{
	return &schema->members[type->first + index];
}

/* By name, also an array's; NULL when there is none. Names are compared over `length` bytes. */
const UtmSchemaMember *utm__schema_find_member(const UtmSchema *schema, const UtmSchemaType *type, const char *name,
                                               gsize length);
const UtmSchemaFact *utm__schema_find_fact(const UtmSchema *schema, const UtmSchemaMember *member,
                                           UtmSchemaFactKind what);

/* NULL for a number that the enumeration does not have. */
const char *utm__schema_enum_get_text(const UtmSchema *schema, guint type, int32_t value);
/* -1 for a text that it does not have. */
int32_t utm__schema_enum_from_text(const UtmSchema *schema, guint type, const char *text, gsize length);
/* "A, B or C", for messages. */
char *utm__schema_enum_dup_list(const UtmSchema *schema, guint type);

/* --- objects --- */

/* With the values of a new object: required sections are there, arrays empty, identifiers fresh. */
void *utm__schema_new(const UtmSchema *schema, guint type);
void utm__schema_free(const UtmSchema *schema, void *object); /* accepts NULL */
void *utm__schema_copy(const UtmSchema *schema, const void *object);
/* Unknown keys count. NULL equals NULL. */
bool utm__schema_equal(const UtmSchema *schema, const void *a, const void *b);

/* --- members of an object --- */

static inline void *utm__schema_at(const void *object, uint16_t offset)
{
	return (char *)object + offset;
}

bool utm__schema_is_present(const UtmSchemaMember *member, const void *object);
/* Frees the value and sets it to absent, false, 0 or NULL. */
void utm__schema_clear(const UtmSchema *schema, const UtmSchemaMember *member, void *object);
/* What reading gives without the key, and what a new object has. */
void utm__schema_set_default(const UtmSchema *schema, const UtmSchemaMember *member, void *object);
void utm__schema_set_new(const UtmSchema *schema, const UtmSchemaMember *member, void *object);
/* Whether the condition of a fact about a member of `object` holds. */
bool utm__schema_holds(const UtmSchema *schema, const UtmSchemaFact *fact, const void *object);

gsize utm__schema_element_size(const UtmSchemaMember *member);
gsize utm__schema_get_count(const UtmSchemaMember *member, const void *object);
void *utm__schema_get_element(const UtmSchemaMember *member, const void *object, gsize index);
/* Opens a gap of one zeroed element. */
void *utm__schema_insert_element(const UtmSchemaMember *member, void *object, gsize index);
void utm__schema_remove_element(const UtmSchema *schema, const UtmSchemaMember *member, void *object, gsize index);

/* --- tokens to objects and back --- */

enum {
	/* Keys that the schema does not know: dropped (0), kept, or an error. */
	UTM_SCHEMA_KEEP_UNKNOWN = 1 << 0,
	UTM_SCHEMA_REFUSE_UNKNOWN = 1 << 1,
	/* Absent keys get what a new object has, instead of being an error or getting the default of reading. */
	UTM_SCHEMA_COMPLETE = 1 << 2,
	/* Ranges are checked: for edits. */
	UTM_SCHEMA_STRICT = 1 << 3,
	/* Writing a file: conditions of writing hold, and values that a file cannot say are refused. */
	UTM_SCHEMA_FILE = 1 << 4,
};

/*
 * Errors: CONFIG_MALFORMED for wrong types and missing keys, CONFIG_INVALID_VALUE for values that are not allowed,
 * KEY_PATH for unknown keys, each with the key path. `base_path` (nullable) is where the object stands.
 */
int utm__schema_decode(const UtmSchema *schema, guint type, UtmSource *source, guint flags, const char *base_path,
                       void **ret_object, UtmError **error);
/* Writes members in the order of their keys. `error` has the key path. */
int utm__schema_encode(const UtmSchema *schema, const void *object, UtmSink *sink, guint flags, const char *base_path,
                       UtmError **error);

/*
 * One value instead of an object: that of a member, or of one element of an array. Decoding replaces what `object` has;
 * on failure nothing has changed.
 */
int utm__schema_decode_member(const UtmSchema *schema, const UtmSchemaMember *member, UtmSource *source, guint flags,
                              const char *path, void *object, UtmError **error);
int utm__schema_decode_element(const UtmSchema *schema, const UtmSchemaMember *member, UtmSource *source, guint flags,
                               const char *path, void *object, gsize index, UtmError **error);
int utm__schema_encode_member(const UtmSchema *schema, const UtmSchemaMember *member, const void *object, UtmSink *sink,
                              guint flags, const char *path, UtmError **error);
int utm__schema_encode_element(const UtmSchema *schema, const UtmSchemaMember *member, const void *object, gsize index,
                               UtmSink *sink, guint flags, const char *path, UtmError **error);

/* Whether an integer is in the member's range. */
int utm__schema_check_int(const UtmSchema *schema, const UtmSchemaMember *member, const char *path, int64_t value,
                          UtmError **error);
/* The form in which a string is kept, UUIDs in upper case; NULL for what is no UUID. */
char *utm__schema_dup_string(const UtmSchemaMember *member, const char *text, gsize length);

/* --- between the engine's files --- */

/* A step of the way from the root to a value: a key, or an index. */
typedef struct UtmSchemaStep {
	const struct UtmSchemaStep *above;
	const char *name; /* NULL: index */
	gsize length;
	gsize index;
} UtmSchemaStep;

void utm__schema_append_path(GString *path, const UtmSchemaStep *step);

void *utm__schema_alloc(const UtmSchema *schema, guint type); /* all zero */
void utm__schema_reset(const UtmSchema *schema, void *object); /* back to all zero */
/* Takes the member over from another object of the type, which keeps nothing. */
void utm__schema_move(const UtmSchema *schema, const UtmSchemaMember *member, void *object, void *from);
/* Exchanges an element with the first one of the other object. */
void utm__schema_swap_element(const UtmSchemaMember *member, void *object, gsize index, void *other);
