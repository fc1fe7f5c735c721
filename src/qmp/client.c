/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The protocol: greeting, negotiation, commands and their answers, events, deadlines, the end.
 *
 * One source on the I/O thread serves a connection. Its prepare step sends what was queued since the last turn, so that
 * commands given together go out together, and names the nearest deadline as the time to sleep: no timer per command.
 *
 * A reply is matched by its id alone. After the end everything that waits is answered, each once.
 */
#include "qmp/client-private.h"

#include "base/util.h"
#include "qmp/outbound.h"

#include <string.h>

/* Messages handled in one turn, so that a flood on one connection leaves time for the others. */
#define MESSAGES_PER_TURN 256
#define NEGOTIATION "qmp_capabilities"
/* How long a monitor that greeted may take to answer that, before it is connected to again. */
#define DEAF_MS 2500

/* ---------------------------------------------------------------- life */

UtmQmpClient *utm__qmp_client_ref(UtmQmpClient *client)
{
	g_atomic_int_inc(&client->refs);
	return client;
}

void utm__qmp_client_unref(UtmQmpClient *client)
{
	if (!client || !g_atomic_int_dec_and_test(&client->refs))
		return;
	utm__qmp_outbound_clear(client);
	utm__qmp_tap_clear(&client->tap);
	utm__qmp_transport_free(client->transport);
	utm__qmp_slots_clear(&client->slots);
	g_string_free(client->command, TRUE);
	utm_error_unref(client->end_error);
	pthread_mutex_destroy(&client->lock);
	g_free(client->greeting);
	g_free(client->path);
	g_free(client);
}

const char *utm__qmp_client_get_greeting(UtmQmpClient *client)
{
	return client->greeting;
}

guint32 utm__qmp_client_get_qemu_version(UtmQmpClient *client)
{
	return client->version;
}

void utm__qmp_client_set_path(UtmQmpClient *client, const char *path)
{
	client->path = g_strdup(path);
}

void utm__qmp_client_want_oob(UtmQmpClient *client)
{
	client->oob_wanted = true;
}

void utm__qmp_client_want_lines(UtmQmpClient *client)
{
	client->lines = true;
}

bool utm__qmp_client_has_oob(UtmQmpClient *client)
{
	return client->oob;
}

bool utm__qmp_client_passes_fds(UtmQmpClient *client)
{
	return utm__qmp_transport_passes_fds(client->transport);
}

/* ---------------------------------------------------------------- answers */

/* Ends the wait of a slot with `next` as its state, and hands the answer on. False when nobody waited. */
static bool answer(UtmQmpClient *client, guint id, UtmQmpSlotState next, const char *reply, const UtmError *error)
{
	pthread_mutex_lock(&client->lock);
	UtmQmpSlot *slot = utm__qmp_slots_get(&client->slots, id);
	bool waited = slot->state == UTM_QMP_SLOT_WAITING;
	UtmQmpClientReplyFunc fn = waited ? (UtmQmpClientReplyFunc)slot->fn : NULL;
	void *data = slot->data;
	if (waited)
		utm__qmp_slots_set(&client->slots, id, utm__qmp_outbound_remove(client, id) ? UTM_QMP_SLOT_FREE : next);
	pthread_mutex_unlock(&client->lock);
	if (fn)
		fn(client, reply, error, data);
	return waited;
}

typedef struct Refused {
	UtmQmpClientReplyFunc fn;
	void *data;
} Refused;

static void answer_refused(UtmQmpClient *client)
{
	GSList *refused = g_steal_pointer(&client->refused);
	g_autoptr(UtmError) error = utm__error_new(UTM_ERROR_LIMIT, "too many commands wait for the monitor");
	for (GSList *l = refused; l; l = l->next) {
		Refused *one = l->data;
		if (one->fn)
			one->fn(client, NULL, error, one->data);
	}
	g_slist_free_full(refused, g_free);
}

