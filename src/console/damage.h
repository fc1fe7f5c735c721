/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A part of a picture as a few rectangles. Display protocols cut one refresh into dozens of neighbouring pieces; here
 * they grow together again. The list never loses a pixel: when it is full, the two rectangles whose union wastes least
 * become one. Rectangles may overlap.
 */
#pragma once

#include <stdbool.h>
#include <utm/display.h>

typedef struct UtmDamage {
	unsigned count;
	UtmRect rects[UTM_FRAME_DAMAGE_MAX + 1]; /* one more for the moment before a merge */
} UtmDamage;

static inline void utm__damage_clear(UtmDamage *damage)
{
	damage->count = 0;
}

/* Adds what of the rectangle lies within width x height; numbers may be any. */
void utm__damage_add(UtmDamage *damage, int width, int height, UtmRect rect);
void utm__damage_add_all(UtmDamage *damage, int width, int height, const UtmDamage *other);
/* One rectangle covers everything. */
bool utm__damage_covers(const UtmDamage *damage, int width, int height);
