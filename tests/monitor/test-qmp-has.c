/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the connected QEMU has, with a scripted one: when it is asked, how often, what happens to commands meanwhile, and
 * what when it does not tell. test-qmp-real-has.c puts the same questions to QEMU itself.
 */
#include "session.h"

#include <utm/qmp-commands.h>

/* A QEMU of one command with arguments. */
#define SCHEMA                                                                                                       \
	"[{'name':'block-commit','meta-type':'command','arg-type':'1','ret-type':'0','features':['swift']},"         \
	"{'name':'0','meta-type':'object','members':[]},"                                                            \
	"{'name':'1','meta-type':'object','members':[{'name':'device','type':'str'},"                                \
	"{'name':'speed','type':'int','default':null}]},"                                                            \
	"{'name':'str','meta-type':'builtin','json-type':'string'},"                                                 \
	"{'name':'int','meta-type':'builtin','json-type':'int'}]"

#define LACKS_IT "block-commit of this QEMU (7.2.22) does not have it"

/* ---------------------------------------------------------------- the server's side */

static void tell_target(FakeQmp *fake, const char *target)
{
	g_autofree char *reply = g_strdup_printf("{'arch': '%s'}", target);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-target"), reply);
}

static void tell_schema(FakeQmp *fake)
{
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-qmp-schema"), SCHEMA);
}

static void tell_all(FakeQmp *fake, void *target)
{
	fake_qmp_negotiate(fake);
	tell_target(fake, target);
	tell_schema(fake);
	fake_qmp_expect_end(fake);
}

static void tell_target_only(FakeQmp *fake, void *target)
{
	fake_qmp_negotiate(fake);
	tell_target(fake, target);
	fake_qmp_expect_end(fake);
}

static void tell_schema_only(FakeQmp *fake, void *data)
{
	fake_qmp_send(fake, "{'QMP': {'version': {'qemu': {'micro': 22, 'minor': 2, 'major': 7}, 'package': ''}, "
	                    "'capabilities': []}}");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "qmp_capabilities"), "{}");
	tell_schema(fake);
	fake_qmp_expect_end(fake);
}

static void hear_nothing(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect_end(fake);
}

/* ---------------------------------------------------------------- this side */

static bool has(UtmQmp *qmp, const char *what)
{
	bool answer = false;
	g_autoptr(UtmError) error = NULL;
	if (utm_qmp_has(qmp, what, NULL, &answer, &error) < 0)
		g_error("%s: %s", what, utm_error_get_message(error));
	return answer;
}

static void assert_has_fails(UtmQmp *qmp, int code, const char *part)
{
	bool answer = true;
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qmp_has(qmp, "block-commit", NULL, &answer, &error), ==, code);
	g_assert_true(answer);
	if (!strstr(utm_error_get_message(error), part))
		g_error("\"%s\" has no \"%s\"", utm_error_get_message(error), part);
}

/* With a member that the scripted QEMU lacks, or one that it has and not every QEMU needs to. */
static UtmQmpBlockCommitArgs *commit_args(bool newer)
{
	UtmQmpBlockCommitArgs *args = utm_qmp_block_commit_args_new();
	utm_set_string(&args->device, "disk");
	args->has_backing_mask_protocol = args->backing_mask_protocol = newer;
	return args;
}

static int commit(UtmQmp *qmp, bool newer, uint32_t flags, UtmError **error)
{
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	UtmQmpBlockCommitArgs *args = commit_args(newer);
	options.flags = flags;
	int result = utm_qmp_block_commit(qmp, args, &options, error);
	utm_qmp_block_commit_args_free(args);
	return result;
}

/* Ends of asynchronous calls, in their order. */
typedef struct Ends {
	int count, freed, yes;
	int codes[16];
	char *message;
} Ends;

static void add_end(Ends *ends, const UtmError *error)
{
	g_free(ends->message);
	ends->message = error ? g_strdup(utm_error_get_message(error)) : NULL;
	g_assert_cmpint(ends->count, <, 16);
	ends->codes[ends->count++] = error ? utm_error_get_code(error) : 0;
}

