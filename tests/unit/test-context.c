/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context from inside: hand-over in both directions, requests, their deadlines and cancels, ends with work pending. */
#include "core/request.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct Thing {
	UtmObject object;
	gint *freed;
} Thing;

static void thing_free(UtmObject *object)
{
	g_atomic_int_inc(((Thing *)object)->freed);
	g_free(object);
}

static const UtmObjectClass thing_class = { .name = "thing", .free = thing_free };

static Thing *thing_new(UtmContext *context, gint *freed)
{
	Thing *thing = g_new0(Thing, 1);
	thing->freed = freed;
	utm__object_init(&thing->object, &thing_class, context);
	return thing;
}

static void count_up(void *data)
{
	g_atomic_int_inc((gint *)data);
}

static void test_invoke_runs_in_order_before_the_end(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	gint count = 0;
	for (int i = 0; i < 1000; i++)
		utm__context_invoke(context, count_up, &count);
	utm__context_call(context, count_up, &count);
	g_assert_cmpint(g_atomic_int_get(&count), ==, 1001);
	for (int i = 0; i < 1000; i++)
		utm__context_invoke(context, count_up, &count);
	utm_context_unref(context);
	g_assert_cmpint(count, ==, 2001);
}

static void finish_now(UtmRequest *request)
{
	utm__request_finish(request, NULL, g_strdup("result"), g_free);
}

static void never_finish(UtmRequest *request)
{
}

static void test_request_blocking(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	gint freed = 0;
	Thing *thing = thing_new(context, &freed);
	UtmRequest *request = utm__request_new(&thing->object, "testing", -1, NULL);
	g_assert_cmpint(utm__request_run(request, finish_now, NULL), ==, 0);
	g_assert_cmpstr(utm__request_get_result(request), ==, "result");
	utm__request_unref(request);

	g_autoptr(UtmError) error = NULL;
	request = utm__request_new(&thing->object, "testing", 20, NULL);
	g_assert_cmpint(utm__request_run(request, never_finish, &error), ==, UTM_ERROR_TIMEOUT);
	g_assert_cmpstr(utm_error_get_message(error), ==, "testing took longer than 20 ms");
	utm__request_unref(request);

	utm__object_unref(&thing->object);
	utm_context_unref(context);
	g_assert_cmpint(freed, ==, 1);
}

static void *trigger_soon(void *cancel)
{
	g_usleep(20000);
	utm_cancel_trigger(cancel);
	return NULL;
}

static void test_request_cancel(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	gint freed = 0;
	Thing *thing = thing_new(context, &freed);
	UtmCancel *cancel = utm_cancel_new();
	pthread_t thread;
	pthread_create(&thread, NULL, trigger_soon, cancel);
	UtmRequest *request = utm__request_new(&thing->object, "testing", -1, cancel);
	g_assert_cmpint(utm__request_run(request, never_finish, NULL), ==, UTM_ERROR_CANCELLED);
	utm__request_unref(request);
	pthread_join(thread, NULL);

	/* A token that was triggered before stops the call before it starts. */
	request = utm__request_new(&thing->object, "testing", -1, cancel);
	g_assert_cmpint(utm__request_run(request, finish_now, NULL), ==, UTM_ERROR_CANCELLED);
	utm__request_unref(request);
	utm_cancel_unref(cancel);
	utm__object_unref(&thing->object);
	utm_context_unref(context);
}

typedef struct Counts {
	int delivered;
	int freed;
	int code;
} Counts;

static void on_done(UtmRequest *request, UtmCallback *callback)
{
	Counts *counts = callback->user_data;
	counts->delivered++;
	counts->code = utm_error_get_code(utm__request_get_error(request));
}

static void on_free(void *data)
{
	((Counts *)data)->freed++;
}

static void submit(Thing *thing, UtmRequestFunc start, Counts *counts)
{
	UtmCallback *callback = utm__callback_new(thing->object.context, NULL, counts, on_free);
	UtmRequest *request = utm__request_new(&thing->object, "testing", -1, NULL);
	utm__request_submit(request, start, on_done, callback);
	utm__request_unref(request);
}