/* `quit` is done when the server is gone: nothing promises that its reply is out before. */
static bool is_done_by_end(UtmQmpClient *client, guint id)
{
	return client->hung_up && utm__qmp_outbound_is_sent(client, id) &&
	       strcmp(utm__qmp_slots_get(&client->slots, id)->name, "quit") == 0;
}

static void answer_end(UtmQmpClient *client, guint id)
{
	pthread_mutex_lock(&client->lock);
	bool waits = utm__qmp_slots_get(&client->slots, id)->state == UTM_QMP_SLOT_WAITING;
	g_autoptr(UtmError) error = waits && !is_done_by_end(client, id)
	                                ? utm__qmp_outbound_end_error(client, id, client->end_error)
	                                : NULL;
	pthread_mutex_unlock(&client->lock);
	answer(client, id, UTM_QMP_SLOT_FREE, error ? NULL : "{}", error);
}

static void answer_all(UtmQmpClient *client)
{
	for (guint id = 0; id < utm__qmp_slots_get_count(&client->slots); id++)
		answer_end(client, id);
	answer_refused(client);
}

static void sweep(void *data)
{
	UtmQmpClient *client = data;
	if (client->state == UTM_QMP_CLIENT_ENDED)
		answer_all(client);
	else
		answer_refused(client);
	utm__qmp_client_unref(client);
}

void utm__qmp_client_sweep_later(UtmQmpClient *client)
{
	utm__context_invoke(client->context, sweep, utm__qmp_client_ref(client));
}

/* Over: the socket is closed for both sides and everything that waits is answered. False when it was over before. */
static bool shut(UtmQmpClient *client, UtmError *error_taken)
{
	if (client->state == UTM_QMP_CLIENT_ENDED) {
		utm_error_unref(error_taken);
		return false;
	}
	pthread_mutex_lock(&client->lock);
	client->state = UTM_QMP_CLIENT_ENDED;
	client->end_error = error_taken;
	utm__qmp_transport_shutdown(client->transport);
	pthread_mutex_unlock(&client->lock);
	utm__qmp_tap_end(&client->tap, client->funcs ? client->end_error : NULL);
	g_source_destroy(client->source);
	g_source_unref(client->source);
	answer_all(client);
	return true;
}

static void end(UtmQmpClient *client, UtmError *error_taken)
{
	bool was_ready = client->state == UTM_QMP_CLIENT_READY;
	if (!shut(client, error_taken) || !client->funcs)
		return;
	if (was_ready)
		client->funcs->closed(client, client->end_error, client->data);
	else
		client->funcs->ready(client, client->end_error, client->data);
}

void utm__qmp_client_free(UtmQmpClient *client)
{
	if (!client)
		return;
	client->funcs = NULL;
	if (!shut(client, utm__error_new(UTM_ERROR_QMP_DISCONNECTED, "the connection was closed on this side")))
		answer_all(client);
	utm__qmp_client_unref(client);
}

/* ---------------------------------------------------------------- commands */

/* A slot for the command, or -1; with the lock. In an ended client it waits for the sweep. */
static int take_slot(UtmQmpClient *client, UtmQmpCommand *command)
{
	int id = utm__qmp_slots_take(&client->slots, UTM_QMP_SLOT_WAITING);
	if (id < 0 || utm__qmp_outbound_add(client, (guint)id, command))
		return id;
	utm__qmp_slots_set(&client->slots, (guint)id, UTM_QMP_SLOT_FREE);
	return -1;
}

gint64 utm__qmp_command_begin(UtmQmpCommand *command)
{
	command->given_us = utm__now_us();
	return utm__deadline_after(command->given_us, command->timeout_ms);
}

