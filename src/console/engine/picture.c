/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gathering. Display servers cut one refresh into pieces (SPICE: strips 32 pixels wide, 60 for a full frame of 1920,
 * more when the guest paints meanwhile), and no message says which is the last. What is known: the pieces of one
 * refresh do not overlap and come back to back, mostly within 0.2 ms of each other, but now and then some milliseconds
 * apart when the server had to wait for a processor; the next refresh comes much later. So a picture is complete
 *
 *  - at once when its pieces cover the whole screen;
 *  - when nothing more came for GAP_MIN_US, which keeps small changes quick;
 *  - but when one of the last pictures was a large part of the screen and less changed so far, the same is likely on
 *    its way again: then only when nothing came for GAP_MAX_US;
 *  - in any case GATHER_MAX_US after its first piece, for a guest that never stops painting.
 *
 * A piece that lies on one that was gathered already belongs to the next refresh: the count starts over with it.
 * Without that, a picture that once began in the middle of a refresh would make all that follow begin there, and be
 * torn.
 *
 * On two busy processors this makes 1.05 pictures of one refresh of the whole screen, and mostly without waiting. Only
 * then is the damage copied, in one go, which is cheaper than strip by strip, and one message sent.
 */
#include "picture.h"

#include "loop.h"

#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define GAP_MIN_US 400
#define GAP_MAX_US 4000
#define GATHER_MAX_US 30000
/* How many pictures are remembered, and which part of the screen is large. */
#define RECENT 4
#define LARGE_PART 8
/* Side of the squares in which pieces are noticed to lie on each other; no larger than the pieces are wide. */
#define CELL 32
/* How long a picture stays up without a surface. */
#define HIDE_DELAY_MS 200

struct Picture {
	guint display;
	const PictureSink *sink;

	bool has_surface;
	guint32 width, height; /* of the surface */
	UtmSurface surface;
	UtmRect view;          /* empty: all */

	UtmRingLayout layout;
	UtmRingWriter *writer; /* NULL before the first picture, and when there is no memory for one */
	void *control;
	void *pixels;
	guint32 ring;
	bool shown;
	bool starved; /* every buffer is held */
	bool fresh;   /* nothing of this surface was shown yet */

	UtmDamage damage; /* gathered, in coordinates of the screen */
	gint64 area;      /* of the pieces; the list of damage may cover more than they do */
	GByteArray *cells; /* of the screen, row by row: whether a piece covers all of it */
	gint64 first_us, last_us;
	gint64 recent[RECENT]; /* areas of the pictures before */
	guint next_recent;
	int timer_fd;
	bool timer_runs;
	guint calm_source;
	guint timer_source;
	guint hide_timer;
};

static gint64 now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The part of the surface that is the screen, or all of it when the server names an impossible part. */
static UtmRect screen_of(const Picture *picture)
{
	const UtmRect *view = &picture->view;
	bool fits = view->x >= 0 && view->y >= 0 && view->width > 0 && view->height > 0 &&
	            (gint64)view->x + view->width <= picture->width && (gint64)view->y + view->height <= picture->height;
	return fits ? *view : (UtmRect){ 0, 0, (int32_t)picture->width, (int32_t)picture->height };
}

/* ---------------------------------------------------------------- the ring */

static void drop_ring(Picture *picture)
{
	g_clear_pointer(&picture->writer, utm__ring_writer_free);
	utm__ring_unmap(&picture->layout, picture->control, picture->pixels);
	picture->control = picture->pixels = NULL;
	picture->starved = false;
}

/* A new ring, handed to the library. False without memory, or when no picture can have that size. */
static bool make_ring(Picture *picture, guint32 width, guint32 height)
{
	drop_ring(picture);
	if (!utm__ring_layout(&picture->layout, width, height))
		return false;
	int fd = utm__ring_create(&picture->layout, &picture->control, &picture->pixels);
	if (fd < 0)
		return false;
	picture->writer = utm__ring_writer_new(&picture->layout, picture->control, picture->pixels);
	picture->ring++;
	picture->sink->ring(picture->sink->data, picture->display, picture->ring, &picture->layout, fd);
	close(fd);
	return true;
}

static bool ring_fits(const Picture *picture, const UtmRect *screen)
{
	return picture->writer && picture->layout.width == (guint32)screen->width &&
	       picture->layout.height == (guint32)screen->height;
}

