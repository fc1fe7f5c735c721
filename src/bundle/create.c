/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole packages: new ones, copies, other names. A package is made under a temporary name beside its place, flushed, and
 * renamed there when it is complete, which never replaces anything. What a killed process leaves is a directory with such
 * a name; a package in the making is locked, so whoever makes the next one there can tell, and clears it away.
 */
#include "bundle/bundle-impl.h"

#include "base/file.h"
#include "base/sized-struct.h"
#include "base/util.h"
#include "core/context-private.h"
#include "core/progress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define NAMES_TRIED 100

/* A package in the making. */
typedef struct Draft {
	int parent;      /* the directory it will be in */
	int root;        /* the new package, locked where the file system can */
	char *path;      /* where it will be, real and absolute */
	const char *name; /* the last component of that */
	char temporary[UTM_TEMPORARY_NAME_SIZE]; /* empty once it is in place */
} Draft;

#define DRAFT_INIT { .parent = -1, .root = -1 }

static void draft_clear(Draft *draft)
{
	if (draft->parent >= 0 && *draft->temporary)
		utm__remove_tree(draft->parent, draft->temporary);
	utm__unlock_directory(&draft->root);
	utm__close_fd(&draft->parent);
	g_free(draft->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Draft, draft_clear)

/* --- the place --- */

static int fail_exists(const char *path, UtmError **error)
{
	return utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_BUNDLE_EXISTS, "is there already"), path));
}

static int check_package_name(const char *name, UtmError **error)
{
	if (!g_str_has_suffix(name, UTM_BUNDLE_SUFFIX) || strlen(name) == strlen(UTM_BUNDLE_SUFFIX))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the name of a package ends with " UTM_BUNDLE_SUFFIX);
	return strlen(name) > NAME_MAX ? utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the name is too long") : 0;
}

static int find_place(Draft *draft, const char *path, UtmError **error)
{
	struct stat info;
	g_autofree char *above = g_path_get_dirname(path);
	g_autofree char *name = g_path_get_basename(path);
	g_autofree char *without_slashes = g_strdup(path);
	for (gsize length = strlen(path); length > 1 && without_slashes[length - 1] == '/'; length--) {
		without_slashes[length - 1] = 0;
		g_free(above);
		above = g_path_get_dirname(without_slashes);
	}
	int result = check_package_name(name, error);
	if (result < 0)
		return result;
	char *real = realpath(above, NULL);
	if (!real)
		return utm__fail_errno(error, errno, above, "cannot open the directory");
	draft->path = g_build_filename(real, name, NULL);
	draft->name = strrchr(draft->path, '/') + 1;
	draft->parent = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(real);
	if (draft->parent < 0)
		return utm__fail_errno(error, errno, above, "cannot open the directory");
	return fstatat(draft->parent, draft->name, &info, AT_SYMLINK_NOFOLLOW) == 0 ? fail_exists(draft->path, error) : 0;
}

static void clear_if_left(int parent, const char *name)
{
	struct stat info;
	utm_autofd fd = utm__open_directory(parent, name);
	if (fd >= 0 && fstat(fd, &info) == 0 && info.st_uid == geteuid() && utm__lock_directory(fd, name, NULL) == 0)
		utm__remove_tree(parent, name);
}

static void clear_what_is_left(int parent)
{
	int fd = utm__open_directory(parent, ".");
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	if (!stream)
		utm__close_fd(&fd);
	while (stream && (entry = readdir(stream)))
		if (utm__is_temporary_name(entry->d_name))
			clear_if_left(parent, entry->d_name);
	if (stream)
		closedir(stream);
}

/* Between making and locking it, somebody may have taken it for one that was left behind: then another one. */
static bool lock_draft(Draft *draft)
{
	struct stat info;
	draft->root = utm__open_directory(draft->parent, draft->temporary);
	bool taken = draft->root < 0 || utm__lock_directory(draft->root, draft->temporary, NULL) == UTM_ERROR_BUNDLE_LOCKED;
	if (!taken && fstat(draft->root, &info) == 0 && info.st_nlink > 0)
		return true;
	utm__unlock_directory(&draft->root);
	return false;
}

static int begin(Draft *draft, UtmError **error)
{
	clear_what_is_left(draft->parent);
	int failed = EEXIST;
	for (int i = 0; i < NAMES_TRIED && draft->root < 0; i++) {
		utm__make_temporary_name(draft->temporary);
		failed = mkdirat(draft->parent, draft->temporary, 0700) < 0 ? errno : 0;
		if (failed && failed != EEXIST)
			break;
		if (failed || !lock_draft(draft))
			*draft->temporary = 0;
	}
	if (draft->root >= 0)
		return 0;
	*draft->temporary = 0;
	return utm__fail_errno(error, failed ? failed : EBUSY, draft->path, "cannot create");
}

