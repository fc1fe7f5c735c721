/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/replay.h"

#include "base/util.h"
#include "qmp/envelope.h"
#include "qmp/recording.h"
#include "qmp/transport.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#define MISMATCH_CLASS "ReplayMismatch"
/* Of a command, in messages. */
#define SHOWN_MAX 200
/* How much longer than the recorded client this one may take for its next command, while it waits for an answer that
 * came after that. */
#define PATIENCE_US G_USEC_PER_SEC

/* One of the recorded commands, as far as this session is. */
typedef struct Played {
	bool sent, answered;
	char *id; /* under which its answer is to go, as JSON; NULL: without */
} Played;

/* What is to be done, and when. */
typedef struct Task {
	const UtmQmpStep *step;
	gint64 due_us;
} Task;

struct UtmQmpReplay {
	UtmContext *context;
	UtmQmpRecording *recording;
	bool unordered, paced;

	/* --- I/O thread only --- */
	UtmQmpTransport *transport;
	guint source, timer;
	bool negotiated;
	bool open; /* what came before the first command has begun */
	GArray *tasks;
	guint next_task;
	gint64 last_due_us;
	gint64 sent_us;  /* when the last command came */
	guint32 waiting; /* commands whose recorded answer was not given yet */
	guint early;     /* steps before this one may not come again with their command: they came without it */

	pthread_mutex_t lock; /* guards what follows; it changes on the I/O thread only */
	Played *played;
	guint32 next; /* the first command that was not sent */
	UtmError *mismatch; /* the first */
};

/* ---------------------------------------------------------------- talking */

static void send_text(UtmQmpReplay *replay, const GString *text)
{
	/* Far from its bound: a task waits until the one before is out. */
	utm__qmp_transport_write(replay->transport, text->str, text->len, -1);
	utm__qmp_transport_flush(replay->transport);
}

static void append_slice(GString *text, const UtmQmpSlice *slice)
{
	g_string_append_len(text, slice->text, (gssize)slice->length);
}

static void send_answer(UtmQmpReplay *replay, const UtmQmpStep *step, const char *id)
{
	g_autoptr(GString) text = g_string_new(step->is_error ? "{\"error\":" : "{\"return\":");
	if (step->text.text)
		append_slice(text, &step->text);
	else
		g_string_append(text, "{}");
	if (id)
		g_string_append_printf(text, ",\"id\":%s", id);
	g_string_append(text, "}\n");
	send_text(replay, text);
}

static void send_error(UtmQmpReplay *replay, const char *class, const char *desc, const char *id)
{
	g_autoptr(GString) object = g_string_new("{\"class\":");
	utm__qmp_append_quoted(object, class);
	g_string_append(object, ",\"desc\":");
	utm__qmp_append_quoted(object, desc);
	g_string_append_c(object, '}');
	const UtmQmpStep step = { .text = { object->str, object->len }, .is_error = true };
	send_answer(replay, &step, id);
}

static void hang_up(UtmQmpReplay *replay)
{
	utm__io_remove(replay->context, &replay->source);
	utm__io_remove(replay->context, &replay->timer);
	utm__qmp_transport_shutdown(replay->transport);
	g_array_set_size(replay->tasks, 0);
	replay->next_task = 0;
}

/* ---------------------------------------------------------------- tasks */

static void add_segment(UtmQmpReplay *replay, guint32 segment)
{
	const UtmQmpRecordedCommand *command = utm__qmp_recording_get(replay->recording, segment);
	gint64 now_us = utm__now_us();
	for (guint i = command->first_step; i < command->first_step + command->step_count; i++) {
		Task task = { .step = &g_array_index(replay->recording->steps, UtmQmpStep, i) };
		if (i < replay->early && !task.step->command)
			continue; /* an event; of an answer it is known whether it was given */
		task.due_us = replay->paced ? MAX(replay->last_due_us, now_us + task.step->delay_us) : 0;
		replay->last_due_us = task.due_us;
		g_array_append_val(replay->tasks, task);
	}
}

