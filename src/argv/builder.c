/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The growing argument list.
 *
 * Each argument remembers the key path it came from. The strings of one command line share one chunk of memory and are
 * freed with it.
 */
#include "argv/builder.h"

#include <string.h>

void utm__builder_init(UtmArgvBuilder *b)
{
	b->chunk = g_string_chunk_new(4096);
	b->strings = g_ptr_array_sized_new(128);
	b->key_paths = g_ptr_array_sized_new(128);
	b->values = g_byte_array_sized_new(128);
	b->warnings = g_ptr_array_new();
	b->value = g_string_sized_new(256);
}

void utm__builder_clear(UtmArgvBuilder *b)
{
	g_clear_pointer(&b->chunk, g_string_chunk_free);
	g_clear_pointer(&b->strings, g_ptr_array_unref);
	g_clear_pointer(&b->key_paths, g_ptr_array_unref);
	g_clear_pointer(&b->values, g_byte_array_unref);
	g_clear_pointer(&b->warnings, g_ptr_array_unref);
	g_clear_pointer(&b->user_arguments, g_ptr_array_unref);
	g_clear_pointer(&b->error, utm_error_unref);
	if (b->value)
		g_string_free(b->value, TRUE);
	b->value = NULL;
}

void utm__builder_at(UtmArgvBuilder *b, const char *key_path_format, ...)
{
	char text[160];
	va_list args;

	b->key_path = NULL;
	if (!key_path_format)
		return;
	va_start(args, key_path_format);
	g_vsnprintf(text, sizeof(text), key_path_format, args);
	va_end(args);
	b->key_path = g_string_chunk_insert_const(b->chunk, text);
}

static void append(UtmArgvBuilder *b, const char *text, const char *key_path, guint8 is_value)
{
	g_byte_array_append(b->values, &is_value, 1);
	g_ptr_array_add(b->strings, g_string_chunk_insert(b->chunk, text));
	g_ptr_array_add(b->key_paths, (char *)key_path);
}

void utm__builder_flush(UtmArgvBuilder *b)
{
	if (!b->open)
		return;
	append(b, b->value->str, b->value_key_path, 1);
	b->open = false;
}

void utm__add_flag(UtmArgvBuilder *b, const char *text)
{
	utm__builder_flush(b);
	append(b, text, b->key_path, 0);
}

void utm__add(UtmArgvBuilder *b, const char *option, const char *value_format, ...)
{
	va_list args;

	utm__add_flag(b, option);
	va_start(args, value_format);
	g_string_vprintf(b->value, value_format, args);
	va_end(args);
	b->value_key_path = b->key_path;
	b->open = true;
}

void utm__add_more(UtmArgvBuilder *b, const char *value_format, ...)
{
	va_list args;

	va_start(args, value_format);
	g_string_append_vprintf(b->value, value_format, args);
	va_end(args);
}

void utm__add_text(UtmArgvBuilder *b, const char *key, const char *text)
{
	if (text)
		utm__add_more(b, ",%s=%s", key, utm__text(b, text));
}

const char *utm__quote(UtmArgvBuilder *b, const char *text)
{
	if (!strchr(text, ','))
		return text;

	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	g_autofree char *doubled = g_strjoinv(",,", parts);

	return g_string_chunk_insert(b->chunk, doubled);
}

const char *utm__text(UtmArgvBuilder *b, const char *text)
{
	return b->exact ? text : utm__quote(b, text);
}

static bool is_plain_name(const char *text)
{
	/* QEMU prints a list and exits when it meets one of its two words for help. */
	if (!g_ascii_isalnum(*text) || !strcmp(text, "help"))
		return false;
	for (; *text; text++) {
		if (!g_ascii_isalnum(*text) && !strchr("._+-", *text))
			return false;
	}
	return true;
}

const char *utm__name(UtmArgvBuilder *b, const char *text, const char *what)
{
	if (b->exact)
		return text ? text : "";
	g_autofree char *trimmed = g_strstrip(g_strdup(text ? text : ""));

	if (!is_plain_name(trimmed)) {
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE,
		            "\"%s\" is no name of a %s: letters, digits, '.', '_', '+' and '-' are", trimmed, what);
		return "invalid";
	}
	/* UTM's own list has SPARC CPUs with trailing blanks, which QEMU does not find. */
	return g_string_chunk_insert(b->chunk, trimmed);
}

static const char *keep(UtmArgvBuilder *b, const char *text)
{
	return text ? g_string_chunk_insert(b->chunk, text) : NULL;
}

static void gather(UtmArgvBuilder *b, UtmArgvProblem problem)
{
	if (b->problems)
		g_array_append_val(b->problems, problem);
}

void utm__warn(UtmArgvBuilder *b, UtmArgvProblemKind kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);

	gather(b, (UtmArgvProblem){ kind, 0, b->key_path, keep(b, text), NULL });
	g_autofree char *line = b->key_path ? g_strdup_printf("%s: %s", b->key_path, text) : g_strdup(text);
	g_ptr_array_add(b->warnings, g_string_chunk_insert(b->chunk, line));
}

void utm__refuse_error(UtmArgvBuilder *b, UtmError *error)
{
	if (b->problems)
		gather(b, (UtmArgvProblem){ UTM_ARGV_REFUSED, utm_error_get_code(error), keep(b, utm_error_get_key_path(error)),
		                            keep(b, utm_error_get_message(error)), keep(b, utm_error_get_remedy(error)) });
	else if (!b->error)
		b->error = g_steal_pointer(&error);
	utm_error_unref(error);
}

void utm__refuse(UtmArgvBuilder *b, int code, const char *format, ...)
{
	va_list args;

	if (b->error)
		return;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	utm__refuse_error(b, utm__error_set_key_path(utm__error_new(code, "%s", text), b->key_path));
}
