/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/shortcut.h"

#include "base/util.h"
#include "qmp/client-private.h"
#include "qmp/outbound.h"

/*
 * While a caller reads, the I/O thread must not be woken by its answer; but to take the socket out of the watch and to put
 * it back costs two system calls, as many as the call itself. So after some calls without a pause it stays out for the
 * next one. An event that comes right then is seen by that call, or when the burst is over.
 */
#define BURST_CALLS 8
#define BURST_PAUSE_US 1000 /* between two calls of a burst, at most */
#define BURST_LINGER_US 2000

/* With the lock. Only the undisturbed case is worth it: whatever else is under way would be handed back at once. */
static bool may_borrow(UtmQmpClient *client, const UtmQmpCall *call)
{
	return utm__qmp_outbound_is_open(client, call->command.fd >= 0) && client->reader == UTM_QMP_READER_NONE &&
	       client->slots.waiting == 0 && utm__qmp_transport_is_drained(client->transport) &&
	       utm__qmp_transport_is_idle(client->transport);
}

/* With the lock: the reading is ours and the command is in the queue; or nothing has changed. */
static bool borrow(UtmQmpClient *client, UtmQmpCall *call)
{
	int id = may_borrow(client, call) ? utm__qmp_slots_take(&client->slots, UTM_QMP_SLOT_LENT) : -1;
	if (id < 0)
		return false;
	if (!utm__qmp_outbound_add(client, (guint)id, &call->command)) {
		utm__qmp_slots_set(&client->slots, (guint)id, UTM_QMP_SLOT_FREE);
		return false;
	}
	UtmQmpBurst *burst = &client->burst;
	burst->calls = call->command.given_us - burst->called_us < BURST_PAUSE_US ? burst->calls + 1 : 0;
	burst->called_us = call->command.given_us;
	call->id = (guint)id;
	client->reader = UTM_QMP_READER_CALLER;
	utm__qmp_transport_set_listening(client->transport, false);
	return true;
}

/* Ours is the reply with our id; anything else is not for this thread to judge. */
static UtmQmpCallResult take_answer(UtmQmpClient *client, UtmQmpCall *call, const UtmQmpMessage *message)
{
	UtmQmpEnvelope envelope;
	if (utm__qmp_envelope_read(&envelope, client->dialect, message->text, message->length, NULL) < 0)
		return UTM_QMP_CALL_HANDED;
	bool ours = envelope.id == (gint64)call->id &&
	            (envelope.kind == UTM_QMP_KIND_REPLY || envelope.kind == UTM_QMP_KIND_ERROR);
	if (ours && utm__qmp_client_checks(client, call->command.decodes))
		ours = utm__qmp_envelope_check_body(&envelope, client->dialect, NULL) == 0;
	if (ours && envelope.kind == UTM_QMP_KIND_ERROR)
		call->error = utm__qmp_envelope_to_error(&envelope);
	else if (ours)
		call->reply = g_strndup(envelope.body, envelope.body_length);
	utm__qmp_envelope_clear(&envelope);
	if (!ours)
		return UTM_QMP_CALL_HANDED;
	utm__qmp_tap_see(&client->tap, UTM_QMP_SIDE_MONITOR, message->text, message->length);
	utm__qmp_transport_pop(client->transport);
	return UTM_QMP_CALL_DONE;
}

static void fail_late(UtmQmpClient *client, UtmQmpCall *call)
{
	pthread_mutex_lock(&client->lock);
	UtmQmpSlot oldest = utm__qmp_slots_get_oldest(&client->slots);
	call->error = utm__qmp_outbound_timeout_error(client, call->id, &oldest);
	pthread_mutex_unlock(&client->lock);
}

static UtmQmpCallResult wait_answer(UtmQmpClient *client, UtmQmpCall *call)
{
	UtmQmpMessage message;
	switch (utm__qmp_transport_await(client->transport, call->deadline_us, &message)) {
	case UTM_QMP_INPUT_MESSAGE:
		return take_answer(client, call, &message);
	case UTM_QMP_INPUT_END:
		return UTM_QMP_CALL_HANDED;
	default:
		fail_late(client, call);
		return UTM_QMP_CALL_DONE;
	}
}

