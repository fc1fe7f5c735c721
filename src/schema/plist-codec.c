/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libplist parses XML; a walk over its tree is the source of tokens. Binary lists are plist-binary.c's. Writing is ours, because files should be byte for byte
 * what UTM writes: sorted keys, tabs, its line lengths of base64.
 */
#include "schema/plist-binary.h"

#include <plist/plist.h>
#include <stdlib.h>
#include <string.h>

/* What the property lists of Foundation have where a value is nil. */
#define NIL_TEXT "$null"

struct UtmPlist {
	plist_t root;     /* of XML */
	const char *data; /* of a binary list, which is read where it lies */
	gsize size;
};

bool utm__plist_is_nil(const char *text, gsize length)
{
	return length == strlen(NIL_TEXT) && memcmp(text, NIL_TEXT, length) == 0;
}

/* libplist 2.2 leaves the pointer alone when it fails. */
static int parse_xml(const void *data, gsize size, plist_t *ret_root, UtmError **error)
{
	plist_from_xml(data, (uint32_t)size, ret_root);
	return *ret_root ? 0 : utm__fail(error, UTM_ERROR_CONFIG_MALFORMED, "not a property list, or a damaged one");
}

int utm__plist_parse(const void *data, gsize size, UtmPlist **ret_plist, UtmError **error)
{
	plist_t root = NULL;
	int result = utm__plist_check(data, size, error);
	if (result == 0 && !utm__plist_is_binary(data, size))
		result = parse_xml(data, size, &root, error);
	if (result < 0)
		return result;
	UtmPlist *plist = g_new0(UtmPlist, 1);
	*plist = (UtmPlist){ root, data, size };
	*ret_plist = plist;
	return 0;
}

void utm__plist_free(UtmPlist *plist)
{
	if (!plist)
		return;
	plist_free(plist->root);
	g_free(plist);
}

/* --- source --- */

typedef struct Level {
	plist_t node;
	void *iter;
	bool is_dict;
} Level;

typedef struct PlistSource {
	UtmSource source;
	plist_t value; /* the value to give next; NULL: what the innermost container has */
	char *key;     /* of the last KEY token */
	guint depth;
	Level levels[UTM_PLIST_DEPTH_MAX + 2];
} PlistSource;

static int enter(PlistSource *source, plist_t node, UtmToken *ret_token, UtmError **error)
{
	if (source->depth == G_N_ELEMENTS(source->levels))
		return utm__fail(error, UTM_ERROR_LIMIT, "a property list nested too deeply");
	Level *level = &source->levels[source->depth++];
	*level = (Level){ .node = node, .is_dict = plist_get_node_type(node) == PLIST_DICT };
	if (level->is_dict)
		plist_dict_new_iter(node, &level->iter);
	else
		plist_array_new_iter(node, &level->iter);
	ret_token->kind = level->is_dict ? UTM_TOKEN_BEGIN_OBJECT : UTM_TOKEN_BEGIN_ARRAY;
	return 0;
}

static void leave(PlistSource *source)
{
	free(source->levels[--source->depth].iter);
}

static int text_token(UtmTokenKind kind, const char *text, gsize length, UtmToken *ret_token, UtmError **error)
{
	if (!text || !g_utf8_validate_len(text, length, NULL))
		return utm__fail(error, UTM_ERROR_CONFIG_MALFORMED, "a string that is not valid UTF-8, or has U+0000 in it");
	*ret_token = (UtmToken){ .kind = kind, .text = text, .length = length };
	return 0;
}

static int string_token(plist_t node, UtmToken *ret_token, UtmError **error)
{
	uint64_t length = 0;
	const char *text = plist_get_string_ptr(node, &length);
	int result = text_token(UTM_TOKEN_STRING, text, length, ret_token, error);
	if (result == 0 && utm__plist_is_nil(text, length))
		ret_token->kind = UTM_TOKEN_NULL;
	return result;
}