static void test_request_asynchronous(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	gint freed = 0;
	Counts counts = { 0 };
	Thing *thing = thing_new(context, &freed);
	submit(thing, finish_now, &counts);
	while (counts.delivered == 0)
		g_assert_cmpint(utm_context_wait(context, 5000), >, 0);
	g_assert_cmpint(counts.delivered, ==, 1);
	g_assert_cmpint(counts.freed, ==, 1);
	utm__object_unref(&thing->object);
	utm_context_unref(context);
	g_assert_cmpint(freed, ==, 1);
}

static void test_end_with_work_pending(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	gint freed = 0;
	Counts queued = { 0 }, pending = { 0 };
	Thing *thing = thing_new(context, &freed);
	submit(thing, finish_now, &queued);
	submit(thing, never_finish, &pending);
	utm__object_unref(&thing->object);
	utm_context_unref(context);
	g_assert_cmpint(queued.delivered + pending.delivered, ==, 0);
	g_assert_cmpint(queued.freed, ==, 1);
	g_assert_cmpint(pending.freed, ==, 1);
	g_assert_cmpint(freed, ==, 1);
}

typedef struct Post {
	UtmQueueEvent event;
	int runs;
	UtmContext *repost;
} Post;

static void post_run(UtmQueueEvent *event)
{
	Post *post = (Post *)event;
	post->runs++;
	if (post->repost)
		utm__context_post(post->repost, event);
}

static void test_events_coalesce_and_repost(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Post post = { .event.run = post_run };
	for (int i = 0; i < 10; i++)
		utm__context_post(context, &post.event);
	g_assert_cmpint(utm_context_dispatch(context, 0), ==, 1);
	g_assert_cmpint(post.runs, ==, 1);

	/* Posted again from its own callback: left for the next dispatch, which is signalled. */
	post.repost = context;
	utm__context_post(context, &post.event);
	g_assert_cmpint(utm_context_dispatch(context, 0), ==, 1);
	g_assert_cmpint(post.runs, ==, 2);
	post.repost = NULL;
	g_assert_cmpint(utm_context_wait(context, 1000), ==, 1);
	g_assert_cmpint(utm_context_wait(context, 0), ==, 0);
	utm_context_unref(context);
}

#define POSTS 2000

static void *post_many(void *data)
{
	UtmContext *context = data;
	for (int i = 0; i < POSTS; i++) {
		Post *post = g_new0(Post, 1);
		post->event.free = (void (*)(UtmQueueEvent *))g_free;
		utm__context_post(context, &post->event);
	}
	return NULL;
}

static void test_posting_from_many_threads(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, post_many, context);
	for (int handled = 0; handled < 4 * POSTS;) {
		int now = utm_context_wait(context, 10000);
		g_assert_cmpint(now, >, 0);
		handled += now;
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	g_assert_cmpint(utm_context_wait(context, 0), ==, 0);
	utm_context_unref(context);
}

static UtmContext *nested_context;

static void invoke_more(void *data)
{
	gint *count = data;
	if (++*count < 5)
		utm__context_invoke(nested_context, invoke_more, data);
}

/* Work that hands over more work is not a way around the end: that runs, too. */
static void test_work_of_work_runs_before_the_end(void)
{
	for (int i = 0; i < 200; i++) {
		gint count = 0;
		nested_context = utm_context_new(NULL, NULL);
		utm__context_invoke(nested_context, invoke_more, &count);
		utm_context_unref(nested_context);
		g_assert_cmpint(count, ==, 5);
	}
}

static int inner_result;

static void wait_inside(UtmQueueEvent *event)
{
	inner_result = utm_context_wait(nested_context, 5000);
}

