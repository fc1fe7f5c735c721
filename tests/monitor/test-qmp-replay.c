/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions recorded and played: with QEMU itself, by hand, with wrong commands, and from files of all bad kinds. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utm/qmp-commands.h>

#define QEMU "qemu-system-x86_64"

static char *directory;

static char *make_path(const char *name)
{
	return g_build_filename(directory, name, NULL);
}

static char *read_text(const char *path)
{
	char *text = NULL;
	g_autoptr(GError) error = NULL;
	if (!g_file_get_contents(path, &text, NULL, &error))
		g_error("%s", error->message);
	return text;
}

/* A recording with ' for ", in a file that is always the same one. */
static char *write_bytes(const char *text, gssize length)
{
	g_autofree char *quoted = g_strndup(text, length < 0 ? strlen(text) : (gsize)length);
	char *path = make_path("by-hand.jsonl");
	for (char *p = quoted; length < 0 && *p; p++)
		*p = *p == '\'' ? '"' : *p;
	g_assert_true(g_file_set_contents(path, length < 0 ? quoted : text, length, NULL));
	return path;
}

#define GREETING "{'from':'monitor','message':{'QMP':{'version':{'qemu':{'major':7,'minor':2,'micro':0}}}}}\n"
#define ASKS(command) "{'from':'client','message':{" command "}}\n"
#define SAYS(message) "{'from':'monitor','message':{" message "}}\n"
#define EVENT(name) SAYS("'event':'" name "','timestamp':{'seconds':1,'microseconds':2}")

static UtmQmp *replay_file(const char *path, guint32 flags)
{
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	UtmQmp *qmp = NULL;
	g_autoptr(UtmError) error = NULL;
	options.flags = flags;
	if (utm_qmp_connect_replay(context, path, &options, &qmp, &error) < 0)
		g_error("%s", utm_error_get_message(error));
	return qmp;
}

static UtmQmp *replay_text(const char *text, guint32 flags)
{
	g_autofree char *path = write_bytes(text, -1);
	UtmQmp *qmp = replay_file(path, flags);
	g_unlink(path); /* it was read */
	return qmp;
}

static void assert_answer(UtmQmp *qmp, const char *command, const char *arguments, const char *answer)
{
	g_autofree char *reply = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_qmp_execute(qmp, command, arguments, NULL, &reply, &error) < 0)
		g_error("%s: %s", command, utm_error_get_message(error));
	g_assert_cmpstr(reply, ==, answer);
}

static void assert_refused(UtmQmp *qmp, const char *command, const char *arguments, const char *part)
{
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qmp_execute(qmp, command, arguments, NULL, NULL, &error), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_qmp_class(error), ==, "ReplayMismatch");
	if (!strstr(utm_error_get_message(error), part))
		g_error("%s has no %s", utm_error_get_message(error), part);
}

static void assert_check(UtmQmp *qmp, int code, const char *part)
{
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qmp_check_replay(qmp, &error), ==, code);
	if (part && !strstr(utm_error_get_message(error), part))
		g_error("%s has no %s", utm_error_get_message(error), part);
	g_assert_true(!part || utm_error_get_file(error));
}

static UtmQmpSubscription *subscribe(UtmQmp *qmp)
{
	UtmQmpSubscription *subscription = NULL;
	g_assert_cmpint(utm_qmp_subscribe(qmp, NULL, NULL, NULL, NULL, &subscription, NULL), ==, 0);
	return subscription;
}

/* The next event as text, or that there is none within the time. */
static char *next_event(UtmQmpSubscription *subscription, int timeout_ms)
{
	UtmQmpWaitOptions options = UTM_QMP_WAIT_OPTIONS_INIT;
	const UtmQmpEvent *event = NULL;
	options.timeout_ms = timeout_ms;
	int result = utm_qmp_subscription_wait(subscription, NULL, NULL, &options, &event, NULL);
	if (result < 0)
		return g_strdup(result == UTM_ERROR_TIMEOUT ? "none" : "end");
	g_autofree char *payload = NULL;
	if (event->payload)
		g_assert_cmpint(utm_struct_to_json(event->payload, &payload, NULL), ==, 0);
	char *text = g_strdup_printf("%s %s %s %" G_GINT64_FORMAT, event->name, event->data, payload, event->timestamp_us);
	utm_qmp_event_unref(event);
	return text;
}

static void assert_event(UtmQmpSubscription *subscription, const char *name)
{
	g_autofree char *text = next_event(subscription, strcmp(name, "none") ? PATIENCE_MS : 50);
	if (!g_str_has_prefix(text, name))
		g_error("%s instead of %s", text, name);
}

/* ---------------------------------------------------------------- with QEMU */

/* Everything that a program saw of a session. */
typedef struct Story {
	GString *text;
	int answers;
} Story;

static void tell(Story *story, const char *what, const char *reply, const UtmError *error)
{
	g_string_append_printf(story->text, "%s: %s", what, reply ? reply : "-");
	if (error)
		g_string_append_printf(story->text, " %d %s %s", utm_error_get_code(error), utm_error_get_qmp_class(error),
		                       utm_error_get_message(error));
	g_string_append_c(story->text, '\n');
}

static void raw(Story *story, UtmQmp *qmp, const char *command, const char *arguments)
{
	g_autofree char *reply = NULL;
	g_autoptr(UtmError) error = NULL;
	utm_qmp_execute(qmp, command, arguments, NULL, &reply, &error);
	tell(story, command, reply, error);
}

