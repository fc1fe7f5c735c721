/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU program for a guest architecture, and what programs say about themselves. */
#pragma once

#include "host/host-private.h"

#include <string.h>

/* The program's path, or QEMU_NOT_FOUND with the directories that were searched. (transfer full) */
char *utm__qemu_find(UtmContext *context, const char *architecture, UtmError **error);

/* A program that comes with QEMU, from the same directories; NOT_FOUND. `package` is Debian's name. (transfer full) */
char *utm__qemu_find_tool(UtmContext *context, const char *name, const char *package, UtmError **error);
/* The same for a certain QEMU (nullable): one that lies beside it goes before the others. (transfer full) */
char *utm__qemu_find_tool_beside(UtmContext *context, const char *qemu_path, const char *name, const char *package,
                                 UtmError **error);

/* Where a program of this name is, or NULL. Looks beside QEMU, in PATH, and then in `dirs`, which end with NULL. (transfer full) */
char *utm__program_find(UtmContext *context, const char *name, const char *const *dirs);

typedef struct UtmProgramQuestion {
	const char *what; /* for messages */
	const char *arguments[2];
} UtmProgramQuestion;

/* What the program wrote to standard output, at most 256 KiB; borrowed. NULL together with an error. */
typedef void (*UtmProgramDone)(const char *text, UtmError *error_taken, void *data);
/* I/O thread. Runs the program once for each identity of its file; `done` is called at once when it is known. */
void utm__program_ask(UtmContext *context, const char *path, const UtmProgramQuestion *question_static,
                      UtmProgramDone done, void *data);

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