static void data_token(plist_t node, UtmToken *ret_token)
{
	uint64_t length = 0;
	const char *bytes = plist_get_data_ptr(node, &length);
	*ret_token = (UtmToken){ .kind = UTM_TOKEN_DATA, .text = bytes ? bytes : "", .length = bytes ? length : 0 };
}

static int value_token(PlistSource *source, plist_t node, UtmToken *ret_token, UtmError **error)
{
	uint64_t number = 0;
	int32_t seconds = 0, microseconds;
	uint8_t boolean = 0;
	*ret_token = (UtmToken){ .kind = UTM_TOKEN_NULL };
	switch (plist_get_node_type(node)) {
	case PLIST_DICT:
	case PLIST_ARRAY:
		return enter(source, node, ret_token, error);
	case PLIST_STRING:
		return string_token(node, ret_token, error);
	case PLIST_DATA:
		data_token(node, ret_token);
		return 0;
	case PLIST_BOOLEAN:
		plist_get_bool_val(node, &boolean);
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_BOOL, .boolean = boolean };
		return 0;
	case PLIST_UINT:
		plist_get_uint_val(node, &number);
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_INT, .integer = (gint64)number };
		return 0;
	case PLIST_REAL:
		ret_token->kind = UTM_TOKEN_REAL;
		plist_get_real_val(node, &ret_token->number);
		return 0;
	case PLIST_DATE:
		plist_get_date_val(node, &seconds, &microseconds);
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_DATE, .integer = seconds };
		return 0;
	default: /* references of keyed archives: no configuration has them */
		return utm__fail(error, UTM_ERROR_CONFIG_MALFORMED, "a kind of value that no configuration has");
	}
}

static int member_token(PlistSource *source, Level *level, UtmToken *ret_token, UtmError **error)
{
	plist_t value = NULL;
	free(source->key);
	source->key = NULL;
	plist_dict_next_item(level->node, level->iter, &source->key, &value);
	if (!value) {
		leave(source);
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_END_OBJECT };
		return 0;
	}
	source->value = value;
	return text_token(UTM_TOKEN_KEY, source->key, source->key ? strlen(source->key) : 0, ret_token, error);
}

static int element_token(PlistSource *source, Level *level, UtmToken *ret_token, UtmError **error)
{
	plist_t value = NULL;
	plist_array_next_item(level->node, level->iter, &value);
	if (value)
		return value_token(source, value, ret_token, error);
	leave(source);
	*ret_token = (UtmToken){ .kind = UTM_TOKEN_END_ARRAY };
	return 0;
}

static int source_next(UtmSource *base, UtmToken *ret_token, UtmError **error)
{
	PlistSource *source = (PlistSource *)base;
	plist_t value = source->value;
	source->value = NULL;
	if (value)
		return value_token(source, value, ret_token, error);
	if (source->depth == 0) {
		*ret_token = (UtmToken){ .kind = UTM_TOKEN_END };
		return 0;
	}
	Level *level = &source->levels[source->depth - 1];
	return level->is_dict ? member_token(source, level, ret_token, error)
	                      : element_token(source, level, ret_token, error);
}

static UtmSourceMark source_mark(UtmSource *base)
{
	PlistSource *source = (PlistSource *)base;
	return (UtmSourceMark){ .at = source->levels[source->depth - 1].node, .depth = source->depth };
}

/* The object may be closed already: its parent has moved on, but only behind it. */
static void source_rewind(UtmSource *base, UtmSourceMark mark)
{
	PlistSource *source = (PlistSource *)base;
	UtmToken token;
	while (source->depth >= mark.depth)
		leave(source);
	source->value = NULL;
	(void)enter(source, (plist_t)mark.at, &token, NULL);
}

static int source_skip(UtmSource *base, UtmError **error)
{
	leave((PlistSource *)base);
	return 0;
}

int utm__plist_decode(const UtmPlist *plist, const UtmSchema *schema, guint type, guint flags, void **ret_object,
                      UtmError **error)
{
	if (!plist->root)
		return utm__binary_decode(plist->data, plist->size, schema, type, flags, ret_object, error);
	PlistSource source = { .source = { .next = source_next, .mark = source_mark, .rewind = source_rewind, .skip = source_skip,
	                                  .pass = source_skip },
		                   .value = plist->root };
	int result = utm__schema_decode(schema, type, &source.source, flags, NULL, ret_object, error);
	while (source.depth)
		leave(&source);
	free(source.key);
	return result;
}