static void typed(Story *story, UtmQmp *qmp)
{
	g_autoptr(UtmError) error = NULL;
	UtmQmpStatusInfo *status = NULL;
	g_autofree char *json = NULL, *text = NULL;
	g_assert_cmpint(utm_qmp_query_status(qmp, NULL, NULL, &status, &error), ==, 0);
	g_assert_true(status->running);
	g_assert_cmpint(utm_qmp_status_info_to_json(status, &json, NULL), ==, 0);
	tell(story, "typed query-status", json, NULL);
	utm_qmp_status_info_free(status);

	/* For this the library asks on its own, and not each time. */
	bool has[2] = { false, true };
	g_assert_cmpint(utm_qmp_has(qmp, "blockdev-add", NULL, &has[0], &error), ==, 0);
	g_assert_cmpint(utm_qmp_has(qmp, "blockdev-fly", NULL, &has[1], &error), ==, 0);
	g_assert_true(has[0] && !has[1]);

	UtmQmpBlockdevAddArgs *disk = utm_qmp_blockdev_options_new();
	disk->driver = UTM_QMP_BLOCKDEV_DRIVER_NULL_CO;
	utm_set_string(&disk->node_name, "disk0");
	disk->u.null_co = utm_qmp_blockdev_options_null_new();
	disk->u.null_co->has_size = true;
	disk->u.null_co->size = 1 << 20;
	g_assert_cmpint(utm_qmp_blockdev_add(qmp, disk, NULL, &error), ==, 0);
	g_assert_cmpint(utm_qmp_blockdev_add(qmp, disk, NULL, &error), ==, UTM_ERROR_QMP_COMMAND);
	tell(story, "typed blockdev-add twice", NULL, error);
	utm_qmp_blockdev_options_free(disk);

	UtmQmpHumanMonitorCommandArgs *args = utm_qmp_human_monitor_command_args_new();
	utm_set_string(&args->command_line, "info version");
	g_assert_cmpint(utm_qmp_human_monitor_command(qmp, args, NULL, &text, NULL), ==, 0);
	tell(story, "typed human-monitor-command", text, NULL);
	utm_qmp_human_monitor_command_args_free(args);
}

static void on_reply(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Story *story = data;
	tell(story, "asynchronous", reply, error);
	story->answers++;
}

static void asynchronous(Story *story, UtmQmp *qmp)
{
	static const char *const commands[] = { "query-name", "query-kvm", "no-such-command", "query-named-block-nodes",
		                                "query-uuid" };
	story->answers = 0;
	for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
		g_assert_cmpint(utm_qmp_execute_async(qmp, commands[i], NULL, NULL, on_reply, story, NULL, NULL), ==, 0);
	wait_for(story->answers == G_N_ELEMENTS(commands));
}

/* What is done with QEMU, and done again with its recording. (transfer full) */
static char *live(UtmQmp *qmp)
{
	Story story = { .text = g_string_new(NULL) };
	UtmQmpSubscription *events = subscribe(qmp);
	g_string_append_printf(story.text, "%s %u %d\n", utm_qmp_get_greeting(qmp), utm_qmp_get_qemu_version(qmp),
	                       utm_qmp_has_oob(qmp));
	typed(&story, qmp);
	raw(&story, qmp, "stop", NULL);
	raw(&story, qmp, "query-status", NULL);
	raw(&story, qmp, "cont", "{}");
	raw(&story, qmp, "qom-get", "{\"path\":\"/nowhere\",\"property\":\"\\u00e4\\ud83d\\ude00\"}");
	raw(&story, qmp, "query-qmp-schema", NULL);
	raw(&story, qmp, "human-monitor-command", "{ \"command-line\" : \"info status\" }");
	asynchronous(&story, qmp);
	raw(&story, qmp, "quit", NULL);
	for (g_autofree char *event = NULL; g_strcmp0(event, "end"); g_string_append_printf(story.text, "%s\n", event)) {
		g_free(event);
		event = next_event(events, PATIENCE_MS);
		g_assert_cmpstr(event, !=, "none");
	}
	utm_qmp_subscription_unref(events);
	return g_string_free(story.text, FALSE);
}

/* A test that fails leaves no QEMU behind. */
static void die_with_parent(gpointer unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static UtmQmp *connect_patiently(const char *socket_path, const UtmQmpConnectOptions *options)
{
	UtmQmp *qmp = NULL;
	for (int i = 0; i < PATIENCE_MS && !qmp; i++) {
		int result = utm_qmp_connect_path(context, socket_path, options, &qmp, NULL);
		g_assert_true(result == 0 || result == UTM_ERROR_NOT_FOUND || result == UTM_ERROR_IO);
		if (result < 0)
			g_usleep(1000);
	}
	g_assert_nonnull(qmp);
	return qmp;
}

/* Records a session with QEMU. (transfer full) */
static char *live_with_qemu(const char *recording, guint32 flags)
{
	g_autofree char *socket_path = make_path("qmp"), *argument = g_strdup_printf("unix:%s,server=on,wait=off", socket_path);
	char *argv[] = { QEMU, "-M", "none", "-nodefaults", "-display", "none", "-qmp", argument, NULL };
	GPid pid;
	g_autoptr(GError) error = NULL;
	if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, &pid,
	                   &error))
		g_error("%s", error->message);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.record_file = recording;
	options.flags = flags;
	UtmQmp *qmp = connect_patiently(socket_path, &options);
	char *story = live(qmp);
	g_assert_cmpint(utm_qmp_record_stop(qmp, NULL), ==, 0);
	utm_qmp_unref(qmp);
	waitpid(pid, NULL, 0);
	g_unlink(socket_path);
	return story;
}

