/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "console/helper.h"

#include "base/util.h"
#include "console/engine-path.h"
#include "process/process.h"
#include "process/stderr-text.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* An engine that went wrong is just waited for. */
#define LOST_DEADLINE_MS 1000
/* What one turn of the I/O thread takes from one engine, so that a flood does not starve the others. */
#define MESSAGES_PER_TURN 64
/* Input that an engine has not taken; a healthy one never has more than a few. */
#define OUTGOING_MAX 65536

/* The socket as the threads of the application see it: frames that are given back there may outlive the helper. */
typedef struct Doorbell {
	gint refs;
	pthread_mutex_t lock;
	int socket; /* -1 without an engine */
} Doorbell;

struct UtmHelper {
	UtmContext *context;
	UtmHelperEvents events;
	UtmProcess *process;
	int socket;
	Doorbell *doorbell;
	guint read_source;
	guint write_source;
	guint stop_timer;
	GQueue outgoing;
	bool greeted;
	bool stopping;
	char *problem; /* why it was failed */
};

/* ---------------------------------------------------------------- doorbell */

static Doorbell *doorbell_new(int socket)
{
	Doorbell *doorbell = g_new0(Doorbell, 1);
	doorbell->refs = 1;
	doorbell->socket = socket;
	pthread_mutex_init(&doorbell->lock, NULL);
	return doorbell;
}

static void doorbell_unref(Doorbell *doorbell)
{
	if (!g_atomic_int_dec_and_test(&doorbell->refs))
		return;
	pthread_mutex_destroy(&doorbell->lock);
	g_free(doorbell);
}

static void doorbell_disconnect(Doorbell *doorbell)
{
	pthread_mutex_lock(&doorbell->lock);
	doorbell->socket = -1;
	pthread_mutex_unlock(&doorbell->lock);
}

typedef struct RingWatch {
	Doorbell *doorbell;
	guint display;
} RingWatch;

/* Any thread. When the socket is full the engine has messages to read, and looks for free buffers after any message. */
static void ring_freed(void *data)
{
	RingWatch *watch = data;
	UtmMessage message = { .kind = UTM_MESSAGE_BUFFER_FREE, .display = watch->display };
	pthread_mutex_lock(&watch->doorbell->lock);
	if (watch->doorbell->socket >= 0)
		utm__protocol_send(watch->doorbell->socket, &message, -1);
	pthread_mutex_unlock(&watch->doorbell->lock);
}

static void ring_watch_free(void *data)
{
	RingWatch *watch = data;
	doorbell_unref(watch->doorbell);
	g_free(watch);
}

void utm__helper_watch_ring(UtmHelper *helper, UtmRing *ring, guint display)
{
	RingWatch *watch = g_new0(RingWatch, 1);
	watch->doorbell = helper->doorbell;
	watch->display = display;
	g_atomic_int_inc(&helper->doorbell->refs);
	utm__ring_set_freed(ring, ring_freed, watch, ring_watch_free);
}

/* ---------------------------------------------------------------- the end */

/* Closes our end: the engine sees that it is over. */
static void hang_up(UtmHelper *helper)
{
	doorbell_disconnect(helper->doorbell);
	utm__io_remove(helper->context, &helper->read_source);
	utm__io_remove(helper->context, &helper->write_source);
	utm__close_fd(&helper->socket);
}

static void helper_free(UtmHelper *helper)
{
	hang_up(helper);
	utm__io_remove(helper->context, &helper->stop_timer);
	utm__process_free(helper->process);
	doorbell_unref(helper->doorbell);
	g_queue_clear_full(&helper->outgoing, g_free);
	g_free(helper->problem);
	g_free(helper);
}

