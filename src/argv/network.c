/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network cards and what they are plugged into.
 *
 * macOS has vmnet, which needs nothing prepared. On Linux the counterparts are QEMU's user network, and bridges that an
 * administrator made and that the host facts name.
 */
#include "argv/groups.h"

#include "base/util.h"

#include <arpa/inet.h>
#include <string.h>

/* --- the card --- */

/* The other bus of a sun4u or sun4v has no free slot. */
static const char *free_bus(const UtmArgvBuilder *b)
{
	const char *target = b->config->system->target;
	bool is_sun = utm__machine_is_family(target, "sun4u") || utm__machine_is_family(target, "sun4v");

	return is_sun && !strcmp(b->architecture->name, "sparc64") && !b->exact ? ",bus=pciB" : "";
}

static void add_card(UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index, const char *hardware)
{
	const char *mac = net->mac_address ? net->mac_address : "";
	guint64 bits;

	utm__builder_at(b, "Network[%u].MacAddress", index);
	if (!b->exact && !utm__parse_mac_address(mac, &bits))
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE,
		            "\"%s\" is no MAC address: six pairs of hexadecimal digits with colons are", mac);
	mac = utm__text(b, mac);

	utm__builder_at(b, "Network[%u].Hardware", index);
	if ((b->architecture->traits & UTM_ARCH_SPARC) && !strcmp(hardware, "lance"))
		utm__add(b, "-net", "nic,model=lance,macaddr=%s,netdev=net%u", mac, index);
	else if (b->classic_mac_68k && !strcmp(hardware, "dp8393x"))
		utm__add(b, "-net", "nic,macaddr=%s,netdev=net%u", mac, index);
	else
		utm__add(b, "-device", "%s,mac=%s,netdev=net%u%s", hardware, mac, index, free_bus(b));
}

/* --- the user network --- */

/* Forwards are for IPv4, and their syntax has no way to quote a colon or a hyphen. */
static const char *forward_address(UtmArgvBuilder *b, const char *text, const char *if_absent)
{
	struct in_addr parsed;

	if (b->exact)
		return text ? text : "";
	if (!text || !*text)
		return if_absent;
	if (inet_pton(AF_INET, text, &parsed) != 1)
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "\"%s\" is no IPv4 address", text);
	return text;
}

static void check_port(UtmArgvBuilder *b, int64_t port, int min)
{
	if (!b->exact && (port < min || port > 65535))
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "port %" G_GINT64_FORMAT " is not between %d and 65535", port,
		            min);
}

static void add_forward(UtmArgvBuilder *b, const UtmConfigPortForward *forward, guint index, guint forward_index)
{
	const char *host, *guest;

	utm__builder_at(b, "Network[%u].PortForward[%u].HostAddress", index, forward_index);
	/* Without an address UTM opens the port to every network of the host; ours stays on the host. */
	host = forward_address(b, forward->host_address, "127.0.0.1");
	utm__builder_at(b, "Network[%u].PortForward[%u].HostPort", index, forward_index);
	check_port(b, forward->host_port, 0);
	utm__builder_at(b, "Network[%u].PortForward[%u].GuestAddress", index, forward_index);
	guest = forward_address(b, forward->guest_address, "");
	utm__builder_at(b, "Network[%u].PortForward[%u].GuestPort", index, forward_index);
	check_port(b, forward->guest_port, 1);

	utm__add_more(b, ",hostfwd=%s:%s:%" G_GINT64_FORMAT "-%s:%" G_GINT64_FORMAT,
	              forward->protocol == UTM_CONFIG_PROTOCOL_UDP ? "udp" : "tcp", host, forward->host_port, guest,
	              forward->guest_port);
}

static void add_user_option(UtmArgvBuilder *b, const char *key, const char *text)
{
	/* UTM writes empty keys too, and QEMU refuses them. */
	if (text && (*text || b->exact))
		utm__add_text(b, key, text);
}

static void add_user(UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index, bool restricted)
{
	utm__add(b, "-netdev", "user,id=net%u%s", index, restricted ? ",restrict=on" : "");
	add_user_option(b, "net", net->vlan_guest_address);
	add_user_option(b, "host", net->vlan_host_address);
	add_user_option(b, "ipv6-net", net->vlan_guest_address_ipv6);
	add_user_option(b, "ipv6-host", net->vlan_host_address_ipv6);
	add_user_option(b, "dhcpstart", net->vlan_dhcp_start_address);
	add_user_option(b, "dns", net->vlan_dns_server_address);
	add_user_option(b, "ipv6-dns", net->vlan_dns_server_address_ipv6);
	add_user_option(b, "dnssearch", net->vlan_dns_search_domain);
	add_user_option(b, "domainname", net->vlan_dhcp_domain);
	for (gsize i = 0; i < net->port_forward_count; i++)
		add_forward(b, net->port_forward[i], index, (guint)i);
}

