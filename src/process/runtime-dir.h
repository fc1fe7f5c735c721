/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A private directory for one machine's sockets: mode 0700, a path short enough for socket addresses.
 *
 * A host that is killed leaves its directories behind. A file in each is locked as long as its host lives, so the next one
 * can tell them from those in use. The lock is the host's, not QEMU's: a QEMU outlives its host by moments only.
 */
#pragma once

#include "base/error-private.h"
#include "core/context-private.h"

/* Longest path of the directory itself, so that "/NAME.sock" of up to 24 characters still fits an address. */
#define UTM_RUNTIME_DIR_MAX 80

/*
 * Makes a new directory below the context's choice or, without one that is short enough, XDG_RUNTIME_DIR or /tmp, and
 * removes those that hosts left there which were killed. `ret_lock` is a descriptor that says that this one is in use; -1
 * where the file system has no locks.
 */
char *utm__runtime_dir_new(UtmContext *context, int *ret_lock, UtmError **error);
/* Removes it with everything in it, and closes the descriptor. NULL is fine. */
void utm__runtime_dir_remove(const char *path, int *lock);

/* Makes a listening unix socket (mode 0600, close-on-exec) at dir/name. The descriptor, or a negative error code. */
int utm__listen_unix(const char *dir, const char *name, char **ret_path, UtmError **error);
