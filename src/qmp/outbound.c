/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/outbound.h"

#include "base/util.h"
#include "qmp/client-private.h"

#include <string.h>

/*
 * With out-of-band execution a QEMU stops reading at the eighth command in its queue. The one that it executes is not in
 * the queue; but it executes none of ours while it is busy with something else, which is when out-of-band counts.
 */
#define IN_BAND_MAX 7
/* A peer that has been silent for less is late, for all that anybody can know. */
#define STALLED_US (1 * G_USEC_PER_SEC)

typedef struct UtmQmpDeferred {
	GList link;
	guint id;
	int fd; /* -1: none */
	gsize length;
	char text[];
} Deferred;

/* printf() would be the dearest part of a command. */
static void append_number(GString *text, guint number)
{
	char digits[10], *first = digits + sizeof digits;
	do
		*--first = (char)('0' + number % 10);
	while (number /= 10);
	g_string_append_len(text, first, digits + sizeof digits - first);
}

/* id -1: none */
static void compose(GString *text, int id, bool line, const UtmQmpCommand *command)
{
	g_string_assign(text, command->oob ? "{\"exec-oob\":\"" : "{\"execute\":\"");
	g_string_append(text, command->name);
	g_string_append_c(text, '"');
	if (command->arguments_json) {
		g_string_append(text, ",\"arguments\":");
		g_string_append(text, command->arguments_json);
	}
	if (id >= 0) {
		g_string_append(text, ",\"id\":");
		append_number(text, (guint)id);
	}
	g_string_append(text, line ? "}\n" : "}");
}

/* Whether what is under way leaves room for one more in-band command. */
static bool has_room(const UtmQmpClient *client, bool with_fd)
{
	const UtmQmpSlots *slots = &client->slots;
	if (slots->exclusive > 0)
		return false;
	if (with_fd)
		return slots->in_band == 0;
	return !client->oob || slots->in_band < IN_BAND_MAX;
}

bool utm__qmp_outbound_is_open(UtmQmpClient *client, bool with_fd)
{
	return client->state == UTM_QMP_CLIENT_READY && g_queue_is_empty(&client->deferred) && has_room(client, with_fd);
}

static bool put(UtmQmpClient *client, guint id, const char *text, gsize length, int fd_taken, gint64 now_us)
{
	UtmQmpTransport *transport = client->transport;
	if (!utm__qmp_transport_write(transport, text, length, fd_taken))
		return false;
	utm__qmp_slots_set_sent(&client->slots, id, utm__qmp_transport_get_queued(transport),
	                        utm__qmp_transport_get_received(transport), now_us);
	utm__qmp_tap_see(&client->tap, UTM_QMP_SIDE_CLIENT, text, length - client->lines);
	return true;
}

static bool defer(UtmQmpClient *client, guint id, const GString *text, int fd_taken)
{
	UtmQmpSlot *slot = utm__qmp_slots_get(&client->slots, id);
	if (client->deferred_bytes + text->len > UTM_QMP_QUEUE_MAX)
		return false;
	Deferred *deferred = g_malloc(sizeof *deferred + text->len);
	*deferred = (Deferred){ .id = id, .fd = fd_taken, .length = text->len };
	deferred->link.data = deferred;
	memcpy(deferred->text, text->str, text->len);
	g_queue_push_tail_link(&client->deferred, &deferred->link);
	client->deferred_bytes += text->len;
	slot->deferred = deferred;
	slot->received = utm__qmp_transport_get_received(client->transport);
	return true;
}

bool utm__qmp_outbound_add(UtmQmpClient *client, guint id, UtmQmpCommand *command)
{
	UtmQmpSlot *slot = utm__qmp_slots_get(&client->slots, id);
	g_strlcpy(slot->name, command->name, sizeof slot->name);
	slot->timeout_ms = command->timeout_ms;
	slot->since_us = command->given_us;
	slot->beside = command->oob;
	slot->exclusive = command->fd >= 0;
	slot->decodes = command->decodes;
	compose(client->command, client->echoes ? (int)id : -1, client->lines, command);
	bool at_once = command->urgent || (command->oob && client->state == UTM_QMP_CLIENT_READY) ||
	               utm__qmp_outbound_is_open(client, slot->exclusive);
	bool taken = at_once ? put(client, id, client->command->str, client->command->len, command->fd, command->given_us)
	                     : defer(client, id, client->command, command->fd);
	if (taken)
		command->fd = -1;
	return taken;
}

