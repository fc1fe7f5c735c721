/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/file.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- places --- */

static int set_place(UtmImagePlace *place, const char *real_dir, const char *name, UtmError **error)
{
	place->dir_path = g_strdup(real_dir);
	place->name = g_strdup(name);
	place->path = g_build_filename(real_dir, name, NULL);
	place->dir = open(real_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return place->dir < 0 ? utm__fail_errno(error, errno, place->path, "cannot open its directory") : 0;
}

int utm__image_place_find(const char *path, bool must_exist, UtmImagePlace *ret_place, UtmError **error)
{
	char *real = realpath(path, NULL); /* the C library's memory */
	g_autofree char *given_dir = g_path_get_dirname(path);
	g_autofree char *name = g_path_get_basename(real ? real : path);
	int failed = real ? 0 : errno;

	*ret_place = (UtmImagePlace)UTM_IMAGE_PLACE_INIT;
	if (!real && (must_exist || failed != ENOENT))
		return utm__fail_errno(error, failed, path, "cannot open the image");
	char *real_dir = real ? g_path_get_dirname(real) : realpath(given_dir, NULL);
	int result = real_dir ? set_place(ret_place, real_dir, name, error)
	                      : utm__fail_errno(error, errno, path, "cannot open its directory");
	free(real);
	free(real_dir);
	return result;
}

void utm__image_place_clear(UtmImagePlace *place)
{
	utm__close_fd(&place->dir);
	g_clear_pointer(&place->dir_path, g_free);
	g_clear_pointer(&place->name, g_free);
	g_clear_pointer(&place->path, g_free);
}

/* --- locks --- */

/*
 * QEMU's protocol since 2.10, part of what its releases keep to among themselves: one byte of the file for each permission
 * that somebody has, and another for each that somebody does not grant to others. All are locked for reading; who
 * wants to know looks for a lock of another one.
 */
enum {
	TAKEN = 100,
	DENIED = 200,
	PERMISSION_WRITE = 1,
	PERMISSION_RESIZE = 3,
};

static const int permissions[] = { PERMISSION_WRITE, PERMISSION_RESIZE };

static struct flock lock_of(int type, off_t byte)
{
	return (struct flock){ .l_type = (short)type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
}

static void deny(int fd, int type)
{
	for (gsize i = 0; i < G_N_ELEMENTS(permissions); i++) {
		struct flock lock = lock_of(type, DENIED + permissions[i]);
		(void)fcntl(fd, F_OFD_SETLK, &lock);
	}
}

bool utm__image_is_written(int fd)
{
	for (gsize i = 0; i < G_N_ELEMENTS(permissions); i++) {
		struct flock lock = lock_of(F_WRLCK, TAKEN + permissions[i]);
		if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
			return true;
	}
	return false;
}

int utm__image_lock(int fd, const char *path, UtmError **error)
{
	/* First denied, then looked: of two that do this at once, one at least sees the other. */
	deny(fd, F_RDLCK);
	if (!utm__image_is_written(fd))
		return 0;
	utm__image_unlock(fd);
	UtmError *made = utm__error_new(UTM_ERROR_IMAGE_IN_USE, "a QEMU has the image open for writing");
	return utm__fail_take(error, utm__error_set_file(made, path));
}

void utm__image_unlock(int fd)
{
	deny(fd, F_UNLCK);
}

/* --- drafts --- */

int utm__image_draft_new(const UtmImagePlace *place, UtmImageDraft *ret_draft, UtmError **error)
{
	*ret_draft = (UtmImageDraft){ .dir = fcntl(place->dir, F_DUPFD_CLOEXEC, 3) };
	ret_draft->fd = openat(place->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (ret_draft->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		ret_draft->fd = utm__create_temporary(place->dir, 0600, ret_draft->temporary);
	return ret_draft->fd < 0 ? utm__fail_errno(error, errno, place->path, "cannot create") : 0;
}

/* 0 or an errno. */
static int link_as(const UtmImageDraft *draft, const char *name)
{
	g_autofree char *file = g_strdup_printf("/proc/self/fd/%d", draft->fd);

	return linkat(AT_FDCWD, file, draft->dir, name, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
}

static int name_it(UtmImageDraft *draft)
{
	if (*draft->temporary)
		return 0;
	utm__make_temporary_name(draft->temporary);
	int failed = link_as(draft, draft->temporary);
	if (failed)
		*draft->temporary = 0;
	return failed;
}

static int put_new(UtmImageDraft *draft, const char *name)
{
	return *draft->temporary ? utm__rename_new(draft->dir, draft->temporary, draft->dir, name) : link_as(draft, name);
}

static int put_over(UtmImageDraft *draft, const char *name)
{
	int failed = name_it(draft);

	return failed ? failed : renameat(draft->dir, draft->temporary, draft->dir, name) < 0 ? errno : 0;
}

static bool is_still_there(const UtmImagePlace *place, const struct stat *former)
{
	struct stat info;

	return fstatat(place->dir, place->name, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_dev == former->st_dev &&
	       info.st_ino == former->st_ino;
}

int utm__image_draft_finish(UtmImageDraft *draft, const UtmImagePlace *place, const struct stat *former,
                            UtmError **error)
{
	/* qemu-img has flushed it already; what failed meanwhile is told here. */
	int failed = former ? utm__take_over_mode(draft->fd, former) : 0;

	if (!failed && fsync(draft->fd) < 0)
		failed = errno;
	if (failed)
		return utm__fail_errno(error, failed, place->path, "cannot write the new image");
	if (former && !is_still_there(place, former)) {
		UtmError *made = utm__error_new(UTM_ERROR_IMAGE_IN_USE, "another file has taken its place meanwhile");
		return utm__fail_take(error, utm__error_set_file(made, place->path));
	}
	failed = former ? put_over(draft, place->name) : put_new(draft, place->name);
	if (failed == EEXIST) {
		UtmError *made = utm__error_new(UTM_ERROR_BUNDLE_EXISTS, "is there already");
		return utm__fail_take(error, utm__error_set_file(made, place->path));
	}
	if (failed)
		return utm__fail_errno(error, failed, place->path, "cannot put the new image in place");
	*draft->temporary = 0;
	utm__sync_directory(draft->dir);
	return 0;
}

void utm__image_draft_clear(UtmImageDraft *draft)
{
	if (*draft->temporary)
		(void)unlinkat(draft->dir, draft->temporary, 0);
	utm__close_fd(&draft->fd);
	utm__close_fd(&draft->dir);
	*draft->temporary = 0;
}