/* --- sink --- */

/* A tag and its length, known when this is compiled. */
typedef struct Tag {
	const char *name;
	gsize length;
} Tag;
#define TAG(name) ((Tag){ name, sizeof name - 1 })

typedef struct XmlSink {
	UtmSink sink;
	GString *text;
	guint depth;
	Tag pending; /* a container whose tag waits for its first child: empty ones are one tag */
} XmlSink;

/* So many bytes more, for whoever fills them in one go: that is much cheaper than many small pieces. */
static char *reserve(XmlSink *sink, gsize size)
{
	gsize before = sink->text->len;
	g_string_set_size(sink->text, before + size);
	return sink->text->str + before;
}

static char *put(char *at, const char *bytes, gsize length)
{
	memcpy(at, bytes, length);
	return at + length;
}

static char *put_tag(char *at, const char *before, Tag tag, const char *after)
{
	at = g_stpcpy(at, before);
	at = put(at, tag.name, tag.length);
	return g_stpcpy(at, after);
}

static void put_indent(XmlSink *sink)
{
	memset(reserve(sink, sink->depth), '\t', sink->depth);
}

/* "<tag>" and its like, on a line of its own. */
static void put_line(XmlSink *sink, const char *before, Tag tag, const char *after)
{
	gsize size = sink->depth + strlen(before) + tag.length + strlen(after);
	char *at = reserve(sink, size);
	memset(at, '\t', sink->depth);
	put_tag(at + sink->depth, before, tag, after);
}

static void flush_pending(XmlSink *sink)
{
	if (!sink->pending.name)
		return;
	put_line(sink, "<", sink->pending, ">\n");
	sink->pending = (Tag){ 0 };
	sink->depth++;
}

/* How many bytes more a text has when it is escaped. */
static gsize count_escaped(const char *text, gsize length)
{
	gsize more = 0;
	for (gsize i = 0; i < length; i++)
		more += text[i] == '&' ? 4 : text[i] == '<' || text[i] == '>' ? 3 : 0;
	return more;
}

static char *put_escaped(char *at, const char *text, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (text[i] == '<' || text[i] == '>' || text[i] == '&')
			at = g_stpcpy(at, text[i] == '<' ? "&lt;" : text[i] == '>' ? "&gt;" : "&amp;");
		else
			*at++ = text[i];
	return at;
}

static void put_element(XmlSink *sink, Tag tag, const char *content, gsize length)
{
	gsize more = count_escaped(content, length);
	char *at = reserve(sink, sink->depth + 2 * tag.length + strlen("<></>\n") + length + more);
	memset(at, '\t', sink->depth);
	at = put_tag(at + sink->depth, "<", tag, ">");
	at = more ? put_escaped(at, content, length) : put(at, content, length);
	put_tag(at, "</", tag, ">\n");
}

/* Lines get shorter the deeper they stand: 76 characters less 8 for each of at most 8 tabs. */
static void put_data(XmlSink *sink, const char *bytes, gsize length)
{
	g_autofree char *base64 = length ? g_base64_encode((const guchar *)bytes, length) : g_strdup("");
	gsize room = 76 - 8 * MIN(sink->depth, 8);
	put_indent(sink);
	g_string_append(sink->text, "<data>\n");
	for (gsize at = 0, all = strlen(base64); at < all; at += room) {
		put_indent(sink);
		g_string_append_len(sink->text, base64 + at, (gssize)MIN(room, all - at));
		g_string_append_c(sink->text, '\n');
	}
	put_indent(sink);
	g_string_append(sink->text, "</data>\n");
}

static void put_integer(XmlSink *sink, gint64 integer)
{
	char text[24];
	g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, integer);
	put_element(sink, TAG("integer"), text, strlen(text));
}

