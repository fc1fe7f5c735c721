/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The context inside, for the two files that make it: dispatch.c has the events on their way to the application,
 * context.c the I/O thread and everything else.
 */
#pragma once

#include "core/context-private.h"

typedef struct UtmWork UtmWork;

struct UtmContext {
	gint refs;

	/* --- events for the application --- */
	pthread_mutex_t queue_lock;
	UtmQueueEvent *first;
	UtmQueueEvent **end;
	guint count;
	bool signalled;   /* the pipe holds a byte and the wakeup was called, or is about to be */
	bool wake_due;    /* `signalled` by the I/O thread, which wakes the application at the end of its turn */
	int pipe_fds[2];
	bool dispatching;

	pthread_mutex_t wakeup_lock; /* held while the wakeup callback runs, so that setting another one waits for it */
	UtmCallback *wakeup;

	/* --- work for the I/O thread --- */
	pthread_t thread;
	GMainContext *main;
	GHashTable *requests;
	UtmWork *endings; /* what runs last; I/O thread only */
	pthread_mutex_t inbox_lock;
	UtmWork *inbox_first;
	UtmWork **inbox_end;
	bool stopping;

	bool io_woken;  /* the I/O thread was told of what is in the inbox */
	bool attentive; /* it will look by itself in a moment */
	bool answering; /* this dispatch brought work for it */
	bool answered;  /* the one before did */
	gint64 told_us; /* when it last woke the application; I/O thread only */

	/* --- policy, fixed --- */
	char **qemu_dirs;
	char **firmware_dirs;
	char *runtime_dir;
	char *console_engine;
	UtmAccelPolicy accel_policy;
	uint32_t argument_policy;

	UtmHandlerSlot log_slot;
	gint log_level;
	bool log_to_stderr;

	pthread_mutex_t data_lock;
	GArray *data;
};

/* --- dispatch.c --- */

void utm__queue_init(UtmContext *context);
/* Makes the descriptor. 0 or an errno; without it the queue can only be cleared. */
int utm__queue_open(UtmContext *context);
/* At the end of the context: nothing is run any more, but everything is freed. */
void utm__queue_discard(UtmContext *context);
void utm__queue_clear(UtmContext *context);
/* This thread is inside a wakeup callback. */
bool utm__in_wakeup(void);
/* This thread is inside a callback of this context. */
bool utm__in_dispatch(const UtmContext *context);
/* The end of the I/O thread's turn: wakes the application if something was posted. True when it did. */
bool utm__queue_end_turn(UtmContext *context);

/* --- context.c --- */

/* The end of a dispatch: the I/O thread is told of what the callbacks handed over. */
void utm__inbox_end_dispatch(UtmContext *context);