static void answer(UtmQmpReplay *replay, const UtmQmpStep *step)
{
	Played *played = &replay->played[step->command];
	if (played->answered)
		return;
	played->answered = true;
	replay->waiting--;
	send_answer(replay, step, played->id);
}

static void do_task(UtmQmpReplay *replay, const UtmQmpStep *step)
{
	if (!step->text.text) {
		hang_up(replay);
	} else if (step->command) {
		answer(replay, step);
	} else {
		g_autoptr(GString) text = g_string_new_len(step->text.text, (gssize)step->text.length);
		send_text(replay, g_string_append_c(text, '\n'));
	}
}

static void advance(UtmQmpReplay *replay);

static void on_timer(void *data)
{
	UtmQmpReplay *replay = data;
	replay->timer = 0;
	advance(replay);
}

static void set_timer(UtmQmpReplay *replay, gint64 wait_us)
{
	gint64 wait_ms = wait_us / 1000 + 1;
	replay->timer = utm__io_add_timeout(replay->context, MIN(wait_ms, G_MAXINT), on_timer, replay);
}

/*
 * The recorded client had sent its next command before these answers came. One that does not send it must not wait for
 * ever: it has gone another way, and is to find out. What the monitor said between them comes with them, in its order.
 */
static void answer_impatiently(UtmQmpReplay *replay)
{
	const UtmQmpRecording *recording = replay->recording;
	if (replay->waiting == 0 || replay->next >= recording->commands->len)
		return;
	gint64 pause_us = utm__qmp_recording_get(recording, replay->next)->us -
	                  utm__qmp_recording_get(recording, replay->next - 1)->us;
	gint64 wait_us = replay->sent_us + MAX(pause_us, 0) + PATIENCE_US - utm__now_us();
	if (wait_us > 0) {
		set_timer(replay, wait_us);
		return;
	}
	replay->early = MAX(replay->early, utm__qmp_recording_get(recording, replay->next)->first_step);
	while (replay->waiting > 0 && replay->early < recording->steps->len &&
	       utm__qmp_transport_is_drained(replay->transport)) {
		const UtmQmpStep *step = &g_array_index(recording->steps, UtmQmpStep, replay->early++);
		if (step->command < replay->next)
			do_task(replay, step);
	}
}

/* Does what is due, and the client has room for: where it has none, the watch tells when it has. */
static void advance(UtmQmpReplay *replay)
{
	utm__io_remove(replay->context, &replay->timer);
	while (replay->next_task < replay->tasks->len && utm__qmp_transport_is_drained(replay->transport)) {
		Task task = g_array_index(replay->tasks, Task, replay->next_task);
		gint64 wait_us = task.due_us - (task.due_us ? utm__now_us() : 0);
		if (wait_us > 0) {
			set_timer(replay, wait_us);
			return;
		}
		replay->next_task++;
		do_task(replay, task.step);
	}
	if (replay->next_task < replay->tasks->len)
		return;
	g_array_set_size(replay->tasks, 0);
	replay->next_task = 0;
	if (replay->source)
		answer_impatiently(replay);
}

static void open_events(UtmQmpReplay *replay)
{
	if (replay->open)
		return;
	replay->open = true;
	add_segment(replay, 0);
}

void utm__qmp_replay_open(UtmQmpReplay *replay)
{
	if (!replay->source)
		return;
	open_events(replay);
	advance(replay);
}

/* ---------------------------------------------------------------- commands */

/* The command of the recording that this is, or 0. */
static guint32 find_command(UtmQmpReplay *replay, const char *name)
{
	const UtmQmpRecording *recording = replay->recording;
	if (!replay->unordered) {
		bool same = replay->next < recording->commands->len &&
		            strcmp(utm__qmp_recording_get(recording, replay->next)->name, name) == 0;
		return same ? replay->next : 0;
	}
	GArray *places = g_hash_table_lookup(recording->places, name);
	if (!places)
		return 0;
	guint32 *place = (guint32 *)(void *)places->data;
	return place[0] + 1 < places->len ? place[++place[0]] : 0;
}

