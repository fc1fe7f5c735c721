/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables of guest architectures and machines.
 *
 * UTM does not ask what a machine can take and leaves it to QEMU to refuse. Here the answers of QEMU 7.2 and 10.0 are
 * written down, the stricter of the two where they differ, so that a machine starts with what it can have.
 */
#include "host/machines.h"

#include "base/util.h"

#include <string.h>

#define COMMON (UTM_ARCH_AGENT | UTM_ARCH_SHARING | UTM_ARCH_USB)
#define X86 (COMMON | UTM_ARCH_X86 | UTM_ARCH_PLUS_FLAGS | UTM_ARCH_SECURE_BOOT)
#define WEAK (COMMON | UTM_ARCH_WEAK_ORDER)
#define NO_AGENT (UTM_ARCH_SHARING | UTM_ARCH_USB)
#define POWERPC (NO_AGENT | UTM_ARCH_POWERPC | UTM_ARCH_WEAK_ORDER)
#define SPARC (UTM_ARCH_SPARC | UTM_ARCH_PLUS_FLAGS)

static const UtmArgvArchitecture architectures[] = {
	{ "x86_64", X86, "Skylake-Client", "edk2-x86_64-code.fd", "edk2-x86_64-secure-code.fd" },
	{ "i386", X86, NULL, "edk2-i386-code.fd", "edk2-i386-secure-code.fd" },
	{ "aarch64", WEAK | UTM_ARCH_ARM | UTM_ARCH_SECURE_BOOT, "cortex-a72", "edk2-aarch64-code.fd",
	  "edk2-aarch64-secure-code.fd" },
	{ "arm", WEAK | UTM_ARCH_ARM, "cortex-a15", "edk2-arm-code.fd", NULL },
	{ "riscv64", WEAK, NULL, "edk2-riscv-code.fd", NULL },
	{ "loongarch64", COMMON, NULL, "edk2-loongarch64-code.fd", NULL },
	{ "alpha", WEAK, NULL, NULL, NULL },
	{ "avr", NO_AGENT | UTM_ARCH_WEAK_ORDER, NULL, NULL, NULL },
	{ "hppa", COMMON, NULL, NULL, NULL },
	{ "m68k", UTM_ARCH_SHARING, NULL, NULL, NULL },
	{ "microblaze", NO_AGENT, NULL, NULL, NULL },
	{ "microblazeel", NO_AGENT, NULL, NULL, NULL },
	{ "mips", WEAK, NULL, NULL, NULL },
	{ "mipsel", WEAK, NULL, NULL, NULL },
	{ "mips64", WEAK, NULL, NULL, NULL },
	{ "mips64el", WEAK, NULL, NULL, NULL },
	{ "or1k", COMMON, NULL, NULL, NULL },
	{ "ppc", POWERPC, NULL, NULL, NULL },
	{ "ppc64", POWERPC, NULL, NULL, NULL },
	{ "riscv32", WEAK, NULL, NULL, NULL },
	{ "rx", NO_AGENT, NULL, NULL, NULL },
	{ "s390x", UTM_ARCH_AGENT | UTM_ARCH_SHARING, NULL, NULL, NULL },
	{ "sh4", COMMON, NULL, NULL, NULL },
	{ "sh4eb", COMMON, NULL, NULL, NULL },
	{ "sparc", SPARC, NULL, NULL, NULL },
	{ "sparc64", SPARC, NULL, NULL, NULL },
	{ "tricore", NO_AGENT, NULL, NULL, NULL },
	{ "xtensa", WEAK, NULL, NULL, NULL },
	{ "xtensaeb", WEAK, NULL, NULL, NULL },
};

#define PCI UTM_MACHINE_PCI
#define CCW UTM_MACHINE_CCW
#define MMIO UTM_MACHINE_MMIO
#define USB UTM_MACHINE_USB
#define FLASH UTM_MACHINE_FLASH
#define AUDIO UTM_MACHINE_AUDIO
#define BARE UTM_MACHINE_BARE_USB

