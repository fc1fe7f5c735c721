/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine's side of pictures: gathering, size changes, held buffers. Time passes for real, in milliseconds. */
#include "console/engine/loop.h"
#include "console/engine/picture.h"

#include <string.h>
#include <unistd.h>

typedef struct Fixture {
	PictureSink sink;
	Picture *picture;
	UtmRing *ring;
	guint rings, frames, hidden;
	guint64 serial;
	guint32 pixels[64 * 64];
} Fixture;

static void on_ring(void *data, guint display, guint32 ring, const UtmRingLayout *layout, int fd)
{
	Fixture *f = data;
	const char *problem = NULL;
	g_assert_cmpuint(ring, ==, ++f->rings);
	utm__ring_unref(f->ring);
	f->ring = utm__ring_map(fd, layout->width, layout->height, &problem);
	g_assert_null(problem);
}

static void on_frame(void *data, guint display, guint32 ring, guint64 serial)
{
	Fixture *f = data;
	g_assert_cmpuint(display, ==, 5);
	g_assert_cmpuint(ring, ==, f->rings);
	f->frames++;
	f->serial = serial;
}

static void on_hidden(void *data, guint display)
{
	((Fixture *)data)->hidden++;
}

static void fixture_init(Fixture *f)
{
	memset(f, 0, sizeof *f);
	f->sink = (PictureSink){ on_ring, on_frame, on_hidden, f };
	f->picture = picture_new(5, &f->sink);
}

static void fixture_clear(Fixture *f)
{
	picture_free(f->picture);
	utm__ring_unref(f->ring);
}

static void set_surface(Fixture *f, guint32 side)
{
	UtmSurface surface = { f->pixels, side * 4, UTM_SURFACE_XRGB8888 };
	picture_set_surface(f->picture, side, side, &surface);
}

static void quit(void *data)
{
	loop_quit();
}

static void pass(guint ms)
{
	loop_add_timeout(ms, quit, NULL);
	loop_run();
}

/* Strips that cover the screen are a picture at once, in whatever order they come. */
static void test_whole(void)
{
	Fixture f;
	fixture_init(&f);
	set_surface(&f, 64);
	for (int i = 0; i < 8; i++) {
		g_assert_cmpuint(f.frames, ==, 0);
		picture_paint(f.picture, (UtmRect){ (i * 3 % 8) * 8, 0, 8, 64 });
	}
	g_assert_cmpuint(f.frames, ==, 1);
	g_assert_cmpuint(f.rings, ==, 1);
	pass(30);
	g_assert_cmpuint(f.frames, ==, 1);
	fixture_clear(&f);
}

/* Overlapping pieces are not taken for a whole screen. */
static void test_part(void)
{
	Fixture f;
	UtmRingPicture picture;
	fixture_init(&f);
	set_surface(&f, 64);
	picture_paint_all(f.picture);
	g_assert_cmpuint(f.frames, ==, 1);
	g_assert_true(utm__ring_acquire(f.ring, 0, &picture));
	utm__ring_release(f.ring, picture.buffer);
	for (int i = 0; i < 20; i++)
		picture_paint(f.picture, (UtmRect){ 8, 8, 20, 20 });
	g_assert_cmpuint(f.frames, ==, 1);
	pass(30);
	g_assert_cmpuint(f.frames, ==, 2);
	g_assert_true(utm__ring_acquire(f.ring, picture.serial, &picture));
	g_assert_cmpuint(picture.damage.count, ==, 1);
	g_assert_cmpint(picture.damage.rects[0].width, ==, 20);
	utm__ring_release(f.ring, picture.buffer);
	fixture_clear(&f);
}

static void paint_forever(void *data)
{
	Fixture *f = data;
	picture_paint(f->picture, (UtmRect){ 1, 1, 2, 2 });
	if (f->frames < 3)
		loop_add_idle(paint_forever, f);
	else
		loop_quit();
}

/* A guest that never stops painting is seen all the same. */
static void test_endless(void)
{
	Fixture f;
	fixture_init(&f);
	set_surface(&f, 64);
	loop_add_idle(paint_forever, &f);
	loop_run();
	g_assert_cmpuint(f.frames, ==, 3);
	fixture_clear(&f);
}

