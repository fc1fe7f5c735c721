/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/request.h"

struct UtmRequest {
	gint refs;
	UtmObject *object; /* nullable */
	UtmContext *context;
	const char *what;
	gint64 timeout_ms;
	UtmCancel *cancel;
	void *input;
	GDestroyNotify free_input;
	UtmRequestFunc start;
	UtmRequestAbortFunc abort;

	pthread_mutex_t lock; /* guards what is below, up to result */
	pthread_cond_t ended;
	bool finished;
	UtmError *error;
	void *result;
	GDestroyNotify free_result;

	/* asynchronous only */
	UtmRequestDeliverFunc deliver;
	UtmCallback *callback;
	UtmQueueEvent event;

	/* I/O thread only */
	guint timer;
	UtmCancelWatch *watch;
};

UtmRequest *utm__request_new_in(UtmContext *context, const char *what, gint64 timeout_ms, UtmCancel *cancel)
{
	UtmRequest *request = g_new0(UtmRequest, 1);
	request->refs = 1;
	request->context = context;
	request->what = what;
	request->timeout_ms = timeout_ms;
	request->cancel = utm_cancel_ref(cancel);
	pthread_mutex_init(&request->lock, NULL);
	pthread_cond_init(&request->ended, NULL);
	return request;
}

UtmRequest *utm__request_new(UtmObject *object, const char *what, gint64 timeout_ms, UtmCancel *cancel)
{
	UtmRequest *request = utm__request_new_in(object->context, what, timeout_ms, cancel);
	request->object = object;
	utm__object_hold(object);
	return request;
}

int utm__check_timeout(gint64 timeout_ms, const char *name, UtmError **error)
{
	if (timeout_ms < -1)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "%s is %" G_GINT64_FORMAT ", below -1", name, timeout_ms);
	return 0;
}

UtmRequest *utm__request_ref(UtmRequest *request)
{
	g_atomic_int_inc(&request->refs);
	return request;
}

void utm__request_unref(UtmRequest *request)
{
	if (!request || !g_atomic_int_dec_and_test(&request->refs))
		return;
	if (request->free_input)
		request->free_input(request->input);
	if (request->free_result && request->result)
		request->free_result(request->result);
	utm__callback_unref(request->callback);
	utm_error_unref(request->error);
	utm_cancel_unref(request->cancel);
	pthread_mutex_destroy(&request->lock);
	pthread_cond_destroy(&request->ended);
	utm__object_release(request->object);
	g_free(request);
}

void utm__request_set_input(UtmRequest *request, void *input, GDestroyNotify free_input)
{
	request->input = input;
	request->free_input = free_input;
}

void *utm__request_get_input(UtmRequest *request)
{
	return request->input;
}

UtmObject *utm__request_get_object(UtmRequest *request)
{
	return request->object;
}

UtmContext *utm__request_get_context(UtmRequest *request)
{
	return request->context;
}

const char *utm__request_get_what(UtmRequest *request)
{
	return request->what;
}

void utm__request_set_abort(UtmRequest *request, UtmRequestAbortFunc abort)
{
	request->abort = abort;
}

bool utm__request_is_finished(UtmRequest *request)
{
	pthread_mutex_lock(&request->lock);
	bool finished = request->finished;
	pthread_mutex_unlock(&request->lock);
	return finished;
}

UtmError *utm__request_abort_error(UtmRequest *request, int code)
{
	if (code == UTM_ERROR_TIMEOUT)
		return utm__error_new(code, "%s took longer than %" G_GINT64_FORMAT " ms", request->what, request->timeout_ms);
	return utm__error_new(code, "%s was cancelled", request->what);
}

static void settle(UtmRequest *request)
{
	g_hash_table_remove(utm__context_get_requests(request->context), request);
	utm__io_remove(request->context, &request->timer);
	utm__cancel_unwatch(request->watch);
	request->watch = NULL;
	if (request->deliver)
		utm__context_post(request->context, &request->event); /* the event owns the I/O thread's reference now */
	else
		utm__request_unref(request);
}

