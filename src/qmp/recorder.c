/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/recorder.h"

#include "base/util.h"
#include "qmp/envelope.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What may wait for the disk: more than the largest message. */
#define PENDING_MAX ((gsize)128 << 20)
/* What the buffer keeps between messages. */
#define PENDING_KEPT ((gsize)256 << 10)
/* How long the end of a context waits for a disk. */
#define END_TIMEOUT_MS 5000

struct UtmQmpRecorder {
	gint refs;
	char *path;
	gint64 start_us;
	int fd;       /* the writer's */
	off_t length; /* the writer's: of the file up to the last whole line */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	GString *pending;
	bool finished; /* nothing is added any more */
	bool done;     /* the writer has ended */
	UtmError *error;
};

UtmQmpRecorder *utm__qmp_recorder_ref(UtmQmpRecorder *recorder)
{
	g_atomic_int_inc(&recorder->refs);
	return recorder;
}

void utm__qmp_recorder_unref(UtmQmpRecorder *recorder)
{
	if (!recorder || !g_atomic_int_dec_and_test(&recorder->refs))
		return;
	utm__close_fd(&recorder->fd);
	g_string_free(recorder->pending, TRUE);
	utm_error_unref(recorder->error);
	pthread_cond_destroy(&recorder->changed);
	pthread_mutex_destroy(&recorder->lock);
	g_free(recorder->path);
	g_free(recorder);
}

/* ---------------------------------------------------------------- the writer */

/* Only whole lines stay in the file, so that what was recorded until the disk was full can be replayed. */
static void cut_last_line(UtmQmpRecorder *recorder, const char *text, gsize written)
{
	const char *line_end = written ? memrchr(text, '\n', written) : NULL;
	off_t length = recorder->length + (line_end ? line_end + 1 - text : 0);
	int failed = ftruncate(recorder->fd, length);
	(void)failed;
}

/* Returns an errno. */
static int write_lines(UtmQmpRecorder *recorder, const GString *lines)
{
	gsize written = 0;
	while (written < lines->len) {
		ssize_t count = write(recorder->fd, lines->str + written, lines->len - written);
		int failed = count < 0 ? errno : 0;
		if (count > 0)
			written += (gsize)count;
		if (failed && failed != EINTR) {
			cut_last_line(recorder, lines->str, written);
			return failed;
		}
	}
	recorder->length += (off_t)written;
	return 0;
}

/* With the lock. */
static void fail_recording(UtmQmpRecorder *recorder, UtmError *error_taken)
{
	if (recorder->error)
		utm_error_unref(error_taken);
	else
		recorder->error = utm__error_set_file(error_taken, recorder->path);
	recorder->finished = true;
	g_string_truncate(recorder->pending, 0);
}

/* With the lock. Gives the memory of a long message back. */
static GString *renew(GString *text)
{
	if (text->allocated_len <= PENDING_KEPT)
		return g_string_truncate(text, 0);
	g_string_free(text, TRUE);
	return g_string_new(NULL);
}

static void write_all(UtmQmpRecorder *recorder)
{
	GString *lines = g_string_new(NULL);
	pthread_mutex_lock(&recorder->lock);
	for (;;) {
		while (recorder->pending->len == 0 && !recorder->finished)
			pthread_cond_wait(&recorder->changed, &recorder->lock);
		if (recorder->pending->len == 0)
			break;
		GString *full = recorder->pending;
		recorder->pending = lines;
		lines = full;
		pthread_mutex_unlock(&recorder->lock);
		int failed = write_lines(recorder, lines);
		lines = renew(lines);
		pthread_mutex_lock(&recorder->lock);
		UtmError *error = NULL;
		if (failed)
			utm__fail_errno(&error, failed, recorder->path, "the recording ended");
		if (error)
			fail_recording(recorder, error);
	}
	pthread_mutex_unlock(&recorder->lock);
	g_string_free(lines, TRUE);
}

static void *writer(void *data)
{
	UtmQmpRecorder *recorder = data;
	write_all(recorder);
	utm__close_fd(&recorder->fd);
	pthread_mutex_lock(&recorder->lock);
	recorder->done = true;
	pthread_cond_broadcast(&recorder->changed);
	pthread_mutex_unlock(&recorder->lock);
	utm__qmp_recorder_unref(recorder);
	return NULL;
}

/* The host's signal handlers must not find themselves on our thread; a limit for files is then an error like others. */
static int start_writer(UtmQmpRecorder *recorder)
{
	pthread_t thread;
	sigset_t all, former;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	int failed = pthread_create(&thread, NULL, writer, utm__qmp_recorder_ref(recorder));
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	if (failed)
		utm__qmp_recorder_unref(recorder);
	else
		pthread_detach(thread);
	return failed;
}

/* ---------------------------------------------------------------- adding */

