/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UtmContext: its life, its I/O thread, its policy and its log. What goes to the application is in dispatch.c.
 *
 *     any thread --invoke--> inbox --> I/O thread
 *
 * Hand-overs are guarded by pthread mutexes.
 */
#include "core/context-impl.h"

#include "base/sized-struct.h"
#include "base/util.h"
#include "core/request.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOG_EVENTS_MAX 1024

struct UtmWork {
	UtmWork *next;
	UtmIoFunc fn;
	void *data;
};

typedef struct ContextData {
	const void *key;
	void *data;
	void (*destroy)(void *data);
} ContextData;

/* The context whose I/O thread this is. */
static _Thread_local UtmContext *io_context;

/* ---------------------------------------------------------------- the I/O thread */

/*
 * To wake a thread costs both sides more than most work does, so application and I/O thread wake each other once for many
 * things: the I/O thread at the end of its turn, a dispatch at its end. But a callback may take its time, so as long as
 * dispatches answer what they are told, the I/O thread looks into its inbox by itself for a moment after it told something.
 */
#define ATTENTIVE_US 1000

/* With the inbox's lock. True: the caller wakes the I/O thread once it has unlocked, for it wants the lock then. */
static bool tell_locked(UtmContext *context)
{
	bool wake = !context->io_woken;
	context->io_woken = true;
	return wake;
}

void utm__context_invoke(UtmContext *context, UtmIoFunc fn, void *data)
{
	UtmWork *work = g_new(UtmWork, 1);
	*work = (UtmWork){ .fn = fn, .data = data };
	bool answers = utm__in_dispatch(context);
	pthread_mutex_lock(&context->inbox_lock);
	*context->inbox_end = work;
	context->inbox_end = &work->next;
	context->answering |= answers;
	bool wake = !(answers && context->attentive) && tell_locked(context);
	/* From here on the work may free the context. */
	GMainContext *asleep = wake ? g_main_context_ref(context->main) : NULL;
	pthread_mutex_unlock(&context->inbox_lock);
	if (asleep) {
		g_main_context_wakeup(asleep);
		g_main_context_unref(asleep);
	}
}

void utm__context_hurry(UtmContext *context)
{
	pthread_mutex_lock(&context->inbox_lock);
	bool wake = context->inbox_first && tell_locked(context);
	pthread_mutex_unlock(&context->inbox_lock);
	if (wake)
		g_main_context_wakeup(context->main);
}

void utm__inbox_end_dispatch(UtmContext *context)
{
	pthread_mutex_lock(&context->inbox_lock);
	context->answered = context->answering;
	context->answering = false;
	pthread_mutex_unlock(&context->inbox_lock);
	utm__context_hurry(context);
}

typedef struct Call {
	UtmIoFunc fn;
	void *data;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool done;
} Call;

static void run_call(void *data)
{
	Call *call = data;
	call->fn(call->data);
	pthread_mutex_lock(&call->lock);
	call->done = true;
	pthread_cond_signal(&call->ended);
	pthread_mutex_unlock(&call->lock);
}

void utm__context_call(UtmContext *context, UtmIoFunc fn, void *data)
{
	if (utm__context_is_io_thread(context)) {
		fn(data);
		return;
	}
	Call call = { .fn = fn, .data = data };
	pthread_mutex_init(&call.lock, NULL);
	pthread_cond_init(&call.ended, NULL);
	utm__context_invoke(context, run_call, &call);
	utm__context_hurry(context);
	pthread_mutex_lock(&call.lock);
	while (!call.done)
		pthread_cond_wait(&call.ended, &call.lock);
	pthread_mutex_unlock(&call.lock);
	pthread_cond_destroy(&call.ended);
	pthread_mutex_destroy(&call.lock);
}

bool utm__context_is_io_thread(UtmContext *context)
{
	return io_context == context;
}

int utm__context_check_blocking(UtmContext *context, UtmError **error)
{
	if (utm__in_wakeup() || io_context)
		return utm__fail(error, UTM_ERROR_WRONG_THREAD, "the call would block inside the wakeup callback");
	return 0;
}

