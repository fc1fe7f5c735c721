/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl config schema: which keys there are, for people and as JSON. */
#include "utmctl.h"

#include <inttypes.h>
#include <string.h>

#define PATH_SIZE 256

static bool as_json;
static const char *backend_name;

/* How the keys of a tree are told. */
typedef struct Telling {
	bool as_json;
	bool in_detail; /* one key alone: its values with what they mean */
	bool not_first;
} Telling;

static const char *kind_name(UtmConfigKind kind)
{
	static const char *const names[] = {
		[UTM_CONFIG_KIND_BOOL] = "boolean",  [UTM_CONFIG_KIND_INT] = "integer",     [UTM_CONFIG_KIND_NUMBER] = "number",
		[UTM_CONFIG_KIND_STRING] = "string", [UTM_CONFIG_KIND_UUID] = "uuid",       [UTM_CONFIG_KIND_DATA] = "data",
		[UTM_CONFIG_KIND_ENUM] = "word",     [UTM_CONFIG_KIND_SECTION] = "section",
	};
	return names[kind];
}

/* --- as JSON --- */

static void json_text(const char *name, const char *text)
{
	if (!text)
		return;
	printf(",\"%s\":", name);
	print_json_string(stdout, text);
}

/* Text that is JSON already. */
static void json_raw(const char *name, const char *json)
{
	if (json)
		printf(",\"%s\":%s", name, json);
}

static void json_flag(const char *name, bool flag)
{
	if (flag)
		printf(",\"%s\":true", name);
}

static void json_words(const char *name, const char *words)
{
	if (!words)
		return;
	printf(",\"%s\":[", name);
	for (size_t length; *words; words += length + (words[length] == ' ')) {
		length = strcspn(words, " ");
		printf("\"%.*s\"%s", (int)length, words, words[length] ? "," : "");
	}
	putchar(']');
}

static void json_values(const UtmConfigKey *key)
{
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;

	for (size_t i = 0; utm_config_schema_get_value(key->type, i, &value, NULL) == 0; i++) {
		printf("%s{\"text\":", i ? "," : ",\"values\":[");
		print_json_string(stdout, value.text);
		json_text("doc", value.doc);
		json_words("architectures", value.architectures);
		putchar('}');
	}
	putchar(']');
}

static void json_key(Telling *telling, const char *path, const UtmConfigKey *key)
{
	printf("%s{\"path\":", telling->not_first ? ",\n" : "");
	telling->not_first = true;
	print_json_string(stdout, path);
	json_text("kind", kind_name(key->kind));
	json_text("doc", key->doc);
	json_text("old-name", key->old_name);
	json_text("unit", key->unit);
	json_text("format", key->format);
	if (key->has_min)
		printf(",\"min\":%" PRId64, key->min);
	if (key->has_max)
		printf(",\"max\":%" PRId64, key->max);
	json_raw("default", key->default_json);
	json_raw("default-if", key->default_if);
	json_raw("new", key->new_json);
	json_raw("used-if", key->used_if);
	json_raw("required-if", key->required_if);
	json_words("architectures", key->architectures);
	json_flag("array", key->is_array);
	json_flag("optional", key->is_optional);
	json_flag("fixed", key->is_fixed);
	json_flag("generated", key->is_generated);
	json_flag("obsolete", key->is_obsolete);
	if (key->kind == UTM_CONFIG_KIND_ENUM)
		json_values(key);
	putchar('}');
}

/* --- for people --- */

static void tell_values(const UtmConfigKey *key, bool in_detail)
{
	UtmConfigType type = UTM_CONFIG_TYPE_INIT;
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;

	(void)!utm_config_schema_get_type(key->type, &type, NULL);
	for (size_t i = 0; i < type.count && utm_config_schema_get_value(key->type, i, &value, NULL) == 0; i++) {
		if (!in_detail)
			printf("%s%s", i == 0 ? ": " : i + 1 < type.count ? ", " : " or ", value.text);
		else if (value.architectures)
			printf("      %-12s %s On %s.\n", value.text, value.doc, value.architectures);
		else
			printf("      %-12s %s\n", value.text, value.doc);
	}
}

static void tell_range(const UtmConfigKey *key)
{
	if (key->has_min && key->has_max)
		printf(" from %" PRId64 " to %" PRId64, key->min, key->max);
	else if (key->has_min)
		printf(" from %" PRId64, key->min);
	else if (key->has_max)
		printf(" up to %" PRId64, key->max);
	if (key->unit)
		printf(" %s", key->unit);
}

static void tell_item(const UtmValue *item)
{
	if (utm_value_get_string(item)) {
		printf("%s", utm_value_get_string(item));
	} else {
		char *json = utm_value_dup_json(item);
		printf("%s", json);
		utm_free(json);
	}
}

