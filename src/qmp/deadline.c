/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/deadline.h"

#include "qmp/deadline-private.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *name, const void *entry)
{
	return strcmp(name, ((const UtmDeadlineEntry *)entry)->name);
}

gint64 utm__qmp_default_timeout_ms(const char *command)
{
	const UtmDeadlineEntry *entry =
		bsearch(command, utm__deadline_table, utm__deadline_count, sizeof *entry, compare);
	int ordinary = g_str_has_prefix(command, "guest-") ? utm__qga_ordinary_seconds : utm__qmp_ordinary_seconds;
	return (entry ? entry->seconds : ordinary) * (gint64)1000;
}
