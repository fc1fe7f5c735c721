/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the schema alone can tell of any value: numbers outside of their range, which reading lets through as UTM does,
 * keys that nobody knows, and texts that hide something.
 */
#include "check/check-private.h"

#include <string.h>

#define SCHEMA (&utm__config_schema)

enum {
	TEXT_MAX = 4096,
	NOTES_MAX = 1024 * 1024,
};

static void walk(UtmCheck *check, const void *object, const char *path);

/* --- texts --- */

/* These change the order in which the characters around them are shown. */
static bool changes_direction(gunichar c)
{
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool has_hidden(const char *text, bool lines)
{
	for (const char *p = text; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (lines && (c == '\n' || c == '\r' || c == '\t'))
			continue;
		if (c < 0x20 || (c >= 0x7f && c < 0xa0) || changes_direction(c))
			return true;
	}
	return false;
}

/* What people write in several lines, and what terminals are sent on purpose. */
static bool is_free_text(const char *path)
{
	return strcmp(path, "Information.Notes") == 0 || g_str_has_suffix(path, ".LinuxCommandLine") ||
	       g_str_has_prefix(path, "QEMU.AdditionalArguments");
}

static void check_text(UtmCheck *check, const char *path, const char *text)
{
	gsize max = strcmp(path, "Information.Notes") == 0 ? NOTES_MAX : TEXT_MAX;
	utm__check_at(check, "%s", path);
	if (strlen(text) > max)
		utm__find(check, UTM_FINDING_TEXT_LONG, "%zu bytes of text", strlen(text));
	if (!g_str_has_suffix(path, ".ResizeCommand") && has_hidden(text, is_free_text(path)))
		utm__find(check, UTM_FINDING_TEXT_CONTROL, "\"%.80s\" contains characters that are not shown", text);
}

/* --- numbers --- */

static void check_number(UtmCheck *check, const UtmSchemaMember *member, const char *path, int64_t value)
{
	g_autoptr(UtmError) problem = NULL;
	if (utm__schema_check_int(SCHEMA, member, path, value, &problem) == 0)
		return;
	utm__check_at(check, "%s", path);
	if (!utm__has_error_here(check))
		utm__find(check, UTM_FINDING_RANGE, "%s", utm_error_get_message(problem));
}

/* --- all members --- */

static void check_value(UtmCheck *check, const UtmSchemaMember *member, const void *field, const char *path)
{
	switch (member->kind) {
	case UTM_SCHEMA_INT:
		check_number(check, member, path, *(const int64_t *)field);
		break;
	case UTM_SCHEMA_STRING:
		if (*(char *const *)field)
			check_text(check, path, *(char *const *)field);
		break;
	case UTM_SCHEMA_STRUCT:
		walk(check, *(void *const *)field, path);
		break;
	default:
		break;
	}
}

static void check_member(UtmCheck *check, const UtmSchemaMember *member, const void *object, const char *path)
{
	if (!utm__schema_is_present(member, object))
		return;
	if (!(member->flags & UTM_SCHEMA_ARRAY)) {
		check_value(check, member, utm__schema_at(object, member->offset), path);
		return;
	}
	gsize count = utm__schema_get_count(member, object);
	for (gsize i = 0; i < count && utm_findings_get_count(check->findings) <= UTM_FINDINGS_MAX; i++) {
		g_autofree char *element = g_strdup_printf("%s[%zu]", path, i);
		check_value(check, member, utm__schema_get_element(member, object, i), element);
	}
}

static char *join(const char *path, const char *name)
{
	return *path ? g_strdup_printf("%s.%s", path, name) : g_strdup(name);
}

static void check_extras(UtmCheck *check, const UtmValue *extras, const char *path)
{
	for (gsize i = 0; extras && i < extras->as.children.count; i++) {
		g_autofree char *full = join(path, extras->as.children.keys[i]);
		utm__check_at(check, "%s", full);
		utm__find(check, UTM_FINDING_UNKNOWN_KEY, "this key is not known");
	}
}

/* As deep as the schema, which has no loops for configurations. */
static void walk(UtmCheck *check, const void *object, const char *path)
{
	if (!object)
		return;
	const UtmSchemaType *type = &SCHEMA->types[utm__schema_type_of(object)];
	check_extras(check, ((const UtmSchemaHeader *)object)->extras, path);
	for (guint i = 0; i < type->count; i++) {
		const UtmSchemaMember *member = utm__schema_member(SCHEMA, type, i);
		g_autofree char *full = join(path, utm__schema_string(SCHEMA, member->name));
		check_member(check, member, object, full);
	}
}

void utm__check_schema(UtmCheck *check)
{
	walk(check, check->qemu ? (const void *)check->qemu : check->apple, "");
}
