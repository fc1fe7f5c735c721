/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the formats a file is in, and from there to version 4. Property lists and JSON go the same way: a reader
 * looks into the same bytes with one type after the other.
 */
#include "config/migrate.h"

#include "base/sized-struct.h"
#include "base/util.h"
#include "schema/json-codec.h"
#include "schema/plist-codec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION_CURRENT 4
#define VERSION_LEGACY_QEMU_MAX 2
#define VERSION_LEGACY_APPLE_MAX 3
#define NAME_NEW "Virtual Machine"

/* What is being read: a property list, or JSON. */
typedef struct Input {
	const UtmPlist *plist; /* NULL: JSON */
	const char *json;
} Input;

static int decode(const Input *input, const UtmSchema *schema, guint type, guint flags, void **ret_object,
                  UtmError **error)
{
	if (input->plist)
		return utm__plist_decode(input->plist, schema, type, flags, ret_object, error);
	return utm__json_decode(schema, type, input->json, strlen(input->json), flags, ret_object, error);
}

/* --- which format --- */

static int fail_at(const char *key_path, int code, UtmError **error, const char *format, ...) G_GNUC_PRINTF(4, 5);

static int fail_at(const char *key_path, int code, UtmError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *message = g_strdup_vprintf(format, args);
	va_end(args);
	return utm__fail_take(error, utm__error_set_key_path(utm__error_new(code, "%s", message), key_path));
}

static int check_current(gint64 version, UtmError **error)
{
	if (version == VERSION_CURRENT)
		return 0;
	bool older = version < VERSION_CURRENT;
	return fail_at("ConfigurationVersion", older ? UTM_ERROR_CONFIG_TOO_OLD : UTM_ERROR_CONFIG_TOO_NEW, error,
	               "written by %s UTM: version %" G_GINT64_FORMAT ", not %d", older ? "an older" : "a newer", version,
	               VERSION_CURRENT);
}

/* Without a back end only older formats are possible: an Apple machine says what it is, anything else is QEMU's. */
static int find_legacy(const UtmConfigVersion *version, const UtmLegacyVersion *legacy, UtmConfigFormat *ret_format,
                       UtmError **error)
{
	if (legacy->version > VERSION_LEGACY_APPLE_MAX)
		return fail_at("version", UTM_ERROR_CONFIG_TOO_NEW, error,
		               "version %" G_GINT64_FORMAT ", but without Backend there are only versions up to %d",
		               legacy->version, VERSION_LEGACY_APPLE_MAX);
	if (legacy->version >= 1 && legacy->is_apple_virtualization) {
		*ret_format = UTM_CONFIG_FORMAT_LEGACY_APPLE;
		return 0;
	}
	if (legacy->is_apple_virtualization)
		return fail_at("isAppleVirtualization", UTM_ERROR_CONFIG_INVALID_BACKEND, error,
		               "an Apple machine without a version");
	if (version->configuration_version > VERSION_LEGACY_QEMU_MAX)
		return fail_at("ConfigurationVersion", UTM_ERROR_CONFIG_TOO_NEW, error,
		               "version %" G_GINT64_FORMAT ", but without Backend there are only versions up to %d",
		               version->configuration_version, VERSION_LEGACY_QEMU_MAX);
	*ret_format = UTM_CONFIG_FORMAT_LEGACY_QEMU;
	return 0;
}

typedef struct Decision {
	UtmConfigFormat format;
	gint64 version;
	guint type; /* of the root, when the format is the current one */
} Decision;

static int decide_legacy(const Input *input, const UtmConfigVersion *version, Decision *ret_decision, UtmError **error)
{
	void *legacy = NULL;
	int result = decode(input, &utm__legacy_schema, UTM_LEGACY_SCHEMA_VERSION, 0, &legacy, error);
	if (result == 0)
		result = find_legacy(version, legacy, &ret_decision->format, error);
	if (result == 0)
		ret_decision->version = ret_decision->format == UTM_CONFIG_FORMAT_LEGACY_APPLE
		                            ? ((UtmLegacyVersion *)legacy)->version
		                            : version->configuration_version;
	utm__schema_free(&utm__legacy_schema, legacy);
	return result;
}

static int decide(const Input *input, Decision *ret_decision, UtmError **error)
{
	void *object = NULL;
	int result = decode(input, &utm__config_schema, UTM_CONFIG_SCHEMA_VERSION, 0, &object, error);
	const UtmConfigVersion *version = object;
	if (result < 0)
		return result;
	bool apple = version->backend == UTM_CONFIG_BACKEND_APPLE;
	*ret_decision = (Decision){ .version = version->configuration_version,
		                        .type = apple ? UTM_CONFIG_SCHEMA_APPLE : UTM_CONFIG_SCHEMA_QEMU };
	if (version->backend == UTM_CONFIG_BACKEND_UNKNOWN)
		result = decide_legacy(input, version, ret_decision, error);
	else
		result = check_current(version->configuration_version, error);
	utm__schema_free(&utm__config_schema, object);
	return result;
}

/* --- reading --- */

static int load_legacy_qemu(const Input *input, UtmMigration *migration, void **ret_root, UtmError **error)
{
	void *old = NULL;
	int result = decode(input, &utm__legacy_schema, UTM_LEGACY_SCHEMA_QEMU, UTM_SCHEMA_KEEP_UNKNOWN | UTM_SCHEMA_LAX,
	                    &old, error);
	if (result == 0)
		*ret_root = utm__migrate_legacy_qemu(migration, old);
	utm__schema_free(&utm__legacy_schema, old);
	return result;
}