bool utm__request_finish(UtmRequest *request, UtmError *error_taken, void *result, GDestroyNotify free_result)
{
	pthread_mutex_lock(&request->lock);
	bool first = !request->finished;
	if (first) {
		request->finished = true;
		request->error = error_taken;
		request->result = result;
		request->free_result = free_result;
		pthread_cond_signal(&request->ended);
	}
	pthread_mutex_unlock(&request->lock);
	if (first) {
		settle(request);
		return true;
	}
	utm_error_unref(error_taken);
	if (free_result && result)
		free_result(result);
	return false;
}

const UtmError *utm__request_get_error(UtmRequest *request)
{
	return request->error;
}

void *utm__request_get_result(UtmRequest *request)
{
	return request->result;
}

void *utm__request_steal_result(UtmRequest *request)
{
	return g_steal_pointer(&request->result);
}

static void end_early(UtmRequest *request, int code)
{
	if (utm__request_is_finished(request))
		return;
	if (request->abort)
		request->abort(request, code);
	else
		utm__request_finish(request, utm__request_abort_error(request, code), NULL, NULL);
}

static void on_deadline(void *data)
{
	UtmRequest *request = data;
	request->timer = 0;
	end_early(request, UTM_ERROR_TIMEOUT);
}

static void on_cancel(void *data)
{
	end_early(data, UTM_ERROR_CANCELLED);
}

static void begin(void *data)
{
	UtmRequest *request = data;
	g_hash_table_add(utm__context_get_requests(request->context), request);
	if (utm__cancel_is_triggered(request->cancel)) {
		utm__request_finish(request, utm__request_abort_error(request, UTM_ERROR_CANCELLED), NULL, NULL);
		return;
	}
	if (request->timeout_ms >= 0)
		request->timer = utm__io_add_timeout(request->context, request->timeout_ms, on_deadline, request);
	if (request->cancel)
		request->watch = utm__cancel_watch(request->cancel, request->context, on_cancel, request);
	request->start(request);
}

int utm__request_run(UtmRequest *request, UtmRequestFunc start, UtmError **error)
{
	int wrong = utm__context_check_blocking(request->context, error);
	if (wrong < 0)
		return wrong;
	request->start = start;
	utm__context_invoke(request->context, begin, utm__request_ref(request));
	utm__context_hurry(request->context);
	pthread_mutex_lock(&request->lock);
	while (!request->finished)
		pthread_cond_wait(&request->ended, &request->lock);
	pthread_mutex_unlock(&request->lock);
	return request->error ? utm__fail_take(error, utm_error_ref(request->error)) : 0;
}

void utm__requests_cancel_all(UtmContext *context)
{
	g_autoptr(GList) pending = g_hash_table_get_keys(utm__context_get_requests(context));
	for (GList *l = pending; l; l = l->next)
		utm__request_finish(l->data, utm__request_abort_error(l->data, UTM_ERROR_CANCELLED), NULL, NULL);
}

static void event_run(UtmQueueEvent *event)
{
	UtmRequest *request = (UtmRequest *)((char *)event - G_STRUCT_OFFSET(UtmRequest, event));
	request->deliver(request, request->callback);
}

static void event_free(UtmQueueEvent *event)
{
	UtmRequest *request = (UtmRequest *)((char *)event - G_STRUCT_OFFSET(UtmRequest, event));
	/* Now, whoever else still holds the request: free_fn follows the last call at once. */
	utm__callback_unref(g_steal_pointer(&request->callback));
	utm__request_unref(request);
}

void utm__request_submit(UtmRequest *request, UtmRequestFunc start, UtmRequestDeliverFunc deliver,
                         UtmCallback *callback_taken)
{
	request->start = start;
	request->deliver = deliver;
	request->callback = callback_taken;
	request->event.object = request->object;
	request->event.run = event_run;
	request->event.free = event_free;
	utm__context_invoke(request->context, begin, utm__request_ref(request));
}
