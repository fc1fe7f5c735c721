/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON to configuration, and edits by key path. The input is a key path, a line feed and a text; all of it is also
 * tried as a configuration. Edits must leave a configuration that can be written, or leave it alone.
 */
#include "config/config-private.h"
#include "schema/json-codec.h"
#include "schema/plist-codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SCHEMA (&utm__config_schema)

static void check_whole(const char *text, gsize size, guint flags)
{
	void *object = NULL, *again = NULL;
	g_autofree char *first = NULL;
	g_autofree char *second = NULL;
	if (utm__json_decode(SCHEMA, UTM_CONFIG_SCHEMA_QEMU, text, size, flags, &object, NULL) < 0)
		return;
	if (utm__json_encode(SCHEMA, object, 0, false, &first, NULL) < 0)
		abort();
	if (utm__json_decode(SCHEMA, UTM_CONFIG_SCHEMA_QEMU, first, strlen(first), flags, &again, NULL) < 0)
		abort();
	if (utm__json_encode(SCHEMA, again, 0, false, &second, NULL) < 0 || strcmp(first, second) != 0)
		abort();
	utm__schema_free(SCHEMA, object);
	utm__schema_free(SCHEMA, again);
}

static UtmConfig *make_base(void)
{
	static const char json[] =
		"{'Information':{},'System':{},'QEMU':{},'Input':{},'Sharing':{},'Display':[{}],"
		"'Drive':[{'ImageName':'a'},{}],'Network':[{'PortForward':[{}]}],'Serial':[{}],'Sound':[{}]}";
	void *object = NULL;
	g_autofree char *plist = NULL;
	gsize size;
	UtmConfig *config = NULL;
	if (utm__json_decode(SCHEMA, UTM_CONFIG_SCHEMA_QEMU, json, strlen(json), UTM_SCHEMA_COMPLETE, &object, NULL) < 0 ||
	    utm__plist_encode(SCHEMA, object, &plist, &size, NULL) < 0 ||
	    utm_config_new_from_data(plist, size, &config, NULL) < 0)
		abort();
	utm__schema_free(SCHEMA, object);
	return config;
}

static UtmConfig *base_config(void)
{
	static UtmConfig *base;
	if (!base)
		base = make_base();
	return utm_config_copy(base);
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

static void check_edit(EditFunc edit, const char *path, const char *text)
{
	g_autoptr(UtmConfig) config = base_config();
	g_autoptr(UtmConfig) original = utm_config_copy(config);
	if (edit(config, path, text) < 0 && !utm_config_equal(config, original))
		abort();
	check_writable(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *all = g_strndup((const char *)data, size);
	char *text = strchr(all, '\n');
	check_whole((const char *)data, size, UTM_SCHEMA_KEEP_UNKNOWN);
	check_whole((const char *)data, size, UTM_SCHEMA_REFUSE_UNKNOWN | UTM_SCHEMA_STRICT | UTM_SCHEMA_COMPLETE);
	if (!text)
		return 0;
	*text++ = 0;
	check_edit(set_text, all, text);
	check_edit(set_string, all, text);
	check_edit(insert, all, text);
	check_edit(remove_value, all, text);
	return 0;
}