GMainContext *utm__context_get_main(UtmContext *context)
{
	return context->main;
}

GHashTable *utm__context_get_requests(UtmContext *context)
{
	return context->requests;
}

static UtmWork *take_inbox(UtmContext *context, bool *ret_stopping)
{
	pthread_mutex_lock(&context->inbox_lock);
	UtmWork *work = context->inbox_first;
	context->inbox_first = NULL;
	context->inbox_end = &context->inbox_first;
	context->io_woken = false;
	*ret_stopping = context->stopping;
	pthread_mutex_unlock(&context->inbox_lock);
	return work;
}

static void run_all(UtmWork *work)
{
	while (work) {
		UtmWork now = *work;
		/* First: a process that ends while this runs has then lost nothing. */
		g_free(work);
		now.fn(now.data);
		work = now.next;
	}
}

void utm__context_at_end(UtmContext *context, UtmIoFunc fn, void *data)
{
	UtmWork *work = g_new(UtmWork, 1);
	*work = (UtmWork){ .fn = fn, .data = data, .next = context->endings };
	context->endings = work;
}

static bool run_inbox(UtmContext *context)
{
	bool stopping;
	run_all(take_inbox(context, &stopping));
	return stopping;
}

/* At the end nobody hands over anything any more but the work itself. */
static void empty_inbox(UtmContext *context)
{
	bool stopping;
	for (UtmWork *work; (work = take_inbox(context, &stopping));)
		run_all(work);
}

typedef struct TurnSource {
	GSource source;
	UtmContext *context;
} TurnSource;

static void end_turn(UtmContext *context)
{
	if (utm__queue_end_turn(context))
		context->told_us = utm__now_us();
}

/* The last thing before the I/O thread sleeps. */
static gboolean turn_prepare(GSource *source, gint *timeout_ms)
{
	UtmContext *context = ((TurnSource *)source)->context;
	end_turn(context);
	gint64 told_ago_us = utm__now_us() - context->told_us;
	pthread_mutex_lock(&context->inbox_lock);
	context->attentive = context->answered && told_ago_us < ATTENTIVE_US;
	*timeout_ms = context->attentive ? 1 : -1;
	bool waits = context->inbox_first != NULL;
	pthread_mutex_unlock(&context->inbox_lock);
	return waits;
}

static gboolean turn_dispatch(GSource *source, GSourceFunc unused, gpointer unused_data)
{
	return G_SOURCE_CONTINUE; /* run_inbox() comes next */
}

static GSourceFuncs turn_funcs = { .prepare = turn_prepare, .dispatch = turn_dispatch };

static void add_turn_source(UtmContext *context)
{
	GSource *source = g_source_new(&turn_funcs, sizeof(TurnSource));
	((TurnSource *)source)->context = context;
	g_source_set_priority(source, G_MAXINT); /* is prepared last, and only when nothing else is ready */
	g_source_attach(source, context->main);
	g_source_unref(source);
}

static void *io_thread(void *data)
{
	UtmContext *context = data;
	io_context = context;
	/* Not made the thread's default: GLib would make its default context for that, and every source names ours. */
	while (!run_inbox(context)) {
		end_turn(context);
		g_main_context_iteration(context->main, TRUE);
	}
	utm__requests_cancel_all(context);
	run_all(g_steal_pointer(&context->endings));
	empty_inbox(context);
	return NULL;
}

/* The host's signal handlers must not find themselves on our thread. */
static int start_thread(UtmContext *context)
{
	sigset_t all, former;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	int failed = pthread_create(&context->thread, NULL, io_thread, context);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	return failed;
}

static void stop_thread(UtmContext *context)
{
	pthread_mutex_lock(&context->inbox_lock);
	context->stopping = true;
	g_main_context_wakeup(context->main);
	pthread_mutex_unlock(&context->inbox_lock);
	pthread_join(context->thread, NULL);
}

