/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What strangers send is looked at before libplist parses it, because libplist bounds neither nesting nor size: an XML
 * list can nest until its destructor runs out of stack, and a binary list can refer to the same object from many
 * places, which libplist copies each time, so that a kilobyte grows without end. Integers are checked here too:
 * libplist 2.2 gives 2^64-1 and -1 as the same number.
 */
#include "schema/plist-codec.h"

#include "base/util.h"

#include <errno.h>
#include <string.h>

static int malformed(UtmError **error, const char *problem)
{
	return utm__fail(error, UTM_ERROR_CONFIG_MALFORMED, "%s", problem);
}

static int over_limit(UtmError **error, const char *problem)
{
	return utm__fail(error, UTM_ERROR_LIMIT, "%s", problem);
}

static int too_many_keys(UtmError **error)
{
	return over_limit(error, "a dictionary with more than 10000 keys");
}

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
		return malformed(error, "the document type does not end");
	if (memchr(scan->at, '[', (gsize)(close - scan->at)))
		return malformed(error, "the document type has declarations of its own");
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
		return malformed(error, "an integer without a number");
	memcpy(text, scan->at, length);
	text[length] = 0;
	char *number = g_strstrip(text), *after;
	bool negative = *number == '-';
	number += negative || *number == '+';
	bool hexadecimal = number[0] == '0' && (number[1] | 0x20) == 'x';
	if (!g_ascii_isxdigit(number[hexadecimal ? 2 : 0]))
		return malformed(error, "an integer that is no number");
	errno = 0;
	guint64 value = g_ascii_strtoull(number, &after, hexadecimal ? 16 : 10);
	if (*after)
		return malformed(error, "an integer that is no number");
	/* GLib's first use of a locale may leave any other errno behind when two threads come at once. */
	if (errno == ERANGE || value > (guint64)G_MAXINT64 + negative)
		return malformed(error, "an integer beyond 64 bits");
	return 0;
}

/* A tag that opens something which more tags follow into. */
static int enter_element(XmlScan *scan, bool is_key, UtmError **error)
{
	if (is_key && ++scan->keys[scan->depth] > UTM_PLIST_KEYS_MAX)
		return too_many_keys(error);
	/* A list at the deepest level still has its text elements below, and <plist> above. */
	if (++scan->depth > UTM_PLIST_DEPTH_MAX + 2)
		return over_limit(error, "a property list nested more than 64 levels deep");
	scan->keys[scan->depth] = 0;
	return 0;
}

static int check_tag(XmlScan *scan, UtmError **error)
{
	const char *close = memchr(scan->at, '>', (gsize)(scan->end - scan->at));
	if (!close)
		return malformed(error, "a tag does not end");
	bool is_end = scan->at[1] == '/', is_empty = close[-1] == '/';
	bool is_integer = !is_end && !is_empty && starts_with(scan, "<integer"), is_key = starts_with(scan, "<key");
	scan->at = close + 1;
	if (is_end) {
		scan->depth -= scan->depth > 0;
		return 0;
	}
	if (++scan->nodes > UTM_PLIST_NODES_MAX)
		return over_limit(error, "a property list with more than 500000 values");
	int result = is_empty ? 0 : enter_element(scan, is_key, error);
	return result == 0 && is_integer ? check_integer(scan, error) : result;
}

static int check_markup(XmlScan *scan, UtmError **error)
{
	if (starts_with(scan, "<!--"))
		return skip_past(scan, "-->") ? 0 : malformed(error, "a comment does not end");
	if (starts_with(scan, "<![CDATA["))
		return skip_past(scan, "]]>") ? 0 : malformed(error, "a CDATA section does not end");
	if (starts_with(scan, "<?"))
		return skip_past(scan, "?>") ? 0 : malformed(error, "an instruction does not end");
	if (starts_with(scan, "<!DOCTYPE"))
		return check_doctype(scan, error);
	if (starts_with(scan, "<!"))
		return malformed(error, "a declaration");
	return check_tag(scan, error);
}

static int check_xml(const char *data, gsize size, UtmError **error)
{
	XmlScan scan = { .at = data, .end = data + size };
	if (memchr(data, 0, size))
		return malformed(error, "neither an XML nor a binary property list");
	if (!memmem(data, size, "<plist", 6))
		return malformed(error, "not a property list");
	while ((scan.at = memchr(scan.at, '<', (gsize)(scan.end - scan.at)))) {
		int result = check_markup(&scan, error);
		if (result < 0)
			return result;
	}
	return 0;
}