guint utm__qmp_client_arm(UtmQmpClient *client, guint id, gint64 deadline_us, UtmQmpClientReplyFunc fn, void *data)
{
	UtmQmpSlot *slot = utm__qmp_slots_get(&client->slots, id);
	slot->fn = (void (*)(void))fn;
	slot->data = data;
	slot->deadline_us = deadline_us;
	client->next_deadline_us = MIN(client->next_deadline_us, slot->deadline_us);
	return utm__qmp_slots_get_ticket(&client->slots, id);
}

guint utm__qmp_client_submit(UtmQmpClient *client, UtmQmpCommand *command, UtmQmpClientReplyFunc fn, void *data)
{
	gint64 deadline_us = utm__qmp_command_begin(command);
	utm__qmp_client_attend(client);
	pthread_mutex_lock(&client->lock);
	int id = take_slot(client, command);
	guint ticket = id >= 0 ? utm__qmp_client_arm(client, (guint)id, deadline_us, fn, data) : 0;
	pthread_mutex_unlock(&client->lock);
	if (id < 0) {
		Refused *refused = g_new(Refused, 1);
		*refused = (Refused){ .fn = fn, .data = data };
		client->refused = g_slist_append(client->refused, refused);
	}
	/* Not from here: the caller does not know the id yet. */
	if (id < 0 || client->state == UTM_QMP_CLIENT_ENDED)
		utm__qmp_client_sweep_later(client);
	return ticket;
}

guint utm__qmp_client_send(UtmQmpClient *client, const char *command, const char *arguments_json, gint64 timeout_ms,
                           UtmQmpClientReplyFunc fn, void *data)
{
	UtmQmpCommand plain = { .name = command, .arguments_json = arguments_json, .timeout_ms = timeout_ms, .fd = -1 };
	return utm__qmp_client_submit(client, &plain, fn, data);
}

void utm__qmp_client_abandon(UtmQmpClient *client, guint ticket, UtmError *reason_taken)
{
	pthread_mutex_lock(&client->lock);
	int id = utm__qmp_slots_find_ticket(&client->slots, ticket);
	g_autoptr(UtmError) error = id >= 0 ? utm__qmp_outbound_end_error(client, (guint)id, reason_taken) : NULL;
	pthread_mutex_unlock(&client->lock);
	if (id >= 0)
		answer(client, (guint)id, UTM_QMP_SLOT_ABANDONED, NULL, error);
	utm_error_unref(reason_taken);
}

/* ---------------------------------------------------------------- messages */

static void on_negotiated(UtmQmpClient *client, const char *reply, const UtmError *error, void *data)
{
	if (client->state == UTM_QMP_CLIENT_ENDED)
		return; /* the end itself is told */
	if (error) {
		end(client, utm__error_new(UTM_ERROR_QMP_PROTOCOL, "the monitor refused " NEGOTIATION ": %s",
		                           utm_error_get_message(error)));
		return;
	}
	pthread_mutex_lock(&client->lock);
	client->state = UTM_QMP_CLIENT_READY;
	client->oob = client->oob_wanted;
	pthread_mutex_unlock(&client->lock);
	if (client->funcs)
		client->funcs->ready(client, NULL, client->data);
}

static void handle_greeting(UtmQmpClient *client, UtmQmpEnvelope *envelope)
{
	if (client->state != UTM_QMP_CLIENT_GREETING) {
		end(client, utm__error_new(UTM_ERROR_QMP_PROTOCOL, "the monitor sent a second greeting"));
		return;
	}
	client->version = utm__qmp_greeting_get_version(envelope->body, envelope->body_length);
	client->oob_wanted &= utm__qmp_greeting_offers(envelope->body, envelope->body_length, "oob");
	g_free(client->greeting); /* of a connection before */
	client->greeting = g_strdup(utm__qmp_envelope_close_body(envelope));
	client->deaf_us = client->path ? utm__deadline_after(utm__now_us(), DEAF_MS) : G_MAXINT64;
	client->next_deadline_us = MIN(client->next_deadline_us, client->deaf_us);
	pthread_mutex_lock(&client->lock);
	client->state = UTM_QMP_CLIENT_NEGOTIATION;
	pthread_mutex_unlock(&client->lock);
	UtmQmpCommand command = { .name = NEGOTIATION,
		                  .arguments_json = client->oob_wanted ? "{\"enable\":[\"oob\"]}" : NULL,
		                  .timeout_ms = -1,
		                  .urgent = true,
		                  .fd = -1 };
	client->negotiation = utm__qmp_client_submit(client, &command, on_negotiated, NULL);
}