/* With the lock. */
static void mark_sent(UtmQmpReplay *replay, guint32 command, char *id_taken)
{
	replay->played[command] = (Played){ .sent = true, .id = id_taken };
	while (replay->next < replay->recording->commands->len && replay->played[replay->next].sent)
		replay->next++;
}

static char *dup_shown(const char *name)
{
	gsize length = strlen(name);
	g_autofree char *cut = g_strndup(name, MIN(length, SHOWN_MAX));
	g_autofree char *valid = g_utf8_make_valid(cut, -1);
	return g_strconcat(valid, length > SHOWN_MAX ? "..." : NULL, NULL);
}

static char *describe_mismatch(const UtmQmpReplay *replay, const char *name)
{
	g_autofree char *shown = dup_shown(name);
	if (replay->next >= replay->recording->commands->len)
		return g_strdup_printf("the recording is over, it does not have this command: %s", shown);
	const UtmQmpRecordedCommand *next = utm__qmp_recording_get(replay->recording, replay->next);
	g_autofree char *wanted = dup_shown(next->name);
	return g_strdup_printf("the recording does not have this command%s: %s; line %u expects: %s",
	                       replay->unordered ? "" : " here", shown, next->line, wanted);
}

static void refuse(UtmQmpReplay *replay, const char *name, const char *id)
{
	g_autofree char *desc = describe_mismatch(replay, name);
	pthread_mutex_lock(&replay->lock);
	if (!replay->mismatch)
		replay->mismatch = utm__error_set_file(utm__error_new(UTM_ERROR_NOT_FOUND, "%s", desc), replay->recording->path);
	pthread_mutex_unlock(&replay->lock);
	utm__log(replay->context, UTM_LOG_WARNING, "QMP: %s: %s", replay->recording->path, desc);
	send_error(replay, MISMATCH_CLASS, desc, id);
}

static void answer_aside(UtmQmpReplay *replay, const char *name, const char *id)
{
	const UtmQmpStep *step = g_hash_table_lookup(replay->recording->asides, name);
	if (step)
		send_answer(replay, step, id);
	else
		send_error(replay, "CommandNotFound", "the recording does not have this command", id);
}

static void negotiate(UtmQmpReplay *replay, const char *id)
{
	replay->negotiated = true;
	if (replay->recording->ends_early)
		hang_up(replay);
	else
		send_answer(replay, &replay->recording->negotiated, id);
}

static void play(UtmQmpReplay *replay, guint32 command, char *id_taken)
{
	pthread_mutex_lock(&replay->lock);
	mark_sent(replay, command, id_taken);
	pthread_mutex_unlock(&replay->lock);
	replay->sent_us = utm__now_us();
	replay->waiting += utm__qmp_recording_get(replay->recording, command)->answer != NULL;
	open_events(replay);
	add_segment(replay, command);
}

static void handle(UtmQmpReplay *replay, const UtmQmpMessage *message)
{
	UtmQmpRequest request;
	if (utm__qmp_request_read(&request, message->text, message->length)) {
		send_error(replay, "GenericError", "not a command", NULL);
		return;
	}
	g_autofree char *name = request.name;
	g_autofree char *id = request.id.text ? g_strndup(request.id.text, request.id.length) : NULL;
	guint32 command;
	if (!replay->negotiated && utm__qmp_request_is_negotiation(name))
		negotiate(replay, id);
	else if (utm__qmp_request_is_aside(name))
		answer_aside(replay, name, id);
	else if ((command = find_command(replay, name)) != 0)
		play(replay, command, g_steal_pointer(&id));
	else
		refuse(replay, name, id);
}