bool utm__qmp_recorder_add(UtmQmpRecorder *recorder, UtmQmpSide from, const char *message, gsize length)
{
	gint64 us = utm__now_us() - recorder->start_us;
	pthread_mutex_lock(&recorder->lock);
	if (!recorder->finished && recorder->pending->len > PENDING_MAX - MIN(length, PENDING_MAX))
		fail_recording(recorder, utm__error_new(UTM_ERROR_LIMIT, "the recording ended: the disk is too slow for it"));
	bool goes_on = !recorder->finished;
	if (goes_on) {
		g_string_append_printf(recorder->pending, "{\"us\":%" G_GINT64_FORMAT ",\"from\":\"%s\",\"message\":", us,
		                       from == UTM_QMP_SIDE_CLIENT ? "client" : "monitor");
		g_string_append_len(recorder->pending, message, (gssize)length);
		g_string_append(recorder->pending, "}\n");
	}
	pthread_cond_broadcast(&recorder->changed);
	pthread_mutex_unlock(&recorder->lock);
	return goes_on;
}

void utm__qmp_recorder_finish(UtmQmpRecorder *recorder, const UtmError *end)
{
	gint64 us = utm__now_us() - recorder->start_us;
	pthread_mutex_lock(&recorder->lock);
	if (end && !recorder->finished) {
		g_string_append_printf(recorder->pending, "{\"us\":%" G_GINT64_FORMAT ",\"from\":\"monitor\",\"end\":", us);
		utm__qmp_append_quoted(recorder->pending, utm_error_get_message(end));
		g_string_append(recorder->pending, "}\n");
	}
	recorder->finished = true;
	pthread_cond_broadcast(&recorder->changed);
	pthread_mutex_unlock(&recorder->lock);
}

UtmError *utm__qmp_recorder_get_error(UtmQmpRecorder *recorder)
{
	pthread_mutex_lock(&recorder->lock);
	UtmError *error = recorder->error ? utm_error_ref(recorder->error) : NULL;
	pthread_mutex_unlock(&recorder->lock);
	return error;
}

int utm__qmp_recorder_wait(UtmQmpRecorder *recorder, gint64 timeout_ms, UtmError **error)
{
	gint64 deadline_us = utm__now_us() + timeout_ms * 1000;
	struct timespec deadline = { .tv_sec = deadline_us / G_USEC_PER_SEC, .tv_nsec = deadline_us % G_USEC_PER_SEC * 1000 };
	int late = 0;
	pthread_mutex_lock(&recorder->lock);
	while (!recorder->done && !late)
		late = pthread_cond_timedwait(&recorder->changed, &recorder->lock, &deadline);
	UtmError *failure = recorder->error ? utm_error_ref(recorder->error) : NULL;
	bool done = recorder->done;
	pthread_mutex_unlock(&recorder->lock);
	if (failure)
		return utm__fail_take(error, failure);
	if (done)
		return 0;
	failure = utm__error_new(UTM_ERROR_TIMEOUT, "the disk did not take the recording within %" G_GINT64_FORMAT " ms",
	                         timeout_ms);
	return utm__fail_take(error, utm__error_set_file(failure, recorder->path));
}

/* ---------------------------------------------------------------- life */

/* Recorders of one context that may still write. */
typedef struct Recorders {
	pthread_mutex_t lock;
	GPtrArray *list;
} Recorders;

static const char recorders_key;

static void *recorders_make(UtmContext *context)
{
	Recorders *recorders = g_new(Recorders, 1);
	pthread_mutex_init(&recorders->lock, NULL);
	recorders->list = g_ptr_array_new_with_free_func((GDestroyNotify)utm__qmp_recorder_unref);
	return recorders;
}

/* All sessions have ended by now. A program that ends right after its context loses nothing of them. */
static void recorders_destroy(void *data)
{
	Recorders *recorders = data;
	for (guint i = 0; i < recorders->list->len; i++)
		utm__qmp_recorder_wait(recorders->list->pdata[i], END_TIMEOUT_MS, NULL);
	g_ptr_array_unref(recorders->list);
	pthread_mutex_destroy(&recorders->lock);
	g_free(recorders);
}

static bool is_done(UtmQmpRecorder *recorder)
{
	pthread_mutex_lock(&recorder->lock);
	bool done = recorder->done;
	pthread_mutex_unlock(&recorder->lock);
	return done;
}

static void remember(UtmContext *context, UtmQmpRecorder *recorder)
{
	Recorders *recorders = utm__context_get_data(context, &recorders_key, recorders_make, recorders_destroy);
	pthread_mutex_lock(&recorders->lock);
	for (guint i = recorders->list->len; i-- > 0;)
		if (is_done(recorders->list->pdata[i]))
			g_ptr_array_remove_index_fast(recorders->list, i);
	g_ptr_array_add(recorders->list, utm__qmp_recorder_ref(recorder));
	pthread_mutex_unlock(&recorders->lock);
}