/* What came cannot be: a monitor is left, an agent's stream is passed over. */
static void refuse(UtmQmpClient *client, UtmError *error_taken)
{
	if (!client->dialect->marked) {
		end(client, error_taken);
		return;
	}
	utm__qmp_transport_pass_over(client->transport);
	if (client->funcs)
		client->funcs->strayed(client, error_taken, client->data);
	utm_error_unref(error_taken);
}

static UtmError *nonsense(const UtmQmpClient *client, const char *deed)
{
	return utm__error_new(UTM_ERROR_QMP_PROTOCOL, "%s %s", client->dialect->peer, deed);
}

/* A peer answers what it could not read without an id: nothing can be matched any more. */
static void refuse_reply_without_id(UtmQmpClient *client, const UtmQmpEnvelope *envelope)
{
	g_autofree char *unread = g_strconcat("could not read a command: ", envelope->text, NULL);
	refuse(client, nonsense(client, envelope->kind == UTM_QMP_KIND_ERROR ? unread : "sent a reply without an id"));
}

/* Whether a reply with this id was to come; an abandoned command's comes late and frees the id. */
static bool claim_reply(UtmQmpClient *client, gint64 id)
{
	pthread_mutex_lock(&client->lock);
	UtmQmpSlot *slot = utm__qmp_slots_get(&client->slots, id);
	UtmQmpSlotState state = slot && slot->sent ? slot->state : UTM_QMP_SLOT_FREE;
	if (state == UTM_QMP_SLOT_ABANDONED)
		utm__qmp_slots_set(&client->slots, (guint)id, UTM_QMP_SLOT_FREE);
	pthread_mutex_unlock(&client->lock);
	if (state == UTM_QMP_SLOT_ABANDONED)
		utm__log(client->context, UTM_LOG_DEBUG, "QMP: the reply %" G_GINT64_FORMAT " came too late; dropped", id);
	else if (state != UTM_QMP_SLOT_WAITING)
		utm__log(client->context, UTM_LOG_WARNING, "QMP: a reply with the foreign id %" G_GINT64_FORMAT
		        "; dropped", id);
	return state == UTM_QMP_SLOT_WAITING;
}

static int find_only_command(UtmQmpClient *client)
{
	pthread_mutex_lock(&client->lock);
	int id = utm__qmp_slots_find_only(&client->slots);
	pthread_mutex_unlock(&client->lock);
	return id;
}

static void handle_reply(UtmQmpClient *client, UtmQmpEnvelope *envelope)
{
	if (client->state == UTM_QMP_CLIENT_GREETING) {
		end(client, utm__error_new(UTM_ERROR_QMP_PROTOCOL, "the monitor did not begin with a greeting"));
		return;
	}
	if (!client->echoes && !envelope->has_id)
		envelope->id = find_only_command(client);
	else if (!envelope->has_id) {
		refuse_reply_without_id(client, envelope);
		return;
	}
	if (!claim_reply(client, envelope->id)) {
		if (client->dialect->marked)
			refuse(client, nonsense(client, "answered what was not asked"));
		return;
	}
	g_autoptr(UtmError) error = envelope->kind == UTM_QMP_KIND_ERROR ? utm__qmp_envelope_to_error(envelope) : NULL;
	const char *reply = error ? NULL : utm__qmp_envelope_close_body(envelope);
	answer(client, (guint)envelope->id, UTM_QMP_SLOT_FREE, reply, error);
}

