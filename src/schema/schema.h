/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The schema engine. qapi/generate turns a schema file into C structs (NAME-types.h) and tables of integers
 * (NAME-tables.c); the engine makes, reads, writes, copies, compares and frees any struct by its table. There is no
 * code per type, so a new key is one line in a schema file.
 *
 * Objects come from the engine only and nest by pointer. Their strings and arrays are g_malloc() memory that code may
 * replace: g_free() the old, g_strdup() the new. Of large answers strings are parts of a pool: utm__text_free().
 *
 *	UtmConfigDrive *drive = utm__config_drive_new();
 *	utm__schema_decode(&utm__config_schema, UTM_CONFIG_SCHEMA_DRIVE, source, flags, (void **)&drive, error);
 *	utm__schema_free(&utm__config_schema, drive);
 *
 * Codecs: json-codec.h, plist-codec.h. Key paths: path.h. Values that no schema describes: value.h.
 */
#pragma once

#include "base/pool.h"
#include "schema/value.h"

#include <stddef.h>
#include <stdint.h>
#include <utm/struct.h>

/*
 * The first member of every struct. `extras` is an object with the keys that the schema does not know, and the texts of
 * enumerations that it does not know, each under the key of its member; NULL when there are none.
 */
typedef UtmStructHeader UtmSchemaHeader;

/* Nesting of structs, in and out: C stack is what bounds it. */
#define UTM_SCHEMA_DEPTH_MAX 256

/* --- tables, made by qapi/generate; integers only, so that they are shared and need no relocation --- */

#define UTM_SCHEMA_NONE 0xffff
#define UTM_SCHEMA_MEMBERS_MAX 255

typedef enum UtmSchemaKind {
	UTM_SCHEMA_BOOL,   /* bool */
	UTM_SCHEMA_INT,    /* an integer; `type` of its member says which */
	UTM_SCHEMA_NUMBER, /* double */
	UTM_SCHEMA_STRING, /* char *, NULL for absent */
	UTM_SCHEMA_ANY,    /* UtmValue *, NULL for absent; `type` of its member is the kind of token it must be, if any */
	UTM_SCHEMA_ENUM,   /* int32_t */
	UTM_SCHEMA_STRUCT, /* a pointer, NULL for absent; also to an alternate */
	UTM_SCHEMA_NULL,   /* nothing in C: a branch of an alternate */
	/* Of types only: */
	UTM_SCHEMA_ALTERNATE, /* members are branches, one of which is there; the kind of JSON tells which */
	UTM_SCHEMA_WRAPPER,   /* one member without a name, a list or a scalar, stands for the whole */
} UtmSchemaKind;

/* `type` of an integer: its bytes, and whether it lacks a sign. */
#define UTM_SCHEMA_INT_BYTES 0x0f
#define UTM_SCHEMA_INT_UNSIGNED 0x10

enum {
	UTM_SCHEMA_OPTIONAL = 1 << 0,
	UTM_SCHEMA_ARRAY = 1 << 1, /* a count and a pointer to the elements; objects by pointer */
	UTM_SCHEMA_UUID = 1 << 2,
	UTM_SCHEMA_FIXED = 1 << 3,       /* never edited */
	UTM_SCHEMA_CONDITIONAL = 1 << 4, /* the peer's build decides whether it knows it */
	UTM_SCHEMA_OMIT = 1 << 5,        /* the flag says that it is absent, not that it is there */
	UTM_SCHEMA_DEPRECATED = 1 << 6,
	UTM_SCHEMA_UNSTABLE = 1 << 7,
};

/* First release, and last one or UTM_SCHEMA_SPAN_OPEN, of the protocol that a schema describes. */
#define UTM_SCHEMA_SPAN(since, until) ((uint8_t)((since) | (until) << 4))
#define UTM_SCHEMA_SPAN_OPEN 15
#define UTM_SCHEMA_SPAN_ALL UTM_SCHEMA_SPAN(0, UTM_SCHEMA_SPAN_OPEN)
/* Beside the span of an enumeration's value: UTM_SCHEMA_CONDITIONAL of it. */
#define UTM_SCHEMA_VALUE_CONDITIONAL 0x100

typedef enum UtmSchemaFactKind {
	UTM_SCHEMA_FACT_DEFAULT, /* value when absent on reading; the first whose condition holds */
	UTM_SCHEMA_FACT_NEW,     /* value in a new object */
	UTM_SCHEMA_FACT_GENERATE_UUID,
	UTM_SCHEMA_FACT_GENERATE_MAC, /* in lower case when the number is not 0 */
	UTM_SCHEMA_FACT_MIN,
	UTM_SCHEMA_FACT_MAX,
	UTM_SCHEMA_FACT_UNIT, /* a string */
	UTM_SCHEMA_FACT_REQUIRED_IF,
	UTM_SCHEMA_FACT_WRITE_IF,
	UTM_SCHEMA_FACT_WRITE_AS, /* value in a file unless the condition holds */
	UTM_SCHEMA_FACT_READ_IF,   /* otherwise the key is passed over, whatever it holds */
	UTM_SCHEMA_FACT_FROM_BOOL, /* of an enumeration: the value for a boolean; the first whose condition holds */
	UTM_SCHEMA_FACT_FORGET,    /* only the reading of others looks at it */
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
	uint8_t inner; /* 1 + the member within the section that `member` is; 0: it is about `member` itself */
} UtmSchemaCondition;

