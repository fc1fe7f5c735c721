/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that come into a package: copied beside their place, flushed, and renamed to a name that nothing has. */
#include "bundle/bundle-impl.h"

#include "base/file.h"
#include "base/sized-struct.h"
#include "base/util.h"
#include "core/context-private.h"
#include "core/progress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Of one stem: beyond these somebody fills the package with names. */
#define NAMES_TRIED 10000
#define NAME_BYTES_MAX 255

/* --- names --- */

/* Names that file systems of other hosts take for the same are the same here. */
static char *fold(const char *name)
{
	g_autofree char *valid = g_utf8_make_valid(name, -1);
	g_autofree char *normal = g_utf8_normalize(valid, -1, G_NORMALIZE_ALL_COMPOSE);
	return g_utf8_casefold(normal ? normal : valid, -1);
}

static int list_names(int data, const char *data_path, GHashTable *folded, UtmError **error)
{
	int fd = utm__open_directory(data, ".");
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	if (!stream) {
		int result = utm__fail_errno(error, errno, data_path, "cannot list");
		utm__close_fd(&fd);
		return result;
	}
	while (g_hash_table_size(folded) <= UTM_BUNDLE_DATA_ENTRIES_MAX && (entry = readdir(stream)))
		g_hash_table_add(folded, fold(entry->d_name));
	closedir(stream);
	if (g_hash_table_size(folded) <= UTM_BUNDLE_DATA_ENTRIES_MAX)
		return 0;
	UtmError *made = utm__error_new(UTM_ERROR_LIMIT, "more than %d entries", UTM_BUNDLE_DATA_ENTRIES_MAX);
	return utm__fail_take(error, utm__error_set_file(made, data_path));
}

/* What a property list can hold and every file system takes. */
static char *clean_name(const char *name)
{
	char *clean = g_utf8_make_valid(name, -1);
	for (char *c = clean; *c; c++)
		if ((guchar)*c < ' ' || *c == 0x7f || strchr("/:\\", *c))
			*c = '-';
	if (*clean == '.')
		*clean = '-';
	return clean;
}

/* `stem-2.ext`, not longer than a name may be; the stem gives way, at the beginning of a character. */
static char *number_name(const char *name, guint number)
{
	const char *dot = strrchr(name, '.');
	const char *extension = dot && dot != name && strlen(dot) < 32 ? dot : "";
	g_autofree char *stem = g_strndup(name, strlen(name) - strlen(extension));
	g_autofree char *suffix = number > 1 ? g_strdup_printf("-%u%s", number, extension) : g_strdup(extension);
	while (*stem && strlen(stem) + strlen(suffix) > NAME_BYTES_MAX)
		*g_utf8_find_prev_char(stem, stem + strlen(stem)) = 0;
	return g_strconcat(stem, suffix, NULL);
}

static GHashTable *fold_names(GHashTable *names)
{
	GHashTable *folded = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTableIter iterator;
	gpointer name;
	if (names)
		g_hash_table_iter_init(&iterator, names);
	while (names && g_hash_table_iter_next(&iterator, &name, NULL))
		g_hash_table_add(folded, fold(name));
	return folded;
}

static int fail_taken(const char *data_path, const char *name, UtmError **error)
{
	g_autofree char *path = g_build_filename(data_path, name, NULL);
	return utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_BUNDLE_EXISTS, "is there already"), path));
}

/* Under the first free name. */
static int place_freely(int data, const char *data_path, const char *temporary, const char *wanted,
                        GHashTable *names_in_use, char **ret_name, UtmError **error)
{
	g_autofree char *clean = clean_name(wanted);
	g_autoptr(GHashTable) folded = fold_names(names_in_use);
	int result = list_names(data, data_path, folded, error);
	int failed = EEXIST;
	for (guint number = 1; result == 0 && failed == EEXIST && number <= NAMES_TRIED; number++) {
		g_autofree char *name = number_name(clean, number);
		g_autofree char *form = fold(name);
		if (utm__is_fixed_name(name) || g_hash_table_contains(folded, form))
			continue;
		failed = utm__rename_new(data, temporary, data, name);
		if (!failed)
			*ret_name = g_steal_pointer(&name);
	}
	if (result == 0 && failed == EEXIST)
		return fail_taken(data_path, clean, error);
	return result == 0 && failed ? utm__fail_errno(error, failed, data_path, "cannot name the new file") : result;
}