static void handle_event(UtmQmpClient *client, UtmQmpEnvelope *envelope)
{
	if (client->state != UTM_QMP_CLIENT_READY) {
		utm__log(client->context, UTM_LOG_DEBUG, "QMP: %s came before the negotiation was done; dropped",
		        envelope->name);
		return;
	}
	const char *data = utm__qmp_envelope_close_body(envelope);
	if (client->funcs)
		client->funcs->event(client, envelope->name, data, envelope->timestamp_us, client->data);
}

/*
 * A mark is asked for twice, with and without an id: so what comes in between tells whether the agent repeats ids, and
 * an agent that refuses them answers once all the same.
 */
static void handle_mark(UtmQmpClient *client, const UtmQmpMessage *message)
{
	UtmQmpEnvelope envelope;
	if (utm__qmp_envelope_read(&envelope, client->dialect, message->text, message->length, NULL) < 0)
		return;
	const char *body = envelope.kind == UTM_QMP_KIND_REPLY ? utm__qmp_envelope_close_body(&envelope) : "";
	gint64 number = 0;
	g_ascii_string_to_signed(body, 10, 1, G_MAXINT64, &number, NULL);
	client->echoes |= client->mark && number == client->mark && envelope.has_id;
	bool marked = client->mark && number == client->mark + 1 && !envelope.has_id;
	utm__qmp_envelope_clear(&envelope);
	if (marked && client->funcs)
		client->funcs->marked(client, client->data);
}

/* Whether the content is JSON, where that is for us to find out. */
static int check_body(UtmQmpClient *client, const UtmQmpEnvelope *envelope, UtmError **error)
{
	pthread_mutex_lock(&client->lock);
	const UtmQmpSlot *slot = utm__qmp_slots_get(&client->slots, envelope->id);
	bool decodes = envelope->kind == UTM_QMP_KIND_REPLY && slot && slot->decodes;
	pthread_mutex_unlock(&client->lock);
	return utm__qmp_client_checks(client, decodes) ? utm__qmp_envelope_check_body(envelope, client->dialect, error) : 0;
}

static void handle(UtmQmpClient *client, const UtmQmpMessage *message)
{
	UtmQmpEnvelope envelope;
	UtmError *error = NULL;
	if (utm__qmp_transport_is_passing_over(client->transport)) {
		handle_mark(client, message);
		return;
	}
	if (utm__qmp_envelope_read(&envelope, client->dialect, message->text, message->length, &error) < 0) {
		refuse(client, error);
		return;
	}
	if (check_body(client, &envelope, &error) < 0) {
		utm__qmp_envelope_clear(&envelope);
		refuse(client, error);
		return;
	}
	utm__qmp_tap_see(&client->tap, UTM_QMP_SIDE_MONITOR, message->text, message->length);
	if (client->dialect->marked && envelope.kind != UTM_QMP_KIND_REPLY && envelope.kind != UTM_QMP_KIND_ERROR)
		refuse(client, nonsense(client, "sent what only a monitor sends"));
	else if (envelope.kind == UTM_QMP_KIND_GREETING)
		handle_greeting(client, &envelope);
	else if (envelope.kind == UTM_QMP_KIND_EVENT)
		handle_event(client, &envelope);
	else
		handle_reply(client, &envelope);
	utm__qmp_envelope_clear(&envelope);
}

/* ---------------------------------------------------------------- the source */

typedef struct ClientSource {
	GSource source;
	UtmQmpClient *client; /* a reference */
} ClientSource;

/* Takes the reading for the I/O thread. A caller that reads is left alone and not looked at until it is done. */
static bool begin_reading(UtmQmpClient *client)
{
	pthread_mutex_lock(&client->lock);
	bool begun = client->reader == UTM_QMP_READER_NONE;
	if (begun)
		client->reader = UTM_QMP_READER_IO;
	else
		client->muted = client->reader == UTM_QMP_READER_CALLER;
	pthread_mutex_unlock(&client->lock);
	if (!begun && client->tag)
		g_source_modify_unix_fd(client->source, client->tag, 0);
	return begun;
}

