/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "console/frame-ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)
#define PAGE 4096u
/* Cache lines; also what SIMD code of an application likes. */
#define STRIDE_ALIGN 64u
/* How many steps of damage a picture tells. A reader that is further behind gets the oldest ones united. */
#define STEPS 8
#define NO_BUFFER UINT32_MAX
/* A buffer's word: how many hold it, or this while it is painted. */
#define PAINTING 0x80000000u
#define HOLDERS_MAX 0x10000u
/* An honest peer makes a reader look again only when it publishes in just that moment. */
#define TRIES 256

/* What the pictures after the step before changed, up to and including picture `serial`. */
typedef struct Step {
	guint64 serial;
	guint32 count;
	guint32 unused;
	struct {
		guint16 x, y, width, height;
	} rects[UTM_FRAME_DAMAGE_MAX];
} Step;

/* Written while the buffer is painted, read while it is held: never both. */
typedef struct Description {
	guint64 serial;
	gint64 time_ns;
	guint32 step_count;
	guint32 unused;
	Step steps[STEPS]; /* oldest first */
} Description;

struct UtmRingControl {
	_Atomic guint32 latest;
	_Atomic guint32 wanted; /* the writer waits for a buffer */
	_Atomic guint64 seen;   /* the newest picture that the reader took; older damage need not be told any more */
	_Atomic guint32 words[UTM_RING_BUFFERS];
	Description descriptions[UTM_RING_BUFFERS];
};

struct UtmRingWriter {
	UtmRingLayout layout;
	UtmRingControl *control;
	guint8 *pixels;
	guint64 serial;
	int latest; /* -1 before the first picture */
	UtmDamage missed[UTM_RING_BUFFERS]; /* what changed since the buffer was painted */
	guint64 painted[UTM_RING_BUFFERS];
	UtmDamage pending; /* not in any picture yet */
	guint step_count;
	struct {
		guint64 serial;
		UtmDamage damage;
	} steps[STEPS];
};

struct UtmRing {
	gint refs;
	UtmRingLayout layout;
	UtmRingControl *control;
	const guint8 *pixels;
	bool mapped;
	UtmRingFreedFunc freed;
	void *data;
	GDestroyNotify free_data;
};

static gsize aligned(gsize size, gsize alignment)
{
	return (size + alignment - 1) / alignment * alignment;
}

bool utm__ring_layout(UtmRingLayout *ret, guint32 width, guint32 height)
{
	if (width == 0 || height == 0 || width > UTM_RING_SIDE_MAX || height > UTM_RING_SIDE_MAX)
		return false;
	gsize stride = aligned((gsize)width * 4, STRIDE_ALIGN);
	if (stride * height > UTM_RING_BYTES_MAX)
		return false;
	*ret = (UtmRingLayout){ .width = width, .height = height, .stride = (guint32)stride };
	ret->buffer_size = aligned(stride * height, PAGE);
	ret->control_size = aligned(sizeof(UtmRingControl), PAGE);
	ret->total_size = ret->control_size + UTM_RING_BUFFERS * ret->buffer_size;
	return true;
}

static void *map_control(const UtmRingLayout *layout, int fd)
{
	return mmap(NULL, layout->control_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void *map_pixels(const UtmRingLayout *layout, int fd, int protection)
{
	return mmap(NULL, UTM_RING_BUFFERS * layout->buffer_size, protection, MAP_SHARED, fd, (off_t)layout->control_size);
}

void utm__ring_unmap(const UtmRingLayout *layout, void *control, void *pixels)
{
	if (control && control != MAP_FAILED)
		munmap(control, layout->control_size);
	if (pixels && pixels != MAP_FAILED)
		munmap(pixels, UTM_RING_BUFFERS * layout->buffer_size);
}

/* ---------------------------------------------------------------- the writer */

int utm__ring_create(const UtmRingLayout *layout, void **ret_control, void **ret_pixels)
{
	int fd = memfd_create("utm-frames", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)layout->total_size) < 0 || fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0) {
		close(fd);
		return -1;
	}
	void *control = map_control(layout, fd);
	void *pixels = map_pixels(layout, fd, PROT_READ | PROT_WRITE);
	if (control == MAP_FAILED || pixels == MAP_FAILED) {
		utm__ring_unmap(layout, control, pixels);
		close(fd);
		return -1;
	}
	*ret_control = control;
	*ret_pixels = pixels;
	return fd;
}

