/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One display's pictures on their way from an engine's surface into shared memory. Knows no display protocol. */
#pragma once

#include "console/frame-ring.h"

#include "engine.h"

/* Who tells the library. */
typedef struct PictureSink {
	/* A new ring; the descriptor stays the caller's. */
	void (*ring)(void *data, guint display, guint32 ring, const UtmRingLayout *layout, int fd);
	void (*frame)(void *data, guint display, guint32 ring, guint64 serial);
	void (*hidden)(void *data, guint display);
	void *data;
} PictureSink;

Picture *picture_new(guint display, const PictureSink *sink);
void picture_free(Picture *picture);

/* The surface is there, and stays where it is until it is dropped. Nothing is shown before something was painted. */
void picture_set_surface(Picture *picture, guint32 width, guint32 height, const UtmSurface *surface);
/* Before the memory of the surface goes. The last picture stays up for a moment: mostly another surface follows. */
void picture_drop_surface(Picture *picture);
/* Which part of the surface is the screen; empty for all of it. */
void picture_set_view(Picture *picture, UtmRect view);
/* Something was painted there. Gathered: one refresh of the guest's screen becomes one picture. */
void picture_paint(Picture *picture, UtmRect rect);
/* The surface is to be shown as it is. */
void picture_paint_all(Picture *picture);
/* A buffer may have become free. */
void picture_resume(Picture *picture);
