/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two pictures of a package: its icon and its last screenshot. */
#include "bundle/bundle-impl.h"

#include "base/file.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const guint8 png_magic[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };

static const struct {
	const char *name;
	const guint8 *magic;
	gsize length;
} kinds[] = {
	{ "icon.png", png_magic, sizeof png_magic },
	{ "icon.jpg", (const guint8 *)"\xff\xd8\xff", 3 },
	{ "icon.icns", (const guint8 *)"icns", 4 },
};

static bool begins_with(const void *data, gsize size, const guint8 *magic, gsize length)
{
	return size >= length && memcmp(data, magic, length) == 0;
}

/* A file that is not there is NOT_FOUND. */
static int read_picture(const UtmSpot *spot, void **ret_data, size_t *ret_size, UtmError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	if (!spot->exists)
		return utm__fail_errno(error, ENOENT, spot->path, "cannot open");
	int result = utm__spot_read(spot, UTM_BUNDLE_PICTURE_MAX, bytes, NULL, error);
	if (result == 0 && bytes->len > UTM_BUNDLE_PICTURE_MAX)
		result = utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_LIMIT, "more than %d MiB",
		                                                   UTM_BUNDLE_PICTURE_MAX >> 20), spot->path));
	if (result < 0)
		return result;
	*ret_size = bytes->len;
	*ret_data = g_byte_array_free(g_steal_pointer(&bytes), FALSE);
	return 0;
}

/* --- screenshot --- */

int utm_bundle_read_screenshot(UtmBundle *bundle, void **ret_data, size_t *ret_size, UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	if (!bundle || !ret_data || !ret_size)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle, ret_data and ret_size must not be NULL");
	const char *path = utm_bundle_get_path(bundle);
	utm_autofd root = utm__open_root(path, error);
	int result = root < 0 ? root : utm__spot_find(root, path, NULL, UTM_BUNDLE_SCREENSHOT, &spot, error);
	return result == 0 ? read_picture(&spot, ret_data, ret_size, error) : result;
}

static int put_screenshot(const UtmSpot *spot, const void *data, size_t size, UtmError **error)
{
	if (data)
		return utm__write_file_at(spot->dir, spot->name, spot->path, data, size, 0600, error);
	if (unlinkat(spot->dir, spot->name, 0) < 0 && errno != ENOENT)
		return utm__fail_errno(error, errno, spot->path, "cannot remove");
	return 0;
}

int utm_bundle_write_screenshot(UtmBundle *bundle, const void *data, size_t size_bytes, UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	if (!bundle)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no bundle");
	if (data && (!begins_with(data, size_bytes, png_magic, sizeof png_magic) || size_bytes > UTM_BUNDLE_PICTURE_MAX))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the screenshot is no PNG file of at most %d MiB",
		                 UTM_BUNDLE_PICTURE_MAX >> 20);
	int result = utm__bundle_hold(bundle, error);
	if (result < 0)
		return result;
	utm_autoheld held = bundle;
	const char *path = utm_bundle_get_path(bundle);
	utm_autofd root = utm__open_root(path, error);
	result = root < 0 ? root : utm__spot_find(root, path, NULL, UTM_BUNDLE_SCREENSHOT, &spot, error);
	if (result < 0)
		return result;
	pthread_mutex_lock(&bundle->save_lock); /* a save would take the unfinished file for one left behind */
	result = put_screenshot(&spot, data, size_bytes, error);
	pthread_mutex_unlock(&bundle->save_lock);
	return result;
}

/* --- icon --- */

static int read_custom(UtmBundle *bundle, const char *name, void **ret_data, size_t *ret_size, UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	const char *path = utm_bundle_get_path(bundle);
	utm_autofd root = utm__open_root(path, error);
	int result = root < 0 ? root : utm__spot_find_data(root, path, name, &spot, error);
	/* Older versions have it beside their files. */
	if (result == UTM_ERROR_IMAGE_MISSING || (result == 0 && !spot.exists)) {
		utm__spot_clear(&spot);
		if (error)
			g_clear_pointer(error, utm_error_unref);
		result = utm__spot_find(root, path, NULL, name, &spot, error);
	}
	return result == 0 ? read_picture(&spot, ret_data, ret_size, error) : result;
}

int utm_bundle_get_icon(UtmBundle *bundle, char **ret_builtin, void **ret_data, size_t *ret_size, UtmError **error)
{
	g_autofree char *name = NULL;
	bool custom = false;
	if (!bundle || !ret_builtin || !ret_data || !ret_size)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and outputs must not be NULL");
	UtmConfig *config = utm_bundle_get_config(bundle);
	(void)utm_config_get_bool(config, "Information.IconCustom", &custom, NULL);
	if (utm_config_get_string(config, "Information.Icon", &name, NULL) < 0)
		return utm__fail_take(error, utm__error_set_key_path(
			utm__error_new(UTM_ERROR_NOT_FOUND, "the machine has no icon"), "Information.Icon"));
	if (custom) {
		void *data = NULL;
		int result = read_custom(bundle, name, &data, ret_size, error);
		if (result < 0)
			return result;
		*ret_data = data;
		*ret_builtin = NULL;
	} else {
		*ret_builtin = g_steal_pointer(&name);
		*ret_data = NULL;
		*ret_size = 0;
	}
	return 0;
}

static const char *name_for(const void *data, size_t size)
{
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (begins_with(data, size, kinds[i].magic, kinds[i].length))
			return kinds[i].name;
	return NULL;
}

static int add_icon(UtmBundle *bundle, const char *wanted, const void *data, size_t size, char **ret_name, UtmError **error)
{
	const char *path = utm_bundle_get_path(bundle);
	utm_autofd directory = -1;
	g_autofree char *data_path = NULL;
	bool unsure;
	utm_autofd root = utm__open_root(path, error);
	int result = root < 0 ? root : utm__make_data(root, path, &directory, &data_path, error);
	if (result < 0)
		return result;
	g_autoptr(GHashTable) names = utm__referenced_names(root, path, utm_bundle_get_config(bundle), &unsure);
	return utm__import_bytes(directory, data_path, wanted, data, size, names, ret_name, error);
}

int utm_bundle_set_icon(UtmBundle *bundle, const void *data, size_t size_bytes, UtmError **error)
{
	g_autofree char *name = NULL;
	if (!bundle || !data)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and data must not be NULL");
	const char *wanted = size_bytes <= UTM_BUNDLE_PICTURE_MAX ? name_for(data, size_bytes) : NULL;
	if (!wanted)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the icon is no PNG, JPEG or icns file of at most %d MiB",
		                 UTM_BUNDLE_PICTURE_MAX >> 20);
	int result = utm__bundle_hold(bundle, error);
	if (result < 0)
		return result;
	utm_autoheld held = bundle;
	g_autoptr(UtmConfig) config = utm_config_copy(utm_bundle_get_config(bundle));
	result = add_icon(bundle, wanted, data, size_bytes, &name, error);
	if (result == 0)
		result = utm_config_set_string(config, "Information.Icon", name, error);
	if (result == 0)
		result = utm_config_set_bool(config, "Information.IconCustom", true, error);
	return result == 0 ? utm_bundle_save_config(bundle, config, error) : result;
}