static void resume(void *data)
{
	utm__qmp_client_resume(data);
	utm__qmp_client_unref(data);
}

static void begin_burst(void *data)
{
	UtmQmpClient *client = data;
	client->next_deadline_us = MIN(client->next_deadline_us, utm__now_us() + BURST_LINGER_US);
	utm__qmp_client_unref(client);
}

gint64 utm__qmp_client_end_burst(UtmQmpClient *client, gint64 now_us)
{
	UtmQmpBurst *burst = &client->burst;
	pthread_mutex_lock(&client->lock);
	gint64 end_us = burst->lingers ? burst->called_us + BURST_LINGER_US : G_MAXINT64;
	if (burst->lingers && now_us >= end_us) {
		burst->lingers = false;
		utm__qmp_transport_set_listening(client->transport, client->reader != UTM_QMP_READER_CALLER);
		end_us = G_MAXINT64;
	}
	pthread_mutex_unlock(&client->lock);
	return end_us;
}

void utm__qmp_client_attend(UtmQmpClient *client)
{
	utm__qmp_client_end_burst(client, G_MAXINT64);
}

/* Gives the reading back; an answer that did not come in time will be dropped when it does. */
static void give_back(UtmQmpClient *client, const UtmQmpCall *call)
{
	bool late = call->error && utm_error_get_code(call->error) != UTM_ERROR_QMP_COMMAND;
	pthread_mutex_lock(&client->lock);
	utm__qmp_slots_set(&client->slots, call->id, late ? UTM_QMP_SLOT_ABANDONED : UTM_QMP_SLOT_FREE);
	bool untidy = client->muted || !utm__qmp_transport_is_idle(client->transport) ||
	              !g_queue_is_empty(&client->deferred);
	UtmQmpBurst *burst = &client->burst;
	bool lingered = burst->lingers;
	burst->lingers = burst->calls >= BURST_CALLS && !late && !untidy;
	bool begun = burst->lingers && !lingered;
	client->reader = UTM_QMP_READER_NONE;
	utm__qmp_transport_set_listening(client->transport, !burst->lingers);
	pthread_mutex_unlock(&client->lock);
	if (untidy || begun)
		utm__context_invoke(client->context, untidy ? resume : begin_burst, utm__qmp_client_ref(client));
}

UtmQmpCallResult utm__qmp_client_try_call(UtmQmpClient *client, UtmQmpCall *call)
{
	call->deadline_us = utm__qmp_command_begin(&call->command);
	pthread_mutex_lock(&client->lock);
	bool borrowed = borrow(client, call);
	bool sent = borrowed && utm__qmp_transport_flush(client->transport) &&
	            utm__qmp_transport_is_drained(client->transport);
	pthread_mutex_unlock(&client->lock);
	if (!borrowed)
		return UTM_QMP_CALL_BUSY;
	UtmQmpCallResult result = sent ? wait_answer(client, call) : UTM_QMP_CALL_HANDED;
	if (result == UTM_QMP_CALL_DONE)
		give_back(client, call);
	return result;
}

guint utm__qmp_client_adopt(UtmQmpClient *client, const UtmQmpCall *call, UtmQmpClientReplyFunc fn, void *data)
{
	pthread_mutex_lock(&client->lock);
	utm__qmp_slots_set(&client->slots, call->id, UTM_QMP_SLOT_WAITING);
	guint ticket = utm__qmp_client_arm(client, call->id, call->deadline_us, fn, data);
	client->reader = UTM_QMP_READER_NONE;
	client->burst = (UtmQmpBurst){ 0 };
	utm__qmp_transport_set_listening(client->transport, true);
	pthread_mutex_unlock(&client->lock);
	utm__qmp_client_resume(client);
	if (client->state == UTM_QMP_CLIENT_ENDED)
		utm__qmp_client_sweep_later(client);
	return ticket;
}
