/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules one by one: a small machine, a few edits, and what must and must not be in the command line. Most rows are
 * places where UTM's own line does not start on a stock QEMU.
 */
#include "support.h"

#include <string.h>

#define HOST "'PhysicalCores': 8, 'LogicalCores': 16"
#define OLD "{ " HOST ", 'QemuVersion': '7.2.22' }"

typedef struct Rule {
	const char *name;
	const char *config; /* NULL: base.plist */
	const char *edits;
	const char *facts;   /* NULL: HOST alone */
	const char *present; /* arguments, one "option value" in a line */
	const char *absent;  /* texts that no argument contains, one in a line */
	int code;            /* expected failure */
	const char *key_path;
	const char *warning; /* text of one of the warnings */
	bool macos;
	bool exact; /* macOS with UTM's faults */
} Rule;

#define DISK(interface, id, more)                                                                                    \
	"+Drive={'ImageType':'Disk','Interface':'" interface "','Identifier':'" id "','ImageName':'" id ".qcow2'" more "}\n"
#define EMPTY_CD(interface, id) "+Drive={'ImageType':'CD','Interface':'" interface "','Identifier':'" id "'}\n"
#define MACHINE(architecture, target) "System.Architecture=" architecture "\nSystem.Target=" target "\n"
#define QCOW(id, rest) "-drive if=none,media=disk,id=drive" id ",format=qcow2,file.filename=/vm/Data/" id ".qcow2" rest "\n"
#define CARD(mode, more)                                                                                             \
	"+Network={'Mode':'" mode "','Hardware':'e1000','MacAddress':'52:54:00:00:00:01'" more "}\n"