static int place_exactly(int data, const char *data_path, const char *temporary, const char *name, char **ret_name,
                         UtmError **error)
{
	int failed = utm__rename_new(data, temporary, data, name);
	g_autofree char *path = g_build_filename(data_path, name, NULL);
	if (failed)
		return failed == EEXIST ? fail_taken(data_path, name, error)
		                        : utm__fail_errno(error, failed, path, "cannot create");
	*ret_name = g_strdup(name);
	return 0;
}

static int finish(int data, const char *data_path, const char *temporary, int *fd, UtmError **error)
{
	int failed = fsync(*fd) < 0 ? errno : 0;
	int failed_to_close = utm__close_written(fd);
	failed = failed ? failed : failed_to_close;
	g_autofree char *path = g_build_filename(data_path, temporary, NULL);
	return failed ? utm__fail_errno(error, failed, path, "cannot write") : 0;
}

/* --- content --- */

static int open_source(const char *source, int *ret_fd, struct stat *ret_info, UtmError **error)
{
	/* Not blocking: a FIFO would wait for a writer. */
	utm_autofd fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, ret_info) < 0)
		return utm__fail_errno(error, errno, source, "cannot open");
	if (!S_ISREG(ret_info->st_mode))
		return utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_IO, "is not a regular file"), source));
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int utm__import(UtmCopy *copy, int data, const char *data_path, const char *source, const char *name, bool exact,
                GHashTable *names_in_use, char **ret_name, UtmError **error)
{
	char temporary[UTM_TEMPORARY_NAME_SIZE];
	struct stat info;
	utm_autofd from = -1;
	int result = open_source(source, &from, &info, error);
	if (result < 0)
		return result;
	utm_autofd to = utm__create_temporary(data, 0600, temporary);
	if (to < 0)
		return utm__fail_errno(error, errno, data_path, "cannot create a file in it");
	utm__progress_set_total(copy->progress, copy->done + (guint64)info.st_size);
	result = utm__copy_content(copy, from, source, to, data_path, error);
	if (result == 0)
		result = finish(data, data_path, temporary, &to, error);
	if (result == 0)
		result = exact ? place_exactly(data, data_path, temporary, name, ret_name, error)
		               : place_freely(data, data_path, temporary, name, names_in_use, ret_name, error);
	if (result < 0)
		(void)unlinkat(data, temporary, 0);
	else
		utm__sync_directory(data);
	return result;
}

int utm__import_bytes(int data, const char *data_path, const char *name, const void *bytes, gsize size,
                      GHashTable *names_in_use, char **ret_name, UtmError **error)
{
	char temporary[UTM_TEMPORARY_NAME_SIZE];
	utm_autofd fd = utm__create_temporary(data, 0600, temporary);
	if (fd < 0)
		return utm__fail_errno(error, errno, data_path, "cannot create a file in it");
	int failed = utm__write_all(fd, bytes, size);
	int result = failed ? utm__fail_errno(error, failed, data_path, "cannot write into it")
	                    : finish(data, data_path, temporary, &fd, error);
	if (result == 0)
		result = place_freely(data, data_path, temporary, name, names_in_use, ret_name, error);
	if (result < 0)
		(void)unlinkat(data, temporary, 0);
	else
		utm__sync_directory(data);
	return result;
}

