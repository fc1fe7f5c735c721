/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When a command may be sent. Most go at once; these wait in a queue of ours:
 *
 * - whatever is given before the negotiation is done;
 * - in-band commands of a connection with out-of-band execution, while as many are under way as the server reads without
 *   pausing: it would pause for out-of-band commands too;
 * - a command with a descriptor, until nothing else is under way, and all that follows it, until it was answered: a server
 *   that reads ahead keeps the descriptors of the newest message alone, and closes the others.
 *
 * Out-of-band commands overtake all of them. All functions are called with the client's lock.
 */
#pragma once

#include "qmp/client.h"
#include "qmp/slots.h"

/* Sends the command or puts it into the queue, for a slot that was just taken. False when there is no room for it. */
bool utm__qmp_outbound_add(UtmQmpClient *client, guint id, UtmQmpCommand *command);
/* Sends what may be sent by now. */
void utm__qmp_outbound_advance(UtmQmpClient *client);
/* Whether an in-band command would be sent at once. */
bool utm__qmp_outbound_is_open(UtmQmpClient *client, bool with_fd);
/* Takes the command of this slot out of the queue, so that it is never sent. False when it is not there. */
bool utm__qmp_outbound_remove(UtmQmpClient *client, guint id);

/* At the end of the client. */
void utm__qmp_outbound_clear(UtmQmpClient *client);

/* The error of a command in whose time no answer came. `oldest` as utm__qmp_slots_get_oldest() tells. (transfer full) */
UtmError *utm__qmp_outbound_timeout_error(UtmQmpClient *client, guint id, const UtmQmpSlot *oldest);
/* The error of a command that ends for this reason: it adds whether it was sent at all. (transfer full) */
UtmError *utm__qmp_outbound_end_error(UtmQmpClient *client, guint id, const UtmError *reason);
/* The same for any command. */
UtmError *utm__qmp_command_end_error(const char *name, bool sent, const UtmError *reason);
/* Whether the server has all of the command. */
bool utm__qmp_outbound_is_sent(UtmQmpClient *client, guint id);
