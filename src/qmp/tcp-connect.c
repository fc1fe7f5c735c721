/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connecting to a TCP port, on the thread of the caller. GIO's client would do it in fewer lines, but what it needs for
 * names and proxies attaches itself to the default main context, which is the host's.
 */
#include "base/util.h"
#include "core/request.h"
#include "qmp/client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* A cancel has no descriptor to wait for. */
#define CANCEL_CHECK_MS 20

typedef struct addrinfo AddressList;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AddressList, freeaddrinfo)

/* Waits until the socket is connected. 0 or an errno; ETIMEDOUT and ECANCELED are ours, too. */
static int wait_connected(int fd, gint64 deadline_us, UtmCancel *cancel)
{
	struct pollfd writable = { .fd = fd, .events = POLLOUT };
	while (poll(&writable, 1, CANCEL_CHECK_MS) <= 0) {
		if (utm__cancel_is_triggered(cancel))
			return ECANCELED;
		if (utm__now_us() >= deadline_us)
			return ETIMEDOUT;
	}
	int failed = 0;
	socklen_t size = sizeof failed;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0 ? errno : failed;
}

/* 0 with the descriptor in *ret_fd, or an errno. */
static int connect_to(const struct addrinfo *address, gint64 deadline_us, UtmCancel *cancel, int *ret_fd)
{
	utm_autofd fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	int failed = fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0 ? errno : 0;
	if (failed == EINPROGRESS)
		failed = wait_connected(fd, deadline_us, cancel);
	if (failed)
		return failed;
	/* Commands are short and answered one by one: waiting to fill a packet would cost a delay each time. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* When to go on to the next address, so that one that swallows packets leaves time for the others. */
static gint64 share_of_time(gint64 deadline_us, const struct addrinfo *address)
{
	gint64 now_us = utm__now_us();
	int left = 0;
	for (const struct addrinfo *a = address; a; a = a->ai_next)
		left++;
	return deadline_us == G_MAXINT64 ? deadline_us : now_us + MAX(deadline_us - now_us, 0) / left;
}

static int look_up(const char *host, guint16 port, AddressList **ret, UtmError **error)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	char service[8];
	snprintf(service, sizeof service, "%u", port);
	int failed = getaddrinfo(host, service, &hints, ret);
	if (failed == EAI_SYSTEM)
		return utm__fail_errno(error, errno, NULL, "cannot look up the monitor's host");
	if (failed)
		return utm__fail(error, UTM_ERROR_NOT_FOUND, "cannot look up the monitor's host %s: %s", host, gai_strerror(failed));
	return 0;
}

int utm__tcp_connect(const char *host, guint16 port, gint64 deadline_us, UtmCancel *cancel, UtmError **error)
{
	g_autoptr(AddressList) addresses = NULL;
	int fd = -1, failed = look_up(host, port, &addresses, error);
	if (failed)
		return failed;
	for (const struct addrinfo *a = addresses; a && fd < 0 && failed != ECANCELED; a = a->ai_next)
		failed = connect_to(a, share_of_time(deadline_us, a), cancel, &fd);
	if (fd >= 0)
		return fd;
	if (failed == ECANCELED)
		return utm__fail(error, UTM_ERROR_CANCELLED, "connecting to the monitor was cancelled");
	UtmError *failure = utm__error_new(failed == ETIMEDOUT ? UTM_ERROR_TIMEOUT : UTM_ERROR_IO,
	                                   "cannot connect to the monitor at %s port %u: %s", host, port, g_strerror(failed));
	return utm__fail_take(error, utm__error_set_errno(failure, failed));
}