UtmRingWriter *utm__ring_writer_new(const UtmRingLayout *layout, void *control, void *pixels)
{
	UtmRingWriter *writer = g_new0(UtmRingWriter, 1);
	writer->layout = *layout;
	writer->control = control;
	writer->pixels = pixels;
	writer->latest = -1;
	atomic_store(&writer->control->latest, NO_BUFFER);
	UtmRect all = { 0, 0, (int32_t)layout->width, (int32_t)layout->height };
	for (int i = 0; i < UTM_RING_BUFFERS; i++)
		utm__damage_add(&writer->missed[i], all.width, all.height, all);
	return writer;
}

void utm__ring_writer_free(UtmRingWriter *writer)
{
	g_free(writer);
}

guint64 utm__ring_get_serial(const UtmRingWriter *writer)
{
	return writer->serial;
}

static void add_all(const UtmRingWriter *writer, UtmDamage *damage, const UtmDamage *other)
{
	utm__damage_add_all(damage, (int)writer->layout.width, (int)writer->layout.height, other);
}

static bool grab(UtmRingWriter *writer, int buffer)
{
	guint32 nobody = 0;
	return atomic_compare_exchange_strong(&writer->control->words[buffer], &nobody, PAINTING);
}

/* A buffer that nobody holds, taken for painting: the one painted last, which missed least and is warm in the cache. */
static int grab_buffer(UtmRingWriter *writer)
{
	guint tried = writer->latest >= 0 ? 1u << writer->latest : 0;
	while (tried != (1u << UTM_RING_BUFFERS) - 1) {
		int best = -1;
		for (int i = 0; i < UTM_RING_BUFFERS; i++)
			if (!(tried & 1u << i) && (best < 0 || writer->painted[i] > writer->painted[best]))
				best = i;
		if (grab(writer, best))
			return best;
		tried |= 1u << best;
	}
	return -1;
}

/* Says that a buffer is wanted, then looks once more: one that came back in between would tell nobody. */
static int grab_or_wait(UtmRingWriter *writer)
{
	int buffer = grab_buffer(writer);
	if (buffer < 0) {
		atomic_store(&writer->control->wanted, 1);
		buffer = grab_buffer(writer);
	}
	if (buffer >= 0)
		atomic_store(&writer->control->wanted, 0);
	return buffer;
}

static void convert_row_1555(guint32 *to, const guint16 *from, int width)
{
	for (int x = 0; x < width; x++) {
		guint32 red = from[x] >> 10 & 31, green = from[x] >> 5 & 31, blue = from[x] & 31;
		to[x] = (red << 3 | red >> 2) << 16 | (green << 3 | green >> 2) << 8 | (blue << 3 | blue >> 2);
	}
}

static void copy_rect(const UtmRingLayout *layout, guint8 *buffer, const UtmSurface *surface, const UtmRect *rect)
{
	guint8 *to = buffer + (gsize)rect->y * layout->stride + (gsize)rect->x * 4;
	const guint8 *row = (const guint8 *)surface->pixels + (gsize)rect->y * surface->stride;
	if (surface->format == UTM_SURFACE_XRGB1555) {
		for (int y = 0; y < rect->height; y++, to += layout->stride, row += surface->stride)
			convert_row_1555((guint32 *)to, (const guint16 *)row + rect->x, rect->width);
	} else if (surface->stride == layout->stride && (guint32)rect->width == layout->width) {
		memcpy(to, row, (gsize)(rect->height - 1) * layout->stride + (gsize)rect->width * 4);
	} else {
		for (int y = 0; y < rect->height; y++, to += layout->stride, row += surface->stride)
			memcpy(to, row + (gsize)rect->x * 4, (gsize)rect->width * 4);
	}
}

