/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "console/damage.h"

#include <glib.h>

static bool contains(const UtmRect *outer, const UtmRect *inner)
{
	return inner->x >= outer->x && inner->y >= outer->y && inner->x + inner->width <= outer->x + outer->width &&
	       inner->y + inner->height <= outer->y + outer->height;
}

static UtmRect united(const UtmRect *a, const UtmRect *b)
{
	UtmRect all = { MIN(a->x, b->x), MIN(a->y, b->y), 0, 0 };
	all.width = MAX(a->x + a->width, b->x + b->width) - all.x;
	all.height = MAX(a->y + a->height, b->y + b->height) - all.y;
	return all;
}

static gint64 area(const UtmRect *rect)
{
	return (gint64)rect->width * rect->height;
}

/* Pixels that the union has and the two do not; negative when they overlap much. */
static gint64 waste(const UtmRect *a, const UtmRect *b)
{
	UtmRect all = united(a, b);
	return area(&all) - area(a) - area(b);
}

/* The two are one rectangle: one contains the other, or they share a whole side or a strip along it. */
static bool joins(const UtmRect *a, const UtmRect *b)
{
	if (contains(a, b) || contains(b, a))
		return true;
	bool same_column = a->x == b->x && a->width == b->width;
	bool same_row = a->y == b->y && a->height == b->height;
	return (same_column && a->y <= b->y + b->height && b->y <= a->y + a->height) ||
	       (same_row && a->x <= b->x + b->width && b->x <= a->x + a->width);
}

static UtmRect take(UtmDamage *damage, unsigned index)
{
	UtmRect rect = damage->rects[index];
	damage->rects[index] = damage->rects[--damage->count];
	return rect;
}

/* Unites `rect` with every rectangle that it makes one with; each union may make the next possible. */
static UtmRect absorb(UtmDamage *damage, UtmRect rect)
{
	for (unsigned i = 0; i < damage->count;) {
		if (joins(&damage->rects[i], &rect)) {
			UtmRect other = take(damage, i);
			rect = united(&other, &rect);
			i = 0;
		} else {
			i++;
		}
	}
	return rect;
}

static void merge_cheapest(UtmDamage *damage)
{
	unsigned first = 0, second = 1;
	for (unsigned i = 0; i < damage->count; i++)
		for (unsigned j = i + 1; j < damage->count; j++)
			if (waste(&damage->rects[i], &damage->rects[j]) < waste(&damage->rects[first], &damage->rects[second])) {
				first = i;
				second = j;
			}
	UtmRect later = take(damage, second);
	UtmRect merged = united(&damage->rects[first], &later);
	take(damage, first);
	merged = absorb(damage, merged);
	damage->rects[damage->count++] = merged;
}

static UtmRect clipped(int width, int height, UtmRect rect)
{
	gint64 left = CLAMP((gint64)rect.x, 0, width), top = CLAMP((gint64)rect.y, 0, height);
	gint64 right = CLAMP((gint64)rect.x + rect.width, 0, width);
	gint64 bottom = CLAMP((gint64)rect.y + rect.height, 0, height);
	return (UtmRect){ (int32_t)left, (int32_t)top, (int32_t)(right - left), (int32_t)(bottom - top) };
}

void utm__damage_add(UtmDamage *damage, int width, int height, UtmRect rect)
{
	rect = clipped(width, height, rect);
	if (rect.width <= 0 || rect.height <= 0)
		return;
	rect = absorb(damage, rect);
	damage->rects[damage->count++] = rect;
	if (damage->count > UTM_FRAME_DAMAGE_MAX)
		merge_cheapest(damage);
}

void utm__damage_add_all(UtmDamage *damage, int width, int height, const UtmDamage *other)
{
	for (unsigned i = 0; i < other->count; i++)
		utm__damage_add(damage, width, height, other->rects[i]);
}

bool utm__damage_covers(const UtmDamage *damage, int width, int height)
{
	UtmRect all = { 0, 0, width, height };
	for (unsigned i = 0; i < damage->count; i++)
		if (contains(&damage->rects[i], &all))
			return true;
	return false;
}
