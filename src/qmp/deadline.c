/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/deadline.h"

#include "qmp/deadline-private.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *name, const void *entry)
{
	return strcmp(name, ((const UtmDeadlineEntry *)entry)->name);
}

static gint64 look_up(const char *command, int ordinary_seconds)
{
	const UtmDeadlineEntry *entry =
		bsearch(command, utm__deadline_table, utm__deadline_count, sizeof *entry, compare);
	return (entry ? entry->seconds : ordinary_seconds) * (gint64)1000;
}

gint64 utm__qmp_default_timeout_ms(const char *command)
{
	return look_up(command, utm__qmp_ordinary_seconds);
}

gint64 utm__qga_default_timeout_ms(const char *command)
{
	return look_up(command, utm__qga_ordinary_seconds);
}
