/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed commands and events against a scripted server: what it says fits the types or not, and what a program hands in
 * is right or not. Nothing of it ends the connection.
 */
#include "session.h"

#include <utm/qmp-commands.h>
#include <utm/qmp-events.h>

static void serve(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_serve(fake);
}

/* The way a blocking call takes: from this thread, and through the library's own when it can be cancelled. */
static void for_each_way(void (*run)(Session *session, const UtmQmpCallOptions *options), FakeQmpScript script, void *data)
{
	for (int way = 0; way < 2; way++) {
		Session session = session_open(script, data);
		UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
		UtmCancel *cancel = options.cancel = way ? utm_cancel_new() : NULL;
		run(&session, &options);
		utm_cancel_unref(cancel);
		session_close(&session);
	}
}

/* --- results --- */

static void answer_well(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"),
	               "{'new':[],'status':'running','running':true,'singlestep':false}");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "{'running':false,'status':'dreaming'}");
	fake_qmp_reply(fake, fake_qmp_expect_arguments(fake, "human-monitor-command", "{'command-line':'info'}"),
	               "'a\\r\\nb'");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "qom-get"), "[null,{'a':18446744073709551615}]");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "qom-get"), "null");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-jobs"), "[]");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-jobs"),
	               "[{'id':'j','type':'mirror','status':'ready','current-progress':1,'total-progress':2}]");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "stop"), "{'something':'new'}");
	fake_qmp_serve(fake);
}

static void call_well(Session *session, const UtmQmpCallOptions *options)
{
	UtmQmpStatusInfo *status = NULL;
	g_assert_cmpint(utm_qmp_query_status(session->qmp, NULL, options, &status, NULL), ==, 0);
	g_assert_true(status->running && status->status == UTM_QMP_RUN_STATE_RUNNING);
	g_assert_nonnull(utm_struct_get_extra(status, "new"));
	utm_qmp_status_info_free(status);
	g_assert_cmpint(utm_qmp_query_status(session->qmp, NULL, options, &status, NULL), ==, 0);
	g_assert_cmpint(status->status, ==, UTM_QMP_RUN_STATE_UNRECOGNIZED);
	g_assert_cmpstr(utm_value_get_string(utm_struct_get_extra(status, "status")), ==, "dreaming");
	utm_qmp_status_info_free(status);

	UtmQmpHumanMonitorCommandArgs *line = utm_qmp_human_monitor_command_args_new();
	char *text = NULL;
	utm_set_string(&line->command_line, "info");
	g_assert_cmpint(utm_qmp_human_monitor_command(session->qmp, line, options, &text, NULL), ==, 0);
	g_assert_cmpstr(text, ==, "a\r\nb");
	utm_free(text);
	utm_struct_free(line);

	UtmQmpQomGetArgs *get = utm_qmp_qom_get_args_new();
	UtmValue *value = NULL;
	utm_set_string(&get->path, "/");
	utm_set_string(&get->property, "p");
	g_assert_cmpint(utm_qmp_qom_get(session->qmp, get, options, &value, NULL), ==, 0);
	g_assert_cmpuint(utm_value_get_uint(utm_value_get_member(utm_value_get_item(value, 1), "a")), ==, UINT64_MAX);
	utm_value_free(value);
	value = NULL;
	g_assert_cmpint(utm_qmp_qom_get(session->qmp, get, options, &value, NULL), ==, 0);
	g_assert_nonnull(value);
	g_assert_cmpint(utm_value_get_kind(value), ==, UTM_VALUE_NULL);
	utm_value_free(value);
	utm_struct_free(get);

	UtmQmpJobInfoList *jobs = NULL;
	g_assert_cmpint(utm_qmp_query_jobs(session->qmp, NULL, options, &jobs, NULL), ==, 0);
	g_assert_cmpuint(jobs->count, ==, 0);
	utm_struct_free(jobs);
	/* Nobody wants the result. */
	g_assert_cmpint(utm_qmp_query_jobs(session->qmp, NULL, options, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_stop(session->qmp, NULL, options, NULL), ==, 0);
}

static void test_results(void)
{
	for_each_way(call_well, answer_well, NULL);
}

/* --- answers that do not fit --- */

static const struct {
	const char *answer, *path, *message;
} misfits[] = {
	{ "[]", NULL, "the answer to query-status is not understood: must be a dictionary, not an array" },
	{ "null", NULL, "the answer to query-status is not understood: must be a dictionary, not no value" },
	{ "{}", "running", "the answer to query-status is not understood: is missing" },
	{ "{'running':true}", "status", "the answer to query-status is not understood: is missing" },
	{ "{'running':null,'status':'paused'}", "running",
	  "the answer to query-status is not understood: must be a boolean, not no value" },
	{ "{'running':true,'status':'paused','new':{'deep':['a\\u0000b']}}", "new",
	  "the answer to query-status is not understood: a string with U+0000" },
	{ "{'running':true,'status':'paused','new':18446744073709551616}", "new",
	  "the answer to query-status is not understood: a number beyond 64 bits" },
	{ "{'running':true,'status':'paused','running':true}", "running",
	  "the answer to query-status is not understood: stands twice" },
};

static void answer_badly(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	for (gsize i = 0; i < G_N_ELEMENTS(misfits); i++)
		fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), misfits[i].answer);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "{'running':true,'status':'paused'}");
	fake_qmp_serve(fake);
}

