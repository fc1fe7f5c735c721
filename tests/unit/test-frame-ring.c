/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damage lists and the ring of shared buffers, in one process: two mappings, many threads, a hostile peer. */
#include "console/frame-ring.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---------------------------------------------------------------- damage */

static bool covered(const UtmDamage *damage, int x, int y)
{
	for (unsigned i = 0; i < damage->count; i++) {
		const UtmRect *r = &damage->rects[i];
		if (x >= r->x && y >= r->y && x < r->x + r->width && y < r->y + r->height)
			return true;
	}
	return false;
}

/* 60 strips of a full frame, in any order, are one rectangle. */
static void test_damage_strips(void)
{
	for (int step = 1; step < 60; step += 6) {
		UtmDamage damage = { 0 };
		for (int i = 0, strip = 0; i < 60; i++, strip = (strip + 7) % 60)
			utm__damage_add(&damage, 1920, 1080, (UtmRect){ strip * 32, 0, 32, 1080 });
		g_assert_cmpuint(damage.count, ==, 1);
		g_assert_true(utm__damage_covers(&damage, 1920, 1080));
	}
}

static void test_damage_clips(void)
{
	static const UtmRect nothing[] = { { -5, 0, 5, 10 }, { 100, 0, 1, 1 },   { 0, 0, 0, 9 },  { 0, 0, -3, 9 },
		                           { 5, 50, 3, 3 },  { G_MAXINT32, 0, 9, 9 }, { 0, 0, 9, -9 } };
	UtmDamage damage = { 0 };
	for (gsize i = 0; i < G_N_ELEMENTS(nothing); i++)
		utm__damage_add(&damage, 100, 50, nothing[i]);
	g_assert_cmpuint(damage.count, ==, 0);
	utm__damage_add(&damage, 100, 50, (UtmRect){ G_MININT32 / 2, -7, G_MAXINT32, G_MAXINT32 });
	g_assert_cmpuint(damage.count, ==, 1);
	g_assert_cmpint(damage.rects[0].x, ==, 0);
	g_assert_cmpint(damage.rects[0].height, ==, 50);
	g_assert_cmpint(damage.rects[0].width, ==, 100);
}

/* However many rectangles go in, no pixel is lost, the list stays short, and one rectangle alone stays exact. */
static void test_damage_random(void)
{
	enum { WIDTH = 97, HEIGHT = 61 };
	for (int round = 0; round < 200; round++) {
		UtmDamage damage = { 0 };
		bool painted[HEIGHT][WIDTH] = { { false } };
		int count = g_test_rand_int_range(1, 60);
		for (int i = 0; i < count; i++) {
			UtmRect r = { g_test_rand_int_range(-4, WIDTH), g_test_rand_int_range(-4, HEIGHT),
				      g_test_rand_int_range(0, 20), g_test_rand_int_range(0, 20) };
			utm__damage_add(&damage, WIDTH, HEIGHT, r);
			g_assert_cmpuint(damage.count, <=, UTM_FRAME_DAMAGE_MAX);
			for (int y = MAX(r.y, 0); y < MIN(r.y + r.height, HEIGHT); y++)
				for (int x = MAX(r.x, 0); x < MIN(r.x + r.width, WIDTH); x++)
					painted[y][x] = true;
		}
		for (int y = 0; y < HEIGHT; y++)
			for (int x = 0; x < WIDTH; x++)
				if (painted[y][x])
					g_assert_true(covered(&damage, x, y));
		for (unsigned i = 0; i < damage.count; i++) {
			const UtmRect *r = &damage.rects[i];
			g_assert_true(r->x >= 0 && r->y >= 0 && r->width > 0 && r->height > 0);
			g_assert_true(r->x + r->width <= WIDTH && r->y + r->height <= HEIGHT);
		}
	}
}

/* ---------------------------------------------------------------- a ring and its source */

typedef struct Fixture {
	UtmRingLayout layout;
	void *control, *pixels;
	UtmRingWriter *writer;
	UtmRing *ring;
	guint32 *source;
	UtmSurface surface;
} Fixture;

static void fixture_init(Fixture *f, guint32 width, guint32 height)
{
	const char *problem = NULL;
	g_assert_true(utm__ring_layout(&f->layout, width, height));
	int fd = utm__ring_create(&f->layout, &f->control, &f->pixels);
	g_assert_cmpint(fd, >=, 0);
	f->writer = utm__ring_writer_new(&f->layout, f->control, f->pixels);
	f->ring = utm__ring_map(fd, width, height, &problem);
	g_assert_null(problem);
	g_assert_nonnull(f->ring);
	close(fd);
	f->source = g_new0(guint32, (gsize)width * height);
	f->surface = (UtmSurface){ f->source, (gsize)width * 4, UTM_SURFACE_XRGB8888 };
}

