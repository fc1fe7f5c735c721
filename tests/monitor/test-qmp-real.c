/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client against QEMU itself: a machine without hardware, which needs no firmware. */
#include "real-qemu.h"

static void assert_reply_contains(UtmQmp *qmp, const char *command, const char *part)
{
	g_autofree char *reply = execute(qmp, command, NULL);
	if (!strstr(reply, part))
		g_error("%s answered %s", command, reply);
}

static void test_commands(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	g_assert_cmpuint(utm_qmp_get_qemu_version(qmp), >=, 7002000);
	g_assert_nonnull(strstr(utm_qmp_get_greeting(qmp), "\"capabilities\":[\"oob\"]"));
	assert_reply_contains(qmp, "query-version", "\"qemu\":{");
	assert_reply_contains(qmp, "query-status", "\"status\":\"running\"");
	utm_free(execute(qmp, "stop", NULL));
	assert_reply_contains(qmp, "query-status", "\"status\":\"paused\"");
	utm_free(execute(qmp, "cont", NULL));
	assert_reply_contains(qmp, "query-status", "\"status\":\"running\"");

	g_autofree char *types = execute(qmp, "qom-list-types", "{ \"implements\" : \"machine\", \"abstract\": false }");
	g_assert_nonnull(strstr(types, "\"none-machine\""));
	/* Text that QEMU's parser and ours see the same way, and answers that carry it back. */
	g_autoptr(UtmError) error = NULL;
	const char *strange = "{\"path\":\"/ä\\u0041\\ud83d\\ude00\",\"property\":\"x\"}";
	g_assert_cmpint(utm_qmp_execute(qmp, "qom-get", strange, NULL, NULL, &error), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_qmp_class(error), ==, "DeviceNotFound");
	g_assert_nonnull(strstr(utm_error_get_message(error), "/äA\xf0\x9f\x98\x80"));
	g_autoptr(UtmError) unknown = NULL;
	g_assert_cmpint(utm_qmp_execute(qmp, "no-such-command", NULL, NULL, NULL, &unknown), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_qmp_class(unknown), ==, "CommandNotFound");
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

static void test_schema(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	g_autofree char *schema = execute(qmp, "query-qmp-schema", NULL);
	g_assert_cmpuint(strlen(schema), >, 150000);
	g_assert_true(g_str_has_prefix(schema, "[{") && g_str_has_suffix(schema, "}]"));
	assert_reply_contains(qmp, "query-status", "\"running\":true");
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

typedef struct Seen {
	int stops, resumes, shutdowns, ends;
	gint64 timestamp_us;
	int end_code;
} Seen;

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Seen *seen = data;
	seen->stops += g_strcmp0(event->name, "STOP") == 0;
	seen->resumes += g_strcmp0(event->name, "RESUME") == 0;
	seen->shutdowns += g_strcmp0(event->name, "SHUTDOWN") == 0;
	seen->ends += event->name == NULL;
	if (event->name)
		seen->timestamp_us = event->timestamp_us;
	else
		seen->end_code = utm_error_get_code(event->error);
}

static void wait_for_count(const int *count, int at_least)
{
	gint64 end = g_get_monotonic_time() + PATIENCE_MS * 1000;
	while (*count < at_least && g_get_monotonic_time() < end)
		utm_context_wait(context, 100);
	g_assert_cmpint(*count, >=, at_least);
}

static void test_events_and_quit(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	Seen seen = { 0 };
	utm_qmp_set_event_handler(qmp, on_event, &seen, NULL);
	utm_free(execute(qmp, "stop", NULL));
	utm_free(execute(qmp, "cont", NULL));
	wait_for_count(&seen.resumes, 1);
	g_assert_cmpint(seen.stops, ==, 1);
	g_assert_cmpint(ABS(seen.timestamp_us - g_get_real_time()), <, 60 * G_USEC_PER_SEC);

	int result = utm_qmp_execute(qmp, "quit", NULL, NULL, NULL, NULL);
	g_assert_true(result == 0 || result == UTM_ERROR_QMP_DISCONNECTED);
	wait_for_count(&seen.ends, 1);
	g_assert_cmpint(seen.shutdowns, ==, 1);
	g_assert_cmpint(seen.end_code, ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

/* QEMU serves one client at a time: the second hears nothing until the first is gone. */
static void test_second_client(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *first = machine_connect(&machine), *second = NULL;
	g_autoptr(UtmError) error = NULL;
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.timeout_ms = 200;
	g_assert_cmpint(utm_qmp_connect_path(context, machine.path, &options, &second, &error), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(utm_error_get_file(error), ==, machine.path);
	assert_reply_contains(first, "query-status", "\"running\":true");
	utm_qmp_unref(first);
	second = machine_connect(&machine);
	assert_reply_contains(second, "query-status", "\"running\":true");
	utm_qmp_unref(second);
	machine_end(&machine);
}

static void test_killed(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	kill(machine.pid, SIGKILL);
	g_assert_cmpint(utm_qmp_execute(qmp, "query-status", NULL, NULL, NULL, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

/* A QEMU that stands still answers nothing; when it goes on, its late answer is not taken for the next one. */
static void test_stalled(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = 100;
	kill(machine.pid, SIGSTOP);
	g_assert_cmpint(utm_qmp_execute(qmp, "query-version", NULL, &options, NULL, NULL), ==, UTM_ERROR_TIMEOUT);
	kill(machine.pid, SIGCONT);
	assert_reply_contains(qmp, "query-status", "\"running\":true");
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (!have_qemu())
		return 0;
	g_test_add_func("/qmp/real/commands", test_commands);
	g_test_add_func("/qmp/real/schema", test_schema);
	g_test_add_func("/qmp/real/events-and-quit", test_events_and_quit);
	g_test_add_func("/qmp/real/second-client", test_second_client);
	g_test_add_func("/qmp/real/killed", test_killed);
	g_test_add_func("/qmp/real/stalled", test_stalled);
	return real_main();
}