static void call_badly(Session *session, const UtmQmpCallOptions *options)
{
	UtmQmpStatusInfo *status = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(misfits); i++) {
		g_autoptr(UtmError) error = NULL;
		g_assert_cmpint(utm_qmp_query_status(session->qmp, NULL, options, &status, &error), ==, UTM_ERROR_QMP_MALFORMED);
		g_assert_null(status);
		g_assert_cmpstr(utm_error_get_key_path(error), ==, misfits[i].path);
		g_assert_cmpstr(utm_error_get_message(error), ==, misfits[i].message);
		g_assert_cmpint(utm_error_get_code(error), ==, UTM_ERROR_QMP_MALFORMED);
	}
	g_assert_cmpint(utm_qmp_query_status(session->qmp, NULL, options, &status, NULL), ==, 0);
	utm_qmp_status_info_free(status);
}

static void test_misfits(void)
{
	for_each_way(call_badly, answer_badly, NULL);
}

static void refuse_commands(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "query-status"), "CommandNotFound", "The command is none");
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "query-status"), "GenericError", "not now");
	fake_qmp_serve(fake);
}

static void call_refused(Session *session, const UtmQmpCallOptions *options)
{
	UtmQmpStatusInfo *status = NULL;
	g_autoptr(UtmError) unsupported = NULL;
	g_autoptr(UtmError) failed = NULL;
	g_assert_cmpint(utm_qmp_query_status(session->qmp, NULL, options, &status, &unsupported), ==,
	                UTM_ERROR_QMP_UNSUPPORTED);
	g_assert_cmpstr(utm_error_get_qmp_class(unsupported), ==, "CommandNotFound");
	g_assert_cmpstr(utm_error_get_message(unsupported), ==, "The command is none");
	g_assert_cmpint(utm_qmp_query_status(session->qmp, NULL, options, &status, &failed), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_qmp_class(failed), ==, "GenericError");
	g_assert_null(status);
	g_assert_cmpint(utm_qmp_stop(session->qmp, NULL, options, NULL), ==, 0);
}

static void test_refused(void)
{
	for_each_way(call_refused, refuse_commands, NULL);
}

/* --- arguments --- */

static void expect_arguments(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply(fake, fake_qmp_expect_arguments(fake, "device_add", "{'addr':[1],'bus':'\\u0001\u00e9','driver':'d'}"),
	               "{}");
	fake_qmp_reply(fake, fake_qmp_expect_arguments(fake, "balloon", "{'value':-1}"), "{}");
	/* None are none, and nothing of them is sent. */
	g_autofree char *command = fake_qmp_receive(fake);
	g_assert_true(g_str_has_prefix(command, "{\"execute\":\"eject\",\"id\":"));
	fake_qmp_reply(fake, (int)g_ascii_strtoll(strstr(command, "id\":") + 4, NULL, 10), "{}");
	fake_qmp_serve(fake);
}

