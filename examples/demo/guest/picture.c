/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "picture.h"

#include <string.h>

#define GLYPH_WIDTH 5
#define GLYPH_HEIGHT 7

/* One string per glyph, row by row: small enough to be read, and to be drawn in an editor. */
static const struct {
	char character;
	const char *rows;
} glyphs[] = {
	{ '0', ".###.#...##..###.#.###..##...#.###." }, { '1', "..#...##....#....#....#....#...###." },
	{ '2', ".###.#...#....#...#...#...#...#####" }, { '3', ".###.#...#....#..##.....##...#.###." },
	{ '4', "...#...##..#.#.#..#.#####...#....#." }, { '5', "######....####.....#....##...#.###." },
	{ '6', ".###.#....#....####.#...##...#.###." }, { '7', "#####....#...#...#...#....#....#..." },
	{ '8', ".###.#...##...#.###.#...##...#.###." }, { '9', ".###.#...##...#.####....#....#.###." },
	{ 'A', ".###.#...##...#######...##...##...#" }, { 'B', "####.#...##...#####.#...##...#####." },
	{ 'C', ".###.#...##....#....#....#...#.###." }, { 'D', "####.#...##...##...##...##...#####." },
	{ 'E', "######....#....####.#....#....#####" }, { 'F', "######....#....####.#....#....#...." },
	{ 'G', ".###.#...##....#.####...##...#.###." }, { 'H', "#...##...##...#######...##...##...#" },
	{ 'I', ".###...#....#....#....#....#...###." }, { 'J', "..###...#....#....#....#.#..#..##.." },
	{ 'K', "#...##..#.#.#..##...#.#..#..#.#...#" }, { 'L', "#....#....#....#....#....#....#####" },
	{ 'M', "#...###.###.#.##.#.##...##...##...#" }, { 'N', "#...###..##.#.##..###...##...##...#" },
	{ 'O', ".###.#...##...##...##...##...#.###." }, { 'P', "####.#...##...#####.#....#....#...." },
	{ 'Q', ".###.#...##...##...##.#.##..#..##.#" }, { 'R', "####.#...##...#####.#.#..#..#.#...#" },
	{ 'S', ".#####....#.....###.....#....#####." }, { 'T', "#####..#....#....#....#....#....#.." },
	{ 'U', "#...##...##...##...##...##...#.###." }, { 'V', "#...##...##...##...##...#.#.#...#.." },
	{ 'W', "#...##...##...##.#.##.#.###.###...#" }, { 'X', "#...##...#.#.#...#...#.#.#...##...#" },
	{ 'Y', "#...##...#.#.#...#....#....#....#.." }, { 'Z', "#####....#...#...#...#...#....#####" },
	{ 'b', "#....#....####.#...##...##...#####." }, { 'i', "..#.......##....#....#....#...###.." },
	{ 'l', ".##....#....#....#....#....#...###." }, { 'm', "..........##.#.#.#.##.#.##...##...#" },
	{ 't', ".#....#...####..#....#....#..#..##." }, { 'u', "..........#...##...##...##..##.##.#" },
	{ '.', ".........................##...##..." }, { '-', "...............#####..............." },
	{ ':', "......##...##........##...##......." }, { '/', "....#....#...#...#...#...#....#...." },
};

static const char *find_glyph(char character)
{
	for (unsigned i = 0; i < sizeof glyphs / sizeof glyphs[0]; i++)
		if (glyphs[i].character == character)
			return glyphs[i].rows;
	return NULL;
}

static void fill(DemoPicture *picture, int x, int y, int width, int height, uint32_t colour)
{
	for (int row = y < 0 ? 0 : y; row < y + height && row < picture->height; row++)
		for (int column = x < 0 ? 0 : x; column < x + width && column < picture->width; column++)
			picture->pixels[row * picture->stride + column] = colour;
}

static void draw_text(DemoPicture *picture, int x, int y, int scale, const char *text, uint32_t colour)
{
	for (; *text; text++, x += (GLYPH_WIDTH + 1) * scale) {
		const char *rows = find_glyph(*text);
		for (int i = 0; rows && i < GLYPH_WIDTH * GLYPH_HEIGHT; i++)
			if (rows[i] == '#')
				fill(picture, x + i % GLYPH_WIDTH * scale, y + i / GLYPH_WIDTH * scale, scale, scale, colour);
	}
}

static void draw_centred(DemoPicture *picture, int y, int scale, const char *text)
{
	int width = (int)strlen(text) * (GLYPH_WIDTH + 1) * scale - scale;
	int x = (picture->width - width) / 2;

	draw_text(picture, x + scale / 3 + 1, y + scale / 3 + 1, scale, text, 0x101820);
	draw_text(picture, x, y, scale, text, 0xffffff);
}

static void paint_gradient(DemoPicture *picture, unsigned turn)
{
	/* Pairs of corner colours, from top left to bottom right. */
	static const uint8_t colours[][2][3] = {
		{ { 18, 60, 120 }, { 230, 120, 60 } },  { { 16, 100, 70 }, { 240, 210, 70 } },
		{ { 90, 24, 110 }, { 250, 110, 140 } }, { { 10, 90, 110 }, { 190, 235, 190 } },
		{ { 110, 30, 30 }, { 250, 190, 90 } },
	};
	const uint8_t(*pair)[3] = colours[turn % (sizeof colours / sizeof colours[0])];
	unsigned span = (unsigned)(picture->width + picture->height);

	for (int y = 0; y < picture->height; y++)
		for (int x = 0; x < picture->width; x++) {
			unsigned part = (unsigned)(x + y) * 256 / span;
			uint32_t pixel = 0;
			for (int c = 0; c < 3; c++)
				pixel = pixel << 8 | (pair[0][c] * (256 - part) + pair[1][c] * part) >> 8;
			picture->pixels[y * picture->stride + x] = pixel;
		}
}

void demo_paint(DemoPicture *picture, unsigned turn, const char *text)
{
	int scale = picture->width / 48;

	paint_gradient(picture, turn);
	draw_centred(picture, picture->height / 2 - scale * GLYPH_HEIGHT, scale, "libutm");
	draw_centred(picture, picture->height * 3 / 4, scale / 4 > 0 ? scale / 4 : 1, text);
}

void demo_invert_cross(DemoPicture *picture, int x, int y)
{
	for (int i = -12; i <= 12; i++)
		for (int j = -1; j <= 1; j++) {
			int across[2][2] = { { x + i, y + j }, { x + j, y + i } };
			/* The middle belongs to both arms: once is enough. */
			for (int arm = 0; arm < (i < -1 || i > 1 ? 2 : 1); arm++) {
				int px = across[arm][0], py = across[arm][1];
				if (px >= 0 && py >= 0 && px < picture->width && py < picture->height)
					picture->pixels[py * picture->stride + px] ^= 0xffffff;
			}
		}
}
