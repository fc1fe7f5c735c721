/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Displays, cards, USB and sharing: whether the machine has a bus for them, and the agents that they need. */
#include "check/check-private.h"

#include "argv/groups.h"

#include <string.h>

/* --- buses --- */

static const char *const pci_devices[] = {
	"VGA",        "ati-vga",       "bochs-display",  "cirrus-vga", "qxl",      "qxl-vga", "secondary-vga",
	"virtio-vga", "virtio-vga-gl", "vmware-svga",    "AC97",       "ES1370",   "e1000",   "e1000e",
	"igb",        "intel-hda",     "ich9-intel-hda", "ne2k_pci",   "pcnet",    "rtl8139", "sungem",
	"tulip",      "vmxnet3",       "i82551",         "i82557b",    "i82559er", "rocker",  "apple-gfx-pci",
	NULL,
};

static const char *const isa_devices[] = {
	"isa-vga", "isa-cirrus-vga", "ne2k_isa", "sb16", "adlib", "cs4231a", "gus", "isa-serial", NULL,
};

/* No machine of these has ever had an ISA bus. */
static const char *const without_isa[] = {
	"aarch64", "arm", "avr",   "loongarch64", "m68k",    "microblaze", "microblazeel", "or1k", "riscv32",
	"riscv64", "rx",  "s390x", "sparc",       "tricore", "xtensa",     "xtensaeb",     NULL,
};

static bool needs_pci(const char *device)
{
	return g_strv_contains(pci_devices, device) ||
	       (g_str_has_prefix(device, "virtio-") && g_str_has_suffix(device, "-pci"));
}

static bool lacks_pci(const UtmCheck *check)
{
	return check->machine_known && !(check->machine->traits & UTM_MACHINE_PCI);
}

static bool lacks_isa(const UtmCheck *check)
{
	return check->architecture && g_strv_contains(without_isa, check->architecture->name);
}

static void check_bus(UtmCheck *check, const char *device)
{
	const char *target = check->qemu->system->target;
	if (needs_pci(device) && lacks_pci(check))
		utm__find(check, UTM_FINDING_DEVICE_BUS, "machine %s has no PCI bus for %s", target, device);
	else if (g_strv_contains(isa_devices, device) && lacks_isa(check))
		utm__find(check, UTM_FINDING_DEVICE_BUS, "machine %s has no ISA bus for %s", target, device);
	else if (g_str_has_suffix(device, "-ccw") && check->machine_known && !(check->machine->traits & UTM_MACHINE_CCW))
		utm__find(check, UTM_FINDING_DEVICE_BUS, "machine %s has no channel subsystem for %s", target, device);
}

/* SPARC machines take the name of the first display for one of the board's own. */
static void check_buses(UtmCheck *check)
{
	const UtmConfigQemu *qemu = check->qemu;
	bool sparc = check->architecture && check->architecture->traits & UTM_ARCH_SPARC;
	for (gsize i = 0; !sparc && i < qemu->display_count; i++) {
		utm__check_at(check, "Display[%zu].Hardware", i);
		check_bus(check, qemu->display[i]->hardware);
	}
	for (gsize i = 0; i < qemu->network_count; i++) {
		utm__check_at(check, "Network[%zu].Hardware", i);
		check_bus(check, qemu->network[i]->hardware);
	}
	for (gsize i = 0; i < qemu->sound_count; i++) {
		utm__check_at(check, "Sound[%zu].Hardware", i);
		check_bus(check, qemu->sound[i]->hardware);
	}
	for (gsize i = 0; i < qemu->serial_count; i++) {
		utm__check_at(check, "Serial[%zu].Hardware", i);
		if (qemu->serial[i]->hardware && qemu->serial[i]->target == UTM_CONFIG_SERIAL_TARGET_MANUAL)
			check_bus(check, qemu->serial[i]->hardware);
	}
}

/* --- displays --- */

static void check_displays(UtmCheck *check)
{
	const UtmConfigQemu *qemu = check->qemu;
	for (gsize i = 0; i < qemu->display_count; i++) {
		const UtmConfigDisplay *display = qemu->display[i];
		utm__check_at(check, "Display[%zu].VgaRamMib", i);
		if (display->has_vga_ram_mib && !utm__display_has_vga_memory(display->hardware))
			utm__find(check, UTM_FINDING_VGA_MEMORY_IGNORED,
			          "%s has no VGA memory; started by UTM, QEMU refuses the size", display->hardware);
	}
}

/* --- USB, sharing --- */

static bool has_usb(const UtmCheck *check)
{
	if (!check->architecture || !(check->architecture->traits & UTM_ARCH_USB) ||
	    !strcmp(check->qemu->system->target, "isapc"))
		return false;
	return check->qemu->input->usb_bus_support != UTM_CONFIG_USB_BUS_DISABLED;
}

static void check_usb(UtmCheck *check)
{
	utm__check_at(check, "Input.UsbSharing");
	if (check->qemu->input->usb_sharing && !has_usb(check))
		utm__find(check, UTM_FINDING_USB_DISABLED, "the machine has no USB controller");
}

/* An unlisted machine may have a place for the agents' device. */
static bool lacks_agent(const UtmCheck *check)
{
	if (!check->architecture || !(check->architecture->traits & UTM_ARCH_AGENT) ||
	    !strcmp(check->qemu->system->target, "isapc"))
		return true;
	return check->machine_known && !(check->machine->traits & (UTM_MACHINE_PCI | UTM_MACHINE_CCW));
}

static void check_sharing(UtmCheck *check)
{
	const UtmConfigSharing *sharing = check->qemu->sharing;
	utm__check_at(check, "Sharing.ClipboardSharing");
	if (sharing->clipboard_sharing && lacks_agent(check))
		utm__find(check, UTM_FINDING_AGENT_NEEDED, "the clipboard is shared through an agent in the guest");
	utm__check_at(check, "Sharing.DirectoryShareMode");
	if (sharing->directory_share_mode == UTM_CONFIG_SHARE_MODE_WEB_DAV && lacks_agent(check))
		utm__find(check, UTM_FINDING_AGENT_NEEDED, "WebDAV goes through an agent in the guest");
	if (sharing->directory_share_mode == UTM_CONFIG_SHARE_MODE_VIRT_FS && check->architecture &&
	    !(check->architecture->traits & UTM_ARCH_SHARING))
		utm__find(check, UTM_FINDING_NO_PLACE, "%s guests have no shared directories", check->architecture->name);
}

void utm__check_devices(UtmCheck *check)
{
	check_buses(check);
	check_displays(check);
	check_usb(check);
	check_sharing(check);
}
