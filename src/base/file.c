/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"

#include "base/error-private.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PREFIX ".utm-"
#define SUFFIX ".tmp"
#define RANDOM_LENGTH 12
#define NAMES_TRIED 100

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz012345";

void utm__make_temporary_name(char name[UTM_TEMPORARY_NAME_SIZE])
{
	guint8 bytes[RANDOM_LENGTH];
	char text[RANDOM_LENGTH + 1] = { 0 };
	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		for (gsize i = 0; i < sizeof bytes; i++)
			bytes[i] = (guint8)g_random_int();
	for (gsize i = 0; i < sizeof bytes; i++)
		text[i] = alphabet[bytes[i] % 32];
	g_snprintf(name, UTM_TEMPORARY_NAME_SIZE, PREFIX "%s" SUFFIX, text);
}

bool utm__is_temporary_name(const char *name)
{
	gsize before = strlen(PREFIX);
	return strlen(name) == before + RANDOM_LENGTH + strlen(SUFFIX) && memcmp(name, PREFIX, before) == 0 &&
	       strspn(name + before, alphabet) == RANDOM_LENGTH && strcmp(name + before + RANDOM_LENGTH, SUFFIX) == 0;
}

int utm__create_temporary(int directory, mode_t mode, char ret_name[UTM_TEMPORARY_NAME_SIZE])
{
	int fd = -1;
	for (int i = 0; i < NAMES_TRIED && fd < 0; i++) {
		utm__make_temporary_name(ret_name);
		fd = openat(directory, ret_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd;
}

int utm__write_all(int fd, const void *data, size_t size)
{
	const char *bytes = data;
	while (size > 0) {
		ssize_t written = write(fd, bytes, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno;
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}

int utm__close_written(int *fd)
{
	int number = *fd;
	*fd = -1;
	/* The descriptor is gone also when a signal came. */
	return close(number) < 0 && errno != EINTR ? errno : 0;
}

int utm__take_over_mode(int fd, const struct stat *former)
{
	struct stat own;
	mode_t mode = former->st_mode & 0777;
	if (fstat(fd, &own) < 0)
		return errno;
	if (own.st_uid != former->st_uid || own.st_gid != former->st_gid) {
		int failed = fchown(fd, former->st_uid, former->st_gid);
		if (failed)
			failed = fchown(fd, (uid_t)-1, former->st_gid);
		/* What the former group might do, this one may only do when everybody may. */
		if (failed && own.st_gid != former->st_gid)
			mode &= (mode_t)(0707 | (mode & 07) << 3);
	}
	return fchmod(fd, mode) < 0 ? errno : 0;
}

/*
 * For file systems that cannot rename without replacing. A directory takes the place of an empty one that is ours alone;
 * a file has a second name for a moment.
 */
static int rename_new_slowly(int from_directory, const char *from, int to_directory, const char *to)
{
	struct stat info;
	if (fstatat(from_directory, from, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	if (!S_ISDIR(info.st_mode)) {
		if (linkat(from_directory, from, to_directory, to, 0) == 0)
			return unlinkat(from_directory, from, 0) < 0 ? errno : 0;
		if (errno == EEXIST)
			return errno;
		/* No hard links either, as on FAT: then looking first has to do. */
		if (fstatat(to_directory, to, &info, AT_SYMLINK_NOFOLLOW) == 0)
			return EEXIST;
		return renameat(from_directory, from, to_directory, to) < 0 ? errno : 0;
	}
	if (mkdirat(to_directory, to, 0700) < 0)
		return errno;
	if (renameat(from_directory, from, to_directory, to) == 0)
		return 0;
	int failed = errno;
	(void)unlinkat(to_directory, to, AT_REMOVEDIR);
	return failed;
}

int utm__rename_new(int from_directory, const char *from, int to_directory, const char *to)
{
	if (renameat2(from_directory, from, to_directory, to, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL || errno == ENOSYS ? rename_new_slowly(from_directory, from, to_directory, to) : errno;
}

void utm__sync_directory(int directory)
{
	/* The one at hand may be good for paths only. */
	utm_autofd fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd);
}

/* The file under its temporary name is complete on disk when this returns 0. */
static int write_beside(int *fd, const struct stat *former, const void *data, size_t size)
{
	int failed = utm__write_all(*fd, data, size);
	if (!failed && former)
		failed = utm__take_over_mode(*fd, former);
	if (!failed && fsync(*fd) < 0)
		failed = errno;
	int failed_to_close = utm__close_written(fd);
	return failed ? failed : failed_to_close;
}

int utm__write_file_at(int directory, const char *name, const char *path, const void *data, size_t size,
                       mode_t new_mode, UtmError **error)
{
	char temporary[UTM_TEMPORARY_NAME_SIZE];
	struct stat info;
	bool exists = fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode);
	int fd = utm__create_temporary(directory, exists ? 0600 : new_mode, temporary);
	if (fd < 0)
		return utm__fail_errno(error, errno, path, "cannot write beside it");
	int failed = write_beside(&fd, exists ? &info : NULL, data, size);
	if (!failed && renameat(directory, temporary, directory, name) < 0)
		failed = errno;
	if (failed) {
		(void)unlinkat(directory, temporary, 0);
		return utm__fail_errno(error, failed, path, "cannot write");
	}
	utm__sync_directory(directory);
	return 0;
}

int utm__write_file_atomic(const char *path, const void *data, size_t size, mode_t new_mode, UtmError **error)
{
	g_autofree char *above = g_path_get_dirname(path);
	g_autofree char *name = g_path_get_basename(path);
	utm_autofd directory = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return utm__fail_errno(error, errno, path, "cannot write beside it");
	return utm__write_file_at(directory, name, path, data, size, new_mode, error);
}
