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

/* The state after this byte of a string. */
static void run_string(UtmQmpFramer *framer, char c)
{
	if (framer->escaped)
		framer->escaped = false;
	else if (c == '\\')
		framer->escaped = true;
	else if (c == '"')
		framer->quoted = false;
}

/* Copies the plain bytes of a string that begin at `from`: nearly all bytes of a long reply are such. */
static const char *copy_run(const char *from, const char *end, char **to)
{
	char *out = *to;
	while (from < end && *from != '"' && *from != '\\')
		*out++ = *from++;
	*to = out;
	return from;
}

/* The state after this byte outside strings; false when it cannot be. */
static bool run_structure(UtmQmpFramer *framer, char c)
{
	guint8 kind = kinds[(guchar)c];
	if (kind == BAD || (framer->depth == 0 && c != '{'))
		return false;
	if (kind == SCALAR && framer->spaced)
		return false;
	framer->scalar = kind == SCALAR;
	framer->spaced = false;
	framer->quoted = kind == QUOTE;
	if (kind == OPEN)
		return ++framer->depth <= UTM_QMP_DEPTH_MAX;
	if (kind == CLOSE)
		framer->depth--;
	return true;
}

UtmQmpFrame utm__qmp_framer_run(UtmQmpFramer *framer, const char **from, const char *end, char **to)
{
	const char *p = *from;
	char *out = *to;
	UtmQmpFrame result = UTM_QMP_FRAME_PART;
	while (p < end && result == UTM_QMP_FRAME_PART) {
		if (framer->quoted) {
			if (!framer->escaped)
				p = copy_run(p, end, &out);
			if (p < end)
				run_string(framer, *out++ = *p++);
			continue;
		}
		char c = *p++;
		if (kinds[(guchar)c] == SPACE) {
			framer->spaced = framer->scalar;
			continue;
		}
		*out++ = c;
		if (!run_structure(framer, c))
			result = UTM_QMP_FRAME_BAD;
		else if (framer->depth == 0)
			result = UTM_QMP_FRAME_WHOLE;
	}
	*from = p;
	*to = out;
	return result;
}
