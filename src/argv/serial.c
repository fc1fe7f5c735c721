/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serial ports: where their text goes, and what in the machine it comes from. */
#include "argv/groups.h"

enum {
	DEFAULT_PORT = 1234
};

static int64_t get_port(UtmArgvBuilder *b, const UtmConfigSerial *serial, guint index)
{
	int64_t port = serial->has_tcp_port ? serial->tcp_port : DEFAULT_PORT;

	utm__builder_at(b, "Serial[%u].TcpPort", index);
	if (!b->exact && (port < 1 || port > 65535))
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "port %" G_GINT64_FORMAT " is not between 1 and 65535", port);
	utm__builder_at(b, "Serial[%u].Mode", index);
	return port;
}

static void add_client(UtmArgvBuilder *b, const UtmConfigSerial *serial, guint index)
{
	const char *host = serial->tcp_host_address ? serial->tcp_host_address : "example.com";

	utm__add(b, "-chardev", "socket,id=term%u,port=%" G_GINT64_FORMAT ",host=%s,server=off", index,
	         get_port(b, serial, index), utm__text(b, host));
}

static void add_server(UtmArgvBuilder *b, const UtmConfigSerial *serial, guint index)
{
	bool open = serial->has_remote_connection_allowed && serial->remote_connection_allowed;
	bool wait = serial->has_wait_for_connection && serial->wait_for_connection;

	utm__add(b, "-chardev", "socket,id=term%u,port=%" G_GINT64_FORMAT ",host=%s,server=on,wait=%s", index,
	         get_port(b, serial, index), open ? "0.0.0.0" : "127.0.0.1", wait ? "on" : "off");
}

static void add_terminal(UtmArgvBuilder *b, guint index, gsize terminal)
{
	g_autofree char *id = g_strdup_printf("term%u", index);
	g_autofree char *name = g_strdup_printf(UTM_SOCKET_TERMINAL, index);
	const UtmArgvRuntime *runtime = b->runtime;

	if (b->macos)
		utm__add(b, "-chardev", "spiceport,id=term%u,name=com.utmapp.terminal.%u", index, index);
	else
		utm__add_control_socket(b, id, terminal < runtime->serial_fd_count ? runtime->serial_fds[terminal] : -1, name);
}

static const char *get_hardware(UtmArgvBuilder *b, const UtmConfigSerial *serial, guint index)
{
	utm__builder_at(b, "Serial[%u].Hardware", index);
	/* UTM has this word for a missing name; QEMU then refuses it. */
	if (!serial->hardware && b->exact)
		return "invalid";
	if (!serial->hardware)
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "a serial port with target Manual needs a device");
	return utm__name(b, serial->hardware, "device");
}

static void add_front_end(UtmArgvBuilder *b, const UtmConfigSerial *serial, guint index)
{
	utm__builder_at(b, "Serial[%u].Target", index);
	switch (serial->target) {
	case UTM_CONFIG_SERIAL_TARGET_MANUAL:
		utm__add(b, "-device", "%s,chardev=term%u", get_hardware(b, serial, index), index);
		break;
	case UTM_CONFIG_SERIAL_TARGET_MONITOR:
		utm__add(b, "-mon", "chardev=term%u,mode=readline", index);
		break;
	case UTM_CONFIG_SERIAL_TARGET_GDB:
		utm__add(b, "-gdb", "chardev:term%u", index);
		break;
	default:
		utm__add(b, "-serial", "chardev:term%u", index);
		break;
	}
}

void utm__argv_serial(UtmArgvBuilder *b)
{
	gsize terminals = 0;

	for (guint i = 0; i < b->config->serial_count; i++) {
		const UtmConfigSerial *serial = b->config->serial[i];

		utm__builder_at(b, "Serial[%u].Mode", i);
		if (serial->mode == UTM_CONFIG_SERIAL_MODE_TCP_CLIENT)
			add_client(b, serial, i);
		else if (serial->mode == UTM_CONFIG_SERIAL_MODE_TCP_SERVER)
			add_server(b, serial, i);
		else if (serial->mode == UTM_CONFIG_SERIAL_MODE_PTTY)
			utm__add(b, "-chardev", "pty,id=term%u", i);
		else
			add_terminal(b, i, terminals++);
		add_front_end(b, serial, i);
	}
}
