/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Called once; its number is of no use any more when it runs. */
typedef void (*LoopFunc)(void *data);

void loop_run(void);
void loop_quit(void);

/* fn returns false to be removed. */
typedef bool (*LoopFdFunc)(int fd, GIOCondition condition, void *data);
guint loop_add_fd(int fd, GIOCondition condition, int priority, LoopFdFunc fn, void *data);
guint loop_add_timeout(guint delay_ms, LoopFunc fn, void *data);
guint loop_add_idle(LoopFunc fn, void *data);
/* Runs fn at each such signal. */
guint loop_add_signal(int number, LoopFunc fn, void *data);
/* Fine for 0; forgets the number. */
void loop_remove(guint *id);