static const Rule rules[] = {
	/* --- drives --- */
	{ .name = "drive/no-image-type", .edits = "+Drive={'ImageType':'None','Identifier':'X','ImageName':'x.img'}",
	  .absent = "x.img" },
	{ .name = "drive/no-image-type/utm-exact", .edits = "+Drive={'ImageType':'None','Identifier':'X','ImageName':'x.img'}",
	  .present = " ", .exact = true },
	{ .name = "drive/ide/pc-four", .edits = MACHINE("x86_64", "pc") DISK("IDE", "A", "") DISK("IDE", "B", "")
	  DISK("IDE", "C", "") DISK("IDE", "D", ""),
	  .present = "-device ide-hd,bus=ide.0,drive=driveA,bootindex=0\n-device ide-hd,bus=ide.1,drive=driveB,bootindex=1\n"
	             "-device ide-hd,bus=ide.0,unit=1,drive=driveC,bootindex=2\n"
	             "-device ide-hd,bus=ide.1,unit=1,drive=driveD,bootindex=3" },
	{ .name = "drive/ide/pc-five", .edits = MACHINE("x86_64", "pc-i440fx-7.2") DISK("IDE", "A", "") DISK("IDE", "B", "")
	  DISK("IDE", "C", "") DISK("IDE", "D", "") DISK("IDE", "E", ""),
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "Drive[4].Interface" },
	{ .name = "drive/ide/q35-sixth", .edits = DISK("IDE", "A", "") DISK("IDE", "B", "") DISK("IDE", "C", "")
	  DISK("IDE", "D", "") DISK("IDE", "E", "") DISK("IDE", "F", ""),
	  .present = "-device ide-hd,bus=ide.5,drive=driveF,bootindex=5" },
	{ .name = "drive/ide/third-on-utm-exact", .edits = MACHINE("x86_64", "pc") DISK("IDE", "A", "") DISK("IDE", "B", "")
	  DISK("IDE", "C", ""), .present = "-device ide-hd,bus=ide.2,drive=driveC,bootindex=2", .exact = true },
	{ .name = "drive/ide/two-units", .edits = MACHINE("ppc", "g3beige") DISK("IDE", "A", "") EMPTY_CD("IDE", "B")
	  DISK("IDE", "C", ""), .present = "-device ide-cd,bus=ide.0,unit=1,drive=driveB,bootindex=1\n"
	                                   "-device ide-hd,bus=ide.1,unit=0,drive=driveC,bootindex=2" },
	{ .name = "drive/ide/old-layout", .edits = MACHINE("ppc", "g3beige") DISK("IDE", "A", ",'InterfaceVersion':0")
	  DISK("IDE", "B", ",'InterfaceVersion':0"), .present = "-device ide-hd,bus=ide.1,drive=driveB,bootindex=1" },
	{ .name = "drive/ide/one-unit-boards", .edits = MACHINE("aarch64", "xlnx-zcu102") DISK("IDE", "A", "") DISK("IDE", "B", ""),
	  .present = "-device ide-hd,bus=ide.1,drive=driveB,bootindex=1" },
	{ .name = "drive/ide/one-unit-boards/utm-exact",
	  .edits = MACHINE("aarch64", "xlnx-zcu102") DISK("IDE", "A", "") DISK("IDE", "B", ""),
	  .present = "-device ide-hd,bus=ide.0,unit=1,drive=driveB,bootindex=1", .exact = true },
	{ .name = "drive/ide/read-only", .edits = DISK("IDE", "A", ",'ReadOnly':true"),
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "Drive[0].ReadOnly" },
	{ .name = "drive/virtio/read-only", .edits = DISK("VirtIO", "A", ",'ReadOnly':true"),
	  .present = "-device virtio-blk-pci,drive=driveA,serial=A,bootindex=0\n" QCOW("A", ",file.locking=off,readonly=on") },
	{ .name = "drive/virtio/no-bus", .edits = MACHINE("aarch64", "raspi3b") DISK("VirtIO", "A", ""),
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "Drive[0].Interface" },
	{ .name = "drive/virtio/slots", .edits = MACHINE("x86_64", "microvm") DISK("VirtIO", "A", ""),
	  .present = "-device virtio-blk-device,drive=driveA,serial=A,bootindex=0" },
	{ .name = "drive/virtio/s390x", .edits = MACHINE("s390x", "s390-ccw-virtio-7.2") DISK("VirtIO", "A", ""),
	  .present = "-device virtio-blk-ccw,drive=driveA,serial=A,bootindex=0" },
	{ .name = "drive/scsi/pc", .edits = DISK("SCSI", "A", "") EMPTY_CD("SCSI", "B"),
	  .present = "-device lsi53c895a,id=scsi0\n"
	             "-device scsi-hd,bus=scsi0.0,channel=0,scsi-id=0,drive=driveA,bootindex=0\n"
	             "-device scsi-cd,bus=scsi0.0,channel=0,scsi-id=1,drive=driveB,bootindex=1" },
	{ .name = "drive/scsi/s390x", .edits = MACHINE("s390x", "s390-ccw-virtio") DISK("SCSI", "A", ""),
	  .present = "-device virtio-scsi-ccw,id=scsi0\n"
	             "-device scsi-hd,bus=scsi0.0,channel=0,scsi-id=0,drive=driveA,bootindex=0", .absent = "lsi53c895a" },
	{ .name = "drive/scsi/m68k-virt", .edits = MACHINE("m68k", "virt-7.2") DISK("SCSI", "A", ""),
	  .present = "-device virtio-scsi-device,id=scsi0\n"
	             "-device scsi-hd,bus=scsi0.0,channel=0,scsi-id=0,drive=driveA,bootindex=0" },
	{ .name = "drive/scsi/m68k-virt/utm-exact", .edits = MACHINE("m68k", "virt-7.2") DISK("SCSI", "A", ""),
	  .present = "-device scsi-hd,bus=scsi.0,channel=0,scsi-id=0,drive=driveA,bootindex=0", .absent = "virtio-scsi",
	  .exact = true },
	{ .name = "drive/scsi/microvm", .edits = MACHINE("x86_64", "microvm") DISK("SCSI", "A", ""),
	  .present = "-device virtio-scsi-device,id=scsi0" },
	{ .name = "drive/ide/sbsa", .edits = MACHINE("aarch64", "sbsa-ref") DISK("IDE", "A", "") DISK("IDE", "B", ""),
	  .present = "-device ide-hd,bus=ide.1,drive=driveB,bootindex=1" },
	{ .name = "drive/scsi/sun4u", .edits = MACHINE("sparc64", "sun4u") DISK("SCSI", "A", ""),
	  .present = "-device lsi53c895a,id=scsi0,bus=pciB\n"
	             "-device scsi-hd,bus=scsi0.0,channel=0,scsi-id=0,drive=driveA,bootindex=0" },
	{ .name = "drive/scsi/sparc", .edits = MACHINE("sparc", "SS-5") DISK("SCSI", "A", ""),
	  .present = "-device scsi-hd,bus=scsi.0,channel=0,scsi-id=0,drive=driveA,bootindex=0" },
	{ .name = "drive/scsi/nine", .edits = DISK("SCSI", "A", "") DISK("SCSI", "B", "") DISK("SCSI", "C", "") DISK("SCSI", "D", "")
	  DISK("SCSI", "E", "") DISK("SCSI", "F", "") DISK("SCSI", "G", "") DISK("SCSI", "H", "") DISK("SCSI", "I", ""),
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "Drive[8].Interface" },
	{ .name = "drive/scsi/no-bus", .edits = MACHINE("aarch64", "raspi3b") DISK("SCSI", "A", ""),
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "Drive[0].Interface" },
	{ .name = "drive/nvme/no-bus", .edits = MACHINE("aarch64", "raspi3b") DISK("NVMe", "A", ""),
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "Drive[0].Interface" },
	{ .name = "drive/usb/no-bus", .edits = DISK("USB", "A", ""), .code = UTM_ERROR_CONFIG_UNSUPPORTED,
	  .key_path = "Drive[0].Interface" },
	{ .name = "drive/usb/external", .edits = "Input.UsbBusSupport=2.0\n+Drive={'ImageType':'Disk','Interface':'USB',"
	                                         "'Identifier':'A','ReadOnly':false}",
	  .present = "-device usb-storage,drive=driveA,removable=on,bootindex=0\n-drive if=none,media=disk,id=driveA,format=raw,"
	             "file.filename=/dev/null,discard=unmap,detect-zeroes=unmap" },
	{ .name = "drive/floppy/pc", .edits = MACHINE("x86_64", "pc") DISK("VirtIO", "H", "")
	  "+Drive={'ImageType':'Disk','Interface':'Floppy','Identifier':'A','ReadOnly':false}\n"
	  "+Drive={'ImageType':'Disk','Interface':'Floppy','Identifier':'B','ReadOnly':true}",
	  .present = "-global isa-fdc.bootindexA=1\n-device floppy,unit=0,bus=floppy-bus.0,drive=driveA\n"
	             "-drive if=none,media=disk,id=driveA\n-device floppy,unit=1,bus=floppy-bus.0,drive=driveB\n"
	             "-drive if=none,media=disk,id=driveB,readonly=on" },
	{ .name = "drive/floppy/q35", .edits = DISK("Floppy", "A", "") DISK("Floppy", "B", "") DISK("VirtIO", "H", ""),
	  .present = "-device isa-fdc,id=fdc0,bootindexA=0\n-device floppy,unit=0,bus=fdc0.0,drive=driveA\n"
	             "-device floppy,unit=1,bus=fdc0.0,drive=driveB\n"
	             "-device virtio-blk-pci,drive=driveH,serial=H,bootindex=2" },
	{ .name = "drive/floppy/third", .edits = DISK("Floppy", "A", "") DISK("Floppy", "B", "") DISK("Floppy", "C", ""),
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "Drive[2].Interface" },
	{ .name = "drive/floppy/no-pc", .edits = MACHINE("sparc", "SS-5") DISK("Floppy", "A", ""),
	  .present = "-drive if=floppy,media=disk,id=driveA,format=qcow2,file.filename=/vm/Data/A.qcow2,discard=unmap,"
	             "detect-zeroes=unmap" },
	{ .name = "drive/sd/pc", .edits = DISK("SD", "A", ""), .warning = "no slot" },
	{ .name = "drive/format/unknown", .edits = "+Drive={'ImageType':'Disk','Interface':'VirtIO','Identifier':'A','ImageName':'disk'}",
	  .present = "-drive if=none,media=disk,id=driveA,format=raw,file.filename=/vm/Data/disk,discard=unmap,detect-zeroes=unmap",
	  .warning = "taken as raw" },
	{ .name = "drive/format/told", .edits = "+Drive={'ImageType':'Disk','Interface':'VirtIO','Identifier':'A','ImageName':'disk'}",
	  .facts = "{ 'Medium': [ { 'Identifier': 'A', 'Format': 'qcow2' } ] }",
	  .present = "-drive if=none,media=disk,id=driveA,format=qcow2,file.filename=/vm/Data/disk,discard=unmap,"
	             "detect-zeroes=unmap" },
	{ .name = "drive/no-lock", .edits = DISK("VirtIO", "A", "") EMPTY_CD("IDE", "B"), .facts = "{ 'FileLock': false }",
	  .present = QCOW("A", ",file.locking=off,discard=unmap,detect-zeroes=unmap")
	             "-drive if=none,media=cdrom,id=driveB,readonly=on" },
	{ .name = "drive/comma", .edits = "+Drive={'ImageType':'Disk','Interface':'VirtIO','Identifier':'A','ImageName':'a,b=c.qcow2'}",
	  .present = "-drive if=none,media=disk,id=driveA,format=qcow2,file.filename=/vm/Data/a,,b=c.qcow2,discard=unmap,"
	             "detect-zeroes=unmap" },
	{ .name = "drive/escape/parent", .edits = "+Drive={'ImageType':'Disk','Interface':'VirtIO','Identifier':'A','ImageName':'../x'}",
	  .code = UTM_ERROR_BUNDLE_PATH_ESCAPE, .key_path = "Drive[0].ImageName" },
	{ .name = "drive/escape/absolute",
	  .edits = "+Drive={'ImageType':'LinuxKernel','Identifier':'A','ImageName':'/etc/passwd'}",
	  .code = UTM_ERROR_BUNDLE_PATH_ESCAPE, .key_path = "Drive[0].ImageName" },
	{ .name = "drive/escape/inside", .edits = "+Drive={'ImageType':'CD','Interface':'IDE','Identifier':'A','ImageName':'a/../../b'}",
	  .code = UTM_ERROR_BUNDLE_PATH_ESCAPE, .key_path = "Drive[0].ImageName", .macos = true },
	{ .name = "drive/identifier/same", .edits = DISK("VirtIO", "A", "") DISK("NVMe", "A", ""),
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Drive[1].Identifier" },
	{ .name = "drive/identifier/hostile",
	  .edits = "+Drive={'ImageType':'CD','Interface':'IDE','Identifier':'a,file=/etc/passwd'}",
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Drive[0].Identifier" },
	{ .name = "drive/boot-device", .edits = MACHINE("ppc", "mac99") DISK("IDE", "A", "")
	  "QEMU.AdditionalArguments=['-prom-env \"boot-device=hd:,\\\\\\\\:tbxi\"']", .absent = "bootindex" },

	/* --- displays --- */
	{ .name = "display/own-memory", .edits = "+Display={'Hardware':'VGA','VgaRamMib':16}\n"
	                                         "+Display={'Hardware':'virtio-gpu-pci','VgaRamMib':32}\n+Display={'Hardware':'secondary-vga'}",
	  .present = "-device VGA,vgamem_mb=16\n-device virtio-gpu-pci\n-device secondary-vga" },
	{ .name = "display/own-memory/utm-exact", .edits = "+Display={'Hardware':'VGA','VgaRamMib':16}\n+Display={'Hardware':'virtio-gpu-pci'}",
	  .present = "-device virtio-gpu-pci,vgamem_mb=16", .exact = true },
	{ .name = "display/sparc", .edits = MACHINE("sparc", "SS-5") "+Display={'Hardware':'tcx','VgaRamMib':16}",
	  .present = "-vga tcx", .absent = "-nodefaults\nvgamem" },
	{ .name = "display/gl/none", .edits = "+Display={'Hardware':'virtio-vga-gl'}",
	  .present = "-device virtio-vga", .warning = "render node" },
	{ .name = "display/gl/one", .edits = "+Display={'Hardware':'virtio-vga-gl'}\n+Display={'Hardware':'virtio-gpu-gl-pci'}",
	  .facts = "{ 'RenderNode': '/dev/dri/renderD128' }",
	  .present = "-device virtio-vga-gl\n-device virtio-gpu-pci\n-spice unix=on,addr=spice.sock,disable-ticketing=on,"
	             "image-compression=off,playback-compression=off,streaming-video=off,gl=on,rendernode=/dev/dri/renderD128",
	  .warning = "one display only" },
	{ .name = "display/venus", .edits = "+Display={'Hardware':'virtio-vga-gl'}", .facts = "{ 'GL': true, 'Venus': true }",
	  .present = "-device virtio-vga-gl,hostmem=256M,blob=true,venus=true" },
	{ .name = "display/venus/old", .edits = "+Display={'Hardware':'virtio-vga-gl'}",
	  .facts = "{ 'GL': true, 'Venus': true, 'QemuVersion': '7.2.0' }", .present = "-device virtio-vga-gl" },
	{ .name = "display/ramfb", .edits = MACHINE("aarch64", "virt") "+Display={'Hardware':'virtio-ramfb'}",
	  .present = "-device virtio-gpu-pci" },
	{ .name = "display/edid", .edits = MACHINE("ppc", "mac99") "+Display={'Hardware':'cirrus-vga'}", .absent = "edid" },
	{ .name = "display/hostile", .edits = "+Display={'Hardware':'VGA,romfile=/etc/passwd'}",
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Display[0].Hardware" },
	{ .name = "display/help", .edits = "+Display={'Hardware':'help'}",
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Display[0].Hardware" },

	/* --- processors --- */
	{ .name = "cpu/clamp/one", .edits = MACHINE("ppc", "mac99") "System.CPUCount=0",
	  .present = "-smp cpus=1,sockets=1,cores=1,threads=1" },
	{ .name = "cpu/clamp/four", .edits = MACHINE("aarch64", "raspi3b") "System.CPUCount=0",
	  .present = "-smp cpus=4,sockets=1,cores=4,threads=1" },
	{ .name = "cpu/clamp/up", .edits = MACHINE("aarch64", "raspi3b") "System.CPUCount=0", .facts = "{ 'PhysicalCores': 2 }",
	  .present = "-smp cpus=4,sockets=1,cores=4,threads=1" },
	{ .name = "cpu/explicit", .edits = MACHINE("ppc", "mac99") "System.CPUCount=3",
	  .present = "-smp cpus=3,sockets=1,cores=3,threads=1" },
	{ .name = "cpu/host", .edits = "System.CPUCount=0", .present = "-smp cpus=16,sockets=1,cores=8,threads=2" },
	{ .name = "cpu/hybrid", .edits = "System.CPUCount=0", .facts = "{ 'PhysicalCores': 16, 'LogicalCores': 24 }",
	  .present = "-smp cpus=24,sockets=1,cores=24,threads=1" },
	{ .name = "cpu/strong-on-weak", .edits = "System.CPUCount=0",
	  .facts = "{ 'Architecture': 'aarch64', 'PhysicalCores': 8, 'PerformanceCores': 4 }",
	  .present = "-smp cpus=1,sockets=1,cores=1,threads=1" },
	{ .name = "cpu/performance", .edits = MACHINE("aarch64", "virt") "System.CPUCount=0",
	  .facts = "{ 'Architecture': 'aarch64', 'PhysicalCores': 8, 'PerformanceCores': 4 }",
	  .present = "-smp cpus=4,sockets=1,cores=4,threads=1" },
	{ .name = "cpu/sparc-blanks", .edits = MACHINE("sparc", "SS-5") "System.CPU=Fujitsu-MB86904     ",
	  .present = "-cpu Fujitsu-MB86904" },
	{ .name = "cpu/flags/sign", .edits = "System.CPU=qemu64\nSystem.CPUFlagsAdd=['sse4.2']\nSystem.CPUFlagsRemove=['hv-time']",
	  .present = "-cpu qemu64,+sse4.2,-hv-time" },
	{ .name = "cpu/flags/ppc", .edits = MACHINE("ppc64", "pseries-7.2") "System.CPU=power9\nSystem.CPUFlagsAdd=['x']",
	  .present = "-cpu power9,x=on" },
	{ .name = "cpu/flags/hostile", .edits = "System.CPU=qemu64\nSystem.CPUFlagsAdd=['a,b']",
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "System.CPUFlagsAdd[0]" },
	{ .name = "cpu/default/i386", .edits = MACHINE("i386", "pc"), .absent = "-cpu" },

	{ .name = "cpu/default/board", .edits = MACHINE("arm", "vexpress-a9"), .absent = "-cpu" },
	{ .name = "cpu/default/board/utm-exact", .edits = MACHINE("arm", "vexpress-a9"), .present = "-cpu cortex-a15", .exact = true },

	{ .name = "cpu/intel-mac", .facts = "{ 'Architecture': 'x86_64', 'CpuModel': 'Haswell', 'PhysicalCores': 4, "
	                                    "'LogicalCores': 8 }", .edits = "QEMU.Hypervisor=true\nSystem.CPUCount=0", .macos = true,
	  .present = "-cpu Haswell\n-smp cpus=8,sockets=1,cores=4,threads=2\n-accel hvf" },
	{ .name = "cpu/intel-mac/unknown", .facts = "{ 'Architecture': 'x86_64' }", .absent = "-cpu", .macos = true },

	/* --- accelerators --- */
	{ .name = "accel/auto", .facts = "{ 'Accelerated': [ 'x86_64' ] }", .present = "-accel kvm\n-cpu host" },
	{ .name = "accel/auto/not-proven", .present = "-accel tcg,tb-size=128\n-cpu Skylake-Client" },
	{ .name = "accel/auto/tried",
	  .facts = "{ 'Accelerators': [ { 'Name': 'tcg', 'State': 'Works' }, { 'Name': 'kvm', 'State': 'Fails', 'Reason': 'hangs' } ] }",
	  .present = "-accel tcg,tb-size=128", .warning = "emulated: hangs" },
	{ .name = "accel/auto/foreign", .edits = MACHINE("aarch64", "virt"), .facts = "{ 'Accelerated': [ 'x86_64', 'aarch64' ] }",
	  .present = "-accel tcg,tb-size=128\n-machine virt,virtualization=on\n-cpu cortex-a72" },
	{ .name = "accel/config", .facts = "{ 'Accelerated': [ 'x86_64' ], 'Acceleration': 'Config' }",
	  .present = "-accel tcg,tb-size=128" },
	{ .name = "accel/config/asked", .edits = "QEMU.Hypervisor=true",
	  .facts = "{ 'Accelerated': [ 'x86_64' ], 'Acceleration': 'Config' }", .present = "-accel kvm" },
	{ .name = "accel/kvm/i386", .edits = MACHINE("i386", "pc"), .facts = "{ 'Acceleration': 'KVM' }",
	  .present = "-accel kvm\n-cpu host" },
	{ .name = "accel/kvm/arm", .edits = MACHINE("arm", "virt"), .facts = "{ 'Acceleration': 'KVM', 'Architecture': 'aarch64' }",
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "System.Architecture" },
	{ .name = "accel/kvm/board", .edits = MACHINE("aarch64", "raspi3b"),
	  .facts = "{ 'Acceleration': 'KVM', 'Architecture': 'aarch64' }", .code = UTM_ERROR_CONFIG_UNSUPPORTED,
	  .key_path = "System.Target" },
	{ .name = "accel/auto/board", .edits = MACHINE("aarch64", "raspi3b"),
	  .facts = "{ 'Accelerated': [ 'aarch64' ], 'Architecture': 'aarch64' }", .present = "-accel tcg,tb-size=128" },
	{ .name = "accel/tcg", .edits = "System.ForceMulticore=true\nSystem.MemorySize=2",
	  .facts = "{ 'Accelerated': [ 'x86_64' ], 'Acceleration': 'TCG' }", .present = "-accel tcg,thread=multi,tb-size=1" },

	/* --- machines --- */
	{ .name = "machine/override/other-name", .edits = "QEMU.MachinePropertyOverride=x-hpet=1",
	  .present = "-machine q35,x-hpet=1,vmport=off,hpet=off" },
	{ .name = "machine/override/other-name/utm-exact", .edits = "QEMU.MachinePropertyOverride=x-hpet=1",
	  .present = "-machine q35,x-hpet=1,vmport=off", .exact = true },
	{ .name = "machine/override/given", .edits = "QEMU.MachinePropertyOverride=hpet=on,vmport=on",
	  .present = "-machine q35,hpet=on,vmport=on" },
	{ .name = "machine/override/last-comma", .edits = "QEMU.MachinePropertyOverride=hpet=on,",
	  .present = "-machine q35,hpet=on,vmport=off" },
	{ .name = "machine/override/quoted-comma", .edits = "QEMU.MachinePropertyOverride=a=b,,hpet=on",
	  .present = "-machine q35,a=b,,hpet=on,vmport=off,hpet=off" },
	{ .name = "machine/gic", .edits = MACHINE("aarch64", "virt") "System.CPUCount=0",
	  .present = "-machine virt,virtualization=on,gic-version=3" },
	{ .name = "machine/gic/macos", .edits = MACHINE("aarch64", "virt") "System.CPUCount=9", .macos = true,
	  .present = "-machine virt,virtualization=on,gic-version=3" },
	{ .name = "machine/gic/arm", .edits = MACHINE("arm", "virt-7.2") "System.CPUCount=9",
	  .present = "-machine virt-7.2,gic-version=3" },
	{ .name = "machine/highmem", .edits = MACHINE("aarch64", "virt"), .facts = "{ 'OsVersion': '12.3' }",
	  .present = "-machine virt,highmem=off,virtualization=on", .macos = true },
	{ .name = "machine/hostile", .edits = "~<string>q35</string>~<string>q35,firmware=/etc/passwd</string>",
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "System.Target" },
	{ .name = "machine/on-board-audio", .edits = MACHINE("arm", "vexpress-a9") "+Sound={'Hardware':'AC97'}",
	  .present = "-machine vexpress-a9,audiodev=audio0" },
	{ .name = "machine/on-board-audio/old", .edits = MACHINE("arm", "vexpress-a9") "+Sound={'Hardware':'AC97'}", .facts = OLD,
	  .present = "-machine vexpress-a9" },

	/* --- UEFI --- */
	{ .name = "uefi/missing", .edits = "QEMU.UEFIBoot=true",
	  .facts = "{ 'Firmware': [ { 'Architecture': 'arm', 'Code': '/x' } ] }", .code = UTM_ERROR_FIRMWARE_NOT_FOUND,
	  .key_path = "QEMU.UEFIBoot" },
	{ .name = "uefi/plain", .edits = "QEMU.UEFIBoot=true", .absent = "smm=on\nsecboot",
	  .present = "-drive if=pflash,format=raw,unit=0,file.filename=/usr/share/OVMF/OVMF_CODE_4M.fd,file.locking=off,readonly=on\n"
	             "-drive if=pflash,format=qcow2,unit=1,file.filename=/vm/Data/efi_vars.fd" },
	{ .name = "uefi/raw", .edits = "QEMU.UEFIBoot=true", .facts = "{ 'EfiVarsFormat': 'raw', 'FileLock': false }",
	  .present = "-drive if=pflash,format=raw,unit=1,file.filename=/vm/Data/efi_vars.fd,file.locking=off" },
	{ .name = "uefi/secure/old-chipset", .edits = MACHINE("x86_64", "pc") "QEMU.UEFIBoot=true\nQEMU.TPMDevice=true",
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "QEMU.TPMDevice" },
	{ .name = "uefi/secure/aarch64", .edits = MACHINE("aarch64", "virt") "QEMU.UEFIBoot=true\nQEMU.TPMDevice=true",
	  .present = "-drive if=pflash,format=raw,unit=0,file.filename=/usr/share/AAVMF/AAVMF_CODE.fd,file.locking=off,readonly=on",
	  .absent = "smm=on\ncfi.pflash01" },
	{ .name = "uefi/no-flash", .edits = MACHINE("aarch64", "raspi3b") "QEMU.UEFIBoot=true", .absent = "pflash",
	  .warning = "no flash" },
	{ .name = "uefi/no-firmware", .edits = MACHINE("ppc", "mac99") "QEMU.UEFIBoot=true",
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "QEMU.UEFIBoot" },
	{ .name = "uefi/custom", .edits = "QEMU.UEFIBoot=true\n" DISK("PFlash", "A", ""), .absent = "efi_vars",
	  .present = "-drive if=pflash,media=disk,id=driveA,format=qcow2,file.filename=/vm/Data/A.qcow2,discard=unmap,"
	             "detect-zeroes=unmap" },
	{ .name = "uefi/secure/utm-exact/pc", .edits = MACHINE("x86_64", "pc") "QEMU.UEFIBoot=true\nQEMU.TPMDevice=true", .exact = true,
	  .present = "-drive if=pflash,format=raw,unit=0,file.filename=<CACHE>/qemu/edk2-x86_64-secure-code.fd,file.locking=off,"
	             "readonly=on" },

	/* --- TPM --- */
	{ .name = "tpm/riscv64", .edits = MACHINE("riscv64", "virt") "QEMU.TPMDevice=true",
	  .present = "-device tpm-tis-device,tpmdev=tpm0" },
	{ .name = "tpm/riscv64/macos", .edits = MACHINE("riscv64", "virt") "QEMU.TPMDevice=true", .macos = true,
	  .present = "-device tpm-crb-device,tpmdev=tpm0" },
	{ .name = "tpm/pseries", .edits = MACHINE("ppc64", "pseries-7.2") "QEMU.TPMDevice=true",
	  .present = "-device tpm-spapr,tpmdev=tpm0" },
	{ .name = "tpm/mac99", .edits = MACHINE("ppc64", "mac99") "QEMU.TPMDevice=true",
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "QEMU.TPMDevice" },
	{ .name = "tpm/loongarch64/old", .edits = MACHINE("loongarch64", "virt") "QEMU.TPMDevice=true", .facts = OLD,
	  .code = UTM_ERROR_CONFIG_UNSUPPORTED, .key_path = "QEMU.TPMDevice" },

	/* --- sound --- */
	{ .name = "sound/none", .present = "-audio none\n-audiodev spice,id=audio0" },
	{ .name = "sound/none/old", .facts = OLD, .present = "-audiodev spice,id=audio0", .absent = "-audio none" },
	{ .name = "sound/old-device", .edits = "+Sound={'Hardware':'virtio-sound-pci'}", .facts = OLD,
	  .absent = "virtio-sound-pci", .warning = "virtio-sound-pci" },
	{ .name = "sound/early-device", .edits = "+Sound={'Hardware':'virtio-sound-pci'}",
	  .facts = "{ 'QemuVersion': '7.2.0', 'CapabilitiesAdd': [ 'virtio-sound-pci' ] }",
	  .present = "-device virtio-sound-pci,audiodev=audio0" },
	{ .name = "sound/host", .edits = "+Sound={'Hardware':'intel-hda'}", .facts = "{ 'Sound': 'Host', 'HostAudio': 'pa' }",
	  .present = "-audiodev pa,id=audio1\n-audiodev spice,id=audio0\n-device hda-output,audiodev=audio1" },
	{ .name = "sound/speaker/old", .edits = MACHINE("i386", "isapc") "+Sound={'Hardware':'pcspk'}",
	  .facts = "{ 'QemuVersion': '7.2', 'HostAudio': 'pipewire' }",
	  .present = "-machine isapc,vmport=off,pcspk-audiodev=audio1,hpet=off\n-audiodev pa,id=audio1" },

	/* --- USB --- */
	{ .name = "usb/no-bus", .edits = MACHINE("arm", "vexpress-a9") "Input.UsbBusSupport=3.0", .absent = "usb" },
	{ .name = "usb/no-pci", .edits = MACHINE("aarch64", "raspi3b") "Input.UsbBusSupport=3.0",
	  .present = "-usb\n-device usb-tablet,bus=usb-bus.0", .absent = "usb-redir\nusb-controller" },
	{ .name = "usb/no-controller", .edits = MACHINE("alpha", "clipper") "Input.UsbBusSupport=2.0\n" EMPTY_CD("USB", "A"),
	  .present = "-device nec-usb-xhci,id=usb-bus\n-device usb-storage,drive=driveA,removable=on,bootindex=0,bus=usb-bus.0",
	},
	{ .name = "usb/sharing-off", .edits = "Input.UsbBusSupport=3.0", .facts = "{ 'HonorUsbSharing': true }",
	  .present = "-device usb-kbd,bus=usb-bus.0", .absent = "usb-redir" },
	{ .name = "usb/many", .edits = "Input.UsbBusSupport=3.0\nInput.MaximumUsbShare=7",
	  .present = "-device nec-usb-xhci,id=usb-controller-2\n"
	             "-device usb-redir,chardev=usbredirchardev6,id=usbredirdev6,bus=usb-controller-2.0" },
	{ .name = "usb/too-many", .edits = "Input.UsbBusSupport=3.0\nInput.MaximumUsbShare=200",
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Input.MaximumUsbShare" },
	{ .name = "usb/ps2", .edits = "Input.UsbBusSupport=2.0\nQEMU.PS2Controller=true", .absent = "usb-kbd\ni8042" },

	/* --- small devices --- */
	{ .name = "virtio/m68k", .edits = MACHINE("m68k", "virt") "QEMU.RNGDevice=true\nQEMU.BalloonDevice=true",
	  .present = "-device virtio-rng-device\n-device virtio-balloon-device" },
	{ .name = "virtio/s390x", .edits = MACHINE("s390x", "s390-ccw-virtio") "QEMU.RNGDevice=true\nQEMU.BalloonDevice=true",
	  .present = "-device virtio-rng-ccw\n-device virtio-balloon-ccw\n-device virtio-serial" },
	{ .name = "virtio/none", .edits = MACHINE("aarch64", "raspi3b") "QEMU.RNGDevice=true", .absent = "virtio",
	  .warning = "QEMU.RNGDevice" },
	{ .name = "agent/none", .edits = MACHINE("aarch64", "raspi3b") "Sharing.ClipboardSharing=true",
	  .absent = "virtio\nvdagent\nqga", .warning = "agents" },
	{ .name = "agent/microvm", .edits = MACHINE("x86_64", "microvm"), .absent = "virtio-serial", .warning = "agents" },
	{ .name = "agent/or1k", .edits = MACHINE("or1k", "virt"), .present = "-device virtio-serial-pci" },
	{ .name = "agent/isapc", .edits = MACHINE("i386", "isapc"), .absent = "virtio-serial" },
	{ .name = "share/comma", .edits = "Sharing.DirectoryShareMode=VirtFS", .facts = "{ 'SharedDirectory': '/a,b' }",
	  .present = "-fsdev local,id=virtfs0,path=/a,,b,security_model=mapped-xattr\n"
	             "-device virtio-9p-pci,fsdev=virtfs0,mount_tag=share" },
	{ .name = "quadra/old", .config = "m68k-q800/config.plist",
	  .facts = "{ 'QemuVersion': '7.2.22', 'RomsDir': '/roms', 'SharedDirectory': '/x' }",
	  .absent = "virtio\naudiodev=audio0", .present = "-machine q800" },
	{ .name = "quadra/no-rom", .config = "m68k-q800/config.plist", .absent = "virtio" },
	{ .name = "mac99/no-rom", .config = "ppc-mac99/config.plist", .absent = "loader\nboot-command" },

	/* --- network --- */
	{ .name = "network/none", .present = "-nic none" },
	{ .name = "network/shared", .edits = CARD("Shared", ",'VlanDnsServerAddress':''"), .present = "-netdev user,id=net0" },
	{ .name = "network/shared/bridge", .edits = CARD("Shared", ",'IsolateFromHost':true"),
	  .facts = "{ 'Network': [ { 'Mode': 'Shared', 'Bridge': 'virbr0' } ] }", .present = "-netdev bridge,id=net0,br=virbr0",
	  .warning = "IsolateFromHost" },
	{ .name = "network/host", .edits = CARD("Host", ""), .present = "-netdev user,id=net0,restrict=on" },
	{ .name = "network/host/bridge",
	  .edits = CARD("Host", ",'HostNetUuid':'9D7C6C46-8C2B-4C0E-8B59-0F5DDCBEE0A7'"),
	  .facts = "{ 'Network': [ { 'Mode': 'Host', 'Name': '9D7C6C46-8C2B-4C0E-8B59-0F5DDCBEE0A7', 'Bridge': 'h0' } ],"
	           " 'BridgeHelper': '/x,y' }", .present = "-netdev bridge,id=net0,br=h0,helper=/x,,y" },
	{ .name = "network/bridged", .edits = CARD("Bridged", ",'BridgeInterface':'en0'"), .present = "-netdev user,id=net0",
	  .warning = "en0" },
	{ .name = "network/old-device",
	  .edits = "+Network={'Mode':'Emulated','Hardware':'igb','MacAddress':'52:54:00:00:00:01'}", .facts = OLD,
	  .absent = "netdev", .warning = "igb" },
	{ .name = "network/vmnet", .macos = true, .edits = CARD("Shared", ",'VlanGuestAddress':'10.0.5.7/255.255.255.0'"),
	  .present = "-netdev vmnet-shared,id=net0,start-address=10.0.5.1,end-address=10.0.5.254,subnet-mask=255.255.255.0" },
	{ .name = "network/vmnet/no-subnet", .macos = true, .edits = CARD("Host", ",'VlanGuestAddress':'10.0.5'"),
	  .present = "-netdev vmnet-host,id=net0" },
	{ .name = "network/mac", .edits = "+Network={'Mode':'Emulated','Hardware':'e1000','MacAddress':'52:54:00:00:00:01,x=y'}",
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Network[0].MacAddress" },
	{ .name = "network/forward/loopback", .edits = CARD("Emulated",
	  ",'PortForward':[{'Protocol':'TCP','HostPort':8022,'GuestPort':22},"
	  "{'Protocol':'UDP','HostAddress':'','HostPort':1,'GuestAddress':'10.0.2.15','GuestPort':2}]"),
	  .present = "-netdev user,id=net0,hostfwd=tcp:127.0.0.1:8022-:22,hostfwd=udp:127.0.0.1:1-10.0.2.15:2" },
	{ .name = "network/forward/open", .edits = CARD("Emulated",
	  ",'PortForward':[{'Protocol':'TCP','HostAddress':'0.0.0.0','HostPort':8022,'GuestPort':22}]"),
	  .present = "-netdev user,id=net0,hostfwd=tcp:0.0.0.0:8022-:22" },
	{ .name = "network/forward/hostile", .edits = CARD("Emulated",
	  ",'PortForward':[{'Protocol':'TCP','HostAddress':'1.2.3.4:1-:2','HostPort':1,'GuestPort':2}]"),
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Network[0].PortForward[0].HostAddress" },
	{ .name = "network/forward/guest-port", .edits = CARD("Emulated",
	  ",'PortForward':[{'Protocol':'TCP','HostPort':1,'GuestPort':0}]"),
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Network[0].PortForward[0].GuestPort" },
	{ .name = "network/forward/host-port", .config = "i386-pc-dos/config.plist",
	  .edits = "~<integer>2222</integer>~<integer>65536</integer>", .code = UTM_ERROR_CONFIG_INVALID_VALUE,
	  .key_path = "Network[0].PortForward[0].HostPort" },

	/* --- serial ports --- */
	{ .name = "serial/client", .edits = "+Serial={'Mode':'TcpClient','Target':'Auto','TcpHostAddress':'a,b'}",
	  .present = "-chardev socket,id=term0,port=1234,host=a,,b,server=off\n-serial chardev:term0" },
	{ .name = "serial/server", .edits = "+Serial={'Mode':'TcpServer','Target':'Auto','TcpPort':4444,"
	                                    "'RemoteConnectionAllowed':true}",
	  .present = "-chardev socket,id=term0,port=4444,host=0.0.0.0,server=on,wait=off" },
	{ .name = "serial/port", .edits = "+Serial={'Mode':'TcpServer','Target':'Auto','TcpPort':0}",
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Serial[0].TcpPort" },
	{ .name = "serial/manual", .edits = "+Serial={'Mode':'Terminal','Target':'Manual','Hardware':'pci-serial'}",
	  .present = "-chardev socket,id=term0,path=term0.sock,server=on,wait=off\n-device pci-serial,chardev=term0" },
	{ .name = "serial/manual/nothing", .edits = "+Serial={'Mode':'Terminal','Target':'Manual'}",
	  .code = UTM_ERROR_CONFIG_INVALID_VALUE, .key_path = "Serial[0].Hardware" },
	{ .name = "serial/manual/nothing/utm-exact", .edits = "+Serial={'Mode':'Terminal','Target':'Manual'}", .exact = true,
	  .present = "-device invalid,chardev=term0" },

	/* --- the rest --- */
	{ .name = "name/help", .edits = "Information.Name=help", .present = "-name guest=help" },
	{ .name = "name/marks", .edits = "Information.Name=a,b=c-d_e.f/\xc3\xa4 \xe2\x82\xac\xe4\xb8\xad 1", .present = "-name abcdef\xc3\xa4 \xe4\xb8\xad 1" },
	{ .name = "user/last", .edits = "QEMU.AdditionalArguments=['-append \"a b\"','','-x y']",
	  .present = "-append a b\n-x y" },
	{ .name = "data-dirs", .facts = "{ 'DataDirs': [ '/a', '/b' ] }", .present = "-L /a\n-L /b" },
};

static void check_failure(const Rule *rule, int code, UtmError *error)
{
	g_assert_cmpint(code, ==, rule->code);
	g_assert_cmpint(utm_error_get_code(error), ==, rule->code);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, rule->key_path);
}

static void check_warning(const UtmArgv *argv, const char *text)
{
	for (size_t i = 0; i < utm_argv_get_warning_count(argv); i++) {
		if (strstr(utm_argv_get_warning(argv, i), text))
			return;
	}
	g_error("no warning about %s", text);
}

static void check_lines(const Rule *rule, const UtmArgv *argv)
{
	g_auto(GStrv) present = g_strsplit(rule->present ? rule->present : "", "\n", -1);
	g_auto(GStrv) absent = g_strsplit(rule->absent ? rule->absent : "", "\n", -1);
	g_autofree char *text = argv_text(argv);

	for (char **line = present; *line; line++) {
		if (**line && !argv_has(argv, *line))
			g_error("missing: %s\nin\n%s", *line, text);
	}
	for (char **line = absent; *line; line++) {
		if (**line && argv_mentions(argv, *line))
			g_error("not wanted: %s\nin\n%s", *line, text);
	}
	/* UTM's empty arguments are one of its faults. */
	for (const char *const *string = utm_argv_get_strings(argv); *string && !rule->exact; string++)
		g_assert_cmpstr(*string, !=, "");
}

static void test_rule(gconstpointer data)
{
	const Rule *rule = data;
	bool macos = rule->macos || rule->exact;
	const char *given = rule->facts ? rule->facts : macos ? "{ }" : "{ " HOST " }";
	g_autofree char *facts = g_strdup_printf("{ 'UtmExact': %s%s%s", rule->exact ? "true" : "false",
	                                         g_str_equal(given, "{ }") ? "" : ",", strchr(given, '{') + 1);
	g_autoptr(UtmConfig) config = golden_config(rule->config ? rule->config : "base.plist", rule->edits);
	g_autoptr(UtmHost) host = golden_host(macos ? UTM_HOST_OS_MACOS : UTM_HOST_OS_LINUX, facts);
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmArgv) argv = NULL;
	int code = utm_argv_build(config, "/vm", host, &argv, &error);

	if (rule->code) {
		check_failure(rule, code, error);
		g_assert_null(argv);
		return;
	}
	check(code, error);
	check_lines(rule, argv);
	if (rule->warning)
		check_warning(argv, rule->warning);
}

/* Every argument that a key causes says so. */
static void test_key_paths(void)
{
	g_autoptr(UtmConfig) config = golden_config("q35-windows/config.plist", NULL);
	g_autoptr(UtmHost) host = golden_host(UTM_HOST_OS_LINUX, NULL);
	g_autoptr(UtmArgv) argv = NULL;
	static const struct {
		const char *start;
		const char *key_path;
	} expected[] = {
		{ "nvme,", "Drive[0].Interface" },       { "if=none,media=disk", "Drive[0].ImageName" },
		{ "e1000,", "Network[0].Hardware" },     { "user,id=net0", "Network[0].Mode" },
		{ "q35,", "System.Target" },             { "cpus=4", "System.CPUCount" },
		{ "virtio-vga", "Display[0].Hardware" }, { "8192", "System.MemorySize" },
		{ "-S", NULL },
	};

	g_assert_cmpint(utm_argv_build(config, "/vm", host, &argv, NULL), ==, 0);
	for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
		gsize at = 0;

		while (!g_str_has_prefix(utm_argv_get_strings(argv)[at], expected[i].start))
			at++;
		g_assert_cmpstr(utm_argv_get_key_path(argv, at), ==, expected[i].key_path);
	}
	g_assert_cmpstr(utm_argv_get_program(argv), ==, "qemu-system-x86_64");
	g_assert_null(utm_argv_get_key_path(argv, utm_argv_get_count(argv)));
	g_assert_null(utm_argv_get_strings(argv)[utm_argv_get_count(argv)]);
}

static void test_misuse(void)
{
	g_autoptr(UtmHost) host = golden_host(UTM_HOST_OS_LINUX, NULL);
	g_autoptr(UtmConfig) config = golden_config("base.plist", NULL);
	g_autoptr(UtmArgv) argv = NULL;

	g_assert_cmpint(utm_argv_build(NULL, "/vm", host, &argv, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_argv_build(config, NULL, host, &argv, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_argv_build(config, "/vm", NULL, &argv, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_argv_build(config, "/vm", host, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(argv);
	g_assert_null(utm_argv_get_program(NULL));
	g_assert_cmpuint(utm_argv_get_count(NULL), ==, 0);
	utm_argv_unref(NULL);
	utm_host_unref(NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
		g_autofree char *path = g_strdup_printf("/rules/%s", rules[i].name);

		g_test_add_data_func(path, &rules[i], test_rule);
	}
	g_test_add_func("/argv/key-paths", test_key_paths);
	g_test_add_func("/argv/misuse", test_misuse);
	return g_test_run();
}
