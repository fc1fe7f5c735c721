/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of disk images and of whole packages. Blocks are shared where the file system can (FICLONE); else only what holds
 * data is copied, by the kernel where it can, so that holes stay holes. Between pieces the caller may give up.
 */
#include "bundle/bundle-impl.h"

#include "base/file.h"
#include "base/util.h"
#include "core/progress.h"
#include "core/request.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PIECE (4 * 1024 * 1024)
#define BLOCK (256 * 1024)

typedef struct Pair {
	UtmCopy *copy;
	int from, to;
	bool by_hand;  /* the kernel cannot copy between these two */
	guint8 *block; /* for copying by hand */
} Pair;

/* How a piece ended: an errno, or one of these. */
#define CUT_SHORT (-1)
#define GIVEN_UP (-2)

static int copy_by_hand(Pair *pair, off_t *offset, off_t length)
{
	static const guint8 zeros[BLOCK];
	if (!pair->block)
		pair->block = g_malloc(BLOCK);
	ssize_t count = pread(pair->from, pair->block, (size_t)MIN(length, BLOCK), *offset);
	if (count <= 0)
		return count == 0 ? CUT_SHORT : errno == EINTR ? 0 : errno;
	bool hole = memcmp(pair->block, zeros, (size_t)count) == 0;
	for (ssize_t done = 0; done < count && !hole;) {
		ssize_t written = pwrite(pair->to, pair->block + done, (size_t)(count - done), *offset + done);
		if (written < 0 && errno != EINTR)
			return errno;
		done += MAX(written, 0);
	}
	*offset += count;
	return 0;
}

static int copy_piece(Pair *pair, off_t *offset, off_t length)
{
	if (pair->by_hand)
		return copy_by_hand(pair, offset, length);
	off_t to = *offset;
	ssize_t count = copy_file_range(pair->from, offset, pair->to, &to, (size_t)MIN(length, PIECE), 0);
	if (count > 0 || (count < 0 && errno == EINTR))
		return 0;
	/* Also 0 far from the end, which some file systems answer for "cannot". Then reading tells. */
	if (count == 0 || errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP || errno == EBADF)
		pair->by_hand = true;
	return pair->by_hand ? 0 : errno;
}

static int copy_data(Pair *pair, off_t begin, off_t end)
{
	int failed = 0;
	for (off_t offset = begin; offset < end && !failed;) {
		off_t before = offset;
		failed = utm__cancel_is_triggered(pair->copy->cancel) ? GIVEN_UP : copy_piece(pair, &offset, end - offset);
		pair->copy->done += (guint64)(offset - before);
		utm__progress_set_done(pair->copy->progress, pair->copy->done);
	}
	return failed;
}

/* The next stretch of data at or behind `offset`. A file system that does not know holes has one stretch. */
static int find_data(int fd, off_t offset, off_t size, off_t *ret_begin, off_t *ret_end)
{
	*ret_begin = lseek(fd, offset, SEEK_DATA);
	if (*ret_begin < 0 && errno == ENXIO)
		*ret_begin = size;
	else if (*ret_begin < 0)
		*ret_begin = offset;
	*ret_begin = MIN(*ret_begin, size);
	off_t end = *ret_begin < size ? lseek(fd, *ret_begin, SEEK_HOLE) : size;
	*ret_end = end < 0 || end > size ? size : end;
	return 0;
}

static int copy_stretches(Pair *pair, off_t size)
{
	int failed = 0;
	for (off_t offset = 0; offset < size && !failed;) {
		off_t begin, end;
		find_data(pair->from, offset, size, &begin, &end);
		pair->copy->done += (guint64)(begin - offset);
		failed = copy_data(pair, begin, end);
		offset = end;
	}
	return failed;
}

static int fail_copy(int failed, const char *from_path, const char *to_path, UtmError **error)
{
	if (failed == GIVEN_UP)
		return utm__fail(error, UTM_ERROR_CANCELLED, "copying \"%.255s\" was cancelled", from_path);
	if (failed != CUT_SHORT)
		return utm__fail_errno(error, failed, to_path, "cannot copy to it");
	UtmError *made = utm__error_new(UTM_ERROR_IO, "became shorter while it was copied");
	return utm__fail_take(error, utm__error_set_file(made, from_path));
}

int utm__copy_content(UtmCopy *copy, int from, const char *from_path, int to, const char *to_path, UtmError **error)
{
	struct stat info;
	if (fstat(from, &info) < 0)
		return utm__fail_errno(error, errno, from_path, "cannot read");
	if (utm__cancel_is_triggered(copy->cancel))
		return fail_copy(GIVEN_UP, from_path, to_path, error);
	guint64 before = copy->done;
	int failed = 0;
	if (ioctl(to, FICLONE, from) < 0) {
		Pair pair = { .copy = copy, .from = from, .to = to };
		failed = ftruncate(to, info.st_size) < 0 ? errno : copy_stretches(&pair, info.st_size);
		g_free(pair.block);
	}
	if (!failed && fsync(to) < 0)
		failed = errno;
	copy->done = before + (guint64)info.st_size;
	utm__progress_set_done(copy->progress, copy->done);
	return failed ? fail_copy(failed, from_path, to_path, error) : 0;
}

