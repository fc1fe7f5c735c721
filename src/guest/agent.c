/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/agent.h"

#include "base/util.h"
#include "qmp/client-private.h"
#include "qmp/outbound.h"
#include "schema/json-reader.h"

#include <string.h>
#include <sys/random.h>

/* How long an error may take to come for a command without an answer. */
#define SILENCE_MS 1000
/*
 * A question for a mark that an agent took down with it is asked again, soon; but an agent that is slow is not buried
 * in questions, as only the answer to the last one counts.
 */
#define ASK_AGAIN_MS 1000
#define ASK_AGAIN_MAX_MS 8000
#define BYTES_MAX UTM_QMP_QUEUE_MAX
#define CALLS_MAX UTM_QMP_SLOTS_MAX

typedef struct AgentCall {
	GList link;
	UtmAgent *agent;
	guint ticket;
	char *command;
	char *arguments;   /* nullable */
	char *mark_answer; /* it is a question for a mark, which is answered with this; NULL: any other command */
	gint64 timeout_ms;
	guint timer; /* the deadline */
	bool asked;  /* the mark that it wants is a new one */
	bool sent;
	UtmQmpClientReplyFunc fn;
	void *data;
} AgentCall;

struct UtmAgent {
	UtmContext *context;
	UtmQmpClient *client;
	GQueue calls; /* the first is the one that is worked on */
	gsize bytes;  /* of their text */
	guint last_ticket;

	bool trusted;   /* what comes next is the answer of what was sent last */
	gint64 number;  /* the mark asked for last */
	gint64 asked_us; /* when; 0: not since the stream was trusted */
	gint64 again_ms;
	guint asking; /* timer: ask again */

	AgentCall *under_way; /* the first call, once it was sent and as long as its answer counts */
	guint under_way_ticket;
	guint silence; /* timer: it succeeds without an answer */
};

static const char *const silent_commands[] = {
	"guest-shutdown", "guest-suspend-disk", "guest-suspend-hybrid", "guest-suspend-ram", NULL
};

/* ---------------------------------------------------------------- calls */

static void call_free(AgentCall *call)
{
	g_free(call->command);
	g_free(call->arguments);
	g_free(call->mark_answer);
	g_free(call);
}

static gsize get_size(const AgentCall *call)
{
	return strlen(call->command) + (call->arguments ? strlen(call->arguments) : 0);
}

static bool is_silent(const AgentCall *call)
{
	return g_strv_contains(silent_commands, call->command);
}

static void finish(AgentCall *call, const char *reply, const UtmError *error)
{
	UtmAgent *agent = call->agent;
	if (agent->under_way == call) {
		agent->under_way = NULL;
		utm__io_remove(agent->context, &agent->silence);
	}
	utm__io_remove(agent->context, &call->timer);
	g_queue_unlink(&agent->calls, &call->link);
	agent->bytes -= get_size(call);
	call->fn(agent->client, reply, error, call->data);
	call_free(call);
}

/* The stream may hold answers that nobody waits for, or worse. */
static void distrust(UtmAgent *agent)
{
	if (agent->trusted)
		utm__qmp_client_distrust(agent->client);
	agent->trusted = false;
}

/* When it was sent, its answer does not count any more, if it comes at all. */
static void give_up(AgentCall *call)
{
	UtmAgent *agent = call->agent;
	if (agent->under_way != call)
		return;
	agent->under_way = NULL;
	utm__io_remove(agent->context, &agent->silence);
	utm__qmp_client_abandon(agent->client, agent->under_way_ticket,
	                        utm__error_new(UTM_ERROR_CANCELLED, "nobody waits any more"));
	distrust(agent);
}

/* ---------------------------------------------------------------- marks */

static void ask(void *data)
{
	UtmAgent *agent = data;
	/* Two numbers for each question. */
	agent->number += 2;
	agent->asked_us = utm__now_us();
	utm__qmp_client_ask_mark(agent->client, agent->number);
	agent->asking = utm__io_add_timeout(agent->context, agent->again_ms, ask, agent);
	agent->again_ms = MIN(agent->again_ms * 2, ASK_AGAIN_MAX_MS);
}

