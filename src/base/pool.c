/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

/* A block is aligned to its size, so that a part leads to it. */
#define BLOCK_SIZE ((gsize)16 << 10)
#define PART_MAX ((gsize)1 << 10)
#define ALIGNMENT ((gsize)8)

/*
 * `parts` are those that are still out, and while a pool cuts from the block FUSE besides: so taking one touches nothing
 * that other threads see.
 */
#define FUSE (G_MAXSIZE / 2)

struct UtmPoolBlock {
	gsize parts; /* atomic */
};

static void drop(UtmPoolBlock *block, gsize parts)
{
	if (__atomic_sub_fetch(&block->parts, parts, __ATOMIC_ACQ_REL) == 0)
		free(block);
}

void utm__pool_close(UtmPool *pool)
{
	if (pool->block)
		drop(pool->block, FUSE - pool->parts);
	*pool = (UtmPool){ 0 };
}

static void open_block(UtmPool *pool)
{
	utm__pool_close(pool);
	pool->block = aligned_alloc(BLOCK_SIZE, BLOCK_SIZE);
	if (!pool->block)
		g_error("out of memory"); /* as g_malloc() does */
	pool->block->parts = FUSE;
	pool->next = (char *)(pool->block + 1);
	pool->end = (char *)pool->block + BLOCK_SIZE;
}

/* `offset` from a multiple of the alignment; 0 or 1. */
static char *cut(UtmPool *pool, gsize size, gsize alignment, gsize offset)
{
	if (size > PART_MAX)
		return NULL;
	if ((gsize)(pool->end - pool->next) < size + 2 * ALIGNMENT)
		open_block(pool);
	gsize at = ((gsize)pool->next + alignment - 1 - offset) / alignment * alignment + offset;
	pool->next = (char *)at + size;
	pool->parts++;
	return (char *)at;
}

void *utm__pool_take(UtmPool *pool, gsize size)
{
	void *part = cut(pool, size, ALIGNMENT, 0);
	return part ? memset(part, 0, size) : NULL;
}

char *utm__pool_take_text(UtmPool *pool, gsize size)
{
	return cut(pool, size, 2, 1);
}

void utm__pool_give(void *part)
{
	drop((UtmPoolBlock *)((gsize)part / BLOCK_SIZE * BLOCK_SIZE), 1);
}

void utm__text_free(char *text)
{
	if ((gsize)text & 1)
		utm__pool_give(text);
	else
		g_free(text);
}
