/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/envelope.h"

#include "schema/json-codec.h"

#include <string.h>

#define REPLACEMENT_CHARACTER "\xef\xbf\xbd"

/* The string as C text. A U+0000 would cut it, so it shows as the replacement character. */
static char *dup_text(const UtmJsonReader *reader)
{
	if (!reader->has_nul)
		return g_strndup(reader->text, reader->length);
	GString *copy = g_string_sized_new(reader->length + 2);
	for (gsize i = 0; i < reader->length; i++) {
		if (reader->text[i])
			g_string_append_c(copy, reader->text[i]);
		else
			g_string_append(copy, REPLACEMENT_CHARACTER);
	}
	return g_string_free(copy, FALSE);
}

static bool read_text(UtmJsonReader *reader, char **ret)
{
	if (utm__json_peek(reader) != UTM_JSON_STRING)
		return false;
	if (utm__json_next(reader) != UTM_JSON_STRING)
		return false;
	g_free(*ret);
	*ret = dup_text(reader);
	return true;
}

/* An integer of ours is one that fits; anything else is read over and leaves -1. */
static bool read_integer(UtmJsonReader *reader, gint64 *ret)
{
	*ret = -1;
	if (utm__json_peek(reader) != UTM_JSON_INT)
		return utm__json_skip(reader, NULL, NULL);
	if (utm__json_next(reader) == UTM_JSON_INT)
		*ret = MAX(reader->integer, -1);
	return reader->token != UTM_JSON_ERROR;
}

static bool read_body(UtmJsonReader *reader, UtmQmpEnvelope *envelope)
{
	const char *start;
	if (!utm__json_pass(reader, &start, &envelope->body_length))
		return false;
	envelope->body = (char *)start; /* a part of the message, which is not constant */
	return true;
}

/* Begins at an object and calls for each member, with the key as the last token; `fn` reads the value. */
typedef bool (*MemberFunc)(UtmJsonReader *reader, void *data);

static bool read_members(UtmJsonReader *reader, MemberFunc fn, void *data)
{
	if (utm__json_peek(reader) != UTM_JSON_BEGIN_OBJECT)
		return false;
	utm__json_next(reader);
	while (utm__json_next(reader) == UTM_JSON_KEY)
		if (!fn(reader, data))
			return false;
	return reader->token == UTM_JSON_END_OBJECT;
}

static bool error_member(UtmJsonReader *reader, void *data)
{
	UtmQmpEnvelope *envelope = data;
	if (utm__json_text_is(reader, "class"))
		return read_text(reader, &envelope->name);
	if (utm__json_text_is(reader, "desc"))
		return read_text(reader, &envelope->text);
	return utm__json_skip(reader, NULL, NULL);
}

typedef struct Time {
	gint64 seconds, microseconds;
} Time;

static bool time_member(UtmJsonReader *reader, void *data)
{
	Time *time = data;
	if (utm__json_text_is(reader, "seconds"))
		return read_integer(reader, &time->seconds);
	if (utm__json_text_is(reader, "microseconds"))
		return read_integer(reader, &time->microseconds);
	return utm__json_skip(reader, NULL, NULL);
}

static bool read_timestamp(UtmJsonReader *reader, gint64 *ret)
{
	Time time = { -1, -1 };
	if (!read_members(reader, time_member, &time))
		return false;
	bool sane = time.seconds >= 0 && time.seconds < G_MAXINT64 / G_USEC_PER_SEC - 1 && time.microseconds >= 0 &&
	            time.microseconds < G_USEC_PER_SEC;
	*ret = sane ? time.seconds * G_USEC_PER_SEC + time.microseconds : -1;
	return true;
}

typedef struct Reading {
	UtmQmpEnvelope *envelope;
	bool data;  /* has "data", which belongs to an event only */
	guint kinds; /* 1 << kind of each key that decides it */
} Reading;