static int put_in_place(Draft *draft, UtmError **error)
{
	utm__sync_directory(draft->root);
	int failed = utm__rename_new(draft->parent, draft->temporary, draft->parent, draft->name);
	if (failed)
		return failed == EEXIST ? fail_exists(draft->path, error)
		                        : utm__fail_errno(error, failed, draft->path, "cannot create");
	*draft->temporary = 0;
	utm__sync_directory(draft->parent);
	return 0;
}

/* --- new --- */

static int import_all(const Draft *draft, const UtmBundleCreateOptions *options, int data, UtmError **error)
{
	g_autofree char *data_path = g_build_filename(draft->path, UTM_BUNDLE_DATA, NULL);
	UtmCopy copy = { .cancel = options->cancel, .progress = options->progress };
	int result = 0;
	for (size_t i = 0; i < options->file_count && result == 0; i++) {
		const UtmBundleSource *file = &options->files[i];
		g_autofree char *base = g_path_get_basename(file->source);
		g_autofree char *name = NULL;
		result = utm__import(&copy, data, data_path, file->source, file->name ? file->name : base, true, NULL, &name, error);
	}
	return result;
}

static int fill_new(const Draft *draft, const UtmConfig *config, const UtmBundleCreateOptions *options, UtmError **error)
{
	struct stat stamp;
	utm_autofd data = -1;
	g_autofree char *data_path = NULL;
	int result = utm__make_data(draft->root, draft->path, &data, &data_path, error);
	if (result == 0)
		result = import_all(draft, options, data, error);
	return result == 0 ? utm__write_config(draft->root, draft->path, config, &stamp, error) : result;
}

static int check_files(const UtmBundleCreateOptions *options, UtmError **error)
{
	if (options->file_count && !options->files)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "UtmBundleCreateOptions.files must not be NULL");
	for (size_t i = 0; i < options->file_count; i++) {
		UtmBundleImportOptions import = UTM_BUNDLE_IMPORT_OPTIONS_INIT;
		import.name = options->files[i].name;
		import.flags = UTM_BUNDLE_IMPORT_EXACT_NAME;
		if (!options->files[i].source)
			return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "UtmBundleCreateOptions.files[%zu] has no source", i);
		int result = utm__check_import(&import, options->files[i].source, error);
		if (result < 0)
			return result;
	}
	return 0;
}

int utm__check_create(UtmBundleCreateOptions *checked, const UtmBundleCreateOptions *options, UtmError **error)
{
	int result = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmBundleCreateOptions", error);
	return result == 0 ? check_files(checked, error) : result;
}

int utm__bundle_make(const char *path, const UtmConfig *config, const UtmBundleCreateOptions *options, char **ret_path,
                     UtmError **error)
{
	g_auto(Draft) draft = DRAFT_INIT;
	int result = find_place(&draft, path, error);
	if (result == 0)
		result = begin(&draft, error);
	if (result == 0)
		result = fill_new(&draft, config, options, error);
	if (result == 0)
		result = put_in_place(&draft, error);
	if (result == 0)
		*ret_path = g_steal_pointer(&draft.path);
	return result;
}

int utm_bundle_create(UtmContext *ctx, const char *path, const UtmConfig *config, const UtmBundleCreateOptions *options,
                      UtmBundle **ret_bundle, UtmError **error)
{
	UtmBundleCreateOptions checked = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	g_autofree char *made = NULL;
	if (!ctx || !path || !config || !ret_bundle)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "context, path, configuration and ret_bundle must not be NULL");
	int result = utm__check_create(&checked, options, error);
	if (result == 0)
		result = utm__context_check_blocking(ctx, error);
	if (result == 0)
		result = utm__bundle_make(path, config, &checked, &made, error);
	return result == 0 ? utm__bundle_open_real(ctx, made, ret_bundle, error) : result;
}

/* --- copies --- */

/* Locally administered, for one station, as UTM makes them. */
static char *new_mac(void)
{
	guint8 b[6];
	if (getrandom(b, sizeof b, 0) != sizeof b)
		for (gsize i = 0; i < sizeof b; i++)
			b[i] = (guint8)g_random_int();
	b[0] = (b[0] & 0xfc) | 2;
	return g_strdup_printf("%02X:%02X:%02X:%02X:%02X:%02X", b[0], b[1], b[2], b[3], b[4], b[5]);
}

