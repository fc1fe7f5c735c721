/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON to configuration, and edits by key path. The input is a key path, a line feed and a text; all of it is also
 * tried as a configuration of any version and back end. Edits must leave a configuration that can be written, or leave it alone.
 */
#include "config/config-private.h"
#include "schema/json-codec.h"
#include "schema/plist-codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SCHEMA (&utm__config_schema)

static void check_whole(guint type, const char *text, gsize size, guint flags)
{
	void *object = NULL, *again = NULL;
	g_autofree char *first = NULL;
	g_autofree char *second = NULL;
	if (utm__json_decode(SCHEMA, type, text, size, flags, &object, NULL) < 0)
		return;
	if (utm__json_encode(SCHEMA, object, 0, false, &first, NULL) < 0)
		abort();
	if (utm__json_decode(SCHEMA, type, first, strlen(first), flags, &again, NULL) < 0)
		abort();
	if (utm__json_encode(SCHEMA, again, 0, false, &second, NULL) < 0 || strcmp(first, second) != 0)
		abort();
	utm__schema_free(SCHEMA, object);
	utm__schema_free(SCHEMA, again);
}

static const char *const bases[] = {
	[UTM_BACKEND_QEMU] =
		"{'Information':{},'System':{},'QEMU':{},'Input':{},'Sharing':{},'Display':[{}],"
		"'Drive':[{'ImageName':'a'},{}],'Network':[{'PortForward':[{}]}],'Serial':[{}],'Sound':[{}]}",
	[UTM_BACKEND_APPLE] =
		"{'Information':{},'System':{'Boot':{'OperatingSystem':'macOS'},'MacPlatform':{'HardwareModel':{'$data':'YQ=='},"
		"'MachineIdentifier':{'$data':''}}},'Virtualization':{},'Display':[{}],'Drive':[{'ImageName':'a'},{}],"
		"'Network':[{}],'Serial':[{}]}",
};
static const guint types[] = {
	[UTM_BACKEND_QEMU] = UTM_CONFIG_SCHEMA_QEMU,
	[UTM_BACKEND_APPLE] = UTM_CONFIG_SCHEMA_APPLE,
};

static UtmConfig *make_base(UtmBackend backend)
{
	const char *json = bases[backend];
	void *object = NULL;
	g_autofree char *plist = NULL;
	gsize size;
	UtmConfig *config = NULL;
	if (utm__json_decode(SCHEMA, types[backend], json, strlen(json), UTM_SCHEMA_COMPLETE, &object, NULL) < 0 ||
	    utm__plist_encode(SCHEMA, object, &plist, &size, NULL) < 0 ||
	    utm_config_new_from_data(plist, size, &config, NULL) < 0)
		abort();
	utm__schema_free(SCHEMA, object);
	return config;
}

static UtmConfig *base_config(UtmBackend backend)
{
	static UtmConfig *base[UTM_BACKEND_APPLE + 1];
	if (!base[backend])
		base[backend] = make_base(backend);
	return utm_config_copy(base[backend]);
}

/* A text that no file can say is refused when it is written; nothing else may be. */
static void check_writable(const UtmConfig *config)
{
	g_autofree char *text = NULL;
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmConfig) again = NULL;
	size_t size;
	if (utm_config_to_plist(config, &text, &size, &error) < 0) {
		if (!strstr(utm_error_get_message(error), "$null"))
			abort();
		return;
	}
	if (utm_config_new_from_data(text, size, &again, NULL) < 0)
		abort();
}

typedef int (*EditFunc)(UtmConfig *config, const char *path, const char *text);

static int set_text(UtmConfig *config, const char *path, const char *text)
{
	return utm_config_set_text(config, path, text, NULL);
}

static int set_string(UtmConfig *config, const char *path, const char *text)
{
	return utm_config_set_string(config, path, text, NULL);
}

static int insert(UtmConfig *config, const char *path, const char *text)
{
	return utm_config_insert(config, path, -1, text, NULL);
}

static int remove_value(UtmConfig *config, const char *path, const char *text)
{
	return utm_config_remove(config, path, NULL);
}

static void check_edit(UtmBackend backend, EditFunc edit, const char *path, const char *text)
{
	g_autoptr(UtmConfig) config = base_config(backend);
	g_autoptr(UtmConfig) original = utm_config_copy(config);
	if (edit(config, path, text) < 0 && !utm_config_equal(config, original))
		abort();
	check_writable(config);
}

/* By the way that programs take, which finds out by itself what it is. */
static void check_load(const char *text)
{
	g_autoptr(UtmConfig) config = NULL;
	if (utm_config_load_json(text, NULL, &config, NULL) == 0)
		check_writable(config);
}

static void check_backend(UtmBackend backend, const char *data, size_t size, const char *path, const char *text)
{
	check_whole(types[backend], data, size, UTM_SCHEMA_KEEP_UNKNOWN);
	check_whole(types[backend], data, size, UTM_SCHEMA_REFUSE_UNKNOWN | UTM_SCHEMA_STRICT | UTM_SCHEMA_COMPLETE);
	if (!text)
		return;
	check_edit(backend, set_text, path, text);
	check_edit(backend, set_string, path, text);
	check_edit(backend, insert, path, text);
	check_edit(backend, remove_value, path, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *all = g_strndup((const char *)data, size);
	char *text = strchr(all, '\n');
	check_load(all);
	if (text)
		*text++ = 0;
	check_backend(UTM_BACKEND_QEMU, (const char *)data, size, all, text);
	check_backend(UTM_BACKEND_APPLE, (const char *)data, size, all, text);
	return 0;
}
