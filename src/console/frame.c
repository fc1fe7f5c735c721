/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmFrame: a held buffer of a ring. It needs neither display nor context, so it outlives both. */
#include "base/file.h"
#include "console/console-impl.h"

struct UtmFrame {
	gint refs;
	UtmRing *ring;
	int buffer;
	const void *pixels;
	UtmFrameInfo info;
};

UtmFrame *utm__frame_new(UtmRing *ring, const UtmRingPicture *picture_taken, guint64 base)
{
	const UtmRingLayout *layout = utm__ring_get_layout(ring);
	UtmFrame *frame = g_new0(UtmFrame, 1);
	frame->refs = 1;
	frame->ring = utm__ring_ref(ring);
	frame->buffer = picture_taken->buffer;
	frame->pixels = picture_taken->pixels;
	frame->info.size = sizeof frame->info;
	frame->info.width = layout->width;
	frame->info.height = layout->height;
	frame->info.stride_bytes = layout->stride;
	frame->info.fourcc = UTM_FOURCC_XRGB8888;
	frame->info.serial = base + picture_taken->serial;
	frame->info.time_ns = picture_taken->time_ns;
	frame->info.damage_count = picture_taken->damage.count;
	for (unsigned i = 0; i < picture_taken->damage.count; i++)
		frame->info.damage[i] = picture_taken->damage.rects[i];
	return frame;
}

UtmFrame *utm_frame_ref(UtmFrame *frame)
{
	if (frame)
		g_atomic_int_inc(&frame->refs);
	return frame;
}

void utm_frame_unref(UtmFrame *frame)
{
	if (!frame || !g_atomic_int_dec_and_test(&frame->refs))
		return;
	utm__ring_release(frame->ring, frame->buffer);
	utm__ring_unref(frame->ring);
	g_free(frame);
}

const UtmFrameInfo *utm_frame_get_info(const UtmFrame *frame)
{
	return frame ? &frame->info : NULL;
}

const void *utm_frame_get_data(const UtmFrame *frame)
{
	return frame ? frame->pixels : NULL;
}

int utm_frame_encode_png(const UtmFrame *frame, void **ret_data, size_t *ret_size, UtmError **error)
{
	if (!frame || !ret_data || !ret_size)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "frame, ret_data and ret_size must not be NULL");
	return utm__png_encode(frame->pixels, frame->info.width, frame->info.height, frame->info.stride_bytes, ret_data,
	                       ret_size, error);
}

int utm_frame_save_png(const UtmFrame *frame, const char *path, UtmError **error)
{
	g_autofree void *data = NULL;
	size_t size = 0;
	if (!path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "path must not be NULL");
	int failed = utm_frame_encode_png(frame, &data, &size, error);
	return failed ? failed : utm__write_file_atomic(path, data, size, 0666, error);
}
