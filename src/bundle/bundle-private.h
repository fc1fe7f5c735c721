/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packages as the machine uses them. */
#pragma once

#include "base/error-private.h"

#include "core/object.h"

#include <utm/bundle.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmBundle, utm_bundle_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmBundleFiles, utm_bundle_files_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmBundleList, utm_bundle_list_free)

#define UTM_BUNDLE_CONFIG "config.plist"
#define UTM_BUNDLE_SCREENSHOT "screenshot.png"
#define UTM_BUNDLE_VIEW "view.plist" /* of older versions */
#define UTM_BUNDLE_DATA "Data"
#define UTM_BUNDLE_IMAGES "Images" /* of older versions */
#define UTM_BUNDLE_EFI_VARS "efi_vars.fd"
#define UTM_BUNDLE_TPM_DATA "tpmdata"
#define UTM_BUNDLE_DEBUG_LOG "debug.log"
#define UTM_BUNDLE_VM_STATE "vmstate"
#define UTM_BUNDLE_AUXILIARY "AuxiliaryStorage"

/*
 * Whether every image that the configuration names is there: IMAGE_MISSING and BUNDLE_PATH_ESCAPE with key path and
 * file. The configuration need not be the bundle's own.
 */
int utm__bundle_check_images(UtmBundle *bundle, const UtmConfig *config, UtmError **error);

/*
 * Where `name` in the directory `below` of the package really is; see utm__spot_find(). `below` NULL: the package itself.
 * For `Data` also the place where older versions have it. BUNDLE_PATH_ESCAPE; IMAGE_MISSING; IO.
 */
int utm__confine(const char *root, const char *below, const char *name, char **ret_path, UtmError **error);

/* What requests belong to. */
UtmObject *utm__bundle_get_object(UtmBundle *bundle);

/* --- lock.c --- */

/*
 * A machine begins to run: the lock is held until utm__bundle_end_run(), and by QEMU when it inherits the descriptor, which
 * the caller closes; -1 where there is none. BUNDLE_LOCKED, also when another machine of this bundle runs; INVALID_STATE
 * while the files of an older version have not moved yet; IO.
 */
int utm__bundle_begin_run(UtmBundle *bundle, int *ret_lock_fd, UtmError **error);
void utm__bundle_end_run(UtmBundle *bundle);