static void fixture_clear(Fixture *f)
{
	utm__ring_unref(f->ring);
	utm__ring_writer_free(f->writer);
	utm__ring_unmap(&f->layout, f->control, f->pixels);
	g_free(f->source);
}

static void paint(Fixture *f, UtmRect r, guint32 colour)
{
	for (int y = r.y; y < r.y + r.height; y++)
		for (int x = r.x; x < r.x + r.width; x++)
			f->source[(gsize)y * f->layout.width + (gsize)x] = colour;
}

/* Paints something and publishes it. */
static bool paint_and_publish(Fixture *f, UtmRect r, guint32 colour)
{
	UtmDamage damage = { 0 };
	paint(f, r, colour);
	utm__damage_add(&damage, (int)f->layout.width, (int)f->layout.height, r);
	return utm__ring_publish(f->writer, &f->surface, &damage, 1);
}

static const guint32 *row_of(const Fixture *f, const void *pixels, guint32 y)
{
	return (const guint32 *)((const guint8 *)pixels + (gsize)y * f->layout.stride);
}

static bool equals_source(const Fixture *f, const void *pixels)
{
	for (guint32 y = 0; y < f->layout.height; y++)
		if (memcmp(row_of(f, pixels, y), f->source + (gsize)y * f->layout.width, f->layout.width * 4))
			return false;
	return true;
}

static UtmRect random_rect(const Fixture *f)
{
	int width = (int)f->layout.width, height = (int)f->layout.height;
	UtmRect r = { g_test_rand_int_range(0, width), g_test_rand_int_range(0, height), 0, 0 };
	r.width = g_test_rand_int_range(1, MIN(12, width - r.x) + 1);
	r.height = g_test_rand_int_range(1, MIN(12, height - r.y) + 1);
	return r;
}

static void test_layout(void)
{
	UtmRingLayout layout;
	g_assert_true(utm__ring_layout(&layout, 1, 1));
	g_assert_true(utm__ring_layout(&layout, 1921, 1080));
	g_assert_cmpuint(layout.stride, >=, 1921 * 4);
	g_assert_cmpuint(layout.stride % 64, ==, 0);
	g_assert_cmpuint(layout.buffer_size, >=, (gsize)layout.stride * 1080);
	g_assert_cmpuint(layout.total_size, ==, layout.control_size + 4 * layout.buffer_size);
	g_assert_true(utm__ring_layout(&layout, 8192, 8192));
	g_assert_false(utm__ring_layout(&layout, 0, 1));
	g_assert_false(utm__ring_layout(&layout, 1, 0));
	g_assert_false(utm__ring_layout(&layout, 16385, 1));
	g_assert_false(utm__ring_layout(&layout, 16384, 16384));
	g_assert_false(utm__ring_layout(&layout, G_MAXUINT32, G_MAXUINT32));
}

/* Memory that could shrink under us, or has another size, is refused before it is mapped. */
static void test_map_checks(void)
{
	UtmRingLayout layout;
	const char *problem = NULL;
	g_assert_true(utm__ring_layout(&layout, 64, 64));
	int unsealed = memfd_create("test", MFD_ALLOW_SEALING);
	g_assert_cmpint(ftruncate(unsealed, (off_t)layout.total_size), ==, 0);
	g_assert_null(utm__ring_map(unsealed, 64, 64, &problem));
	g_assert_nonnull(problem);
	g_assert_cmpint(fcntl(unsealed, F_ADD_SEALS, F_SEAL_GROW), ==, 0);
	g_assert_null(utm__ring_map(unsealed, 64, 64, &problem));
	g_assert_cmpint(fcntl(unsealed, F_ADD_SEALS, F_SEAL_SHRINK), ==, 0);
	g_assert_null(utm__ring_map(unsealed, 64, 256, &problem));
	g_assert_null(utm__ring_map(unsealed, 0, 0, &problem));
	UtmRing *ring = utm__ring_map(unsealed, 64, 64, &problem);
	g_assert_nonnull(ring);
	utm__ring_unref(ring);
	close(unsealed);
	int plain_file = open("/dev/zero", O_RDWR);
	g_assert_null(utm__ring_map(plain_file, 64, 64, &problem));
	close(plain_file);
}