/* --- binary --- */

#define TRAILER_SIZE 32

/* What one object costs with all that it refers to. */
typedef struct Weight {
	guint nodes; /* 0: not known yet */
	guint height;
	gsize bytes;
	bool open; /* being weighed: meeting it again is a cycle */
} Weight;

typedef struct BinaryScan {
	const guint8 *data;
	gsize size; /* without the trailer */
	guint offset_size, ref_size;
	guint64 count, table;
	Weight *weights;
} BinaryScan;

/* An object's header: what it is, how many items or bytes, and where they start. */
typedef struct Item {
	guint kind;
	guint64 count;
	gsize start;
} Item;

/* The count behind a header of 0x?f: an integer object. */
static bool read_long_count(const BinaryScan *scan, gsize at, Item *item)
{
	if (at >= scan->size || scan->data[at] >> 4 != 1 || (scan->data[at] & 0xf) > 3)
		return false;
	guint size = 1u << (scan->data[at] & 0xf);
	if (scan->size - at - 1 < size)
		return false;
	item->count = utm__read_big_endian(scan->data + at + 1, size);
	item->start = at + 1 + size;
	return true;
}

static bool read_item(const BinaryScan *scan, guint64 index, Item *item)
{
	guint64 at = utm__read_big_endian(scan->data + scan->table + index * scan->offset_size, scan->offset_size);
	if (at >= scan->size)
		return false;
	item->kind = scan->data[at] >> 4;
	item->count = scan->data[at] & 0xf;
	item->start = (gsize)at + 1;
	if (item->kind >= 4 && item->kind != 8 && item->count == 0xf)
		return read_long_count(scan, (gsize)at + 1, item);
	return true;
}

/* Bytes behind the header, or G_MAXUINT64 for a kind that no property list has. */
static guint64 payload_of(const BinaryScan *scan, const Item *item)
{
	if (item->count > scan->size)
		return G_MAXUINT64;
	switch (item->kind) {
	case 0:
		return item->count == 8 || item->count == 9 ? 0 : G_MAXUINT64; /* false, true */
	case 1:
		return item->count <= 4 ? (guint64)1 << item->count : G_MAXUINT64;
	case 2:
		return item->count == 2 || item->count == 3 ? (guint64)1 << item->count : G_MAXUINT64;
	case 3:
		return item->count == 3 ? 8 : G_MAXUINT64;
	case 4:
	case 5:
		return item->count;
	case 6:
		return item->count * 2;
	case 8:
		return item->count <= 7 ? item->count + 1 : G_MAXUINT64;
	case 10:
		return item->count * scan->ref_size;
	case 13:
		return item->count * scan->ref_size * 2;
	default:
		return G_MAXUINT64;
	}
}

/* 16 bytes are how 2^63 and above are written; below, the upper half is empty. */
static bool is_int64(const BinaryScan *scan, const Item *item)
{
	if (item->kind != 1 || item->count < 4)
		return true;
	return utm__read_big_endian(scan->data + item->start, 8) == 0 && scan->data[item->start + 8] < 0x80;
}

/* libplist 2.2 makes something of the half of a pair. */
static bool is_utf16(const guint8 *bytes, guint64 count)
{
	for (guint64 i = 0; i < count; i++) {
		guint unit = (guint)bytes[2 * i] >> 2;
		if (unit == 0xdc >> 2 || (unit == 0xd8 >> 2 && (++i == count || bytes[2 * i] >> 2 != 0xdc >> 2)))
			return false;
	}
	return true;
}

/* A U+0000 in a key makes libplist 2.2 abort, and nothing that reads a property list means one in any string. */
static bool has_nul(const BinaryScan *scan, const Item *item)
{
	const guint8 *bytes = scan->data + item->start;
	if (item->kind == 5)
		return memchr(bytes, 0, item->count) != NULL;
	for (guint64 i = 0; item->kind == 6 && i < item->count; i++)
		if (!bytes[2 * i] && !bytes[2 * i + 1])
			return true;
	return false;
}

