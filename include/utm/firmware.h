/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file firmware.h
 * The UEFI variables of a machine: boot entries, settings of the firmware, and the keys of Secure Boot. They are kept in the
 * package, in `Data/efi_vars.fd`. A machine that boots with UEFI gets a store of its own when it is started for the first
 * time, made of the firmware's template; after that, the store is only replaced when somebody asks for it, here.
 */
#ifndef UTM_FIRMWARE_H
#define UTM_FIRMWARE_H

#include <utm/types.h>

UTM_BEGIN_DECLS

/** Whether new UEFI variables hold the keys with which Secure Boot is in force from the first start. */
typedef enum UtmUefiKeys {
	/** As at the first start: with keys when the machine has a TPM, without them otherwise. */
	UTM_UEFI_KEYS_AUTO = 0,
	/** With the keys that the firmware's maker enrolls, mostly Microsoft's. */
	UTM_UEFI_KEYS_ENROLLED = 1,
	/** Without keys: whatever boots may boot, and an installer may enroll its own. */
	UTM_UEFI_KEYS_NONE = 2,
} UtmUefiKeys;

/** Options of utm_bundle_reset_uefi_variables(). Initialise with #UTM_UEFI_RESET_OPTIONS_INIT. */
typedef struct UtmUefiResetOptions {
	/** sizeof(UtmUefiResetOptions) */
	size_t size;
	/** #UtmUefiKeys */
	uint32_t keys;
	/** Must be zero. */
	uint32_t reserved;
	/** Milliseconds; 0 for 60 s, -1 for ever. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
	/** Facts to use instead of those that the library finds out. (nullable) */
	UtmHost *host;
} UtmUefiResetOptions;

#define UTM_UEFI_RESET_OPTIONS_INIT                                                                                  \
	{                                                                                                            \
		sizeof(UtmUefiResetOptions), 0, 0, 0, NULL, NULL                                                     \
	}

/** Hears how utm_bundle_reset_uefi_variables_async() ended. @param[in] error NULL: well. (nullable) */
typedef void (*UtmUefiResetFunc)(UtmBundle *bundle, const UtmError *error, void *user_data);

/**
 * Puts fresh UEFI variables in the place of those that a machine has, or makes its first. Boot entries and enrolled keys are
 * lost: an installed system may have to be booted by its file once. The former store stays until the new one is whole.
 *
 * @param[in] bundle   One whose configuration boots with UEFI. No machine may run from it.
 * @param[in] options  (nullable)
 * @return 0; #UTM_ERROR_BUNDLE_LOCKED while a machine runs from it, or somebody else has it; #UTM_ERROR_CONFIG_UNSUPPORTED
 *         when its machine has no UEFI; #UTM_ERROR_FIRMWARE_NOT_FOUND also when there are no variables with keys or without,
 *         as was asked for; #UTM_ERROR_QEMU_NOT_FOUND; #UTM_ERROR_NOT_FOUND without `qemu-img`; #UTM_ERROR_PROCESS_EXITED when
 *         that failed; #UTM_ERROR_IO; #UTM_ERROR_TIMEOUT, #UTM_ERROR_CANCELLED; #UTM_ERROR_NOT_SUPPORTED for the Apple back end
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_bundle_reset_uefi_variables(UtmBundle *bundle, const UtmUefiResetOptions *options, UtmError **error);
/**
 * As utm_bundle_reset_uefi_variables(), without waiting. Everything after wrong @a options comes to @a fn.
 *
 * @thread any
 */
UTM_API int utm_bundle_reset_uefi_variables_async(UtmBundle *bundle, const UtmUefiResetOptions *options,
                                                  UtmUefiResetFunc fn, void *user_data, UtmFreeFunc free_fn,
                                                  UtmError **error);

UTM_END_DECLS

#endif
