/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages of versions before 4 have their files in `Images`, and a custom icon and the log beside it. The first save moves
 * them to where version 4 has them, by renaming alone: whoever is interrupted leaves a package that reads, since reading
 * looks in both places, and the next save goes on.
 */
#include "bundle/bundle-impl.h"

#include "base/file.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool is_legacy(const UtmConfig *config)
{
	return utm_config_get_format(config, NULL) == UTM_CONFIG_FORMAT_LEGACY_QEMU;
}

static bool is_kind(int directory, const char *name, mode_t kind)
{
	struct stat info;
	return fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && (info.st_mode & S_IFMT) == kind;
}

static bool is_there(int directory, const char *name)
{
	struct stat info;
	return fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

/* An unknown directory that happens to have the name stays where it is. */
static bool has_images(int root, const UtmConfig *config)
{
	utm_autofd images = utm__open_directory(root, UTM_BUNDLE_IMAGES);
	size_t count = 0;
	(void)utm_config_get_count(config, "Drive", &count, NULL);
	for (size_t i = 0; images >= 0 && i < count; i++) {
		g_autofree char *key_path = g_strdup_printf("Drive[%zu].ImageName", i);
		g_autofree char *name = NULL;
		if (utm_config_get_string(config, key_path, &name, NULL) == 0 && is_kind(images, name, S_IFREG))
			return true;
	}
	return false;
}

bool utm__layout_is_old(int root, const UtmConfig *config)
{
	if (!is_kind(root, UTM_BUNDLE_IMAGES, S_IFDIR))
		return false;
	return is_legacy(config) || (!is_there(root, UTM_BUNDLE_DATA) && has_images(root, config));
}

static int move_images(int root, const char *root_path, UtmError **error)
{
	/* Only an empty directory goes; another stays, and then the files cannot be moved. */
	int failed = is_there(root, UTM_BUNDLE_DATA) && unlinkat(root, UTM_BUNDLE_DATA, AT_REMOVEDIR) < 0 ? EEXIST : 0;
	if (!failed)
		failed = utm__rename_new(root, UTM_BUNDLE_IMAGES, root, UTM_BUNDLE_DATA);
	if (failed && failed != EEXIST)
		return utm__fail_errno(error, failed, root_path, "cannot rename " UTM_BUNDLE_IMAGES " to " UTM_BUNDLE_DATA);
	if (!failed) {
		utm__sync_directory(root);
		return 0;
	}
	UtmError *made = utm__error_new(UTM_ERROR_BUNDLE_MIGRATION, "has both " UTM_BUNDLE_IMAGES " and " UTM_BUNDLE_DATA);
	return utm__fail_take(error, utm__error_set_file(made, root_path));
}

/* Names of the package's own files are no icons, whatever a configuration says. */
static bool is_own_name(const char *name)
{
	static const char *const names[] = { UTM_BUNDLE_CONFIG, UTM_BUNDLE_SCREENSHOT, UTM_BUNDLE_VIEW };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_ascii_strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/* From the package's own directory into Data, unless there is one already. */
static int move_file(int root, const char *root_path, const char *name, UtmError **error)
{
	if (strchr(name, '/') || is_own_name(name) || !is_kind(root, name, S_IFREG))
		return 0;
	utm_autofd data = -1;
	g_autofree char *data_path = NULL;
	int result = utm__make_data(root, root_path, &data, &data_path, error);
	if (result < 0 || is_there(data, name))
		return result;
	int failed = utm__rename_new(root, name, data, name);
	utm__sync_directory(data);
	utm__sync_directory(root);
	g_autofree char *path = g_build_filename(root_path, name, NULL);
	return failed ? utm__fail_errno(error, failed, path, "cannot move it into " UTM_BUNDLE_DATA) : 0;
}

int utm__layout_migrate(int root, const char *root_path, const UtmConfig *config, UtmError **error)
{
	g_autofree char *icon = NULL;
	bool custom = false;
	bool was_old = utm__layout_is_old(root, config);
	int result = was_old ? move_images(root, root_path, error) : 0;
	if (result == 0 && utm_config_get_bool(config, "Information.IconCustom", &custom, NULL) == 0 && custom &&
	    utm_config_get_string(config, "Information.Icon", &icon, NULL) == 0)
		result = move_file(root, root_path, icon, error);
	/* A log is not worth failing for. */
	if (result == 0 && (was_old || is_legacy(config)))
		(void)move_file(root, root_path, UTM_BUNDLE_DEBUG_LOG, NULL);
	return result;
}
