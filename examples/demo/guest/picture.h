/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the demo guest shows: a gradient, the library's name, and what was typed last. Plain pixels, no system calls. */
#ifndef DEMO_PICTURE_H
#define DEMO_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct DemoPicture {
	uint32_t *pixels; /* 0x00RRGGBB */
	int width, height;
	int stride; /* pixels from one row to the next */
} DemoPicture;

/* Paints everything. `turn` picks the colours: each value gives another picture. `text` is the line at the bottom. */
void demo_paint(DemoPicture *picture, unsigned turn, const char *text);
/* Inverts a cross around a position; doing it twice restores what was there. */
void demo_invert_cross(DemoPicture *picture, int x, int y);

#endif
