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
/* The same for one drive of a configuration for QEMU. */
int utm__host_inspect_drive(UtmHost *host, const UtmConfig *config, gsize index, const char *bundle_path, UtmError **error);

/* --- firmware.c --- */

typedef struct UtmFirmwareChoice {
	const char *code;          /* NULL: the machine does not boot with UEFI */
	const char *vars_template; /* nullable: none known */
	bool smm;                  /* the code guards its variables through system management mode */
} UtmFirmwareChoice;

/* True when the configuration asks for firmware with Secure Boot, where such exists. */
bool utm__firmware_is_secure(const UtmConfigQemu *config);
/* True when a drive of the configuration replaces the firmware: PFlash, a BIOS image, or a kernel to boot directly. */
bool utm__firmware_is_custom(const UtmConfigQemu *config);
/* Which images a configuration gets on a Linux host; none when it does not boot with UEFI. Pure. */
int utm__firmware_choose(const UtmHostFacts *facts, const UtmConfigQemu *config, UtmFirmwareChoice *ret_choice,
                         UtmError **error);
/*
 * Whether efi_vars.fd must be made before the machine starts. `*ret_template` is set to NULL when not; otherwise
 * both are for the caller to free: the template is to be converted to qcow2, so that snapshots work, at
 * `*ret_path`.
 */
int utm__firmware_plan_vars(const UtmHost *host, const UtmConfig *config, const char *bundle_path, char **ret_template,
                            char **ret_path, UtmError **error);

/* Puts the images for `architecture` that are in one of the directories into the facts. Directories end with NULL. */
void utm__firmware_find(UtmHostFacts *facts, const char *architecture, const char *const *dirs);
/* The names and places of Debian's packages, without a look at the disk. */
void utm__firmware_assume(UtmHostFacts *facts);
