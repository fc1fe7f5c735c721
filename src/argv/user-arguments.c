/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arguments that the user typed.
 *
 * UTM's rules, not a shell's: white space separates, double quotes protect it, and nothing else is special. Quotes are
 * taken away only where they enclose a whole piece.
 */
#include "argv/groups.h"

#include "process/stderr-text.h"

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

static void add_pieces(const UtmConfigQemu *config, GPtrArray *ret_pieces)
{
	for (gsize i = 0; i < config->qemu->additional_arguments_count; i++)
		utm__split_user_argument(config->qemu->additional_arguments[i], ret_pieces);
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

/* --- what becomes of them --- */

enum {
	LISTED_MAX = 400 /* bytes */
};

static char *shorten(const char *text)
{
	gsize length = strlen(text);

	return length <= LISTED_MAX ? g_strdup(text)
	                            : g_strdup_printf("%.*s ...", (int)utm__text_whole_prefix(text, LISTED_MAX), text);
}

static void judge(UtmArgvBuilder *b, const char *what, const char *text)
{
	g_autofree char *shown = shorten(text);

	if (b->facts->arguments == UTM_HOST_ARGUMENTS_REFUSE)
		utm__refuse(b, UTM_ERROR_ARGUMENTS_REFUSED, "%s are refused: %s", what, shown);
	else if (b->facts->arguments == UTM_HOST_ARGUMENTS_LIST)
		utm__warn(b, UTM_ARGV_LISTED, "QEMU gets %s: %s", what, shown);
}

/* A stranger's package can hold anything here, and QEMU does it with the rights of whoever runs it. */
static void judge_all(UtmArgvBuilder *b)
{
	const char *properties = b->config->qemu->machine_property_override;

	utm__builder_at(b, "QEMU.MachinePropertyOverride");
	if (properties && *properties)
		judge(b, "additional machine properties", properties);
	utm__builder_at(b, "QEMU.AdditionalArguments");
	if (!b->user_arguments->len)
		return;
	g_ptr_array_add(b->user_arguments, NULL);
	g_autofree char *joined = g_strjoinv(" ", (char **)b->user_arguments->pdata);
	g_ptr_array_remove_index(b->user_arguments, b->user_arguments->len - 1);
	judge(b, "additional arguments", joined);
}

void utm__argv_decide_user(UtmArgvBuilder *b)
{
	b->user_arguments = g_ptr_array_new_with_free_func(g_free);
	add_pieces(b->config, b->user_arguments);
	judge_all(b);
	b->boot_index_off = (b->architecture->traits & UTM_ARCH_POWERPC) && names_boot_device(b->user_arguments);
}

void utm__argv_user(UtmArgvBuilder *b)
{
	utm__builder_at(b, "QEMU.AdditionalArguments");
	for (guint i = 0; i < b->user_arguments->len; i++)
		utm__add_flag(b, b->user_arguments->pdata[i]);
}

/* --- for applications --- */

/* Pointers and texts in one block, so that one call frees them. */
static char **pack(const GPtrArray *pieces)
{
	gsize size = (pieces->len + 1) * sizeof(char *);
	char **packed;
	char *text;

	for (guint i = 0; i < pieces->len; i++)
		size += strlen(pieces->pdata[i]) + 1;
	packed = g_malloc(size);
	text = (char *)(packed + pieces->len + 1);
	for (guint i = 0; i < pieces->len; i++) {
		packed[i] = text;
		text = g_stpcpy(text, pieces->pdata[i]) + 1;
	}
	packed[pieces->len] = NULL;
	return packed;
}

int utm_argv_list_user_arguments(const UtmConfig *config, char ***ret_arguments, UtmError **error)
{
	if (!config || !ret_arguments)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "configuration and result are needed");
	if (!utm__config_get_qemu(config))
		return utm__fail_take(error, utm__backend_unsupported());
	g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(g_free);
	add_pieces(utm__config_get_qemu(config), pieces);
	*ret_arguments = pack(pieces);
	return 0;
}