/* Asks, unless it was asked just now: then the answer may be on its way. */
static void ask_soon(UtmAgent *agent)
{
	gint64 since_ms = agent->asked_us ? (utm__now_us() - agent->asked_us) / 1000 : ASK_AGAIN_MS;
	agent->again_ms = ASK_AGAIN_MS;
	if (since_ms >= ASK_AGAIN_MS)
		ask(agent);
	else
		agent->asking = utm__io_add_timeout(agent->context, ASK_AGAIN_MS - since_ms, ask, agent);
}

/* ---------------------------------------------------------------- the one that is worked on */

static void advance(UtmAgent *agent);

static void on_answer(UtmQmpClient *client, const char *reply, const UtmError *error, void *data)
{
	UtmAgent *agent = data;
	/* At the end of the connection utm__agent_end() follows. */
	if (!agent->under_way || client->state == UTM_QMP_CLIENT_ENDED)
		return;
	finish(agent->under_way, reply, error);
	advance(agent);
}

static void succeed_in_silence(UtmAgent *agent)
{
	AgentCall *call = agent->under_way;
	give_up(call);
	finish(call, "{}", NULL);
	advance(agent);
}

static void on_silence(void *data)
{
	UtmAgent *agent = data;
	agent->silence = 0;
	succeed_in_silence(agent);
}

static void send_first(UtmAgent *agent, AgentCall *call)
{
	call->sent = true;
	agent->under_way = call;
	agent->under_way_ticket =
		utm__qmp_client_send(agent->client, call->command, call->arguments, -1, on_answer, agent);
	if (is_silent(call))
		agent->silence = utm__io_add_timeout(agent->context, SILENCE_MS, on_silence, agent);
}

/* The next step for the first call: a mark, the command, or its end when the mark was all that it wanted. */
static void advance(UtmAgent *agent)
{
	AgentCall *call = g_queue_peek_head(&agent->calls);
	if (call && call->mark_answer && !call->asked) {
		call->asked = true;
		distrust(agent);
	}
	utm__qmp_client_listen(agent->client, call || agent->trusted);
	if (!call || agent->trusted)
		utm__io_remove(agent->context, &agent->asking);
	if (!call || agent->under_way)
		return;
	if (!agent->trusted) {
		if (!agent->asking)
			ask_soon(agent);
	} else if (call->mark_answer) {
		finish(call, call->mark_answer, NULL);
		advance(agent);
	} else {
		send_first(agent, call);
	}
}

void utm__agent_marked(UtmAgent *agent)
{
	agent->trusted = true;
	agent->asked_us = 0;
	utm__qmp_client_trust(agent->client);
	advance(agent);
}

void utm__agent_strayed(UtmAgent *agent, const UtmError *error)
{
	AgentCall *call = agent->under_way;
	utm__log(agent->context, UTM_LOG_DEBUG, "guest agent: %s", utm_error_get_message(error));
	distrust(agent);
	if (call) {
		give_up(call);
		finish(call, NULL, error);
	}
	advance(agent);
}

/* ---------------------------------------------------------------- from outside */

static void finish_for(AgentCall *call, const UtmError *reason)
{
	g_autoptr(UtmError) error = call->mark_answer ? utm_error_ref((UtmError *)reason)
	                                              : utm__qmp_command_end_error(call->command, call->sent, reason);
	finish(call, NULL, error);
}

/* Tells a command that may take effect from one that will not. */
static UtmError *timeout_error(const AgentCall *call)
{
	const char *command = call->command;
	gint64 ms = call->timeout_ms;
	if (call->mark_answer)
		return utm__error_new(UTM_ERROR_TIMEOUT, "the guest agent did not answer within %" G_GINT64_FORMAT " ms", ms);
	if (call->sent)
		return utm__error_new(UTM_ERROR_TIMEOUT, "the guest agent did not answer %s within %" G_GINT64_FORMAT " ms",
		                      command, ms);
	return utm__error_new(UTM_ERROR_TIMEOUT, "%s was not sent: %s for %" G_GINT64_FORMAT " ms", command,
	                      call->agent->calls.head == &call->link ? "the guest agent did not answer"
	                                                             : "other commands kept the guest agent busy", ms);
}