static void forget(UtmQmpClient *client, Deferred *deferred)
{
	g_queue_unlink(&client->deferred, &deferred->link);
	client->deferred_bytes -= deferred->length;
	utm__qmp_slots_get(&client->slots, deferred->id)->deferred = NULL;
	utm__close_fd(&deferred->fd);
	g_free(deferred);
}

void utm__qmp_outbound_advance(UtmQmpClient *client)
{
	Deferred *first;
	while (client->state == UTM_QMP_CLIENT_READY && (first = g_queue_peek_head(&client->deferred)) != NULL) {
		if (!has_room(client, first->fd >= 0) ||
		    !put(client, first->id, first->text, first->length, first->fd, utm__now_us()))
			break;
		first->fd = -1;
		forget(client, first);
	}
}

bool utm__qmp_outbound_remove(UtmQmpClient *client, guint id)
{
	Deferred *deferred = utm__qmp_slots_get(&client->slots, id)->deferred;
	if (deferred)
		forget(client, deferred);
	return deferred != NULL;
}

void utm__qmp_outbound_clear(UtmQmpClient *client)
{
	Deferred *first;
	while ((first = g_queue_peek_head(&client->deferred)) != NULL)
		forget(client, first);
}

/* ---------------------------------------------------------------- how it ended */

bool utm__qmp_outbound_is_sent(UtmQmpClient *client, guint id)
{
	const UtmQmpSlot *slot = utm__qmp_slots_get(&client->slots, id);
	return slot->sent && slot->end <= utm__qmp_transport_get_sent(client->transport);
}

static void append_age(GString *text, gint64 since_us)
{
	gint64 age_ms = (utm__now_us() - since_us) / 1000;
	if (age_ms < 10000)
		g_string_append_printf(text, "%" G_GINT64_FORMAT " ms", age_ms);
	else
		g_string_append_printf(text, "%" G_GINT64_FORMAT " s", age_ms / 1000);
}

UtmError *utm__qmp_outbound_timeout_error(UtmQmpClient *client, guint id, const UtmQmpSlot *oldest)
{
	const UtmQmpSlot *slot = utm__qmp_slots_get(&client->slots, id);
	bool stalled = slot->received == utm__qmp_transport_get_received(client->transport) &&
	               utm__now_us() - slot->since_us >= STALLED_US;
	bool behind = oldest->sent && !slot->beside && (!slot->sent || oldest->end < slot->end);
	g_autoptr(GString) text = g_string_new(slot->name);
	g_string_append_printf(text, " was not %s within %" G_GINT64_FORMAT " ms", slot->sent ? "answered" : "sent",
	                       slot->timeout_ms);
	if (behind) {
		g_string_append_printf(text, ", behind `%s`, sent ", oldest->name);
		append_age(text, oldest->since_us);
		g_string_append(text, " ago");
	}
	if (stalled)
		g_string_append_printf(text, "; nothing at all came from %s meanwhile", client->dialect->peer);
	return utm__error_new(stalled ? UTM_ERROR_QMP_STALLED : UTM_ERROR_TIMEOUT, "%s", text->str);
}

UtmError *utm__qmp_command_end_error(const char *name, bool sent, const UtmError *reason)
{
	const char *message = utm_error_get_message(reason);
	UtmError *error = sent ? utm__error_new(utm_error_get_code(reason), "%s; whether `%s` took effect is unknown", message,
	                                        name)
	                       : utm__error_new(utm_error_get_code(reason), "%s; `%s` was not sent", message, name);
	return utm__error_set_errno(error, utm_error_get_errno(reason));
}

UtmError *utm__qmp_outbound_end_error(UtmQmpClient *client, guint id, const UtmError *reason)
{
	const char *name = utm__qmp_slots_get(&client->slots, id)->name;
	return utm__qmp_command_end_error(name, utm__qmp_outbound_is_sent(client, id), reason);
}
