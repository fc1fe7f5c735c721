/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a UtmQmpEvent: one object per event of QEMU, made on the I/O thread when somebody wants it, and shared by all
 * who do. It never changes; what differs from one subscriber to the next, the number of dropped events, gets a thin
 * object of its own that shows the texts of the first.
 */
#pragma once

#include <glib.h>
#include <utm/qmp.h>

/* (transfer full) data_json may be NULL. */
const UtmQmpEvent *utm__qmp_event_new(const char *name, const char *data_json, gint64 timestamp_us);
/* The end of a connection, with its reason. */
const UtmQmpEvent *utm__qmp_event_new_end(const UtmError *error);
/* The event as a subscriber sees it for whom others were dropped before it. Without any it stays the same. */
const UtmQmpEvent *utm__qmp_event_add_dropped(const UtmQmpEvent *event_taken, guint64 dropped);
/* The memory that it holds, for bounds. */
gsize utm__qmp_event_get_bytes(const UtmQmpEvent *event);
