/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client against QEMU itself: a machine without hardware, which needs no firmware. */
#include "real-qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

	utm_free(execute(qmp, "quit", NULL));
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
	g_autoptr(UtmError) error = NULL;
	options.timeout_ms = 1000;
	kill(machine.pid, SIGSTOP);
	g_assert_cmpint(utm_qmp_execute(qmp, "query-version", NULL, &options, NULL, &error), ==, UTM_ERROR_QMP_STALLED);
	g_assert_cmpstr(utm_error_get_message(error), ==,
	                "query-version was not answered within 1000 ms; nothing at all came from the monitor meanwhile");
	kill(machine.pid, SIGCONT);
	assert_reply_contains(qmp, "query-status", "\"running\":true");
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

/* ---------------------------------------------------------------- a QEMU that is busy */

typedef struct Answers {
	int good, bad;
	int last_code;
} Answers;

static void on_answer(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Answers *answers = data;
	answers->good += error == NULL;
	answers->bad += error != NULL;
	answers->last_code = error ? utm_error_get_code(error) : 0;
	if (error)
		g_test_message("%s", utm_error_get_message(error));
}

static void begin(UtmQmp *qmp, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                  Answers *answers)
{
	g_assert_cmpint(utm_qmp_execute_async(qmp, command, arguments, options, on_answer, answers, NULL, NULL), ==, 0);
}

/* QEMU's main loop hangs in this command until somebody opens the fifo for reading. */
static char *block(Machine *machine, UtmQmp *qmp, Answers *answers)
{
	char *fifo = g_build_filename(machine->dir, "fifo", NULL);
	g_autofree char *arguments = g_strdup_printf("{\"val\":0,\"size\":1,\"filename\":\"%s\"}", fifo);
	g_unlink(fifo);
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	begin(qmp, "pmemsave", arguments, NULL, answers);
	/* Until it surely hangs. */
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	g_autoptr(UtmError) error = NULL;
	options.timeout_ms = 200;
	g_assert_cmpint(utm_qmp_execute(qmp, "query-name", NULL, &options, NULL, &error), ==, UTM_ERROR_TIMEOUT);
	g_assert_true(g_str_has_prefix(utm_error_get_message(error),
	                               "query-name was not answered within 200 ms, behind `pmemsave`, sent "));
	return fifo;
}

