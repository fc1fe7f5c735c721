/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why an argument is there, in words for people.
 *
 * A table beside the builder instead of words in it: a reason belongs to what is on the command line, so one row serves every
 * place that adds it. The first row that fits an option, its value and its key path is taken. A test looks whether every argument
 * of every expected command line has one.
 */
#include "argv/groups.h"

#include <string.h>

typedef struct Reason {
	const char *option;
	const char *value;    /* what the value begins with; NULL: anything */
	const char *key_path; /* what the key path begins with; NULL: anything */
	const char *text;
} Reason;

static const Reason reasons[] = {
	/* The user's own words, whatever they are. */
	{ NULL, NULL, "QEMU.AdditionalArguments", "The configuration has it among its additional arguments, which go last." },
	{ "", NULL, NULL, "UTM leaves an empty argument for an image without a type." },

	{ "-L", NULL, NULL, "QEMU finds its firmware and key maps in this directory." },
	{ "-S", NULL, NULL, "The guest waits until its monitor and screen are connected." },
	{ "-spice", NULL, NULL, "Screen, sound, input and USB of the guest go through this server." },
	{ "-chardev", "socket,id=org.qemu.monitor.qmp", NULL, "The library controls QEMU over this socket." },
	{ "-chardev", "spiceport,name=org.qemu.monitor.qmp", NULL, "UTM controls QEMU over this channel of SPICE." },
	{ "-mon", "chardev=org.qemu.monitor.qmp", NULL, "QEMU's monitor speaks the machine protocol there." },
	{ "-nodefaults", NULL, NULL, "The guest gets only the devices that the configuration has." },
	{ "-vga", "none", NULL, "Displays come as devices of their own." },
	{ "-vga", NULL, NULL, "SPARC machines have one display, which is chosen this way." },

	{ "-nic", "none", NULL, "The configuration has no network." },
	{ "-net", NULL, "Network", "The network card is on the board." },
	{ "-device", NULL, "Network", "The guest sees this network card." },
	{ "-netdev", "user,", NULL, "QEMU itself is the router, name server and DHCP server; it needs no rights on the host." },
	{ "-netdev", "bridge,", NULL, "The host facts name this bridge for the network's mode." },
	{ "-netdev", "tap,", NULL, "The host has a tap interface for this network." },
	{ "-netdev", "vmnet-shared,", NULL, "macOS routes the guest to the host's network." },
	{ "-netdev", "vmnet-bridged,", NULL, "macOS puts the guest on the network of this interface." },
	{ "-netdev", "vmnet-host,", NULL, "macOS connects the guest with the host and with nothing else." },

	{ "-nographic", NULL, NULL, "The configuration has no display." },
	{ "-display", "none", NULL, "The configuration has no display." },
	{ "-device", NULL, "Display", "The guest sees this display." },

	{ "-chardev", "spiceport,id=term", NULL, "The serial port's text goes to a channel of SPICE." },
	{ "-chardev", "socket,id=term", "Serial", "The serial port's text goes over this socket." },
	{ "-chardev", "pty,", "Serial", "The serial port is a terminal of the host's." },
	{ "-serial", NULL, NULL, "The machine's next serial port is connected there." },
	{ "-device", NULL, "Serial", "The guest sees this serial port." },
	{ "-mon", "chardev=term", NULL, "QEMU's monitor for people is at this serial port." },
	{ "-gdb", NULL, NULL, "A debugger can connect to this serial port." },

	{ "-cpu", "host", "System.CPU", "The guest runs on the host's processor and sees it as it is." },
	{ "-cpu", NULL, "System.CPU", "The guest sees this processor: the configuration's, or the default of the architecture." },
	{ "-smp", NULL, NULL, "So many processors are asked for; with 0 they are the host's, as far as the machine takes them." },
	{ "-machine", NULL, NULL, "The machine type, the properties that the configuration adds, and what UTM sets for this type." },
	{ "-accel", "kvm", NULL, "Hardware runs the guest: that is proven to work on this host, or the policy demands it." },
	{ "-accel", "hvf", NULL, "Hardware runs the guest: it has the Mac's architecture, and the configuration wants it." },
	{ "-accel", "tcg", NULL, "QEMU translates the guest's code: nothing faster is proven for it here, or none is wanted." },

	{ "-global", "PIIX4_PM.", NULL, "Sleep states of the guest are switched off; UTM cannot wake it." },
	{ "-global", "ICH9-LPC.", NULL, "Sleep states of the guest are switched off; UTM cannot wake it." },
	{ "-global", "driver=cfi.", NULL, "Only the firmware may write its variables, which Secure Boot relies on." },
	{ "-drive", "if=pflash", "QEMU.UEFIBoot", "The machine boots with UEFI: this is its program, or its variables." },
	{ "-device", "nubus-virtio-mmio", NULL, "Mac OS gets drivers for virtio devices from the ROM of this card." },
	{ "-device", "loader,", NULL, "Mac OS gets drivers for virtio devices from this program." },
	{ "-prom-env", "boot-command=", NULL, "The firmware starts that program before the system." },
	{ "-m", NULL, NULL, "The guest's memory in MiB." },

	{ "-audio", "coreaudio", NULL, "The sound chip on the board plays through the Mac." },
	{ "-audio", "none", NULL, "The machine has no sound, and QEMU wants to be told so." },
	{ "-audiodev", "spice,", NULL, "Sound goes to whoever shows the screen." },
	{ "-audiodev", NULL, NULL, "Sound goes to the host's sound system." },
	{ "-device", "hda-", "Sound", "The card's plugs for sound." },
	{ "-device", NULL, "Sound", "The guest sees this sound card." },

	{ "-usb", NULL, NULL, "The machine's own USB controller is switched on." },
	{ "-device", "nec-usb-xhci,id=usb-bus", NULL, "The machine has no USB controller of its own." },
	{ "-device", "usb-tablet", NULL, "The pointer goes where it is put, without being caught in the window." },
	{ "-device", "usb-mouse", NULL, "Without PS/2 the guest needs a mouse on USB." },
	{ "-device", "usb-kbd", NULL, "Without PS/2 the guest needs a keyboard on USB." },
	{ "-device", "usb-redir", NULL, "One USB device of the client can be plugged in here." },
	{ "-device", NULL, "Input.UsbBusSupport", "USB devices of the client are plugged into this controller." },
	{ "-chardev", "spicevmc,name=usbredir", NULL, "One USB device of the client is reached this way." },
	{ "-device", "virtio-tablet", NULL, "Classic Mac systems have no driver for a USB tablet." },

	{ "-bios", NULL, NULL, "A drive of the type BIOS replaces the machine's firmware." },
	{ "-kernel", NULL, NULL, "QEMU loads this kernel; no boot loader is needed." },
	{ "-initrd", NULL, NULL, "The kernel's first file system." },
	{ "-dtb", NULL, NULL, "The kernel's description of the machine." },
	{ "-global", "isa-fdc.", NULL, "The floppy's place in the order of booting." },
	{ "-device", "isa-fdc", NULL, "The machine has no floppy controller of its own." },
	{ "-device", "lsi53c895a", NULL, "The machine has no SCSI controller of its own." },
	{ "-device", "virtio-scsi", NULL, "The machine has no SCSI controller of its own." },
	{ "-device", NULL, "Drive", "The guest sees this drive." },
	{ "-drive", NULL, "Drive", "The image behind the drive, and how it is opened." },

	{ "-device", "virtio-serial", NULL, "Agents in the guest are reached over this card." },
	{ "-device", "virtserialport,chardev=org.qemu.guest_agent", NULL, "The guest agent listens here." },
	{ "-chardev", "socket,id=org.qemu.guest_agent", NULL, "The library talks to the guest agent over this socket." },
	{ "-chardev", "spiceport,name=org.qemu.guest_agent", NULL, "UTM talks to the guest agent over this channel of SPICE." },
	{ "-device", "virtserialport,chardev=vdagent", NULL, "The SPICE agent listens here, for the clipboard and the size of the screen." },
	{ "-chardev", "spicevmc,id=vdagent", NULL, "The SPICE agent is reached this way." },
	{ "-device", "virtserialport,chardev=charchannel1", NULL, "The guest reads the shared directory here." },
	{ "-chardev", "spiceport,name=org.spice-space.webdav", NULL, "The client serves the shared directory this way." },
	{ "-fsdev", NULL, NULL, "This directory of the host is shared." },
	{ "-device", "virtio-9p", NULL, "The guest mounts the shared directory from this device." },

	{ "-name", NULL, NULL, "The machine's name, without marks that QEMU would read otherwise." },
	{ "-snapshot", NULL, NULL, "The start is disposable: what the guest writes is thrown away." },
	{ "-uuid", NULL, NULL, "The guest sees the machine's identity." },
	{ "-rtc", NULL, NULL, "The guest expects its clock in local time." },
	{ "-device", "virtio-rng", NULL, "The guest gets random numbers from the host." },
	{ "-device", "virtio-balloon", NULL, "The guest can give memory back." },
	{ "-chardev", "socket,id=chrtpm0", NULL, "A program beside QEMU is the TPM; it is reached here." },
	{ "-tpmdev", NULL, NULL, "A program beside QEMU is the TPM." },
	{ "-device", NULL, "QEMU.TPMDevice", "The guest sees this TPM." },
};

static bool begins(const char *text, const char *start)
{
	return !start || (text && g_str_has_prefix(text, start));
}

static bool fits(const Reason *reason, const char *option, const char *value, const char *key_path)
{
	if (reason->option && strcmp(reason->option, option))
		return false;
	return begins(value, reason->value) && begins(key_path, reason->key_path);
}

const char *utm__argv_reason(const char *option, const char *value, const char *key_path)
{
	for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++) {
		if (fits(&reasons[i], option, value, key_path))
			return reasons[i].text;
	}
	return NULL;
}