static UtmError *end_error(UtmHelper *helper, const UtmProcessEnd *end)
{
	const char *tail = utm__process_get_stderr_tail(helper->process);
	const char *words = utm__last_line(tail);
	g_autofree char *how = helper->problem ? g_strdup(helper->problem)
	                       : end->signal   ? g_strdup_printf("the console engine was ended by signal %d", end->signal)
	                                       : g_strdup_printf("the console engine exited with status %d",
	                                                         end->exit_status);
	UtmError *error = utm__error_new(UTM_ERROR_CONSOLE_ENGINE, "%s%s%s", how, words ? ": " : "", words ? words : "");
	return utm__error_set_exit(error, end->signal ? 128 + end->signal : end->exit_status, tail);
}

static bool take_messages(UtmHelper *helper);

static void process_ended(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	UtmHelper *helper = data;
	/* What it said before it went comes first: often the reason. */
	if (helper->socket >= 0 && !helper->stopping && !helper->problem)
		take_messages(helper);
	UtmHelperEvents events = helper->events;
	bool stopping = helper->stopping;
	g_autoptr(UtmError) error = end_error(helper, end);
	helper_free(helper);
	if (stopping)
		events.stopped(events.data);
	else
		events.lost(error, events.data);
}

void utm__helper_fail(UtmHelper *helper, const char *problem)
{
	if (helper->problem || helper->stopping)
		return;
	helper->problem = g_strdup(problem);
	hang_up(helper);
	utm__process_kill(helper->process, SIGKILL);
}

static void stop_deadline(void *data)
{
	UtmHelper *helper = data;
	helper->stop_timer = 0;
	utm__process_kill(helper->process, SIGKILL);
}

static void give_grace(UtmHelper *helper, gint64 deadline_ms)
{
	utm__io_remove(helper->context, &helper->stop_timer);
	helper->stop_timer = utm__io_add_timeout(helper->context, deadline_ms, stop_deadline, helper);
}

void utm__helper_stop(UtmHelper *helper)
{
	if (helper->stopping)
		return;
	helper->stopping = true;
	hang_up(helper);
	give_grace(helper, UTM_ENGINE_KILL_MS);
}

gint64 utm__helper_get_pid(UtmHelper *helper)
{
	return utm__process_get_pid(helper->process);
}

/* ---------------------------------------------------------------- messages */

static bool flush(int fd, GIOCondition condition, void *data)
{
	UtmHelper *helper = data;
	const UtmMessage *first;
	while ((first = g_queue_peek_head(&helper->outgoing))) {
		if (utm__protocol_send(helper->socket, first, -1) == UTM_PROTOCOL_AGAIN)
			return true;
		g_free(g_queue_pop_head(&helper->outgoing));
	}
	helper->write_source = 0;
	return false;
}

/* A position overtakes the one before it with the same buttons. */
static bool replaces(const UtmMessage *newer, const UtmMessage *older)
{
	return older && newer->kind == UTM_MESSAGE_MOVE && older->kind == UTM_MESSAGE_MOVE &&
	       newer->display == older->display && newer->pointer.buttons == older->pointer.buttons;
}

void utm__helper_send(UtmHelper *helper, const UtmMessage *message)
{
	if (helper->socket < 0)
		return;
	if (!helper->outgoing.head && utm__protocol_send(helper->socket, message, -1) != UTM_PROTOCOL_AGAIN)
		return; /* sent, or nobody listens: then reading says so too */
	UtmMessage *last = g_queue_peek_tail(&helper->outgoing);
	if (replaces(message, last)) {
		*last = *message;
		return;
	}
	if (helper->outgoing.length >= OUTGOING_MAX) {
		utm__helper_fail(helper, "the console engine does not take input any more");
		return;
	}
	g_queue_push_tail(&helper->outgoing, g_memdup2(message, sizeof *message));
	if (!helper->write_source)
		helper->write_source = utm__io_add_fd(helper->context, helper->socket, G_IO_OUT, flush, helper);
}

