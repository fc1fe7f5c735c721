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

/* The point in time so many milliseconds after `now_us`; -1: never, which is G_MAXINT64. */
static inline gint64 utm__deadline_after(gint64 now_us, gint64 timeout_ms)
{
	return timeout_ms < 0 ? G_MAXINT64 : now_us + MIN(timeout_ms, G_MAXINT) * 1000;
}

/* How many milliseconds are left; -1: any number. Rounded up: messages tell the limit, which was given in whole ones. */
static inline gint64 utm__remaining_ms(gint64 deadline_us)
{
	return deadline_us == G_MAXINT64 ? -1 : (MAX(deadline_us - utm__now_us(), 0) + 999) / 1000;
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

/* Whether a name that a stranger gave to a file leads out of the directory it is for. The text alone is judged, no link. */
bool utm__leads_out(const char *name);

/* Six pairs of hexadecimal digits with colons, as one number. False for anything else, also NULL. */
bool utm__parse_mac_address(const char *text, guint64 *ret_bits);

/* Whether `word`, which is not empty, is one of those in `words`, which have blanks between them. */
bool utm__has_word(const char *words, const char *word);

/* `count` bytes, at most eight, as one number. */
static inline guint64 utm__read_big_endian(const guint8 *bytes, gsize count)
{
	guint64 value = 0;
	for (gsize i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* Memory that the public API gives away goes back through utm_free(), which is g_free(). */
