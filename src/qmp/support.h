/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the QEMU behind a handle has: fetched when somebody first wants to know, once for all who want to know meanwhile,
 * and kept by the context for other connections to the same build.
 *
 * A build is known by its greeting and its target. Where the greeting names no package anybody may have compiled it in
 * any way; then only the connection keeps the answer.
 */
#pragma once

#include "qmp/client.h"
#include "qmp/introspection.h"

typedef struct UtmQmpSupportWait UtmQmpSupportWait;

/* Somebody who waits for it; part of a struct of theirs. */
struct UtmQmpSupportWait {
	/* I/O thread: it is known; or not, for this reason. */
	void (*done)(UtmQmpSupportWait *wait, const UtmIntrospection *index, const UtmError *error);
	GList link;
	bool is_waiting;
};

/* Part of a UtmQmp. */
typedef struct UtmQmpSupport {
	UtmIntrospection *index; /* by the handle's lock; once there it stays */
	/* I/O thread only */
	UtmError *failure; /* this peer will never tell */
	bool is_fetching;
	guint ticket; /* of the command that is under way */
	char *build;  /* key of the context's memory; NULL: none */
	GQueue waits;
} UtmQmpSupport;

/* Any thread. NULL while it is not known. (transfer full) */
UtmIntrospection *utm__qmp_support_ref_index(UtmQmp *qmp);

/* I/O thread: whether an answer would come at once. */
bool utm__qmp_support_is_settled(UtmQmp *qmp);
/* I/O thread: calls `done`, soon or before this returns. */
void utm__qmp_support_want(UtmQmp *qmp, UtmQmpSupportWait *wait);
/* I/O thread: `done` is not called any more. */
void utm__qmp_support_forget(UtmQmp *qmp, UtmQmpSupportWait *wait);
/* I/O thread: the handle has ended. */
void utm__qmp_support_end(UtmQmp *qmp, UtmQmpClient *client, const UtmError *error);
void utm__qmp_support_clear(UtmQmpSupport *support);
