/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that there is to know about this host. */
#pragma once

#include "host/host-private.h"

/* I/O thread. A host whose QEMU is missing is no error: the lists of its features say so. */
void utm__host_survey_async(UtmContext *context, const char *architecture, UtmHostProbeDone done, void *data);

/*
 * What QEMU's bridge helper would let a user attach to: appended to `allowed`, at most 256 names, "all" for all; nothing
 * when a rule denies everything. False when there is no such file. Included files are read too, up to four deep.
 */
bool utm__bridge_rules_read(const char *path, GPtrArray *allowed);