/* ---------------------------------------------------------------- life */

static void free_data(UtmContext *context)
{
	for (guint i = 0; i < context->data->len; i++) {
		ContextData *entry = &g_array_index(context->data, ContextData, i);
		if (entry->destroy)
			entry->destroy(entry->data);
	}
	g_array_unref(context->data);
}

/* What a helper thread handed over after the end; what it was about is gone. */
static void drop_inbox(UtmContext *context)
{
	bool stopping;
	for (UtmWork *work = take_inbox(context, &stopping), *next; work; work = next) {
		next = work->next;
		g_free(work);
	}
}

/* Everything but the thread and the queued events. Accepts a context that is half built. */
static void context_free(UtmContext *context)
{
	free_data(context);
	drop_inbox(context);
	utm__slot_clear(&context->log_slot);
	g_hash_table_unref(context->requests);
	g_clear_pointer(&context->main, g_main_context_unref);
	utm__queue_clear(context);
	pthread_mutex_destroy(&context->inbox_lock);
	pthread_mutex_destroy(&context->data_lock);
	g_strfreev(context->qemu_dirs);
	g_strfreev(context->firmware_dirs);
	g_free(context->runtime_dir);
	g_free(context->console_engine);
	g_free(context);
}

static UtmContext *context_alloc(const UtmContextOptions *options)
{
	UtmContext *context = g_new0(UtmContext, 1);
	context->refs = 1;
	utm__queue_init(context);
	context->inbox_end = &context->inbox_first;
	pthread_mutex_init(&context->inbox_lock, NULL);
	pthread_mutex_init(&context->data_lock, NULL);
	utm__slot_init(&context->log_slot);
	context->data = g_array_new(FALSE, FALSE, sizeof(ContextData));
	context->requests = g_hash_table_new(NULL, NULL);
	context->qemu_dirs = g_strdupv((char **)options->qemu_dirs);
	context->firmware_dirs = g_strdupv((char **)options->firmware_dirs);
	/* Now: later the host may be in another directory. */
	context->runtime_dir = options->runtime_dir ? g_canonicalize_filename(options->runtime_dir, NULL) : NULL;
	context->console_engine = g_strdup(options->console_engine);
	context->accel_policy = options->accel_policy;
	context->argument_policy = options->argument_policy;
	context->log_to_stderr = g_strcmp0(g_getenv("UTM_DEBUG"), "1") == 0;
	return context;
}

/* GLib ends the whole process when a main context finds no descriptor, so we look first whether there is one. */
static int make_main(UtmContext *context)
{
	int spare = eventfd(0, EFD_CLOEXEC);
	if (spare < 0)
		return errno;
	close(spare);
	context->main = g_main_context_new();
	add_turn_source(context);
	return 0;
}

static int make_descriptors_and_thread(UtmContext *context)
{
	int failed = utm__queue_open(context);
	if (!failed)
		failed = make_main(context);
	return failed ? failed : start_thread(context);
}

UtmContext *utm_context_new(const UtmContextOptions *options, UtmError **error)
{
	UtmContextOptions checked = UTM_CONTEXT_OPTIONS_INIT;
	if (utm__sized_copy(&checked, sizeof checked, sizeof checked, options, "UtmContextOptions", error) < 0)
		return NULL;
	if (checked.accel_policy > UTM_ACCEL_POLICY_TCG) {
		utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "accel_policy %u does not exist", checked.accel_policy);
		return NULL;
	}
	if (checked.argument_policy > UTM_ARGUMENT_POLICY_REFUSE) {
		utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "argument_policy %u does not exist", checked.argument_policy);
		return NULL;
	}
	UtmContext *context = context_alloc(&checked);
	int failed = make_descriptors_and_thread(context);
	if (failed) {
		utm__fail_errno(error, failed, NULL, "cannot start the context's thread");
		context_free(context);
		return NULL;
	}
	return context;
}

UtmContext *utm_context_ref(UtmContext *context)
{
	if (context)
		g_atomic_int_inc(&context->refs);
	return context;
}

