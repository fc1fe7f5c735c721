/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client against QEMU itself: a machine without hardware, which needs no firmware. */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <utm/utm.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmError, utm_error_unref)

#define PATIENCE_MS 30000
#define QEMU "qemu-system-x86_64"

static UtmContext *context;

typedef struct Machine {
	GPid pid;
	char *dir;
	char *path;
} Machine;

/* A test that fails leaves no QEMU behind. */
static void die_with_parent(gpointer unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void machine_start(Machine *machine)
{
	machine->dir = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	machine->path = g_build_filename(machine->dir, "qmp", NULL);
	g_autofree char *chardev = g_strdup_printf("socket,id=qmp,path=%s,server=on,wait=off", machine->path);
	char *argv[] = { QEMU, "-M", "none", "-nodefaults", "-display", "none", "-chardev", chardev,
		         "-mon", "chardev=qmp,mode=control", NULL };
	g_autoptr(GError) error = NULL;
	if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
	                   die_with_parent, NULL, &machine->pid, &error))
		g_error("%s", error->message);
}

static void machine_end(Machine *machine)
{
	kill(machine->pid, SIGKILL);
	waitpid(machine->pid, NULL, 0);
	g_unlink(machine->path);
	g_rmdir(machine->dir);
	g_free(machine->path);
	g_free(machine->dir);
}

static UtmQmp *machine_connect(Machine *machine)
{
	UtmQmp *qmp = NULL;
	/* The socket's file is there a little before QEMU listens. */
	for (int i = 0; i < PATIENCE_MS; i++) {
		g_autoptr(UtmError) error = NULL;
		int result = utm_qmp_connect_path(context, machine->path, NULL, &qmp, &error);
		if (result == 0)
			break;
		if (result != UTM_ERROR_NOT_FOUND && result != UTM_ERROR_IO)
			g_error("%s", utm_error_get_message(error));
		g_usleep(1000);
	}
	g_assert_nonnull(qmp);
	return qmp;
}

static char *execute(UtmQmp *qmp, const char *command, const char *arguments)
{
	char *reply = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_qmp_execute(qmp, command, arguments, NULL, &reply, &error) < 0)
		g_error("%s: %s", command, utm_error_get_message(error));
	return reply;
}

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
	g_autofree char *qemu = g_find_program_in_path(QEMU);
	if (!qemu) {
		g_print("1..0 # SKIP there is no " QEMU "\n");
		return 0;
	}
	g_test_add_func("/qmp/real/commands", test_commands);
	g_test_add_func("/qmp/real/schema", test_schema);
	g_test_add_func("/qmp/real/events-and-quit", test_events_and_quit);
	g_test_add_func("/qmp/real/second-client", test_second_client);
	g_test_add_func("/qmp/real/killed", test_killed);
	g_test_add_func("/qmp/real/stalled", test_stalled);
	context = utm_context_new(NULL, NULL);
	int result = g_test_run();
	utm_context_unref(context);
	return result;
}
