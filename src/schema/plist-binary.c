/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Binary property lists. They are a table of objects that refer to each other by number, so that a kilobyte can stand for
 * more than any memory, or contain itself: that is checked first, and then they are read where they lie. libplist makes a
 * copy of each object wherever it is referred to, in several pieces; reading without it takes a third of the time.
 */
#include "schema/plist-binary.h"

#include "base/util.h"

#include <string.h>

#define TRAILER_SIZE 32

int utm__plist_malformed(UtmError **error, const char *problem)
{
	return utm__fail(error, UTM_ERROR_CONFIG_MALFORMED, "%s", problem);
}

int utm__plist_over_limit(UtmError **error, const char *problem)
{
	return utm__fail(error, UTM_ERROR_LIMIT, "%s", problem);
}

int utm__plist_too_many_keys(UtmError **error)
{
	return utm__plist_over_limit(error, "a dictionary with more than 10000 keys");
}

/* --- objects --- */

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
	guint64 count, table, root;
	Weight *weights; /* while it is checked */
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
		return utm__plist_too_many_keys(error);
	for (guint64 i = 0; i < refs; i++) {
		guint64 child = utm__read_big_endian(scan->data + item->start + i * scan->ref_size, scan->ref_size);
		if (item->kind == 13 && i < item->count && !is_string(scan, child))
			return utm__plist_malformed(error, "a key that is no string");
		int result = weigh(scan, child, depth + 1, error);
		if (result < 0)
			return result;
		sum->nodes += scan->weights[child].nodes;
		sum->bytes += scan->weights[child].bytes;
		sum->height = MAX(sum->height, scan->weights[child].height + 1);
		if (sum->nodes > UTM_PLIST_NODES_MAX || sum->bytes > UTM_PLIST_EXPANDED_MAX)
			return utm__plist_over_limit(error, "a property list with more than 500000 values or 64 MiB");
	}
	return 0;
}

static int weigh(BinaryScan *scan, guint64 index, guint depth, UtmError **error)
{
	Item item;
	if (index >= scan->count)
		return utm__plist_malformed(error, "a reference to nothing");
	Weight *weight = &scan->weights[index];
	if (weight->open)
		return utm__plist_malformed(error, "a property list that contains itself");
	if (depth + weight->height > UTM_PLIST_DEPTH_MAX)
		return utm__plist_over_limit(error, "a property list nested more than 64 levels deep");
	if (weight->nodes)
		return 0;
	if (!read_item(scan, index, &item) || payload_of(scan, &item) > scan->size - item.start)
		return utm__plist_malformed(error, "a value that is damaged");
	if (!is_int64(scan, &item))
		return utm__plist_malformed(error, "an integer beyond 64 bits");
	if (has_nul(scan, &item))
		return utm__plist_malformed(error, "a string with U+0000");
	if (item.kind == 6 && !is_utf16(scan->data + item.start, item.count))
		return utm__plist_malformed(error, "a string that is not valid UTF-16");
	Weight sum = { .nodes = 1, .bytes = (gsize)payload_of(scan, &item) };
	weight->open = true;
	int result = weigh_children(scan, &item, depth, &sum, error);
	*weight = sum;
	return result;
}

/* What the last bytes say, as far as it makes sense. */
static int open_scan(const char *bytes, gsize size, BinaryScan *scan, UtmError **error)
{
	if (size < 8 + TRAILER_SIZE)
		return utm__plist_malformed(error, "a binary property list that ends early");
	const guint8 *data = (const guint8 *)bytes, *trailer = data + size - TRAILER_SIZE;
	*scan = (BinaryScan){
		.data = data,
		.size = size - TRAILER_SIZE,
		.offset_size = trailer[6],
		.ref_size = trailer[7],
		.count = utm__read_big_endian(trailer + 8, 8),
		.root = utm__read_big_endian(trailer + 16, 8),
		.table = utm__read_big_endian(trailer + 24, 8),
	};
	if (scan->offset_size < 1 || scan->offset_size > 8 || scan->ref_size < 1 || scan->ref_size > 8)
		return utm__plist_malformed(error, "a binary property list with a damaged trailer");
	if (scan->count > UTM_PLIST_NODES_MAX)
		return utm__plist_over_limit(error, "a property list with more than 500000 values");
	if (scan->table > scan->size || scan->count * scan->offset_size > scan->size - scan->table || scan->root >= scan->count)
		return utm__plist_malformed(error, "a binary property list with a damaged trailer");
	return 0;
}