static void end_reading(UtmQmpClient *client)
{
	pthread_mutex_lock(&client->lock);
	client->reader = UTM_QMP_READER_NONE;
	pthread_mutex_unlock(&client->lock);
}

void utm__qmp_client_resume(UtmQmpClient *client)
{
	pthread_mutex_lock(&client->lock);
	bool muted = client->muted;
	client->muted = false;
	pthread_mutex_unlock(&client->lock);
	client->more = true;
	if (muted && client->state != UTM_QMP_CLIENT_ENDED)
		g_source_modify_unix_fd(client->source, client->tag, G_IO_IN);
}

/* The next message, handled. False when there is none for now, or no more at all. */
static bool step(UtmQmpClient *client)
{
	UtmQmpMessage message;
	switch (utm__qmp_transport_peek(client->transport, &message)) {
	case UTM_QMP_INPUT_MESSAGE:
		handle(client, &message);
		utm__qmp_transport_pop(client->transport);
		return client->state != UTM_QMP_CLIENT_ENDED;
	case UTM_QMP_INPUT_STRAY:
		refuse(client, utm_error_ref((UtmError *)utm__qmp_transport_get_end(client->transport)));
		return true;
	case UTM_QMP_INPUT_END:
		client->hung_up = utm_error_get_code(utm__qmp_transport_get_end(client->transport)) == UTM_ERROR_QMP_DISCONNECTED;
		end(client, utm_error_ref((UtmError *)utm__qmp_transport_get_end(client->transport)));
		return false;
	default:
		return false;
	}
}

static void pump(UtmQmpClient *client)
{
	if (client->state == UTM_QMP_CLIENT_ENDED || !begin_reading(client))
		return;
	guint count = 0;
	while (count < MESSAGES_PER_TURN && step(client))
		count++;
	client->more = count == MESSAGES_PER_TURN;
	end_reading(client);
}

/* The time to answer this command, or G_MAXINT64; when it is over, it is answered. */
static gint64 expire_one(UtmQmpClient *client, guint id, gint64 now_us, const UtmQmpSlot *oldest)
{
	pthread_mutex_lock(&client->lock);
	const UtmQmpSlot *slot = utm__qmp_slots_get(&client->slots, id);
	gint64 deadline_us = slot->state == UTM_QMP_SLOT_WAITING ? slot->deadline_us : G_MAXINT64;
	bool over = deadline_us <= now_us;
	g_autoptr(UtmError) error = over ? utm__qmp_outbound_timeout_error(client, id, oldest) : NULL;
	pthread_mutex_unlock(&client->lock);
	if (over)
		answer(client, id, UTM_QMP_SLOT_ABANDONED, NULL, error);
	return over ? G_MAXINT64 : deadline_us;
}

static bool expire_negotiation(UtmQmpClient *client, gint64 now_us)
{
	if (client->state >= UTM_QMP_CLIENT_READY || now_us < client->ready_deadline_us)
		return false;
	bool silent = client->state == UTM_QMP_CLIENT_GREETING;
	UtmError *error = utm__error_new(UTM_ERROR_TIMEOUT, "the monitor did not %s within %" G_GINT64_FORMAT " ms",
	                                 silent ? "send its greeting" : "negotiate", client->ready_timeout_ms);
	end(client, utm__error_set_remedy(error, silent ? UTM_QMP_BUSY_REMEDY : NULL));
	return true;
}

/*
 * QEMU (seen with 7.2) sometimes greets a client that comes while it starts, and then never reads from that connection;
 * from the next it does. One that is only busy takes no harm. The new connection comes first: should it fail, there is
 * still the other.
 */