/* {"key":"Mode","in":["TcpClient","TcpServer"]} becomes: Mode is TcpClient or TcpServer */
static void tell_condition(const char *before, const char *json)
{
	UtmValue *condition = NULL;

	if (!json || utm_value_from_json(json, &condition, NULL) < 0)
		return;
	const char *absent = utm_value_get_string(utm_value_get_member(condition, "absent"));
	const char *present = utm_value_get_string(utm_value_get_member(condition, "present"));
	const UtmValue *in = utm_value_get_member(condition, "in"), *not_in = utm_value_get_member(condition, "not-in");
	const UtmValue *items = in ? in : not_in;
	const char *name = utm_value_get_string(utm_value_get_member(condition, "key"));
	if (absent || present)
		printf("%s %s is %s", before, absent ? absent : present, absent ? "absent" : "there");
	else
		printf("%s %s is%s ", before, name, in ? "" : " not");
	for (size_t i = 0; i < utm_value_get_count(items); i++) {
		printf("%s", i ? " or " : "");
		tell_item(utm_value_get_item(items, i));
	}
	utm_value_free(condition);
}

static void tell_key(Telling *telling, const char *path, const UtmConfigKey *key)
{
	bool is_enum = key->kind == UTM_CONFIG_KIND_ENUM;

	printf("%s\n    %s\n    %s%s", path, key->doc, key->is_array ? "array of " : "", kind_name(key->kind));
	if (key->format)
		printf(" (%s)", key->format);
	tell_range(key);
	if (is_enum && !telling->in_detail)
		tell_values(key, false);
	printf("%s%s", key->is_optional ? "; optional" : "", key->is_obsolete ? "; in early files only" : "");
	printf("%s", key->is_fixed && !key->is_obsolete ? "; cannot be changed" : "");
	if (key->default_json)
		printf("; when absent %s", key->default_json);
	tell_condition("; when absent, true if", key->default_if);
	if (key->is_generated)
		printf("; a new one for each new object");
	else if (key->new_json && key->kind != UTM_CONFIG_KIND_SECTION)
		printf("; new %s", key->new_json);
	tell_condition("; used if", key->used_if);
	tell_condition("; required if", key->required_if);
	if (key->architectures)
		printf("; on %s", key->architectures);
	putchar('\n');
	if (is_enum && telling->in_detail)
		tell_values(key, true);
}

/* --- the tree --- */

static void tell(Telling *telling, const char *path, const UtmConfigKey *key)
{
	if (telling->as_json)
		json_key(telling, path, key);
	else
		tell_key(telling, path, key);
}

/* The keys of a section, and of the sections in it. */
static void tell_keys(Telling *telling, const char *above, uint32_t type)
{
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;

	for (size_t i = 0; utm_config_schema_get_key(type, i, &key, NULL) == 0; i++) {
		char path[PATH_SIZE], below[PATH_SIZE + 2];
		snprintf(path, sizeof path, "%s%s%s", above, *above ? "." : "", key.name);
		snprintf(below, sizeof below, "%s%s", path, key.is_array ? "[]" : "");
		tell(telling, path, &key);
		if (key.kind == UTM_CONFIG_KIND_SECTION)
			tell_keys(telling, below, key.type);
	}
}

/* The path as the schema writes it: `Drive[3]` is any of the drives. */
static void generalise(char *path, size_t size, const char *given)
{
	size_t used = 0;
	bool in_index = false;

	for (; *given && used + 1 < size; given++) {
		if (!in_index || *given == ']')
			path[used++] = *given;
		in_index = *given == '[' || (in_index && *given != ']');
	}
	path[used] = '\0';
}

static void tell_from(Telling *telling, const char *given, const UtmConfigKey *key)
{
	char path[PATH_SIZE], below[PATH_SIZE + 2];

	generalise(path, sizeof path, given);
	snprintf(below, sizeof below, "%s%s", path, key->is_array ? "[]" : "");
	telling->in_detail = key->kind != UTM_CONFIG_KIND_SECTION;
	tell(telling, path, key);
	if (key->kind == UTM_CONFIG_KIND_SECTION)
		tell_keys(telling, below, key->type);
}

static int run_schema(const Command *command, char **operands)
{
	Telling telling = { .as_json = as_json };
	bool is_apple = backend_name && strcmp(backend_name, "apple") == 0;
	UtmBackend backend = is_apple ? UTM_BACKEND_APPLE : UTM_BACKEND_QEMU;
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;
	UtmError *error = NULL;

	if (backend_name && !is_apple && strcmp(backend_name, "qemu") != 0)
		return misused(command, "--backend is qemu or apple, not %s", backend_name);
	if (operands[0] && utm_config_schema_find_key(backend, operands[0], &key, &error) < 0)
		return report(NULL, error);
	printf("%s", as_json ? "[" : "");
	if (operands[0])
		tell_from(&telling, operands[0], &key);
	else
		tell_keys(&telling, "", utm_config_schema_get_root(backend));
	printf("%s", as_json ? "]\n" : "");
	return EXIT_OK;
}

static const Option options[] = {
	{ .name = "--backend", .value = &backend_name },
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

const Command config_schema_command = {
	.name = "config schema",
	.arguments = "[KEY.PATH] [--backend qemu|apple] [--json]",
	.summary = "tell which keys there are: types, ranges, allowed values, defaults",
	.notes = "Any index will do in KEY.PATH, or none: Drive[].Interface. A section is told with the keys in it.\n",
	.options = options,
	.most = 1,
	.run = run_schema,
};
