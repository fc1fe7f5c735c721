/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context as the rest of the library sees it: the I/O thread, policy, log. */
#pragma once

#include "core/queue.h"

/* Work for the I/O thread. */
typedef void (*UtmIoFunc)(void *data);

/*
 * Runs fn(data) on the I/O thread, soon and in order; does not wait. Callable from everywhere, the I/O thread included.
 * Work handed over before the context ends is run before it ends. What a callback hands over may wait for the end of its
 * dispatch, a millisecond at most.
 */
void utm__context_invoke(UtmContext *context, UtmIoFunc fn, void *data);
/* For a caller that is about to wait for what it handed over. It has a reference. */
void utm__context_hurry(UtmContext *context);
/* The same, and waits until fn has returned. At once when called on the I/O thread. Never from the wakeup callback. */
void utm__context_call(UtmContext *context, UtmIoFunc fn, void *data);

bool utm__context_is_io_thread(UtmContext *context);
/* 0, or fails with WRONG_THREAD where a call must not block: the I/O thread and the wakeup callback. */
int utm__context_check_blocking(UtmContext *context, UtmError **error);

/* The private main context of the I/O thread, for GSources of the library. Only on the I/O thread. */
GMainContext *utm__context_get_main(UtmContext *context);

/* The requests under way, as a set. Only on the I/O thread; kept by request.c. */
GHashTable *utm__context_get_requests(UtmContext *context);

/* Copies of the options, fixed for the context's life. Lists end with NULL and may be NULL. */
const char *const *utm__context_get_qemu_dirs(UtmContext *context);
const char *const *utm__context_get_firmware_dirs(UtmContext *context);
const char *utm__context_get_runtime_dir(UtmContext *context);    /* nullable */
const char *utm__context_get_console_engine(UtmContext *context); /* nullable */
UtmAccelPolicy utm__context_get_accel_policy(UtmContext *context);
UtmArgumentPolicy utm__context_get_argument_policy(UtmContext *context);

/* Something another part keeps for the context's life, such as the host probe's memory. Made once, under a lock. */
void *utm__context_get_data(UtmContext *context, const void *key, void *(*make)(UtmContext *context),
                            void (*destroy)(void *data));

/* I/O thread: calls fn on it when the context ends, after all requests were cancelled. What fn hands over still runs. */
void utm__context_at_end(UtmContext *context, UtmIoFunc fn, void *data);

void utm__log(UtmContext *context, UtmLogLevel level, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* --- sources on the I/O thread; each returns an id for utm__io_remove(), 0 is never an id --- */

/* fn returns false to be removed. `condition` are GIOCondition bits. */
typedef bool (*UtmIoFdFunc)(int fd, GIOCondition condition, void *data);
guint utm__io_add_fd(UtmContext *context, int fd, GIOCondition condition, UtmIoFdFunc fn, void *data);
/* Calls fn once. */
guint utm__io_add_timeout(UtmContext *context, gint64 delay_ms, UtmIoFunc fn, void *data);
/* Removes the source and forgets its id; fine for 0. */
void utm__io_remove(UtmContext *context, guint *id);
