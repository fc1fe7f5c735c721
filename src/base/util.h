/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small things that every part uses. */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
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

/* A condition whose timed waits go by CLOCK_MONOTONIC: a deadline must not care about changes of the wall clock. */
void utm__cond_init_monotonic(pthread_cond_t *condition);

/* `count` bytes, at most eight, as one number. */
static inline guint64 utm__read_big_endian(const guint8 *bytes, gsize count)
{
	guint64 value = 0;
	for (gsize i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* Memory that the public API gives away goes back through utm_free(), which is g_free(). */
