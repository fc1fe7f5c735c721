/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration's typed values, for the parts that read many of them. */
#pragma once

#include "base/error-private.h"
#include "config-types.h" /* generated from qapi/config.schema */

#include <utm/configuration.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmConfig, utm_config_unref)

/* Where UEFI keeps its variables: the same name in Data everywhere. */
#define UTM_CONFIG_EFI_VARS "efi_vars.fd"

/* The root of a configuration of the QEMU back end; valid until the configuration changes. NULL for other back ends. */
const UtmConfigQemu *utm__config_get_qemu(const UtmConfig *config);
/* The same of the Apple back end. */
const UtmConfigApple *utm__config_get_apple(const UtmConfig *config);

/* The error of whoever needs a machine of the QEMU back end. */
UtmError *utm__backend_unsupported(void);

/* Takes a root of either back end, and notes (nullable) of UtmConfigNote. */
UtmConfig *utm__config_new_taking(void *root, UtmConfigFormat format, int64_t version, GPtrArray *notes);
/* The machine's files lie now where version 4 has them. */
void utm__config_forget_format(UtmConfig *config);

/*
 * The text of an enumeration's value as the property list has it; NULL for a number that it does not have. The name is
 * that of the schema, such as "DriveInterface"; config-types.h has a function for each enumeration as well.
 */
const char *utm__config_enum_get_text(const char *enum_name, int32_t value);