/* --- vmnet, macOS only --- */

typedef struct Subnet {
	guint32 first, last, mask; /* host byte order */
} Subnet;

static bool parse_ipv4(const char *text, guint32 *ret_address)
{
	struct in_addr parsed;

	if (inet_pton(AF_INET, text, &parsed) != 1)
		return false;
	*ret_address = ntohl(parsed.s_addr);
	return true;
}

static bool parse_mask(const char *text, guint32 *ret_mask)
{
	guint64 bits;

	if (strchr(text, '.'))
		return parse_ipv4(text, ret_mask);
	if (!g_ascii_string_to_unsigned(text, 10, 0, 31, &bits, NULL))
		return false;
	*ret_mask = bits ? ~(guint32)0 << (32 - bits) : 0;
	return true;
}

/* address, address/bits or address/mask; UTM takes a third part as a reason to ignore the second. */
static bool parse_subnet(const char *text, Subnet *ret_subnet)
{
	g_auto(GStrv) parts = g_strsplit(text ? text : "", "/", -1);
	guint count = g_strv_length(parts);
	guint32 address, mask = 0xffffff00;

	if (!count || !parse_ipv4(parts[0], &address) || (count == 2 && !parse_mask(parts[1], &mask)))
		return false;
	*ret_subnet = (Subnet){ (address & mask) + 1, (address | ~mask) - 1, mask };
	return true;
}

