/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmBundle: the package on disk. It keeps no file open; each call looks anew. */
#include "bundle/bundle-private.h"

#include "base/util.h"
#include "core/object.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct UtmBundle {
	UtmObject object;
	char *path; /* real, absolute */
	pthread_mutex_t lock;
	/* The last one is current. Those before it stay as long as the bundle, because callers hold borrowed pointers. */
	GPtrArray *configs;
};

static void bundle_free(UtmObject *object)
{
	UtmBundle *bundle = (UtmBundle *)object;
	g_ptr_array_unref(bundle->configs);
	pthread_mutex_destroy(&bundle->lock);
	g_free(bundle->path);
	g_free(bundle);
}

static const UtmObjectClass bundle_class = { .name = "bundle", .free = bundle_free };

static void release_config(void *config)
{
	utm_config_unref(config);
}

static UtmBundle *bundle_new(UtmContext *context, const char *path, UtmConfig *config_taken)
{
	UtmBundle *bundle = g_new0(UtmBundle, 1);
	utm__object_init(&bundle->object, &bundle_class, context);
	bundle->path = g_strdup(path);
	pthread_mutex_init(&bundle->lock, NULL);
	bundle->configs = g_ptr_array_new_with_free_func(release_config);
	g_ptr_array_add(bundle->configs, config_taken);
	return bundle;
}

/* --- names in the configuration --- */

typedef int (*NameFunc)(const char *root, const char *name, UtmError **error);

/* Puts the place where the name stands into the error of a name. */
static int at_key(int result, const char *key_path, UtmError **error)
{
	if (result < 0 && error)
		utm__error_set_key_path(*error, key_path);
	return result;
}

static int check_key(const char *root, const UtmConfig *config, const char *key_path, NameFunc check, UtmError **error)
{
	g_autofree char *name = NULL;
	if (utm_config_get_string(config, key_path, &name, NULL) < 0)
		return 0; /* absent: no file */
	return at_key(check(root, name, error), key_path, error);
}

static int check_drives(const char *root, const UtmConfig *config, NameFunc check, UtmError **error)
{
	size_t count = 0;
	int result = utm_config_get_count(config, "Drive", &count, error);
	for (size_t i = 0; result == 0 && i < count; i++) {
		g_autofree char *key_path = g_strdup_printf("Drive[%zu].ImageName", i);
		result = check_key(root, config, key_path, check, error);
	}
	return result;
}

/* A name that stays inside, whether or not the file is there. */
static int check_confined(const char *root, const char *name, UtmError **error)
{
	g_autofree char *path = NULL;
	int result = utm__confine(root, UTM_BUNDLE_DATA, name, &path, error);
	if (result != UTM_ERROR_IMAGE_MISSING)
		return result;
	if (error)
		g_clear_pointer(error, utm_error_unref);
	return 0;
}