static void test_qemu(gconstpointer flags_pointer)
{
	guint32 flags = GPOINTER_TO_UINT(flags_pointer);
	g_autofree char *program = g_find_program_in_path(QEMU);
	if (!program) {
		g_test_skip("there is no " QEMU);
		return;
	}
	g_autofree char *path = make_path("qemu.jsonl"), *again = make_path("again.jsonl");
	g_autofree char *first = live_with_qemu(path, flags);
	g_assert_nonnull(strstr(first, "STOP"));
	g_assert_nonnull(strstr(first, "SHUTDOWN"));
	UtmQmp *qmp = replay_file(path, flags);
	g_autofree char *second = live(qmp);
	g_assert_cmpstr(first, ==, second);
	assert_check(qmp, 0, NULL);
	utm_qmp_unref(qmp);

	/* A recording of a replay is as good. */
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.flags = UTM_QMP_CONNECT_REPLAY_UNORDERED | flags;
	options.record_file = again;
	g_assert_cmpint(utm_qmp_connect_replay(context, path, &options, &qmp, NULL), ==, 0);
	utm_free(live(qmp));
	g_assert_cmpint(utm_qmp_record_stop(qmp, NULL), ==, 0);
	utm_qmp_unref(qmp);
	qmp = replay_file(again, flags | UTM_QMP_CONNECT_REPLAY_PACED);
	g_autofree char *third = live(qmp);
	g_assert_cmpstr(first, ==, third);
	utm_qmp_unref(qmp);
	g_unlink(path);
	g_unlink(again);
}

/* ---------------------------------------------------------------- by hand */

/* The recording that the documentation shows. */
static char *documented_recording(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "..", "docs", "qmp-recordings.md", NULL);
	g_autofree char *text = read_text(path);
	char *start = strstr(text, "```json\n") + strlen("```json\n"), *end = strstr(start, "```\n");
	g_assert_true(start < end);
	return g_strndup(start, (gsize)(end - start));
}

static void test_documented(void)
{
	g_autofree char *text = documented_recording();
	g_autofree char *path = write_bytes(text, (gssize)strlen(text));
	UtmQmp *qmp = replay_file(path, 0);
	UtmQmpSubscription *events = subscribe(qmp);
	UtmQmpStatusInfo *status = NULL;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpuint(utm_qmp_get_qemu_version(qmp), ==, 7002000);
	g_assert_cmpint(utm_qmp_query_status(qmp, NULL, NULL, &status, NULL), ==, 0);
	g_assert_true(status->running && status->status == UTM_QMP_RUN_STATE_RUNNING);
	utm_qmp_status_info_free(status);
	assert_answer(qmp, "stop", NULL, "{}");
	assert_event(events, "STOP (null) (null) 1700000000000000");
	assert_check(qmp, UTM_ERROR_INVALID_STATE, "2 of the recorded commands were not sent, the first of line 7: device_del");
	g_assert_cmpint(utm_qmp_execute(qmp, "device_del", "{\"id\":\"usb1\"}", NULL, NULL, &error), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_qmp_class(error), ==, "DeviceNotFound");
	assert_answer(qmp, "quit", NULL, "{}");
	assert_event(events, "end");
	assert_check(qmp, 0, NULL);
	utm_qmp_subscription_unref(events);
	utm_qmp_unref(qmp);
	g_unlink(path);
}

/* Whatever is left of a recording after a cut is one, or is refused with its line; nothing else happens. */
static void test_cut(void)
{
	g_autofree char *text = documented_recording();
	g_autofree char *path = write_bytes(text, (gssize)strlen(text));
	guint good = 0, lines = 11;
	for (gsize length = strlen(text); length + 1 > 0; length--) {
		bool whole = length > 0 && text[length - 1] == '\n';
		g_assert_cmpint(truncate(path, (off_t)length), ==, 0);
		lines -= length < strlen(text) && text[length] == '\n';
		g_autofree char *place = g_strdup_printf("line %u of", lines + 1);
		UtmQmp *qmp = NULL;
		g_autoptr(UtmError) error = NULL;
		int result = utm_qmp_connect_replay(context, path, NULL, &qmp, &error);
		g_assert_cmpint(result, ==, whole ? 0 : UTM_ERROR_QMP_MALFORMED);
		g_assert_true(!error || strstr(utm_error_get_message(error), place));
		g_assert_true(!error || strcmp(utm_error_get_file(error), path) == 0);
		good += result == 0;
		if (result == 0 && lines >= 3)
			assert_answer(qmp, "query-status", NULL, "{\"running\":true,\"singlestep\":false,\"status\":\"running\"}");
		if (result == 0 && lines == 1)
			assert_refused(qmp, "query-status", NULL, "the recording is over");
		utm_qmp_unref(qmp);
	}
	g_assert_cmpuint(lines, ==, 0);
	g_assert_cmpuint(good, ==, 11);
	g_unlink(path);
}

static const char mixed[] =
	GREETING
	ASKS("'execute':'qmp_capabilities','id':0")
	EVENT("EARLY")
	SAYS("'return':{},'id':0")
	EVENT("BEFORE")
	ASKS("'execute':'a','arguments':{'x':1,'y':[{'p':null,'q':'\\u00e4'},1.5]},'id':'one'")
	EVENT("DURING")
	SAYS("'id':'one','return':[1e2,{'z':1,'a':2}]")
	EVENT("AFTER")
	ASKS("'execute':'b','arguments':{},'id':2")
	ASKS("'exec-oob':'c','id':3")
	SAYS("'return':'c','id':3")
	EVENT("BETWEEN")
	SAYS("'return':'b','id':2")
	ASKS("'execute':'b','id':2")
	SAYS("'return':'again','id':2");

