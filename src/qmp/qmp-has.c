/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utm_qmp_has(): a question to the index, which is fetched first where it is not known. */
#include "base/sized-struct.h"
#include "qmp/deadline.h"
#include "qmp/qmp-private.h"

typedef struct Question {
	UtmQmpSupportWait wait;
	UtmRequest *request; /* which owns this */
	char *what;
} Question;

static void question_free(gpointer data)
{
	Question *question = data;
	g_free(question->what);
	g_free(question);
}

static void on_support(UtmQmpSupportWait *wait, const UtmIntrospection *index, const UtmError *error)
{
	Question *question = (Question *)wait;
	bool has = index && utm__introspection_has(index, question->what);
	utm__request_finish(question->request, index ? NULL : utm_error_ref((UtmError *)error), GINT_TO_POINTER(has), NULL);
}

static void start_question(UtmRequest *request)
{
	Question *question = utm__request_get_input(request);
	utm__qmp_support_want((UtmQmp *)utm__request_get_object(request), &question->wait);
}

static void abort_question(UtmRequest *request, int code)
{
	Question *question = utm__request_get_input(request);
	utm__qmp_support_forget((UtmQmp *)utm__request_get_object(request), &question->wait);
	utm__request_finish(request, utm__request_abort_error(request, code), NULL, NULL);
}

static UtmRequest *request_new(UtmQmp *qmp, const char *what, const UtmQmpCallOptions *options)
{
	gint64 timeout_ms = options->timeout_ms ? options->timeout_ms : utm__qmp_default_timeout_ms("query-qmp-schema");
	UtmRequest *request = utm__request_new(&qmp->object, "asking QEMU what it supports", timeout_ms, options->cancel);
	Question *question = g_new0(Question, 1);
	question->wait.done = on_support;
	question->request = request;
	question->what = g_strdup(what);
	utm__request_set_input(request, question, question_free);
	utm__request_set_abort(request, abort_question);
	return request;
}

static int check(UtmQmp *qmp, const char *what, const UtmQmpCallOptions *options, UtmQmpCallOptions *ret,
                 UtmError **error)
{
	if (!qmp)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no QMP connection");
	int failed = utm__sized_copy(ret, sizeof *ret, sizeof *ret, options, "UtmQmpCallOptions", error);
	if (failed)
		return failed;
	if (ret->timeout_ms < -1 || ret->flags || ret->fd)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "a question takes a deadline and a cancel, and no other option");
	return utm__introspection_check_question(what, error);
}

int utm_qmp_has(UtmQmp *qmp, const char *what, const UtmQmpCallOptions *options, bool *ret_has, UtmError **error)
{
	UtmQmpCallOptions checked = UTM_QMP_CALL_OPTIONS_INIT;
	int failed = check(qmp, what, options, &checked, error);
	if (failed)
		return failed;
	if (!ret_has)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "nowhere to put the answer");
	failed = utm__context_check_blocking(qmp->object.context, error);
	if (failed)
		return failed;
	g_autoptr(UtmIntrospection) index = utm__qmp_support_ref_index(qmp);
	if (index) {
		*ret_has = utm__introspection_has(index, what);
		return 0;
	}
	g_autoptr(UtmRequest) request = request_new(qmp, what, &checked);
	failed = utm__request_run(request, start_question, error);
	if (!failed)
		*ret_has = utm__request_get_result(request) != NULL;
	return failed;
}

static void deliver(UtmRequest *request, UtmCallback *callback)
{
	if (callback->fn)
		((UtmQmpHasFunc)callback->fn)((UtmQmp *)utm__request_get_object(request), utm__request_get_result(request) != NULL,
		                              utm__request_get_error(request), callback->user_data);
}

int utm_qmp_has_async(UtmQmp *qmp, const char *what, const UtmQmpCallOptions *options, UtmQmpHasFunc fn,
                      void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmQmpCallOptions checked = UTM_QMP_CALL_OPTIONS_INIT;
	int failed = check(qmp, what, options, &checked, error);
	if (failed) {
		if (free_fn)
			free_fn(user_data);
		return failed;
	}
	g_autoptr(UtmRequest) request = request_new(qmp, what, &checked);
	utm__request_submit(request, start_question, deliver,
	                    utm__callback_new(qmp->object.context, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}
