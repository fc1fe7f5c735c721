/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a program wrote to its standard error: how much of it is kept, and which line of it people want to see. */
#include "process/stderr-text.h"

#include <string.h>

/* No character is longer, so further back than this lies no cut through one. */
#define CHARACTER_MAX 4

static bool is_continuation(char byte)
{
	return ((guchar)byte & 0xc0) == 0x80;
}

gsize utm__text_whole_prefix(const char *text, gsize length)
{
	for (gsize back = 1; back <= MIN(length, CHARACTER_MAX); back++) {
		const char *start = text + length - back;
		if (is_continuation(*start))
			continue;
		bool cut = g_utf8_get_char_validated(start, (gssize)back) == (gunichar)-2;
		return cut ? length - back : length;
	}
	return length;
}

/* Where the text goes on after `surplus` bytes were dropped: at a line's start where there is one. */
static gsize whole_suffix(const char *text, gsize surplus)
{
	const char *newline = strchr(text + surplus, '\n');
	if (newline)
		return (gsize)(newline + 1 - text);
	while (is_continuation(text[surplus]))
		surplus++;
	return surplus;
}

void utm__tail_add_line(GString *tail, const char *line)
{
	if (tail->len)
		g_string_append_c(tail, '\n');
	g_string_append(tail, line);
	if (tail->len > UTM_STDERR_TAIL_MAX)
		g_string_erase(tail, 0, (gssize)whole_suffix(tail->str, tail->len - UTM_STDERR_TAIL_MAX));
}

const char *utm__last_line(const char *tail)
{
	const char *newline = tail ? strrchr(tail, '\n') : NULL;
	return newline ? newline + 1 : tail;
}

static bool is_complaint(const char *line, const char *program)
{
	return g_str_has_prefix(line, program) && !strstr(line, "warning:") && !strstr(line, "info:");
}

char *utm__find_complaint(const char *tail, const char *program)
{
	g_auto(GStrv) lines = g_strsplit(tail ? tail : "", "\n", -1);
	for (char **line = lines; *line; line++)
		if (is_complaint(*line, program))
			return g_strdup(*line);
	return g_strdup(utm__last_line(tail));
}