int utm__binary_check(const char *bytes, gsize size, UtmError **error)
{
	BinaryScan scan;
	int result = open_scan(bytes, size, &scan, error);
	if (result < 0)
		return result;
	scan.weights = g_new0(Weight, scan.count);
	result = weigh(&scan, scan.root, 1, error);
	g_free(scan.weights);
	return result;
}

/* --- tokens, of a list that has been checked --- */

/* A container that is open. */
typedef struct Level {
	Item item;
	guint64 index; /* which object it is */
	guint64 next;  /* which of its items comes */
} Level;

typedef struct BinarySource {
	UtmSource source;
	BinaryScan scan;
	guint64 value; /* the object to give next, */
	bool has_value; /* if there is one; else what the innermost container has */
	char *text;    /* UTF-8 of the last UTF-16; nullable */
	guint depth;
	Level levels[UTM_PLIST_DEPTH_MAX + 2];
} BinarySource;

static guint64 reference(const BinaryScan *scan, const Item *item, guint64 i)
{
	return utm__read_big_endian(scan->data + item->start + i * scan->ref_size, scan->ref_size);
}

static int utf16_token(BinarySource *source, const Item *item, UtmToken *ret_token, UtmError **error)
{
	const guint8 *bytes = source->scan.data + item->start;
	g_autofree gunichar2 *units = g_new(gunichar2, item->count + 1);
	glong length = 0;
	for (guint64 i = 0; i < item->count; i++)
		units[i] = (gunichar2)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
	g_free(source->text);
	source->text = g_utf16_to_utf8(units, (glong)item->count, NULL, &length, NULL);
	if (!source->text)
		return utm__plist_malformed(error, "a string that is not valid UTF-16");
	ret_token->text = source->text;
	ret_token->length = (gsize)length;
	return 0;
}

static int text_token(BinarySource *source, UtmTokenKind kind, const Item *item, UtmToken *ret_token, UtmError **error)
{
	*ret_token = (UtmToken){ .kind = kind, .text = (const char *)source->scan.data + item->start, .length = item->count };
	if (item->kind == 6)
		return utf16_token(source, item, ret_token, error);
	if (!g_utf8_validate_len(ret_token->text, ret_token->length, NULL))
		return utm__plist_malformed(error, "a string that is not valid UTF-8, or has U+0000 in it");
	return 0;
}

static int string_token(BinarySource *source, const Item *item, UtmToken *ret_token, UtmError **error)
{
	int result = text_token(source, UTM_TOKEN_STRING, item, ret_token, error);
	if (result == 0 && utm__plist_is_nil(ret_token->text, ret_token->length))
		ret_token->kind = UTM_TOKEN_NULL;
	return result;
}

static double read_real(const guint8 *bytes, gsize size)
{
	guint64 bits = utm__read_big_endian(bytes, size);
	guint32 short_bits = (guint32)bits;
	double number;
	float short_number;
	if (size == 4) {
		memcpy(&short_number, &short_bits, sizeof short_number);
		return short_number;
	}
	memcpy(&number, &bits, sizeof number);
	return number;
}

/* Whole seconds in 32 bits, as libplist gives those of XML. */
static gint64 read_date(const guint8 *bytes)
{
	double seconds = read_real(bytes, 8);
	return seconds > G_MININT32 && seconds < G_MAXINT32 ? (gint64)seconds : G_MININT32;
}

/* Up to four bytes are without sign; of sixteen, the upper half is known to be empty. */
static gint64 read_integer(const guint8 *bytes, guint64 log2_size)
{
	return (gint64)utm__read_big_endian(bytes + (log2_size == 4 ? 8 : 0), log2_size == 4 ? 8 : (gsize)1 << log2_size);
}

