/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serial ports: what is left open, and how many a machine has. */
#include "check/check-private.h"

#include <string.h>

static bool is_color(const char *text)
{
	return *text == '#' && strspn(text + 1, "0123456789abcdefABCDEF") == 6 && strlen(text) == 7;
}

static void check_color(UtmCheck *check, const char *place, const char *key, const char *text)
{
	utm__check_at(check, "%s.%s", place, key);
	if (text && !is_color(text))
		utm__find_with_remedy(check, UTM_FINDING_SETTING_IGNORED, "Write the colour as # and six hexadecimal digits.",
		                      "\"%.40s\" is no colour", text);
}

void utm__check_terminal(UtmCheck *check, const UtmConfigTerminal *terminal)
{
	g_autofree char *place = g_strdup(check->key_path);
	check_color(check, place, "ForegroundColor", terminal->foreground_color);
	check_color(check, place, "BackgroundColor", terminal->background_color);
}

static void check_mode(UtmCheck *check, const UtmConfigSerial *serial, gsize index)
{
	bool client = serial->mode == UTM_CONFIG_SERIAL_MODE_TCP_CLIENT;
	bool server = serial->mode == UTM_CONFIG_SERIAL_MODE_TCP_SERVER;
	if (client && !(serial->tcp_host_address && *serial->tcp_host_address)) {
		utm__check_at(check, "Serial[%zu].TcpHostAddress", index);
		utm__find(check, UTM_FINDING_SERIAL_INCOMPLETE, "no host to connect to is named; QEMU is sent to example.com");
	}
	if ((client || server) && !serial->has_tcp_port) {
		utm__check_at(check, "Serial[%zu].TcpPort", index);
		utm__find(check, UTM_FINDING_SERIAL_INCOMPLETE, "no port is named; 1234 is taken");
	}
	utm__check_at(check, "Serial[%zu].Terminal", index);
	if (serial->mode == UTM_CONFIG_SERIAL_MODE_TERMINAL && serial->terminal)
		utm__check_terminal(check, serial->terminal);
	else if (serial->mode == UTM_CONFIG_SERIAL_MODE_TERMINAL)
		utm__find(check, UTM_FINDING_SERIAL_INCOMPLETE,
		          "nothing says how the terminal looks; UTM's window ends without");
}

static void check_debugger(UtmCheck *check)
{
	const UtmConfigQemu *qemu = check->qemu;
	gsize first = qemu->serial_count;
	for (gsize i = 0; i < qemu->serial_count; i++) {
		if (qemu->serial[i]->target != UTM_CONFIG_SERIAL_TARGET_GDB)
			continue;
		utm__check_at(check, "Serial[%zu].Target", i);
		if (first < qemu->serial_count)
			utm__find(check, UTM_FINDING_SETTING_IGNORED, "port %zu is for the debugger too; QEMU takes the last one",
			          first);
		first = MIN(first, i);
	}
}

/* What has no port on the board goes nowhere, without a word from QEMU. Only PCs are certain to have four. */
static guint count_board_ports(const UtmCheck *check)
{
	const char *target = check->qemu->system->target;
	bool x86 = check->architecture && check->architecture->traits & UTM_ARCH_X86;
	return x86 && (g_str_has_prefix(target, "pc") || !strcmp(target, "q35") || !strcmp(target, "isapc")) ? 4
	                                                                                                     : G_MAXUINT;
}

static void check_count(UtmCheck *check)
{
	guint most = count_board_ports(check), ports = 0;
	for (gsize i = 0; i < check->qemu->serial_count; i++) {
		if (check->qemu->serial[i]->target != UTM_CONFIG_SERIAL_TARGET_AUTO || ++ports <= most)
			continue;
		utm__check_at(check, "Serial[%zu].Target", i);
		utm__find(check, UTM_FINDING_SERIAL_COUNT, "machine %s has %u serial ports; this one leads nowhere",
		          check->qemu->system->target, most);
	}
}

void utm__check_serial(UtmCheck *check)
{
	for (gsize i = 0; i < check->qemu->serial_count; i++)
		check_mode(check, check->qemu->serial[i], i);
	check_debugger(check);
	check_count(check);
}
