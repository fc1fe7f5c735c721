/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connecting to a unix socket by a path of any length: a socket address holds about a hundred bytes, and bundles lie
 * deeper than that. A longer path is opened without opening the socket (O_PATH), and the socket is then reached
 * through the descriptor's entry in /proc. The process's working directory, which the host owns, stays as it is.
 */
#include "base/util.h"
#include "qmp/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Fills in an address for the path, with a descriptor in *ret_place that must stay open meanwhile. 0 or an errno. */
static int fill_address(struct sockaddr_un *address, const char *path, int *ret_place)
{
	if (strlen(path) < sizeof address->sun_path) {
		strcpy(address->sun_path, path);
		return 0;
	}
	*ret_place = open(path, O_PATH | O_CLOEXEC);
	if (*ret_place < 0)
		return errno;
	snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d", *ret_place);
	return 0;
}

/* Linux says "connection refused" of a file or directory, or, to others than root, "permission denied". */
static int fail_connect(const char *path, int errno_value, UtmError **error)
{
	struct stat info;
	if (stat(path, &info) < 0 || S_ISSOCK(info.st_mode))
		return utm__fail_errno(error, errno_value, path, "cannot connect to the socket");
	UtmError *made = utm__error_new(UTM_ERROR_IO, "this is no socket but a %s", S_ISDIR(info.st_mode) ? "directory" : "file");
	utm__error_set_errno(made, ENOTSOCK);
	utm__error_set_remedy(made, "Name the socket itself: the PATH of QEMU's `-qmp unix:PATH,server=on,wait=off`, for example.");
	return utm__fail_take(error, utm__error_set_file(made, path));
}

int utm__unix_connect(const char *path, UtmError **error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	utm_autofd place = -1;
	if (!*path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the socket's path is empty");
	utm_autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failed = fd < 0 ? errno : fill_address(&address, path, &place);
	if (!failed && connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		failed = errno;
	if (failed)
		return fail_connect(path, failed, error);
	int connected = fd;
	fd = -1;
	return connected;
}
