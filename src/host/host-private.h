/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host facts as the command line builder and the machine use them. */
#pragma once

#include "base/image-format.h"
#include "config/config-private.h"
#include "core/context-private.h"
#include "host-types.h" /* generated from qapi/host.schema */

#include <utm/argv.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmHost, utm_host_unref)

/* Valid as long as the host. */
const UtmHostFacts *utm__host_get_facts(const UtmHost *host);
/* Facts with all defaults, to be filled by whoever gathers them. */
UtmHost *utm__host_new(uint32_t os);
/* One that may be completed, of one that others use. */
UtmHost *utm__host_copy(const UtmHost *host);
/* To write into, only while the host is nobody else's. */
UtmHostFacts *utm__host_edit_facts(UtmHost *host);

/* Appends to one of the lists of features. Borrowed, to be completed. */
UtmHostFeature *utm__host_add_feature(UtmHostFeature ***list, size_t *count, const char *name, int32_t state,
                                      const char *reason_or_null);
/* What the context's policy says of additional arguments, and the stricter of that and what facts say. */
int32_t utm__host_arguments(UtmContext *context);
int32_t utm__host_stricter_arguments(UtmContext *context, int32_t arguments);

/* --- probe.c; on the I/O thread, `done` is called there too, possibly before this returns --- */

/* The host is the receiver's alone: it may still be completed with utm__host_inspect_bundle(). */
typedef void (*UtmHostProbeDone)(UtmHost *host_or_null_taken, UtmError *error_taken, void *data);
void utm__host_probe_async(UtmContext *context, const UtmConfig *config, UtmHostProbeDone done, void *data);

/* What costs nothing to find out: cores, memory, firmware. */
UtmHost *utm__host_look_around(UtmContext *context, const char *architecture, char *qemu_path_or_null_taken);
/* What became of trying an accelerator. */
void utm__host_take_proof(UtmHost *host, const char *architecture, const char *accelerator, int32_t state,
                          const char *reason_or_null);

/* --- image.c --- */

/*
 * Adds what only the files of one bundle tell: the format of efi_vars.fd, and of images whose names do not say it.
 * Reads a few bytes of each. The guest writes these files, and the bundle may come from a stranger: images that
 * refer to files outside the bundle are refused with BUNDLE_PATH_ESCAPE.
 */
int utm__host_inspect_bundle(UtmHost *host, const UtmConfig *config, const char *bundle_path, UtmError **error);
/* The same for efi_vars.fd, which need not be there, alone; and for one drive of a configuration for QEMU. */
int utm__host_inspect_vars(UtmHost *host, const char *bundle_path, UtmError **error);
int utm__host_inspect_drive(UtmHost *host, const UtmConfig *config, gsize index, const char *bundle_path, UtmError **error);

/* --- firmware.c --- */

typedef struct UtmFirmwareChoice {
	const char *code;          /* NULL: the machine does not boot with UEFI */
	const char *vars_template; /* nullable: none known */
	const char *plain_vars;    /* the template without keys of Secure Boot, and that with; nullable */
	const char *keyed_vars;
	bool smm;                  /* the code guards its variables through system management mode */
} UtmFirmwareChoice;

/* True when the configuration asks for firmware with Secure Boot, where such exists. */
bool utm__firmware_is_secure(const UtmConfigQemu *config);
/* True when a drive of the configuration replaces the firmware: PFlash, a BIOS image, or a kernel to boot directly. */
bool utm__firmware_is_custom(const UtmConfigQemu *config);
/* Which images a configuration gets on a Linux host; none when it does not boot with UEFI. Pure. */
int utm__firmware_choose(const UtmHostFacts *facts, const UtmConfigQemu *config, UtmFirmwareChoice *ret_choice,
                         UtmError **error);

/* --- firmware-vars.c --- */

/* Which template; numbered as UtmUefiKeys. */
typedef enum UtmFirmwareKeys {
	UTM_FIRMWARE_KEYS_AUTO, /* with keys when there is a TPM */
	UTM_FIRMWARE_KEYS_ENROLLED,
	UTM_FIRMWARE_KEYS_NONE,
} UtmFirmwareKeys;

/* FIRMWARE_NOT_FOUND; CONFIG_UNSUPPORTED. NULL for a machine that does not boot with UEFI. (transfer full) */
int utm__firmware_choose_template(const UtmHost *host, const UtmConfig *config, UtmFirmwareKeys keys,
                                  char **ret_template, UtmError **error);
/* The template to make efi_vars.fd of before the machine starts; NULL when nothing is to be made. (transfer full) */
int utm__firmware_plan_vars(const UtmHost *host, const UtmConfig *config, const char *bundle_path, char **ret_template,
                            UtmError **error);
/*
 * Whether an efi_vars.fd that is there fits the firmware and, for a run that writes to it, can be written. For a host that
 * has inspected the bundle. FIRMWARE_MISMATCH; IO; what utm__firmware_choose() fails with.
 */
int utm__firmware_check_vars(const UtmHost *host, const UtmConfig *config, const char *bundle_path, bool to_write,
                             UtmError **error);
/* What a guest sees of a raw or qcow2 image, bytes; 0 when it cannot be read. */
guint64 utm__image_size(const char *path);

/* --- firmware-descriptors.c --- */

/* Completes the images for one architecture by the descriptors in these directories; the first one of a name counts. */
void utm__firmware_find_described(UtmHostFirmware *entry, const char *const *dirs);

/* --- firmware.c again --- */

/* Everything that this host has; `own_dirs`, which may be NULL, come first. */
void utm__firmware_find_all(UtmHostFacts *facts, const char *architecture, const char *const *own_dirs,
                            const char *qemu_path);
/* Puts the images for `architecture` that are in one of the directories into the facts. Directories end with NULL. */
void utm__firmware_find(UtmHostFacts *facts, const char *architecture, const char *const *dirs);
/* The names and places of Debian's packages, without a look at the disk. */
void utm__firmware_assume(UtmHostFacts *facts);
