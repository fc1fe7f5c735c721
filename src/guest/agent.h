/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue in front of a guest agent: one command at a time, and none before the agent has marked its stream. On the
 * I/O thread only.
 *
 * Without the one at a time there would be no telling what an answer that does not come does to those behind it. The
 * agent works on one command after the other in any case, so nothing is lost.
 */
#pragma once

#include "qmp/client.h"

typedef struct UtmAgent UtmAgent;

/* The client stays the caller's; its strayed and marked are to be passed on. */
UtmAgent *utm__agent_new(UtmContext *context, UtmQmpClient *client);
/* Answers everything, for this reason, and frees. */
void utm__agent_end(UtmAgent *agent, const UtmError *reason);

/* Queues a command. A ticket to abandon it by; 0 with an error when it is refused, and then fn is not called. */
guint utm__agent_send(UtmAgent *agent, const UtmQmpCommand *command, UtmQmpClientReplyFunc fn, void *data,
                      UtmError **error);
/* Ends the wait for this reason (taken); the error adds whether the command was sent. No effect after the end. */
void utm__agent_abandon(UtmAgent *agent, guint ticket, UtmError *error_taken);

void utm__agent_strayed(UtmAgent *agent, const UtmError *error);
void utm__agent_marked(UtmAgent *agent);
