/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What new machines and devices have that depends on architecture and machine type. */
#pragma once

#include "config/config-private.h"

/* The machine type of a new machine; UTM's own, with the version of its QEMU, or without. NULL for no architecture of ours. */
char *utm__config_dup_default_target(const char *architecture, bool is_exact);
/* Gives a device that was just added what fits the machine, where what was said of it (an object) says nothing. */
void utm__config_fit_device(UtmConfig *config, const char *section, gsize index, const UtmValue *said);
