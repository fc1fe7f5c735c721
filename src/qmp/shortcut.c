/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/shortcut.h"

#include "qmp/client-private.h"
#include "qmp/outbound.h"

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

/* Gives the reading back; an answer that did not come in time will be dropped when it does. */
static void give_back(UtmQmpClient *client, const UtmQmpCall *call)
{
	bool late = call->error && utm_error_get_code(call->error) != UTM_ERROR_QMP_COMMAND;
	pthread_mutex_lock(&client->lock);
	utm__qmp_slots_set(&client->slots, call->id, late ? UTM_QMP_SLOT_ABANDONED : UTM_QMP_SLOT_FREE);
	bool untidy = client->muted || !utm__qmp_transport_is_idle(client->transport) ||
	              !g_queue_is_empty(&client->deferred);
	client->reader = UTM_QMP_READER_NONE;
	utm__qmp_transport_set_listening(client->transport, true);
	pthread_mutex_unlock(&client->lock);
	if (untidy)
		utm__context_invoke(client->context, resume, utm__qmp_client_ref(client));
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
	utm__qmp_transport_set_listening(client->transport, true);
	pthread_mutex_unlock(&client->lock);
	utm__qmp_client_resume(client);
	if (client->state == UTM_QMP_CLIENT_ENDED)
		utm__qmp_client_sweep_later(client);
	return ticket;
}
