/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks: their addresses, and ports of the host that several want. */
#include "check/check-private.h"

#include <arpa/inet.h>
#include <string.h>

/* --- addresses of the user network --- */

typedef struct Net {
	guint32 address, mask; /* host byte order */
} Net;

static bool parse_ipv4(const char *text, guint32 *ret_address)
{
	struct in_addr parsed;
	if (inet_pton(AF_INET, text, &parsed) != 1)
		return false;
	*ret_address = ntohl(parsed.s_addr);
	return true;
}

static bool parse_bits(const char *text, guint32 *ret_mask)
{
	guint64 bits;
	if (strchr(text, '.'))
		return parse_ipv4(text, ret_mask);
	if (!g_ascii_string_to_unsigned(text, 10, 4, 29, &bits, NULL))
		return false;
	*ret_mask = ~(guint32)0 << (32 - bits);
	return true;
}

static bool parse_net(const char *text, Net *ret_net)
{
	g_auto(GStrv) parts = g_strsplit(text, "/", 2);
	*ret_net = (Net){ 0, 0xffffff00 };
	return parts[0] && parse_ipv4(parts[0], &ret_net->address) && (!parts[1] || parse_bits(parts[1], &ret_net->mask));
}

static bool is_given(const char *text)
{
	return text && *text;
}

/* Only addresses of the guest's own network are any use to it. */
static void check_in_net(UtmCheck *check, gsize index, const char *key, const char *text, const Net *net)
{
	guint32 address;
	utm__check_at(check, "Network[%zu].%s", index, key);
	if (!is_given(text))
		return;
	if (!parse_ipv4(text, &address))
		utm__find(check, UTM_FINDING_VALUE, "\"%s\" is no IPv4 address", text);
	else if (net && (address & net->mask) != (net->address & net->mask))
		utm__find(check, UTM_FINDING_NETWORK_ADDRESS, "%s is not in the network of the guest", text);
}

static void check_ipv4(UtmCheck *check, const UtmConfigNetwork *net, gsize index)
{
	/* What QEMU has without a word. */
	Net guest = { 0x0a000200, 0xffffff00 };
	bool known = true;
	utm__check_at(check, "Network[%zu].VlanGuestAddress", index);
	if (is_given(net->vlan_guest_address) && !parse_net(net->vlan_guest_address, &guest)) {
		known = false;
		utm__find(check, UTM_FINDING_VALUE, "\"%s\" is no IPv4 network: address/bits is", net->vlan_guest_address);
	}
	check_in_net(check, index, "VlanHostAddress", net->vlan_host_address, known ? &guest : NULL);
	check_in_net(check, index, "VlanDhcpStartAddress", net->vlan_dhcp_start_address, known ? &guest : NULL);
	/* The name server may be anywhere. */
	check_in_net(check, index, "VlanDnsServerAddress", net->vlan_dns_server_address, NULL);
}

static void check_ipv6(UtmCheck *check, gsize index, const char *key, const char *text, bool is_net)
{
	g_auto(GStrv) parts = g_strsplit(text ? text : "", "/", is_net ? 2 : 1);
	struct in6_addr parsed;
	guint64 bits;
	utm__check_at(check, "Network[%zu].%s", index, key);
	if (!is_given(text))
		return;
	if (inet_pton(AF_INET6, parts[0], &parsed) != 1 ||
	    (parts[1] && !g_ascii_string_to_unsigned(parts[1], 10, 0, 126, &bits, NULL)))
		utm__find(check, UTM_FINDING_VALUE, "\"%s\" is no IPv6 %s", text, is_net ? "network" : "address");
}

static void check_addresses(UtmCheck *check, const UtmConfigNetwork *net, gsize index)
{
	if (net->mode != UTM_CONFIG_NETWORK_MODE_EMULATED)
		return; /* the host's own networks have other rules */
	check_ipv4(check, net, index);
	check_ipv6(check, index, "VlanGuestAddressIPv6", net->vlan_guest_address_ipv6, true);
	check_ipv6(check, index, "VlanHostAddressIPv6", net->vlan_host_address_ipv6, false);
	check_ipv6(check, index, "VlanDnsServerAddressIPv6", net->vlan_dns_server_address_ipv6, false);
}

/* --- modes --- */

/* Of a Linux host the builder of the command line knows better: the user network stands in for other modes there. */
static bool may_be_mac(const UtmCheck *check)
{
	return check->any_host || utm__host_get_facts(check->host)->system == UTM_HOST_SYSTEM_MACOS;
}