int utm__make_data(int root, const char *root_path, int *ret_fd, char **ret_path, UtmError **error)
{
	int result = utm__open_data(root, root_path, ret_fd, ret_path, error);
	if (result < 0 || *ret_fd >= 0)
		return result;
	*ret_path = g_build_filename(root_path, UTM_BUNDLE_DATA, NULL);
	if (mkdirat(root, UTM_BUNDLE_DATA, 0700) < 0 ||
	    (*ret_fd = utm__open_directory(root, UTM_BUNDLE_DATA)) < 0) {
		result = utm__fail_errno(error, errno, *ret_path, "cannot create");
		g_clear_pointer(ret_path, g_free);
	} else {
		utm__sync_directory(root);
	}
	return result;
}

/* --- public --- */

static bool is_plain_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strlen(name) <= NAME_BYTES_MAX;
}

int utm__check_import(const UtmBundleImportOptions *options, const char *source, UtmError **error)
{
	if (options->flags & ~(uint32_t)UTM_BUNDLE_IMPORT_EXACT_NAME)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "import flags 0x%x do not exist", options->flags);
	if (options->reserved)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "UtmBundleImportOptions.reserved is not zero");
	g_autofree char *base = g_path_get_basename(source);
	const char *name = options->name ? options->name : base;
	if (!is_plain_name(name))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "\"%.255s\" is no plain file name", name);
	/* A property list could not hold it. */
	if ((options->flags & UTM_BUNDLE_IMPORT_EXACT_NAME) && !g_utf8_validate(name, -1, NULL))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the name is not UTF-8");
	return 0;
}

void utm__bundle_count_import(UtmBundle *bundle, int change)
{
	pthread_mutex_lock(&bundle->lock);
	bundle->imports += (guint)change;
	pthread_mutex_unlock(&bundle->lock);
}

static int import_held(UtmBundle *bundle, const char *source, const UtmBundleImportOptions *options, char **ret_name,
                       UtmError **error)
{
	const char *root_path = utm_bundle_get_path(bundle);
	utm_autofd data = -1;
	g_autofree char *data_path = NULL;
	g_autofree char *base = g_path_get_basename(source);
	bool unsure;
	utm_autofd root = utm__open_root(root_path, error);
	int result = root < 0 ? root : utm__make_data(root, root_path, &data, &data_path, error);
	if (result < 0)
		return result;
	/* Also what is named and lost: a new file must not become some drive's image by chance. */
	g_autoptr(GHashTable) names = utm__referenced_names(root, root_path, utm_bundle_get_config(bundle), &unsure);
	UtmCopy copy = { .cancel = options->cancel, .progress = options->progress };
	return utm__import(&copy, data, data_path, source, options->name ? options->name : base,
	                   options->flags & UTM_BUNDLE_IMPORT_EXACT_NAME, names, ret_name, error);
}

int utm__bundle_import(UtmBundle *bundle, const char *source, const UtmBundleImportOptions *options, char **ret_name,
                       UtmError **error)
{
	int result = utm__bundle_hold(bundle, error);
	if (result < 0)
		return result;
	utm_autoheld held = bundle;
	utm__bundle_count_import(bundle, 1);
	result = import_held(bundle, source, options, ret_name, error);
	utm__bundle_count_import(bundle, -1);
	return result;
}

int utm__check_import_options(UtmBundleImportOptions *checked, const UtmBundleImportOptions *options, const char *source,
                              UtmError **error)
{
	int result = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmBundleImportOptions", error);
	return result == 0 ? utm__check_import(checked, source, error) : result;
}

int utm_bundle_import(UtmBundle *bundle, const char *source, const UtmBundleImportOptions *options, char **ret_name,
                      UtmError **error)
{
	UtmBundleImportOptions checked = UTM_BUNDLE_IMPORT_OPTIONS_INIT;
	if (!bundle || !source || !*source || !ret_name)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle, source and ret_name must not be NULL");
	int result = utm__check_import_options(&checked, options, source, error);
	if (result == 0)
		result = utm__context_check_blocking(bundle->object.context, error);
	return result == 0 ? utm__bundle_import(bundle, source, &checked, ret_name, error) : result;
}