/* Files that have fixed names may be links as well as any other. */
static int check_fixed_names(const char *root, UtmError **error)
{
	static const struct {
		const char *name;
		const char *key_path;
	} fixed[] = {
		{ UTM_BUNDLE_EFI_VARS, "QEMU.UEFIBoot" },
		{ UTM_BUNDLE_TPM_DATA, "QEMU.TPMDevice" },
		{ UTM_BUNDLE_DEBUG_LOG, "QEMU.DebugLog" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++) {
		int result = at_key(check_confined(root, fixed[i].name, error), fixed[i].key_path, error);
		if (result < 0)
			return result;
	}
	return 0;
}

/* Information.Icon is the name of a file only when IconCustom says so; otherwise it never becomes a path. */
static int check_icon(const char *root, const UtmConfig *config, UtmError **error)
{
	bool custom = false;
	int result = utm_config_get_bool(config, "Information.IconCustom", &custom, error);
	return result < 0 || !custom ? result : check_key(root, config, "Information.Icon", check_confined, error);
}

static int check_names(const char *root, const UtmConfig *config, UtmError **error)
{
	int result = check_drives(root, config, check_confined, error);
	if (result == 0)
		result = check_icon(root, config, error);
	return result == 0 ? check_fixed_names(root, error) : result;
}

static int check_present(const char *root, const char *name, UtmError **error)
{
	struct stat info;
	g_autofree char *path = NULL;
	int result = utm__confine(root, UTM_BUNDLE_DATA, name, &path, error);
	if (result < 0)
		return result;
	if (lstat(path, &info) == 0 && S_ISREG(info.st_mode))
		return 0;
	UtmError *made = utm__error_new(UTM_ERROR_IMAGE_MISSING, "\"%.255s\" is not a regular file", name);
	return utm__fail_take(error, utm__error_set_file(made, path));
}

/* Files of the oldest packages are still in Images. */
static int check_format(const UtmBundle *bundle, const UtmConfig *config, int code, const char *message, UtmError **error)
{
	if (utm_config_get_format(config, NULL) != UTM_CONFIG_FORMAT_LEGACY_QEMU)
		return 0;
	return utm__fail_take(error, utm__error_set_file(utm__error_new(code, "%s", message), bundle->path));
}

int utm__bundle_check_images(UtmBundle *bundle, const UtmConfig *config, UtmError **error)
{
	int result = check_format(bundle, config, UTM_ERROR_INVALID_STATE,
	                          "the package is as UTM 1 to 3 had it; it must be saved before it can run", error);
	if (result < 0)
		return result;
	result = check_drives(bundle->path, config, check_present, error);
	return result == 0 ? check_names(bundle->path, config, error) : result;
}

/* --- opening --- */

static int find_package(const char *path, char **ret_root, UtmError **error)
{
	struct stat info;
	char *real = realpath(path, NULL);
	if (!real)
		return utm__fail_errno(error, errno, path, "cannot open the package");
	*ret_root = g_strdup(real);
	free(real);
	if (stat(*ret_root, &info) == 0 && S_ISDIR(info.st_mode))
		return 0;
	UtmError *made = utm__error_new(UTM_ERROR_NOT_A_BUNDLE, "is not a directory");
	return utm__fail_take(error, utm__error_set_file(made, path));
}

static int find_config(const char *root, char **ret_file, UtmError **error)
{
	int result = utm__confine(root, NULL, UTM_BUNDLE_CONFIG, ret_file, error);
	if (result != UTM_ERROR_IMAGE_MISSING)
		return result;
	if (error)
		g_clear_pointer(error, utm_error_unref);
	UtmError *made = utm__error_new(UTM_ERROR_NOT_A_BUNDLE, "there is no " UTM_BUNDLE_CONFIG " in it");
	return utm__fail_take(error, utm__error_set_file(made, root));
}

int utm_bundle_open(UtmContext *ctx, const char *path, UtmBundle **ret_bundle, UtmError **error)
{
	g_autofree char *root = NULL;
	g_autofree char *file = NULL;
	UtmConfig *config = NULL;
	if (!ctx || !path || !ret_bundle)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "context, path and ret_bundle must not be NULL");
	int result = find_package(path, &root, error);
	if (result == 0)
		result = find_config(root, &file, error);
	if (result == 0)
		result = utm_config_new_from_file(file, &config, error);
	if (result == 0 && (result = check_names(root, config, error)) < 0)
		utm_config_unref(config);
	if (result == 0)
		*ret_bundle = bundle_new(ctx, root, config);
	return result;
}

/* --- handle --- */

UtmBundle *utm_bundle_ref(UtmBundle *bundle)
{
	if (bundle)
		utm__object_ref(&bundle->object);
	return bundle;
}

void utm_bundle_unref(UtmBundle *bundle)
{
	if (bundle)
		utm__object_unref(&bundle->object);
}

UtmContext *utm_bundle_get_context(UtmBundle *bundle)
{
	return bundle ? bundle->object.context : NULL;
}

const char *utm_bundle_get_path(UtmBundle *bundle)
{
	return bundle ? bundle->path : NULL;
}

UtmConfig *utm_bundle_get_config(UtmBundle *bundle)
{
	if (!bundle)
		return NULL;
	pthread_mutex_lock(&bundle->lock);
	UtmConfig *config = bundle->configs->pdata[bundle->configs->len - 1];
	pthread_mutex_unlock(&bundle->lock);
	return config;
}

int utm_bundle_resolve(UtmBundle *bundle, const char *name, char **ret_path, UtmError **error)
{
	if (!bundle || !name || !ret_path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle, name and ret_path must not be NULL");
	return utm__confine(bundle->path, UTM_BUNDLE_DATA, name, ret_path, error);
}

/* Where the configuration is written: a link stays, and what it points to changes; nothing there is no mistake. */
static int find_target(const char *root, char **ret_file, UtmError **error)
{
	g_autoptr(UtmError) problem = NULL;
	int result = utm__confine(root, NULL, UTM_BUNDLE_CONFIG, ret_file, &problem);
	if (result != UTM_ERROR_IMAGE_MISSING)
		return result < 0 ? utm__fail_take(error, g_steal_pointer(&problem)) : 0;
	*ret_file = g_build_filename(root, UTM_BUNDLE_CONFIG, NULL);
	return 0;
}

int utm_bundle_save_config(UtmBundle *bundle, const UtmConfig *config, UtmError **error)
{
	g_autofree char *data = NULL;
	size_t size = 0;
	if (!bundle || !config)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and configuration must not be NULL");
	g_autofree char *file = NULL;
	int result = check_format(bundle, config, UTM_ERROR_NOT_SUPPORTED,
	                          "packages of UTM 1 to 3 cannot be saved yet: their files would have to move", error);
	if (result == 0)
		result = check_names(bundle->path, config, error);
	if (result == 0)
		result = find_target(bundle->path, &file, error);
	if (result == 0)
		result = utm_config_to_plist(config, &data, &size, error);
	if (result == 0)
		result = utm__write_file_atomic(file, data, size, 0600, error);
	if (result < 0)
		return result;
	pthread_mutex_lock(&bundle->lock);
	g_ptr_array_add(bundle->configs, utm_config_copy(config));
	pthread_mutex_unlock(&bundle->lock);
	return 0;
}
