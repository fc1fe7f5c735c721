/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/runtime-dir.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DIR_PREFIX "libutm-"
#define DIR_TEMPLATE DIR_PREFIX "XXXXXX"
#define LOCK_NAME "lock"
#define NEW_LOCK_NAME "lock.new"
/* Of a base directory that somebody has filled, more is not looked at. */
#define SWEEP_ENTRIES_MAX 10000

static bool short_enough(const char *base)
{
	return strlen(base) + 1 + strlen(DIR_TEMPLATE) <= UTM_RUNTIME_DIR_MAX;
}

/* ---------------------------------------------------------------- the lock */

/* The file gets its name when it is locked already: one that a sweeper finds and can lock has lost its owner. */
static int lock_dir(const char *path)
{
	g_autofree char *new_name = g_build_filename(path, NEW_LOCK_NAME, NULL);
	g_autofree char *name = g_build_filename(path, LOCK_NAME, NULL);
	int fd = open(new_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) < 0 || rename(new_name, name) < 0))
		utm__close_fd(&fd);
	return fd;
}

static bool is_ours(int fd, mode_t type)
{
	struct stat info;
	return fstat(fd, &info) == 0 && (info.st_mode & S_IFMT) == type && info.st_uid == geteuid() &&
	       (info.st_mode & 077) == 0;
}

/* ---------------------------------------------------------------- removing */

/* The directory is flat: nothing but sockets and small files is ever made in it. The lock goes last. */
static void empty_dir(int fd)
{
	int listed = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = listed < 0 ? NULL : fdopendir(listed);
	if (!dir) {
		utm__close_fd(&listed);
		return;
	}
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, LOCK_NAME) != 0)
			unlinkat(fd, entry->d_name, 0);
	unlinkat(fd, LOCK_NAME, 0);
	closedir(dir);
}

static int open_dir_at(int base, const char *name)
{
	return openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

void utm__runtime_dir_remove(const char *path, int *lock)
{
	utm_autofd fd = path ? open_dir_at(AT_FDCWD, path) : -1;
	if (fd >= 0) {
		empty_dir(fd);
		rmdir(path);
	}
	utm__close_fd(lock);
}

/* A link, a stranger's directory, one without a lock (it may be on its way) or with an owner: none of these is touched. */
static void sweep_one(int base, const char *name)
{
	utm_autofd dir = open_dir_at(base, name);
	if (dir < 0 || !is_ours(dir, S_IFDIR))
		return;
	utm_autofd lock = openat(dir, LOCK_NAME, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (lock < 0 || !is_ours(lock, S_IFREG) || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return;
	empty_dir(dir);
	unlinkat(base, name, AT_REMOVEDIR);
}

static void sweep(const char *base)
{
	DIR *dir = opendir(base);
	if (!dir)
		return;
	struct dirent *entry;
	for (int i = 0; i < SWEEP_ENTRIES_MAX && (entry = readdir(dir)); i++)
		if (g_str_has_prefix(entry->d_name, DIR_PREFIX) && strlen(entry->d_name) == strlen(DIR_TEMPLATE))
			sweep_one(dirfd(dir), entry->d_name);
	closedir(dir);
}

/* ---------------------------------------------------------------- making */

static char *make_below(const char *base)
{
	sweep(base);
	char *path = g_build_filename(base, DIR_TEMPLATE, NULL);
	if (g_mkdtemp_full(path, 0700))
		return path;
	g_free(path);
	return NULL;
}

/* What the application chose is used or fails: sockets must not turn up where it does not expect them. */
static char *make_below_chosen(const char *chosen, UtmError **error)
{
	char *path = g_mkdir_with_parents(chosen, 0700) < 0 ? NULL : make_below(chosen);
	if (!path)
		utm__fail_errno(error, errno, chosen, "cannot make the directory for sockets");
	return path;
}

/*
 * A home or a run-time directory may have any length, a socket's address has 107 bytes: a base that is too long is
 * passed over. /tmp is always short, and a directory made there by mkdtemp is ours alone.
 */
static char *make_dir(const char *chosen, UtmError **error)
{
	if (chosen && short_enough(chosen))
		return make_below_chosen(chosen, error);
	const char *bases[] = { g_getenv("XDG_RUNTIME_DIR"), "/tmp" };
	char *path = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(bases) && !path; i++)
		if (bases[i] && g_path_is_absolute(bases[i]) && short_enough(bases[i]))
			path = make_below(bases[i]);
	if (!path)
		utm__fail_errno(error, errno, "/tmp", "cannot make a directory for sockets");
	return path;
}

char *utm__runtime_dir_new(UtmContext *context, int *ret_lock, UtmError **error)
{
	char *path = make_dir(utm__context_get_runtime_dir(context), error);
	if (path)
		*ret_lock = lock_dir(path);
	return path;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address)
{
	if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) < 0)
		return errno;
	if (chmod(address->sun_path, 0600) < 0 || listen(fd, 4) < 0)
		return errno;
	return 0;
}

int utm__listen_unix(const char *dir, const char *name, char **ret_path, UtmError **error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	g_autofree char *path = g_build_filename(dir, name, NULL);
	if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path)
		return utm__fail_errno(error, ENAMETOOLONG, path, "cannot listen");
	utm_autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int failed = bind_and_listen(fd, &address);
	if (failed)
		return utm__fail_errno(error, failed, path, "cannot listen");
	if (ret_path)
		*ret_path = g_steal_pointer(&path);
	int listening = fd;
	fd = -1;
	return listening;
}