static void connect_again(UtmQmpClient *client)
{
	g_autoptr(UtmError) error = NULL;
	client->deaf_us = utm__deadline_after(utm__now_us(), DEAF_MS);
	int fd = utm__unix_connect(client->path, &error);
	utm__log(client->context, UTM_LOG_INFO, "QMP: the monitor greets and does not read; %s",
	         fd >= 0 ? "connected again" : utm_error_get_message(error));
	if (fd < 0)
		return;
	pthread_mutex_lock(&client->lock);
	int id = utm__qmp_slots_find_ticket(&client->slots, client->negotiation);
	utm__qmp_slots_set(&client->slots, (guint)id, UTM_QMP_SLOT_FREE);
	utm__qmp_transport_replace(client->transport, fd);
	client->state = UTM_QMP_CLIENT_GREETING;
	pthread_mutex_unlock(&client->lock);
}

/* Until there is a session. */
static gint64 negotiation_deadline(UtmQmpClient *client, gint64 now_us)
{
	if (client->state == UTM_QMP_CLIENT_NEGOTIATION && now_us >= client->deaf_us)
		connect_again(client);
	if (client->state == UTM_QMP_CLIENT_NEGOTIATION)
		return MIN(client->ready_deadline_us, client->deaf_us);
	return client->state == UTM_QMP_CLIENT_GREETING ? client->ready_deadline_us : G_MAXINT64;
}

/* Answers the commands whose time is up, and finds the next deadline. */
static void expire(UtmQmpClient *client)
{
	gint64 now_us = utm__now_us();
	if (now_us < client->next_deadline_us || expire_negotiation(client, now_us))
		return;
	gint64 negotiation_us = negotiation_deadline(client, now_us), burst_us = utm__qmp_client_end_burst(client, now_us);
	client->next_deadline_us = MIN(negotiation_us, burst_us);
	pthread_mutex_lock(&client->lock);
	UtmQmpSlot oldest = utm__qmp_slots_get_oldest(&client->slots);
	pthread_mutex_unlock(&client->lock);
	for (guint id = 0; id < utm__qmp_slots_get_count(&client->slots); id++) {
		gint64 deadline_us = expire_one(client, id, now_us, &oldest);
		client->next_deadline_us = MIN(client->next_deadline_us, deadline_us);
	}
}

static int sleep_ms(gint64 deadline_us)
{
	if (deadline_us == G_MAXINT64)
		return -1;
	gint64 left_us = deadline_us - utm__now_us();
	return left_us <= 0 ? 0 : (int)MIN((left_us + 999) / 1000, G_MAXINT);
}

static gboolean source_prepare(GSource *source, gint *timeout)
{
	UtmQmpClient *client = ((ClientSource *)source)->client;
	pthread_mutex_lock(&client->lock);
	utm__qmp_outbound_advance(client);
	bool broken = !utm__qmp_transport_flush(client->transport) || !client->tag;
	bool free_to_read = client->reader == UTM_QMP_READER_NONE;
	pthread_mutex_unlock(&client->lock);
	*timeout = sleep_ms(client->next_deadline_us);
	return *timeout == 0 || (free_to_read && (broken || client->more));
}

static gboolean source_check(GSource *source)
{
	ClientSource *self = (ClientSource *)source;
	return g_source_query_unix_fd(source, self->client->tag) || sleep_ms(self->client->next_deadline_us) == 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc unused, gpointer unused_data)
{
	UtmQmpClient *client = utm__qmp_client_ref(((ClientSource *)source)->client);
	expire(client);
	pump(client);
	utm__qmp_client_unref(client);
	return G_SOURCE_CONTINUE;
}

static void source_finalize(GSource *source)
{
	utm__qmp_client_unref(((ClientSource *)source)->client);
}

static GSourceFuncs source_funcs = {
	.prepare = source_prepare, .check = source_check, .dispatch = source_dispatch, .finalize = source_finalize
};

