/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A picture as a PNG file in memory: 8 bits each of red, green and blue, without the undefined fourth byte. */
#include "console/console-impl.h"

#include <png.h>
#include <setjmp.h>

typedef struct Encoder {
	GByteArray *output;
	char problem[128];
} Encoder;

static void on_error(png_structp png, png_const_charp message)
{
	Encoder *encoder = png_get_error_ptr(png);
	g_strlcpy(encoder->problem, message, sizeof encoder->problem);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
}

static void on_write(png_structp png, png_bytep data, png_size_t size)
{
	Encoder *encoder = png_get_io_ptr(png);
	if (size > G_MAXUINT - encoder->output->len)
		png_error(png, "the file would be too large");
	g_byte_array_append(encoder->output, data, (guint)size);
}

static void on_flush(png_structp png)
{
}

/* Screens are flat and repetitive: a low level and one filter cost some 20 ms for 1920x1080, and little size. */
static void choose_speed(png_structp png)
{
	png_set_compression_level(png, 2);
	png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
}

static void write_rows(png_structp png, const guint8 *pixels, uint32_t height, uint32_t stride)
{
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
	png_set_bgr(png);
	png_set_filler(png, 0, PNG_FILLER_AFTER);
#else
	png_set_filler(png, 0, PNG_FILLER_BEFORE);
#endif
	for (uint32_t y = 0; y < height; y++)
		png_write_row(png, (png_bytep)(pixels + (gsize)y * stride));
}

/* libpng leaves by longjmp: everything that must survive it belongs to the caller. False when it did. */
static bool encode(png_structp png, png_infop info, const guint8 *pixels, uint32_t width, uint32_t height,
                   uint32_t stride)
{
	if (setjmp(png_jmpbuf(png)))
		return false;
	choose_speed(png);
	png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
	             PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	write_rows(png, pixels, height, stride);
	png_write_end(png, info);
	return true;
}

int utm__png_encode(const void *pixels, uint32_t width, uint32_t height, uint32_t stride, void **ret_data,
                    size_t *ret_size, UtmError **error)
{
	Encoder encoder = { .output = g_byte_array_new() };
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &encoder, on_error, on_warning);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	if (png)
		png_set_write_fn(png, &encoder, on_write, on_flush);
	bool done = info && encode(png, info, pixels, width, height, stride);
	png_destroy_write_struct(&png, &info);
	if (!done) {
		g_byte_array_unref(encoder.output);
		return utm__fail(error, UTM_ERROR_LIMIT, "the picture of %ux%u cannot be written as PNG: %s", width, height,
		                 encoder.problem);
	}
	*ret_size = encoder.output->len;
	*ret_data = g_byte_array_free(encoder.output, FALSE);
	return 0;
}
