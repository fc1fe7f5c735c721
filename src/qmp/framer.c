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
	bool escaped = framer->escaped;
	while (from < end) {
		char c = *from++;
		*out++ = c;
		if (c == '"' && !escaped) {
			framer->quoted = false;
			break;
		}
		escaped = c == '\\' && !escaped;
	}
	framer->escaped = escaped;
	*to = out;
	return from;
}

/* The state after this byte outside strings; false when it cannot be. */
static inline bool run_structure(UtmQmpFramer *framer, char c, guint8 kind)
{
	if (kind == BAD || (framer->depth == 0 && c != '{'))
		return false;
	if (kind == SCALAR && framer->spaced)
		return false;
	framer->scalar = kind == SCALAR;
	framer->spaced = false;
	framer->quoted = kind == QUOTE;
	framer->depth += (kind == OPEN) - (kind == CLOSE);
	return framer->depth <= framer->depth_max;
}

UtmQmpFrame utm__qmp_framer_run(UtmQmpFramer *saved, const char **from, const char *end, char **to)
{
	/* A copy, which the compiler can keep in registers: stores through `out` could change the original. */
	UtmQmpFramer framer = *saved;
	framer.depth_max = framer.depth_max ? framer.depth_max : UTM_QMP_DEPTH_MAX;
	const char *p = *from;
	char *out = *to;
	UtmQmpFrame result = UTM_QMP_FRAME_PART;
	while (p < end && result == UTM_QMP_FRAME_PART) {
		if (framer.quoted) {
			p = copy_string(&framer, p, end, &out);
			continue;
		}
		char c = *p++;
		guint8 kind = kinds[(guchar)c];
		if (kind == SPACE) {
			framer.spaced = framer.scalar;
			continue;
		}
		*out++ = c;
		if (!run_structure(&framer, c, kind))
			result = UTM_QMP_FRAME_BAD;
		else if (framer.depth == 0)
			result = UTM_QMP_FRAME_WHOLE;
	}
	*saved = framer;
	*from = p;
	*to = out;
	return result;
}