static void attach(UtmQmpClient *client)
{
	client->source = g_source_new(&source_funcs, sizeof(ClientSource));
	((ClientSource *)client->source)->client = utm__qmp_client_ref(client);
	int watch = utm__qmp_transport_get_watch(client->transport);
	client->tag = watch >= 0 ? g_source_add_unix_fd(client->source, watch, G_IO_IN) : NULL;
	g_source_attach(client->source, utm__context_get_main(client->context));
}

static UtmQmpClient *client_new(UtmContext *context, int fd_taken, const UtmQmpDialect *dialect,
                                const UtmQmpClientFuncs *funcs, void *data)
{
	UtmQmpClient *client = g_new0(UtmQmpClient, 1);
	client->refs = 1;
	client->context = context;
	client->dialect = dialect;
	client->funcs = funcs;
	client->data = data;
	client->transport = utm__qmp_transport_new(fd_taken, dialect);
	g_queue_init(&client->deferred);
	client->command = g_string_new(NULL);
	client->next_deadline_us = G_MAXINT64;
	utm__qmp_slots_init(&client->slots);
	utm__qmp_tap_init(&client->tap, context);
	pthread_mutex_init(&client->lock, NULL);
	return client;
}

UtmQmpClient *utm__qmp_client_new(UtmContext *context, int fd_taken, gint64 timeout_ms, const UtmQmpClientFuncs *funcs,
                                  void *data)
{
	UtmQmpClient *client = client_new(context, fd_taken, &utm__qmp_monitor, funcs, data);
	client->echoes = true;
	client->ready_timeout_ms = timeout_ms;
	client->ready_deadline_us = client->next_deadline_us = utm__deadline_after(utm__now_us(), timeout_ms);
	attach(client);
	return client;
}

/* ---------------------------------------------------------------- the guest agent's stream */

UtmQmpClient *utm__qmp_client_new_agent(UtmContext *context, int fd_taken, const UtmQmpClientFuncs *funcs, void *data)
{
	UtmQmpClient *client = client_new(context, fd_taken, &utm__qmp_agent, funcs, data);
	client->state = UTM_QMP_CLIENT_READY;
	utm__qmp_transport_pass_over(client->transport);
	attach(client);
	return client;
}

void utm__qmp_client_distrust(UtmQmpClient *client)
{
	utm__qmp_transport_pass_over(client->transport);
	pthread_mutex_lock(&client->lock);
	utm__qmp_transport_drop_queue(client->transport);
	pthread_mutex_unlock(&client->lock);
	client->mark = 0;
}

void utm__qmp_client_ask_mark(UtmQmpClient *client, gint64 number)
{
	g_autofree char *question =
		g_strdup_printf("%c{\"execute\":\"" UTM_QMP_ASK_MARK "\",\"arguments\":{\"id\":%" G_GINT64_FORMAT "},\"id\":0}"
	                        "{\"execute\":\"" UTM_QMP_ASK_MARK "\",\"arguments\":{\"id\":%" G_GINT64_FORMAT "}}",
	                        UTM_QMP_MARK, number, number + 1);
	client->mark = number;
	client->echoes = false;
	pthread_mutex_lock(&client->lock);
	utm__qmp_transport_drop_queue(client->transport);
	utm__qmp_transport_write(client->transport, question, strlen(question), -1);
	pthread_mutex_unlock(&client->lock);
}

void utm__qmp_client_trust(UtmQmpClient *client)
{
	utm__qmp_transport_trust(client->transport);
	client->mark = 0;
	pthread_mutex_lock(&client->lock);
	utm__qmp_slots_free_abandoned(&client->slots);
	pthread_mutex_unlock(&client->lock);
}

void utm__qmp_client_listen(UtmQmpClient *client, bool listening)
{
	pthread_mutex_lock(&client->lock);
	utm__qmp_transport_set_listening(client->transport, listening);
	pthread_mutex_unlock(&client->lock);
}
