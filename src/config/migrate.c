/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What both migrations share: notes, and copying by table. */
#include "config/migrate.h"

#include "schema/path.h"

#include <string.h>

#define OLD (&utm__legacy_schema)
#define NEW (&utm__config_schema)

/* A hostile file may give as many as it has keys. */
#define NOTES_MAX 10000

/* --- notes --- */

static void note_free(void *data)
{
	UtmConfigNote *note = data;
	g_free((char *)note->key_path);
	g_free((char *)note->reason);
	g_free(note);
}

GPtrArray *utm__migration_notes_new(void)
{
	return g_ptr_array_new_with_free_func(note_free);
}

void utm__migration_note(UtmMigration *migration, UtmConfigNoteKind kind, const char *key_path, const char *format, ...)
{
	va_list args;
	if (migration->notes->len == NOTES_MAX)
		return;
	UtmConfigNote *note = g_new0(UtmConfigNote, 1);
	va_start(args, format);
	*note = (UtmConfigNote){ .size = sizeof *note, .kind = kind, .key_path = g_strdup(key_path) };
	note->reason = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(migration->notes, note);
}

static void note_extras(UtmMigration *migration, const UtmSchemaType *row, const UtmValue *extras, const char *prefix)
{
	for (gsize i = 0; extras && i < extras->as.children.count; i++) {
		const char *key = extras->as.children.keys[i];
		g_autofree char *path = g_strdup_printf("%s%s%s", prefix, *prefix ? "." : "", key);
		bool known = utm__schema_find_member(OLD, row, key, strlen(key));
		utm__migration_note(migration, UTM_CONFIG_NOTE_DROPPED, path,
		                    known ? "the value is of a type that means nothing here" : "the key is not known");
	}
}

void utm__migration_note_unknown(UtmMigration *migration, const void *object, const char *prefix)
{
	const UtmSchemaType *row = &OLD->types[utm__schema_type_of(object)];
	note_extras(migration, row, ((const UtmSchemaHeader *)object)->extras, prefix);
	for (guint i = 0; i < row->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(OLD, row, i);
		const char *name = utm__schema_string(OLD, member->name);
		g_autofree char *path = g_strdup_printf("%s%s%s", prefix, *prefix ? "." : "", name);
		if (member->kind != UTM_SCHEMA_STRUCT || !utm__schema_is_present(member, object))
			continue;
		if (!(member->flags & UTM_SCHEMA_ARRAY)) {
			utm__migration_note_unknown(migration, *(void **)utm__schema_at(object, member->offset), path);
			continue;
		}
		for (gsize j = 0; j < utm__schema_get_count(member, object); j++) {
			g_autofree char *element = g_strdup_printf("%s[%" G_GSIZE_FORMAT "]", path, j);
			utm__migration_note_unknown(migration, *(void **)utm__schema_get_element(member, object, j), element);
		}
	}
}

/* --- copying --- */

int32_t utm__migration_find_word(guint enum_type, const char *prefix, const char *word)
{
	for (int32_t value = 0; word && value < NEW->types[enum_type].count; value++) {
		const char *text = utm__schema_enum_get_text(NEW, enum_type, value);
		g_autofree char *lower = g_ascii_strdown(text + (g_str_has_prefix(text, prefix) ? strlen(prefix) : 0), -1);
		if (strcmp(lower, word) == 0)
			return value;
	}
	return -1;
}

static void copy_string(const UtmSchemaMember *member, const char *text, void *object)
{
	char **field = utm__schema_at(object, member->offset);
	if (!text && !(member->flags & UTM_SCHEMA_OPTIONAL))
		return;
	g_free(*field);
	*field = g_strdup(text);
}

static void copy_word(const UtmSchemaMember *member, const char *word, void *object)
{
	int32_t value = utm__migration_find_word(member->type, "", word);
	if (value >= 0)
		*(int32_t *)utm__schema_at(object, member->offset) = value;
}

/* An absent section is one without keys. */
static void copy_value(const UtmPlace *from, const UtmPlace *to)
{
	bool present = from->object && utm__schema_is_present(from->member, from->object);
	const void *field = present ? utm__schema_at(from->object, from->member->offset) : NULL;
	switch (to->member->kind) {
	case UTM_SCHEMA_BOOL:
		*(bool *)utm__schema_at(to->object, to->member->offset) = present && *(const bool *)field;
		break;
	case UTM_SCHEMA_INT:
		if (present)
			*(int64_t *)utm__schema_at(to->object, to->member->offset) = *(const int64_t *)field;
		break;
	case UTM_SCHEMA_ENUM:
		copy_word(to->member, present ? *(char *const *)field : NULL, to->object);
		break;
	default:
		copy_string(to->member, present ? *(char *const *)field : NULL, to->object);
	}
}

void utm__migration_copy(const UtmMigrationCopy *copies, gsize count, const void *from, void *to)
{
	for (gsize i = 0; i < count; i++) {
		UtmPlace source, target;
		/* The tables are right: tests go through each of their lines. */
		if (utm__path_find(OLD, from, copies[i].from, &source, NULL) < 0 ||
		    utm__path_find(NEW, to, copies[i].to, &target, NULL) < 0)
			g_assert_not_reached();
		copy_value(&source, &target);
	}
}

void utm__migration_clear(void *object, const char *key)
{
	const UtmSchemaType *row = &NEW->types[utm__schema_type_of(object)];
	utm__schema_clear(NEW, utm__schema_find_member(NEW, row, key, strlen(key)), object);
}

void *utm__migration_append(void *object, const char *key)
{
	const UtmSchemaType *row = &NEW->types[utm__schema_type_of(object)];
	const UtmSchemaMember *member = utm__schema_find_member(NEW, row, key, strlen(key));
	gsize end = utm__schema_get_count(member, object);
	void **element = utm__schema_insert_element(member, object, end);
	*element = utm__schema_new(NEW, member->type);
	return *element;
}
