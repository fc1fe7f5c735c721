/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table behind deadline.h, which is generated. */
#pragma once

#define UTM_DEADLINE_NAME_SIZE 44

typedef struct UtmDeadlineEntry {
	char name[UTM_DEADLINE_NAME_SIZE]; /* not a pointer: nothing to relocate */
	int seconds;
} UtmDeadlineEntry;

/* Sorted by name. Names of the agent's commands are none of QEMU's. */
extern const UtmDeadlineEntry utm__deadline_table[];
extern const unsigned utm__deadline_count;
extern const int utm__qmp_ordinary_seconds, utm__qga_ordinary_seconds;