/* Remembers what this picture changed, for readers that saw an older one last. */
static void add_step(UtmRingWriter *writer)
{
	guint64 seen = atomic_load(&writer->control->seen);
	guint old = 0;
	while (old < writer->step_count && writer->steps[old].serial <= seen)
		old++;
	if (old == 0 && writer->step_count == STEPS) {
		/* The reader is far behind: the two oldest become one. */
		UtmDamage first = writer->steps[0].damage;
		add_all(writer, &writer->steps[1].damage, &first);
		old = 1;
	}
	writer->step_count -= old;
	memmove(writer->steps, writer->steps + old, writer->step_count * sizeof *writer->steps);
	writer->steps[writer->step_count].serial = writer->serial;
	writer->steps[writer->step_count].damage = writer->pending;
	writer->step_count++;
	utm__damage_clear(&writer->pending);
}

static void describe(UtmRingWriter *writer, Description *description, gint64 time_ns)
{
	description->serial = writer->serial;
	description->time_ns = time_ns;
	description->step_count = writer->step_count;
	for (guint i = 0; i < writer->step_count; i++) {
		Step *step = &description->steps[i];
		const UtmDamage *damage = &writer->steps[i].damage;
		step->serial = writer->steps[i].serial;
		step->count = damage->count;
		for (guint j = 0; j < damage->count; j++) {
			step->rects[j].x = (guint16)damage->rects[j].x;
			step->rects[j].y = (guint16)damage->rects[j].y;
			step->rects[j].width = (guint16)damage->rects[j].width;
			step->rects[j].height = (guint16)damage->rects[j].height;
		}
	}
}

bool utm__ring_publish(UtmRingWriter *writer, const UtmSurface *surface, const UtmDamage *damage, gint64 time_ns)
{
	for (int i = 0; i < UTM_RING_BUFFERS; i++)
		add_all(writer, &writer->missed[i], damage);
	add_all(writer, &writer->pending, damage);
	int buffer = grab_or_wait(writer);
	if (buffer < 0)
		return false;
	writer->serial++;
	guint8 *pixels = writer->pixels + (gsize)buffer * writer->layout.buffer_size;
	UtmDamage *missed = &writer->missed[buffer];
	for (guint i = 0; i < missed->count; i++)
		copy_rect(&writer->layout, pixels, surface, &missed->rects[i]);
	utm__damage_clear(missed);
	add_step(writer);
	describe(writer, &writer->control->descriptions[buffer], time_ns);
	writer->painted[buffer] = writer->serial;
	writer->latest = buffer;
	atomic_store(&writer->control->words[buffer], 0);
	atomic_store(&writer->control->latest, (guint32)buffer);
	return true;
}

/* ---------------------------------------------------------------- the reader */

static UtmRing *ring_new(const UtmRingLayout *layout, void *control, const void *pixels)
{
	UtmRing *ring = g_new0(UtmRing, 1);
	ring->refs = 1;
	ring->layout = *layout;
	ring->control = control;
	ring->pixels = pixels;
	return ring;
}

UtmRing *utm__ring_attach(const UtmRingLayout *layout, void *control, void *pixels)
{
	return ring_new(layout, control, pixels);
}

static const char *check_memory(const UtmRingLayout *layout, int fd)
{
	struct stat info;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS)
		return "the memory could shrink";
	if (fstat(fd, &info) < 0 || info.st_size < 0 || (guint64)info.st_size != layout->total_size)
		return "the memory has not the size of the picture";
	return NULL;
}

UtmRing *utm__ring_map(int fd, guint32 width, guint32 height, const char **ret_problem)
{
	UtmRingLayout layout;
	bool possible = utm__ring_layout(&layout, width, height);
	*ret_problem = possible ? check_memory(&layout, fd) : "the picture's size is impossible";
	if (*ret_problem)
		return NULL;
	void *control = map_control(&layout, fd);
	void *pixels = map_pixels(&layout, fd, PROT_READ);
	if (control == MAP_FAILED || pixels == MAP_FAILED) {
		utm__ring_unmap(&layout, control, pixels);
		*ret_problem = "no address space for the picture";
		return NULL;
	}
	UtmRing *ring = ring_new(&layout, control, pixels);
	ring->mapped = true;
	return ring;
}