static void publish(Picture *picture)
{
	UtmRect screen = screen_of(picture);
	if (!ring_fits(picture, &screen) && !make_ring(picture, (guint32)screen.width, (guint32)screen.height))
		return;
	gsize pixel = picture->surface.format == UTM_SURFACE_XRGB8888 ? 4 : 2;
	if (picture->fresh)
		utm__damage_add(&picture->damage, screen.width, screen.height, (UtmRect){ 0, 0, screen.width, screen.height });
	picture->fresh = false;
	UtmSurface part = picture->surface;
	part.pixels = (const guint8 *)part.pixels + (gsize)screen.y * part.stride + (gsize)screen.x * pixel;
	picture->starved = !utm__ring_publish(picture->writer, &part, &picture->damage, now_ns());
	utm__damage_clear(&picture->damage);
	if (picture->starved)
		return;
	picture->shown = true;
	picture->sink->frame(picture->sink->data, picture->display, picture->ring, utm__ring_get_serial(picture->writer));
}

/* ---------------------------------------------------------------- gathering */

static void set_timer(Picture *picture, gint64 delay_us)
{
	/* Not a GLib timeout: those count in milliseconds. A delay of zero would stop it. */
	struct itimerspec when = { .it_value.tv_nsec = MAX(delay_us, 1) * 1000 };
	timerfd_settime(picture->timer_fd, 0, &when, NULL);
	picture->timer_runs = true;
}

static void stop_timer(Picture *picture)
{
	struct itimerspec never = { 0 };
	if (picture->timer_runs)
		timerfd_settime(picture->timer_fd, 0, &never, NULL);
	picture->timer_runs = false;
}

static gint64 gap_us(const Picture *picture)
{
	UtmRect screen = screen_of(picture);
	gint64 expected = 0;
	for (guint i = 0; i < RECENT; i++)
		expected = MAX(expected, picture->recent[i]);
	bool large = expected >= (gint64)screen.width * screen.height / LARGE_PART;
	return large && picture->area < expected ? GAP_MAX_US : GAP_MIN_US;
}

static void complete(Picture *picture)
{
	picture->recent[picture->next_recent++ % RECENT] = picture->area;
	stop_timer(picture);
	publish(picture);
}

/*
 * From an idle source below the engine's own: SPICE paints first and tells from an idle source what it painted. In
 * between its surface holds pixels that nobody knows to be new.
 */
static void on_calm(void *data)
{
	Picture *picture = data;
	picture->calm_source = 0;
	if (picture->starved && picture->has_surface)
		publish(picture);
	if (!picture->has_surface || picture->damage.count == 0)
		return;
	gint64 end_us = MIN(picture->last_us + gap_us(picture), picture->first_us + GATHER_MAX_US);
	gint64 left = end_us - g_get_monotonic_time();
	if (left > 0)
		set_timer(picture, left);
	else
		complete(picture);
}

static void await_calm(Picture *picture)
{
	if (!picture->calm_source)
		picture->calm_source = loop_add_idle(on_calm, picture);
}

static bool on_timer(int fd, GIOCondition condition, void *data)
{
	Picture *picture = data;
	guint64 times;
	if (read(fd, &times, sizeof times) < 0)
		return true; /* stopped meanwhile */
	picture->timer_runs = false;
	await_calm(picture);
	return true;
}

static void start_over(Picture *picture, const UtmRect *screen)
{
	guint columns = ((guint)screen->width + CELL - 1) / CELL, rows = ((guint)screen->height + CELL - 1) / CELL;
	g_byte_array_set_size(picture->cells, columns * rows);
	memset(picture->cells->data, 0, picture->cells->len);
	picture->area = 0;
}

/* The cells that lie within from..to; the last one may be cut off by the screen's edge. */
static void cells_within(int from, int to, int side, int *ret_first, int *ret_end)
{
	*ret_first = (from + CELL - 1) / CELL;
	*ret_end = to == side ? (to + CELL - 1) / CELL : to / CELL;
}