static void unblock(char *fifo_taken)
{
	int fd = open(fifo_taken, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	g_assert_cmpint(fd, >=, 0);
	g_usleep(50000);
	close(fd);
	g_free(fifo_taken);
}

static void test_busy(void)
{
	Machine machine;
	Answers answers = { 0 };
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	unblock(block(&machine, qmp, &answers));
	assert_reply_contains(qmp, "query-status", "\"running\":true");
	wait_for_count(&answers.good, 1);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

#define MANY 20

/* Behind any number of others, and while QEMU's main loop hangs in a command of this monitor, or of another one. */
static void test_out_of_band(void)
{
	UtmQmpCallOptions beside = UTM_QMP_CALL_OPTIONS_INIT;
	beside.flags = UTM_QMP_CALL_OOB;
	for (int other = 0; other < 2; other++) {
		Machine machine;
		Answers blocking = { 0 }, answers = { 0 };
		char *reply = NULL;
		machine_start(&machine);
		g_autofree char *second_path = g_build_filename(machine.dir, "second", NULL);
		UtmQmp *qmp = connect_with(machine.path, UTM_QMP_CONNECT_OOB);
		UtmQmp *second = connect_with(second_path, 0);
		g_assert_true(utm_qmp_has_oob(qmp));
		g_assert_false(utm_qmp_has_oob(second));
		g_assert_cmpint(utm_qmp_execute(second, "query-yank", NULL, &beside, NULL, NULL), ==, UTM_ERROR_NOT_SUPPORTED);
		char *fifo = block(&machine, other ? second : qmp, &blocking);
		for (int i = 0; i < MANY; i++)
			begin(qmp, "query-status", NULL, NULL, &answers);
		g_assert_cmpint(utm_qmp_execute(qmp, "query-yank", NULL, &beside, &reply, NULL), ==, 0);
		g_assert_nonnull(strstr(reply, "\"chardev\""));
		utm_free(reply);
		g_assert_cmpint(answers.good + answers.bad, ==, 0);
		unblock(fifo);
		wait_for_count(&answers.good, MANY);
		wait_for_count(&blocking.good, 1);
		/* In band is fine, too; and what cannot go out of band is QEMU's to refuse. */
		utm_free(execute(qmp, "query-yank", NULL));
		g_assert_cmpint(utm_qmp_execute(qmp, "query-status", NULL, &beside, NULL, NULL), ==, UTM_ERROR_QMP_COMMAND);
		utm_qmp_unref(second);
		utm_qmp_unref(qmp);
		machine_end(&machine);
	}
}

/* ---------------------------------------------------------------- descriptors */

#define DESCRIPTORS 4

/* All at once, between other commands: none is lost, with or without a server that reads ahead. */
static void test_descriptors(void)
{
	for (uint32_t flags = 0; flags <= UTM_QMP_CONNECT_OOB; flags += UTM_QMP_CONNECT_OOB) {
		Machine machine;
		Answers answers = { 0 };
		machine_start(&machine);
		UtmQmp *qmp = connect_with(machine.path, flags);
		for (int i = 0; i < DESCRIPTORS; i++) {
			int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
			UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
			g_autofree char *arguments = g_strdup_printf("{\"fdname\":\"fd-%d\"}", i);
			options.fd = &fd;
			begin(qmp, "getfd", arguments, &options, &answers);
			close(fd);
			begin(qmp, "query-name", NULL, NULL, &answers);
			options = (UtmQmpCallOptions)UTM_QMP_CALL_OPTIONS_INIT;
			options.flags = UTM_QMP_CALL_OOB;
			if (flags)
				begin(qmp, "query-yank", NULL, &options, &answers);
		}
		wait_for_count(&answers.good, DESCRIPTORS * (flags ? 3 : 2));
		g_assert_cmpint(answers.bad, ==, 0);
		for (int i = 0; i < DESCRIPTORS; i++) {
			g_autofree char *arguments = g_strdup_printf("{\"fdname\":\"fd-%d\"}", i);
			utm_free(execute(qmp, "closefd", arguments));
		}
		/* Without one QEMU says so; and a name that it refuses does no harm. */
		g_autoptr(UtmError) error = NULL;
		UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
		int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		options.fd = &fd;
		g_assert_cmpint(utm_qmp_execute(qmp, "getfd", "{\"fdname\":\"x\"}", NULL, NULL, NULL), ==,
		                UTM_ERROR_QMP_COMMAND);
		g_assert_cmpint(utm_qmp_execute(qmp, "getfd", "{\"fdname\":\"1\"}", &options, NULL, NULL), ==,
		                UTM_ERROR_QMP_COMMAND);
		g_assert_cmpint(utm_qmp_execute(qmp, "getfd", "{\"fdname\":\"x\"}", &options, NULL, &error), ==, 0);
		close(fd);
		utm_qmp_unref(qmp);
		machine_end(&machine);
	}
}

/* What QEMU writes to a pipe arrives: the first bytes of a migration. */
static void test_content(void)
{
	Machine machine;
	int fds[2];
	char bytes[4];
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	g_assert_cmpint(pipe(fds), ==, 0);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.fd = &fds[1];
	g_assert_cmpint(utm_qmp_execute(qmp, "getfd", "{\"fdname\":\"out\"}", &options, NULL, NULL), ==, 0);
	close(fds[1]);
	utm_free(execute(qmp, "migrate", "{\"uri\":\"fd:out\"}"));
	g_assert_cmpint(read(fds[0], bytes, sizeof bytes), ==, sizeof bytes);
	g_assert_cmpmem(bytes, sizeof bytes, "QEVM", 4);
	close(fds[0]);
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

static void test_descriptor_sets(void)
{
	Machine machine;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	char *reply = NULL;
	g_autofree char *path = g_build_filename(machine.dir, "disk", NULL);
	g_assert_true(g_file_set_contents(path, "content of a disk", -1, NULL));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	g_unlink(path);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.fd = &fd;
	g_assert_cmpint(utm_qmp_execute(qmp, "add-fd", "{\"fdset-id\":7,\"opaque\":\"ours\"}", &options, &reply, NULL), ==, 0);
	g_assert_nonnull(strstr(reply, "\"fdset-id\":7"));
	utm_free(reply);
	close(fd);
	assert_reply_contains(qmp, "query-fdsets", "\"opaque\":\"ours\"");
	/* The file has no name any more: QEMU can only have it from us. */
	utm_free(execute(qmp, "blockdev-add", "{\"node-name\":\"d\",\"driver\":\"file\",\"read-only\":true,"
	                                      "\"filename\":\"/dev/fdset/7\"}"));
	utm_free(execute(qmp, "blockdev-del", "{\"node-name\":\"d\"}"));
	utm_free(execute(qmp, "remove-fd", "{\"fdset-id\":7}"));
	assert_reply_contains(qmp, "query-fdsets", "[]");
	utm_qmp_unref(qmp);
	machine_end(&machine);
}

/* ---------------------------------------------------------------- TCP */

static guint16 tcp_port(UtmQmp *qmp)
{
	g_autofree char *chardevs = execute(qmp, "query-chardev", NULL);
	g_auto(GStrv) parts = g_strsplit(chardevs, "tcp:127.0.0.1:", 2);
	g_assert_nonnull(parts[1]);
	return (guint16)g_ascii_strtoull(parts[1], NULL, 10);
}

static void test_tcp(void)
{
	Machine machine;
	UtmQmp *tcp = NULL;
	machine_start(&machine);
	UtmQmp *qmp = machine_connect(&machine);
	guint16 port = tcp_port(qmp);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.flags = UTM_QMP_CONNECT_OOB;
	g_assert_cmpint(utm_qmp_connect_tcp(context, "127.0.0.1", port, &options, &tcp, NULL), ==, 0);
	g_assert_true(utm_qmp_has_oob(tcp));
	assert_reply_contains(tcp, "query-status", "\"running\":true");
	g_autofree char *schema = execute(tcp, "query-qmp-schema", NULL);
	g_assert_cmpuint(strlen(schema), >, 150000);
	int fd = 0;
	UtmQmpCallOptions with_fd = UTM_QMP_CALL_OPTIONS_INIT;
	with_fd.fd = &fd;
	g_assert_cmpint(utm_qmp_execute(tcp, "getfd", "{\"fdname\":\"x\"}", &with_fd, NULL, NULL), ==,
	                UTM_ERROR_NOT_SUPPORTED);
	utm_qmp_unref(tcp);
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
	g_test_add_func("/qmp/real/busy", test_busy);
	g_test_add_func("/qmp/real/out-of-band", test_out_of_band);
	g_test_add_func("/qmp/real/descriptors", test_descriptors);
	g_test_add_func("/qmp/real/content", test_content);
	g_test_add_func("/qmp/real/descriptor-sets", test_descriptor_sets);
	g_test_add_func("/qmp/real/tcp", test_tcp);
	return real_main();
}
