/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory for the many small parts of one large answer. They are cut from blocks, and each can be given back alone, in any
 * order and from any thread; a block goes with the last of its parts. Asking malloc() for each, and giving each back to it,
 * would be a third of the time it takes to read such an answer.
 *
 * Texts stand at odd addresses, where malloc() never puts anything: so whoever has but a `char *` can give it back, with
 * utm__text_free().
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct UtmPoolBlock UtmPoolBlock;

/* Being cut from. All zero: nothing yet. */
typedef struct UtmPool {
	UtmPoolBlock *block;
	char *next, *end;
	gsize parts; /* of this block */
} UtmPool;

/* Zeroed, aligned for pointers and 64 bit numbers. NULL for what is too large. Give it back with utm__pool_give(). */
void *utm__pool_take(UtmPool *pool, gsize size);
/* Room for a text. NULL for one that is too large. Give it back with utm__text_free(). */
char *utm__pool_take_text(UtmPool *pool, gsize size);
/* Nothing is cut from it any more. */
void utm__pool_close(UtmPool *pool);

void utm__pool_give(void *part);
/* A text of a pool, or of g_malloc(); or NULL. */
void utm__text_free(char *text);
