/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmConfig: a counted holder of values; the schema engine does the work. */
#include "config/config-private.h"

#include "config/defaults.h"
#include "schema/path.h"
#include "schema/plist-codec.h"

#include <string.h>

struct UtmConfig {
	gint refs;
	void *root; /* UtmConfigQemu or UtmConfigApple */
	UtmConfigFormat format;
	int64_t version;
	GPtrArray *notes; /* of UtmConfigNote, shared with copies; NULL: none */
};

/* --- objects --- */

UtmConfig *utm__config_new_taking(void *root, UtmConfigFormat format, int64_t version, GPtrArray *notes)
{
	UtmConfig *config = g_new0(UtmConfig, 1);
	*config = (UtmConfig){ .refs = 1, .root = root, .format = format, .version = version, .notes = notes };
	return config;
}

UtmConfig *utm_config_copy(const UtmConfig *config)
{
	if (!config)
		return NULL;
	return utm__config_new_taking(utm__schema_copy(&utm__config_schema, config->root), config->format, config->version,
	                              config->notes ? g_ptr_array_ref(config->notes) : NULL);
}

UtmConfig *utm_config_ref(UtmConfig *config)
{
	if (config)
		g_atomic_int_inc(&config->refs);
	return config;
}

void utm_config_unref(UtmConfig *config)
{
	if (!config || !g_atomic_int_dec_and_test(&config->refs))
		return;
	utm__schema_free(&utm__config_schema, config->root);
	if (config->notes)
		g_ptr_array_unref(config->notes);
	g_free(config);
}

bool utm_config_equal(const UtmConfig *a, const UtmConfig *b)
{
	if (!a || !b)
		return a == b;
	return utm__schema_equal(&utm__config_schema, a->root, b->root);
}

/* --- what it is --- */

static const void *root_of(const UtmConfig *config, guint type)
{
	return config && utm__schema_type_of(config->root) == type ? config->root : NULL;
}

const UtmConfigQemu *utm__config_get_qemu(const UtmConfig *config)
{
	return root_of(config, UTM_CONFIG_SCHEMA_QEMU);
}

const UtmConfigApple *utm__config_get_apple(const UtmConfig *config)
{
	return root_of(config, UTM_CONFIG_SCHEMA_APPLE);
}

UtmError *utm__backend_unsupported(void)
{
	UtmError *made = utm__error_new(UTM_ERROR_NOT_SUPPORTED,
	                                "a machine of Apple's Virtualization framework has no QEMU to run it");
	utm__error_set_remedy(made, "Run it with UTM on a Mac; here it can only be read, edited and written.");
	return utm__error_set_key_path(made, "Backend");
}

UtmBackend utm_config_get_backend(const UtmConfig *config)
{
	if (!config)
		return 0;
	return utm__config_get_qemu(config) ? UTM_BACKEND_QEMU : UTM_BACKEND_APPLE;
}

UtmConfigFormat utm_config_get_format(const UtmConfig *config, int64_t *ret_version)
{
	if (config && ret_version)
		*ret_version = config->version;
	return config ? config->format : UTM_CONFIG_FORMAT_CURRENT;
}

void utm__config_forget_format(UtmConfig *config)
{
	config->format = UTM_CONFIG_FORMAT_CURRENT;
	config->version = 4;
}

size_t utm_config_get_note_count(const UtmConfig *config)
{
	return config && config->notes ? config->notes->len : 0;
}

const UtmConfigNote *utm_config_get_note(const UtmConfig *config, size_t index)
{
	return index < utm_config_get_note_count(config) ? config->notes->pdata[index] : NULL;
}

static const UtmConfigInformation *information_of(const UtmConfig *config)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	const UtmConfigApple *apple = utm__config_get_apple(config);
	return qemu ? qemu->information : apple ? apple->information : NULL;
}