static bool is_string(const BinaryScan *scan, guint64 index)
{
	Item item;
	return index < scan->count && read_item(scan, index, &item) && (item.kind == 5 || item.kind == 6);
}

static int weigh(BinaryScan *scan, guint64 index, guint depth, UtmError **error);

static int weigh_children(BinaryScan *scan, const Item *item, guint depth, Weight *sum, UtmError **error)
{
	guint64 refs = item->kind == 10 ? item->count : item->kind == 13 ? item->count * 2 : 0;
	if (item->kind == 13 && item->count > UTM_PLIST_KEYS_MAX)
		return too_many_keys(error);
	for (guint64 i = 0; i < refs; i++) {
		guint64 child = utm__read_big_endian(scan->data + item->start + i * scan->ref_size, scan->ref_size);
		if (item->kind == 13 && i < item->count && !is_string(scan, child))
			return malformed(error, "a key that is no string");
		int result = weigh(scan, child, depth + 1, error);
		if (result < 0)
			return result;
		sum->nodes += scan->weights[child].nodes;
		sum->bytes += scan->weights[child].bytes;
		sum->height = MAX(sum->height, scan->weights[child].height + 1);
		if (sum->nodes > UTM_PLIST_NODES_MAX || sum->bytes > UTM_PLIST_EXPANDED_MAX)
			return over_limit(error, "a property list with more than 500000 values or 64 MiB");
	}
	return 0;
}

static int weigh(BinaryScan *scan, guint64 index, guint depth, UtmError **error)
{
	Item item;
	if (index >= scan->count)
		return malformed(error, "a reference to nothing");
	Weight *weight = &scan->weights[index];
	if (weight->open)
		return malformed(error, "a property list that contains itself");
	if (depth + weight->height > UTM_PLIST_DEPTH_MAX)
		return over_limit(error, "a property list nested more than 64 levels deep");
	if (weight->nodes)
		return 0;
	if (!read_item(scan, index, &item) || payload_of(scan, &item) > scan->size - item.start)
		return malformed(error, "a value that is damaged");
	if (!is_int64(scan, &item))
		return malformed(error, "an integer beyond 64 bits");
	if (has_nul(scan, &item))
		return malformed(error, "a string with U+0000");
	if (item.kind == 6 && !is_utf16(scan->data + item.start, item.count))
		return malformed(error, "a string that is not valid UTF-16");
	Weight sum = { .nodes = 1, .bytes = (gsize)payload_of(scan, &item) };
	weight->open = true;
	int result = weigh_children(scan, &item, depth, &sum, error);
	*weight = sum;
	return result;
}

static int check_binary(const char *bytes, gsize size, UtmError **error)
{
	if (size < 8 + TRAILER_SIZE)
		return malformed(error, "a binary property list that ends early");
	const guint8 *data = (const guint8 *)bytes, *trailer = data + size - TRAILER_SIZE;
	BinaryScan scan = { .data = data, .size = size - TRAILER_SIZE, .offset_size = trailer[6], .ref_size = trailer[7] };
	scan.count = utm__read_big_endian(trailer + 8, 8);
	guint64 root = utm__read_big_endian(trailer + 16, 8);
	scan.table = utm__read_big_endian(trailer + 24, 8);
	if (scan.offset_size < 1 || scan.offset_size > 8 || scan.ref_size < 1 || scan.ref_size > 8)
		return malformed(error, "a binary property list with a damaged trailer");
	if (scan.count > UTM_PLIST_NODES_MAX)
		return over_limit(error, "a property list with more than 500000 values");
	if (scan.table > scan.size || scan.count * scan.offset_size > scan.size - scan.table || root >= scan.count)
		return malformed(error, "a binary property list with a damaged trailer");
	scan.weights = g_new0(Weight, scan.count);
	int result = weigh(&scan, root, 1, error);
	g_free(scan.weights);
	return result;
}

bool utm__plist_is_binary(const char *data, gsize size)
{
	return size >= 8 && memcmp(data, "bplist0", 7) == 0;
}

int utm__plist_check(const char *data, gsize size, UtmError **error)
{
	if (size > UTM_PLIST_SIZE_MAX)
		return over_limit(error, "a property list of more than 16 MiB");
	return utm__plist_is_binary(data, size) ? check_binary(data, size, error) : check_xml(data, size, error);
}