static void test_surfaces(void)
{
	Fixture f;
	fixture_init(&f);
	picture_paint(f.picture, (UtmRect){ 0, 0, 9, 9 }); /* nothing to paint on */
	set_surface(&f, 64);
	picture_paint_all(f.picture);
	/* The same size again needs no new memory, and shows all of the new surface although little is painted on it. */
	picture_drop_surface(f.picture);
	f.pixels[64 * 64 - 1] = 0x123456;
	set_surface(&f, 64);
	picture_paint(f.picture, (UtmRect){ 0, 0, 1, 1 });
	pass(30);
	g_assert_cmpuint(f.rings, ==, 1);
	g_assert_cmpuint(f.frames, ==, 2);
	UtmRingPicture picture;
	g_assert_true(utm__ring_acquire(f.ring, 0, &picture));
	g_assert_cmphex(((const guint32 *)picture.pixels)[64 * 64 - 1], ==, 0x123456);
	utm__ring_release(f.ring, picture.buffer);
	picture_drop_surface(f.picture);
	set_surface(&f, 32);
	pass(30);
	g_assert_cmpuint(f.rings, ==, 1); /* nothing to show yet */
	picture_paint_all(f.picture);
	g_assert_cmpuint(f.rings, ==, 2);
	g_assert_cmpuint(f.serial, ==, 1);
	picture_drop_surface(f.picture);
	picture_paint_all(f.picture);
	pass(300);
	g_assert_cmpuint(f.hidden, ==, 1);
	g_assert_cmpuint(f.frames, ==, 3);
	set_surface(&f, 32);
	picture_paint_all(f.picture);
	g_assert_cmpuint(f.rings, ==, 3);
	fixture_clear(&f);
}

/* The screen may be a part of the surface; impossible parts are not believed. */
static void test_view(void)
{
	Fixture f;
	UtmRingPicture picture;
	fixture_init(&f);
	for (guint32 i = 0; i < 64 * 64; i++)
		f.pixels[i] = i;
	set_surface(&f, 64);
	picture_set_view(f.picture, (UtmRect){ 10, 20, 16, 8 });
	picture_paint_all(f.picture);
	g_assert_cmpuint(utm__ring_get_layout(f.ring)->width, ==, 16);
	g_assert_cmpuint(utm__ring_get_layout(f.ring)->height, ==, 8);
	g_assert_true(utm__ring_acquire(f.ring, 0, &picture));
	g_assert_cmpuint(((const guint32 *)picture.pixels)[1], ==, 20 * 64 + 11);
	picture_set_view(f.picture, (UtmRect){ 10, 20, 60, 8 });
	pass(30);
	g_assert_cmpuint(utm__ring_get_layout(f.ring)->width, ==, 64);
	fixture_clear(&f);
}

/* No buffer free: the picture comes when one is given back. */
static void test_starved(void)
{
	Fixture f;
	UtmRingPicture held[UTM_RING_BUFFERS];
	fixture_init(&f);
	set_surface(&f, 64);
	for (int i = 0; i < UTM_RING_BUFFERS; i++) {
		picture_paint_all(f.picture);
		g_assert_true(utm__ring_acquire(f.ring, 0, &held[i]));
	}
	g_assert_cmpuint(f.frames, ==, 4);
	f.pixels[7] = 7;
	picture_paint_all(f.picture);
	picture_resume(f.picture);
	pass(5);
	g_assert_cmpuint(f.frames, ==, 4);
	utm__ring_release(f.ring, held[1].buffer);
	picture_resume(f.picture);
	pass(5);
	g_assert_cmpuint(f.frames, ==, 5);
	UtmRingPicture newest;
	g_assert_true(utm__ring_acquire(f.ring, 0, &newest));
	g_assert_cmpuint(((const guint32 *)newest.pixels)[7], ==, 7);
	picture_resume(f.picture);
	pass(5);
	g_assert_cmpuint(f.frames, ==, 5);
	fixture_clear(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/picture/whole", test_whole);
	g_test_add_func("/picture/part", test_part);
	g_test_add_func("/picture/endless", test_endless);
	g_test_add_func("/picture/surfaces", test_surfaces);
	g_test_add_func("/picture/view", test_view);
	g_test_add_func("/picture/starved", test_starved);
	return g_test_run();
}