static void on_has(UtmQmp *qmp, bool answer, const UtmError *error, void *data)
{
	Ends *ends = data;
	g_assert_nonnull(qmp);
	ends->yes += answer;
	add_end(ends, error);
}

static void on_commit(UtmCallResult *result, void *data)
{
	g_autoptr(UtmError) error = NULL;
	utm_qmp_block_commit_finish(result, &error);
	add_end(data, error);
}

static void on_reply(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	add_end(data, error);
}

static void on_free(void *data)
{
	((Ends *)data)->freed++;
}

static void begin_has(Session *session, const char *what, const UtmQmpCallOptions *options, Ends *ends)
{
	g_assert_cmpint(utm_qmp_has_async(session->qmp, what, options, on_has, ends, on_free, NULL), ==, 0);
}

static void begin_commit(Session *session, bool newer, const UtmQmpCallOptions *options, Ends *ends)
{
	UtmQmpBlockCommitArgs *args = commit_args(newer);
	g_assert_cmpint(utm_qmp_block_commit_async(session->qmp, args, options, on_commit, ends, on_free, NULL), ==, 0);
	utm_qmp_block_commit_args_free(args);
}

static void begin_plain(Session *session, const char *command, Ends *ends)
{
	g_assert_cmpint(utm_qmp_execute_async(session->qmp, command, NULL, NULL, on_reply, ends, on_free, NULL), ==, 0);
}

static void ends_clear(Ends *ends)
{
	g_assert_cmpint(ends->freed, ==, ends->count);
	g_free(ends->message);
}

/* ---------------------------------------------------------------- who is asked, and how often */

/* Each test has targets of its own, since the context remembers builds. */
static void test_one_fetch_for_a_build(void)
{
	Session first = session_open(tell_all, "one-build"), second = session_open(tell_target_only, "one-build");
	for (int i = 0; i < 3; i++) {
		g_assert_true(has(first.qmp, "block-commit.speed"));
		g_assert_false(has(first.qmp, "block-commit.pace"));
		g_assert_true(has(second.qmp, "block-commit#swift"));
	}
	session_close(&first);
	Session third = session_open(tell_target_only, "one-build");
	g_assert_true(has(second.qmp, "block-commit"));
	g_assert_true(has(third.qmp, "block-commit"));
	session_close(&second);
	session_close(&third);
}

static void test_targets_differ(void)
{
	Session first = session_open(tell_all, "target-a"), second = session_open(tell_all, "target-b");
	g_assert_true(has(first.qmp, "block-commit"));
	g_assert_true(has(second.qmp, "block-commit"));
	session_close(&first);
	session_close(&second);
}

/* Anybody may have built it. */
static void test_no_package(void)
{
	Session first = session_open(tell_schema_only, NULL), second = session_open(tell_schema_only, NULL);
	g_assert_true(has(first.qmp, "block-commit"));
	g_assert_true(has(second.qmp, "block-commit"));
	g_assert_true(has(first.qmp, "block-commit.device"));
	session_close(&first);
	session_close(&second);
}

static void more_builds_than_are_kept(FakeQmp *fake, void *number)
{
	g_autofree char *target = g_strdup_printf("many-%d", GPOINTER_TO_INT(number));
	tell_all(fake, target);
}

static void test_many_builds(void)
{
	for (int i = 0; i < 20; i++) {
		Session session = session_open(more_builds_than_are_kept, GINT_TO_POINTER(i));
		g_assert_true(has(session.qmp, "block-commit"));
		session_close(&session);
	}
	/* The newest is still known. */
	Session session = session_open(tell_target_only, "many-19");
	g_assert_true(has(session.qmp, "block-commit"));
	session_close(&session);
}