static void call_with_arguments(Session *session, const UtmQmpCallOptions *options)
{
	UtmQmpDeviceAddArgs *device = utm_qmp_device_add_args_new();
	utm_set_string(&device->driver, "d");
	utm_set_string(&device->bus, "\x01\u00e9");
	g_assert_cmpint(utm_struct_set_extra(device, "addr", "[ 1 ]", NULL), ==, 0);
	g_assert_cmpint(utm_qmp_device_add(session->qmp, device, options, NULL), ==, 0);
	utm_struct_free(device);
	UtmQmpBalloonArgs *balloon = utm_qmp_balloon_args_new();
	balloon->value = -1;
	g_assert_cmpint(utm_qmp_balloon(session->qmp, balloon, options, NULL), ==, 0);
	utm_struct_free(balloon);
	UtmQmpEjectArgs *eject = utm_qmp_eject_args_new();
	g_assert_cmpint(utm_qmp_eject(session->qmp, eject, options, NULL), ==, 0);
	utm_struct_free(eject);
}

static void test_arguments(void)
{
	for_each_way(call_with_arguments, expect_arguments, NULL);
}

static void expect_nothing(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect_end(fake);
}

static void free_counter(void *data)
{
	++*(int *)data;
}

static void never_called(UtmCallResult *result, void *data)
{
	g_assert_not_reached();
}

/* Both forms refuse it at once; of the asynchronous one only free_fn is heard. */
static void assert_arguments_refused(UtmQmp *qmp, const void *args, const char *path, const char *message)
{
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmError) async_error = NULL;
	int freed = 0;
	g_assert_cmpint(utm_qmp_device_add(qmp, args, NULL, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpstr(utm_error_get_message(error), ==, message);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, path);
	g_assert_cmpint(utm_qmp_device_add_async(qmp, args, NULL, never_called, &freed, free_counter, &async_error), ==,
	                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(freed, ==, 1);
	g_assert_cmpstr(utm_error_get_message(async_error), ==, message);
}

static void test_bad_arguments(void)
{
	static const char not_ours[] = "the arguments of device_add are no DeviceAddArgs that the library made: a copy by value, "
		"freed, or of another type";
	Session session = session_open(expect_nothing, NULL);
	UtmQmpDeviceAddArgs *args = utm_qmp_device_add_args_new(), by_value = *args;
	UtmQmpNameInfo *other = utm_qmp_name_info_new();
	assert_arguments_refused(session.qmp, NULL, NULL, "device_add needs arguments");
	assert_arguments_refused(session.qmp, &by_value, NULL, not_ours);
	assert_arguments_refused(session.qmp, other, NULL, not_ours);
	assert_arguments_refused(session.qmp, args, "driver", "is missing");
	utm_set_string(&args->driver, "\xc3");
	assert_arguments_refused(session.qmp, args, "driver", "is not valid UTF-8");
	utm_set_string(&args->driver, "d");
	assert_arguments_refused(NULL, args, NULL, "no QMP connection");

	g_autoptr(UtmError) none = NULL;
	g_assert_cmpint(utm_qmp_query_status(session.qmp, (const void *)other, NULL, NULL, &none), ==,
	                UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpstr(utm_error_get_message(none), ==, "query-status takes no arguments");

	UtmQmpCallOptions options = { .size = 1 };
	int freed = 0;
	g_autoptr(UtmError) sized = NULL;
	g_assert_cmpint(utm_qmp_device_add(session.qmp, args, &options, NULL), ==, UTM_ERROR_STRUCT_SIZE);
	g_assert_cmpint(utm_qmp_device_add_async(session.qmp, args, &options, never_called, &freed, free_counter, &sized), ==,
	                UTM_ERROR_STRUCT_SIZE);
	g_assert_cmpint(utm_error_get_code(sized), ==, UTM_ERROR_STRUCT_SIZE);
	g_assert_cmpint(freed, ==, 1);
	utm_struct_free(args);
	utm_struct_free(other);
	session_close(&session);
}

/* --- asynchronous --- */

typedef struct Answer {
	int called, freed;
	int code;
	char *path;
	UtmQmpStatusInfo *status;
} Answer;

static void on_free(void *data)
{
	((Answer *)data)->freed++;
}

static void on_status(UtmCallResult *result, void *data)
{
	Answer *answer = data;
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmError) other = NULL;
	UtmQmpNameInfo *name = NULL;
	g_assert_cmpint(answer->freed, ==, 0);
	answer->called++;
	g_assert_cmpint(utm_qmp_query_name_finish(result, &name, &other), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_null(name);
	g_assert_cmpint(utm_call_result_finish(result, 0, &name, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	answer->code = utm_qmp_query_status_finish(result, &answer->status, &error);
	g_assert_cmpint(utm_error_get_code(error), ==, answer->code);
	answer->path = g_strdup(utm_error_get_key_path(error));
	/* It was sent: UTM_QMP_CALL_FORCE would change nothing. */
	g_assert_true(answer->code != UTM_ERROR_QMP_UNSUPPORTED || !strstr(utm_error_get_remedy(error), "FORCE"));
	/* Once. A failure stays one however often it is asked for. */
	UtmQmpStatusInfo *again = NULL;
	g_assert_cmpint(utm_qmp_query_status_finish(result, &again, NULL), ==,
	                answer->code ? answer->code : UTM_ERROR_INVALID_STATE);
	g_assert_null(again);
}

static Answer ask_status(Session *session, const UtmQmpCallOptions *options)
{
	Answer answer = { .code = 1 };
	g_assert_cmpint(utm_qmp_query_status_async(session->qmp, NULL, options, on_status, &answer, on_free, NULL), ==, 0);
	wait_for(answer.freed);
	g_assert_cmpint(answer.called, ==, 1);
	g_assert_cmpint(answer.freed, ==, 1);
	return answer;
}

static void answer_async(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "{'running':true,'status':'paused'}");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "{'running':true,'status':5}");
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "query-status"), "CommandNotFound", "none");
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "query-status"), "GenericError", "no");
	fake_qmp_expect(fake, "query-status"); /* unanswered */
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-name"), "{}");
	fake_qmp_expect(fake, "query-status"); /* then the connection ends */
}

