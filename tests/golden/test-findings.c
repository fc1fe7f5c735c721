/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What checks find: a small machine without fault, a few edits, and everything that must be found then, no more and no
 * less. Each code of the registry is here, or in test-bundle-check.
 */
#include "support.h"

#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmFindings, utm_findings_free)

typedef struct Row {
	const char *name;
	const char *edits;
	const char *expected; /* "severity code KeyPath", one in a line; the key path may be missing */
	const char *facts;    /* NULL: no host is named */
	const char *config;   /* NULL: base.plist */
	bool macos;
} Row;

#define MACHINE(architecture, target) "System.Architecture=" architecture "\nSystem.Target=" target "\n"
#define MAC_ADDRESS "52:54:00:00:00:01"
#define DRIVE(type, interface, id, more)                                                                               \
	"+Drive={'ImageType':'" type "','Interface':'" interface "','Identifier':'" id "'" more "}\n"
#define IMAGE(name) ",'ImageName':'" name "'"
#define DISK(interface, id) DRIVE("Disk", interface, id, IMAGE(id ".qcow2"))
#define CARD(mode, mac, more) "+Network={'Mode':'" mode "','Hardware':'e1000','MacAddress':'" mac "'" more "}\n"
#define EMULATED(more) CARD("Emulated", MAC_ADDRESS, more)
#define SERIAL(more) "+Serial={" more "}\n"
#define ARGUMENTS(list) "QEMU.AdditionalArguments=[" list "]\n"
#define PRESENT "info arguments-present QEMU.AdditionalArguments\n"
#define OVERRIDE "info arguments-present QEMU.MachinePropertyOverride\n"
#define APPLE "apple-clean.plist"

