/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file display.h
 * Pictures of a guest's screen.
 *
 * ## A guided tour of frames
 *
 * A display's pictures live in shared memory, in a small ring of buffers. When the guest has painted, the changed
 * parts are copied once into a free buffer and the application is told. The frame handler is only a notification: the
 * application *pulls* the picture where it renders, with utm_display_acquire_frame(), and gives it back with
 * utm_frame_unref() when it is done.
 *
 *  - Latest wins. An application that is slow gets the newest picture and the union of what changed since the picture
 *    it acquired before. It never slows the guest down.
 *  - A #UtmFrame is immutable. Nothing writes to its pixels as long as a reference exists. It outlives size changes, the
 *    display, the console and the machine.
 *  - Holding several frames is allowed. When every buffer is held, updates keep coalescing until one is given back.
 *  - The display protocol cuts a refresh of the guest's screen into pieces and does not say which one is the last. Pieces
 *    that come together become one picture and one notification. What comes after a pause becomes the next picture, so
 *    a frame may show a part of one refresh with the rest of the one before, most likely on a busy host.
 *
 * Pixels are 32 bits, in host byte order 0xXXRRGGBB; what the upper byte holds is undefined. Rows run from the top.
 */
#ifndef UTM_DISPLAY_H
#define UTM_DISPLAY_H

#include <utm/context.h>

UTM_BEGIN_DECLS

/** Four characters that name a pixel format, as DRM does. */
#define UTM_FOURCC(a, b, c, d)                                                                                       \
	((uint32_t)(a) | ((uint32_t)(b) << 8) | ((uint32_t)(c) << 16) | ((uint32_t)(d) << 24))
/** 32 bits a pixel, bytes blue, green, red, undefined on a little-endian host. */
#define UTM_FOURCC_XRGB8888 UTM_FOURCC('X', 'R', '2', '4')

/** The most rectangles that a frame's damage is told in; beyond, they are merged. */
#define UTM_FRAME_DAMAGE_MAX 16

/** What a frame is. */
typedef struct UtmFrameInfo {
	/** sizeof(UtmFrameInfo) of the library */
	size_t size;
	/** Pixels. */
	uint32_t width;
	/** Pixels. */
	uint32_t height;
	/** Bytes from one row to the next. */
	uint32_t stride_bytes;
	/** #UTM_FOURCC_XRGB8888 */
	uint32_t fourcc;
	/** Grows with every picture of the display; gaps are pictures that were overtaken. */
	uint64_t serial;
	/** When the picture was complete, CLOCK_MONOTONIC, nanoseconds. */
	int64_t time_ns;
	/** What changed since the frame that was acquired before this one; the whole frame for the first and after a size
	 * change. */
	UtmRect damage[UTM_FRAME_DAMAGE_MAX];
	/** Number of rectangles in @a damage. */
	uint32_t damage_count;
	/** Zero. */
	uint32_t reserved;
} UtmFrameInfo;

/** There is a new picture. Runs inside dispatch; coalesced. */
typedef void (*UtmFrameFunc)(UtmDisplay *display, void *user_data);

/** Takes another reference. @return @a display @thread any */
UTM_API UtmDisplay *utm_display_ref(UtmDisplay *display);
/** Gives a reference back. @param[in] display (nullable) @thread any */
UTM_API void utm_display_unref(UtmDisplay *display);
/** Its number, counted from 0. @thread any */
UTM_API uint32_t utm_display_get_index(UtmDisplay *display);
/**
 * Sets who hears of new pictures. When there is a picture already, it is told at once.
 *
 * @param[in] fn  (nullable) none
 * @return 0
 * @thread any
 */
UTM_API int utm_display_set_frame_handler(UtmDisplay *display, UtmFrameFunc fn, void *user_data, UtmFreeFunc free_fn);
/**
 * The latest picture.
 *
 * @return (transfer full) release with utm_frame_unref(); NULL when there is none yet
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK UtmFrame *utm_display_acquire_frame(UtmDisplay *display);
/**
 * Waits for a picture newer than a given one. A machine that was told to start, with utm_vm_start_async() too, is waited
 * for as well.
 *
 * @param[in]  after_serial  0 for any picture.
 * @param[in]  timeout_ms    Milliseconds; 0 does not wait, -1 waits for ever.
 * @param[in]  cancel        (nullable)
 * @param[out] ret_frame     (transfer full) release with utm_frame_unref()
 * @return 0; #UTM_ERROR_NO_PICTURE when the time is over; #UTM_ERROR_CANCELLED; #UTM_ERROR_INVALID_STATE before the first
 *         start; #UTM_ERROR_VM_ENDED when the machine's start failed, it ended, or the console was closed;
 *         #UTM_ERROR_CONSOLE_ENGINE, #UTM_ERROR_CONSOLE_CONNECT or #UTM_ERROR_TIMEOUT when the console could not be opened or
 *         kept alive, with the reason; #UTM_ERROR_INVALID_ARGUMENT, also for a time below -1
 * @thread any but the wakeup callback; blocks, without needing dispatch
 */
UTM_API int utm_display_wait_frame(UtmDisplay *display, uint64_t after_serial, int64_t timeout_ms, UtmCancel *cancel,
                                   UtmFrame **ret_frame, UtmError **error);
/**
 * Takes a screenshot: waits for a picture if there is none yet, and writes it as PNG.
 *
 * @param[in] path        The file; as utm_frame_save_png().
 * @param[in] timeout_ms  For the first picture, milliseconds; 0 does not wait, -1 waits for ever.
 * @return as utm_display_wait_frame() and utm_frame_save_png()
 * @thread any but the wakeup callback; blocks, writes a file
 */
UTM_API UTM_MUST_CHECK int utm_display_save_screenshot(UtmDisplay *display, const char *path, int64_t timeout_ms,
                                                       UtmError **error);

/** Takes another reference. @return @a frame @thread any */
UTM_API UtmFrame *utm_frame_ref(UtmFrame *frame);
/** Gives a reference back; the last one returns the buffer. @param[in] frame (nullable) @thread any */
UTM_API void utm_frame_unref(UtmFrame *frame);
/** Size, format, time and damage; valid as long as @a frame. @thread any */
UTM_API const UtmFrameInfo *utm_frame_get_info(const UtmFrame *frame);
/** The pixels: height times stride bytes, read-only, valid as long as @a frame. @thread any */
UTM_API const void *utm_frame_get_data(const UtmFrame *frame);
/**
 * The frame as a PNG file in memory.
 *
 * @param[out] ret_data  (transfer full) release with utm_free()
 * @param[out] ret_size  Bytes.
 * @return 0; #UTM_ERROR_LIMIT
 * @thread any; takes some milliseconds
 */
UTM_API UTM_MUST_CHECK int utm_frame_encode_png(const UtmFrame *frame, void **ret_data, size_t *ret_size,
                                                UtmError **error);
/**
 * Writes the frame as a PNG file, beside and renamed: with the mode of the file that was there, else 0666 less the umask.
 *
 * @return 0; #UTM_ERROR_LIMIT, #UTM_ERROR_NOT_FOUND, #UTM_ERROR_IO
 * @thread any; writes a file
 */
UTM_API UTM_MUST_CHECK int utm_frame_save_png(const UtmFrame *frame, const char *path, UtmError **error);

UTM_END_DECLS

#endif
