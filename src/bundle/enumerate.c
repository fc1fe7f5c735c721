/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The packages of a directory: what a list of machines shows, without opening each. */
#include "bundle/bundle-impl.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define PACKAGES_MAX 100000
#define THREADS_MAX 8
#define PACKAGES_PER_THREAD 64

struct UtmBundleList {
	GPtrArray *entries; /* of UtmBundleEntry */
};

static void entry_free(void *data)
{
	UtmBundleEntry *entry = data;
	g_free((char *)entry->path);
	g_free((char *)entry->name);
	g_free((char *)entry->uuid);
	utm_error_unref((UtmError *)entry->error);
	g_free(entry);
}

/* A broken package is called by its file. */
static char *name_of_file(const char *file)
{
	g_autofree char *stem = g_strndup(file, strlen(file) - strlen(UTM_BUNDLE_SUFFIX));
	return g_utf8_make_valid(stem, -1);
}

/* Links to packages elsewhere are the user's own and followed; inside the package they are not to lead out. */
static int read_package(int directory, const char *file, const char *path, UtmConfig **ret_config, UtmError **error)
{
	struct stat stamp;
	utm_autofd root = openat(directory, file, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 && errno == ENOTDIR)
		return utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_NOT_A_BUNDLE, "is not a directory"), path));
	if (root < 0)
		return utm__fail_errno(error, errno, path, "cannot open the package");
	return utm__read_config(root, path, ret_config, &stamp, error);
}

static UtmBundleEntry *describe(int directory, const char *directory_path, const char *file)
{
	g_autoptr(UtmConfig) config = NULL;
	UtmError *error = NULL;
	UtmBundleEntry *entry = g_new0(UtmBundleEntry, 1);
	char *path = g_build_filename(directory_path, file, NULL);
	(void)read_package(directory, file, path, &config, &error);
	*entry = (UtmBundleEntry){
		.size = sizeof *entry,
		.path = path,
		.name = config ? g_strdup(utm_config_get_name(config)) : name_of_file(file),
		.uuid = config ? g_strdup(utm_config_get_uuid(config)) : NULL,
		.error = error,
	};
	return entry;
}

static gint compare_paths(gconstpointer a, gconstpointer b)
{
	return strcmp((*(UtmBundleEntry *const *)a)->path, (*(UtmBundleEntry *const *)b)->path);
}

/* --- many of them --- */

/* Decoding is what takes the time, so it is shared out; the list is the same whoever does what. */
typedef struct Work {
	int directory;
	const char *path;
	GPtrArray *files;   /* names */
	GPtrArray *entries; /* of the same length */
	gint next;
} Work;

static void *describe_some(void *data)
{
	Work *work = data;
	for (guint i; (i = (guint)g_atomic_int_add(&work->next, 1)) < work->files->len;)
		work->entries->pdata[i] = describe(work->directory, work->path, work->files->pdata[i]);
	return NULL;
}

static void describe_all(Work *work)
{
	pthread_t threads[THREADS_MAX];
	guint wanted = MIN(work->files->len / PACKAGES_PER_THREAD, MIN(g_get_num_processors(), THREADS_MAX));
	guint started = 0;
	sigset_t all, before;
	g_ptr_array_set_size(work->entries, (gint)work->files->len);
	/* Signals of the process are for the application's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* This thread works too, so fewer threads than wanted, or none, do no harm. */
	while (started + 1 < wanted && pthread_create(&threads[started], NULL, describe_some, work) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	describe_some(work);
	while (started > 0)
		pthread_join(threads[--started], NULL);
}

static int read_names(DIR *stream, const char *path, GPtrArray *files, UtmError **error)
{
	struct dirent *entry;
	while ((errno = 0, entry = readdir(stream))) {
		if (!g_str_has_suffix(entry->d_name, UTM_BUNDLE_SUFFIX) || strcmp(entry->d_name, UTM_BUNDLE_SUFFIX) == 0)
			continue;
		if (files->len == PACKAGES_MAX) {
			UtmError *made = utm__error_new(UTM_ERROR_LIMIT, "more than %d packages", PACKAGES_MAX);
			return utm__fail_take(error, utm__error_set_file(made, path));
		}
		g_ptr_array_add(files, g_strdup(entry->d_name));
	}
	return errno ? utm__fail_errno(error, errno, path, "cannot list") : 0;
}

static int read_entries(DIR *stream, int directory, const char *path, GPtrArray *entries, UtmError **error)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	Work work = { .directory = directory, .path = path, .files = files, .entries = entries };
	int result = read_names(stream, path, files, error);
	if (result < 0)
		return result;
	describe_all(&work);
	g_ptr_array_sort(entries, compare_paths);
	return 0;
}

int utm_bundle_list_directory(const char *path, UtmBundleList **ret_list, UtmError **error)
{
	if (!path || !ret_list)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "path and ret_list must not be NULL");
	g_autofree char *absolute = g_canonicalize_filename(path, NULL);
	int fd = open(absolute, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (!stream) {
		int result = utm__fail_errno(error, errno, path, "cannot list");
		utm__close_fd(&fd);
		return result;
	}
	g_autoptr(UtmBundleList) list = g_new0(UtmBundleList, 1);
	list->entries = g_ptr_array_new_with_free_func(entry_free);
	int result = read_entries(stream, fd, absolute, list->entries, error);
	closedir(stream);
	if (result == 0)
		*ret_list = g_steal_pointer(&list);
	return result;
}

size_t utm_bundle_list_get_count(const UtmBundleList *list)
{
	return list ? list->entries->len : 0;
}

const UtmBundleEntry *utm_bundle_list_get(const UtmBundleList *list, size_t index)
{
	return list && index < list->entries->len ? list->entries->pdata[index] : NULL;
}

void utm_bundle_list_free(UtmBundleList *list)
{
	if (!list)
		return;
	g_ptr_array_unref(list->entries);
	g_free(list);
}
