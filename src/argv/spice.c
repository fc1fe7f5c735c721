/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Data directories, the SPICE server, the monitor, and the switch-off of QEMU's default devices.
 *
 * UTM carries the monitor inside the SPICE connection. On Linux it has a socket of its own, so that no display
 * server or client stands between a machine and its control.
 */
#include "argv/groups.h"

void utm__argv_start(UtmArgvBuilder *b)
{
	if (b->macos)
		utm__add(b, "-L", "%s/qemu", b->facts->cache_dir ? b->facts->cache_dir : "");
	for (gsize i = 0; !b->macos && i < b->facts->data_dirs_count; i++)
		utm__add(b, "-L", "%s", b->facts->data_dirs[i]);
	utm__add_flag(b, "-S");
}

void utm__add_control_socket(UtmArgvBuilder *b, const char *id, int fd, const char *name)
{
	const char *dir = b->runtime->runtime_dir;

	utm__add(b, "-chardev", "socket,id=%s", id);
	if (fd >= 0)
		utm__add_more(b, ",fd=%d", fd);
	else
		utm__add_more(b, ",path=%s%s%s", dir ? utm__quote(b, dir) : "", dir ? "/" : "", name);
	utm__add_more(b, ",server=on,wait=off");
}

static void add_server(UtmArgvBuilder *b)
{
	/* A bare name below QEMU's working directory: socket addresses are short. */
	if (b->macos)
		utm__add(b, "-spice", "unix=on,addr=%s.spice", utm__text(b, b->uuid));
	else
		utm__add(b, "-spice", "unix=on,addr=" UTM_SOCKET_SPICE);
	utm__add_more(b, ",disable-ticketing=on,image-compression=off,playback-compression=off,streaming-video=off");
	if (b->gl_display < 0)
		utm__add_more(b, ",gl=off");
	else
		utm__add_more(b, ",gl=%s", b->macos ? "es" : "on");
	if (!b->macos && b->gl_display >= 0)
		utm__add_text(b, "rendernode", b->facts->render_node);
}

void utm__argv_spice(UtmArgvBuilder *b)
{
	add_server(b);
	if (b->macos)
		utm__add(b, "-chardev", "spiceport,name=org.qemu.monitor.qmp.0,id=org.qemu.monitor.qmp");
	else
		utm__add_control_socket(b, "org.qemu.monitor.qmp", b->runtime->qmp_fd, UTM_SOCKET_QMP);
	utm__add(b, "-mon", "chardev=org.qemu.monitor.qmp,mode=control");
	/* SPARC machines need some of their default devices to boot. */
	if (b->architecture->traits & UTM_ARCH_SPARC)
		return;
	utm__add_flag(b, "-nodefaults");
	utm__add(b, "-vga", "none");
}
