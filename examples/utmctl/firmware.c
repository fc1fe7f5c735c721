/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl bundle reset-uefi: fresh UEFI variables for a machine. */
#include "utmctl.h"

#include <string.h>

static const char *keys;

static const struct {
	const char *word;
	uint32_t keys;
} words[] = {
	{ "auto", UTM_UEFI_KEYS_AUTO },
	{ "enrolled", UTM_UEFI_KEYS_ENROLLED },
	{ "none", UTM_UEFI_KEYS_NONE },
};

/* Returns false for a word that is none. */
static bool read_keys(uint32_t *ret_keys)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (!keys || strcmp(keys, words[i].word) == 0) {
			*ret_keys = words[i].keys;
			return true;
		}
	}
	return false;
}

static int run_reset(const Command *command, char **operands)
{
	UtmUefiResetOptions options = UTM_UEFI_RESET_OPTIONS_INIT;
	UtmError *error = NULL;
	UtmBundle *bundle = NULL;

	if (!read_keys(&options.keys))
		return misused(command, "--keys is auto, enrolled or none, not %s", keys);
	UtmContext *ctx = utm_context_new(NULL, &error);
	bool good = ctx && utm_bundle_open(ctx, operands[0], &bundle, &error) == 0 &&
	            utm_bundle_reset_uefi_variables(bundle, &options, &error) == 0;
	utm_bundle_unref(bundle);
	utm_context_unref(ctx);
	return good ? EXIT_OK : report(operands[0], error);
}

static const Option reset_options[] = {
	{ .name = "--keys", .value = &keys },
	{ 0 },
};

const Command bundle_reset_uefi_command = {
	.name = "bundle reset-uefi",
	.arguments = "BUNDLE [--keys auto|enrolled|none]",
	.summary = "give a machine fresh UEFI variables; boot entries and enrolled keys are lost",
	.notes = "With the keys of Secure Boot enrolled, only signed systems boot; auto enrolls them when there is a TPM.\n",
	.options = reset_options,
	.least = 1,
	.most = 1,
	.run = run_reset,
};