/* Only machines of QEMU: what else identifies one of Apple's is not known here. */
static int renew_macs(UtmConfig *config, UtmError **error)
{
	size_t count = 0;
	bool is_qemu = false;
	int result = 0;
	if (utm_config_has(config, "QEMU", &is_qemu, NULL) == 0 && is_qemu)
		(void)utm_config_get_count(config, "Network", &count, NULL);
	for (size_t i = 0; i < count && result == 0; i++) {
		g_autofree char *key_path = g_strdup_printf("Network[%zu].MacAddress", i);
		g_autofree char *mac = new_mac();
		result = utm_config_set_string(config, key_path, mac, error);
	}
	return result;
}

static int make_identity(const Draft *draft, const UtmBundleCloneOptions *options, UtmConfig *config, UtmError **error)
{
	g_autofree char *random = g_uuid_string_random();
	g_autofree char *uuid = g_ascii_strup(random, -1);
	g_autofree char *base = g_strndup(draft->name, strlen(draft->name) - strlen(UTM_BUNDLE_SUFFIX));
	int result = utm_config_set_string(config, "Information.Name", options->name ? options->name : base, error);
	if (result == 0)
		result = utm_config_set_string(config, "Information.UUID", uuid, error);
	if (result == 0 && !(options->flags & UTM_BUNDLE_CLONE_KEEP_MACS))
		result = renew_macs(config, error);
	return result;
}

static int fill_copy(const Draft *draft, UtmBundle *bundle, int root, const UtmBundleCloneOptions *options,
                     UtmError **error)
{
	struct stat info;
	const char *path = utm_bundle_get_path(bundle);
	UtmBundleSize size = UTM_BUNDLE_SIZE_INIT;
	UtmCopy copy = { .cancel = options->cancel, .progress = options->progress };
	g_autoptr(UtmConfig) config = utm_config_copy(options->config ? options->config : utm_bundle_get_config(bundle));
	int result = options->config ? 0 : make_identity(draft, options, config, error);
	if (result == 0)
		result = utm_bundle_get_size(bundle, &size, error);
	if (result < 0)
		return result;
	utm__progress_set_total(copy.progress, size.length_bytes);
	result = utm__copy_tree(&copy, root, path, draft->root, draft->path, error);
	if (result == 0)
		result = utm__write_config(draft->root, draft->path, config, &info, error);
	if (result == 0 && fstatat(root, ".", &info, 0) == 0)
		(void)fchmod(draft->root, (info.st_mode & 0777) | 0700);
	return result;
}

/* The original does not change meanwhile: nobody may save it or run from it. */
static int copy_unchanged(const Draft *draft, UtmBundle *bundle, const UtmBundleCloneOptions *options, UtmError **error)
{
	utm_autofd root = utm__open_root(utm_bundle_get_path(bundle), error);
	int result = root < 0 ? root : utm__bundle_lock_unchanged(bundle, root, error);
	if (result < 0)
		return result;
	result = fill_copy(draft, bundle, root, options, error);
	utm__bundle_unlock_unchanged(bundle);
	return result;
}

static int check_outside(const Draft *draft, const char *original, UtmError **error)
{
	g_autofree char *below = g_strconcat(original, "/", NULL);
	return g_str_has_prefix(draft->path, below)
		? utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the copy cannot be inside the original") : 0;
}

int utm__check_clone(UtmBundleCloneOptions *checked, const UtmBundleCloneOptions *options, UtmError **error)
{
	int result = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmBundleCloneOptions", error);
	if (result == 0 && (checked->flags & ~(uint32_t)UTM_BUNDLE_CLONE_KEEP_MACS))
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "clone flags 0x%x do not exist", checked->flags);
	if (result == 0 && checked->reserved)
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "UtmBundleCloneOptions.reserved is not zero");
	if (result == 0 && checked->config && (checked->name || checked->flags))
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "a copy with a configuration of its own takes neither name nor flags");
	return result;
}

int utm__bundle_copy(UtmBundle *bundle, const char *path, const UtmBundleCloneOptions *options, char **ret_path,
                     UtmError **error)
{
	g_auto(Draft) draft = DRAFT_INIT;
	int result = utm__bundle_hold_idle(bundle, "cannot copy it", error);
	if (result < 0)
		return result;
	utm_autoheld held = bundle;
	result = find_place(&draft, path, error);
	if (result == 0)
		result = check_outside(&draft, utm_bundle_get_path(bundle), error);
	if (result == 0)
		result = begin(&draft, error);
	if (result == 0)
		result = copy_unchanged(&draft, bundle, options, error);
	if (result == 0)
		result = put_in_place(&draft, error);
	if (result == 0)
		*ret_path = g_steal_pointer(&draft.path);
	return result;
}

