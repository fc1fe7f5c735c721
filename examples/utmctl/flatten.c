/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON as `Key.Path = value` lines, which grep, diff and `config set` understand.
 *
 * The text comes from utm_config_to_json(), so it is well-formed; the reader still stops at the first surprise instead of
 * running on. Strings keep their JSON escapes in the flat form, so that a line stays a line.
 */
#include "utmctl.h"

#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 4096
#define DEPTH_MAX 64

typedef struct Flattener {
	FILE *out;
	const char *at;
	char path[PATH_MAX_BYTES];
	size_t path_length;
	int depth;
} Flattener;

static void skip_space(Flattener *f)
{
	f->at += strspn(f->at, " \t\r\n");
}

static bool take(Flattener *f, char wanted)
{
	skip_space(f);
	if (*f->at != wanted)
		return false;
	f->at++;
	return true;
}

/* The end of the string that starts at `quote`: behind its closing quote, or NULL. */
static const char *string_end(const char *quote)
{
	const char *at = quote + 1;

	while (*at && *at != '"')
		at += *at == '\\' && at[1] ? 2 : 1;
	return *at == '"' ? at + 1 : NULL;
}

static bool append(Flattener *f, const char *text, size_t length)
{
	if (f->path_length + length >= sizeof f->path)
		return false;
	memcpy(f->path + f->path_length, text, length);
	f->path_length += length;
	f->path[f->path_length] = '\0';
	return true;
}

static bool flatten(Flattener *f);

static bool flatten_members(Flattener *f)
{
	if (take(f, '}'))
		return fprintf(f->out, "%s = {}\n", f->path) > 0;
	do {
		size_t before = f->path_length;
		skip_space(f);
		const char *end = *f->at == '"' ? string_end(f->at) : NULL;
		if (!end || (before && !append(f, ".", 1)) || !append(f, f->at + 1, (size_t)(end - f->at - 2)))
			return false;
		f->at = end;
		if (!take(f, ':') || !flatten(f))
			return false;
		f->path_length = before;
		f->path[before] = '\0';
	} while (take(f, ','));
	return take(f, '}');
}

static bool flatten_elements(Flattener *f)
{
	if (take(f, ']'))
		return fprintf(f->out, "%s = []\n", f->path) > 0;
	size_t before = f->path_length;
	for (int i = 0; i == 0 || take(f, ','); i++) {
		char index[32];
		int length = snprintf(index, sizeof index, "[%d]", i);
		if (!append(f, index, (size_t)length) || !flatten(f))
			return false;
		f->path_length = before;
		f->path[before] = '\0';
	}
	return take(f, ']');
}

static bool flatten_scalar(Flattener *f)
{
	bool is_string = *f->at == '"';
	const char *end = is_string ? string_end(f->at) : f->at + strcspn(f->at, ",]} \t\r\n");

	if (!end || end == f->at)
		return false;
	fprintf(f->out, "%s = %.*s\n", f->path, (int)(end - f->at) - 2 * is_string, f->at + is_string);
	f->at = end;
	return true;
}

static bool flatten(Flattener *f)
{
	bool good;

	if (f->depth == DEPTH_MAX)
		return false;
	f->depth++;
	skip_space(f);
	if (take(f, '{'))
		good = flatten_members(f);
	else if (take(f, '['))
		good = flatten_elements(f);
	else
		good = flatten_scalar(f);
	f->depth--;
	return good;
}

bool print_flat(FILE *out, const char *json)
{
	Flattener f = { .out = out, .at = json };

	return flatten(&f);
}

/* One escaped character of a JSON string, as UTF-8. Returns how much of the text it took. */
static size_t print_escaped(FILE *out, const char *text)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *simple = text[1] ? strchr(from, text[1]) : NULL;

	if (text[1] != 'u')
		return fputc(simple ? to[simple - from] : text[1], out), 2;
	/* The library writes UTF-8 as it is and escapes only control characters. */
	char digits[5] = { 0 };
	strncpy(digits, text + 2, 4);
	fputc((int)(strtoul(digits, NULL, 16) & 0x7f), out);
	return 2 + strlen(digits);
}

bool print_value(FILE *out, const char *json)
{
	const char *text = json + strspn(json, " \t\r\n");
	const char *end = *text == '"' ? string_end(text) : NULL;

	if (*text != '"')
		return fprintf(out, "%s\n", text) > 0;
	if (!end)
		return false;
	for (text++; text < end - 1;)
		if (*text == '\\')
			text += print_escaped(out, text);
		else
			fputc(*text++, out);
	return fputc('\n', out) >= 0;
}
