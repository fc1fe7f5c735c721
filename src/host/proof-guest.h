/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest that proves an accelerator: some bytes of machine code, and the machine to run them in. */
#pragma once

#include "base/error-private.h"

#include <stdbool.h>

typedef struct UtmProofGuest {
	const char *architecture;
	const char *const *machine; /* QEMU's arguments that make the machine; ends with NULL */
	const char *image_option;   /* the one that takes the image */
	const char *emulated_cpu;   /* what -cpu says without hardware to pass on */
	int success;                /* QEMU's exit status when the guest has done all that it should */
	gsize image_size, code_offset, code_size;
	const guint8 *code;
} UtmProofGuest;

/* NULL: there is none for this architecture. */
const UtmProofGuest *utm__proof_guest_find(const char *architecture);
/* The image in anonymous memory, which nobody can write any more. A descriptor, or -1. */
int utm__proof_guest_open(const UtmProofGuest *guest, UtmError **error);
