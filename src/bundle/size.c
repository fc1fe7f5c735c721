/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a package occupies: every file in it once, links not followed, other file systems left out. */
#include "bundle/bundle-impl.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

typedef struct Count {
	UtmBundleSize size;
	dev_t device;
	GHashTable *seen; /* inodes with several names */
	guint entries;
	int depth;
} Count;

static bool is_seen(Count *count, const struct stat *info)
{
	guint64 inode = info->st_ino;
	return !S_ISDIR(info->st_mode) && info->st_nlink > 1 && !g_hash_table_add(count->seen, g_memdup2(&inode, sizeof inode));
}

static int count_directory(Count *count, int directory, const char *path, UtmError **error);

static int count_below(Count *count, int parent, const char *name, const char *path, UtmError **error)
{
	g_autofree char *below = g_build_filename(path, name, NULL);
	if (count->depth == UTM_BUNDLE_DEPTH_MAX)
		return utm__fail(error, UTM_ERROR_LIMIT, "more than %d directories inside each other", UTM_BUNDLE_DEPTH_MAX);
	int fd = utm__open_directory(parent, name);
	/* Gone, or exchanged, since it was seen. */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0)
		return utm__fail_errno(error, errno, below, "cannot list");
	count->depth++;
	int result = count_directory(count, fd, below, error); /* closes it */
	count->depth--;
	return result;
}

static int count_entry(Count *count, int directory, const char *name, const char *path, UtmError **error)
{
	struct stat info;
	if (++count->entries > UTM_BUNDLE_ENTRIES_MAX)
		return utm__fail(error, UTM_ERROR_LIMIT, "more than %d files in the package", UTM_BUNDLE_ENTRIES_MAX);
	if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) < 0 || info.st_dev != count->device || is_seen(count, &info))
		return 0;
	count->size.allocated_bytes += (uint64_t)info.st_blocks * 512;
	if (S_ISREG(info.st_mode)) {
		count->size.length_bytes += (uint64_t)info.st_size;
		count->size.file_count++;
	}
	return S_ISDIR(info.st_mode) ? count_below(count, directory, name, path, error) : 0;
}

static int count_directory(Count *count, int directory_taken, const char *path, UtmError **error)
{
	DIR *stream = fdopendir(directory_taken);
	struct dirent *entry;
	int result = 0;
	if (!stream) {
		result = utm__fail_errno(error, errno, path, "cannot list");
		utm__close_fd(&directory_taken);
		return result;
	}
	while (result == 0 && (entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = count_entry(count, directory_taken, entry->d_name, path, error);
	closedir(stream);
	return result;
}

int utm_bundle_get_size(UtmBundle *bundle, UtmBundleSize *ret_size, UtmError **error)
{
	if (!bundle || !ret_size)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and ret_size must not be NULL");
	/* It may be shorter or longer than ours. */
	if (ret_size->size < sizeof(size_t) || ret_size->size > 4096)
		return utm__fail(error, UTM_ERROR_STRUCT_SIZE, "UtmBundleSize.size is %zu, which is the size of no version of it",
		                 ret_size->size);
	const char *path = utm_bundle_get_path(bundle);
	struct stat info;
	utm_autofd root = utm__open_root(path, error);
	if (root < 0)
		return root;
	int fd = utm__open_directory(root, ".");
	if (fd < 0 || fstat(fd, &info) < 0) {
		int result = utm__fail_errno(error, errno, path, "cannot list");
		utm__close_fd(&fd);
		return result;
	}
	Count count = { .device = info.st_dev, .size.allocated_bytes = (uint64_t)info.st_blocks * 512 };
	count.seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	int result = count_directory(&count, fd, path, error);
	g_hash_table_unref(count.seen);
	if (result == 0)
		memcpy((char *)ret_size + sizeof(size_t), (char *)&count.size + sizeof(size_t),
		       MIN(ret_size->size, sizeof count.size) - sizeof(size_t));
	return result;
}