static void answer_late(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	int id = fake_qmp_expect(fake, "query-target");
	fake_qmp_expect_silence(fake, 100);
	fake_qmp_reply(fake, id, "{'arch': 'late'}");
	id = fake_qmp_expect(fake, "query-qmp-schema");
	fake_qmp_expect_silence(fake, 100);
	fake_qmp_reply(fake, id, SCHEMA);
	fake_qmp_expect_end(fake);
}

static void *ask_in_thread(void *qmp)
{
	return GINT_TO_POINTER(has(qmp, "block-commit.device"));
}

/* All who want to know at once share one fetch. */
static void test_together(void)
{
	Session session = session_open(answer_late, NULL);
	Ends ends = { 0 };
	GThread *threads[4];
	for (int i = 0; i < 4; i++) {
		threads[i] = g_thread_new("asks", ask_in_thread, session.qmp);
		begin_has(&session, i % 2 ? "block-commit" : "block-commot", NULL, &ends);
	}
	begin_commit(&session, true, NULL, &ends);
	for (int i = 0; i < 4; i++)
		g_assert_nonnull(g_thread_join(threads[i]));
	wait_for(ends.count == 5);
	g_assert_cmpint(ends.yes, ==, 2);
	/* Known by now: refused on the spot. */
	g_assert_cmpint(commit(session.qmp, true, 0, NULL), ==, UTM_ERROR_QMP_UNSUPPORTED);
	session_close(&session);
	ends_clear(&ends);
}

/* ---------------------------------------------------------------- commands */

static void commit_that_does_not_vary(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply(fake, fake_qmp_expect_arguments(fake, "block-commit", "{'device':'disk'}"), "{}");
	fake_qmp_reply(fake, fake_qmp_expect_arguments(fake, "block-commit", "{'backing-mask-protocol':true,'device':'disk'}"),
	               "{}");
	fake_qmp_reply(fake, fake_qmp_expect_arguments(fake, "device_add", "{'driver':'x','serial':'7'}"), "{}");
	fake_qmp_expect_end(fake);
}

/* Nothing is fetched for what every QEMU knows, for what is sent by force, and for a command that takes anything. */
static void test_costs_nothing(void)
{
	Session session = session_open(commit_that_does_not_vary, NULL);
	UtmQmpDeviceAddArgs *args = utm_qmp_device_add_args_new();
	g_assert_cmpint(commit(session.qmp, false, 0, NULL), ==, 0);
	g_assert_cmpint(commit(session.qmp, true, UTM_QMP_CALL_FORCE, NULL), ==, 0);
	utm_set_string(&args->driver, "x");
	g_assert_cmpint(utm_struct_set_extra(args, "serial", "\"7\"", NULL), ==, 0);
	g_assert_cmpint(utm_qmp_device_add(session.qmp, args, NULL, NULL), ==, 0);
	utm_qmp_device_add_args_free(args);
	session_close(&session);
}

static void test_refusal(void)
{
	Session session = session_open(tell_all, "refusal");
	for (int i = 0; i < 2; i++) {
		g_autoptr(UtmError) error = NULL;
		g_assert_cmpint(commit(session.qmp, true, 0, &error), ==, UTM_ERROR_QMP_UNSUPPORTED);
		g_assert_cmpstr(utm_error_get_message(error), ==, LACKS_IT);
		g_assert_cmpstr(utm_error_get_key_path(error), ==, "backing-mask-protocol");
		g_assert_null(utm_error_get_qmp_class(error));
	}
	session_close(&session);
}

static void test_refusal_async(void)
{
	Session session = session_open(tell_all, "refusal-async");
	Ends ends = { 0 };
	begin_commit(&session, true, NULL, &ends);
	wait_for(ends.count == 1);
	begin_commit(&session, true, NULL, &ends);
	wait_for(ends.count == 2);
	g_assert_cmpint(ends.codes[0], ==, UTM_ERROR_QMP_UNSUPPORTED);
	g_assert_cmpint(ends.codes[1], ==, UTM_ERROR_QMP_UNSUPPORTED);
	g_assert_cmpstr(ends.message, ==, LACKS_IT);
	session_close(&session);
	ends_clear(&ends);
}