static int enter(BinarySource *source, guint64 index, const Item *item, UtmToken *ret_token, UtmError **error)
{
	if (source->depth == G_N_ELEMENTS(source->levels))
		return utm__plist_over_limit(error, "a property list nested too deeply");
	source->levels[source->depth++] = (Level){ .item = *item, .index = index };
	*ret_token = (UtmToken){ .kind = item->kind == 13 ? UTM_TOKEN_BEGIN_OBJECT : UTM_TOKEN_BEGIN_ARRAY };
	return 0;
}

static int value_token(BinarySource *source, guint64 index, UtmToken *ret_token, UtmError **error)
{
	Item item;
	if (!read_item(&source->scan, index, &item))
		return utm__plist_malformed(error, "a value that is damaged");
	const guint8 *bytes = source->scan.data + item.start;
	*ret_token = (UtmToken){ .kind = UTM_TOKEN_NULL };
	switch (item.kind) {
	case 0:
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_BOOL, .boolean = item.count == 9 };
		return 0;
	case 1:
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_INT, .integer = read_integer(bytes, item.count) };
		return 0;
	case 2:
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_REAL, .number = read_real(bytes, (gsize)1 << item.count) };
		return 0;
	case 3:
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_DATE, .integer = read_date(bytes) };
		return 0;
	case 4:
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_DATA, .text = (const char *)bytes, .length = item.count };
		return 0;
	case 5:
	case 6:
		return string_token(source, &item, ret_token, error);
	case 10:
	case 13:
		return enter(source, index, &item, ret_token, error);
	default: /* references of keyed archives: no configuration has them */
		return utm__plist_malformed(error, "a kind of value that no configuration has");
	}
}

static int key_token(BinarySource *source, const Level *level, guint64 i, UtmToken *ret_token, UtmError **error)
{
	Item key;
	source->value = reference(&source->scan, &level->item, level->item.count + i);
	source->has_value = true;
	if (!read_item(&source->scan, reference(&source->scan, &level->item, i), &key))
		return utm__plist_malformed(error, "a value that is damaged");
	return text_token(source, UTM_TOKEN_KEY, &key, ret_token, error);
}

static int source_next(UtmSource *base, UtmToken *ret_token, UtmError **error)
{
	BinarySource *source = (BinarySource *)base;
	if (source->has_value) {
		source->has_value = false;
		return value_token(source, source->value, ret_token, error);
	}
	if (source->depth == 0) {
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_END };
		return 0;
	}
	Level *level = &source->levels[source->depth - 1];
	bool is_dict = level->item.kind == 13;
	if (level->next == level->item.count) {
		source->depth--;
		*ret_token = (UtmToken){ .kind = is_dict ? UTM_TOKEN_END_OBJECT : UTM_TOKEN_END_ARRAY };
		return 0;
	}
	guint64 i = level->next++;
	return is_dict ? key_token(source, level, i, ret_token, error)
	               : value_token(source, reference(&source->scan, &level->item, i), ret_token, error);
}

static UtmSourceMark source_mark(UtmSource *base)
{
	BinarySource *source = (BinarySource *)base;
	return (UtmSourceMark){ .count = (guint)source->levels[source->depth - 1].index, .depth = source->depth };
}

/* The object may be closed already: its parent has moved on, but only behind it. */
static void source_rewind(UtmSource *base, UtmSourceMark mark)
{
	BinarySource *source = (BinarySource *)base;
	Item item;
	source->has_value = false;
	source->depth = mark.depth;
	if (read_item(&source->scan, mark.count, &item))
		source->levels[mark.depth - 1] = (Level){ .item = item, .index = mark.count };
}

static int source_skip(UtmSource *base, UtmError **error)
{
	((BinarySource *)base)->depth--;
	return 0;
}

int utm__binary_decode(const char *data, gsize size, const UtmSchema *schema, guint type, guint flags, void **ret_object,
                       UtmError **error)
{
	BinarySource source = { .source = { .next = source_next, .mark = source_mark, .rewind = source_rewind,
		                                .skip = source_skip, .pass = source_skip },
		                    .has_value = true };
	int result = open_scan(data, size, &source.scan, error);
	source.value = source.scan.root;
	if (result == 0)
		result = utm__schema_decode(schema, type, &source.source, flags, NULL, ret_object, error);
	g_free(source.text);
	return result;
}
