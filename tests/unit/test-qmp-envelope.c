/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The envelope of a message: kinds, ids of every sort, text that C strings could lose, and what is refused. */
#include "qmp/envelope.h"

#include <string.h>

static UtmQmpEnvelope read_message(char *text)
{
	UtmQmpEnvelope envelope;
	g_autoptr(UtmError) error = NULL;
	if (utm__qmp_envelope_read(&envelope, &utm__qmp_monitor, text, strlen(text), &error) < 0)
		g_error("%s: %s", text, utm_error_get_message(error));
	return envelope;
}

static void test_kinds(void)
{
	char greeting[] = "{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2,\"micro\":22}}}}";
	UtmQmpEnvelope envelope = read_message(greeting);
	g_assert_cmpint(envelope.kind, ==, UTM_QMP_KIND_GREETING);
	g_assert_cmpuint(utm__qmp_greeting_get_version(envelope.body, envelope.body_length), ==, 7002022);
	g_assert_false(envelope.has_id);
	utm__qmp_envelope_clear(&envelope);

	char reply[] = "{\"id\":3,\"return\":{\"a\":[1,{\"b\":null}]},\"new\":[{}]}";
	envelope = read_message(reply);
	g_assert_cmpint(envelope.kind, ==, UTM_QMP_KIND_REPLY);
	g_assert_true(envelope.has_id);
	g_assert_cmpint(envelope.id, ==, 3);
	g_assert_cmpstr(utm__qmp_envelope_close_body(&envelope), ==, "{\"a\":[1,{\"b\":null}]}");
	utm__qmp_envelope_clear(&envelope);

	char failure[] = "{\"error\":{\"desc\":\"a\\u0000b\\nc\",\"class\":\"X\",\"more\":1},\"id\":\"x\"}";
	envelope = read_message(failure);
	g_assert_cmpint(envelope.kind, ==, UTM_QMP_KIND_ERROR);
	g_assert_true(envelope.has_id);
	g_assert_cmpint(envelope.id, ==, -1);
	g_assert_cmpstr(envelope.name, ==, "X");
	g_assert_cmpstr(envelope.text, ==, "a\xef\xbf\xbd" "b\nc");
	g_autoptr(UtmError) error = utm__qmp_envelope_to_error(&envelope);
	g_assert_cmpint(utm_error_get_code(error), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_qmp_class(error), ==, "X");
	utm__qmp_envelope_clear(&envelope);

	char event[] = "{\"timestamp\":{\"seconds\":2,\"microseconds\":3},\"event\":\"STOP\"}";
	envelope = read_message(event);
	g_assert_cmpint(envelope.kind, ==, UTM_QMP_KIND_EVENT);
	g_assert_cmpstr(envelope.name, ==, "STOP");
	g_assert_null(utm__qmp_envelope_close_body(&envelope));
	g_assert_cmpint(envelope.timestamp_us, ==, 2000003);
	utm__qmp_envelope_clear(&envelope);
}

static void test_ids(void)
{
	static const struct {
		const char *text;
		gint64 id;
	} ids[] = {
		{ "0", 0 },
		{ "65536", 65536 },
		{ "9223372036854775807", G_MAXINT64 },
		{ "9223372036854775808", -1 },
		{ "18446744073709551616", -1 },
		{ "-1", -1 },
		{ "-5", -1 },
		{ "1.0", -1 },
		{ "1e0", -1 },
		{ "\"1\"", -1 },
		{ "null", -1 },
		{ "[1]", -1 },
		{ "{\"id\":1}", -1 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
		g_autofree char *text = g_strdup_printf("{\"return\":{},\"id\":%s}", ids[i].text);
		UtmQmpEnvelope envelope = read_message(text);
		g_assert_true(envelope.has_id);
		g_assert_cmpint(envelope.id, ==, ids[i].id);
		utm__qmp_envelope_clear(&envelope);
	}
}

static void test_timestamps(void)
{
	static const struct {
		const char *text;
		gint64 us;
	} timestamps[] = {
		{ "{\"seconds\":0,\"microseconds\":0}", 0 },
		{ "{\"seconds\":-1,\"microseconds\":-1}", -1 },
		{ "{\"seconds\":5}", -1 },
		{ "{}", -1 },
		{ "{\"seconds\":5,\"microseconds\":1000000}", -1 },
		{ "{\"seconds\":9223372036854775807,\"microseconds\":999999}", -1 },
		{ "{\"seconds\":99999999999999999999,\"microseconds\":0}", -1 },
		{ "{\"seconds\":\"5\",\"microseconds\":[]}", -1 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(timestamps); i++) {
		g_autofree char *text = g_strdup_printf("{\"event\":\"X\",\"timestamp\":%s}", timestamps[i].text);
		UtmQmpEnvelope envelope = read_message(text);
		g_assert_cmpint(envelope.timestamp_us, ==, timestamps[i].us);
		utm__qmp_envelope_clear(&envelope);
	}
}

static void test_refused(void)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"{\"id\":1}",
		"{\"return\":{},\"event\":\"X\"}",
		"{\"return\":{},\"data\":{}}",
		"{\"event\":\"\"}",
		"{\"event\":1}",
		"{\"event\":null}",
		"{\"error\":[]}",
		"{\"error\":{\"class\":\"X\"}}",
		"{\"error\":{\"desc\":\"X\"}}",
		"{\"error\":{\"class\":1,\"desc\":\"X\"}}",
		"{\"event\":\"X\",\"timestamp\":5}",
		"{\"return\":}",
		"{\"return\":{}",
		"{\"return\":{}}{}",
		"{\"return\":\"\\ud800\"}",
		"{\"return\":\"\xff\"}",
		"{\"return\":nul}",
		"{]",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		UtmQmpEnvelope envelope;
		g_autoptr(UtmError) error = NULL;
		g_autofree char *text = g_strdup(texts[i]);
		g_assert_cmpint(utm__qmp_envelope_read(&envelope, &utm__qmp_monitor, text, strlen(text), &error), ==,
		                UTM_ERROR_QMP_PROTOCOL);
		g_assert_nonnull(error);
	}
}

static void test_versions(void)
{
	static const struct {
		const char *greeting;
		guint32 version;
	} versions[] = {
		{ "{\"version\":{\"package\":\"\",\"qemu\":{\"micro\":2,\"major\":10,\"minor\":0}}}", 10000002 },
		{ "{\"version\":{\"qemu\":{\"micro\":2,\"major\":10}}}", 0 },
		{ "{\"version\":{\"qemu\":{\"micro\":1000,\"major\":10,\"minor\":0}}}", 0 },
		{ "{\"version\":{\"qemu\":{\"micro\":-3,\"major\":10,\"minor\":0}}}", 0 },
		{ "{\"version\":{\"qemu\":{\"micro\":0,\"major\":4294967296,\"minor\":0}}}", 0 },
		{ "{\"version\":[]}", 0 },
		{ "{}", 0 },
		{ "5", 0 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(versions); i++)
		g_assert_cmpuint(utm__qmp_greeting_get_version(versions[i].greeting, strlen(versions[i].greeting)), ==,
		                 versions[i].version);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/envelope/kinds", test_kinds);
	g_test_add_func("/qmp/envelope/ids", test_ids);
	g_test_add_func("/qmp/envelope/timestamps", test_timestamps);
	g_test_add_func("/qmp/envelope/refused", test_refused);
	g_test_add_func("/qmp/envelope/versions", test_versions);
	return g_test_run();
}