static void test_first_picture(void)
{
	Fixture f;
	UtmRingPicture picture;
	fixture_init(&f, 70, 50);
	g_assert_false(utm__ring_acquire(f.ring, 0, &picture));
	paint(&f, (UtmRect){ 0, 0, 70, 50 }, 0x123456);
	/* Even when only a corner is said to be painted: nothing was shown before. */
	g_assert_true(paint_and_publish(&f, (UtmRect){ 3, 4, 5, 6 }, 0xabcdef));
	g_assert_true(utm__ring_acquire(f.ring, 0, &picture));
	g_assert_cmpuint(picture.serial, ==, 1);
	g_assert_true(equals_source(&f, picture.pixels));
	g_assert_true(utm__damage_covers(&picture.damage, 70, 50));
	utm__ring_release(f.ring, picture.buffer);
	fixture_clear(&f);
}

/* Every picture is complete, whatever buffer it is in, and damage alone keeps a copy up to date. */
static void test_damage_is_enough(void)
{
	Fixture f;
	fixture_init(&f, 83, 41);
	g_autofree guint32 *copy = g_new0(guint32, 83 * 41);
	guint64 seen = 0;
	int held[2] = { -1, -1 };
	for (int i = 0; i < 3000; i++) {
		int paints = g_test_rand_int_range(1, 4);
		for (int j = 0; j < paints; j++)
			g_assert_true(paint_and_publish(&f, random_rect(&f), g_test_rand_int() & 0xffffff));
		UtmRingPicture picture;
		if (g_test_rand_int_range(0, 3) == 0) /* falls behind */
			continue;
		g_assert_true(utm__ring_acquire(f.ring, seen, &picture));
		g_assert_true(equals_source(&f, picture.pixels));
		for (unsigned r = 0; r < picture.damage.count; r++)
			for (int y = 0; y < picture.damage.rects[r].height; y++) {
				int row = picture.damage.rects[r].y + y, x = picture.damage.rects[r].x;
				memcpy(copy + row * 83 + x, row_of(&f, picture.pixels, (guint32)row) + x,
				       (gsize)picture.damage.rects[r].width * 4);
			}
		g_assert_cmpmem(copy, 83 * 41 * 4, f.source, 83 * 41 * 4);
		seen = picture.serial;
		/* Keep two of them for a while, so that buffers age differently. */
		int slot = g_test_rand_int_range(0, 2);
		if (held[slot] >= 0)
			utm__ring_release(f.ring, held[slot]);
		held[slot] = picture.buffer;
	}
	fixture_clear(&f);
}

/* The same picture twice: nothing changed in between. */
static void test_no_damage(void)
{
	Fixture f;
	UtmRingPicture first, second;
	fixture_init(&f, 32, 32);
	g_assert_true(paint_and_publish(&f, (UtmRect){ 0, 0, 32, 32 }, 1));
	g_assert_true(utm__ring_acquire(f.ring, 0, &first));
	g_assert_true(utm__ring_acquire(f.ring, first.serial, &second));
	g_assert_cmpint(first.buffer, ==, second.buffer);
	g_assert_cmpuint(second.damage.count, ==, 0);
	utm__ring_release(f.ring, first.buffer);
	utm__ring_release(f.ring, second.buffer);
	fixture_clear(&f);
}

static void count_freed(void *data)
{
	(*(int *)data)++;
}