static bool top_member(UtmJsonReader *reader, void *data)
{
	Reading *reading = data;
	UtmQmpEnvelope *envelope = reading->envelope;
	if (utm__json_text_is(reader, "return")) {
		reading->kinds |= 1u << UTM_QMP_KIND_REPLY;
		return read_body(reader, envelope);
	}
	if (utm__json_text_is(reader, "id")) {
		envelope->has_id = true;
		return read_integer(reader, &envelope->id);
	}
	if (utm__json_text_is(reader, "event")) {
		reading->kinds |= 1u << UTM_QMP_KIND_EVENT;
		return read_text(reader, &envelope->name);
	}
	if (utm__json_text_is(reader, "data")) {
		reading->data = true;
		return read_body(reader, envelope);
	}
	if (utm__json_text_is(reader, "timestamp"))
		return read_timestamp(reader, &envelope->timestamp_us);
	if (utm__json_text_is(reader, "error")) {
		reading->kinds |= 1u << UTM_QMP_KIND_ERROR;
		return read_members(reader, error_member, envelope);
	}
	if (utm__json_text_is(reader, "QMP")) {
		reading->kinds |= 1u << UTM_QMP_KIND_GREETING;
		return read_body(reader, envelope);
	}
	return utm__json_skip(reader, NULL, NULL);
}

/* One of the four kinds, with what that kind must have. */
static bool settle_kind(Reading *reading)
{
	UtmQmpEnvelope *envelope = reading->envelope;
	for (guint kind = UTM_QMP_KIND_GREETING; kind <= UTM_QMP_KIND_EVENT; kind++)
		if (reading->kinds == 1u << kind)
			envelope->kind = (UtmQmpKind)kind;
	switch (reading->kinds) {
	case 1u << UTM_QMP_KIND_EVENT:
		return *envelope->name != 0;
	case 1u << UTM_QMP_KIND_ERROR:
		return !reading->data && envelope->name && envelope->text;
	case 1u << UTM_QMP_KIND_GREETING:
	case 1u << UTM_QMP_KIND_REPLY:
		return !reading->data;
	default:
		return false;
	}
}

int utm__qmp_envelope_read(UtmQmpEnvelope *envelope, const UtmQmpDialect *dialect, char *message, gsize length,
                           UtmError **error)
{
	const UtmJsonLimits limits = { .size = dialect->message_max, .depth = dialect->depth_max };
	Reading reading = { .envelope = envelope };
	*envelope = (UtmQmpEnvelope){ .id = -1, .timestamp_us = -1 };
	UtmJsonReader reader;
	utm__json_reader_init(&reader, message, length, &limits);
	bool read = read_members(&reader, top_member, &reading) && utm__json_next(&reader) == UTM_JSON_END;
	bool fine = read && settle_kind(&reading);
	if (!fine && reader.token == UTM_JSON_ERROR)
		utm__fail(error, UTM_ERROR_QMP_PROTOCOL, "%s sent a message that is no JSON: byte %" G_GSIZE_FORMAT
		          ": %s", dialect->peer, reader.problem_offset, reader.problem);
	else if (!fine)
		utm__fail(error, UTM_ERROR_QMP_PROTOCOL, "%s sent an object that is no message of QMP", dialect->peer);
	utm__json_reader_clear(&reader);
	if (!fine)
		utm__qmp_envelope_clear(envelope);
	return fine ? 0 : UTM_ERROR_QMP_PROTOCOL;
}

int utm__qmp_envelope_check_body(const UtmQmpEnvelope *envelope, const UtmQmpDialect *dialect, UtmError **error)
{
	const UtmJsonLimits limits = { .size = dialect->message_max, .depth = dialect->depth_max };
	g_autoptr(UtmError) failure = NULL;
	if (!envelope->body ||
	    utm__json_check(envelope->body, envelope->body_length, &limits, UTM_ERROR_QMP_PROTOCOL, &failure) == 0)
		return 0;
	return utm__fail(error, UTM_ERROR_QMP_PROTOCOL, "%s sent a message whose content is no %s", dialect->peer,
	                 utm_error_get_message(failure));
}