/* What conditions see of an enumeration while it is a boolean, before FROM_BOOL has settled it. */
#define UTM_SCHEMA_RAW_FALSE (-2)
#define UTM_SCHEMA_RAW_TRUE (-3)

typedef struct UtmSchemaFact {
	uint16_t what;
	uint16_t value;     /* index of a number, or offset of a string when the fact or the member is one */
	uint16_t condition; /* or UTM_SCHEMA_NONE */
} UtmSchemaFact;

typedef struct UtmSchemaMember {
	uint16_t name;
	uint16_t old_name; /* 0: none */
	uint16_t doc;
	uint16_t type; /* of an enum or a struct; see UTM_SCHEMA_ANY, and for an integer UTM_SCHEMA_INT_BYTES */
	uint16_t offset;
	uint16_t flag_offset; /* of the count of an array, or of has_... or omit_...; 0: none */
	uint16_t first_fact;
	uint8_t fact_count;
	uint8_t kind;
	uint8_t flags;
	uint8_t span;
	uint8_t next_form; /* distance to the member that took over the name when its type changed; 0: none */
} UtmSchemaMember;

typedef struct UtmSchemaType {
	uint16_t name; /* 0: nothing is generated for it, its number is only kept */
	uint16_t doc;
	uint8_t kind;
	uint8_t has_old_names;
	uint8_t shares_keys;  /* of a union: a branch has keys of the same name, and both read them */
	uint16_t first;       /* member, or string offset of an enum's value 0 in `values` */
	uint16_t count;       /* members or values */
	uint16_t by_name;     /* first of `named_count` entries in `sorted`: positions in the order of names */
	uint16_t named_count; /* members but later forms, or values */
	uint16_t size;
	uint16_t tag; /* of a union: index of a member; of an alternate: offset of `choice`; else UTM_SCHEMA_NONE */
	uint16_t first_branch;
	uint16_t branch_count;
} UtmSchemaType;

/* What an object has besides when its tag has this value. Of several for one value, each is a form of it. */
typedef struct UtmSchemaBranch {
	uint16_t value;
	uint16_t type;
	uint16_t offset; /* of the pointer */
	uint8_t late;    /* some release has the value without it: an object may do without, even if it requires members */
} UtmSchemaBranch;

/*
 * What settings forms ask about a member, ready as text, so that telling takes no work and no memory: offsets of strings,
 * 0 for none. forms.py says what they are.
 */
typedef struct UtmSchemaForm {
	uint16_t default_json;
	uint16_t default_if;
	uint16_t new_json;
	uint16_t used_if;
	uint16_t required_if;
	uint16_t format;
	uint16_t architectures;
} UtmSchemaForm;

/* The same of a value of an enumeration. */
typedef struct UtmSchemaValueForm {
	uint16_t doc;
	uint16_t architectures;
} UtmSchemaValueForm;

/* A command or an event. */
typedef struct UtmSchemaCall {
	uint16_t name;
	uint16_t args;    /* or UTM_SCHEMA_NONE */
	uint16_t returns; /* or UTM_SCHEMA_NONE */
	uint8_t flags;
	uint8_t span;
} UtmSchemaCall;

/* Flags of a call, beside UTM_SCHEMA_CONDITIONAL, _DEPRECATED and _UNSTABLE. */
enum {
	UTM_SCHEMA_CALL_OOB = 1 << 0,
	UTM_SCHEMA_CALL_PRECONFIG = 1 << 1,
	UTM_SCHEMA_CALL_NO_REPLY = 1 << 2,
	UTM_SCHEMA_CALL_OPEN = 1 << 3, /* takes members beyond the declared ones */
};