/* With every buffer held, changes wait, and the first buffer that comes back says so once. */
static void test_all_held(void)
{
	Fixture f;
	UtmRingPicture pictures[UTM_RING_BUFFERS], last;
	int freed = 0;
	fixture_init(&f, 40, 40);
	utm__ring_set_freed(f.ring, count_freed, &freed, NULL);
	for (int i = 0; i < UTM_RING_BUFFERS; i++) {
		g_assert_true(paint_and_publish(&f, (UtmRect){ i, i, 4, 4 }, 10u + (guint)i));
		g_assert_true(utm__ring_acquire(f.ring, (guint64)i, &pictures[i]));
	}
	utm__ring_release(f.ring, pictures[0].buffer);
	g_assert_true(utm__ring_acquire(f.ring, 0, &pictures[0])); /* now the latest is held twice, another is free */
	g_assert_true(paint_and_publish(&f, (UtmRect){ 1, 1, 2, 2 }, 77));
	g_assert_true(utm__ring_acquire(f.ring, 4, &last));
	g_assert_cmpint(freed, ==, 0);
	for (guint i = 0; i < 20; i++)
		g_assert_false(paint_and_publish(&f, (UtmRect){ (int)i, 20, 1, 5 }, 100 + i));
	g_assert_cmpint(freed, ==, 0);
	for (guint32 i = 1; i < 3; i++)
		utm__ring_release(f.ring, pictures[i].buffer);
	g_assert_cmpint(freed, ==, 1);
	g_assert_true(utm__ring_publish(f.writer, &f.surface, &(UtmDamage){ 0 }, 1));
	g_assert_cmpuint(utm__ring_get_serial(f.writer), ==, 6);
	UtmRingPicture newest;
	g_assert_true(utm__ring_acquire(f.ring, last.serial, &newest));
	g_assert_true(equals_source(&f, newest.pixels));
	g_assert_true(covered(&newest.damage, 0, 20) && covered(&newest.damage, 19, 24));
	g_assert_false(covered(&newest.damage, 30, 30));
	fixture_clear(&f);
}

static void test_convert_1555(void)
{
	Fixture f;
	UtmRingPicture picture;
	guint16 source[4 * 2] = { 0x0000, 0x7fff, 0x7c00, 0x03e0, 0x001f, 0x8000, 0x4210, 0x0421 };
	static const guint32 expected[] = { 0x000000, 0xffffff, 0xff0000, 0x00ff00,
		                            0x0000ff, 0x000000, 0x848484, 0x080808 };
	UtmDamage damage = { 1, { { 0, 0, 4, 2 } } };
	UtmSurface surface = { source, 8, UTM_SURFACE_XRGB1555 };
	fixture_init(&f, 4, 2);
	g_assert_true(utm__ring_publish(f.writer, &surface, &damage, 1));
	g_assert_true(utm__ring_acquire(f.ring, 0, &picture));
	for (guint32 i = 0; i < 8; i++)
		g_assert_cmphex(row_of(&f, picture.pixels, i / 4)[i % 4] & 0xffffff, ==, expected[i]);
	utm__ring_release(f.ring, picture.buffer);
	fixture_clear(&f);
}

/* ---------------------------------------------------------------- threads */

enum { STRESS_WIDTH = 64, STRESS_HEIGHT = 48, READERS = 3, STRESS_PICTURES = 20000 };

typedef struct Stress {
	UtmRingLayout layout;
	UtmRing *ring;
	gint over;
	gint looked;
} Stress;

/* A whole picture has one colour; a torn one has two. */
static guint32 colour_of(const Stress *stress, const void *pixels)
{
	guint32 first = *(const guint32 *)pixels;
	for (guint32 y = 0; y < STRESS_HEIGHT; y++) {
		const guint32 *row = (const guint32 *)((const guint8 *)pixels + (gsize)y * stress->layout.stride);
		for (guint32 x = 0; x < STRESS_WIDTH; x++)
			g_assert_cmphex(row[x], ==, first);
	}
	return first;
}

static void *read_pictures(void *data)
{
	Stress *stress = data;
	UtmRingPicture kept = { .buffer = -1 };
	guint32 kept_colour = 0;
	guint64 seen = 0;
	while (!g_atomic_int_get(&stress->over)) {
		UtmRingPicture picture;
		if (!utm__ring_acquire(stress->ring, seen, &picture))
			continue;
		g_assert_cmpuint(picture.serial, >=, seen);
		guint32 colour = colour_of(stress, picture.pixels);
		g_assert_cmpuint(colour, ==, (guint32)picture.serial);
		seen = picture.serial;
		g_atomic_int_inc(&stress->looked);
		if (kept.buffer >= 0) {
			g_assert_cmphex(colour_of(stress, kept.pixels), ==, kept_colour);
			utm__ring_release(stress->ring, kept.buffer);
		}
		kept = picture;
		kept_colour = colour;
	}
	if (kept.buffer >= 0)
		utm__ring_release(stress->ring, kept.buffer);
	return NULL;
}

