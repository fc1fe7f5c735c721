/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XML that strangers send is looked at before libplist parses it, because libplist bounds neither nesting nor size: a list
 * can nest until its destructor runs out of stack. Integers are checked here too: libplist 2.2 gives 2^64-1 and -1 as the
 * same number. Binary lists are plist-binary.c's own.
 */
#include "schema/plist-binary.h"

#include "base/util.h"

#include <errno.h>
#include <string.h>

/* --- XML --- */

typedef struct XmlScan {
	const char *at, *end;
	guint depth;
	guint nodes;
	guint keys[UTM_PLIST_DEPTH_MAX + 3]; /* by depth: those of the dictionary that is open there */
} XmlScan;

static bool starts_with(const XmlScan *scan, const char *text)
{
	gsize length = strlen(text);
	return (gsize)(scan->end - scan->at) >= length && memcmp(scan->at, text, length) == 0;
}

/* Moves behind the next `text`; false when there is none. */
static bool skip_past(XmlScan *scan, const char *text)
{
	const char *found = memmem(scan->at, (gsize)(scan->end - scan->at), text, strlen(text));
	if (!found)
		return false;
	scan->at = found + strlen(text);
	return true;
}

/* The name is enough of a document type; declarations inside could define entities. */
static int check_doctype(XmlScan *scan, UtmError **error)
{
	const char *close = memchr(scan->at, '>', (gsize)(scan->end - scan->at));
	if (!close)
		return utm__plist_malformed(error, "the document type does not end");
	if (memchr(scan->at, '[', (gsize)(close - scan->at)))
		return utm__plist_malformed(error, "the document type has declarations of its own");
	scan->at = close + 1;
	return 0;
}

/* The text of an <integer> up to the next tag: a signed number of 64 bits, decimal or 0x. */
static int check_integer(const XmlScan *scan, UtmError **error)
{
	const char *close = memchr(scan->at, '<', (gsize)(scan->end - scan->at));
	gsize length = close ? (gsize)(close - scan->at) : 0;
	char text[64];
	if (length == 0 || length >= sizeof text)
		return utm__plist_malformed(error, "an integer without a number");
	memcpy(text, scan->at, length);
	text[length] = 0;
	char *number = g_strstrip(text), *after;
	bool negative = *number == '-';
	number += negative || *number == '+';
	bool hexadecimal = number[0] == '0' && (number[1] | 0x20) == 'x';
	if (!g_ascii_isxdigit(number[hexadecimal ? 2 : 0]))
		return utm__plist_malformed(error, "an integer that is no number");
	errno = 0;
	guint64 value = g_ascii_strtoull(number, &after, hexadecimal ? 16 : 10);
	if (*after)
		return utm__plist_malformed(error, "an integer that is no number");
	/* GLib's first use of a locale may leave any other errno behind when two threads come at once. */
	if (errno == ERANGE || value > (guint64)G_MAXINT64 + negative)
		return utm__plist_malformed(error, "an integer beyond 64 bits");
	return 0;
}

/* A tag that opens something which more tags follow into. */
static int enter_element(XmlScan *scan, bool is_key, UtmError **error)
{
	if (is_key && ++scan->keys[scan->depth] > UTM_PLIST_KEYS_MAX)
		return utm__plist_too_many_keys(error);
	/* A list at the deepest level still has its text elements below, and <plist> above. */
	if (++scan->depth > UTM_PLIST_DEPTH_MAX + 2)
		return utm__plist_over_limit(error, "a property list nested more than 64 levels deep");
	scan->keys[scan->depth] = 0;
	return 0;
}

static int check_tag(XmlScan *scan, UtmError **error)
{
	const char *close = memchr(scan->at, '>', (gsize)(scan->end - scan->at));
	if (!close)
		return utm__plist_malformed(error, "a tag does not end");
	bool is_end = scan->at[1] == '/', is_empty = close[-1] == '/';
	bool is_integer = !is_end && !is_empty && starts_with(scan, "<integer"), is_key = starts_with(scan, "<key");
	scan->at = close + 1;
	if (is_end) {
		scan->depth -= scan->depth > 0;
		return 0;
	}
	if (++scan->nodes > UTM_PLIST_NODES_MAX)
		return utm__plist_over_limit(error, "a property list with more than 500000 values");
	int result = is_empty ? 0 : enter_element(scan, is_key, error);
	return result == 0 && is_integer ? check_integer(scan, error) : result;
}

static int check_markup(XmlScan *scan, UtmError **error)
{
	if (starts_with(scan, "<!--"))
		return skip_past(scan, "-->") ? 0 : utm__plist_malformed(error, "a comment does not end");
	if (starts_with(scan, "<![CDATA["))
		return skip_past(scan, "]]>") ? 0 : utm__plist_malformed(error, "a CDATA section does not end");
	if (starts_with(scan, "<?"))
		return skip_past(scan, "?>") ? 0 : utm__plist_malformed(error, "an instruction does not end");
	if (starts_with(scan, "<!DOCTYPE"))
		return check_doctype(scan, error);
	if (starts_with(scan, "<!"))
		return utm__plist_malformed(error, "a declaration");
	return check_tag(scan, error);
}

static int check_xml(const char *data, gsize size, UtmError **error)
{
	XmlScan scan = { .at = data, .end = data + size };
	if (memchr(data, 0, size))
		return utm__plist_malformed(error, "neither an XML nor a binary property list");
	if (!memmem(data, size, "<plist", 6))
		return utm__plist_malformed(error, "not a property list");
	while ((scan.at = memchr(scan.at, '<', (gsize)(scan.end - scan.at)))) {
		int result = check_markup(&scan, error);
		if (result < 0)
			return result;
	}
	return 0;
}

bool utm__plist_is_binary(const char *data, gsize size)
{
	return size >= 8 && memcmp(data, "bplist0", 7) == 0;
}

int utm__plist_check(const char *data, gsize size, UtmError **error)
{
	if (size > UTM_PLIST_SIZE_MAX)
		return utm__plist_over_limit(error, "a property list of more than 16 MiB");
	return utm__plist_is_binary(data, size) ? utm__binary_check(data, size, error) : check_xml(data, size, error);
}
