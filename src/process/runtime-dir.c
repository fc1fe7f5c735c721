/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/runtime-dir.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DIR_TEMPLATE "libutm-XXXXXX"

static bool short_enough(const char *base)
{
	return strlen(base) + 1 + strlen(DIR_TEMPLATE) <= UTM_RUNTIME_DIR_MAX;
}

static char *make_below(const char *base)
{
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
char *utm__runtime_dir_new(UtmContext *context, UtmError **error)
{
	const char *chosen = utm__context_get_runtime_dir(context);
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

/* The directory is flat: nothing but sockets and small files is ever made in it. */
void utm__runtime_dir_remove(const char *path)
{
	DIR *dir = path ? opendir(path) : NULL;
	if (!dir)
		return;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
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
