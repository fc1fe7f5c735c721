/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmProgress: two numbers that one thread writes and others read. */
#include "core/progress.h"

#include <pthread.h>

struct UtmProgress {
	gint refs;
	pthread_mutex_t lock;
	guint64 done;
	guint64 total;
};

UtmProgress *utm_progress_new(void)
{
	UtmProgress *progress = g_new0(UtmProgress, 1);
	progress->refs = 1;
	pthread_mutex_init(&progress->lock, NULL);
	return progress;
}

UtmProgress *utm_progress_ref(UtmProgress *progress)
{
	if (progress)
		g_atomic_int_inc(&progress->refs);
	return progress;
}

void utm_progress_unref(UtmProgress *progress)
{
	if (!progress || !g_atomic_int_dec_and_test(&progress->refs))
		return;
	pthread_mutex_destroy(&progress->lock);
	g_free(progress);
}

void utm_progress_get(UtmProgress *progress, uint64_t *ret_done, uint64_t *ret_total)
{
	guint64 done = 0, total = 0;
	if (progress) {
		pthread_mutex_lock(&progress->lock);
		done = progress->done;
		total = progress->total;
		pthread_mutex_unlock(&progress->lock);
	}
	if (ret_done)
		*ret_done = done;
	if (ret_total)
		*ret_total = total;
}

static void set(UtmProgress *progress, guint64 *number, guint64 value)
{
	pthread_mutex_lock(&progress->lock);
	*number = value;
	pthread_mutex_unlock(&progress->lock);
}

void utm__progress_set_total(UtmProgress *progress, guint64 total)
{
	if (progress)
		set(progress, &progress->total, total);
}

void utm__progress_set_done(UtmProgress *progress, guint64 done)
{
	if (progress)
		set(progress, &progress->done, done);
}