static void in_order(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	int id = fake_qmp_expect(fake, "query-target");
	fake_qmp_expect_silence(fake, 100);
	fake_qmp_reply(fake, id, "{'arch': 'in-order'}");
	tell_schema(fake);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-status"), "{}");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "block-commit"), "{}");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-name"), "{}");
	fake_qmp_expect_end(fake);
}

static void *run_blocking(void *qmp)
{
	g_assert_cmpint(utm_qmp_execute(qmp, "query-name", NULL, NULL, NULL, NULL), ==, 0);
	return NULL;
}

/* What was given after a command that waits waits as well. */
static void test_order(void)
{
	Session session = session_open(in_order, NULL);
	Ends ends = { 0 };
	begin_commit(&session, true, NULL, &ends);
	begin_plain(&session, "query-status", &ends);
	begin_commit(&session, false, NULL, &ends);
	GThread *thread = g_thread_new("blocks", run_blocking, session.qmp);
	wait_for(ends.count == 3);
	g_thread_join(thread);
	g_assert_cmpint(ends.codes[0], ==, UTM_ERROR_QMP_UNSUPPORTED);
	g_assert_cmpint(ends.codes[1] | ends.codes[2], ==, 0);
	session_close(&session);
	ends_clear(&ends);
}

/* ---------------------------------------------------------------- ends */

static void never_answer(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "query-target");
	fake_qmp_expect_end(fake);
}