void utm_context_unref(UtmContext *context)
{
	if (!context)
		return;
	if (utm__in_wakeup() && g_atomic_int_get(&context->refs) == 1) {
		utm__log(context, UTM_LOG_ERROR, "the wakeup callback dropped the last reference to its context; ignored");
		return;
	}
	if (!g_atomic_int_dec_and_test(&context->refs))
		return;
	stop_thread(context);
	utm__queue_discard(context);
	context_free(context);
}

/* ---------------------------------------------------------------- policy, data, log */

const char *const *utm__context_get_qemu_dirs(UtmContext *context)
{
	return (const char *const *)context->qemu_dirs;
}

const char *const *utm__context_get_firmware_dirs(UtmContext *context)
{
	return (const char *const *)context->firmware_dirs;
}

const char *utm__context_get_runtime_dir(UtmContext *context)
{
	return context->runtime_dir;
}

const char *utm__context_get_console_engine(UtmContext *context)
{
	return context->console_engine;
}

UtmArgumentPolicy utm__context_get_argument_policy(UtmContext *context)
{
	return context->argument_policy;
}

UtmAccelPolicy utm__context_get_accel_policy(UtmContext *context)
{
	return context->accel_policy;
}

void *utm__context_get_data(UtmContext *context, const void *key, void *(*make)(UtmContext *context),
                            void (*destroy)(void *data))
{
	void *data = NULL;
	pthread_mutex_lock(&context->data_lock);
	for (guint i = 0; i < context->data->len && !data; i++) {
		ContextData *entry = &g_array_index(context->data, ContextData, i);
		data = entry->key == key ? entry->data : NULL;
	}
	if (!data) {
		data = make(context);
		ContextData entry = { .key = key, .data = data, .destroy = destroy };
		g_array_append_val(context->data, entry);
	}
	pthread_mutex_unlock(&context->data_lock);
	return data;
}

typedef struct LogEvent {
	UtmQueueEvent event;
	UtmContext *context;
	UtmLogLevel level;
	char *message;
} LogEvent;

static void log_run(UtmQueueEvent *event)
{
	LogEvent *self = (LogEvent *)event;
	UtmCallback *callback = utm__slot_get(&self->context->log_slot);
	if (callback)
		((UtmLogFunc)callback->fn)(self->context, self->level, self->message, callback->user_data);
	utm__callback_unref(callback);
}

static void log_free(UtmQueueEvent *event)
{
	LogEvent *self = (LogEvent *)event;
	utm__slot_leave(&self->context->log_slot);
	g_free(self->message);
	g_free(self);
}

void utm__log(UtmContext *context, UtmLogLevel level, const char *format, ...)
{
	bool wanted = (int)level <= g_atomic_int_get(&context->log_level) && utm__slot_is_set(&context->log_slot);
	if (!wanted && !context->log_to_stderr)
		return;
	va_list args;
	va_start(args, format);
	g_autofree char *message = g_strdup_vprintf(format, args);
	va_end(args);
	if (context->log_to_stderr)
		fprintf(stderr, "libutm: %s\n", message);
	if (!wanted || !utm__slot_admit(&context->log_slot, LOG_EVENTS_MAX))
		return;
	LogEvent *event = g_new0(LogEvent, 1);
	event->event.run = log_run;
	event->event.free = log_free;
	event->context = context;
	event->level = level;
	event->message = g_steal_pointer(&message);
	utm__context_post(context, &event->event);
}

int utm_context_set_log_handler(UtmContext *context, uint32_t level, UtmLogFunc fn, void *user_data,
                                UtmFreeFunc free_fn)
{
	if (!context) {
		if (free_fn)
			free_fn(user_data);
		return UTM_ERROR_INVALID_ARGUMENT;
	}
	g_atomic_int_set(&context->log_level, fn ? (int)MIN(level, UTM_LOG_DEBUG) : 0);
	utm__slot_set(&context->log_slot, utm__callback_new_handler(context, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}