UtmRing *utm__ring_ref(UtmRing *ring)
{
	g_atomic_int_inc(&ring->refs);
	return ring;
}

void utm__ring_unref(UtmRing *ring)
{
	if (!ring || !g_atomic_int_dec_and_test(&ring->refs))
		return;
	if (ring->mapped)
		utm__ring_unmap(&ring->layout, ring->control, (void *)ring->pixels);
	if (ring->free_data)
		ring->free_data(ring->data);
	g_free(ring);
}

const UtmRingLayout *utm__ring_get_layout(const UtmRing *ring)
{
	return &ring->layout;
}

void utm__ring_set_freed(UtmRing *ring, UtmRingFreedFunc fn, void *data, GDestroyNotify free_data)
{
	ring->freed = fn;
	ring->data = data;
	ring->free_data = free_data;
}

/* Counts one more holder, unless the buffer is being painted. */
static bool hold(UtmRing *ring, guint32 buffer)
{
	_Atomic guint32 *word = &ring->control->words[buffer];
	guint32 holders = atomic_load(word);
	return holders < HOLDERS_MAX && atomic_compare_exchange_strong(word, &holders, holders + 1);
}

/* The latest buffer, held; -1 without one. */
static int hold_latest(UtmRing *ring)
{
	for (int i = 0; i < TRIES; i++) {
		guint32 latest = atomic_load(&ring->control->latest);
		if (latest >= UTM_RING_BUFFERS)
			return -1;
		if (!hold(ring, latest))
			continue;
		if (atomic_load(&ring->control->latest) == latest)
			return (int)latest;
		utm__ring_release(ring, (int)latest);
	}
	return -1;
}

static void note_seen(UtmRing *ring, guint64 serial)
{
	guint64 seen = atomic_load(&ring->control->seen);
	for (int i = 0; i < TRIES && seen < serial; i++)
		if (atomic_compare_exchange_strong(&ring->control->seen, &seen, serial))
			return;
}

/* The description as one copy: a hostile writer may change it between two looks. */
static void read_damage(const UtmRingLayout *layout, const Description *description, guint64 since, UtmDamage *ret)
{
	int width = (int)layout->width, height = (int)layout->height;
	utm__damage_clear(ret);
	if (since == 0)
		utm__damage_add(ret, width, height, (UtmRect){ 0, 0, width, height });
	for (guint i = 0; i < MIN(description->step_count, STEPS); i++) {
		const Step *step = &description->steps[i];
		for (guint j = 0; step->serial > since && j < MIN(step->count, UTM_FRAME_DAMAGE_MAX); j++) {
			UtmRect rect = { step->rects[j].x, step->rects[j].y, step->rects[j].width, step->rects[j].height };
			utm__damage_add(ret, width, height, rect);
		}
	}
}

bool utm__ring_acquire(UtmRing *ring, guint64 since, UtmRingPicture *ret)
{
	int buffer = hold_latest(ring);
	if (buffer < 0)
		return false;
	Description description;
	memcpy(&description, &ring->control->descriptions[buffer], sizeof description);
	ret->buffer = buffer;
	ret->pixels = ring->pixels + (gsize)buffer * ring->layout.buffer_size;
	ret->serial = CLAMP(description.serial, 1, UTM_RING_SERIAL_MAX);
	ret->time_ns = description.time_ns;
	read_damage(&ring->layout, &description, since, &ret->damage);
	note_seen(ring, ret->serial);
	return true;
}

void utm__ring_release(UtmRing *ring, int buffer)
{
	atomic_fetch_sub(&ring->control->words[buffer], 1);
	guint32 wanted = 1;
	if (atomic_load(&ring->control->wanted) == 1 &&
	    atomic_compare_exchange_strong(&ring->control->wanted, &wanted, 0) && ring->freed)
		ring->freed(ring->data);
}