static char *format_ipv4(guint32 address)
{
	return g_strdup_printf("%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

static void add_vmnet_subnet(UtmArgvBuilder *b, const UtmConfigNetwork *net)
{
	Subnet subnet;

	if (!parse_subnet(net->vlan_guest_address, &subnet))
		return;
	g_autofree char *first = format_ipv4(subnet.first);
	g_autofree char *last = format_ipv4(subnet.last);
	g_autofree char *mask = format_ipv4(subnet.mask);
	utm__add_text(b, "start-address", net->vlan_dhcp_start_address ? net->vlan_dhcp_start_address : first);
	utm__add_text(b, "end-address", net->vlan_dhcp_end_address ? net->vlan_dhcp_end_address : last);
	utm__add_text(b, "subnet-mask", mask);
}

static void add_vmnet(UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index)
{
	g_autofree char *uuid = net->host_net_uuid ? g_ascii_strup(net->host_net_uuid, -1) : NULL;

	if (net->mode == UTM_CONFIG_NETWORK_MODE_SHARED)
		utm__add(b, "-netdev", "vmnet-shared,id=net%u", index);
	else if (net->mode == UTM_CONFIG_NETWORK_MODE_HOST)
		utm__add(b, "-netdev", "vmnet-host,id=net%u", index);
	else
		utm__add(b, "-netdev", "vmnet-bridged,id=net%u", index);
	if (net->mode == UTM_CONFIG_NETWORK_MODE_BRIDGED)
		utm__add_text(b, "ifname", net->bridge_interface ? net->bridge_interface : "en0");
	if (net->mode == UTM_CONFIG_NETWORK_MODE_HOST)
		utm__add_text(b, "net-uuid", uuid);
	if (net->isolate_from_host)
		utm__add_more(b, ",isolated=on");
	/* UTM gives these to each kind, and QEMU refuses those that a kind does not have. */
	if (b->exact || net->mode != UTM_CONFIG_NETWORK_MODE_BRIDGED)
		add_vmnet_subnet(b, net);
	if (b->exact || net->mode == UTM_CONFIG_NETWORK_MODE_SHARED)
		add_user_option(b, "nat66-prefix", net->vlan_guest_address_ipv6);
}

/* --- bridges and taps, Linux only --- */

/* What an entry must name to serve a network of its mode. */
static const char *get_name(const UtmConfigNetwork *net, int32_t *ret_mode)
{
	switch (net->mode) {
	case UTM_CONFIG_NETWORK_MODE_SHARED:
		*ret_mode = UTM_HOST_NETWORK_MODE_SHARED;
		return NULL;
	case UTM_CONFIG_NETWORK_MODE_HOST:
		*ret_mode = UTM_HOST_NETWORK_MODE_HOST;
		return net->host_net_uuid;
	case UTM_CONFIG_NETWORK_MODE_BRIDGED:
		*ret_mode = UTM_HOST_NETWORK_MODE_BRIDGED;
		return net->bridge_interface;
	default:
		*ret_mode = -1;
		return NULL;
	}
}

/* An entry without a name is for every network of its mode, one with an index for that network alone. */
static const UtmHostNetwork *find_entry(const UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index)
{
	int32_t mode;
	const char *name = get_name(net, &mode);

	for (gsize i = 0; i < b->facts->network_count; i++) {
		const UtmHostNetwork *entry = b->facts->network[i];

		if (entry->mode == mode && (!entry->name || !g_strcmp0(entry->name, name)) &&
		    (!entry->has_index || entry->index == index))
			return entry;
	}
	return NULL;
}

static int get_given_tap(const UtmArgvBuilder *b, guint index)
{
	return index < b->runtime->network_fd_count ? b->runtime->network_fds[index] : -1;
}

/* What the configuration says of the user network does not hold on a network of the host's. */
static void warn_of_host_network(UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index, const char *what)
{
	if (net->isolate_from_host) {
		utm__builder_at(b, "Network[%u].IsolateFromHost", index);
		utm__warn(b, UTM_ARGV_HOST_LACKS, "isolation on %s is for the host's administrator to set", what);
	}
	if (net->port_forward_count) {
		utm__builder_at(b, "Network[%u].PortForward", index);
		utm__warn(b, UTM_ARGV_HOST_LACKS, "ports are not forwarded over %s: the guest has an address of its own there",
		          what);
	}
}

static void add_bridge(UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index, const char *bridge)
{
	const char *helper = b->facts->bridge_helper;
	g_autofree char *what = g_strdup_printf("bridge %s", bridge);

	if (helper && !*helper)
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "bridge %s needs QEMU's bridge helper, which this host has not", bridge);
	utm__add(b, "-netdev", "bridge,id=net%u,br=%s", index, utm__quote(b, bridge));
	utm__add_text(b, "helper", helper);
	warn_of_host_network(b, net, index, what);
}

/* Interfaces that are there already: QEMU's own scripts, which it would run as root, set up nothing. */
static void add_tap(UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index, int64_t fd, const char *name)
{
	if (fd >= 0)
		utm__add(b, "-netdev", "tap,id=net%u,fd=%" G_GINT64_FORMAT, index, fd);
	else
		utm__add(b, "-netdev", "tap,id=net%u,ifname=%s,script=no,downscript=no", index, utm__quote(b, name));
	warn_of_host_network(b, net, index, "the host's tap");
}

/* --- the choice --- */

static void add_user_instead(UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index)
{
	if (net->mode == UTM_CONFIG_NETWORK_MODE_BRIDGED)
		utm__warn(b, UTM_ARGV_HOST_LACKS, "the host facts name no bridge for \"%s\"; the user network takes its place",
		          net->bridge_interface ? net->bridge_interface : "any interface");
	add_user(b, net, index, net->isolate_from_host || net->mode == UTM_CONFIG_NETWORK_MODE_HOST);
}

static void add_linux_backend(UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index)
{
	const UtmHostNetwork *entry = find_entry(b, net, index);
	int given = get_given_tap(b, index);

	if (given >= 0)
		add_tap(b, net, index, given, NULL);
	else if (entry && (entry->has_tap_fd || entry->tap))
		add_tap(b, net, index, entry->has_tap_fd ? entry->tap_fd : -1, entry->tap);
	else if (entry && entry->bridge && *entry->bridge)
		add_bridge(b, net, index, entry->bridge);
	else
		add_user_instead(b, net, index);
}

static void add_network(UtmArgvBuilder *b, const UtmConfigNetwork *net, guint index)
{
	const char *hardware;

	utm__builder_at(b, "Network[%u].Hardware", index);
	hardware = utm__name(b, net->hardware, "device");
	if (!utm__has_device(b, hardware)) {
		utm__warn(b, UTM_ARGV_HOST_LACKS, "this QEMU has no %s; the network card is left out", hardware);
		return;
	}
	add_card(b, net, index, hardware);
	utm__builder_at(b, "Network[%u].Mode", index);
	if (!b->macos)
		add_linux_backend(b, net, index);
	else if (net->mode == UTM_CONFIG_NETWORK_MODE_EMULATED)
		add_user(b, net, index, net->isolate_from_host);
	else
		add_vmnet(b, net, index);
}

void utm__argv_network(UtmArgvBuilder *b)
{
	if (!b->config->network_count)
		utm__add(b, "-nic", "none");
	for (gsize i = 0; i < b->config->network_count; i++)
		add_network(b, b->config->network[i], (guint)i);
}
