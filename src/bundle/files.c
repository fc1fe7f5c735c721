/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a package's data directory: which of them the configuration refers to, which may go, and their removal.
 *
 * What nobody refers to is not therefore useless. By itself only that goes which this library or UTM makes, disk images,
 * and only when no word of the configuration, known or not, could be its name, and no image that stays is based on it.
 */
#include "bundle/bundle-impl.h"

#include "base/file.h"
#include "base/qcow2.h"
#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct UtmBundleFiles {
	GPtrArray *files; /* of UtmBundleFile */
};

/* What is known while one list is made. */
typedef struct Listing {
	int root;
	const char *root_path;
	int data;        /* -1: none */
	char *data_path;
	GHashTable *referenced;
	GHashTable *mentioned;
	bool unsure;      /* something may be needed without being referred to */
	bool leftovers;   /* temporary files are nobody's */
} Listing;

static void listing_clear(Listing *listing)
{
	utm__close_fd(&listing->data);
	g_free(listing->data_path);
	g_clear_pointer(&listing->referenced, g_hash_table_unref);
	g_clear_pointer(&listing->mentioned, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Listing, listing_clear)

static void file_free(void *data)
{
	UtmBundleFile *file = data;
	if (!file)
		return; /* it has moved to another list */
	g_free((char *)file->name);
	g_free(file);
}

static UtmBundleFiles *files_new(void)
{
	UtmBundleFiles *files = g_new0(UtmBundleFiles, 1);
	files->files = g_ptr_array_new_with_free_func(file_free);
	return files;
}

/* --- one file --- */

static bool is_qcow2(const Listing *listing, const char *name)
{
	g_auto(UtmImageHead) head = { 0 };
	utm_autofd fd = openat(listing->data, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		utm__image_head_read(fd, &head);
	return head.qcow2;
}

/* UTM makes `IDENTIFIER.qcow2` and `IDENTIFIER.img`. The content of the latter tells nothing. */
static bool is_disk_image(const Listing *listing, const char *name)
{
	const char *dot = strrchr(name, '.');
	if (!dot || dot == name)
		return false;
	return strcmp(dot, ".img") == 0 || (strcmp(dot, ".qcow2") == 0 && is_qcow2(listing, name));
}

static bool may_go(const Listing *listing, const UtmBundleFile *file)
{
	if (file->referenced || file->kind != UTM_BUNDLE_FILE_REGULAR)
		return false;
	if (utm__is_temporary_name(file->name))
		return listing->leftovers;
	return !listing->unsure && !g_hash_table_contains(listing->mentioned, file->name) &&
	       is_disk_image(listing, file->name);
}

static uint32_t kind_of(mode_t mode)
{
	if (S_ISREG(mode))
		return UTM_BUNDLE_FILE_REGULAR;
	if (S_ISDIR(mode))
		return UTM_BUNDLE_FILE_DIRECTORY;
	return S_ISLNK(mode) ? UTM_BUNDLE_FILE_LINK : UTM_BUNDLE_FILE_OTHER;
}

/* A link that leads out is listed, but nothing is said about what is there. */
static UtmBundleFile *describe(const Listing *listing, const char *name)
{
	struct stat info;
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	UtmBundleFile *file = g_new0(UtmBundleFile, 1);
	*file = (UtmBundleFile){ .size = sizeof *file, .name = g_strdup(name), .kind = UTM_BUNDLE_FILE_OTHER };
	file->referenced = g_hash_table_contains(listing->referenced, name);
	if (fstatat(listing->data, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		file->kind = kind_of(info.st_mode);
	bool found = file->kind == UTM_BUNDLE_FILE_REGULAR;
	if (file->kind == UTM_BUNDLE_FILE_LINK &&
	    utm__spot_find_data(listing->root, listing->root_path, name, &spot, NULL) == 0 && spot.exists &&
	    S_ISREG(spot.info.st_mode)) {
		info = spot.info;
		found = true;
	}
	if (found) {
		file->length_bytes = (uint64_t)info.st_size;
		file->allocated_bytes = (uint64_t)info.st_blocks * 512;
	}
	file->prunable = may_go(listing, file);
	return file;
}

/* --- all of them --- */

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp((*(UtmBundleFile *const *)a)->name, (*(UtmBundleFile *const *)b)->name);
}

static int read_entries(const Listing *listing, DIR *stream, bool unreferenced_only, GPtrArray *files, UtmError **error)
{
	struct dirent *entry;
	guint count = 0;
	while ((errno = 0, entry = readdir(stream))) {
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (++count > UTM_BUNDLE_DATA_ENTRIES_MAX) {
			UtmError *made = utm__error_new(UTM_ERROR_LIMIT, "more than %d entries", UTM_BUNDLE_DATA_ENTRIES_MAX);
			return utm__fail_take(error, utm__error_set_file(made, listing->data_path));
		}
		if (!unreferenced_only || !g_hash_table_contains(listing->referenced, name))
			g_ptr_array_add(files, describe(listing, name));
	}
	if (errno)
		return utm__fail_errno(error, errno, listing->data_path, "cannot list");
	g_ptr_array_sort(files, compare_names);
	return 0;
}

static int prepare(UtmBundle *bundle, int root, Listing *listing, UtmError **error)
{
	UtmConfig *config = utm_bundle_get_config(bundle);
	*listing = (Listing){ .root = root, .root_path = utm_bundle_get_path(bundle), .data = -1 };
	int result = utm__open_data(root, listing->root_path, &listing->data, &listing->data_path, error);
	if (result < 0)
		return result;
	listing->referenced = utm__referenced_names(root, listing->root_path, config, &listing->unsure);
	listing->mentioned = utm__mentioned_names(config);
	pthread_mutex_lock(&bundle->lock);
	listing->leftovers = bundle->imports == 0 && bundle->alone == 0;
	pthread_mutex_unlock(&bundle->lock);
	return 0;
}

static int list(const Listing *listing, bool unreferenced_only, UtmBundleFiles **ret_files, UtmError **error)
{
	g_autoptr(UtmBundleFiles) files = files_new();
	int result = 0;
	int fd = listing->data >= 0 ? utm__open_directory(listing->data, ".") : -1;
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (stream) {
		result = read_entries(listing, stream, unreferenced_only, files->files, error);
		closedir(stream);
	} else if (listing->data >= 0) {
		result = utm__fail_errno(error, errno, listing->data_path, "cannot list");
		utm__close_fd(&fd);
	}
	if (result == 0)
		*ret_files = g_steal_pointer(&files);
	return result;
}

static int list_bundle(UtmBundle *bundle, bool unreferenced_only, UtmBundleFiles **ret_files, UtmError **error)
{
	g_auto(Listing) listing = { .data = -1 };
	if (!bundle || !ret_files)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and ret_files must not be NULL");
	utm_autofd root = utm__open_root(utm_bundle_get_path(bundle), error);
	int result = root < 0 ? root : prepare(bundle, root, &listing, error);
	return result < 0 ? result : list(&listing, unreferenced_only, ret_files, error);
}

int utm_bundle_list_files(UtmBundle *bundle, UtmBundleFiles **ret_files, UtmError **error)
{
	return list_bundle(bundle, false, ret_files, error);
}

int utm_bundle_list_unreferenced(UtmBundle *bundle, UtmBundleFiles **ret_files, UtmError **error)
{
	return list_bundle(bundle, true, ret_files, error);
}

size_t utm_bundle_files_get_count(const UtmBundleFiles *files)
{
	return files ? files->files->len : 0;
}

const UtmBundleFile *utm_bundle_files_get(const UtmBundleFiles *files, size_t index)
{
	return files && index < files->files->len ? files->files->pdata[index] : NULL;
}

void utm_bundle_files_free(UtmBundleFiles *files)
{
	if (!files)
		return;
	g_ptr_array_unref(files->files);
	g_free(files);
}

/* --- removal --- */

static const UtmBundleFile *find_file(const UtmBundleFiles *files, const char *name)
{
	for (guint i = 0; i < files->files->len; i++) {
		const UtmBundleFile *file = files->files->pdata[i];
		if (strcmp(file->name, name) == 0)
			return file;
	}
	return NULL;
}

static int check_named(const Listing *listing, const UtmBundleFiles *files, const char *name, UtmError **error)
{
	const UtmBundleFile *file = find_file(files, name);
	const char *remedy = "Take it out of the configuration and save that first.";
	UtmError *made = NULL;
	if (!file)
		return utm__fail_missing(listing->data_path ? listing->data_path : listing->root_path, name, error);
	if (file->referenced)
		made = utm__error_new(UTM_ERROR_INVALID_STATE, "\"%.255s\" is used by the configuration", name);
	else if (file->kind == UTM_BUNDLE_FILE_DIRECTORY)
		made = utm__error_new(UTM_ERROR_INVALID_STATE, "\"%.255s\" is a directory", name);
	if (!made)
		return 0;
	utm__error_set_remedy(made, file->referenced ? remedy : "Only files are removed here.");
	return utm__fail_take(error, utm__error_set_file(made, listing->data_path));
}

/* Moves what is to go from one list to the other; all names are checked before anything happens. */
static int choose(const Listing *listing, UtmBundleFiles *files, const char *const *names, UtmBundleFiles *chosen,
                  UtmError **error)
{
	int result = 0;
	for (gsize i = 0; names && names[i] && result == 0; i++)
		result = check_named(listing, files, names[i], error);
	for (guint i = 0; result == 0 && i < files->files->len; i++) {
		UtmBundleFile *file = files->files->pdata[i];
		if (names ? g_strv_contains(names, file->name) : file->prunable)
			g_ptr_array_add(chosen->files, g_steal_pointer(&files->files->pdata[i]));
	}
	return result;
}

/* The entry itself, a link and not what it leads to. */
static int remove_chosen(const Listing *listing, const UtmBundleFiles *chosen, UtmError **error)
{
	for (guint i = 0; i < chosen->files->len; i++) {
		const UtmBundleFile *file = chosen->files->pdata[i];
		g_autofree char *path = g_build_filename(listing->data_path, file->name, NULL);
		if (unlinkat(listing->data, file->name, 0) < 0 && errno != ENOENT)
			return utm__fail_errno(error, errno, path, "cannot remove");
	}
	if (chosen->files->len)
		utm__sync_directory(listing->data);
	return 0;
}

static int prune_unchanged(UtmBundle *bundle, int root, const char *const *names, UtmBundleFiles *chosen, UtmError **error)
{
	g_auto(Listing) listing = { .data = -1 };
	g_autoptr(UtmBundleFiles) files = NULL;
	int result = prepare(bundle, root, &listing, error);
	if (result == 0)
		result = list(&listing, false, &files, error);
	if (result == 0)
		result = choose(&listing, files, names, chosen, error);
	return result == 0 ? remove_chosen(&listing, chosen, error) : result;
}

int utm_bundle_prune(UtmBundle *bundle, const char *const *names, UtmBundleFiles **ret_removed, UtmError **error)
{
	if (!bundle)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no bundle");
	int result = utm__bundle_hold_idle(bundle, "cannot remove files", error);
	if (result < 0)
		return result;
	utm_autoheld held = bundle;
	g_autoptr(UtmBundleFiles) chosen = files_new();
	utm_autofd root = utm__open_root(utm_bundle_get_path(bundle), error);
	result = root < 0 ? root : utm__bundle_lock_unchanged(bundle, root, error);
	if (result < 0)
		return result;
	result = prune_unchanged(bundle, root, names, chosen, error);
	utm__bundle_unlock_unchanged(bundle);
	if (result == 0 && ret_removed)
		*ret_removed = g_steal_pointer(&chosen);
	return result;
}

int utm_bundle_remove_file(UtmBundle *bundle, const char *name, UtmError **error)
{
	const char *const names[] = { name, NULL };
	if (!bundle || !name)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and name must not be NULL");
	return utm_bundle_prune(bundle, names, NULL, error);
}
