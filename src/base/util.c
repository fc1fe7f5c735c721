/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/util.h"

#include <time.h>
#include <unistd.h>
#include <utm/types.h>

void utm_free(void *memory)
{
	g_free(memory);
}

void utm__close_fd(int *fd)
{
	int number = *fd;
	*fd = -1;
	if (number >= 0)
		close(number);
}

void utm__cond_init_monotonic(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}
