/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frame of a check: of a configuration alone, and of a package. */
#pragma once

#include "check/check-private.h"

int utm__check_begin(UtmCheck *check, const UtmConfig *config, const UtmConfigCheckOptions *options, UtmError **error);
/* All rules about the values. */
void utm__check_run(UtmCheck *check);
/* Sorted. (transfer full) */
UtmFindings *utm__check_end(UtmCheck *check);

void utm__check_clear(UtmCheck *check);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UtmCheck, utm__check_clear)