static bool on_watch(int fd, GIOCondition condition, void *data)
{
	UtmQmpReplay *replay = data;
	UtmQmpMessage message;
	UtmQmpInput input = UTM_QMP_INPUT_WAIT;
	utm__qmp_transport_flush(replay->transport);
	while (replay->source && (input = utm__qmp_transport_peek(replay->transport, &message)) == UTM_QMP_INPUT_MESSAGE) {
		handle(replay, &message);
		utm__qmp_transport_pop(replay->transport);
	}
	if (!replay->source)
		return false;
	if (input == UTM_QMP_INPUT_END)
		hang_up(replay);
	else
		advance(replay);
	return replay->source != 0;
}

/* ---------------------------------------------------------------- life */

void utm__qmp_replay_start(UtmQmpReplay *replay)
{
	int watch = utm__qmp_transport_get_watch(replay->transport);
	if (watch < 0) {
		hang_up(replay);
		return;
	}
	replay->source = utm__io_add_fd(replay->context, watch, G_IO_IN, on_watch, replay);
	g_autoptr(GString) text = g_string_new("{\"QMP\":");
	append_slice(text, &replay->recording->greeting);
	send_text(replay, g_string_append(text, "}\n"));
}

void utm__qmp_replay_stop(UtmQmpReplay *replay)
{
	hang_up(replay);
}

void utm__qmp_replay_free(UtmQmpReplay *replay)
{
	if (!replay)
		return;
	for (guint i = 0; i < replay->recording->commands->len; i++)
		g_free(replay->played[i].id);
	g_free(replay->played);
	utm__qmp_transport_free(replay->transport);
	utm__qmp_recording_free(replay->recording);
	g_array_unref(replay->tasks);
	utm_error_unref(replay->mismatch);
	pthread_mutex_destroy(&replay->lock);
	g_free(replay);
}

UtmQmpReplay *utm__qmp_replay_new(UtmContext *context, const char *path, guint32 flags, int *ret_fd, UtmError **error)
{
	bool unordered = flags & UTM_QMP_CONNECT_REPLAY_UNORDERED;
	g_autoptr(UtmQmpRecording) recording = utm__qmp_recording_load(path, unordered, error);
	int fds[2];
	if (!recording)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		utm__fail_errno(error, errno, NULL, "cannot make a socket pair");
		return NULL;
	}
	UtmQmpReplay *replay = g_new0(UtmQmpReplay, 1);
	replay->context = context;
	replay->recording = g_steal_pointer(&recording);
	replay->unordered = unordered;
	replay->paced = flags & UTM_QMP_CONNECT_REPLAY_PACED;
	replay->transport = utm__qmp_transport_new(fds[0], &utm__qmp_monitor);
	replay->tasks = g_array_new(FALSE, FALSE, sizeof(Task));
	replay->played = g_new0(Played, replay->recording->commands->len);
	replay->played[0].sent = true;
	replay->next = 1;
	pthread_mutex_init(&replay->lock, NULL);
	*ret_fd = fds[1];
	return replay;
}

int utm__qmp_replay_check(UtmQmpReplay *replay, UtmError **error)
{
	guint32 left = 0, count = replay->recording->commands->len;
	pthread_mutex_lock(&replay->lock);
	UtmError *failure = replay->mismatch ? utm_error_ref(replay->mismatch) : NULL;
	guint32 next = replay->next;
	for (guint32 i = next; i < count; i++)
		left += !replay->played[i].sent;
	pthread_mutex_unlock(&replay->lock);
	if (failure)
		return utm__fail_take(error, failure);
	if (!left)
		return 0;
	const UtmQmpRecordedCommand *first = utm__qmp_recording_get(replay->recording, next);
	g_autofree char *shown = dup_shown(first->name);
	failure = utm__error_new(UTM_ERROR_INVALID_STATE, "%u of the recorded commands were not sent, the first of line %u: %s",
	                         left, first->line, shown);
	utm__error_set_remedy(failure, "Have the program send them, or take them out of the recording.");
	return utm__fail_take(error, utm__error_set_file(failure, replay->recording->path));
}
