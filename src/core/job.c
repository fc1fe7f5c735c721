/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads for work that blocks. A few at a time, since more copies of disks are not faster; the others wait their turn.
 * Everything here but work() happens on the I/O thread.
 */
#include "core/job.h"

#include <signal.h>

#define THREADS_MAX 4

/* Those of a context. */
typedef struct Jobs {
	GPtrArray *running;
	GQueue waiting;
	bool watched; /* the end of the context is */
	bool ended;
} Jobs;

/* The request's input; it has a reference to the request as long as it waits or runs. */
typedef struct Job {
	UtmRequest *request;
	UtmContext *context;
	Jobs *jobs;
	const UtmJobClass *klass;
	void *input;
	UtmCancel *stop;       /* what the work looks at: the application's is not ours to trigger */
	UtmCancel *cancel;     /* nullable; the application's */
	UtmCancelWatch *watch; /* nullable */
	pthread_t thread;
	bool joined;
	void *result;
	UtmError *error;
} Job;

static const char jobs_key;

static void *jobs_make(UtmContext *context)
{
	Jobs *jobs = g_new0(Jobs, 1);
	jobs->running = g_ptr_array_new();
	g_queue_init(&jobs->waiting);
	return jobs;
}

static void jobs_free(void *data)
{
	Jobs *jobs = data;
	g_ptr_array_unref(jobs->running);
	g_free(jobs);
}

static void job_free(void *data)
{
	Job *job = data;
	if (job->klass->free_input)
		job->klass->free_input(job->input);
	utm_cancel_unref(job->cancel);
	utm_cancel_unref(job->stop);
	g_free(job);
}

/* What it ended with first is what the request keeps. */
static void finish(Job *job)
{
	UtmRequest *request = job->request;
	utm__cancel_unwatch(g_steal_pointer(&job->watch));
	utm__request_finish(request, g_steal_pointer(&job->error), g_steal_pointer(&job->result), job->klass->free_result);
	utm__request_unref(request);
}

/* --- the threads --- */

static void begin_next(Jobs *jobs);

static void join(Job *job)
{
	if (!job->joined)
		pthread_join(job->thread, NULL);
	job->joined = true;
}

static void on_ended(void *data)
{
	Job *job = data;
	Jobs *jobs = job->jobs;
	join(job);
	g_ptr_array_remove_fast(jobs->running, job);
	finish(job);
	begin_next(jobs);
}

static void *work(void *data)
{
	Job *job = data;
	(void)job->klass->run(job->input, job->stop, &job->result, &job->error);
	utm__context_invoke(job->context, on_ended, job);
	return NULL;
}

/* Signals of the process are for the application's own threads. */
static int start_thread(Job *job)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&job->thread, NULL, work, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

static void begin_next(Jobs *jobs)
{
	while (!jobs->ended && jobs->running->len < THREADS_MAX && !g_queue_is_empty(&jobs->waiting)) {
		Job *job = g_queue_pop_head(&jobs->waiting);
		int failed = start_thread(job);
		if (!failed) {
			g_ptr_array_add(jobs->running, job);
			continue;
		}
		(void)utm__fail_errno(&job->error, failed, NULL, "cannot start a thread");
		finish(job);
	}
}

/* --- ends --- */

static void finish_cancelled(Job *job)
{
	job->error = utm__request_abort_error(job->request, UTM_ERROR_CANCELLED);
	finish(job);
}

static void on_cancel(void *data)
{
	Job *job = data;
	if (g_queue_remove(&job->jobs->waiting, job))
		finish_cancelled(job);
	else
		utm_cancel_trigger(job->stop);
}

/* What runs is told to stop, and hands over its end while this waits for it; that runs after all. */
static void on_context_end(void *data)
{
	Jobs *jobs = data;
	jobs->ended = true;
	for (Job *job; (job = g_queue_pop_head(&jobs->waiting));)
		finish_cancelled(job);
	for (guint i = 0; i < jobs->running->len; i++)
		utm_cancel_trigger(((Job *)jobs->running->pdata[i])->stop);
	for (guint i = 0; i < jobs->running->len; i++)
		join(jobs->running->pdata[i]);
}

/* --- submitting --- */

static void start(UtmRequest *request)
{
	Job *job = utm__request_get_input(request);
	job->jobs = utm__context_get_data(job->context, &jobs_key, jobs_make, jobs_free);
	job->request = utm__request_ref(request);
	if (!job->jobs->watched)
		utm__context_at_end(job->context, on_context_end, job->jobs);
	job->jobs->watched = true;
	if (utm__cancel_is_triggered(job->cancel)) {
		finish_cancelled(job);
		return;
	}
	if (job->cancel)
		job->watch = utm__cancel_watch(job->cancel, job->context, on_cancel, job);
	g_queue_push_tail(&job->jobs->waiting, job);
	begin_next(job->jobs);
}

void utm__job_submit(UtmContext *context, UtmObject *object, const UtmJobClass *klass, void *input_taken, UtmCancel *cancel,
                     UtmCallback *callback_taken)
{
	g_autoptr(UtmRequest) request =
		object ? utm__request_new(object, klass->what, -1, NULL) : utm__request_new_in(context, klass->what, -1, NULL);
	Job *job = g_new0(Job, 1);
	*job = (Job){
		.context = context,
		.klass = klass,
		.input = input_taken,
		.stop = utm_cancel_new(),
		.cancel = utm_cancel_ref(cancel),
	};
	utm__request_set_input(request, job, job_free);
	utm__request_submit(request, start, klass->deliver, callback_taken);
}
