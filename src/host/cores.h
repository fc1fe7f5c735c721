/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processor of this host, and its memory. */
#pragma once

#include "host/host-private.h"

/* Fills the numbers of cores that this process may use. Reads a few small files of the kernel's. */
void utm__cores_count(UtmHostFacts *facts);
/* Fills in how much memory there is. */
void utm__memory_measure(UtmHostFacts *facts);
/* "x86_64", "aarch64" and so on, in QEMU's words. */
const char *utm__host_architecture(void);
