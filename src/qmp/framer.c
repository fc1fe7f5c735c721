/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/framer.h"

/* What a byte is outside strings. */
enum { BAD, SPACE, SCALAR, MARK, QUOTE, OPEN, CLOSE };

static const guint8 kinds[256] = {
	[' '] = SPACE,          ['\t'] = SPACE,         ['\r'] = SPACE,         ['\n'] = SPACE,
	[','] = MARK,           [':'] = MARK,           ['"'] = QUOTE,          ['{'] = OPEN,
	['['] = OPEN,           ['}'] = CLOSE,          [']'] = CLOSE,          ['+'] = SCALAR,
	['-'] = SCALAR,         ['.'] = SCALAR,         ['0' ... '9'] = SCALAR, ['A' ... 'Z'] = SCALAR,
	['a' ... 'z'] = SCALAR,
};

/* Copies a string's bytes up to its end, or the input's. The framer says whether it begins behind a backslash. */
static const char *copy_string(UtmQmpFramer *framer, const char *from, const char *end, char **to)
{
	char *out = *to;
	if (framer->escaped && from < end) {
		*out++ = *from++;
		framer->escaped = false;
	}
	while (from < end) {
		char c = *out++ = *from++;
		if (c == '"') {
			framer->quoted = false;
			break;
		}
		if (c != '\\')
			continue;
		framer->escaped = from == end;
		if (from < end)
			*out++ = *from++;
	}
	*to = out;
	return from;
}

/* Brackets, quotes, commas and colons: between them there may be white space. */
static inline UtmQmpFrame run_mark(UtmQmpFramer *framer, char c, guint8 kind)
{
	if (kind == BAD || (framer->depth == 0 && c != '{'))
		return UTM_QMP_FRAME_BAD;
	framer->scalar = framer->spaced = false;
	framer->quoted = kind == QUOTE;
	framer->depth += (kind == OPEN) - (kind == CLOSE);
	if (framer->depth > framer->depth_max)
		return UTM_QMP_FRAME_BAD;
	return framer->depth ? UTM_QMP_FRAME_PART : UTM_QMP_FRAME_WHOLE;
}

UtmQmpFrame utm__qmp_framer_run(UtmQmpFramer *saved, const char **from, const char *end, char **to)
{
	/* Copies, which the compiler can keep in registers: stores through `out` could change the originals. */
	UtmQmpFramer framer = *saved;
	framer.depth_max = framer.depth_max ? framer.depth_max : UTM_QMP_DEPTH_MAX;
	char *out = *to;
	const char *p = framer.quoted ? copy_string(&framer, *from, end, &out) : *from;
	UtmQmpFrame result = UTM_QMP_FRAME_PART;
	while (p < end && result == UTM_QMP_FRAME_PART) {
		char c = *p++;
		guint8 kind = kinds[(guchar)c];
		if (kind == SPACE) {
			framer.spaced = framer.scalar;
			continue;
		}
		*out++ = c;
		if (kind == SCALAR) {
			framer.scalar = true;
			result = framer.spaced || framer.depth == 0 ? UTM_QMP_FRAME_BAD : UTM_QMP_FRAME_PART;
			continue;
		}
		result = run_mark(&framer, c, kind);
		if (framer.quoted)
			p = copy_string(&framer, p, end, &out);
	}
	*saved = framer;
	*from = p;
	*to = out;
	return result;
}
