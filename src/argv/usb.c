/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* USB: the controller for keyboard and pointer, and controllers and channels for devices that the client redirects. */
#include "argv/groups.h"

enum {
	PORTS_PER_CONTROLLER = 3,
	/* One PCI slot for each controller: more would not fit any machine. */
	MAX_REDIRECTED = 24,
};

static void add_input(UtmArgvBuilder *b)
{
	if (b->usb_card)
		utm__add(b, "-device", "nec-usb-xhci,id=usb-bus");
	else
		utm__add_flag(b, "-usb");
	if (!b->classic_mac_ppc)
		utm__add(b, "-device", "usb-tablet,bus=usb-bus.0");
	utm__builder_at(b, "QEMU.PS2Controller");
	if (!b->config->qemu->ps2_controller) {
		utm__add(b, "-device", "usb-mouse,bus=usb-bus.0");
		utm__add(b, "-device", "usb-kbd,bus=usb-bus.0");
	}
}

/* A USB 2 controller comes with three companions for slow devices, which share its ports. */
static void add_ehci(UtmArgvBuilder *b, guint index)
{
	utm__add(b, "-device", "ich9-usb-ehci1,id=usb-controller-%u", index);
	for (guint i = 0; i < 3; i++)
		utm__add(b, "-device", "ich9-usb-uhci%u,masterbus=usb-controller-%u.0,firstport=%u,multifunction=on", i + 1,
		         index, 2 * i);
}

static void add_controllers(UtmArgvBuilder *b, guint channels)
{
	guint count = (channels + PORTS_PER_CONTROLLER - 1) / PORTS_PER_CONTROLLER;

	utm__builder_at(b, "Input.UsbBusSupport");
	for (guint i = 0; i < count; i++) {
		if (b->config->input->usb_bus_support == UTM_CONFIG_USB_BUS_3_0)
			utm__add(b, "-device", "%s,id=usb-controller-%u", b->pc ? "nec-usb-xhci" : "qemu-xhci", i);
		else
			add_ehci(b, i);
	}
}

static guint count_channels(UtmArgvBuilder *b)
{
	int64_t channels = b->config->input->maximum_usb_share;

	utm__builder_at(b, "Input.MaximumUsbShare");
	if (channels < 0 || channels > MAX_REDIRECTED) {
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "%" G_GINT64_FORMAT " is not between 0 and %d", channels,
		            MAX_REDIRECTED);
		return 0;
	}
	/* UTM has the devices even when sharing is off. */
	if (b->facts->honor_usb_sharing && !b->exact && !b->config->input->usb_sharing)
		return 0;
	/* The controllers are PCI cards. */
	if (!b->exact && !(b->machine->traits & UTM_MACHINE_PCI))
		return 0;
	return (guint)channels;
}

static void add_redirection(UtmArgvBuilder *b)
{
	guint channels = count_channels(b);

	add_controllers(b, channels);
	utm__builder_at(b, "Input.MaximumUsbShare");
	for (guint i = 0; i < channels; i++) {
		utm__add(b, "-chardev", "spicevmc,name=usbredir,id=usbredirchardev%u", i);
		utm__add(b, "-device", "usb-redir,chardev=usbredirchardev%u,id=usbredirdev%u,bus=usb-controller-%u.0", i, i,
		         i / PORTS_PER_CONTROLLER);
	}
}

void utm__argv_usb(UtmArgvBuilder *b)
{
	if (!b->usb)
		return;
	utm__builder_at(b, "Input.UsbBusSupport");
	add_input(b);
	add_redirection(b);
}

/* Classic Mac systems have no driver for the USB tablet. */
void utm__argv_pointer(UtmArgvBuilder *b)
{
	utm__builder_at(b, "System.Target");
	if (b->classic_mac_ppc)
		utm__add(b, "-device", "virtio-tablet-pci");
	else if (b->classic_mac_68k && (b->exact || utm__virtio_device(b, "tablet", false)))
		utm__add(b, "-device", "virtio-tablet-device");
}
