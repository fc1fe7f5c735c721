/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmConfig: a counted holder of values; the schema engine does the work. */
#include "config/config-private.h"

#include "base/util.h"
#include "schema/path.h"
#include "schema/plist-codec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION_READ 4

struct UtmConfig {
	gint refs;
	UtmConfigQemu *qemu;
};

/* --- objects --- */

static UtmConfig *config_new_taking(UtmConfigQemu *qemu_taken)
{
	UtmConfig *config = g_new0(UtmConfig, 1);
	config->refs = 1;
	config->qemu = qemu_taken;
	return config;
}

UtmConfig *utm_config_copy(const UtmConfig *config)
{
	return config ? config_new_taking(utm__schema_copy(&utm__config_schema, config->qemu)) : NULL;
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
	utm__schema_free(&utm__config_schema, config->qemu);
	g_free(config);
}

bool utm_config_equal(const UtmConfig *a, const UtmConfig *b)
{
	if (!a || !b)
		return a == b;
	return utm__schema_equal(&utm__config_schema, a->qemu, b->qemu);
}

const UtmConfigQemu *utm__config_get_qemu(const UtmConfig *config)
{
	return config ? config->qemu : NULL;
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

/* --- reading files --- */

static int fail_version(UtmError **error, int code, const char *message, gint64 version)
{
	UtmError *made = utm__error_new(code, "%s: version %" G_GINT64_FORMAT ", not %d", message, version, VERSION_READ);
	return utm__fail_take(error, utm__error_set_key_path(made, "ConfigurationVersion"));
}

/* Back end and version first: what else is in the file depends on them. */
static int check_version(const UtmConfigVersion *version, UtmError **error)
{
	if (version->backend == UTM_CONFIG_BACKEND_APPLE) {
		UtmError *made = utm__error_new(UTM_ERROR_CONFIG_INVALID_BACKEND, "the machine is for Apple's virtualisation");
		return utm__fail_take(error, utm__error_set_key_path(made, "Backend"));
	}
	if (version->configuration_version > VERSION_READ)
		return fail_version(error, UTM_ERROR_CONFIG_TOO_NEW, "written by a newer UTM", version->configuration_version);
	if (version->backend == UTM_CONFIG_BACKEND_UNKNOWN && version->configuration_version == VERSION_READ) {
		UtmError *made = utm__error_new(UTM_ERROR_CONFIG_TOO_OLD, "is missing, so this is no file of version 4");
		return utm__fail_take(error, utm__error_set_key_path(made, "Backend"));
	}
	if (version->backend == UTM_CONFIG_BACKEND_UNKNOWN || version->configuration_version < VERSION_READ)
		return fail_version(error, UTM_ERROR_CONFIG_TOO_OLD, "written by an older UTM", version->configuration_version);
	return 0;
}

static int read_version(const UtmPlist *plist, UtmError **error)
{
	const UtmSchema *schema = &utm__config_schema;
	void *version = NULL;
	int result = utm__plist_decode(plist, schema, UTM_CONFIG_SCHEMA_VERSION, 0, &version, error);
	if (result == 0)
		result = check_version(version, error);
	utm__schema_free(schema, version);
	return result;
}

int utm_config_new_from_data(const void *data, size_t size_bytes, UtmConfig **ret_config, UtmError **error)
{
	g_autoptr(UtmPlist) plist = NULL;
	void *qemu = NULL;
	if (!ret_config || (!data && size_bytes))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "data and ret_config must not be NULL");
	int result = utm__plist_parse(data ? data : "", size_bytes, &plist, error);
	if (result == 0)
		result = read_version(plist, error);
	if (result == 0)
		result = utm__plist_decode(plist, &utm__config_schema, UTM_CONFIG_SCHEMA_QEMU, UTM_SCHEMA_KEEP_UNKNOWN, &qemu,
		                           error);
	if (result == 0)
		*ret_config = config_new_taking(qemu);
	return result;
}

/* Not more than the limit and one byte, whatever the file says about its size, or becomes while it is read. */
static int read_bytes(int fd, GByteArray *bytes)
{
	guint8 block[65536];
	while (bytes->len <= UTM_PLIST_SIZE_MAX) {
		ssize_t count = read(fd, block, sizeof block);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? errno : 0;
		g_byte_array_append(bytes, block, (guint)count);
	}
	return 0;
}

static int read_file(const char *path, GByteArray *bytes, UtmError **error)
{
	struct stat info;
	/* Not blocking: a FIFO would wait for a writer. */
	utm_autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return utm__fail_errno(error, errno, path, "cannot open");
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
		return utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_IO, "is not a regular file"), path));
	int failed = read_bytes(fd, bytes);
	return failed ? utm__fail_errno(error, failed, path, "cannot read") : 0;
}

int utm_config_new_from_file(const char *path, UtmConfig **ret_config, UtmError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	if (!path || !ret_config)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "path and ret_config must not be NULL");
	int result = read_file(path, bytes, error);
	if (result < 0)
		return result;
	result = utm_config_new_from_data(bytes->data, bytes->len, ret_config, error);
	if (result < 0 && error)
		*error = utm__error_at_file(*error, path);
	return result;
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
	return utm__path_find(&utm__config_schema, config->qemu, key_path, ret_place, error);
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

int utm_config_insert(UtmConfig *config, const char *key_path, int64_t index, const char *json, UtmError **error)
{
	UtmPlace place;
	int result = find(config, key_path, json, &place, error);
	if (result < 0)
		return result;
	result = utm__path_insert(&place, index, json, error);
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
	int result = utm__path_find(&utm__config_schema, config->qemu, key_path, &place, error);
	return result < 0 ? result : utm__path_to_json(&place, true, ret_json, error);
}

int utm_config_to_plist(const UtmConfig *config, char **ret_data, size_t *ret_size, UtmError **error)
{
	if (!config || !ret_data || !ret_size)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "configuration and outputs must not be NULL");
	return utm__plist_encode(&utm__config_schema, config->qemu, ret_data, ret_size, error);
}

const char *utm_config_get_name(const UtmConfig *config)
{
	return config ? config->qemu->information->name : NULL;
}

const char *utm_config_get_uuid(const UtmConfig *config)
{
	return config ? config->qemu->information->uuid : NULL;
}