static void on_deadline(void *data)
{
	AgentCall *call = data;
	UtmAgent *agent = call->agent;
	call->timer = 0;
	if (agent->under_way == call && agent->silence) {
		succeed_in_silence(agent);
		return;
	}
	g_autoptr(UtmError) error = timeout_error(call);
	give_up(call);
	finish(call, NULL, error);
	advance(agent);
}

void utm__agent_abandon(UtmAgent *agent, guint ticket, UtmError *error_taken)
{
	GList *link = agent->calls.head;
	while (link && ((AgentCall *)link->data)->ticket != ticket)
		link = link->next;
	if (link) {
		give_up(link->data);
		finish_for(link->data, error_taken);
		advance(agent);
	}
	utm_error_unref(error_taken);
}

/* The answer to a question for a mark is the number in it. */
static bool read_mark_answer(const char *arguments, char **ret)
{
	UtmJsonReader reader;
	utm__json_reader_init(&reader, arguments, strlen(arguments), NULL);
	bool found = utm__json_next(&reader) == UTM_JSON_BEGIN_OBJECT && utm__json_next(&reader) == UTM_JSON_KEY &&
	             utm__json_text_is(&reader, "id") && utm__json_next(&reader) == UTM_JSON_INT;
	if (found)
		*ret = g_strdup_printf("%" G_GINT64_FORMAT, reader.integer);
	found = found && utm__json_next(&reader) == UTM_JSON_END_OBJECT;
	utm__json_reader_clear(&reader);
	return found;
}

static AgentCall *call_new(UtmAgent *agent, const UtmQmpCommand *command)
{
	AgentCall *call = g_new0(AgentCall, 1);
	call->link.data = call;
	call->agent = agent;
	call->command = g_strdup(command->name);
	call->arguments = g_strdup(command->arguments_json);
	call->timeout_ms = command->timeout_ms;
	return call;
}

/* Whether the call may join the queue. */
static int check_call(UtmAgent *agent, AgentCall *call, UtmError **error)
{
	if (strcmp(call->command, UTM_QMP_ASK_MARK) == 0 &&
	    (!call->arguments || !read_mark_answer(call->arguments, &call->mark_answer)))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, UTM_QMP_ASK_MARK " has one argument, the integer id");
	if (agent->calls.length >= CALLS_MAX || agent->bytes + get_size(call) > BYTES_MAX)
		return utm__fail(error, UTM_ERROR_LIMIT, "too many commands wait for the guest agent");
	return 0;
}

guint utm__agent_send(UtmAgent *agent, const UtmQmpCommand *command, UtmQmpClientReplyFunc fn, void *data,
                      UtmError **error)
{
	AgentCall *call = call_new(agent, command);
	if (check_call(agent, call, error) < 0) {
		call_free(call);
		return 0;
	}
	agent->last_ticket += agent->last_ticket == G_MAXUINT ? 2 : 1;
	call->ticket = agent->last_ticket;
	call->fn = fn;
	call->data = data;
	if (call->timeout_ms >= 0)
		call->timer = utm__io_add_timeout(agent->context, call->timeout_ms, on_deadline, call);
	agent->bytes += get_size(call);
	g_queue_push_tail_link(&agent->calls, &call->link);
	advance(agent);
	return call->ticket;
}

UtmAgent *utm__agent_new(UtmContext *context, UtmQmpClient *client)
{
	UtmAgent *agent = g_new0(UtmAgent, 1);
	guint32 random = 0;
	/* Other than those of earlier connections, whose answers may still be on the line. */
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		random = (guint32)utm__now_us();
	agent->context = context;
	agent->client = client;
	agent->number = (gint64)random * 2;
	g_queue_init(&agent->calls);
	utm__qmp_client_listen(client, false);
	return agent;
}

void utm__agent_end(UtmAgent *agent, const UtmError *reason)
{
	AgentCall *silent = agent->silence ? agent->under_way : NULL;
	for (AgentCall *call; (call = g_queue_peek_head(&agent->calls));) {
		give_up(call);
		if (call == silent)
			finish(call, "{}", NULL);
		else
			finish_for(call, reason);
	}
	utm__io_remove(agent->context, &agent->asking);
	g_free(agent);
}