static void test_async(void)
{
	Session session = session_open(answer_async, NULL);
	Answer answer = ask_status(&session, NULL);
	g_assert_cmpint(answer.code, ==, 0);
	g_assert_cmpint(answer.status->status, ==, UTM_QMP_RUN_STATE_PAUSED);
	utm_qmp_status_info_free(answer.status);
	answer = ask_status(&session, NULL);
	g_assert_cmpint(answer.code, ==, UTM_ERROR_QMP_MALFORMED);
	g_assert_cmpstr(answer.path, ==, "status");
	g_free(answer.path);
	g_assert_cmpint(ask_status(&session, NULL).code, ==, UTM_ERROR_QMP_UNSUPPORTED);
	g_assert_cmpint(ask_status(&session, NULL).code, ==, UTM_ERROR_QMP_COMMAND);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = 30;
	g_assert_cmpint(ask_status(&session, &options).code, ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpint(utm_qmp_query_name(session.qmp, NULL, NULL, NULL, NULL), ==, 0);
	g_assert_cmpint(ask_status(&session, NULL).code, ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_cmpint(ask_status(&session, NULL).code, ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_cmpint(utm_qmp_query_status(session.qmp, NULL, NULL, &answer.status, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	session_close(&session);
}

static void take_nothing(UtmCallResult *result, void *data)
{
	((Answer *)data)->called++;
}

static void take_and_drop(UtmCallResult *result, void *data)
{
	((Answer *)data)->called++;
	g_assert_cmpint(utm_qmp_query_status_finish(result, NULL, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_query_status_finish(result, NULL, NULL), ==, UTM_ERROR_INVALID_STATE);
}

static void take_of_none(UtmCallResult *result, void *data)
{
	((Answer *)data)->called++;
	g_assert_cmpint(utm_qmp_stop_finish(result, NULL), ==, 0);
	g_assert_cmpint(utm_qmp_stop_finish(result, NULL), ==, 0);
}

static void answer_always(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	for (int i = 0; i < GPOINTER_TO_INT(data); i++)
		fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "{'running':true,'status':'paused'}");
	fake_qmp_serve(fake);
}

/* Results that nobody takes are released. */
static void test_async_not_taken(void)
{
	Session session = session_open(answer_always, GINT_TO_POINTER(3));
	Answer answer = { 0 };
	utm_qmp_query_status_async(session.qmp, NULL, NULL, take_nothing, &answer, on_free, NULL);
	utm_qmp_query_status_async(session.qmp, NULL, NULL, take_and_drop, &answer, on_free, NULL);
	utm_qmp_query_status_async(session.qmp, NULL, NULL, NULL, &answer, on_free, NULL);
	utm_qmp_stop_async(session.qmp, NULL, NULL, take_of_none, &answer, on_free, NULL);
	wait_for(answer.freed == 4);
	g_assert_cmpint(answer.called, ==, 3);
	g_assert_cmpint(utm_call_result_finish(NULL, UTM_QMP_COMMAND_STOP, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	session_close(&session);
}

static void answer_one_of_two(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "{'running':true,'status':'paused'}");
	fake_qmp_ignore_all(fake);
}

/* The connection goes with one answer that waits for dispatch and one that never comes. */
static void test_async_connection_goes(void)
{
	Session session = session_open(answer_one_of_two, NULL);
	Answer answer = { 0 };
	utm_qmp_query_status_async(session.qmp, NULL, NULL, never_called, &answer, on_free, NULL);
	utm_qmp_query_name_async(session.qmp, NULL, NULL, never_called, &answer, on_free, NULL);
	g_usleep(50000);
	utm_qmp_unref(g_steal_pointer(&session.qmp));
	wait_for(answer.freed == 2);
	session_close(&session);
}

static void call_again(UtmCallResult *result, void *data)
{
	Session *session = data;
	UtmQmpStatusInfo *status = NULL;
	g_assert_cmpint(utm_qmp_query_status_finish(result, &status, NULL), ==, 0);
	utm_qmp_status_info_free(status);
	g_assert_cmpint(utm_qmp_query_status(session->qmp, NULL, NULL, &status, NULL), ==, 0);
	utm_qmp_status_info_free(status);
	session->result = 1;
}

static void test_call_inside_callback(void)
{
	Session session = session_open(answer_always, GINT_TO_POINTER(2));
	utm_qmp_query_status_async(session.qmp, NULL, NULL, call_again, &session, NULL, NULL);
	wait_for(session.result == 1);
	session_close(&session);
}

/* --- events --- */

typedef struct Told {
	const char *json;
	bool known, understood; /* the name; the data */
	const char *path;
} Told;

static const Told events[] = {
	{ "{'event':'STOP','data':{}}", true, true, NULL },
	{ "{'event':'STOP'}", true, true, NULL },
	{ "{'event':'SHUTDOWN','data':{'guest':true,'reason':'guest-reset','new':[1]}}", true, true, NULL },
	{ "{'event':'SHUTDOWN','data':{'guest':true,'reason':'boredom'}}", true, true, NULL },
	{ "{'event':'SHUTDOWN','data':{'guest':1,'reason':'guest-reset'}}", true, false, "guest" },
	{ "{'event':'SHUTDOWN','data':{'reason':'guest-reset'}}", true, false, "guest" },
	{ "{'event':'SHUTDOWN'}", true, false, "guest" },
	{ "{'event':'RTC_CHANGE','data':{'offset':9223372036854775808,'qom-path':'/'}}", true, false, "offset" },
	{ "{'event':'RTC_CHANGE','data':{'offset':-9223372036854775808,'qom-path':'/'}}", true, true, NULL },
	{ "{'event':'VNC_CONNECTED','data':{'server':{'host':'h'},'client':{}}}", true, false, "server.service" },
	{ "{'event':'GUEST_PANICKED','data':{'action':'pause','info':{'type':'s390','core':-1}}}", true, false, "info.core" },
	{ "{'event':'TELEPORTED','data':{'to':'moon'}}", false, true, NULL },
	{ "{'event':'TELEPORTED'}", false, true, NULL },
};

static void send_events(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-name"), "{}");
	for (gsize i = 0; i < G_N_ELEMENTS(events); i++)
		fake_qmp_send(fake, events[i].json);
	fake_qmp_serve(fake);
}

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	gsize *count = data;
	if (!event->name)
		return;
	const Told *told = &events[(*count)++];
	g_test_message("%s", told->json);
	g_autofree char *name = g_strdup_printf("'%s'", event->name);
	g_assert_nonnull(strstr(told->json, name));
	g_assert_cmpint(event->id >= 0, ==, told->known);
	/* The raw data is there in any case. */
	g_assert_cmpint(event->data != NULL, ==, strstr(told->json, "'data'") != NULL);
	g_assert_cmpint(event->error == NULL, ==, told->understood);
	if (!told->understood) {
		g_assert_null(event->payload);
		g_assert_cmpint(utm_error_get_code(event->error), ==, UTM_ERROR_QMP_MALFORMED);
		g_assert_cmpstr(utm_error_get_key_path(event->error), ==, told->path);
		g_autofree char *start = g_strdup_printf("the data of %s is not understood: ", event->name);
		g_assert_true(g_str_has_prefix(utm_error_get_message(event->error), start));
	}
	const UtmQmpShutdownEvent *shutdown = utm_qmp_event_get_shutdown(event);
	g_assert_cmpint(shutdown != NULL, ==, g_str_equal(event->name, "SHUTDOWN") && told->understood);
	g_assert_true(!shutdown || shutdown->guest);
	g_assert_true(!shutdown || (shutdown->reason >= 0) == !strstr(told->json, "boredom"));
}

static void test_events(void)
{
	Session session = session_open(send_events, NULL);
	gsize count = 0;
	utm_qmp_set_event_handler(session.qmp, on_event, &count, NULL);
	g_assert_cmpint(utm_qmp_query_name(session.qmp, NULL, NULL, NULL, NULL), ==, 0);
	wait_for(count == G_N_ELEMENTS(events));
	g_assert_cmpint(utm_qmp_stop(session.qmp, NULL, NULL, NULL), ==, 0);
	session_close(&session);
}

/* --- in bulk --- */

typedef struct Bulk {
	int answered, failed;
} Bulk;

static void on_bulk(UtmCallResult *result, void *data)
{
	Bulk *bulk = data;
	UtmQmpStatusInfo *status = NULL;
	bulk->answered++;
	bulk->failed += utm_qmp_query_status_finish(result, &status, NULL) != 0;
	utm_qmp_status_info_free(status);
}

static void answer_backwards(FakeQmp *fake, void *data)
{
	int ids[100];
	fake_qmp_negotiate(fake);
	for (int i = 0; i < 100; i++)
		ids[i] = fake_qmp_expect(fake, "query-status");
	for (int i = 99; i >= 0; i--)
		fake_qmp_reply(fake, ids[i], i % 10 ? "{'running':true,'status':'paused'}" : "{'running':true}");
	fake_qmp_serve(fake);
}

static void test_bulk(void)
{
	Session session = session_open(answer_backwards, NULL);
	Bulk bulk = { 0 };
	for (int i = 0; i < 100; i++)
		g_assert_cmpint(utm_qmp_query_status_async(session.qmp, NULL, NULL, on_bulk, &bulk, NULL, NULL), ==, 0);
	wait_for(bulk.answered == 100);
	g_assert_cmpint(bulk.failed, ==, 10);
	session_close(&session);
}

static void *call_stop(void *data)
{
	for (int i = 0; i < 100; i++)
		g_assert_cmpint(utm_qmp_stop(data, NULL, NULL, NULL), ==, 0);
	return NULL;
}

static void test_threads(void)
{
	Session session = session_open(serve, NULL);
	GThread *threads[4];
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("caller", call_stop, session.qmp);
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	session_close(&session);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/typed/results", test_results);
	g_test_add_func("/qmp/typed/misfits", test_misfits);
	g_test_add_func("/qmp/typed/refused", test_refused);
	g_test_add_func("/qmp/typed/arguments", test_arguments);
	g_test_add_func("/qmp/typed/bad-arguments", test_bad_arguments);
	g_test_add_func("/qmp/typed/async", test_async);
	g_test_add_func("/qmp/typed/async-not-taken", test_async_not_taken);
	g_test_add_func("/qmp/typed/async-connection-goes", test_async_connection_goes);
	g_test_add_func("/qmp/typed/call-inside-callback", test_call_inside_callback);
	g_test_add_func("/qmp/typed/events", test_events);
	g_test_add_func("/qmp/typed/bulk", test_bulk);
	g_test_add_func("/qmp/typed/threads", test_threads);
	return session_main();
}