/* There it could only wait for itself. */
static void test_wait_inside_a_callback_is_refused(void)
{
	UtmQueueEvent event = { .run = wait_inside };
	nested_context = utm_context_new(NULL, NULL);
	utm__context_post(nested_context, &event);
	gint64 before = g_get_monotonic_time();
	g_assert_cmpint(utm_context_dispatch(nested_context, 0), ==, 1);
	g_assert_cmpint(inner_result, ==, UTM_ERROR_INVALID_STATE);
	g_assert_cmpint(g_get_monotonic_time() - before, <, 2 * G_USEC_PER_SEC);
	utm_context_unref(nested_context);
}

#define ANSWERS 400

typedef struct Answering {
	Thing *thing;
	int delivered;
	gint worked;
} Answering;

static void submit_answer(Answering *self);

/* Every tenth time it waits for its work, without a call of the library that could know. */
static void on_answered(UtmRequest *request, UtmCallback *callback)
{
	Answering *self = callback->user_data;
	gint before = g_atomic_int_get(&self->worked);
	submit_answer(self);
	gint64 deadline_us = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
	while (self->delivered % 10 == 0 && g_atomic_int_get(&self->worked) == before &&
	       g_get_monotonic_time() < deadline_us)
		g_usleep(50);
	g_assert_true(self->delivered % 10 != 0 || g_atomic_int_get(&self->worked) > before);
	self->delivered++;
}

static void submit_answer(Answering *self)
{
	UtmCallback *callback = utm__callback_new(self->thing->object.context, NULL, self, NULL);
	UtmRequest *request = utm__request_new(&self->thing->object, "testing", -1, NULL);
	utm__request_submit(request, finish_now, on_answered, callback);
	utm__request_unref(request);
	utm__context_invoke(self->thing->object.context, count_up, &self->worked);
}

/* The I/O thread is not woken for each thing that a dispatch brings, and does it all the same while a callback takes its time. */
static void test_work_of_a_callback_does_not_wait_for_it(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	gint freed = 0;
	Answering self = { .thing = thing_new(context, &freed) };
	for (int i = 0; i < 4; i++)
		submit_answer(&self);
	while (self.delivered < ANSWERS)
		g_assert_cmpint(utm_context_wait(context, 5000), >, 0);
	utm__object_unref(&self.thing->object);
	utm_context_unref(context);
}

static void test_no_descriptors_for_a_context(void)
{
	struct rlimit limit, little;
	getrlimit(RLIMIT_NOFILE, &limit);
	int next = fcntl(0, F_DUPFD, 3);
	close(next);
	int failures = 0;
	for (int extra = 0; extra < 6; extra++) {
		UtmError *error = NULL;
		little = limit;
		little.rlim_cur = (rlim_t)(next + extra);
		setrlimit(RLIMIT_NOFILE, &little);
		UtmContext *context = utm_context_new(NULL, &error);
		setrlimit(RLIMIT_NOFILE, &limit);
		g_assert_true((context == NULL) == (error != NULL));
		if (error)
			g_assert_cmpint(utm_error_get_code(error), ==, UTM_ERROR_IO);
		failures += error != NULL;
		utm_error_unref(error);
		utm_context_unref(context);
	}
	g_assert_cmpint(failures, >, 0);
	g_assert_cmpint(failures, <, 6);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/context/invoke", test_invoke_runs_in_order_before_the_end);
	g_test_add_func("/context/request/blocking", test_request_blocking);
	g_test_add_func("/context/request/cancel", test_request_cancel);
	g_test_add_func("/context/request/asynchronous", test_request_asynchronous);
	g_test_add_func("/context/end-with-work-pending", test_end_with_work_pending);
	g_test_add_func("/context/coalesce", test_events_coalesce_and_repost);
	g_test_add_func("/context/many-threads", test_posting_from_many_threads);
	g_test_add_func("/context/work-of-work", test_work_of_work_runs_before_the_end);
	g_test_add_func("/context/wait-inside", test_wait_inside_a_callback_is_refused);
	g_test_add_func("/context/work-of-a-callback", test_work_of_a_callback_does_not_wait_for_it);
	g_test_add_func("/context/no-descriptors", test_no_descriptors_for_a_context);
	return g_test_run();
}