/* Nobody else may read a recording, also when the file was there before; devices and pipes keep their mode. */
static int open_file(const char *path)
{
	struct stat info;
	utm_autofd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd < 0 || fstat(fd, &info) < 0)
		return -1;
	if (S_ISREG(info.st_mode) && (info.st_mode & 077) && fchmod(fd, 0600) < 0)
		return -1;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	int result = fd;
	fd = -1;
	return result;
}

static UtmQmpRecorder *recorder_alloc(const char *path)
{
	UtmQmpRecorder *recorder = g_new0(UtmQmpRecorder, 1);
	recorder->refs = 1;
	recorder->path = g_strdup(path);
	recorder->fd = -1;
	recorder->start_us = utm__now_us();
	recorder->pending = g_string_new(NULL);
	pthread_mutex_init(&recorder->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&recorder->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return recorder;
}

UtmQmpRecorder *utm__qmp_recorder_new(UtmContext *context, const char *path, UtmError **error)
{
	g_autoptr(UtmQmpRecorder) recorder = recorder_alloc(path);
	recorder->fd = open_file(path);
	int failed = recorder->fd < 0 ? errno : start_writer(recorder);
	if (failed) {
		utm__fail_errno(error, failed, path, "cannot record to it");
		return NULL;
	}
	remember(context, recorder);
	return g_steal_pointer(&recorder);
}

/* ---------------------------------------------------------------- the tap */

void utm__qmp_tap_init(UtmQmpTap *tap, UtmContext *context)
{
	*tap = (UtmQmpTap){ .context = context };
	pthread_mutex_init(&tap->lock, NULL);
}

void utm__qmp_tap_clear(UtmQmpTap *tap)
{
	utm__qmp_tap_end(tap, NULL);
	pthread_mutex_destroy(&tap->lock);
}

static void store(UtmQmpTap *tap, UtmQmpRecorder *recorder)
{
	__atomic_store_n(&tap->recorder, recorder, __ATOMIC_RELAXED);
}

bool utm__qmp_tap_set(UtmQmpTap *tap, UtmQmpRecorder *recorder)
{
	pthread_mutex_lock(&tap->lock);
	bool free_to_set = !tap->recorder && !tap->ended;
	if (free_to_set)
		store(tap, utm__qmp_recorder_ref(recorder));
	pthread_mutex_unlock(&tap->lock);
	return free_to_set;
}

static UtmQmpRecorder *take(UtmQmpTap *tap, const UtmQmpRecorder *wanted, bool ended)
{
	UtmQmpRecorder *recorder = NULL;
	pthread_mutex_lock(&tap->lock);
	tap->ended |= ended;
	if (!wanted || tap->recorder == wanted) {
		recorder = tap->recorder;
		store(tap, NULL);
	}
	pthread_mutex_unlock(&tap->lock);
	return recorder;
}

void utm__qmp_tap_remove(UtmQmpTap *tap, UtmQmpRecorder *recorder)
{
	utm__qmp_recorder_unref(take(tap, recorder, false));
}

void utm__qmp_tap_end(UtmQmpTap *tap, const UtmError *end)
{
	g_autoptr(UtmQmpRecorder) recorder = take(tap, NULL, true);
	if (recorder)
		utm__qmp_recorder_finish(recorder, end);
}

typedef struct Complaint {
	UtmContext *context;
	UtmQmpRecorder *recorder;
} Complaint;

static void complain(void *data)
{
	g_autofree Complaint *complaint = data;
	g_autoptr(UtmError) error = utm__qmp_recorder_get_error(complaint->recorder);
	if (error)
		utm__log(complaint->context, UTM_LOG_WARNING, "QMP: %s: %s", complaint->recorder->path,
		         utm_error_get_message(error));
	utm__qmp_recorder_unref(complaint->recorder);
}

/* The log may call the application, and here there are locks. */
static void complain_later(UtmContext *context, UtmQmpRecorder *recorder)
{
	Complaint *complaint = g_new(Complaint, 1);
	*complaint = (Complaint){ .context = context, .recorder = utm__qmp_recorder_ref(recorder) };
	utm__context_invoke(context, complain, complaint);
}

void utm__qmp_tap_record(UtmQmpTap *tap, UtmQmpSide from, const char *message, gsize length)
{
	pthread_mutex_lock(&tap->lock);
	UtmQmpRecorder *over = NULL;
	if (tap->recorder && !utm__qmp_recorder_add(tap->recorder, from, message, length)) {
		over = tap->recorder;
		store(tap, NULL);
	}
	pthread_mutex_unlock(&tap->lock);
	if (over)
		complain_later(tap->context, over);
	utm__qmp_recorder_unref(over);
}