static void put_real(XmlSink *sink, double number)
{
	g_autofree char *text = utm__number_dup_text(number);
	put_element(sink, TAG("real"), text, strlen(text));
}

static void put_date(XmlSink *sink, gint64 seconds)
{
	g_autoptr(GDateTime) epoch = g_date_time_new_utc(2001, 1, 1, 0, 0, 0);
	g_autoptr(GDateTime) date = g_date_time_add_seconds(epoch, (double)seconds);
	g_autofree char *text = date ? g_date_time_format(date, "%Y-%m-%dT%H:%M:%SZ") : g_strdup("2001-01-01T00:00:00Z");
	put_element(sink, TAG("date"), text, strlen(text));
}

static void put_end(XmlSink *sink, Tag tag)
{
	bool empty = sink->pending.name;
	sink->depth -= !empty;
	put_line(sink, empty ? "<" : "</", tag, empty ? "/>\n" : ">\n");
	sink->pending = (Tag){ 0 };
}

static const char *check_text(const UtmToken *token)
{
	if (!g_utf8_validate_len(token->text, token->length, NULL))
		return "is not valid UTF-8";
	bool nil = token->length == strlen(NIL_TEXT) && memcmp(token->text, NIL_TEXT, token->length) == 0;
	return nil && token->kind == UTM_TOKEN_STRING ? "\"" NIL_TEXT "\" would be read back as no value" : NULL;
}

static const char *put_text(XmlSink *sink, const UtmToken *token)
{
	const char *problem = check_text(token);
	if (!problem)
		put_element(sink, token->kind == UTM_TOKEN_KEY ? TAG("key") : TAG("string"), token->text, token->length);
	return problem;
}

static const char *sink_put(UtmSink *base, const UtmToken *token)
{
	XmlSink *sink = (XmlSink *)base;
	if (token->kind != UTM_TOKEN_END_OBJECT && token->kind != UTM_TOKEN_END_ARRAY)
		flush_pending(sink);
	switch (token->kind) {
	case UTM_TOKEN_BEGIN_OBJECT:
	case UTM_TOKEN_BEGIN_ARRAY:
		sink->pending = token->kind == UTM_TOKEN_BEGIN_OBJECT ? TAG("dict") : TAG("array");
		break;
	case UTM_TOKEN_END_OBJECT:
	case UTM_TOKEN_END_ARRAY:
		put_end(sink, token->kind == UTM_TOKEN_END_OBJECT ? TAG("dict") : TAG("array"));
		break;
	case UTM_TOKEN_KEY:
	case UTM_TOKEN_STRING:
		return put_text(sink, token);
	case UTM_TOKEN_NULL:
		put_element(sink, TAG("string"), NIL_TEXT, strlen(NIL_TEXT));
		break;
	case UTM_TOKEN_BOOL:
		put_line(sink, "<", token->boolean ? TAG("true") : TAG("false"), "/>\n");
		break;
	case UTM_TOKEN_INT:
		put_integer(sink, token->integer);
		break;
	case UTM_TOKEN_UINT:
		return "is above 2^63-1, which no property list is read with";
	case UTM_TOKEN_REAL:
		put_real(sink, token->number);
		break;
	case UTM_TOKEN_DATE:
		put_date(sink, token->integer);
		break;
	case UTM_TOKEN_DATA:
		put_data(sink, token->text, token->length);
		break;
	default:
		break;
	}
	return NULL;
}

int utm__plist_encode(const UtmSchema *schema, const void *object, char **ret_data, gsize *ret_size, UtmError **error)
{
	GString *text = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	                             "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
	                             "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
	                             "<plist version=\"1.0\">\n");
	XmlSink sink = { .sink.put = sink_put, .text = text };
	int result = utm__schema_encode(schema, object, &sink.sink, UTM_SCHEMA_FILE, NULL, NULL, error);
	g_string_append(text, "</plist>\n");
	if (result == 0)
		*ret_size = text->len;
	char *taken = g_string_free(text, result < 0);
	if (result == 0)
		*ret_data = taken;
	return result;
}