static void take_hello(UtmHelper *helper, const UtmMessage *message)
{
	if (message->hello.version == UTM_PROTOCOL_VERSION) {
		helper->greeted = true;
		return;
	}
	g_autofree char *problem = g_strdup_printf("the console engine speaks protocol %u, this library %u",
	                                           message->hello.version, UTM_PROTOCOL_VERSION);
	utm__helper_fail(helper, problem);
}

/* False when nothing more can come. What is called may hang up. */
static bool take_messages(UtmHelper *helper)
{
	for (int i = 0; i < MESSAGES_PER_TURN && helper->socket >= 0; i++) {
		UtmMessage message;
		int fd = -1;
		UtmProtocolResult result = utm__protocol_receive(helper->socket, UTM_PROTOCOL_LIBRARY, &message, &fd);
		bool hello = result == UTM_PROTOCOL_OK && message.kind == UTM_MESSAGE_HELLO;
		if (result == UTM_PROTOCOL_AGAIN)
			return true;
		if (result == UTM_PROTOCOL_CLOSED)
			return false;
		if (result == UTM_PROTOCOL_BROKEN || hello == helper->greeted)
			utm__helper_fail(helper, "the console engine sent something that is no message of its protocol");
		else if (hello)
			take_hello(helper, &message);
		else
			helper->events.message(&message, fd, helper->events.data);
	}
	return helper->socket >= 0;
}

static bool on_readable(int fd, GIOCondition condition, void *data)
{
	UtmHelper *helper = data;
	if (take_messages(helper))
		return true;
	/* Either hung up meanwhile, or the engine closed its end. Then it is ending, and if not it shall. */
	if (helper->socket >= 0) {
		utm__io_remove(helper->context, &helper->read_source);
		give_grace(helper, LOST_DEADLINE_MS);
	}
	return false;
}

/* ---------------------------------------------------------------- the start */

static void on_stderr_line(UtmProcess *process, const char *line, void *data)
{
	UtmHelper *helper = data;
	utm__log(helper->context, UTM_LOG_DEBUG, "console engine: %s", line);
}

static const char *program(UtmContext *context)
{
	const char *chosen = utm__context_get_console_engine(context);
	if (!chosen)
		chosen = g_getenv("UTM_CONSOLE_ENGINE");
	return chosen ? chosen : UTM_CONSOLE_ENGINE_PATH;
}

static UtmProcess *spawn(UtmHelper *helper, int engine_socket, UtmError **error)
{
	const char *const argv[] = { program(helper->context), NULL };
	UtmProcessFd fd = { engine_socket, UTM_ENGINE_FD };
	UtmProcessSpec spec = { .argv = argv, .fds = &fd, .fd_count = 1, .stdout_fd = -1,
		.on_stderr_line = on_stderr_line, .on_end = process_ended, .data = helper };
	g_autoptr(UtmError) problem = NULL;
	UtmProcess *process = utm__process_spawn(helper->context, &spec, &problem);
	if (!process)
		utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_CONSOLE_ENGINE,
			"the console engine cannot be started: %s", utm_error_get_message(problem)), argv[0]));
	return process;
}

UtmHelper *utm__helper_start(UtmContext *context, const UtmHelperEvents *events, UtmError **error)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		utm__fail_errno(error, errno, NULL, "no socket for the console engine");
		return NULL;
	}
	UtmHelper *helper = g_new0(UtmHelper, 1);
	helper->context = context;
	helper->events = *events;
	helper->socket = pair[0];
	helper->doorbell = doorbell_new(pair[0]);
	g_queue_init(&helper->outgoing);
	helper->process = spawn(helper, pair[1], error);
	close(pair[1]);
	if (!helper->process) {
		helper_free(helper);
		return NULL;
	}
	helper->read_source = utm__io_add_fd(context, helper->socket, G_IO_IN, on_readable, helper);
	utm__helper_send(helper, &(UtmMessage){ .kind = UTM_MESSAGE_HELLO, .hello.version = UTM_PROTOCOL_VERSION });
	return helper;
}
