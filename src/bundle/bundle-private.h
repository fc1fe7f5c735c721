/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packages as the machine uses them. */
#pragma once

#include "base/error-private.h"

#include <utm/bundle.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmBundle, utm_bundle_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmBundleFiles, utm_bundle_files_free)

#define UTM_BUNDLE_CONFIG "config.plist"
#define UTM_BUNDLE_DATA "Data"
#define UTM_BUNDLE_EFI_VARS "efi_vars.fd"
#define UTM_BUNDLE_TPM_DATA "tpmdata"
#define UTM_BUNDLE_DEBUG_LOG "debug.log"

/*
 * Whether every image that the configuration names is there: IMAGE_MISSING and BUNDLE_PATH_ESCAPE with key path and
 * file. The configuration need not be the bundle's own.
 */
int utm__bundle_check_images(UtmBundle *bundle, const UtmConfig *config, UtmError **error);

/* --- confine.c: names that do not lead out --- */

/*
 * Where `name` in the directory `below` of the package really is. Symbolic links may lead about inside `root`, which is
 * a real path, but not out of it; that holds for a link to nothing too, since somebody may create what it names.
 * `below` NULL: the package itself. BUNDLE_PATH_ESCAPE; IMAGE_MISSING; IO.
 */
int utm__confine(const char *root, const char *below, const char *name, char **ret_path, UtmError **error);