void utm__qmp_envelope_clear(UtmQmpEnvelope *envelope)
{
	g_clear_pointer(&envelope->name, g_free);
	g_clear_pointer(&envelope->text, g_free);
	envelope->body = NULL;
}

const char *utm__qmp_envelope_close_body(UtmQmpEnvelope *envelope)
{
	if (envelope->body)
		envelope->body[envelope->body_length] = 0;
	return envelope->body;
}

UtmError *utm__qmp_envelope_to_error(const UtmQmpEnvelope *envelope)
{
	UtmError *error = utm__error_new(UTM_ERROR_QMP_COMMAND, "%s", envelope->text);
	return utm__error_set_qmp_class(error, envelope->name);
}

void utm__qmp_append_quoted(GString *json, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	UtmToken token = { .kind = UTM_TOKEN_STRING, .text = valid, .length = strlen(valid) };
	UtmJsonSink sink;
	utm__json_sink_init(&sink, json, false, false);
	sink.sink.put(&sink.sink, &token);
}

/* --- the greeting's version --- */

typedef struct Version {
	gint64 major, minor, micro;
} Version;

static bool number_member(UtmJsonReader *reader, void *data)
{
	Version *version = data;
	if (utm__json_text_is(reader, "major"))
		return read_integer(reader, &version->major);
	if (utm__json_text_is(reader, "minor"))
		return read_integer(reader, &version->minor);
	if (utm__json_text_is(reader, "micro"))
		return read_integer(reader, &version->micro);
	return utm__json_skip(reader, NULL, NULL);
}

static bool version_member(UtmJsonReader *reader, void *data)
{
	if (utm__json_text_is(reader, "qemu"))
		return read_members(reader, number_member, data);
	return utm__json_skip(reader, NULL, NULL);
}

static bool greeting_member(UtmJsonReader *reader, void *data)
{
	if (utm__json_text_is(reader, "version"))
		return read_members(reader, version_member, data);
	return utm__json_skip(reader, NULL, NULL);
}

guint32 utm__qmp_greeting_get_version(const char *greeting, gsize length)
{
	Version version = { -1, -1, -1 };
	UtmJsonReader reader;
	utm__json_reader_init(&reader, greeting, length, NULL);
	bool read = read_members(&reader, greeting_member, &version);
	utm__json_reader_clear(&reader);
	bool sane = read && version.major >= 0 && version.major < 4294 && version.minor >= 0 && version.minor < 1000 &&
	            version.micro >= 0 && version.micro < 1000;
	return sane ? (guint32)(version.major * 1000000 + version.minor * 1000 + version.micro) : 0;
}

/* --- its capabilities --- */

typedef struct Search {
	const char *capability;
	bool found;
} Search;

static bool capabilities_member(UtmJsonReader *reader, void *data)
{
	Search *search = data;
	if (!utm__json_text_is(reader, "capabilities") || utm__json_peek(reader) != UTM_JSON_BEGIN_ARRAY)
		return utm__json_skip(reader, NULL, NULL);
	utm__json_next(reader);
	while (utm__json_peek(reader) != UTM_JSON_END_ARRAY) {
		bool text = utm__json_peek(reader) == UTM_JSON_STRING;
		if (text ? utm__json_next(reader) == UTM_JSON_ERROR : !utm__json_skip(reader, NULL, NULL))
			return false;
		search->found |= text && utm__json_text_is(reader, search->capability);
	}
	return utm__json_next(reader) == UTM_JSON_END_ARRAY;
}

bool utm__qmp_greeting_offers(const char *greeting, gsize length, const char *capability)
{
	Search search = { .capability = capability };
	UtmJsonReader reader;
	utm__json_reader_init(&reader, greeting, length, NULL);
	bool read = read_members(&reader, capabilities_member, &search);
	utm__json_reader_clear(&reader);
	return read && search.found;
}