static int load_legacy_apple(const Input *input, UtmMigration *migration, void **ret_root, UtmError **error)
{
	void *old = NULL;
	UtmConfigApple *apple = NULL;
	int result = decode(input, &utm__legacy_schema, UTM_LEGACY_SCHEMA_APPLE, UTM_SCHEMA_KEEP_UNKNOWN, &old, error);
	if (result == 0)
		result = utm__migrate_legacy_apple(migration, old, &apple, error);
	if (result == 0)
		*ret_root = apple;
	utm__schema_free(&utm__legacy_schema, old);
	return result;
}

static int load_root(const Input *input, const Decision *decision, UtmMigration *migration, void **ret_root,
                     UtmError **error)
{
	switch (decision->format) {
	case UTM_CONFIG_FORMAT_LEGACY_QEMU:
		return load_legacy_qemu(input, migration, ret_root, error);
	case UTM_CONFIG_FORMAT_LEGACY_APPLE:
		return load_legacy_apple(input, migration, ret_root, error);
	default:
		/* JSON is what utm_config_to_json() told of whatever there was; files are what UTM reads, or not. */
		return decode(input, &utm__config_schema, decision->type,
		              UTM_SCHEMA_KEEP_UNKNOWN | (input->json ? UTM_SCHEMA_UNFINISHED : 0), ret_root, error);
	}
}

static int load(const Input *input, const UtmConfigLoadOptions *options, UtmConfig **ret_config, UtmError **error)
{
	g_autoptr(GPtrArray) notes = utm__migration_notes_new();
	UtmMigration migration = {
		.name = options->name ? options->name : NAME_NEW,
		.host_architecture = options->host_architecture ? options->host_architecture : HOST_ARCHITECTURE,
		.exact = options->flags & UTM_CONFIG_LOAD_UTM_EXACT,
		.notes = notes,
	};
	Decision decision;
	void *root = NULL;
	int result = decide(input, &decision, error);
	if (result == 0)
		result = load_root(input, &decision, &migration, &root, error);
	if (result == 0)
		*ret_config = utm__config_new_taking(root, decision.format, decision.version,
		                                     notes->len ? g_steal_pointer(&notes) : NULL);
	return result;
}

static int take_options(const UtmConfigLoadOptions *options, UtmConfigLoadOptions *ret, UtmError **error)
{
	*ret = (UtmConfigLoadOptions)UTM_CONFIG_LOAD_OPTIONS_INIT;
	int result = utm__sized_copy(ret, sizeof *ret, sizeof *ret, options, "UtmConfigLoadOptions", error);
	if (result == 0 && (ret->flags & ~(uint32_t)UTM_CONFIG_LOAD_UTM_EXACT))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "unknown flags: 0x%x", ret->flags);
	if (result == 0 && ret->name && !g_utf8_validate(ret->name, -1, NULL))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the name is not valid UTF-8");
	return result;
}

/* --- entries --- */

static int load_data(const void *data, size_t size_bytes, const UtmConfigLoadOptions *options, UtmConfig **ret_config,
                     UtmError **error)
{
	g_autoptr(UtmPlist) plist = NULL;
	int result = utm__plist_parse(data ? data : "", size_bytes, &plist, error);
	const Input input = { .plist = plist };
	return result < 0 ? result : load(&input, options, ret_config, error);
}

int utm_config_load_data(const void *data, size_t size_bytes, const UtmConfigLoadOptions *options,
                         UtmConfig **ret_config, UtmError **error)
{
	UtmConfigLoadOptions taken;
	if (!ret_config || (!data && size_bytes))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "data and ret_config must not be NULL");
	int result = take_options(options, &taken, error);
	return result < 0 ? result : load_data(data, size_bytes, &taken, ret_config, error);
}

int utm_config_load_json(const char *json, const UtmConfigLoadOptions *options, UtmConfig **ret_config,
                         UtmError **error)
{
	UtmConfigLoadOptions taken;
	if (!json || !ret_config)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "json and ret_config must not be NULL");
	const Input input = { .json = json };
	int result = take_options(options, &taken, error);
	return result < 0 ? result : load(&input, &taken, ret_config, error);
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

/* The name that a package gives its machine: that of the directory, when it is one. */
static char *dup_package_name(const char *path)
{
	g_autofree char *absolute = g_canonicalize_filename(path, NULL);
	g_autofree char *directory = g_path_get_dirname(absolute);
	g_autofree char *base = g_path_get_basename(directory);
	if (!g_str_has_suffix(base, ".utm") || strlen(base) == strlen(".utm"))
		return NULL;
	base[strlen(base) - strlen(".utm")] = 0;
	return g_utf8_make_valid(base, -1);
}

int utm_config_load_file(const char *path, const UtmConfigLoadOptions *options, UtmConfig **ret_config,
                         UtmError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	UtmConfigLoadOptions taken;
	if (!path || !ret_config)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "path and ret_config must not be NULL");
	int result = take_options(options, &taken, error);
	if (result == 0)
		result = read_file(path, bytes, error);
	if (result < 0)
		return result;
	g_autofree char *name = dup_package_name(path);
	taken.name = taken.name ? taken.name : name;
	result = load_data(bytes->data, bytes->len, &taken, ret_config, error);
	if (result < 0 && error)
		*error = utm__error_at_file(*error, path);
	return result;
}

int utm_config_new_from_data(const void *data, size_t size_bytes, UtmConfig **ret_config, UtmError **error)
{
	return utm_config_load_data(data, size_bytes, NULL, ret_config, error);
}

int utm_config_new_from_file(const char *path, UtmConfig **ret_config, UtmError **error)
{
	return utm_config_load_file(path, NULL, ret_config, error);
}