const char *utm__config_enum_get_text(const char *enum_name, int32_t value)
{
	const UtmSchema *schema = &utm__config_schema;
	for (guint type = 0; type < schema->type_count; type++)
		if (schema->types[type].kind == UTM_SCHEMA_ENUM &&
		    strcmp(utm__schema_string(schema, schema->types[type].name), enum_name) == 0)
			return utm__schema_enum_get_text(schema, type, value);
	return NULL;
}

/* --- by key path --- */

/* `output` is whatever pointer else must not be NULL. */
static int find(const UtmConfig *config, const char *key_path, const void *output, UtmPlace *ret_place,
                UtmError **error)
{
	if (!config || !key_path || !output)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "configuration, key path and value must not be NULL");
	if (!*key_path)
		return utm__fail(error, UTM_ERROR_KEY_PATH, "the key path is empty");
	return utm__path_find(&utm__config_schema, config->root, key_path, ret_place, error);
}

static bool is_array(const UtmPlace *place)
{
	return (place->member->flags & UTM_SCHEMA_ARRAY) && !place->is_element;
}

static const char *kind_of(const UtmPlace *place)
{
	static const char *const kinds[] = {
		[UTM_SCHEMA_BOOL] = "a boolean", [UTM_SCHEMA_INT] = "an integer", [UTM_SCHEMA_NUMBER] = "a number",
		[UTM_SCHEMA_STRING] = "a string", [UTM_SCHEMA_ANY] = "any value", [UTM_SCHEMA_ENUM] = "one of several words",
		[UTM_SCHEMA_STRUCT] = "a section",
	};
	return is_array(place) ? "an array" : kinds[place->member->kind];
}

/* A path that was found and is refused nevertheless leads to another kind of value: then its spelling is not at fault. */
static int check_kind(const UtmPlace *place, int result, UtmError **error)
{
	if (result != UTM_ERROR_KEY_PATH || !error)
		return result;
	g_autofree char *remedy = g_strdup_printf("The key holds %s: use the function for that.", kind_of(place));
	utm__error_set_remedy(*error, remedy);
	return result;
}

int utm_config_has(const UtmConfig *config, const char *key_path, bool *ret_present, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, ret_present, &place, error);
	return result < 0 ? result : utm__path_has(&place, ret_present, error);
}

int utm_config_get_int(const UtmConfig *config, const char *key_path, int64_t *ret_value, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, ret_value, &place, error);
	return result < 0 ? result : check_kind(&place, utm__path_get_int(&place, ret_value, error), error);
}

int utm_config_get_bool(const UtmConfig *config, const char *key_path, bool *ret_value, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, ret_value, &place, error);
	return result < 0 ? result : check_kind(&place, utm__path_get_bool(&place, ret_value, error), error);
}

int utm_config_get_string(const UtmConfig *config, const char *key_path, char **ret_value, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, ret_value, &place, error);
	return result < 0 ? result : check_kind(&place, utm__path_dup_string(&place, ret_value, error), error);
}

int utm_config_get_count(const UtmConfig *config, const char *key_path, size_t *ret_count, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, ret_count, &place, error);
	return result < 0 ? result : check_kind(&place, utm__path_get_count(&place, ret_count, error), error);
}

int utm_config_set_int(UtmConfig *config, const char *key_path, int64_t value, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, key_path, &place, error);
	return result < 0 ? result : check_kind(&place, utm__path_set_int(&place, value, error), error);
}

int utm_config_set_bool(UtmConfig *config, const char *key_path, bool value, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, key_path, &place, error);
	return result < 0 ? result : check_kind(&place, utm__path_set_bool(&place, value, error), error);
}

int utm_config_set_string(UtmConfig *config, const char *key_path, const char *value, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, key_path, &place, error);
	return result < 0 ? result : check_kind(&place, utm__path_set_string(&place, value, error), error);
}