static const Row rows[] = {
	{ .name = "clean" },
	{ .name = "clean/host", .facts = "{}" },
	{ .name = "clean/macos", .facts = "{}", .macos = true },
	{ .name = "clean/apple", .config = APPLE },
	{ .name = "clean/many",
	  .edits = DISK("VirtIO", "A") DRIVE("CD", "USB", "B", "") DRIVE("Disk", "NVMe", "C", IMAGE("c.img"))
	      EMULATED(",'PortForward':[{'Protocol':'TCP','HostPort':2222,'GuestPort':22},{'Protocol':'UDP','HostPort':"
	               "2222,'GuestPort':22}]") SERIAL("'Mode':'Terminal'") SERIAL(
			  "'Mode':'TcpServer','TcpPort':4444") "+Display={'Hardware':'virtio-vga'}\n+Sound={'Hardware':'intel-hda'}"
	                                               "\nInput.UsbBusSupport=3.0\nInput.UsbSharing=true\n"
	                                               "QEMU.UEFIBoot=true\nQEMU.TPMDevice=true\nQEMU.Hypervisor="
	                                               "true\nSharing.ClipboardSharing=true\n" },

	/* --- identity --- */
	{ .name = "name/empty", .edits = "Information.Name= ", .expected = "warning setting-ignored Information.Name" },
	{ .name = "name/slash", .edits = "Information.Name=a/../b", .expected = "info name-changed Information.Name" },
	{ .name = "name/dot", .edits = "Information.Name=.hidden", .expected = "info name-changed Information.Name" },
	{ .name = "name/direction",
	  .edits = "Information.Name=a\xe2\x80\xae"
	           "b",
	  .expected = "warning text-control Information.Name" },
	{ .name = "drive/identifier/twice",
	  .edits = DISK("VirtIO", "A") DRIVE("CD", "IDE", "A", ""),
	  .expected = "error duplicate Drive[1].Identifier" },
	{ .name = "drive/identifier/hostile",
	  .edits = DRIVE("CD", "IDE", "a,file=b", ""),
	  .expected = "error value Drive[0].Identifier" },
	{ .name = "drive/identifier/empty",
	  .edits = DRIVE("CD", "IDE", "", ""),
	  .expected = "error value Drive[0].Identifier" },
	{ .name = "mac/syntax",
	  .edits = CARD("Emulated", "52:54:00", ""),
	  .expected = "error value Network[0].MacAddress" },
	{ .name = "mac/hostile",
	  .edits = CARD("Emulated", MAC_ADDRESS ",script=x", ""),
	  .expected = "error value Network[0].MacAddress" },
	{ .name = "mac/twice",
	  .edits = EMULATED("") CARD("Emulated", "52:54:00:00:00:01", ""),
	  .expected = "error duplicate Network[1].MacAddress" },
	{ .name = "mac/twice-in-other-case",
	  .edits = CARD("Emulated", "52:54:00:00:00:AB", "") CARD("Emulated", "52:54:00:00:00:ab", ""),
	  .expected = "error duplicate Network[1].MacAddress" },
	{ .name = "mac/group",
	  .edits = CARD("Emulated", "01:54:00:00:00:01", ""),
	  .expected = "warning mac-multicast Network[0].MacAddress" },
	{ .name = "image/escape",
	  .edits = DRIVE("Disk", "VirtIO", "A", IMAGE("../a.img")),
	  .expected = "error path-escape Drive[0].ImageName" },
	{ .name = "image/absolute",
	  .edits = DRIVE("Disk", "VirtIO", "A", IMAGE("/etc/passwd.img")),
	  .expected = "error path-escape Drive[0].ImageName" },
	{ .name = "image/directory",
	  .edits = DRIVE("Disk", "VirtIO", "A", IMAGE("a/b.img")),
	  .expected = "warning name-not-plain Drive[0].ImageName" },
	{ .name = "image/control",
	  .edits = "+Drive={'ImageType':'Disk','Interface':'VirtIO','Identifier':'A','ImageName':'a\\u0007.img'}",
	  .expected = "warning text-control Drive[0].ImageName" },
	{ .name = "icon/escape",
	  .edits = "Information.Icon=../../x.png\nInformation.IconCustom=true",
	  .expected = "error path-escape Information.Icon" },

	/* --- machine --- */
	{ .name = "target/hostile",
	  .edits = "System.Target=q35,accel=x",
	  .expected = "error value System.Target\ninfo no-agent System.Target" },
	{ .name = "cpu/hostile", .edits = "System.CPU=help", .expected = "error value System.CPU" },
	{ .name = "cpu/host", .edits = "System.CPU=host", .expected = "error cpu-needs-hypervisor System.CPU" },
	{ .name = "cpu/host/perhaps", .edits = "System.CPU=host\nQEMU.Hypervisor=true" },
	{ .name = "cpu/host/not-here",
	  .edits = "System.CPU=host\nQEMU.Hypervisor=true",
	  .facts = "{}",
	  .expected = "error cpu-needs-hypervisor System.CPU" },
	{ .name = "cpu/flags/ignored",
	  .edits = "System.CPUFlagsAdd=[\"avx\"]",
	  .expected = "warning cpu-flags-ignored System.CPUFlagsAdd" },
	{ .name = "cpu/flags/both",
	  .edits = "System.CPU=max\nSystem.CPUFlagsAdd=[\"avx\"]\nSystem.CPUFlagsRemove=[\"sse\",\"avx\"]",
	  .expected = "warning setting-ignored System.CPUFlagsRemove[1]" },
	{ .name = "cpu/flags/hostile",
	  .edits = "System.CPU=max\nSystem.CPUFlagsAdd=[\"avx,migratable=x\"]",
	  .expected = "error value System.CPUFlagsAdd[0]" },
	{ .name = "cpus/most", .edits = "System.CPUCount=256", .expected = "error cpu-count System.CPUCount" },
	{ .name = "cpus/one", .edits = MACHINE("ppc", "mac99"), .expected = "error cpu-count System.CPUCount" },
	{ .name = "cpus/least",
	  .edits = MACHINE("aarch64", "raspi3b") "System.MemorySize=1024",
	  .expected = "error cpu-count System.CPUCount\ninfo no-agent System.Target" },
	{ .name = "cpus/unlisted-machine",
	  .edits = MACHINE("aarch64", "new-board") "System.CPUCount=64",
	  .expected = "warning target-unknown System.Target\ninfo no-agent System.Target" },
	{ .name = "cpus/negative",
	  .edits = "~<integer>2</integer>~<integer>-1</integer>",
	  .expected = "error value System.CPUCount" },
	{ .name = "memory/one-size",
	  .edits = MACHINE("aarch64", "raspi3b") "System.CPUCount=4",
	  .expected = "error memory-size System.MemorySize\ninfo no-agent System.Target" },
	{ .name = "memory/most",
	  .edits = MACHINE("ppc", "g3beige") "System.CPUCount=1\nSystem.MemorySize=2048",
	  .expected = "error memory-size System.MemorySize" },
	{ .name = "memory/just", .edits = MACHINE("ppc", "g3beige") "System.CPUCount=1\nSystem.MemorySize=2047" },
	{ .name = "memory/none",
	  .edits = "~<integer>512</integer>~<integer>0</integer>",
	  .expected = "error value System.MemorySize" },
	{ .name = "memory/too-large",
	  .edits = "~<integer>512</integer>~<integer>16777217</integer>",
	  .expected = "warning range System.MemorySize" },
	{ .name = "memory/host",
	  .edits = "System.MemorySize=8193",
	  .facts = "{'MemorySize':8192}",
	  .expected = "warning memory-host System.MemorySize" },
	{ .name = "memory/host/just", .edits = "System.MemorySize=8192", .facts = "{'MemorySize':8192}" },
	{ .name = "hypervisor/never",
	  .edits = MACHINE("riscv64", "virt") "QEMU.Hypervisor=true",
	  .expected = "warning hypervisor-foreign QEMU.Hypervisor" },
	{ .name = "hypervisor/not-here",
	  .edits = MACHINE("aarch64", "virt") "QEMU.Hypervisor=true",
	  .facts = "{}",
	  .expected = "warning hypervisor-foreign QEMU.Hypervisor" },
	{ .name = "target/unknown", .edits = "System.Target=q36", .expected = "warning target-unknown System.Target\ninfo no-agent System.Target" },
	{ .name = "target/other-architecture",
	  .edits = MACHINE("riscv64", "q35"),
	  .expected = "warning target-unknown System.Target\ninfo no-agent System.Target" },
	{ .name = "target/newer", .edits = MACHINE("aarch64", "raspi4b") "System.CPUCount=4", .expected = "info no-agent System.Target" },
	{ .name = "target/version-to-come", .edits = "System.Target=pc-q35-12.1" },
	{ .name = "cpu/unknown", .edits = "System.CPU=quantum", .expected = "warning cpu-unknown System.CPU" },
	{ .name = "cpu/newer", .edits = "System.CPU=SapphireRapids" },
	{ .name = "cpu/case", .edits = "System.CPU=QEMU64", .expected = "warning cpu-unknown System.CPU" },
	{ .name = "cpu/any-case", .edits = MACHINE("ppc", "mac99") "System.CPUCount=1\nSystem.CPU=G4" },
	{ .name = "cpu/flags/unknown",
	  .edits = "System.CPU=max\nSystem.CPUFlagsAdd=[\"sse4_1\",\"flux\"]\nSystem.CPUFlagsRemove=[\"fluxer\",\"avx\"]",
	  .expected = "warning cpu-flag-unknown System.CPUFlagsAdd[1]\nwarning cpu-flag-unknown System.CPUFlagsRemove[0]" },
	{ .name = "cpu/flags/no-list",
	  .edits = MACHINE("avr", "mega") "System.CPUCount=1\nSystem.CPU=avr5\nSystem.CPUFlagsAdd=[\"flux\"]" },
	{ .name = "devices/unknown",
	  .edits = "+Display={'Hardware':'abacus'}\n" "+Network={'Hardware':'string','MacAddress':'" MAC_ADDRESS "'}\n+Sound={'Hardware':'drum'}",
	  .expected = "warning device-unknown Display[0].Hardware\nwarning device-unknown Network[0].Hardware\n"
	              "warning device-unknown Sound[0].Hardware" },
	{ .name = "devices/other-kind",
	  .edits = "+Display={'Hardware':'e1000'}",
	  .expected = "warning device-unknown Display[0].Hardware" },
	{ .name = "devices/newer", .edits = "+Sound={'Hardware':'virtio-sound-pci'}" },
	{ .name = "devices/on-board", .edits = "+Sound={'Hardware':'pcspk'}" },
	{ .name = "tpm/no-uefi", .edits = "QEMU.TPMDevice=true", .expected = "warning tpm-without-uefi QEMU.TPMDevice" },
	{ .name = "tpm/no-place",
	  .edits = MACHINE("ppc", "mac99") "System.CPUCount=1\nQEMU.TPMDevice=true",
	  .expected = "error unsupported QEMU.TPMDevice\nwarning tpm-without-uefi QEMU.TPMDevice" },
	{ .name = "tpm/old-chipset",
	  .edits = MACHINE("x86_64", "pc") "QEMU.TPMDevice=true\nQEMU.UEFIBoot=true",
	  .expected = "error unsupported QEMU.TPMDevice" },
	{ .name = "uefi/no-firmware",
	  .edits = MACHINE("ppc", "mac99") "System.CPUCount=1\nQEMU.UEFIBoot=true",
	  .expected = "error unsupported QEMU.UEFIBoot" },
	{ .name = "uefi/no-flash",
	  .edits = MACHINE("x86_64", "microvm") "QEMU.UEFIBoot=true",
	  .expected = "warning no-place QEMU.UEFIBoot\ninfo no-agent System.Target" },
	{ .name = "uefi/not-here",
	  .edits = "QEMU.UEFIBoot=true",
	  .facts = "{'Firmware':[{'Architecture':'aarch64'}]}",
	  .expected = "error firmware-missing QEMU.UEFIBoot" },

	/* --- drives --- */
	{ .name = "drive/no-image",
	  .edits = DRIVE("Disk", "VirtIO", "A", ""),
	  .expected = "warning drive-without-image Drive[0].ImageName" },
	{ .name = "drive/no-image/medium",
	  .edits = DRIVE("Disk", "VirtIO", "A", ""),
	  .facts = "{'Medium':[{'Identifier':'A','Path':'/x.img'}]}" },
	{ .name = "drive/no-image/removable", .edits = DRIVE("Disk", "USB", "A", "") "Input.UsbBusSupport=3.0" },
	{ .name = "drive/no-image/kernel",
	  .edits = DRIVE("LinuxKernel", "None", "A", ""),
	  .expected = "warning drive-without-image Drive[0].ImageName" },
	{ .name = "drive/no-type",
	  .edits = DRIVE("None", "None", "A", IMAGE("a.img")),
	  .expected = "warning drive-unused Drive[0].ImageType" },
	{ .name = "drive/no-interface",
	  .edits = DRIVE("Disk", "None", "A", IMAGE("a.img")),
	  .expected = "warning drive-unused Drive[0].Interface" },
	{ .name = "drive/writable-cd",
	  .edits = DRIVE("CD", "IDE", "A", ",'ReadOnly':false"),
	  .expected = "info drive-read-only Drive[0].ReadOnly" },
	{ .name = "drive/image-twice",
	  .edits = DRIVE("Disk", "VirtIO", "A", IMAGE("a.img")) DRIVE("Disk", "VirtIO", "B", IMAGE("a.img")),
	  .expected = "error image-twice Drive[1].ImageName" },
	{ .name = "drive/image-twice/one-writes",
	  .edits =
	      DRIVE("Disk", "VirtIO", "A", IMAGE("a.img") ",'ReadOnly':true") DRIVE("Disk", "VirtIO", "B", IMAGE("a.img")),
	  .expected = "error image-twice Drive[1].ImageName" },
	{ .name = "drive/image-twice/read-only",
	  .edits = DRIVE("CD", "IDE", "A", IMAGE("a.iso")) DRIVE("CD", "IDE", "B", IMAGE("a.iso")) },
	{ .name = "drive/read-only-ide",
	  .edits = DRIVE("Disk", "IDE", "A", IMAGE("a.img") ",'ReadOnly':true"),
	  .expected = "error unsupported Drive[0].ReadOnly" },
	{ .name = "drive/seven-ide",
	  .edits = DISK("IDE", "A") DISK("IDE", "B") DISK("IDE", "C") DISK("IDE", "D") DISK("IDE", "E") DISK("IDE", "F")
	      DISK("IDE", "G") DISK("IDE", "H"),
	  .expected = "error unsupported Drive[6].Interface\nerror unsupported Drive[7].Interface" },
	{ .name = "drive/no-usb",
	  .edits = DRIVE("CD", "USB", "A", "") "Input.UsbBusSupport=Disabled",
	  .expected = "error unsupported Drive[0].Interface" },
	{ .name = "drive/no-usb/macos",
	  .edits = DRIVE("CD", "USB", "A", "") "Input.UsbBusSupport=Disabled",
	  .facts = "{}",
	  .macos = true,
	  .expected = "error unsupported Drive[0].Interface" },
	{ .name = "drive/no-slot",
	  .edits = DRIVE("Disk", "SD", "A", ""),
	  .expected = "warning no-place Drive[0].Interface" },
	{ .name = "drive/no-bus",
	  .edits = MACHINE("aarch64", "raspi3b") "System.CPUCount=4\nSystem.MemorySize=1024\n" DISK("VirtIO", "A")
	      DISK("NVMe", "B"),
	  .expected =
	      "error unsupported Drive[0].Interface\nerror unsupported Drive[1].Interface\ninfo no-agent System.Target" },
	{ .name = "drive/odd-name",
	  .edits = DRIVE("Disk", "VirtIO", "A", IMAGE("a.what")),
	  .facts = "{}",
	  .expected = "warning host-lacks Drive[0].ImageName" },

	/* --- devices --- */
	{ .name = "display/no-pci",
	  .edits = MACHINE("m68k", "virt") "System.CPUCount=1\n+Display={'Hardware':'virtio-gpu-pci'}",
	  .expected = "error device-bus Display[0].Hardware" },
	{ .name = "display/no-isa",
	  .edits = MACHINE("aarch64", "virt") "+Display={'Hardware':'isa-vga'}",
	  .expected = "error device-bus Display[0].Hardware" },
	{ .name = "display/hostile",
	  .edits = "+Display={'Hardware':'VGA,romfile=/x'}",
	  .expected = "error value Display[0].Hardware" },
	{ .name = "display/no-vga-memory",
	  .edits = "+Display={'Hardware':'virtio-vga','VgaRamMib':16}",
	  .expected = "warning vga-memory-ignored Display[0].VgaRamMib" },
	{ .name = "display/vga-memory", .edits = "+Display={'Hardware':'VGA','VgaRamMib':16}" },
	{ .name = "display/not-here",
	  .edits = "+Display={'Hardware':'VGA'}",
	  .facts = "{'Devices':['e1000']}",
	  .expected = "warning host-lacks Display[0].Hardware" },
	{ .name = "display/gl", .edits = "+Display={'Hardware':'virtio-gpu-gl-pci'}" },
	{ .name = "display/gl/not-here",
	  .edits = "+Display={'Hardware':'virtio-gpu-gl-pci'}",
	  .facts = "{}",
	  .expected = "warning host-lacks Display[0].Hardware" },
	{ .name = "network/no-channel",
	  .edits = "+Network={'Hardware':'virtio-net-ccw','MacAddress':'" MAC_ADDRESS "'}",
	  .expected = "error device-bus Network[0].Hardware" },
	{ .name = "sound/no-isa",
	  .edits = MACHINE("riscv64", "virt") "+Sound={'Hardware':'sb16'}",
	  .expected = "error device-bus Sound[0].Hardware" },
	{ .name = "rng/no-place",
	  .edits = MACHINE("x86_64", "microvm") "QEMU.RNGDevice=true",
	  .expected = "warning no-place QEMU.RNGDevice\ninfo no-agent System.Target" },
	{ .name = "usb/sharing", .edits = "Input.UsbSharing=true", .expected = "info usb-disabled Input.UsbSharing" },
	{ .name = "usb/too-many",
	  .edits = "Input.UsbBusSupport=3.0\nInput.MaximumUsbShare=25",
	  .expected = "error value Input.MaximumUsbShare" },
	{ .name = "clipboard/no-agent",
	  .edits = MACHINE("ppc", "mac99") "System.CPUCount=1\nSharing.ClipboardSharing=true",
	  .expected = "warning agent-needed Sharing.ClipboardSharing" },
	{ .name = "webdav/no-agent",
	  .edits = MACHINE("x86_64", "isapc") "Sharing.DirectoryShareMode=WebDAV",
	  .expected = "warning agent-needed Sharing.DirectoryShareMode" },
	{ .name = "virtfs/no-driver",
	  .edits = MACHINE("sparc64", "sun4u") "System.CPUCount=1\nSharing.DirectoryShareMode=VirtFS",
	  .expected = "warning no-place Sharing.DirectoryShareMode" },

	/* --- networks --- */
	{ .name = "net/address",
	  .edits = EMULATED(",'VlanGuestAddress':'foo'"),
	  .expected = "error value Network[0].VlanGuestAddress" },
	{ .name = "net/bits",
	  .edits = EMULATED(",'VlanGuestAddress':'10.0.2.0/33'"),
	  .expected = "error value Network[0].VlanGuestAddress" },
	{ .name = "net/host-outside",
	  .edits = EMULATED(",'VlanHostAddress':'10.0.3.2'"),
	  .expected = "error network-address Network[0].VlanHostAddress" },
	{ .name = "net/dhcp-outside",
	  .edits = EMULATED(",'VlanGuestAddress':'192.168.5.0/24','VlanDhcpStartAddress':'10.0.2.15'"),
	  .expected = "error network-address Network[0].VlanDhcpStartAddress" },
	{ .name = "net/inside",
	  .edits = EMULATED(",'VlanGuestAddress':'192.168.5.0/"
	                    "24','VlanHostAddress':'192.168.5.9','VlanDhcpStartAddress':'192.168.5.99','"
	                    "VlanDnsServerAddress':'8.8.8.8'") },
	{ .name = "net/ipv6",
	  .edits =
	      EMULATED(",'VlanGuestAddressIPv6':'fec0::/127','VlanHostAddressIPv6':'x','VlanDnsServerAddressIPv6':'::1'"),
	  .expected = "error value Network[0].VlanGuestAddressIPv6\nerror value Network[0].VlanHostAddressIPv6" },
	{ .name = "net/other-mode", .edits = CARD("Host", MAC_ADDRESS, ",'VlanGuestAddress':'foo'") },
	{ .name = "forward/twice",
	  .edits = EMULATED(",'PortForward':[{'Protocol':'TCP','HostPort':80,'GuestPort':1},{'Protocol':'TCP','HostPort':"
	                    "80,'GuestPort':2}]"),
	  .expected = "error duplicate Network[0].PortForward[1].HostPort" },
	{ .name = "forward/two-cards",
	  .edits = EMULATED(",'PortForward':[{'Protocol':'TCP','HostPort':80,'GuestPort':1}]")
	      CARD("Emulated", "52:54:00:00:00:02",
	           ",'PortForward':[{'Protocol':'TCP','HostAddress':'0.0.0.0','HostPort':80,'GuestPort':1}]"),
	  .expected = "error duplicate Network[1].PortForward[0].HostPort" },
	{ .name = "forward/two-addresses",
	  .edits = EMULATED(",'PortForward':[{'Protocol':'TCP','HostAddress':'127.0.0.1','HostPort':80,'GuestPort':1},{'"
	                    "Protocol':'TCP','HostAddress':'127.0.0.2','HostPort':80,'GuestPort':2}]") },
	{ .name = "forward/any-port",
	  .edits = EMULATED(",'PortForward':[{'Protocol':'TCP','HostPort':0,'GuestPort':1},{'Protocol':'TCP','HostPort':0,'"
	                    "GuestPort':2}]") },
	{ .name = "forward/hostile",
	  .edits = EMULATED(",'PortForward':[{'Protocol':'TCP','HostAddress':'x-:1','HostPort':80,'GuestPort':0}]"),
	  .expected =
	      "error value Network[0].PortForward[0].HostAddress\nerror value Network[0].PortForward[0].GuestPort" },
	{ .name = "forward/mode",
	  .edits = CARD("Shared", MAC_ADDRESS, ",'PortForward':[{'Protocol':'TCP','HostPort':80,'GuestPort':1}]"),
	  .expected = "warning forward-ignored Network[0].PortForward" },
	{ .name = "bridge/unnamed",
	  .edits = CARD("Bridged", MAC_ADDRESS, ""),
	  .expected = "warning bridge-unnamed Network[0].BridgeInterface" },
	{ .name = "bridge/not-here",
	  .edits = CARD("Bridged", MAC_ADDRESS, ",'BridgeInterface':'br0'"),
	  .facts = "{}",
	  .expected = "warning host-lacks Network[0].Mode" },

	/* --- serial ports --- */
	{ .name = "serial/client",
	  .edits = SERIAL("'Mode':'TcpClient'"),
	  .expected = "warning serial-incomplete Serial[0].TcpHostAddress\nwarning serial-incomplete Serial[0].TcpPort" },
	{ .name = "serial/port-zero",
	  .edits = SERIAL("'Mode':'TcpServer','TcpPort':0"),
	  .expected = "error value Serial[0].TcpPort" },
	{ .name = "serial/twice",
	  .edits = SERIAL("'Mode':'TcpServer','TcpPort':99") SERIAL("'Mode':'TcpServer','TcpPort':99"),
	  .expected = "error duplicate Serial[1].TcpPort" },
	{ .name = "serial/forwarded",
	  .edits = EMULATED(",'PortForward':[{'Protocol':'TCP','HostPort':99,'GuestPort':1}]")
	      SERIAL("'Mode':'TcpServer','TcpPort':99"),
	  .expected = "error duplicate Serial[0].TcpPort" },
	{ .name = "serial/no-device",
	  .edits = SERIAL("'Mode':'Ptty','Target':'Manual'"),
	  .expected = "error value Serial[0].Hardware" },
	{ .name = "serial/no-bus",
	  .edits = MACHINE("aarch64", "virt") SERIAL("'Mode':'Ptty','Target':'Manual','Hardware':'isa-serial'"),
	  .expected = "error device-bus Serial[0].Hardware" },
	{ .name = "serial/no-terminal",
	  .edits = "~<key>Serial</key>~<key>Serial</key><array><dict><key>Mode</key><string>Terminal</string><key>Target</"
	           "key><string>Auto</string></dict></array><key>Unused</key>",
	  .expected = "warning serial-incomplete Serial[0].Terminal\ninfo unknown-key Unused" },
	{ .name = "serial/colour",
	  .edits = SERIAL("'Mode':'Terminal','Terminal':{'ForegroundColor':'red','BackgroundColor':'#12345'}"),
	  .expected = "warning setting-ignored Serial[0].Terminal.ForegroundColor\nwarning setting-ignored "
	              "Serial[0].Terminal.BackgroundColor" },
	{ .name = "apple/colour",
	  .config = APPLE,
	  .edits = SERIAL("'Mode':'Terminal','Terminal':{'ForegroundColor':'#00ff0g'}"),
	  .expected = "warning setting-ignored Serial[0].Terminal.ForegroundColor" },
	{ .name = "serial/two-debuggers",
	  .edits = SERIAL("'Mode':'Ptty','Target':'GDB'") SERIAL("'Mode':'Ptty','Target':'GDB'"),
	  .expected = "warning setting-ignored Serial[1].Target" },
	{ .name = "serial/five",
	  .edits = SERIAL("'Mode':'Ptty'") SERIAL("'Mode':'Ptty'") SERIAL("'Mode':'Ptty'") SERIAL("'Mode':'Ptty'")
	      SERIAL("'Mode':'Ptty'"),
	  .expected = "warning serial-count Serial[4].Target" },

	/* --- additional arguments --- */
	{ .name = "arguments/harmless", .edits = ARGUMENTS("'-boot menu=on','','-S'"), .expected = PRESENT },
	{ .name = "arguments/daemonize",
	  .edits = ARGUMENTS("'-daemonize'"),
	  .expected = "error argument-clash QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "arguments/two-dashes",
	  .edits = ARGUMENTS("'--preconfig'"),
	  .expected = "error argument-clash QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "arguments/spice",
	  .edits = ARGUMENTS("'-spice port=5900'"),
	  .expected = "error argument-clash QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "arguments/own-chardev",
	  .edits = SERIAL("'Mode':'Ptty'") ARGUMENTS("'-chardev null,id=term0'"),
	  .expected = "error duplicate QEMU.AdditionalArguments\n" PRESENT },
	{ .name = "arguments/own-monitor",
	  .edits = ARGUMENTS("'-chardev null,id=org.qemu.monitor.qmp'"),
	  .expected = "error duplicate QEMU.AdditionalArguments\n" PRESENT },
	{ .name = "arguments/own-network",
	  .edits = EMULATED("") ARGUMENTS("'-netdev user,id=net0'"),
	  .expected = "error duplicate QEMU.AdditionalArguments\n" PRESENT },
	{ .name = "arguments/their-own-twice",
	  .edits = ARGUMENTS("'-netdev user,id=a','-netdev user,id=a'"),
	  .expected = "error duplicate QEMU.AdditionalArguments\n" PRESENT },
	{ .name = "arguments/qmp",
	  .edits = ARGUMENTS("'-qmp','tcp::4444,server=on'"),
	  .expected = "warning argument-reaches-host QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "arguments/no-monitor", .edits = ARGUMENTS("'-monitor none'"), .expected = PRESENT },
	{ .name = "arguments/exec",
	  .edits = ARGUMENTS("'-netdev tap,id=t,script=/bin/sh'"),
	  .expected = "warning argument-reaches-host QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "arguments/snapshot",
	  .edits = ARGUMENTS("'-snapshot'"),
	  .expected = "warning argument-effect QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "arguments/memory",
	  .edits = ARGUMENTS("'-m','4096'"),
	  .expected = PRESENT "info argument-overrides QEMU.AdditionalArguments[0]\n" },
	{ .name = "arguments/dump",
	  .edits = ARGUMENTS("'-machine dumpdtb=/tmp/x'"),
	  .expected = "error argument-clash QEMU.AdditionalArguments[0]\n"
	              "warning argument-reaches-host QEMU.AdditionalArguments[0]\n" PRESENT
	              "info argument-overrides QEMU.AdditionalArguments[0]" },
	{ .name = "arguments/drive",
	  .edits = ARGUMENTS("'-drive file=/etc/passwd,format=raw,if=virtio'"),
	  .expected = "warning argument-reaches-host QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "arguments/chardev",
	  .edits = ARGUMENTS("'-chardev','file,id=q,path=/etc/cron.d/x'"),
	  .expected = "warning argument-reaches-host QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "arguments/host-device",
	  .edits = ARGUMENTS("'-device vfio-pci,host=01:00.0'"),
	  .expected = "warning argument-reaches-host QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "override/dump",
	  .edits = "QEMU.MachinePropertyOverride=vmport=off,dumpdtb=/tmp/x",
	  .expected = "error argument-clash QEMU.MachinePropertyOverride\n"
	              "warning argument-reaches-host QEMU.MachinePropertyOverride\n" OVERRIDE },
	{ .name = "override/firmware",
	  .edits = "QEMU.MachinePropertyOverride=firmware=/etc/shadow",
	  .expected = "warning argument-reaches-host QEMU.MachinePropertyOverride\n" OVERRIDE },
	{ .name = "override/help",
	  .edits = "QEMU.MachinePropertyOverride=help",
	  .expected = "error argument-clash QEMU.MachinePropertyOverride\n" OVERRIDE },
	{ .name = "override/harmless", .edits = "QEMU.MachinePropertyOverride=vmport=off", .expected = OVERRIDE },
	{ .name = "arguments/no-help",
	  .edits = ARGUMENTS("'-device x,id=helpful','-object secret,id=tap'"),
	  .expected = PRESENT },
	{ .name = "arguments/downscript",
	  .edits = ARGUMENTS("'-nic tap,downscript=/x'"),
	  .expected = "warning argument-reaches-host QEMU.AdditionalArguments[0]\n" PRESENT },
	{ .name = "arguments/stray",
	  .edits = ARGUMENTS("'disk.img'"),
	  .expected = "warning argument-effect QEMU.AdditionalArguments\n" PRESENT },

	/* --- what the schema knows --- */
	{ .name = "range/cache",
	  .edits = "~<integer>0</integer>~<integer>-5</integer>",
	  .expected = "warning range System.JITCacheSize" },
	{ .name = "unknown/root",
	  .edits = "~<key>Display</key>~<key>Colour</key><string>red</string><key>Display</key>",
	  .expected = "info unknown-key Colour" },
	{ .name = "unknown/inside",
	  .edits = "~<key>TPMDevice</key>~<key>TPMVersion</key><integer>2</integer><key>TPMDevice</key>",
	  .expected = "info unknown-key QEMU.TPMVersion" },

	/* --- machines of Apple's framework --- */
	{ .name = "apple/no-kernel",
	  .config = APPLE,
	  .edits = "System.Boot.UEFIBoot=false",
	  .expected = "error nothing-boots System.Boot.LinuxKernelPath" },
	{ .name = "apple/kernel-and-uefi",
	  .config = APPLE,
	  .edits = "System.Boot.LinuxKernelPath=vmlinuz\nSystem.Boot.LinuxInitialRamdiskPath=initrd",
	  .expected = "warning boot-ignored System.Boot.LinuxKernelPath\nwarning boot-ignored "
	              "System.Boot.LinuxInitialRamdiskPath" },
	{ .name = "apple/nothing",
	  .config = APPLE,
	  .edits = "System.Boot.OperatingSystem=None",
	  .expected = "error nothing-boots System.Boot.OperatingSystem" },
	{ .name = "apple/macos",
	  .config = APPLE,
	  .edits = "System.Boot.OperatingSystem=macOS\nSystem.Architecture=x86_64\nVirtualization.Rosetta=true",
	  .expected = "error nothing-boots System.MacPlatform\nerror unsupported System.Architecture\nwarning boot-ignored "
	              "System.Boot.UEFIBoot\n"
	              "warning setting-ignored Virtualization.Rosetta" },
	{ .name = "apple/architecture",
	  .config = APPLE,
	  .edits = "System.Architecture=ppc",
	  .expected = "error unsupported System.Architecture" },
	{ .name = "apple/duplicates",
	  .config = APPLE,
	  .edits = "+Drive={'Identifier':'A','ImageName':'a.img'}\n+Drive={'Identifier':'A','ImageName':'a.img'}\n"
	           "+Network={'MacAddress':'" MAC_ADDRESS "'}\n+Network={'MacAddress':'" MAC_ADDRESS
	           "'}\n+Network={'MacAddress':'x'}",
	  .expected = "error duplicate Drive[1].Identifier\nerror duplicate Network[1].MacAddress\nerror value "
	              "Network[2].MacAddress\nerror image-twice Drive[1].ImageName" },
	{ .name = "apple/escape",
	  .config = APPLE,
	  .edits = "System.Boot.LinuxKernelPath=../../k\nSystem.Boot.UEFIBoot=false",
	  .expected = "error path-escape System.Boot.LinuxKernelPath" },
	{ .name = "apple/nvme",
	  .config = APPLE,
	  .edits = "System.Boot.OperatingSystem=None\n+Drive={'Identifier':'A','Nvme':true}",
	  .expected = "error nothing-boots System.Boot.OperatingSystem\nwarning setting-ignored Drive[0].Nvme" },
	{ .name = "apple/range",
	  .config = APPLE,
	  .edits = "~<integer>1920</integer>~<integer>0</integer>",
	  .expected = "warning range Display[0].WidthPixels" },
	{ .name = "apple/no-terminal",
	  .config = APPLE,
	  .edits = "~<key>Serial</key>~<key>Serial</key><array><dict><key>Mode</key><string>Terminal</string></dict></"
	           "array><key>Unused</key>",
	  .expected = "warning serial-incomplete Serial[0].Terminal\ninfo unknown-key Unused" },
	{ .name = "apple/two-screens",
	  .config = APPLE,
	  .edits = "+Display={}",
	  .expected = "warning setting-ignored Display[1]" },
};

/* Every finding is complete, and of the severity that the list says is the worst. */
static char *describe(const UtmFindings *findings)
{
	GString *text = g_string_new(NULL);
	uint32_t worst = 0;

	for (size_t i = 0; i < utm_findings_get_count(findings); i++) {
		const UtmFinding *finding = utm_findings_get(findings, i);

		g_assert_cmpuint(finding->size, ==, sizeof *finding);
		g_assert_true(*finding->message && *finding->remedy && g_utf8_validate(finding->message, -1, NULL));
		g_assert_null(strpbrk(finding->message, "\n\t\r\x1b"));
		g_string_append_printf(text, "%s%s %s%s%s", text->len ? "\n" : "",
		                       utm_finding_severity_get_name(finding->severity),
		                       utm_finding_code_get_name(finding->code), finding->key_path ? " " : "",
		                       finding->key_path ? finding->key_path : "");
		worst = MAX(worst, finding->severity);
	}
	g_assert_cmpuint(utm_findings_get_severity(findings), ==, worst);
	g_assert_null(utm_findings_get(findings, utm_findings_get_count(findings)));
	return g_string_free(text, FALSE);
}

static bool has_error(const UtmFindings *findings)
{
	return utm_findings_get_severity(findings) == UTM_FINDING_SEVERITY_ERROR;
}

static UtmFindings *check_with(const UtmConfig *config, const UtmConfigCheckOptions *options)
{
	UtmFindings *findings = NULL;
	UtmError *error = NULL;

	check(utm_config_check(config, options, &findings, &error), error);
	return findings;
}

static UtmFindings *check_config(const UtmConfig *config, const UtmHost *host)
{
	UtmConfigCheckOptions options = UTM_CONFIG_CHECK_OPTIONS_INIT;

	options.host = host;
	return check_with(config, &options);
}

/* What the builder refuses must be an error of the check, whoever the host is. */
static void agree(const UtmConfig *config, const UtmHost *host, const UtmFindings *findings)
{
	g_autoptr(UtmHost) typical = golden_host(UTM_HOST_OS_LINUX, NULL);
	g_autoptr(UtmArgv) argv = NULL;

	if (utm_config_get_backend(config) == UTM_BACKEND_QEMU &&
	    utm_argv_build(config, "/vm", host ? host : typical, &argv, NULL) < 0)
		g_assert_true(has_error(findings));
}

static void test_row(gconstpointer data)
{
	const Row *row = data;
	uint32_t os = row->macos ? UTM_HOST_OS_MACOS : UTM_HOST_OS_LINUX;
	g_autoptr(UtmConfig) config = golden_config(row->config ? row->config : "base.plist", row->edits);
	g_autoptr(UtmHost) host = row->facts ? golden_host(os, row->facts) : NULL;
	g_autoptr(UtmFindings) findings = check_config(config, host);
	g_autofree char *found = describe(findings);
	g_autofree char *expected = g_strchomp(g_strdup(row->expected ? row->expected : ""));

	g_assert_cmpstr(found, ==, expected);
	agree(config, host, findings);
}

/* --- names that a list of QEMU's judges --- */

static bool is_about_names(uint32_t code)
{
	return code == UTM_FINDING_TARGET_UNKNOWN || code == UTM_FINDING_CPU_UNKNOWN || code == UTM_FINDING_DEVICE_UNKNOWN ||
	       code == UTM_FINDING_CPU_FLAG_UNKNOWN || code == UTM_FINDING_QEMU_LACKS;
}

static void check_new_machine(const UtmConfigNewOptions *options)
{
	g_autoptr(UtmConfig) config = NULL;
	UtmError *error = NULL;

	check(utm_config_new_default(options, &config, &error), error);
	g_autoptr(UtmFindings) findings = check_config(config, NULL);
	for (size_t i = 0; i < utm_findings_get_count(findings); i++) {
		const UtmFinding *finding = utm_findings_get(findings, i);
		if (is_about_names(finding->code))
			g_error("%s, %s: %s", options->architecture, options->target, finding->message);
	}
}

/* What new machines have is known, with each machine type that is. */
static void test_new_machines(void)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	UtmConfigType architectures = UTM_CONFIG_TYPE_INIT;
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;
	UtmError *error = NULL;
	size_t tried = 0;

	check(utm_config_schema_find_key(UTM_BACKEND_QEMU, "System.Architecture", &key, &error), error);
	check(utm_config_schema_get_type(key.type, &architectures, &error), error);
	for (size_t i = 0; i < architectures.count; i++) {
		UtmConfigValue architecture = UTM_CONFIG_VALUE_INIT;
		UtmHardware *hardware = NULL;
		const UtmHardwareItem *machine;

		check(utm_config_schema_get_value(key.type, i, &architecture, &error), error);
		check(utm_hardware_query(NULL, architecture.text, 0, &hardware, &error), error);
		options.architecture = architecture.text;
		for (size_t j = 0; (machine = utm_hardware_get(hardware, UTM_HARDWARE_MACHINE, j)); j++) {
			options.target = machine->name;
			options.flags = 0;
			check_new_machine(&options);
			options.flags = UTM_CONFIG_NEW_UTM_EXACT;
			check_new_machine(&options);
			tried++;
		}
		utm_hardware_unref(hardware);
	}
	g_assert_cmpuint(tried, >, 500);
}

