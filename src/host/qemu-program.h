/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU program for a guest architecture, and what it says about itself. */
#pragma once

#include "host/host-private.h"

#include <string.h>

/* The program's path, or QEMU_NOT_FOUND with the directories that were searched. (transfer full) */
char *utm__qemu_find(UtmContext *context, const char *architecture, UtmError **error);

/* A program that comes with QEMU, from the same directories; NOT_FOUND. `package` is Debian's name. (transfer full) */
char *utm__qemu_find_tool(UtmContext *context, const char *name, const char *package, UtmError **error);

/* `version` such as "7.2.22" is borrowed; NULL together with an error. */
typedef void (*UtmQemuVersionDone)(const char *version, UtmError *error_taken, void *data);
/* I/O thread. Runs the program once for each identity of its file; `done` is called at once when it is known. */
void utm__qemu_ask_version(UtmContext *context, const char *path, UtmQemuVersionDone done, void *data);

/* What changes with a program's file, so that an upgrade is noticed. */
typedef struct UtmQemuIdentity {
	gint64 device, inode, size, seconds, nanoseconds;
} UtmQemuIdentity;

/* False, with errno, when there is no such file. */
bool utm__qemu_identify(const char *path, UtmQemuIdentity *ret_identity);
static inline bool utm__qemu_is_same(const UtmQemuIdentity *a, const UtmQemuIdentity *b)
{
	return !memcmp(a, b, sizeof *a);
}