/* What a text must be to become the value; NULL for text that says so itself, or is taken as it is. */
static char *describe_wanted(const UtmPlace *place, const char *text)
{
	const UtmSchema *schema = place->schema;
	char first = text[strspn(text, " \t\r\n")];
	if (is_array(place))
		return first == '[' ? NULL : g_strdup("a JSON array in brackets");
	if (place->member->kind == UTM_SCHEMA_STRUCT)
		return first == '{' ? NULL : g_strdup("a JSON object in braces");
	if (place->member->kind == UTM_SCHEMA_BOOL)
		return g_strdup("true or false");
	if (place->member->kind != UTM_SCHEMA_INT)
		return NULL;
	const UtmSchemaFact *min = utm__schema_find_fact(schema, place->member, UTM_SCHEMA_FACT_MIN);
	const UtmSchemaFact *max = utm__schema_find_fact(schema, place->member, UTM_SCHEMA_FACT_MAX);
	const UtmSchemaFact *unit = utm__schema_find_fact(schema, place->member, UTM_SCHEMA_FACT_UNIT);
	GString *wanted = g_string_new("an integer");
	if (min && max)
		g_string_append_printf(wanted, " from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, schema->numbers[min->value],
		                       schema->numbers[max->value]);
	if (unit)
		g_string_append_printf(wanted, " (%s)", utm__schema_string(schema, unit->value));
	return g_string_free(wanted, FALSE);
}

/* Who writes `yes` for `true` has not written bad JSON: say what the key takes, not where the reader stopped. */
static int fail_text(const UtmPlace *place, const char *text, int result, UtmError **error)
{
	g_autofree char *wanted = result == UTM_ERROR_CONFIG_MALFORMED && error ? describe_wanted(place, text) : NULL;
	if (!wanted)
		return result;
	UtmError *made = utm__error_new(result, "must be %s, not \"%.80s\"", wanted, text);
	utm__error_set_key_path(made, place->path);
	utm__error_set_remedy(made, "Give the value in that form.");
	utm_error_unref(*error);
	*error = made;
	return result;
}

int utm_config_set_text(UtmConfig *config, const char *key_path, const char *text, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, text, &place, error);
	if (result < 0)
		return result;
	result = utm__path_set_text(&place, text, error);
	return result < 0 ? fail_text(&place, text, result, error) : 0;
}

static void fit(UtmConfig *config, const UtmPlace *place, int64_t index, const char *json)
{
	UtmValue *said = NULL;
	gsize at = index < 0 ? utm__schema_get_count(place->member, place->object) - 1 : (gsize)index;
	if (utm_value_from_json(json, &said, NULL) == 0)
		utm__config_fit_device(config, utm__schema_string(place->schema, place->member->name), at, said);
	utm_value_free(said);
}

int utm_config_insert(UtmConfig *config, const char *key_path, int64_t index, const char *json, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, json, &place, error);
	if (result < 0)
		return result;
	result = utm__path_insert(&place, index, json, error);
	if (result == 0 && place.object == config->root)
		fit(config, &place, index, json);
	return is_array(&place) ? result : check_kind(&place, result, error);
}

int utm_config_remove(UtmConfig *config, const char *key_path, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, key_path, &place, error);
	return result < 0 ? result : utm__path_remove(&place, error);
}

/* --- writing --- */

int utm_config_to_json(const UtmConfig *config, const char *key_path, char **ret_json, UtmError **error)
{
	UtmPlace place;
	if (!config || !ret_json)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "configuration and ret_json must not be NULL");
	int result = utm__path_find(&utm__config_schema, config->root, key_path, &place, error);
	return result < 0 ? result : utm__path_to_json(&place, true, ret_json, error);
}

int utm_config_to_plist(const UtmConfig *config, char **ret_data, size_t *ret_size, UtmError **error)
{
	if (!config || !ret_data || !ret_size)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "configuration and outputs must not be NULL");
	return utm__plist_encode(&utm__config_schema, config->root, ret_data, ret_size, error);
}

const char *utm_config_get_name(const UtmConfig *config)
{
	const UtmConfigInformation *information = information_of(config);
	return information ? information->name : NULL;
}

const char *utm_config_get_uuid(const UtmConfig *config)
{
	const UtmConfigInformation *information = information_of(config);
	return information ? information->uuid : NULL;
}
