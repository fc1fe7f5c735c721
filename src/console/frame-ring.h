/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pictures in shared memory: a few buffers that one process paints and another one reads, without a lock between them.
 *
 *     | control, read-write for both | buffer 0 | buffer 1 | buffer 2 | buffer 3 |   pixels read-only for the reader
 *
 * The writer paints a buffer that is neither the latest nor held, then makes it the latest. A reader holds the latest
 * by counting itself into its word of the control area, and looks again whether it still is the latest. A held buffer
 * is never painted, so a picture does not change under its reader, and a reader that holds buffers never makes the writer wait: it goes on
 * collecting what changes, and paints when a buffer is given back.
 *
 * The two sides do not trust each other. Sizes are computed from the width and height that came in a checked message,
 * never read from the shared memory; every number in there is checked where it is used, and every loop is bounded. What
 * a hostile peer can do is show a wrong picture.
 *
 * The size of the memory is fixed by seals, so that no access can fault.
 */
#pragma once

#include "console/damage.h"

#include <glib.h>

#define UTM_RING_BUFFERS 4
/* Bounds of a picture's width and height, and of its bytes. */
#define UTM_RING_SIDE_MAX 16384
#define UTM_RING_BYTES_MAX (256u << 20)
/* Serials are counted in a ring from 1; no honest writer gets this far. */
#define UTM_RING_SERIAL_MAX ((guint64)1 << 48)

typedef struct UtmRingControl UtmRingControl;

/* What follows from a picture's size. */
typedef struct UtmRingLayout {
	guint32 width;
	guint32 height;
	guint32 stride;      /* bytes */
	gsize buffer_size;   /* bytes, whole pages */
	gsize control_size;
	gsize total_size;
} UtmRingLayout;

/* False when the size is none of a picture's, or beyond the bounds. */
bool utm__ring_layout(UtmRingLayout *ret, guint32 width, guint32 height);

/* --- the writing side; one thread --- */

typedef enum UtmSurfaceFormat {
	UTM_SURFACE_XRGB8888, /* 32 bits, host byte order */
	UTM_SURFACE_XRGB1555, /* 16 bits, host byte order */
} UtmSurfaceFormat;

/* Where a writer takes its pixels from. */
typedef struct UtmSurface {
	const void *pixels;
	gsize stride; /* bytes */
	UtmSurfaceFormat format;
} UtmSurface;

typedef struct UtmRingWriter UtmRingWriter;

/* Sealed shared memory of that layout, mapped for a writer: the descriptor, or -1 and errno. */
int utm__ring_create(const UtmRingLayout *layout, void **ret_control, void **ret_pixels);
void utm__ring_unmap(const UtmRingLayout *layout, void *control, void *pixels);

/* `control` and `pixels` are of that layout, zero, and stay the caller's. */
UtmRingWriter *utm__ring_writer_new(const UtmRingLayout *layout, void *control, void *pixels);
void utm__ring_writer_free(UtmRingWriter *writer);
/*
 * Copies what changed from the surface into a free buffer and makes it the latest. `damage` is what changed since the
 * last call. False when every buffer is held: the damage is remembered, and a reader that gives one back will say so.
 */
bool utm__ring_publish(UtmRingWriter *writer, const UtmSurface *surface, const UtmDamage *damage, gint64 time_ns);
/* The serial of the latest picture, 0 before the first. */
guint64 utm__ring_get_serial(const UtmRingWriter *writer);

/* --- the reading side; any thread --- */

typedef struct UtmRing UtmRing;

/* Somebody gave a buffer back while the writer waits for one. Any thread. */
typedef void (*UtmRingFreedFunc)(void *data);

/* Maps a descriptor that came from a writer after checking its size and seals. NULL and a static text on failure. */
UtmRing *utm__ring_map(int fd, guint32 width, guint32 height, const char **ret_problem);
/* For tests: reads memory that is mapped already and stays the caller's. */
UtmRing *utm__ring_attach(const UtmRingLayout *layout, void *control, void *pixels);
UtmRing *utm__ring_ref(UtmRing *ring);
void utm__ring_unref(UtmRing *ring);
const UtmRingLayout *utm__ring_get_layout(const UtmRing *ring);
/* To be called before the ring is shared between threads. `data` is released with the ring. */
void utm__ring_set_freed(UtmRing *ring, UtmRingFreedFunc fn, void *data, GDestroyNotify free_data);

/* A held buffer. */
typedef struct UtmRingPicture {
	int buffer;
	const void *pixels;
	guint64 serial;
	gint64 time_ns;
	UtmDamage damage; /* since the picture with the serial that the caller named */
} UtmRingPicture;

/* Holds the latest picture. `since` is the serial of the one that the caller saw before, 0 for none. False: none. */
bool utm__ring_acquire(UtmRing *ring, guint64 since, UtmRingPicture *ret);
void utm__ring_release(UtmRing *ring, int buffer);