static void check_mode(UtmCheck *check, const UtmConfigNetwork *net, gsize index)
{
	if (net->port_forward_count && net->mode != UTM_CONFIG_NETWORK_MODE_EMULATED && may_be_mac(check)) {
		utm__check_at(check, "Network[%zu].PortForward", index);
		utm__find(check, UTM_FINDING_FORWARD_IGNORED, "on a Mac the mode %s has no forwarded ports",
		          utm__config_enum_get_text("NetworkMode", net->mode));
	}
	if (net->mode == UTM_CONFIG_NETWORK_MODE_BRIDGED && !is_given(net->bridge_interface)) {
		utm__check_at(check, "Network[%zu].BridgeInterface", index);
		utm__find(check, UTM_FINDING_BRIDGE_UNNAMED, "the card is bridged, but no interface is named; UTM takes en0");
	}
}

/* --- ports of the host --- */

/* Addresses that one port is compared with: more only a hostile file has. */
#define COMPARED_MAX 256

typedef struct Ports {
	UtmCheck *check;
	GHashTable *known; /* "PROTOCOL PORT" to an array of Port */
} Ports;

typedef struct Port {
	guint32 address; /* 0: all */
	char *key_path;
} Port;

static void port_clear(void *port)
{
	g_free(((Port *)port)->key_path);
}

/* A port is taken for one address, or for all. */
static const Port *find_other(const GArray *others, guint32 address)
{
	for (guint i = 0; others && i < MIN(others->len, COMPARED_MAX); i++) {
		const Port *other = &g_array_index(others, Port, i);
		if (!address || !other->address || address == other->address)
			return other;
	}
	return NULL;
}

static void take_port(Ports *ports, const char *protocol, guint32 address, int64_t port)
{
	g_autofree char *key = g_strdup_printf("%s %" G_GINT64_FORMAT, protocol, port);
	GArray *others = g_hash_table_lookup(ports->known, key);
	const Port *other = find_other(others, address);
	if (other) {
		utm__find(ports->check, UTM_FINDING_DUPLICATE, "%s port %" G_GINT64_FORMAT " of the host is that of %s too",
		          protocol, port, other->key_path);
		return;
	}
	if (!others) {
		others = g_array_new(FALSE, FALSE, sizeof(Port));
		g_array_set_clear_func(others, port_clear);
		g_hash_table_insert(ports->known, g_steal_pointer(&key), others);
	}
	Port taken = { address, g_strdup(ports->check->key_path) };
	g_array_append_val(others, taken);
}

/* Without an address ours stays on the host; where UTM listens everywhere, it meets the same others and more. */
static guint32 listening_address(const char *text)
{
	guint32 address = 0x7f000001;
	if (is_given(text) && !parse_ipv4(text, &address))
		return 0x7f000001;
	return address;
}

static void take_forwards(Ports *ports, const UtmConfigNetwork *net, gsize index)
{
	for (gsize i = 0; i < net->port_forward_count; i++) {
		const UtmConfigPortForward *forward = net->port_forward[i];
		utm__check_at(ports->check, "Network[%zu].PortForward[%zu].HostPort", index, i);
		/* Zero lets the host choose. */
		if (forward->host_port > 0)
			take_port(ports, utm__config_enum_get_text("Protocol", forward->protocol),
			          listening_address(forward->host_address), forward->host_port);
	}
}

static void take_serial(Ports *ports)
{
	const UtmConfigQemu *qemu = ports->check->qemu;
	for (gsize i = 0; i < qemu->serial_count; i++) {
		const UtmConfigSerial *serial = qemu->serial[i];
		bool open = serial->has_remote_connection_allowed && serial->remote_connection_allowed;
		utm__check_at(ports->check, "Serial[%zu].TcpPort", i);
		if (serial->mode == UTM_CONFIG_SERIAL_MODE_TCP_SERVER)
			take_port(ports, "TCP", open ? 0 : 0x7f000001, serial->has_tcp_port ? serial->tcp_port : 1234);
	}
}

void utm__check_network(UtmCheck *check)
{
	const UtmConfigQemu *qemu = check->qemu;
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
	Ports ports = { check, known };
	for (gsize i = 0; i < qemu->network_count; i++) {
		check_addresses(check, qemu->network[i], i);
		check_mode(check, qemu->network[i], i);
		if (qemu->network[i]->mode == UTM_CONFIG_NETWORK_MODE_EMULATED)
			take_forwards(&ports, qemu->network[i], i);
	}
	take_serial(&ports);
}