typedef struct UtmSchema {
	const char *strings;
	const int64_t *numbers;
	const uint16_t *values;
	const uint16_t *value_spans; /* and UTM_SCHEMA_VALUE_CONDITIONAL; NULL: all are always there */
	const uint16_t *sorted;
	const UtmSchemaCondition *conditions;
	const UtmSchemaFact *facts;
	const UtmSchemaMember *members;
	const UtmSchemaBranch *branches;
	const UtmSchemaType *types;
	const UtmSchemaForm *forms;            /* beside the members; NULL: no forms are made of it */
	const UtmSchemaValueForm *value_forms; /* beside the values */
	uint16_t type_count;
	uint16_t number; /* above the type in UtmSchemaHeader.type; 0 for schemas that are private to the library */
	/* Codes of errors: for what cannot be read, for a value that is not allowed, for what cannot be written. */
	int malformed, not_allowed, unwritable;
	/* Of a protocol. */
	const UtmSchemaCall *commands;
	const UtmSchemaCall *events;
	const uint16_t *events_by_name;
	uint16_t command_count, event_count, release_count;
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
/* Whether every release and build has the value. */
bool utm__schema_is_everywhere(const UtmSchema *schema, guint enum_type, int32_t value);
/* "A, B or C", for messages. */
char *utm__schema_enum_dup_list(const UtmSchema *schema, guint type);

/* The branch that the object's tag chooses, after `before` (NULL: the first); NULL when there is no further one. */
const UtmSchemaBranch *utm__schema_next_branch(const UtmSchema *schema, const void *object,
                                               const UtmSchemaBranch *before);
/* The row of a list of objects or enumerations of this type, or of another wrapper; UTM_SCHEMA_NONE: there is none. */
guint utm__schema_find_list(const UtmSchema *schema, guint element_type);

/* --- objects --- */

/* With the values of a new object: required sections are there, arrays empty, identifiers fresh. */
void *utm__schema_new(const UtmSchema *schema, guint type);
void utm__schema_free(const UtmSchema *schema, void *object); /* accepts NULL */
void *utm__schema_copy(const UtmSchema *schema, const void *object);
/* Whether the engine made it, by the schema with this number. */
bool utm__schema_made(const void *object, guint schema_number);
static inline guint utm__schema_type_of(const void *object)
{
	return ((const UtmSchemaHeader *)object)->type & 0xffff;
}
/* Unknown keys count. NULL equals NULL. */
bool utm__schema_equal(const UtmSchema *schema, const void *a, const void *b);

/* --- members of an object --- */

static inline void *utm__schema_at(const void *object, uint16_t offset)
{
	return (char *)object + offset;
}

bool utm__schema_is_present(const UtmSchemaMember *member, const void *object);
/* Sets the flag, if there is one. */
void utm__schema_set_present(const UtmSchemaMember *member, void *object);
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
	/* What a newer peer says is kept: an unknown text of an enumeration becomes -1, and the text one of the extras. */
	UTM_SCHEMA_TOLERANT = 1 << 5,
	/* null is a value like others, not the same as absent. */
	UTM_SCHEMA_NULL_COUNTS = 1 << 6,
	/* Numbers, booleans and strings stand for each other as an untyped reader takes them; what does not fit at all is
	 * as a key that the schema does not know. */
	UTM_SCHEMA_LAX = 1 << 7,
	/* What was in memory, half edited perhaps: no other value makes a key required. */
	UTM_SCHEMA_UNFINISHED = 1 << 8,
	/* Texts and structs come from a pool: they are given back with utm__text_free() and utm__schema_free() alone. */
	UTM_SCHEMA_POOLED = 1 << 9,
};

/*
 * Errors: the schema's `malformed` for wrong types and missing keys, `not_allowed` for values that are not allowed,
 * KEY_PATH for unknown keys, each with the key path. `base_path` (nullable) is where the object stands.
 */
int utm__schema_decode(const UtmSchema *schema, guint type, UtmSource *source, guint flags, const char *base_path,
                       void **ret_object, UtmError **error);
/*
 * Writes members in the order of their keys. `error` has the schema's `unwritable` and the key path. `ret_varies`
 * (nullable): the object has something that not every release and build of the peer knows.
 */
int utm__schema_encode(const UtmSchema *schema, const void *object, UtmSink *sink, guint flags, const char *base_path,
                       bool *ret_varies, UtmError **error);

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

/* An integer of any width. Both are set; which one holds it is told by UTM_SCHEMA_INT_UNSIGNED. */
void utm__schema_get_int(const UtmSchemaMember *member, const void *field, int64_t *ret_signed, uint64_t *ret_unsigned);
/* False when it does not fit. `is_large`: it is above INT64_MAX, and in `bits` without sign. */
bool utm__schema_set_int(const UtmSchemaMember *member, void *field, uint64_t bits, bool is_large);
/* Whether an integer is in the member's range. */
int utm__schema_check_int(const UtmSchema *schema, const UtmSchemaMember *member, const char *path, int64_t value,
                          UtmError **error);
/* The form in which a string is kept, UUIDs in upper case; NULL for what is no UUID. */
char *utm__schema_dup_string(UtmPool *pool, const UtmSchemaMember *member, const char *text, gsize length);

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
void *utm__schema_alloc_in(UtmPool *pool, const UtmSchema *schema, guint type);
void utm__schema_reset(const UtmSchema *schema, void *object); /* back to all zero */
/* Takes the member over from another object of the type, which keeps nothing. */
void utm__schema_move(const UtmSchema *schema, const UtmSchemaMember *member, void *object, void *from);
/* Exchanges an element with the first one of the other object. */
void utm__schema_swap_element(const UtmSchemaMember *member, void *object, gsize index, void *other);
