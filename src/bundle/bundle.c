/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmBundle: the package on disk. Only the lock keeps a file open; each call looks anew. */
#include "bundle/bundle-impl.h"

#include "base/file.h"
#include "base/util.h"
#include "schema/plist-codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void bundle_free(UtmObject *object)
{
	UtmBundle *bundle = (UtmBundle *)object;
	utm__close_fd(&bundle->lock_fd);
	g_ptr_array_unref(bundle->configs);
	g_ptr_array_unref(bundle->paths);
	pthread_mutex_destroy(&bundle->lock);
	pthread_mutex_destroy(&bundle->save_lock);
	g_free(bundle);
}

static const UtmObjectClass bundle_class = { .name = "bundle", .free = bundle_free };

static void release_config(void *config)
{
	utm_config_unref(config);
}

static UtmBundle *bundle_new(UtmContext *context, const char *path, UtmConfig *config_taken, const struct stat *stamp)
{
	UtmBundle *bundle = g_new0(UtmBundle, 1);
	utm__object_init(&bundle->object, &bundle_class, context);
	pthread_mutex_init(&bundle->lock, NULL);
	pthread_mutex_init(&bundle->save_lock, NULL);
	bundle->stamp = *stamp;
	bundle->lock_fd = -1;
	bundle->paths = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(bundle->paths, g_strdup(path));
	bundle->configs = g_ptr_array_new_with_free_func(release_config);
	g_ptr_array_add(bundle->configs, config_taken);
	return bundle;
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

static int find_config(int root, const char *root_path, UtmSpot *ret_spot, UtmError **error)
{
	g_autoptr(UtmError) problem = NULL;
	int result = utm__spot_find(root, root_path, NULL, UTM_BUNDLE_CONFIG, ret_spot, &problem);
	if (result == 0 && ret_spot->exists)
		return 0;
	if (result < 0 && result != UTM_ERROR_IMAGE_MISSING)
		return utm__fail_take(error, g_steal_pointer(&problem));
	/* Without the right to look inside there is nothing in it either. */
	struct stat info;
	if (fstatat(root, UTM_BUNDLE_CONFIG, &info, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return utm__fail_errno(error, errno, root_path, "cannot look into the package");
	UtmError *made = utm__error_new(UTM_ERROR_NOT_A_BUNDLE, "there is no " UTM_BUNDLE_CONFIG " in it");
	return utm__fail_take(error, utm__error_set_file(made, root_path));
}

/* Older versions do not store the machine's name: it is that of the package. */
static int parse_config(const GByteArray *bytes, const char *root_path, UtmConfig **ret_config, UtmError **error)
{
	UtmConfigLoadOptions options = UTM_CONFIG_LOAD_OPTIONS_INIT;
	g_autofree char *base = g_path_get_basename(root_path);
	if (g_str_has_suffix(base, UTM_BUNDLE_SUFFIX))
		base[strlen(base) - strlen(UTM_BUNDLE_SUFFIX)] = 0;
	g_autofree char *name = g_utf8_make_valid(base, -1);
	options.name = name;
	return utm_config_load_data(bytes->data, bytes->len, &options, ret_config, error);
}

int utm__read_config(int root, const char *root_path, UtmConfig **ret_config, struct stat *ret_stamp, UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	int result = find_config(root, root_path, &spot, error);
	if (result == 0)
		result = utm__spot_read(&spot, UTM_PLIST_SIZE_MAX, bytes, ret_stamp, error);
	if (result < 0)
		return result;
	result = parse_config(bytes, root_path, ret_config, error);
	if (result < 0 && error)
		*error = utm__error_at_file(*error, spot.path);
	return result;
}

static int read_checked(const char *root_path, UtmConfig **ret_config, struct stat *ret_stamp, UtmError **error)
{
	g_autoptr(UtmConfig) config = NULL;
	utm_autofd root = utm__open_root(root_path, error);
	if (root < 0)
		return root;
	int result = utm__read_config(root, root_path, &config, ret_stamp, error);
	if (result == 0)
		result = utm__check_names(root, root_path, config, error);
	if (result == 0)
		*ret_config = g_steal_pointer(&config);
	return result;
}

int utm__bundle_open_real(UtmContext *context, const char *root_path, UtmBundle **ret_bundle, UtmError **error)
{
	UtmConfig *config = NULL;
	struct stat stamp;
	int result = read_checked(root_path, &config, &stamp, error);
	if (result == 0)
		*ret_bundle = bundle_new(context, root_path, config, &stamp);
	return result;
}

int utm_bundle_open(UtmContext *ctx, const char *path, UtmBundle **ret_bundle, UtmError **error)
{
	g_autofree char *root_path = NULL;
	if (!ctx || !path || !ret_bundle)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "context, path and ret_bundle must not be NULL");
	int result = find_package(path, &root_path, error);
	return result == 0 ? utm__bundle_open_real(ctx, root_path, ret_bundle, error) : result;
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

UtmObject *utm__bundle_get_object(UtmBundle *bundle)
{
	return &bundle->object;
}

UtmContext *utm_bundle_get_context(UtmBundle *bundle)
{
	return bundle ? bundle->object.context : NULL;
}

static void *last_of(UtmBundle *bundle, GPtrArray *array)
{
	pthread_mutex_lock(&bundle->lock);
	void *last = array->pdata[array->len - 1];
	pthread_mutex_unlock(&bundle->lock);
	return last;
}

static void add_last(UtmBundle *bundle, GPtrArray *array, void *item)
{
	pthread_mutex_lock(&bundle->lock);
	g_ptr_array_add(array, item);
	pthread_mutex_unlock(&bundle->lock);
}

const char *utm_bundle_get_path(UtmBundle *bundle)
{
	return bundle ? last_of(bundle, bundle->paths) : NULL;
}

void utm__bundle_set_path(UtmBundle *bundle, char *path_taken)
{
	add_last(bundle, bundle->paths, path_taken);
}

void utm__bundle_set_config(UtmBundle *bundle, const UtmConfig *config)
{
	UtmConfig *copy = utm_config_copy(config);
	utm__config_forget_format(copy);
	add_last(bundle, bundle->configs, copy);
}

UtmConfig *utm_bundle_get_config(UtmBundle *bundle)
{
	return bundle ? last_of(bundle, bundle->configs) : NULL;
}

int utm_bundle_resolve(UtmBundle *bundle, const char *name, char **ret_path, UtmError **error)
{
	if (!bundle || !name || !ret_path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle, name and ret_path must not be NULL");
	return utm__confine(utm_bundle_get_path(bundle), UTM_BUNDLE_DATA, name, ret_path, error);
}

/* --- the configuration on disk against the one that was read --- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int check_unchanged(UtmBundle *bundle, int root, UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	const char *root_path = utm_bundle_get_path(bundle);
	int result = utm__spot_find(root, root_path, NULL, UTM_BUNDLE_CONFIG, &spot, error);
	/* That it is gone takes nothing away from anybody. */
	if (result < 0 || !spot.exists || is_same_file(&spot.info, &bundle->stamp))
		return result == UTM_ERROR_IMAGE_MISSING ? 0 : result;
	UtmError *made = utm__error_new(UTM_ERROR_BUNDLE_CHANGED, "was saved by somebody else since it was read");
	return utm__fail_take(error, utm__error_set_file(made, spot.path));
}

int utm__bundle_lock_unchanged(UtmBundle *bundle, int root, UtmError **error)
{
	pthread_mutex_lock(&bundle->save_lock);
	int result = check_unchanged(bundle, root, error);
	if (result < 0)
		pthread_mutex_unlock(&bundle->save_lock);
	return result;
}

void utm__bundle_unlock_unchanged(UtmBundle *bundle)
{
	pthread_mutex_unlock(&bundle->save_lock);
}

/* Reads again what somebody may have saved before the lock was ours. */
static int refresh(UtmBundle *bundle, UtmError **error)
{
	UtmConfig *config = NULL;
	struct stat stamp;
	int result = 0;
	const char *root_path = utm_bundle_get_path(bundle);
	pthread_mutex_lock(&bundle->save_lock);
	utm_autofd root = utm__open_root(root_path, error);
	if (root < 0)
		result = root;
	else if (check_unchanged(bundle, root, NULL) < 0)
		result = read_checked(root_path, &config, &stamp, error);
	if (config) {
		bundle->stamp = stamp;
		add_last(bundle, bundle->configs, config);
	}
	pthread_mutex_unlock(&bundle->save_lock);
	return result;
}

int utm_bundle_lock(UtmBundle *bundle, UtmError **error)
{
	if (!bundle)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no bundle");
	int result = utm__bundle_hold(bundle, error);
	if (result < 0)
		return result;
	result = refresh(bundle, error);
	if (result < 0) {
		utm__bundle_let_go(bundle);
		return result;
	}
	pthread_mutex_lock(&bundle->lock);
	bundle->public_locks++;
	pthread_mutex_unlock(&bundle->lock);
	return 0;
}

/* --- saving --- */

/* Where the configuration is written: a link stays, and what it points to changes; nothing there is no mistake. */
int utm__write_config(int root, const char *root_path, const UtmConfig *config, struct stat *ret_stamp, UtmError **error)
{
	g_autofree char *data = NULL;
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	size_t size = 0;
	int result = utm__check_names(root, root_path, config, error);
	if (result == 0)
		result = utm__spot_find(root, root_path, NULL, UTM_BUNDLE_CONFIG, &spot, error);
	if (result == 0)
		result = utm_config_to_plist(config, &data, &size, error);
	if (result == 0)
		result = utm__layout_migrate(root, root_path, config, error);
	if (result == 0)
		result = utm__write_file_at(spot.dir, spot.name, spot.path, data, size, 0600, error);
	if (result == 0 && fstatat(spot.dir, spot.name, ret_stamp, AT_SYMLINK_NOFOLLOW) < 0)
		memset(ret_stamp, 0, sizeof *ret_stamp);
	return result;
}

int utm_bundle_save_config(UtmBundle *bundle, const UtmConfig *config, UtmError **error)
{
	if (!bundle || !config)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and configuration must not be NULL");
	const char *root_path = utm_bundle_get_path(bundle);
	utm_autofd root = utm__open_root(root_path, error);
	int result = root < 0 ? root : utm__bundle_hold(bundle, error);
	if (result < 0)
		return result;
	utm_autoheld held = bundle;
	result = utm__bundle_lock_unchanged(bundle, root, error);
	if (result < 0)
		return result;
	if (!bundle->unsure)
		utm__sweep(root);
	result = utm__write_config(root, root_path, config, &bundle->stamp, error);
	if (result == 0)
		utm__bundle_set_config(bundle, config);
	utm__bundle_unlock_unchanged(bundle);
	return result;
}