static void test_order(void)
{
	UtmQmp *qmp = replay_text(mixed, 0);
	/* Events before the first command wait for somebody who wants them. */
	g_usleep(20000);
	UtmQmpSubscription *events = subscribe(qmp);
	assert_event(events, "BEFORE");
	assert_event(events, "none");
	/* Wrong ones change nothing. */
	assert_refused(qmp, "b", NULL, "does not have this command here: b; line 6 expects: a {\"x\":1,\"y\":[{");
	assert_refused(qmp, "a", NULL, "line 6");
	assert_refused(qmp, "a", "{\"x\":1.0,\"y\":[{\"p\":null,\"q\":\"\\u00e4\"},1.5]}", "line 6");
	assert_event(events, "none");
	/* Values are compared, and answers come as they were written. */
	assert_answer(qmp, "a", "{ \"y\": [{\"q\":\"\xc3\xa4\",\"p\":null}, 15e-1], \"x\":1 }", "[1e2,{\"z\":1,\"a\":2}]");
	assert_event(events, "DURING");
	assert_event(events, "AFTER");
	/* The answer of b came after c had been sent: it does again. */
	Story story = { .text = g_string_new(NULL) };
	utm_qmp_execute_async(qmp, "b", NULL, NULL, on_reply, &story, NULL, NULL);
	assert_event(events, "none");
	g_assert_cmpint(utm_context_dispatch(context, 0), ==, 0);
	utm_qmp_execute_async(qmp, "c", "{}", NULL, on_reply, &story, NULL, NULL);
	wait_for(story.answers == 2);
	g_assert_cmpstr(story.text->str, ==, "asynchronous: \"c\"\nasynchronous: \"b\"\n");
	assert_event(events, "BETWEEN");
	assert_answer(qmp, "b", NULL, "\"again\"");
	assert_refused(qmp, "b", NULL, "the recording is over");
	assert_check(qmp, UTM_ERROR_NOT_FOUND, "line 6 expects");
	assert_event(events, "none");
	g_string_free(story.text, TRUE);
	utm_qmp_subscription_unref(events);
	utm_qmp_unref(qmp);
}

/* A client that does not send what the recorded one had sent meanwhile does not wait for ever. */
static void test_another_way(void)
{
	UtmQmp *qmp = replay_text(GREETING ASKS("'execute':'a','id':1") ASKS("'execute':'b','id':2") EVENT("E")
	                          SAYS("'return':1,'id':1") SAYS("'return':2,'id':2"), 0);
	UtmQmpSubscription *events = subscribe(qmp);
	assert_answer(qmp, "a", NULL, "1");
	assert_event(events, "E"); /* which was said before that answer */
	assert_refused(qmp, "c", NULL, "line 3 expects: b");
	assert_answer(qmp, "b", NULL, "2");
	assert_event(events, "none");
	assert_check(qmp, UTM_ERROR_NOT_FOUND, "line 3");
	utm_qmp_subscription_unref(events);
	utm_qmp_unref(qmp);
}

static void test_unordered(void)
{
	UtmQmp *qmp = replay_text(mixed, UTM_QMP_CONNECT_REPLAY_UNORDERED);
	UtmQmpSubscription *events = subscribe(qmp);
	assert_event(events, "BEFORE");
	assert_answer(qmp, "c", NULL, "\"c\"");
	assert_event(events, "BETWEEN");
	assert_answer(qmp, "b", NULL, "\"b\"");
	assert_answer(qmp, "b", "{}", "\"again\"");
	assert_refused(qmp, "b", NULL, "line 6 expects: a");
	assert_event(events, "none");
	assert_answer(qmp, "a", "{\"y\":[{\"p\":null,\"q\":\"\\u00e4\"},1.5],\"x\":1}", "[1e2,{\"z\":1,\"a\":2}]");
	assert_event(events, "DURING");
	assert_event(events, "AFTER");
	assert_check(qmp, UTM_ERROR_NOT_FOUND, "b");
	utm_qmp_subscription_unref(events);
	utm_qmp_unref(qmp);
}

/* What the library may ask on its own, at times of its own. */
static void test_aside(void)
{
	UtmQmp *qmp = replay_text(GREETING ASKS("'execute':'a','id':1") SAYS("'return':{},'id':1")
	                          ASKS("'execute':'query-qmp-schema','id':1") SAYS("'return':[],'id':1")
	                          ASKS("'execute':'b','id':1") SAYS("'return':{},'id':1"), 0);
	assert_answer(qmp, "query-qmp-schema", NULL, "[]");
	assert_answer(qmp, "a", NULL, "{}");
	assert_answer(qmp, "b", NULL, "{}");
	assert_answer(qmp, "query-qmp-schema", NULL, "[]");
	assert_check(qmp, 0, NULL);
	utm_qmp_unref(qmp);
	qmp = replay_text(GREETING, 0);
	g_assert_cmpint(utm_qmp_execute(qmp, "query-qmp-schema", NULL, NULL, NULL, NULL), ==, UTM_ERROR_QMP_COMMAND);
	assert_check(qmp, 0, NULL);
	utm_qmp_unref(qmp);
}

/* Only that it is not faster than it was: how slow a busy host is says nothing. */
static void test_paced(void)
{
	static const char text[] = GREETING ASKS("'execute':'a'")
	                           "{'us':150000,'from':'monitor','message':{'event':'E'}}\n"
	                           "{'us':250000,'from':'monitor','message':{'return':1}}\n";
	for (guint32 flags = UTM_QMP_CONNECT_REPLAY_PACED;; flags |= UTM_QMP_CONNECT_REPLAY_UNORDERED) {
		UtmQmp *qmp = replay_text(text, flags);
		UtmQmpSubscription *events = subscribe(qmp);
		gint64 start_us = g_get_monotonic_time();
		utm_qmp_execute_async(qmp, "a", NULL, NULL, NULL, NULL, NULL, NULL);
		assert_event(events, "E");
		g_assert_cmpint(g_get_monotonic_time() - start_us, >=, 150000);
		assert_refused(qmp, "b", NULL, "over");
		utm_qmp_subscription_unref(events);
		utm_qmp_unref(qmp);
		qmp = replay_text(text, flags);
		start_us = g_get_monotonic_time();
		assert_answer(qmp, "a", NULL, "1");
		g_assert_cmpint(g_get_monotonic_time() - start_us, >=, 250000);
		utm_qmp_unref(qmp);
		if (flags & UTM_QMP_CONNECT_REPLAY_UNORDERED)
			break;
	}
}