static const UtmArgvMachine machines[] = {
	{ " i386 x86_64 ", "pc", PCI | FLASH, 1, 255 },
	{ " i386 x86_64 ", "pc-i440fx", PCI | FLASH, 1, 255 },
	{ " i386 x86_64 ", "q35", PCI | FLASH, 1, 255 },
	{ " i386 x86_64 ", "pc-q35", PCI | FLASH, 1, 255 },
	{ " i386 x86_64 ", "microvm", MMIO, 1, 255 },
	{ " i386 x86_64 ", "x-remote", PCI | BARE, 1, 1 },
	{ " arm aarch64 ", "virt", PCI | FLASH, 1, 255 },
	{ " aarch64 ", "sbsa-ref", PCI, 1, 255 },
	{ " arm aarch64 ", "realview-eb", PCI | AUDIO, 1, 1 },
	{ " arm aarch64 ", "realview-eb-mpcore", PCI | AUDIO, 1, 4 },
	{ " arm aarch64 ", "realview-pb-a8", AUDIO, 1, 1 },
	{ " arm aarch64 ", "realview-pbx-a9", AUDIO, 1, 4 },
	{ " arm aarch64 ", "versatileab", PCI | AUDIO, 1, 1 },
	{ " arm aarch64 ", "versatilepb", PCI | AUDIO, 1, 1 },
	{ " arm aarch64 ", "integratorcp", AUDIO, 1, 1 },
	{ " arm aarch64 ", "musicpal", AUDIO, 1, 1 },
	{ " arm aarch64 ", "vexpress-a9", MMIO | AUDIO, 1, 4 },
	{ " arm aarch64 ", "vexpress-a15", MMIO | AUDIO, 1, 4 },
	{ " arm aarch64 ", "sabrelite", PCI, 1, 4 },
	{ " arm aarch64 ", "mcimx7d-sabre", PCI, 1, 2 },
	{ " aarch64 ", "imx8mp-evk", PCI, 1, 4 },
	{ " arm aarch64 ", "raspi0", USB, 1, 1 },
	{ " arm aarch64 ", "raspi1ap", USB, 1, 1 },
	{ " arm aarch64 ", "raspi2b", USB, 4, 4 },
	{ " aarch64 ", "raspi3ap", USB, 4, 4 },
	{ " aarch64 ", "raspi3b", USB, 4, 4 },
	{ " aarch64 ", "raspi4b", USB, 4, 4 },
	{ " arm aarch64 ", "ast2500-evb", USB, 1, 1 },
	{ " arm aarch64 ", "ast2600-evb", USB, 2, 2 },
	{ " arm aarch64 ", "npcm750-evb", USB, 2, 2 },
	{ " arm aarch64 ", "cubieboard", USB, 1, 1 },
	{ " arm aarch64 ", "orangepi-pc", USB, 4, 4 },
	{ " arm aarch64 ", "bpim2u", USB, 4, 4 },
	{ " arm aarch64 ", "imx25-pdk", USB, 1, 1 },
	{ " arm aarch64 ", "mcimx6ul-evk", USB, 1, 1 },
	{ " arm aarch64 ", "nuri", USB, 2, 2 },
	{ " arm aarch64 ", "smdkc210", USB, 2, 2 },
	{ " arm aarch64 ", "xilinx-zynq-a9", USB, 1, 1 },
	{ " aarch64 ", "xlnx-zcu102", USB | AUDIO, 1, 6 },
	{ " aarch64 ", "xlnx-versal-virt", USB | MMIO, 4, 4 },
	{ " arm aarch64 ", "highbank", 0, 1, 4 },
	{ " arm aarch64 ", "midway", 0, 1, 4 },
	{ " arm aarch64 ", "mps2-an521", 0, 2, 2 },
	{ " arm aarch64 ", "mps3-an524", 0, 2, 2 },
	{ " arm aarch64 ", "musca-a", 0, 2, 2 },
	{ " arm aarch64 ", "musca-b1", 0, 2, 2 },
	{ " arm aarch64 ", "fby35", 0, 3, 3 },
	{ " riscv32 riscv64 ", "virt", PCI | FLASH, 1, 255 },
	{ " riscv32 riscv64 ", "spike", 0, 1, 8 },
	{ " riscv32 riscv64 ", "sifive_u", 0, 2, 5 },
	{ " riscv64 ", "microchip-icicle-kit", 0, 2, 5 },
	{ " loongarch64 ", "virt", PCI | FLASH, 1, 4 },
	{ " alpha ", "clipper", PCI | BARE, 1, 4 },
	{ " hppa ", "hppa", PCI | BARE, 1, 8 },
	{ " hppa ", "B160L", PCI | BARE, 1, 8 },
	{ " hppa ", "C3700", PCI | BARE, 1, 8 },
	{ " m68k ", "virt", MMIO, 1, 1 },
	{ " m68k ", "q800", AUDIO, 1, 1 },
	{ " mips mipsel mips64 mips64el ", "malta", PCI, 1, 16 },
	{ " mips64el ", "boston", PCI | BARE, 1, 16 },
	{ " mips64el ", "fuloong2e", PCI | AUDIO, 1, 1 },
	{ " mips64el ", "loongson3-virt", PCI | BARE, 1, 16 },
	{ " or1k ", "virt", PCI, 1, 4 },
	{ " or1k ", "or1k-sim", 0, 1, 2 },
	{ " ppc ppc64 ", "40p", PCI | BARE, 1, 1 },
	{ " ppc ppc64 ", "amigaone", PCI, 1, 1 },
	{ " ppc ppc64 ", "bamboo", PCI | BARE, 1, 1 },
	{ " ppc ppc64 ", "g3beige", PCI, 1, 1 },
	{ " ppc ppc64 ", "mac99", PCI, 1, 1 },
	{ " ppc ppc64 ", "mpc8544ds", PCI | BARE, 1, 15 },
	{ " ppc ppc64 ", "pegasos2", PCI | AUDIO, 1, 1 },
	{ " ppc ppc64 ", "ppce500", PCI | BARE, 1, 32 },
	{ " ppc ppc64 ", "sam460ex", PCI, 1, 1 },
	{ " ppc64 ", "pseries", PCI, 1, 1024 },
	{ " ppc64 ", "powernv8", 0, 1, 1024 },
	{ " ppc64 ", "powernv9", 0, 1, 1024 },
	{ " ppc64 ", "powernv10", 0, 1, 1024 },
	{ " s390x ", "s390-ccw-virtio", PCI | CCW, 1, 248 },
	{ " sh4 sh4eb ", "r2d", PCI, 1, 1 },
	{ " sparc ", "SS-10", 0, 1, 4 },
	{ " sparc ", "SS-20", 0, 1, 4 },
	{ " sparc64 ", "sun4u", PCI, 1, 1 },
	{ " sparc64 ", "sun4v", PCI, 1, 1 },
	{ " xtensa xtensaeb ", "virt", PCI, 1, 32 },
	{ " xtensa xtensaeb ", "sim", 0, 1, 4 },
};