int utm_bundle_clone(UtmBundle *bundle, const char *path, const UtmBundleCloneOptions *options, UtmBundle **ret_bundle,
                     UtmError **error)
{
	UtmBundleCloneOptions checked = UTM_BUNDLE_CLONE_OPTIONS_INIT;
	g_autofree char *made = NULL;
	if (!bundle || !path || !ret_bundle)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle, path and ret_bundle must not be NULL");
	int result = utm__check_clone(&checked, options, error);
	if (result == 0)
		result = utm__context_check_blocking(bundle->object.context, error);
	if (result == 0)
		result = utm__bundle_copy(bundle, path, &checked, &made, error);
	return result == 0 ? utm__bundle_open_real(bundle->object.context, made, ret_bundle, error) : result;
}

/* --- names --- */

char *utm_bundle_dup_file_name(const char *name)
{
	g_autofree char *valid = g_utf8_make_valid(name ? name : "", -1);
	for (char *c = valid; *c; c++)
		if ((guchar)*c < ' ' || *c == 0x7f || strchr(",/:\\?%*|\"<>", *c))
			*c = '-';
	return g_strconcat(valid, UTM_BUNDLE_SUFFIX, NULL);
}

typedef struct Move {
	int parent;
	const char *from; /* plain names */
	char *to;
	char *path;       /* the new one */
	bool needed;
} Move;

static int plan_move(const char *path, const char *name, Move *ret_move, UtmError **error)
{
	g_autofree char *above = g_path_get_dirname(path);
	g_autofree char *to = utm_bundle_dup_file_name(name);
	int result = !*name ? utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the name is empty") : check_package_name(to, error);
	if (result < 0)
		return result;
	ret_move->parent = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ret_move->parent < 0)
		return utm__fail_errno(error, errno, above, "cannot open the directory");
	ret_move->from = strrchr(path, '/') + 1;
	ret_move->path = g_build_filename(above, to, NULL);
	ret_move->needed = strcmp(ret_move->from, to) != 0;
	ret_move->to = g_steal_pointer(&to);
	return 0;
}

static void move_clear(Move *move)
{
	utm__close_fd(&move->parent);
	g_free(move->to);
	g_free(move->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Move, move_clear)

static int move_package(const Move *move, UtmError **error)
{
	int failed = move->needed ? utm__rename_new(move->parent, move->from, move->parent, move->to) : 0;
	if (failed)
		return failed == EEXIST ? fail_exists(move->path, error)
		                        : utm__fail_errno(error, failed, move->path, "cannot rename");
	utm__sync_directory(move->parent);
	return 0;
}

/*
 * The directory first: that alone can be refused because of what others have. Between the two steps the package has its
 * new place and its old name, and is whole.
 */
static int rename_unchanged(UtmBundle *bundle, int root, const Move *move, const UtmConfig *config, UtmError **error)
{
	int result = move_package(move, error);
	if (result < 0)
		return result;
	result = utm__write_config(root, move->path, config, &bundle->stamp, error);
	if (result < 0 && move->needed)
		(void)utm__rename_new(move->parent, move->to, move->parent, move->from);
	return result;
}

int utm_bundle_rename(UtmBundle *bundle, const char *name, UtmError **error)
{
	g_auto(Move) move = { .parent = -1 };
	if (!bundle || !name)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and name must not be NULL");
	int result = utm__bundle_hold_idle(bundle, "cannot rename it", error);
	if (result < 0)
		return result;
	utm_autoheld held = bundle;
	const char *path = utm_bundle_get_path(bundle);
	utm_autofd root = utm__open_root(path, error);
	result = root < 0 ? root : plan_move(path, name, &move, error);
	if (result == 0)
		result = utm__bundle_lock_unchanged(bundle, root, error);
	if (result < 0)
		return result;
	g_autoptr(UtmConfig) config = utm_config_copy(utm_bundle_get_config(bundle));
	result = utm_config_set_string(config, "Information.Name", name, error);
	if (result == 0)
		result = rename_unchanged(bundle, root, &move, config, error);
	if (result == 0) {
		utm__bundle_set_config(bundle, config);
		utm__bundle_set_path(bundle, g_strdup(move.path));
	}
	utm__bundle_unlock_unchanged(bundle);
	return result;
}