/* How the recorded session ended is how the replay does. */
static void test_ends(void)
{
	static const char end[] = "{'from':'monitor','end':'the monitor closed the connection'}\n";
	g_autofree char *in_call = g_strconcat(GREETING ASKS("'execute':'a'"), end, NULL);
	UtmQmp *qmp = replay_text(in_call, 0);
	g_assert_cmpint(utm_qmp_execute(qmp, "a", NULL, NULL, NULL, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	assert_check(qmp, 0, NULL);
	utm_qmp_unref(qmp);

	g_autofree char *later = g_strconcat(GREETING, EVENT("SHUTDOWN"), end, NULL);
	qmp = replay_text(later, 0);
	UtmQmpSubscription *events = subscribe(qmp);
	assert_event(events, "SHUTDOWN");
	assert_event(events, "end");
	utm_qmp_subscription_unref(events);
	utm_qmp_unref(qmp);

	/* While it negotiated. */
	g_autofree char *early = g_strconcat(GREETING ASKS("'execute':'qmp_capabilities','id':0"), end, NULL);
	g_autofree char *path = write_bytes(early, -1);
	g_assert_cmpint(utm_qmp_connect_replay(context, path, NULL, &qmp, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	g_free(write_bytes(GREETING ASKS("'execute':'qmp_capabilities','id':0")
	                   SAYS("'error':{'class':'GenericError','desc':'no'},'id':0"), -1));
	g_assert_cmpint(utm_qmp_connect_replay(context, path, NULL, &qmp, NULL), ==, UTM_ERROR_QMP_PROTOCOL);
	g_unlink(path);

	/* A command without an answer. */
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = 50;
	qmp = replay_text(GREETING ASKS("'execute':'a'"), 0);
	g_assert_cmpint(utm_qmp_execute(qmp, "a", NULL, &options, NULL, NULL), ==, UTM_ERROR_TIMEOUT);
	/* Closed and let go while things are under way. */
	utm_qmp_execute_async(qmp, "a", NULL, NULL, NULL, NULL, NULL, NULL);
	utm_qmp_close(qmp);
	utm_qmp_unref(qmp);
}

/* ---------------------------------------------------------------- bad files */

static void test_malformed(void)
{
	static const struct {
		const char *text;
		int line;
	} cases[] = {
		{ "", 1 },
		{ "\n \t\r\n", 3 },
		{ "garbage\n", 1 },
		{ GREETING "garbage\n", 2 },
		{ GREETING "[]\n", 2 },
		{ GREETING "{}\n", 2 },
		{ GREETING "{} {}\n", 2 },
		{ GREETING "{'from':'nobody','message':{}}\n", 2 },
		{ GREETING "{'from':'monitor'}\n", 2 },
		{ GREETING "{'from':'client','end':'x'}\n", 2 },
		{ GREETING "{'message':{'event':'E'}}\n", 2 },
		{ GREETING "{'us':-1,'from':'monitor','message':{'event':'E'}}\n", 2 },
		{ GREETING "{'us':1.5,'from':'monitor','message':{'event':'E'}}\n", 2 },
		{ GREETING "{'us':99999999999999999999,'from':'monitor','message':{'event':'E'}}\n", 2 },
		{ GREETING "{'from':'monitor','message':[]}\n", 2 },
		{ GREETING SAYS(""), 2 },
		{ GREETING SAYS("'event':1"), 2 },
		{ GREETING SAYS("'event':'E','return':1"), 2 },
		{ GREETING SAYS("'error':'x'"), 2 },
		{ GREETING ASKS(""), 2 },
		{ GREETING ASKS("'execute':1"), 2 },
		{ GREETING ASKS("'execute':'a','execute':'b'"), 2 },
		{ GREETING ASKS("'execute':'a\\u0000b'"), 2 },
		{ GREETING ASKS("'execute':'a','arguments':[]"), 2 },
		{ GREETING ASKS("'execute':'a','arguments':{'x':\xff}"), 2 },
		{ GREETING GREETING, 2 },
		{ SAYS("'event':'E'"), 1 },
		{ ASKS("'execute':'qmp_capabilities'"), 1 },
		{ "{'from':'monitor','end':'x'}\n", 1 },
		{ GREETING "{'from':'monitor','end':'x'}\n" EVENT("E"), 3 },
		{ GREETING ASKS("'execute':'qmp_capabilities','id':0") SAYS("'return':{},'id':0") SAYS("'return':{},'id':1"), 4 },
		{ GREETING ASKS("'execute':'qmp_capabilities','id':0") SAYS("'return':{},'id':0")
		  ASKS("'execute':'a','id':1") SAYS("'return':{},'id':2"), 5 },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = write_bytes(cases[i].text, -1);
		g_autofree char *place = g_strdup_printf("line %d of the recording: ", cases[i].line);
		UtmQmp *qmp = NULL;
		g_autoptr(UtmError) error = NULL;
		int result = utm_qmp_connect_replay(context, path, NULL, &qmp, &error);
		if (result != UTM_ERROR_QMP_MALFORMED || !g_str_has_prefix(utm_error_get_message(error), place))
			g_error("case %u: %d %s", i, result, utm_error_get_message(error));
		g_assert_cmpstr(utm_error_get_file(error), ==, path);
		g_assert_null(qmp);
	}
}

static void assert_too_much(const char *path)
{
	UtmQmp *qmp = NULL;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qmp_connect_replay(context, path, NULL, &qmp, &error), ==, UTM_ERROR_LIMIT);
	g_assert_cmpstr(utm_error_get_file(error), ==, path);
}

static void test_huge(void)
{
	/* Sparse, so neither disk nor time. */
	g_autofree char *path = write_bytes("", 0);
	g_assert_cmpint(truncate(path, ((off_t)256 << 20) + 1), ==, 0);
	assert_too_much(path);
	g_free(write_bytes("", 0));
	g_assert_cmpint(truncate(path, ((off_t)64 << 20) + 1), ==, 0);
	int fd = g_open(path, O_WRONLY | O_APPEND, 0);
	g_assert_cmpint(write(fd, "\n", 1), ==, 1);
	close(fd);
	assert_too_much(path);
	g_autofree char *lines = g_strnfill(1000001, '\n');
	g_free(write_bytes(lines, 1000001));
	assert_too_much(path);

	g_autoptr(GString) deep = g_string_new(GREETING "{'from':'client','message':{'execute':'a','arguments':{'x':");
	for (int i = 0; i < 100000; i++)
		g_string_append_c(deep, '[');
	g_free(write_bytes(g_string_append_c(deep, '\n')->str, -1));
	UtmQmp *qmp = NULL;
	g_assert_cmpint(utm_qmp_connect_replay(context, path, NULL, &qmp, NULL), ==, UTM_ERROR_QMP_MALFORMED);
	g_unlink(path);
}

static void test_not_a_file(void)
{
	UtmQmp *qmp = NULL;
	g_autofree char *none = make_path("none"), *pipe_path = make_path("pipe");
	g_assert_cmpint(utm_qmp_connect_replay(context, none, NULL, &qmp, NULL), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpint(utm_qmp_connect_replay(context, directory, NULL, &qmp, NULL), ==, UTM_ERROR_IO);
	g_assert_cmpint(mkfifo(pipe_path, 0600), ==, 0);
	g_assert_cmpint(utm_qmp_connect_replay(context, pipe_path, NULL, &qmp, NULL), ==, UTM_ERROR_IO);
	g_unlink(pipe_path);
	g_assert_cmpint(utm_qmp_connect_replay(context, NULL, NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_replay(context, none, NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_connect_replay(NULL, none, NULL, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.flags = UTM_QMP_CONNECT_REPLAY_PACED;
	g_assert_cmpint(utm_qmp_connect_path(context, none, &options, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	options.flags = 1u << 31;
	g_assert_cmpint(utm_qmp_connect_replay(context, none, &options, &qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

/* A long recording, whose events are more than a socket holds. */
static void test_flood(void)
{
	g_autoptr(GString) text = g_string_new(GREETING ASKS("'execute':'a','id':1"));
	g_autofree char *padding = g_strnfill(3000, 'x');
	for (int i = 0; i < 1000; i++)
		g_string_append_printf(text, "{'from':'monitor','message':{'event':'E','data':{'n':%d,'s':'%s'}}}\n", i, padding);
	g_string_append(text, SAYS("'return':{},'id':1"));
	UtmQmp *qmp = replay_text(text->str, 0);
	UtmQmpSubscription *events = subscribe(qmp);
	assert_answer(qmp, "a", NULL, "{}");
	for (int i = 0; i < 1000; i++) {
		g_autofree char *event = next_event(events, PATIENCE_MS);
		g_autofree char *wanted = g_strdup_printf("E {\"n\":%d,", i);
		g_assert_true(g_str_has_prefix(event, wanted));
	}
	utm_qmp_subscription_unref(events);
	utm_qmp_unref(qmp);
}

/* ---------------------------------------------------------------- recording */

static void serve_some(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_serve(fake);
}

static void test_begin_and_stop(void)
{
	g_autofree char *path = make_path("late.jsonl");
	Session session = session_open(serve_some, NULL);
	assert_answer(session.qmp, "before", NULL, "{}");
	g_assert_cmpint(utm_qmp_record_stop(session.qmp, NULL), ==, UTM_ERROR_INVALID_STATE);
	/* Others may not read it, even if they could. */
	g_assert_true(g_file_set_contents(path, "old", -1, NULL));
	g_chmod(path, 0644);
	g_assert_cmpint(utm_qmp_record(session.qmp, path, NULL), ==, 0);
	struct stat info;
	g_assert_cmpint(stat(path, &info), ==, 0);
	g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
	assert_answer(session.qmp, "one", "{ \"b\" : 1, \"a\" : 2 }", "{}");
	g_assert_cmpint(utm_qmp_record(session.qmp, path, NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_qmp_record_stop(session.qmp, NULL), ==, 0);
	assert_answer(session.qmp, "unheard", NULL, "{}");
	g_autofree char *text = read_text(path);
	g_assert_nonnull(strstr(text, "\"message\":{\"execute\":\"one\",\"arguments\":{\"b\":1,\"a\":2},\"id\":"));
	g_assert_null(strstr(text, "before"));
	g_assert_null(strstr(text, "unheard"));

	UtmQmp *qmp = replay_file(path, 0);
	g_assert_cmpstr(utm_qmp_get_greeting(qmp), ==, utm_qmp_get_greeting(session.qmp));
	assert_answer(qmp, "one", "{\"a\":2,\"b\":1}", "{}");
	assert_check(qmp, 0, NULL);
	utm_qmp_unref(qmp);

	/* A second one, which ends with the session. */
	g_assert_cmpint(utm_qmp_record(session.qmp, path, NULL), ==, 0);
	assert_answer(session.qmp, "two", NULL, "{}");
	g_assert_cmpint(utm_qmp_check_replay(session.qmp, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	session_close(&session);
	for (gint64 end = g_get_monotonic_time() + PATIENCE_MS * 1000; g_get_monotonic_time() < end; g_usleep(1000)) {
		g_autofree char *second = read_text(path);
		if (strstr(second, "{\"return\":{},\"id\":"))
			break;
	}
	qmp = replay_file(path, 0);
	assert_answer(qmp, "two", NULL, "{}");
	utm_qmp_unref(qmp);
	g_unlink(path);

	g_assert_cmpint(utm_qmp_record(NULL, path, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_qmp_record_stop(NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

static void hear_nothing(FakeQmp *fake, void *data)
{
	fake_qmp_expect_end(fake);
}

static void test_cannot_record(void)
{
	g_autofree char *path = make_path("no/such/directory");
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.record_file = path;
	Session session = session_open_with(hear_nothing, NULL, &options);
	g_assert_cmpint(session.result, ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpstr(utm_error_get_file(session.error), ==, path);
	session_close(&session);
	session = session_open(serve_some, NULL);
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qmp_record(session.qmp, path, &error), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpstr(utm_error_get_file(error), ==, path);
	assert_answer(session.qmp, "a", NULL, "{}");
	utm_qmp_close(session.qmp);
	while (utm_qmp_execute(session.qmp, "a", NULL, NULL, NULL, NULL) != UTM_ERROR_QMP_DISCONNECTED)
		continue;
	g_assert_cmpint(utm_qmp_record(session.qmp, path, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	session_close(&session);
}

/* Written by the end of the context, without a stop. */
static void test_end_of_context(void)
{
	g_autofree char *path = make_path("end.jsonl"), *hand = write_bytes(mixed, -1);
	UtmContext *other = utm_context_new(NULL, NULL);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	UtmQmp *qmp = NULL;
	options.record_file = path;
	g_assert_cmpint(utm_qmp_connect_replay(other, hand, &options, &qmp, NULL), ==, 0);
	assert_answer(qmp, "a", "{\"x\":1,\"y\":[{\"p\":null,\"q\":\"\\u00e4\"},1.5]}", "[1e2,{\"z\":1,\"a\":2}]");
	utm_qmp_unref(qmp);
	utm_context_unref(other);
	g_autofree char *text = read_text(path);
	g_assert_nonnull(strstr(text, "\"from\":\"monitor\",\"message\":{\"return\":[1e2,{\"z\":1,\"a\":2}],\"id\":"));
	g_assert_null(strstr(text, "\"end\""));
	g_unlink(path);
	g_unlink(hand);
}

#define DELAY_US 200000

/* What comes out of the pipe, after a while. */
static void *drain_late(void *data)
{
	int fd = GPOINTER_TO_INT(data);
	char block[4096];
	gsize size = 0;
	g_usleep(DELAY_US);
	fcntl(fd, F_SETFL, 0);
	for (ssize_t count; (count = read(fd, block, sizeof block)) > 0;)
		size += (gsize)count;
	return GSIZE_TO_POINTER(size);
}

/* ... and waited for: a program that ends right after its context has all of it. */
static void test_end_waits(void)
{
	g_autofree char *path = make_path("pipe");
	g_assert_cmpint(mkfifo(path, 0600), ==, 0);
	int reader = g_open(path, O_RDONLY | O_NONBLOCK, 0), fd;
	FakeQmp *fake = fake_qmp_start(serve_some, NULL, &fd);
	UtmContext *other = utm_context_new(NULL, NULL);
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	UtmQmp *qmp = NULL;
	options.record_file = path;
	g_assert_cmpint(utm_qmp_connect_fd(other, fd, &options, &qmp, NULL), ==, 0);
	g_autofree char *padding = g_strnfill(100000, 'x'), *arguments = g_strdup_printf("{\"s\":\"%s\"}", padding);
	assert_answer(qmp, "a", arguments, "{}");
	gint64 start_us = g_get_monotonic_time();
	GThread *drain = g_thread_new("drain", drain_late, GINT_TO_POINTER(reader));
	utm_qmp_unref(qmp);
	utm_context_unref(other);
	g_assert_cmpint(g_get_monotonic_time() - start_us, >=, DELAY_US);
	g_assert_cmpuint(GPOINTER_TO_SIZE(g_thread_join(drain)), >, 100000);
	fake_qmp_finish(fake);
	close(reader);
	g_unlink(path);
}

static void count_log(UtmContext *unused, UtmLogLevel level, const char *message, void *data)
{
	if (strstr(message, "/dev/full"))
		++*(int *)data;
}

static void test_full_disk(void)
{
	int lines = 0;
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	g_autoptr(UtmError) error = NULL;
	options.record_file = "/dev/full";
	utm_context_set_log_handler(context, UTM_LOG_WARNING, count_log, &lines, NULL);
	Session session = session_open_with(serve_some, NULL, &options);
	g_assert_cmpint(session.result, ==, 0);
	for (gint64 end = g_get_monotonic_time() + PATIENCE_MS * 1000; !lines && g_get_monotonic_time() < end;) {
		assert_answer(session.qmp, "a", NULL, "{}");
		utm_context_dispatch(context, 0);
	}
	g_assert_cmpint(lines, ==, 1);
	g_assert_cmpint(utm_qmp_record(session.qmp, "/dev/full", NULL), ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(utm_qmp_record_stop(session.qmp, &error), ==, UTM_ERROR_IO);
	g_assert_cmpint(utm_error_get_errno(error), ==, ENOSPC);
	g_assert_cmpstr(utm_error_get_file(error), ==, "/dev/full");
	g_assert_cmpint(utm_qmp_record_stop(session.qmp, NULL), ==, UTM_ERROR_INVALID_STATE);
	assert_answer(session.qmp, "a", NULL, "{}");
	session_close(&session);
	utm_context_set_log_handler(context, UTM_LOG_WARNING, NULL, NULL, NULL);
}

/* A disk that stands still: a pipe that nobody reads. */
static void test_slow_disk(void)
{
	g_autofree char *path = make_path("pipe");
	g_assert_cmpint(mkfifo(path, 0600), ==, 0);
	int reader = g_open(path, O_RDONLY | O_NONBLOCK, 0);
	Session session = session_open(serve_some, NULL);
	g_assert_cmpint(utm_qmp_record(session.qmp, path, NULL), ==, 0);
	g_autofree char *padding = g_strnfill(4000, 'x'), *arguments = g_strdup_printf("{\"s\":\"%s\"}", padding);
	for (int i = 0; i < 200; i++) /* a pipe holds 64 KiB */
		assert_answer(session.qmp, "a", arguments, "{}");
	gsize size = 0;
	char block[4096];
	fcntl(reader, F_SETFL, 0);
	for (ssize_t count; size < 200 * 4000 && (count = read(reader, block, sizeof block)) > 0;)
		size += (gsize)count;
	fcntl(reader, F_SETFL, O_NONBLOCK);
	g_assert_cmpint(utm_qmp_record_stop(session.qmp, NULL), ==, 0);
	close(reader);
	session_close(&session);
	g_unlink(path);
}

#define LONG_ANSWERS 8

static void answer_long(FakeQmp *fake, void *data)
{
	g_autofree char *text = g_strnfill(20 << 20, 'x');
	text[0] = text[(20 << 20) - 1] = '"';
	fake_qmp_negotiate(fake);
	for (int i = 0; i < LONG_ANSWERS; i++)
		fake_qmp_reply(fake, fake_qmp_expect(fake, "a"), text);
	fake_qmp_serve(fake);
}

/* ... and does so for longer than memory lasts. */
static void test_stalled_disk(void)
{
	g_autofree char *path = make_path("pipe");
	g_assert_cmpint(mkfifo(path, 0600), ==, 0);
	int reader = g_open(path, O_RDONLY | O_NONBLOCK, 0);
	Session session = session_open(answer_long, NULL);
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qmp_record(session.qmp, path, NULL), ==, 0);
	for (int i = 0; i < LONG_ANSWERS; i++)
		g_assert_cmpint(utm_qmp_execute(session.qmp, "a", NULL, NULL, NULL, NULL), ==, 0);
	close(reader);
	g_assert_cmpint(utm_qmp_record_stop(session.qmp, &error), ==, UTM_ERROR_LIMIT);
	g_assert_cmpstr(utm_error_get_file(error), ==, path);
	assert_answer(session.qmp, "a", NULL, "{}");
	session_close(&session);
	g_unlink(path);
}

static void *call_often(void *data)
{
	for (int i = 0; i < 200; i++)
		g_assert_cmpint(utm_qmp_execute(data, "a", "{\"n\":1}", NULL, NULL, NULL), ==, 0);
	return NULL;
}

/* Callers, the I/O thread, and beginnings and ends of recordings, all at once. */
static void test_threads(void)
{
	g_autofree char *path = make_path("threads.jsonl");
	Session session = session_open(serve_some, NULL);
	GThread *threads[3];
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("caller", call_often, session.qmp);
	for (int i = 0; i < 20; i++) {
		g_assert_cmpint(utm_qmp_record(session.qmp, path, NULL), ==, 0);
		g_usleep(1000);
		g_assert_cmpint(utm_qmp_record_stop(session.qmp, NULL), ==, 0);
		utm_qmp_unref(replay_file(path, 0));
	}
	g_assert_cmpint(utm_qmp_record(session.qmp, path, NULL), ==, 0);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	g_assert_cmpint(utm_qmp_record_stop(session.qmp, NULL), ==, 0);
	session_close(&session);
	utm_qmp_unref(replay_file(path, 0));
	g_unlink(path);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	directory = g_dir_make_tmp("utm-replay-XXXXXX", NULL);
	g_test_add_data_func("/qmp/replay/qemu", GUINT_TO_POINTER(0), test_qemu);
	g_test_add_data_func("/qmp/replay/qemu-oob", GUINT_TO_POINTER(UTM_QMP_CONNECT_OOB), test_qemu);
	g_test_add_func("/qmp/replay/documented", test_documented);
	g_test_add_func("/qmp/replay/cut", test_cut);
	g_test_add_func("/qmp/replay/order", test_order);
	g_test_add_func("/qmp/replay/another-way", test_another_way);
	g_test_add_func("/qmp/replay/unordered", test_unordered);
	g_test_add_func("/qmp/replay/aside", test_aside);
	g_test_add_func("/qmp/replay/paced", test_paced);
	g_test_add_func("/qmp/replay/ends", test_ends);
	g_test_add_func("/qmp/replay/malformed", test_malformed);
	g_test_add_func("/qmp/replay/huge", test_huge);
	g_test_add_func("/qmp/replay/not-a-file", test_not_a_file);
	g_test_add_func("/qmp/replay/flood", test_flood);
	g_test_add_func("/qmp/record/begin-and-stop", test_begin_and_stop);
	g_test_add_func("/qmp/record/cannot", test_cannot_record);
	g_test_add_func("/qmp/record/end-of-context", test_end_of_context);
	g_test_add_func("/qmp/record/end-waits", test_end_waits);
	g_test_add_func("/qmp/record/full-disk", test_full_disk);
	g_test_add_func("/qmp/record/slow-disk", test_slow_disk);
	g_test_add_func("/qmp/record/stalled-disk", test_stalled_disk);
	g_test_add_func("/qmp/record/threads", test_threads);
	int result = session_main();
	g_rmdir(directory);
	g_free(directory);
	return result;
}