static const UtmArgvMachine other_machine = { "", "", 0, 1, 1 };

const UtmArgvArchitecture *utm__architecture_find(const char *name)
{
	for (gsize i = 0; name && i < G_N_ELEMENTS(architectures); i++) {
		if (!strcmp(architectures[i].name, name))
			return &architectures[i];
	}
	return NULL;
}

int utm__architecture_check(const char *architecture, UtmError **error)
{
	if (utm__architecture_find(architecture))
		return 0;
	UtmError *made = utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE, "\"%.80s\" is no architecture that UTM has", architecture);
	utm__error_set_key_path(made, "System.Architecture");
	return utm__fail_take(error, utm__error_set_remedy(made, "Use a name of QEMU's, such as x86_64, aarch64 or riscv64."));
}

bool utm__machine_is_family(const char *target, const char *family)
{
	gsize length = strlen(family);

	if (strncmp(target, family, length))
		return false;
	return !target[length] || (target[length] == '-' && g_ascii_isdigit(target[length + 1]));
}

const UtmArgvMachine *utm__machine_find(const char *architecture, const char *target)
{
	for (gsize i = 0; i < G_N_ELEMENTS(machines); i++) {
		if (utm__machine_is_family(target, machines[i].family) && utm__has_word(machines[i].architectures, architecture))
			return &machines[i];
	}
	return &other_machine;
}