static void test_deadline(void)
{
	Session session = session_open(never_answer, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	Ends ends = { 0 };
	bool answer;
	options.timeout_ms = 50;
	begin_commit(&session, true, &options, &ends);
	wait_for(ends.count == 1);
	g_assert_cmpint(ends.codes[0], ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(ends.message, ==,
	                "`block-commit` was not sent: the monitor did not tell within 50 ms what it supports");
	begin_has(&session, "block-commit", &options, &ends);
	wait_for(ends.count == 2);
	g_assert_cmpint(ends.codes[1], ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpint(utm_qmp_has(session.qmp, "block-commit", &options, &answer, NULL), ==, UTM_ERROR_TIMEOUT);
	session_close(&session);
	ends_clear(&ends);
}

static void test_cancel(void)
{
	Session session = session_open(never_answer, NULL);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	Ends ends = { 0 };
	options.cancel = utm_cancel_new();
	begin_has(&session, "block-commit", &options, &ends);
	begin_commit(&session, true, &options, &ends);
	begin_commit(&session, false, &options, &ends);
	utm_context_wait(context, 50);
	g_assert_cmpint(ends.count, ==, 0);
	utm_cancel_trigger(options.cancel);
	wait_for(ends.count == 3);
	for (int i = 0; i < 3; i++)
		g_assert_cmpint(ends.codes[i], ==, UTM_ERROR_CANCELLED);
	g_assert_nonnull(strstr(ends.message, "`block-commit` was not sent"));
	utm_cancel_unref(options.cancel);
	session_close(&session);
	ends_clear(&ends);
}

static void hang_up(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_expect(fake, "query-target");
}

static void test_disconnect(void)
{
	Session session = session_open(hang_up, NULL);
	Ends ends = { 0 };
	begin_has(&session, "block-commit", NULL, &ends);
	begin_commit(&session, true, NULL, &ends);
	begin_plain(&session, "query-status", &ends);
	wait_for(ends.count == 3);
	for (int i = 0; i < 3; i++)
		g_assert_cmpint(ends.codes[i], ==, UTM_ERROR_QMP_DISCONNECTED);
	g_assert_nonnull(strstr(ends.message, "`query-status` was not sent"));
	assert_has_fails(session.qmp, UTM_ERROR_QMP_DISCONNECTED, "has ended");
	session_close(&session);
	ends_clear(&ends);
}

static void tell_and_hang_up(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	tell_target(fake, "gone");
	tell_schema(fake);
}

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	*(bool *)data |= event->error != NULL;
}

/* What is known stays known. */
static void test_after_the_end(void)
{
	Session session = session_open(tell_and_hang_up, NULL);
	bool ended = false;
	utm_qmp_set_event_handler(session.qmp, on_event, &ended, NULL);
	g_assert_true(has(session.qmp, "block-commit"));
	wait_for(ended);
	g_assert_true(has(session.qmp, "block-commit.device"));
	g_assert_cmpint(commit(session.qmp, true, 0, NULL), ==, UTM_ERROR_QMP_UNSUPPORTED);
	g_assert_cmpint(commit(session.qmp, true, UTM_QMP_CALL_FORCE, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	session_close(&session);
}

static void answer_nothing(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_ignore_all(fake);
}

/* The last reference goes while commands are held and a fetch is under way. */
static void test_close(void)
{
	Session session = session_open(answer_nothing, NULL);
	Ends ends = { 0 };
	begin_has(&session, "block-commit", NULL, &ends);
	begin_commit(&session, true, NULL, &ends);
	begin_plain(&session, "query-status", &ends);
	utm_context_wait(context, 50);
	session_close(&session);
	wait_for(ends.freed == 3);
	g_assert_cmpint(ends.count, ==, 0);
}

/* ---------------------------------------------------------------- peers that do not tell */

static void refuse_to_tell(FakeQmp *fake, void *data)
{
	fake_qmp_negotiate(fake);
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "query-target"), "CommandNotFound", "no target");
	fake_qmp_reply_error(fake, fake_qmp_expect(fake, "query-qmp-schema"), "CommandNotFound", "no schema");
	for (int i = 0; i < 2; i++)
		fake_qmp_reply(fake, fake_qmp_expect(fake, "block-commit"), "{}");
	fake_qmp_expect_end(fake);
}

/* Such as a storage daemon, or a QEMU that is very old: it finds out itself what it lacks. */
static void test_untold(void)
{
	Session session = session_open(refuse_to_tell, NULL);
	g_assert_cmpint(commit(session.qmp, true, 0, NULL), ==, 0);
	assert_has_fails(session.qmp, UTM_ERROR_QMP_UNSUPPORTED, "no schema");
	g_assert_cmpint(commit(session.qmp, true, 0, NULL), ==, 0);
	session_close(&session);
}

static void tell_nonsense(FakeQmp *fake, void *nonsense)
{
	fake_qmp_negotiate(fake);
	tell_target(fake, "nonsense");
	fake_qmp_reply(fake, fake_qmp_expect(fake, "query-qmp-schema"), nonsense);
	fake_qmp_reply(fake, fake_qmp_expect(fake, "block-commit"), "{}");
	fake_qmp_expect_end(fake);
}

static void test_nonsense(void)
{
	static const char *const replies[] = { "{}", "7", "null", "[[]]", "[{'name': 7}]", "[{'members': {}}]",
		                               "[{'features': [7]}]", "[{'members': [[]]}]", "[{'meta-type': []}]" };
	for (gsize i = 0; i < G_N_ELEMENTS(replies); i++) {
		Session session = session_open(tell_nonsense, (void *)replies[i]);
		assert_has_fails(session.qmp, UTM_ERROR_QMP_MALFORMED, "the answer to query-qmp-schema is not understood");
		assert_has_fails(session.qmp, UTM_ERROR_QMP_MALFORMED, "byte");
		g_assert_cmpint(commit(session.qmp, true, 0, NULL), ==, 0);
		session_close(&session);
	}
}

/* ---------------------------------------------------------------- misuse */

static void test_questions(void)
{
	static const struct {
		const char *what, *problem;
	} wrong[] = {
		{ "", "byte 0 of the question: a name is missing" },
		{ ".a", "byte 0 of the question: a name is missing" },
		{ "a.", "byte 2 of the question: a name is missing" },
		{ "a..b", "byte 2 of the question: a name is missing" },
		{ "a b", "byte 1 of the question: a character that no name has" },
		{ "a.\xc3\xa4", "byte 2 of the question: a name is missing" },
		{ "a.b\n", "byte 3 of the question: a character that no name has" },
		{ "a=b", "byte 1 of the question: this has no meaning here" },
		{ "a.b:c", "byte 3 of the question: this has no meaning here" },
		{ "a:b:c", "byte 3 of the question: this has no meaning here" },
		{ "a.b=c=d", "byte 5 of the question: this has no meaning here" },
		{ "a#b.c", "byte 3 of the question: this has no meaning here" },
		{ "a#b#c", "byte 3 of the question: this has no meaning here" },
		{ "a:", "byte 2 of the question: a name is missing" },
	};
	Session session = session_open(hear_nothing, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(UtmError) error = NULL;
		bool answer;
		g_assert_cmpint(utm_qmp_has(session.qmp, wrong[i].what, NULL, &answer, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
		g_assert_cmpstr(utm_error_get_message(error), ==, wrong[i].problem);
	}
	session_close(&session);
}

static void test_misuse(void)
{
	Session session = session_open(hear_nothing, NULL);
	UtmQmpCallOptions forced = UTM_QMP_CALL_OPTIONS_INIT, hasty = UTM_QMP_CALL_OPTIONS_INIT;
	Ends ends = { 0 };
	bool answer;
	g_autofree char *long_question = g_strnfill(1025, 'a');
	forced.flags = UTM_QMP_CALL_FORCE;
	hasty.timeout_ms = -2;
	const struct {
		UtmQmp *qmp;
		const char *what;
		const UtmQmpCallOptions *options;
		bool *ret;
	} wrong[] = {
		{ NULL, "a", NULL, &answer },
		{ session.qmp, NULL, NULL, &answer },
		{ session.qmp, long_question, NULL, &answer },
		{ session.qmp, "a", &forced, &answer },
		{ session.qmp, "a", &hasty, &answer },
		{ session.qmp, "a", NULL, NULL },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(UtmError) error = NULL;
		g_assert_cmpint(utm_qmp_has(wrong[i].qmp, wrong[i].what, wrong[i].options, wrong[i].ret, &error), ==,
		                UTM_ERROR_INVALID_ARGUMENT);
		if (wrong[i].ret)
			g_assert_cmpint(utm_qmp_has_async(wrong[i].qmp, wrong[i].what, wrong[i].options, on_has, &ends, on_free, NULL),
			                ==, UTM_ERROR_INVALID_ARGUMENT);
	}
	g_assert_cmpint(ends.freed, ==, 5);
	g_assert_cmpint(ends.count, ==, 0);
	session_close(&session);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp-has/one-fetch-for-a-build", test_one_fetch_for_a_build);
	g_test_add_func("/qmp-has/targets-differ", test_targets_differ);
	g_test_add_func("/qmp-has/no-package", test_no_package);
	g_test_add_func("/qmp-has/many-builds", test_many_builds);
	g_test_add_func("/qmp-has/together", test_together);
	g_test_add_func("/qmp-has/costs-nothing", test_costs_nothing);
	g_test_add_func("/qmp-has/refusal", test_refusal);
	g_test_add_func("/qmp-has/refusal-async", test_refusal_async);
	g_test_add_func("/qmp-has/order", test_order);
	g_test_add_func("/qmp-has/deadline", test_deadline);
	g_test_add_func("/qmp-has/cancel", test_cancel);
	g_test_add_func("/qmp-has/disconnect", test_disconnect);
	g_test_add_func("/qmp-has/after-the-end", test_after_the_end);
	g_test_add_func("/qmp-has/close", test_close);
	g_test_add_func("/qmp-has/untold", test_untold);
	g_test_add_func("/qmp-has/nonsense", test_nonsense);
	g_test_add_func("/qmp-has/questions", test_questions);
	g_test_add_func("/qmp-has/misuse", test_misuse);
	return session_main();
}
