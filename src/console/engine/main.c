/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utm-console-engine: shows a display server's screens to the library that started it, over the socket it inherits as
 * descriptor 3. It exits when that socket closes, so it never outlives its application.
 */
#include "link.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/*
 * Pictures come as messages of up to some megabytes. Left alone, malloc gives that memory back to the kernel after each
 * and page faults cost three times what the pixels do. This is our own process, so it may keep it.
 */
static void keep_memory(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

/* What SPICE's libraries would load, scan and write beyond a connection to a socket: codecs, settings, proxies. */
static void keep_to_the_point(void)
{
	static const char *const settings[][2] = {
		{ "SPICE_DISABLE_OPUS", "1" },
		{ "GST_PLUGIN_SYSTEM_PATH_1_0", "" },
		{ "GST_PLUGIN_PATH_1_0", "" },
		{ "GST_REGISTRY_DISABLE", "yes" },
		{ "GIO_USE_VFS", "local" },
		{ "GIO_USE_VOLUME_MONITOR", "unix" },
		{ "GIO_USE_PROXY_RESOLVER", "dummy" },
		{ "GSETTINGS_BACKEND", "memory" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(settings); i++)
		g_setenv(settings[i][0], settings[i][1], TRUE);
}

static bool is_protocol_socket(int fd)
{
	int type = 0;
	socklen_t size = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		printf("utm-console-engine %s (protocol %u)\n", UTM_ENGINE_VERSION, UTM_PROTOCOL_VERSION);
		return 0;
	}
	if (!is_protocol_socket(UTM_ENGINE_FD)) {
		fprintf(stderr, "%s is started by libutm, which shares a socket with it\n", argv[0]);
		return 2;
	}
	fcntl(UTM_ENGINE_FD, F_SETFD, FD_CLOEXEC);
#ifdef PR_SET_NO_NEW_PRIVS
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
	keep_memory();
	keep_to_the_point();
	link_serve(UTM_ENGINE_FD, &spice_engine);
	return 0;
}
