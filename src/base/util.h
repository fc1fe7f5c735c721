/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small things that every part uses. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include <utm/types.h>

/* Monotonic time; microseconds as GLib counts them. */
static inline gint64 utm__now_us(void)
{
	return g_get_monotonic_time();
}

/* Closes `*fd` once and remembers that it did. */
void utm__close_fd(int *fd);
static inline void utm__autoclose_cleanup(int *fd)
{
	utm__close_fd(fd);
}
#define utm_autofd __attribute__((cleanup(utm__autoclose_cleanup))) int

/* Memory that the public API gives away goes back through utm_free(), which is g_free(). */

/*
 * Writes a whole file beside `path` and renames it over, flushed. It keeps the mode of the one that was there; a new one
 * gets `new_mode` less the umask.
 */
int utm__write_file_atomic(const char *path, const void *data, size_t size, mode_t new_mode, UtmError **error);