/* Marks the cells that the piece covers. False when one was covered before. */
static bool cover(Picture *picture, const UtmRect *screen, const UtmRect *piece)
{
	int left, right, top, bottom, columns = (screen->width + CELL - 1) / CELL;
	bool fresh = true;
	cells_within(piece->x, piece->x + piece->width, screen->width, &left, &right);
	cells_within(piece->y, piece->y + piece->height, screen->height, &top, &bottom);
	for (int y = top; y < bottom; y++)
		for (int x = left; x < right; x++) {
			guint8 *cell = &picture->cells->data[y * columns + x];
			fresh = fresh && !*cell;
			*cell = 1;
		}
	return fresh;
}

static void gather(Picture *picture, const UtmRect *screen, const UtmRect *piece)
{
	picture->last_us = g_get_monotonic_time();
	if (picture->damage.count == 0) {
		picture->first_us = picture->last_us;
		start_over(picture, screen);
	}
	if (!cover(picture, screen, piece)) {
		start_over(picture, screen);
		cover(picture, screen, piece);
	}
	picture->area += (gint64)piece->width * piece->height;
	utm__damage_add(&picture->damage, screen->width, screen->height, *piece);
}

/* The piece in coordinates of the screen, as far as it lies there. */
static UtmRect on_screen(const UtmRect *screen, UtmRect piece)
{
	UtmDamage clipped = { 0 };
	piece.x -= screen->x;
	piece.y -= screen->y;
	utm__damage_add(&clipped, screen->width, screen->height, piece);
	return clipped.count ? clipped.rects[0] : (UtmRect){ 0 };
}

void picture_paint(Picture *picture, UtmRect rect)
{
	if (!picture->has_surface)
		return;
	UtmRect screen = screen_of(picture), piece = on_screen(&screen, rect);
	if (piece.width == 0)
		return;
	gather(picture, &screen, &piece);
	bool whole = picture->area >= (gint64)screen.width * screen.height &&
	             utm__damage_covers(&picture->damage, screen.width, screen.height);
	if (whole || picture->last_us >= picture->first_us + GATHER_MAX_US)
		complete(picture);
	else if (!picture->timer_runs)
		set_timer(picture, GAP_MIN_US);
}

void picture_paint_all(Picture *picture)
{
	picture_paint(picture, (UtmRect){ 0, 0, (int32_t)picture->width, (int32_t)picture->height });
}

void picture_resume(Picture *picture)
{
	if (picture->starved)
		await_calm(picture);
}

/* ---------------------------------------------------------------- the surface */

static void hide(void *data)
{
	Picture *picture = data;
	picture->hide_timer = 0;
	drop_ring(picture);
	picture->shown = false;
	picture->sink->hidden(picture->sink->data, picture->display);
}

void picture_set_surface(Picture *picture, guint32 width, guint32 height, const UtmSurface *surface)
{
	loop_remove(&picture->hide_timer);
	stop_timer(picture);
	picture->has_surface = true;
	picture->width = width;
	picture->height = height;
	picture->surface = *surface;
	picture->fresh = true;
	utm__damage_clear(&picture->damage);
}

void picture_drop_surface(Picture *picture)
{
	stop_timer(picture);
	picture->has_surface = false;
	picture->starved = false;
	if (picture->shown && !picture->hide_timer)
		picture->hide_timer = loop_add_timeout(HIDE_DELAY_MS, hide, picture);
}

void picture_set_view(Picture *picture, UtmRect view)
{
	UtmRect former = screen_of(picture);
	picture->view = view;
	UtmRect now = screen_of(picture);
	if (!picture->has_surface || memcmp(&former, &now, sizeof now) == 0)
		return;
	/* What was gathered is meant in other coordinates. */
	bool gathering = picture->damage.count > 0;
	utm__damage_clear(&picture->damage);
	if (picture->shown || gathering)
		picture_paint_all(picture);
}

Picture *picture_new(guint display, const PictureSink *sink)
{
	Picture *picture = g_new0(Picture, 1);
	picture->display = display;
	picture->sink = sink;
	picture->cells = g_byte_array_new();
	picture->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (picture->timer_fd >= 0)
		picture->timer_source = loop_add_fd(picture->timer_fd, G_IO_IN, G_PRIORITY_DEFAULT, on_timer, picture);
	return picture;
}

void picture_free(Picture *picture)
{
	loop_remove(&picture->timer_source);
	loop_remove(&picture->calm_source);
	loop_remove(&picture->hide_timer);
	drop_ring(picture);
	if (picture->timer_fd >= 0)
		close(picture->timer_fd);
	g_byte_array_unref(picture->cells);
	g_free(picture);
}
