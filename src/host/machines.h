/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest architectures and QEMU's machines, as far as they do not show in their names. */
#pragma once

#include "base/error-private.h"

#include <glib.h>
#include <stdbool.h>

enum {
	UTM_ARCH_X86 = 1u << 0,
	UTM_ARCH_SPARC = 1u << 1,
	UTM_ARCH_POWERPC = 1u << 2,
	UTM_ARCH_ARM = 1u << 3,     /* both widths */
	UTM_ARCH_AGENT = 1u << 4,   /* has drivers for virtio-serial */
	UTM_ARCH_SHARING = 1u << 5, /* has drivers for 9p */
	UTM_ARCH_USB = 1u << 6,
	UTM_ARCH_WEAK_ORDER = 1u << 7,  /* runs on several threads of a host with weak memory order */
	UTM_ARCH_PLUS_FLAGS = 1u << 8,  /* CPU flags are spelt +flag */
	UTM_ARCH_SECURE_BOOT = 1u << 9, /* there is firmware with Secure Boot */
};

typedef struct UtmArgvArchitecture {
	const char *name;
	guint32 traits;
	const char *default_cpu; /* when emulated; NULL: QEMU's own choice */
	const char *code;        /* UTM's UEFI files; NULL: none */
	const char *secure_code; /* NULL: the same as code */
} UtmArgvArchitecture;

/* NULL for a name that is not in the table. */
const UtmArgvArchitecture *utm__architecture_find(const char *name);
/* 0, or CONFIG_INVALID_VALUE for a name that it does not have. */
int utm__architecture_check(const char *architecture, UtmError **error);

enum {
	UTM_MACHINE_PCI = 1u << 0,      /* takes a PCI card without being told the bus */
	UTM_MACHINE_CCW = 1u << 1,      /* virtio devices are channel devices */
	UTM_MACHINE_MMIO = 1u << 2,     /* has slots for virtio-...-device */
	UTM_MACHINE_USB = 1u << 3,      /* USB without PCI */
	UTM_MACHINE_BARE_USB = 1u << 4, /* `-usb` brings no controller */
	UTM_MACHINE_FLASH = 1u << 5,    /* maps the two UEFI flash images */
	UTM_MACHINE_AUDIO = 1u << 6,    /* has a sound chip on its board */
};

typedef struct UtmArgvMachine {
	const char *architectures; /* names between blanks */
	const char *family;        /* matches itself and itself-VERSION */
	guint32 traits;
	guint16 min_cpus;
	guint16 max_cpus;
} UtmArgvMachine;

/* Never NULL: a machine that is not listed has one CPU and no buses. */
const UtmArgvMachine *utm__machine_find(const char *architecture, const char *target);

/* True for `family` and its versioned names: "virt" matches "virt" and "virt-9.2". */
bool utm__machine_is_family(const char *target, const char *family);