/* --- trees --- */

typedef struct Tree {
	UtmCopy *copy;
	guint entries;
	int depth;
} Tree;

static int copy_directory(Tree *tree, int from, const char *from_path, int to, const char *to_path, UtmError **error);

static int copy_file(Tree *tree, int from_dir, int to_dir, const char *name, const char *from_path, const char *to_path,
                     UtmError **error)
{
	struct stat info;
	utm_autofd from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (from < 0 || fstat(from, &info) < 0)
		return utm__fail_errno(error, errno, from_path, "cannot open");
	if (!S_ISREG(info.st_mode))
		return utm__fail_errno(error, ELOOP, from_path, "cannot open");
	utm_autofd to = openat(to_dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return utm__fail_errno(error, errno, to_path, "cannot create");
	int result = utm__copy_content(tree->copy, from, from_path, to, to_path, error);
	if (result < 0)
		return result;
	if (fchmod(to, info.st_mode & 0777) < 0)
		return utm__fail_errno(error, errno, to_path, "cannot create");
	int failed = utm__close_written(&to);
	return failed ? utm__fail_errno(error, failed, to_path, "cannot write") : 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, const char *to_path, UtmError **error)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(from_dir, name, target, sizeof target - 1);
	if (length >= 0)
		target[length] = 0;
	return length < 0 || symlinkat(target, to_dir, name) < 0 ? utm__fail_errno(error, errno, to_path, "cannot create") : 0;
}

static int copy_subdirectory(Tree *tree, int from_dir, int to_dir, const char *name, mode_t mode, const char *from_path,
                             const char *to_path, UtmError **error)
{
	if (tree->depth == UTM_BUNDLE_DEPTH_MAX)
		return utm__fail(error, UTM_ERROR_LIMIT, "more than %d directories inside each other", UTM_BUNDLE_DEPTH_MAX);
	if (mkdirat(to_dir, name, 0700) < 0)
		return utm__fail_errno(error, errno, to_path, "cannot create");
	utm_autofd from = utm__open_directory(from_dir, name);
	utm_autofd to = utm__open_directory(to_dir, name);
	if (from < 0 || to < 0)
		return utm__fail_errno(error, errno, from < 0 ? from_path : to_path, "cannot open");
	tree->depth++;
	int result = copy_directory(tree, from, from_path, to, to_path, error);
	tree->depth--;
	/* Last: it may take away the right to write into it. */
	if (result == 0)
		(void)fchmod(to, (mode & 0777) | 0700);
	return result;
}

static int copy_entry(Tree *tree, int from, const char *from_path, int to, const char *to_path, const char *name,
                      UtmError **error)
{
	struct stat info;
	g_autofree char *from_entry = g_build_filename(from_path, name, NULL);
	g_autofree char *to_entry = g_build_filename(to_path, name, NULL);
	if (++tree->entries > UTM_BUNDLE_ENTRIES_MAX)
		return utm__fail(error, UTM_ERROR_LIMIT, "more than %d files in the package", UTM_BUNDLE_ENTRIES_MAX);
	if (utm__is_temporary_name(name))
		return 0;
	if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return utm__fail_errno(error, errno, from_entry, "cannot look at it");
	if (S_ISDIR(info.st_mode))
		return copy_subdirectory(tree, from, to, name, info.st_mode, from_entry, to_entry, error);
	if (S_ISLNK(info.st_mode))
		return copy_link(from, to, name, to_entry, error);
	return S_ISREG(info.st_mode) ? copy_file(tree, from, to, name, from_entry, to_entry, error) : 0;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int copy_directory(Tree *tree, int from, const char *from_path, int to, const char *to_path, UtmError **error)
{
	int fd = utm__open_directory(from, ".");
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int result = 0;
	if (!stream) {
		result = utm__fail_errno(error, errno, from_path, "cannot list");
		utm__close_fd(&fd);
		return result;
	}
	while (result == 0 && (errno = 0, entry = readdir(stream)))
		if (!is_dots(entry->d_name))
			result = copy_entry(tree, from, from_path, to, to_path, entry->d_name, error);
	if (result == 0 && errno)
		result = utm__fail_errno(error, errno, from_path, "cannot list");
	closedir(stream);
	utm__sync_directory(to);
	return result;
}

int utm__copy_tree(UtmCopy *copy, int from, const char *from_path, int to, const char *to_path, UtmError **error)
{
	Tree tree = { .copy = copy };
	return copy_directory(&tree, from, from_path, to, to_path, error);
}

static void remove_below(int parent, const char *name, int depth)
{
	int fd = depth < 2 * UTM_BUNDLE_DEPTH_MAX ? utm__open_directory(parent, name) : -1;
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	if (!stream)
		utm__close_fd(&fd);
	while (stream && (entry = readdir(stream)))
		if (!is_dots(entry->d_name) && unlinkat(fd, entry->d_name, 0) < 0 && (errno == EISDIR || errno == EPERM))
			remove_below(fd, entry->d_name, depth + 1);
	if (stream)
		closedir(stream);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

void utm__remove_tree(int parent, const char *name)
{
	remove_below(parent, name, 0);
}
