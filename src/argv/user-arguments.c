/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arguments that the user typed.
 *
 * UTM's rules, not a shell's: white space separates, double quotes protect it, and nothing else is special. Quotes are
 * taken away only where they enclose a whole piece.
 */
#include "argv/groups.h"

#include <string.h>

/* The length of the white space character at `p`; 0 when it is none. Text that is not UTF-8 has only plain ones. */
static int get_space_length(const char *p)
{
	gunichar c = g_utf8_get_char_validated(p, -1);

	if (*p == '\t' || *p == '\n' || *p == '\f' || *p == '\r')
		return 1;
	if (!*p || c == (gunichar)-1 || c == (gunichar)-2)
		return 0;
	switch (g_unichar_type(c)) {
	case G_UNICODE_SPACE_SEPARATOR:
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
		return g_utf8_next_char(p) - p;
	default:
		return 0;
	}
}

static const char *skip_plain(const char *p)
{
	while (*p && *p != '"' && !get_space_length(p))
		p++;
	return p;
}

/* The end of a piece: plain text with any number of closed quotes in it. */
static const char *find_end(const char *start)
{
	const char *end = skip_plain(start);

	while (*end == '"') {
		const char *closing = strchr(end + 1, '"');

		if (!closing)
			break;
		end = skip_plain(closing + 1);
	}
	return end;
}

static char *unquote(const char *start, const char *end)
{
	if (end - start >= 2 && *start == '"' && end[-1] == '"')
		return g_strndup(start + 1, end - start - 2);
	return g_strndup(start, end - start);
}

void utm__split_user_argument(const char *text, GPtrArray *ret_pieces)
{
	while (*text) {
		int space = get_space_length(text);
		const char *end = find_end(text);

		if (space) {
			text += space;
		} else if (end == text) {
			text++; /* a quote that nothing closes */
		} else {
			g_ptr_array_add(ret_pieces, unquote(text, end));
			text = end;
		}
	}
}

/* OpenBIOS has its own idea of the boot device; a boot index would overrule what the user said. */
static bool names_boot_device(const GPtrArray *pieces)
{
	for (guint i = 0; i + 1 < pieces->len; i++) {
		if (!strcmp(pieces->pdata[i], "-prom-env") && g_str_has_prefix(pieces->pdata[i + 1], "boot-device="))
			return true;
	}
	return false;
}

void utm__argv_decide_user(UtmArgvBuilder *b)
{
	const UtmConfigOptions *options = b->config->qemu;

	b->user_arguments = g_ptr_array_new_with_free_func(g_free);
	for (gsize i = 0; i < options->additional_arguments_count; i++)
		utm__split_user_argument(options->additional_arguments[i], b->user_arguments);
	b->boot_index_off = (b->architecture->traits & UTM_ARCH_POWERPC) && names_boot_device(b->user_arguments);
}

void utm__argv_user(UtmArgvBuilder *b)
{
	utm__builder_at(b, "QEMU.AdditionalArguments");
	for (guint i = 0; i < b->user_arguments->len; i++)
		utm__add_flag(b, b->user_arguments->pdata[i]);
}