/* The ring is read through the same mapping as it is written, so that ThreadSanitizer sees both sides. */
static void test_threads(void)
{
	Stress stress = { 0 };
	pthread_t readers[READERS];
	g_assert_true(utm__ring_layout(&stress.layout, STRESS_WIDTH, STRESS_HEIGHT));
	void *control = g_malloc0(stress.layout.control_size);
	void *pixels = g_malloc0(UTM_RING_BUFFERS * stress.layout.buffer_size);
	UtmRingWriter *writer = utm__ring_writer_new(&stress.layout, control, pixels);
	stress.ring = utm__ring_attach(&stress.layout, control, pixels);
	guint32 *source = g_new0(guint32, STRESS_WIDTH * STRESS_HEIGHT);
	UtmSurface surface = { source, STRESS_WIDTH * 4, UTM_SURFACE_XRGB8888 };
	UtmDamage all = { 1, { { 0, 0, STRESS_WIDTH, STRESS_HEIGHT } } };
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_pictures, &stress);
	guint published = 0;
	for (guint i = 0; published < STRESS_PICTURES && i < 100 * STRESS_PICTURES; i++) {
		for (int p = 0; p < STRESS_WIDTH * STRESS_HEIGHT; p++)
			source[p] = published + 1;
		if (utm__ring_publish(writer, &surface, &all, 1))
			published++;
		else
			g_thread_yield();
	}
	g_atomic_int_set(&stress.over, 1);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	g_assert_cmpuint(published, ==, STRESS_PICTURES);
	g_assert_cmpint(stress.looked, >, 100);
	utm__ring_unref(stress.ring);
	utm__ring_writer_free(writer);
	g_free(control);
	g_free(pixels);
	g_free(source);
}

/* ---------------------------------------------------------------- hostility */

static void scribble(void *control, gsize size)
{
	guint32 *words = control;
	for (gsize i = 0; i < size / 4; i++)
		switch (g_test_rand_int_range(0, 4)) {
		case 0: __atomic_store_n(&words[i], 0, __ATOMIC_RELAXED); break;
		case 1: __atomic_store_n(&words[i], (guint32)g_test_rand_int_range(0, 5), __ATOMIC_RELAXED); break;
		case 2: __atomic_store_n(&words[i], G_MAXUINT32, __ATOMIC_RELAXED); break;
		default: __atomic_store_n(&words[i], (guint32)g_test_rand_int(), __ATOMIC_RELAXED);
		}
}

/* Whatever stands in the control area: no access beyond the pixels, no endless loop, and damage within the picture. */
static void test_hostile_control(void)
{
	Fixture f;
	guint acquired = 0;
	fixture_init(&f, 100, 30);
	for (int i = 0; i < 5000; i++) {
		UtmRingPicture picture;
		scribble(f.control, f.layout.control_size);
		if (!utm__ring_acquire(f.ring, (guint64)g_test_rand_int_range(0, 3), &picture))
			continue;
		acquired++;
		g_assert_cmpint(picture.buffer, >=, 0);
		g_assert_cmpint(picture.buffer, <, UTM_RING_BUFFERS);
		g_assert_cmpuint(picture.damage.count, <=, UTM_FRAME_DAMAGE_MAX);
		g_assert_cmpuint(picture.serial, <=, UTM_RING_SERIAL_MAX);
		for (unsigned r = 0; r < picture.damage.count; r++) {
			g_assert_cmpint(picture.damage.rects[r].x + picture.damage.rects[r].width, <=, 100);
			g_assert_cmpint(picture.damage.rects[r].y + picture.damage.rects[r].height, <=, 30);
		}
		scribble(f.control, f.layout.control_size);
		utm__ring_release(f.ring, picture.buffer);
	}
	g_assert_cmpuint(acquired, >, 0);
	/* The writer is as unimpressed. */
	for (int i = 0; i < 2000; i++) {
		scribble(f.control, f.layout.control_size);
		paint_and_publish(&f, random_rect(&f), (guint32)i);
	}
	fixture_clear(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/damage/strips", test_damage_strips);
	g_test_add_func("/damage/clips", test_damage_clips);
	g_test_add_func("/damage/random", test_damage_random);
	g_test_add_func("/frame-ring/layout", test_layout);
	g_test_add_func("/frame-ring/map-checks", test_map_checks);
	g_test_add_func("/frame-ring/first-picture", test_first_picture);
	g_test_add_func("/frame-ring/damage-is-enough", test_damage_is_enough);
	g_test_add_func("/frame-ring/no-damage", test_no_damage);
	g_test_add_func("/frame-ring/all-held", test_all_held);
	g_test_add_func("/frame-ring/convert-1555", test_convert_1555);
	g_test_add_func("/frame-ring/threads", test_threads);
	g_test_add_func("/frame-ring/hostile-control", test_hostile_control);
	return g_test_run();
}
