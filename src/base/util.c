/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/util.h"

#include "base/error-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utm/types.h>

void utm_free(void *memory)
{
	g_free(memory);
}

void utm__close_fd(int *fd)
{
	int number = *fd;
	*fd = -1;
	if (number >= 0)
		close(number);
}

void utm__cond_init_monotonic(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, data, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno;
		data += written;
		size -= (size_t)written;
	}
	return 0;
}

/* Returns an errno. The file under its temporary name is complete on disk when this returns 0. */
static int write_beside(int fd, const struct stat *former, const void *data, size_t size)
{
	int failed = write_all(fd, data, size);
	if (!failed && former && fchmod(fd, former->st_mode & 0777) < 0)
		failed = errno;
	if (!failed && fsync(fd) < 0)
		failed = errno;
	return failed;
}

/* Makes the rename itself durable; a file system that cannot do it is not an error. */
static void sync_directory_of(const char *path)
{
	g_autofree char *directory = g_path_get_dirname(path);
	utm_autofd fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd);
}

int utm__write_file_atomic(const char *path, const void *data, size_t size, mode_t new_mode, UtmError **error)
{
	struct stat info;
	struct stat *former = stat(path, &info) == 0 ? &info : NULL;
	g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
	/* The system takes the umask off; asking for it would mean to change it, for the whole process. */
	utm_autofd fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, former ? 0600 : (int)new_mode);
	if (fd < 0)
		return utm__fail_errno(error, errno, path, "cannot write beside it");
	int failed = write_beside(fd, former, data, size);
	if (!failed && rename(temporary, path) < 0)
		failed = errno;
	if (failed) {
		unlink(temporary);
		return utm__fail_errno(error, failed, path, "cannot write");
	}
	sync_directory_of(path);
	return 0;
}