/* The QEMU that is here has the last word, and knows no versions to come. */
static void test_asked(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	g_autoptr(UtmConfig) good = golden_config("base.plist", "System.CPU=max\n+Display={'Hardware':'VGA'}");
	g_autoptr(UtmConfig) bad = golden_config("base.plist", "System.Target=pc-q35-99.1\nSystem.CPU=quantum\n"
	                                                       "System.CPUFlagsAdd=['flux']\n+Sound={'Hardware':'drum'}");
	g_autoptr(UtmConfig) arm = golden_config("base.plist", MACHINE("aarch64", "virt"));
	g_autoptr(UtmConfig) apple = golden_config(APPLE, NULL);
	UtmConfigCheckOptions options = UTM_CONFIG_CHECK_OPTIONS_INIT;
	UtmHardware *hardware = NULL;
	UtmFindings *nothing = NULL;
	int result = utm_hardware_query(context, "x86_64", UTM_HARDWARE_INSTALLED_ONLY, &hardware, NULL);

	utm_context_unref(context);
	if (result < 0) {
		g_test_skip("qemu-system-x86_64 is not installed");
		return;
	}
	options.hardware = hardware;
	g_autoptr(UtmFindings) none = check_with(good, &options), all = check_with(bad, &options);
	g_autoptr(UtmFindings) other = check_with(apple, &options);
	g_assert_cmpint(utm_config_check(arm, &options, &nothing, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_autofree char *none_found = describe(none), *all_found = describe(all), *other_found = describe(other);
	g_assert_cmpstr(none_found, ==, "");
	g_assert_cmpstr(all_found, ==,
	                "error qemu-lacks System.Target\nerror qemu-lacks System.CPU\nerror qemu-lacks System.CPUFlagsAdd[0]\n"
	                "error qemu-lacks Sound[0].Hardware");
	g_assert_cmpstr(other_found, ==, "");
	utm_hardware_unref(hardware);
}

/* --- bounds --- */

static UtmConfig *config_of_drives(guint count)
{
	g_autoptr(UtmConfig) base = golden_config("base.plist", NULL);
	g_autofree char *json = NULL;
	GString *drives = g_string_new("\"Drive\" : [");
	UtmConfig *config = NULL;
	UtmError *error = NULL;

	for (guint i = 0; i < count; i++)
		g_string_append_printf(drives, "%s{\"Identifier\":\"A\",\"ImageType\":\"Disk\",\"Interface\":\"IDE\"}",
		                       i ? "," : "");
	g_string_append(drives, "]");
	check(utm_config_to_json(base, NULL, &json, &error), error);
	g_auto(GStrv) parts = g_strsplit(json, "\"Drive\": []", 2);
	g_assert_cmpuint(g_strv_length(parts), ==, 2);
	g_autofree char *full = g_strconcat(parts[0], drives->str, parts[1], NULL);
	g_string_free(drives, TRUE);
	check(utm_config_load_json(full, NULL, &config, &error), error);
	return config;
}

/* Linear, and not more than anybody reads. */
static void test_many(void)
{
	g_autoptr(UtmConfig) config = config_of_drives(50000);
	g_autoptr(UtmFindings) findings = check_config(config, NULL);
	bool more = false;

	g_assert_cmpuint(utm_findings_get_count(findings), ==, 1001);
	for (size_t i = 0; i < utm_findings_get_count(findings); i++)
		more = more || utm_findings_get(findings, i)->code == UTM_FINDING_MORE;
	g_assert_true(more);
}

static void test_long(void)
{
	g_autofree char *name = g_strnfill(252, 'n');
	g_autofree char *notes = g_strnfill(1024 * 1024 + 1, 'n');
	g_autoptr(UtmConfig) config = golden_config("base.plist", NULL);

	check(utm_config_set_string(config, "Information.Name", name, NULL), NULL);
	check(utm_config_set_string(config, "Information.Notes", notes, NULL), NULL);
	g_autoptr(UtmFindings) findings = check_config(config, NULL);
	g_autofree char *found = describe(findings);
	g_assert_cmpstr(found, ==, "warning text-long Information.Name\nwarning text-long Information.Notes");
}

static void test_misuse(void)
{
	g_autoptr(UtmConfig) config = golden_config("base.plist", NULL);
	UtmConfigCheckOptions options = UTM_CONFIG_CHECK_OPTIONS_INIT;
	UtmFindings *findings = NULL;

	g_assert_cmpint(utm_config_check(NULL, NULL, &findings, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_check(config, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_bundle_check(NULL, NULL, &findings, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.size = 1;
	g_assert_cmpint(utm_config_check(config, &options, &findings, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	g_assert_null(findings);
	utm_findings_free(NULL);
	g_assert_cmpuint(utm_findings_get_count(NULL) + utm_findings_get_severity(NULL), ==, 0);
	g_assert_null(utm_findings_get(NULL, 0));
	g_assert_null(utm_finding_code_get_name(0));
	g_assert_null(utm_finding_code_get_name(10000));
	g_assert_null(utm_finding_severity_get_name(0));
	g_assert_null(utm_finding_severity_get_name(4));
	g_assert_cmpstr(utm_finding_code_get_name(UTM_FINDING_MORE), ==, "more");
}

/* --- real configurations --- */

/* They start somewhere, so there is no error in them but what the builder refuses too. */
static void check_sample(const char *path)
{
	g_autoptr(UtmHost) host = golden_host(UTM_HOST_OS_LINUX, NULL);
	g_autoptr(UtmArgv) argv = NULL;
	g_autoptr(UtmConfig) config = NULL;
	UtmError *error = NULL;

	check(utm_config_new_from_file(path, &config, &error), error);
	g_autoptr(UtmFindings) findings = check_config(config, NULL);
	g_autofree char *found = describe(findings);
	bool refused =
		utm_config_get_backend(config) == UTM_BACKEND_QEMU && utm_argv_build(config, "/vm", host, &argv, NULL) < 0;
	g_test_message("%s: %s", path, found);
	g_assert_true(has_error(findings) == refused);
}

static void test_corpus(void)
{
	const char *corpus = g_getenv("UTM_TEST_CORPUS");
	g_autoptr(GDir) directory = corpus ? g_dir_open(corpus, 0, NULL) : NULL;

	if (!directory) {
		g_test_skip("UTM_TEST_CORPUS names no directory of configurations");
		return;
	}
	for (const char *name; (name = g_dir_read_name(directory));) {
		g_autofree char *path = g_build_filename(corpus, name, NULL);
		if (g_str_has_prefix(name, "v") && !g_str_has_prefix(name, "view-") && g_str_has_suffix(name, ".plist"))
			check_sample(path);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strdup_printf("/findings/%s", rows[i].name);
		g_test_add_data_func(path, &rows[i], test_row);
	}
	g_test_add_func("/findings-names/new-machines", test_new_machines);
	g_test_add_func("/findings-names/asked", test_asked);
	g_test_add_func("/findings-bounds/many", test_many);
	g_test_add_func("/findings/long", test_long);
	g_test_add_func("/findings/misuse", test_misuse);
	g_test_add_func("/findings/corpus", test_corpus);
	return g_test_run();
}
