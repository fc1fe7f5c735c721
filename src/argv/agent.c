/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guest and client talk over besides the screen: guest agent, SPICE agent, WebDAV, a shared directory. */
#include "argv/groups.h"

#include <string.h>

static bool has_dynamic_resolution(const UtmArgvBuilder *b)
{
	for (gsize i = 0; i < b->config->display_count; i++) {
		if (b->config->display[i]->dynamic_resolution)
			return true;
	}
	return false;
}

static void add_guest_agent(UtmArgvBuilder *b)
{
	/* An alias, which QEMU 7.2 does not have for this one. */
	bool named = !b->macos && !strcmp(b->architecture->name, "or1k");

	utm__add(b, "-device", named ? "virtio-serial-pci" : "virtio-serial");
	utm__add(b, "-device", "virtserialport,chardev=org.qemu.guest_agent,name=org.qemu.guest_agent.0");
	if (b->macos)
		utm__add(b, "-chardev", "spiceport,name=org.qemu.guest_agent.0,id=org.qemu.guest_agent");
	else
		utm__add_control_socket(b, "org.qemu.guest_agent", b->runtime->agent_fd, UTM_SOCKET_AGENT);
}

static void add_spice_agent(UtmArgvBuilder *b)
{
	const UtmConfigSharing *sharing = b->config->sharing;
	bool web_dav = sharing->directory_share_mode == UTM_CONFIG_SHARE_MODE_WEB_DAV;

	if (!sharing->clipboard_sharing && !web_dav && !has_dynamic_resolution(b))
		return;
	utm__builder_at(b, "Sharing");
	utm__add(b, "-device", "virtserialport,chardev=vdagent,name=com.redhat.spice.0");
	utm__add(b, "-chardev", "spicevmc,id=vdagent,debug=0,name=vdagent");
	if (!web_dav)
		return;
	utm__builder_at(b, "Sharing.DirectoryShareMode");
	utm__add(b, "-device", "virtserialport,chardev=charchannel1,id=channel1,name=org.spice-space.webdav.0");
	utm__add(b, "-chardev", "spiceport,name=org.spice-space.webdav.0,id=charchannel1");
}

static const char *choose_9p(UtmArgvBuilder *b)
{
	if (!b->exact)
		return utm__virtio_device(b, "9p", false);
	if (!g_strcmp0(b->architecture->name, "s390x"))
		return "virtio-9p-ccw";
	return !g_strcmp0(b->architecture->name, "m68k") ? "virtio-9p-device" : "virtio-9p-pci";
}

static void add_shared_directory(UtmArgvBuilder *b)
{
	const UtmConfigSharing *sharing = b->config->sharing;
	const char *device;

	utm__builder_at(b, "Sharing.DirectoryShareMode");
	if (!(b->architecture->traits & UTM_ARCH_SHARING) || !b->facts->shared_directory ||
	    sharing->directory_share_mode != UTM_CONFIG_SHARE_MODE_VIRT_FS)
		return;
	device = choose_9p(b);
	if (!device) {
		utm__warn(b, UTM_ARGV_NO_PLACE, "machine %s has no place for a shared directory; it is left out", b->target);
		return;
	}
	utm__add(b, "-fsdev", "local,id=virtfs0,path=%s,security_model=mapped-xattr%s",
	         utm__quote(b, b->facts->shared_directory), sharing->directory_share_read_only ? ",readonly=on" : "");
	utm__add(b, "-device", "%s,fsdev=virtfs0,mount_tag=%s", device,
	         b->classic_mac_68k || b->classic_mac_ppc ? "share_1" : "share");
}

static bool has_agent(UtmArgvBuilder *b)
{
	if (!(b->architecture->traits & UTM_ARCH_AGENT) || !g_strcmp0(b->target, "isapc"))
		return false;
	if (b->exact || b->machine->traits & (UTM_MACHINE_PCI | UTM_MACHINE_CCW))
		return true;
	utm__builder_at(b, "System.Target");
	utm__warn(b, UTM_ARGV_NO_AGENT, "machine %s has no place for virtio-serial; the guest agents are left out", b->target);
	return false;
}

void utm__argv_agent(UtmArgvBuilder *b)
{
	if (has_agent(b)) {
		add_guest_agent(b);
		add_spice_agent(b);
	}
	add_shared_directory(b);
}
