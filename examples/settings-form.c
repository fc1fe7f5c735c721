/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings-form PLIST|BUNDLE [SECTION]
 *
 * Prints the settings of a machine as a form, section by section: a label, the control that a program with windows would
 * make, the value, what else is allowed, and a sentence of help. Nothing here knows a key by its name: labels, controls
 * and help come from the schema, values from the configuration. What has no effect as things are is told so; a program
 * with windows greys it out.
 *
 * Exit code: 0 done, 1 it cannot be read, 2 it was not asked properly.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utm/utm.h>

#define PATH_SIZE 256

/* "ForceMulticore" is "Force Multicore", "CPUCount" is "CPU Count". */
static void print_label(const char *name)
{
	for (const char *p = name; *p; p++) {
		bool upper = *p >= 'A' && *p <= 'Z', after_lower = p > name && p[-1] >= 'a' && p[-1] <= 'z';
		bool before_lower = p > name && p[1] >= 'a' && p[1] <= 'z';
		if (upper && (after_lower || before_lower))
			putchar(' ');
		putchar(*p);
	}
}

/* The value as JSON, in one line; NULL when it is absent. Release with utm_free(). */
static char *value_of(const UtmConfig *config, const char *path)
{
	UtmValue *value = NULL;
	char *indented = NULL, *json = NULL;

	if (utm_config_to_json(config, path, &indented, NULL) == 0 && utm_value_from_json(indented, &value, NULL) == 0)
		json = utm_value_dup_json(value);
	utm_value_free(value);
	utm_free(indented);
	return json;
}

/* A menu: the words, with the one that is chosen in brackets. */
static void print_menu(const UtmConfigKey *key, const char *json)
{
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;

	for (size_t i = 0; utm_config_schema_get_value(key->type, i, &value, NULL) == 0; i++) {
		size_t length = strlen(value.text);
		bool chosen = json && strlen(json) == length + 2 && strncmp(json + 1, value.text, length) == 0;
		printf(chosen ? "%s[%s]" : "%s%s", i ? " " : "", value.text);
	}
}

static void print_number(const UtmConfigKey *key, const char *json)
{
	printf("< %s >%s%s", json ? json : "", key->unit ? " " : "", key->unit ? key->unit : "");
	if (key->has_min && key->has_max)
		printf(" (%" PRId64 " to %" PRId64 ")", key->min, key->max);
}

/* A program would offer a chooser for what it knows the format of: files, colours, devices. */
static void print_field(const UtmConfigKey *key, const char *json)
{
	printf("%s", json ? json : "____");
	if (key->format)
		printf(" (%s)", key->format);
	if (key->is_array)
		printf(" +");
}

static void print_control(const UtmConfigKey *key, const char *json)
{
	if (key->is_array || key->is_fixed)
		print_field(key, json);
	else if (key->kind == UTM_CONFIG_KIND_BOOL)
		printf("[%s]", !json ? "-" : strcmp(json, "true") == 0 ? "x" : " ");
	else if (key->kind == UTM_CONFIG_KIND_ENUM)
		print_menu(key, json);
	else if (key->kind == UTM_CONFIG_KIND_INT)
		print_number(key, json);
	else
		print_field(key, json);
}

static void print_row(const UtmConfig *config, const char *path, const UtmConfigKey *key, int depth)
{
	bool used = true;
	char *json = value_of(config, path);

	(void)utm_config_is_used(config, path, &used, NULL);
	printf("%*s", depth * 2, "");
	print_label(key->name);
	printf(": ");
	print_control(key, json);
	printf("%s%s\n", key->is_fixed ? "  (fixed)" : "", used ? "" : "  (no effect)");
	printf("%*s%s\n", depth * 2 + 4, "", key->doc);
	utm_free(json);
}

static void print_section(const UtmConfig *config, const char *above, uint32_t type, int depth);

/* A list: each element with its own controls, and a button for one more. */
static void print_list(const UtmConfig *config, const char *path, const UtmConfigKey *key, int depth)
{
	size_t count = 0;

	(void)utm_config_get_count(config, path, &count, NULL);
	for (size_t i = 0; i < count; i++) {
		char element[PATH_SIZE];
		snprintf(element, sizeof element, "%s[%zu]", path, i);
		printf("%*s== %s %zu ==\n", depth * 2, "", key->name, i);
		print_section(config, element, key->type, depth + 1);
	}
	printf("%*s[ + %s ]\n", depth * 2, "", key->name);
}

static void print_key(const UtmConfig *config, const char *path, const UtmConfigKey *key, int depth)
{
	bool there = false;

	if (key->is_obsolete)
		return;
	if (key->kind != UTM_CONFIG_KIND_SECTION) {
		print_row(config, path, key, depth);
	} else if (key->is_array) {
		print_list(config, path, key, depth);
	} else if (utm_config_has(config, path, &there, NULL) == 0 && there) {
		printf("%*s== %s ==\n", depth * 2, "", key->name);
		print_section(config, path, key->type, depth + 1);
	}
}

static void print_section(const UtmConfig *config, const char *above, uint32_t type, int depth)
{
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;

	for (size_t i = 0; utm_config_schema_get_key(type, i, &key, NULL) == 0; i++) {
		char path[PATH_SIZE];
		snprintf(path, sizeof path, "%s%s%s", above, *above ? "." : "", key.name);
		print_key(config, path, &key, depth);
	}
}

static int fail(UtmError *error)
{
	char *text = utm_error_dup_text(error);

	fprintf(stderr, "%s\n", text);
	utm_free(text);
	utm_error_unref(error);
	return 1;
}

/* A bundle is a directory with a property list in it, which is all that is wanted of it here. */
static int load(const char *path, UtmConfig **ret_config, UtmError **error)
{
	char inside[4096];

	int length = snprintf(inside, sizeof inside, "%s/config.plist", path);
	bool is_bundle = length > 0 && (size_t)length < sizeof inside && access(inside, F_OK) == 0;
	return utm_config_new_from_file(is_bundle ? inside : path, ret_config, error);
}

int main(int argc, char **argv)
{
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;
	UtmConfig *config = NULL;
	UtmError *error = NULL;
	bool present; /* an optional key may be absent; an element must be there */

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: settings-form PLIST|BUNDLE [SECTION]\n");
		return 2;
	}
	if (load(argv[1], &config, &error) < 0)
		return fail(error);
	UtmBackend backend = utm_config_get_backend(config);
	if (argc == 2)
		print_section(config, "", utm_config_schema_get_root(backend), 0);
	else if (utm_config_schema_find_key(backend, argv[2], &key, &error) == 0 &&
	         utm_config_has(config, argv[2], &present, &error) == 0)
		print_key(config, argv[2], &key, 0);
	utm_config_unref(config);
	return error ? fail(error) : 0;
}
