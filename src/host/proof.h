/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether an accelerator really runs guests. */
#pragma once

#include "host/host-private.h"

/* How long a test guest may take, QEMU's own start included. */
#define UTM_PROOF_MS 3000

/* `reason` is borrowed, and NULL when there is nothing to say; `state` is a UtmHostFeatureState. */
typedef void (*UtmProofDone)(int32_t state, const char *reason, void *data);

/*
 * I/O thread. Runs a test guest with "kvm" or "tcg", once for each identity of the program, the kernel and /dev/kvm. `done`
 * is called at once when the answer is known or no guest is needed for it, and never later than the deadline.
 */
void utm__accelerator_prove(UtmContext *context, const char *qemu_path, const char *architecture,
                            const char *accelerator, UtmProofDone done, void *data);
