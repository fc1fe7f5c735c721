/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/support.h"

#include "qmp/qmp-private.h"
#include "schema/value.h"

#include <string.h>
#include <utm/value.h>

/* Builds whose index a context keeps. A host has one or two. */
#define BUILDS_MAX 8

/* ---------------------------------------------------------------- the context's memory; I/O thread */

typedef struct Builds {
	struct {
		char *name;
		UtmIntrospection *index;
	} entries[BUILDS_MAX];
	guint next; /* where the next one goes, in place of the oldest */
} Builds;

static const char builds_key;

static void *builds_make(UtmContext *context)
{
	return g_new0(Builds, 1);
}

static void builds_destroy(void *data)
{
	Builds *builds = data;
	for (guint i = 0; i < BUILDS_MAX; i++) {
		g_free(builds->entries[i].name);
		utm__introspection_unref(builds->entries[i].index);
	}
	g_free(builds);
}

static Builds *get_builds(UtmQmp *qmp)
{
	return utm__context_get_data(qmp->object.context, &builds_key, builds_make, builds_destroy);
}

/* (transfer full) (nullable) */
static UtmIntrospection *recall(UtmQmp *qmp, const char *build)
{
	const Builds *builds = get_builds(qmp);
	for (guint i = 0; build && i < BUILDS_MAX; i++)
		if (g_strcmp0(builds->entries[i].name, build) == 0)
			return utm__introspection_ref(builds->entries[i].index);
	return NULL;
}

static void remember(UtmQmp *qmp, const char *build, UtmIntrospection *index)
{
	Builds *builds = get_builds(qmp);
	guint place = builds->next;
	builds->next = (place + 1) % BUILDS_MAX;
	g_free(builds->entries[place].name);
	utm__introspection_unref(builds->entries[place].index);
	builds->entries[place].name = g_strdup(build);
	builds->entries[place].index = utm__introspection_ref(index);
}

static bool names_package(const char *greeting)
{
	UtmValue *value = NULL;
	if (!greeting || utm_value_from_json(greeting, &value, NULL) < 0)
		return false;
	const UtmValue *package = utm__value_find(utm__value_find(value, "version"), "package");
	bool named = package && package->kind == UTM_TOKEN_STRING && package->as.text.length > 0;
	utm__value_free(value);
	return named;
}

/* ---------------------------------------------------------------- those who wait */

static void tell(UtmQmp *qmp, UtmQmpSupportWait *wait, const UtmError *error)
{
	wait->is_waiting = false;
	wait->done(wait, qmp->support.index, qmp->support.index ? NULL : error);
}

/* The end of a fetch; whoever wants to know from now on begins another, unless it is settled. */
static void conclude(UtmQmp *qmp, UtmIntrospection *index_taken, const UtmError *error)
{
	UtmQmpSupport *support = &qmp->support;
	support->is_fetching = false;
	g_clear_pointer(&support->build, g_free);
	pthread_mutex_lock(&qmp->lock);
	support->index = index_taken;
	pthread_mutex_unlock(&qmp->lock);
	for (GList *link; (link = g_queue_pop_head_link(&support->waits));)
		tell(qmp, link->data, error);
	utm__object_release(&qmp->object);
}

static void give_up(UtmQmp *qmp, const UtmError *error)
{
	utm_error_unref(qmp->support.failure);
	qmp->support.failure = utm_error_ref((UtmError *)error);
	utm__log(qmp->object.context, UTM_LOG_INFO, "QMP: what this peer supports is not known: %s",
	         utm_error_get_message(error));
	conclude(qmp, NULL, error);
}

/* ---------------------------------------------------------------- the fetch */

/* QEMU itself refuses: it is too old, or something else than an emulator. */
static void on_refused(UtmQmp *qmp, const UtmError *error)
{
	g_autoptr(UtmError) made = utm__error_new(UTM_ERROR_QMP_UNSUPPORTED, "the peer does not tell what it supports: %s",
	                                          utm_error_get_message(error));
	utm__error_set_qmp_class(made, utm_error_get_qmp_class(error));
	utm__error_set_remedy(made, "Send what is in question and see whether it is refused, or use a QEMU that tells.");
	give_up(qmp, made);
}

/* Somebody else may have been faster; then there is one index all the same. */
static UtmIntrospection *share(UtmQmp *qmp, UtmIntrospection *index_taken)
{
	UtmIntrospection *known = recall(qmp, qmp->support.build);
	if (known)
		utm__introspection_unref(index_taken);
	else if (qmp->support.build)
		remember(qmp, qmp->support.build, index_taken);
	return known ? known : index_taken;
}

static void on_schema(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	UtmQmp *qmp = data;
	UtmIntrospection *index = NULL;
	g_autoptr(UtmError) failure = NULL;
	qmp->support.ticket = 0;
	if (error && utm_error_get_code(error) == UTM_ERROR_QMP_COMMAND) {
		on_refused(qmp, error);
	} else if (error) {
		conclude(qmp, NULL, error);
	} else if (utm__introspection_new(reply_json, strlen(reply_json), &index, &failure) < 0) {
		give_up(qmp, failure);
	} else {
		conclude(qmp, share(qmp, index), NULL);
	}
}

/* Without a deadline: each who waits has its own, and the answer is worth having when it comes late. */
static void ask_schema(UtmQmp *qmp, UtmQmpClient *client)
{
	qmp->support.ticket = utm__qmp_client_send(client, "query-qmp-schema", NULL, -1, on_schema, qmp);
}

static void on_target(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	UtmQmp *qmp = data;
	qmp->support.ticket = 0;
	if (error && utm_error_get_code(error) != UTM_ERROR_QMP_COMMAND) {
		conclude(qmp, NULL, error);
		return;
	}
	if (reply_json)
		qmp->support.build = g_strconcat(qmp->greeting, "\n", reply_json, NULL);
	UtmIntrospection *index = recall(qmp, qmp->support.build);
	if (index)
		conclude(qmp, index, NULL);
	else
		ask_schema(qmp, client);
}

static void fetch(UtmQmp *qmp)
{
	qmp->support.is_fetching = true;
	utm__object_hold(&qmp->object);
	if (names_package(qmp->greeting))
		qmp->support.ticket = utm__qmp_client_send(qmp->client, "query-target", NULL, -1, on_target, qmp);
	else
		ask_schema(qmp, qmp->client);
}

/* ---------------------------------------------------------------- */

UtmIntrospection *utm__qmp_support_ref_index(UtmQmp *qmp)
{
	pthread_mutex_lock(&qmp->lock);
	UtmIntrospection *index = utm__introspection_ref(qmp->support.index);
	pthread_mutex_unlock(&qmp->lock);
	return index;
}

bool utm__qmp_support_is_settled(UtmQmp *qmp)
{
	return qmp->support.index || qmp->support.failure || !qmp->client;
}

void utm__qmp_support_want(UtmQmp *qmp, UtmQmpSupportWait *wait)
{
	if (utm__qmp_support_is_settled(qmp)) {
		g_autoptr(UtmError) ended = utm__error_new(UTM_ERROR_QMP_DISCONNECTED,
		                                           "the connection to the monitor has ended before it told what it supports");
		tell(qmp, wait, qmp->support.failure ? qmp->support.failure : ended);
		return;
	}
	wait->is_waiting = true;
	wait->link.data = wait;
	g_queue_push_tail_link(&qmp->support.waits, &wait->link);
	if (!qmp->support.is_fetching)
		fetch(qmp);
}

void utm__qmp_support_forget(UtmQmp *qmp, UtmQmpSupportWait *wait)
{
	if (wait->is_waiting)
		g_queue_unlink(&qmp->support.waits, &wait->link);
	wait->is_waiting = false;
}

void utm__qmp_support_end(UtmQmp *qmp, UtmQmpClient *client, const UtmError *error)
{
	/* Its function ends the fetch; a machine's client would else answer to a handle that is gone. */
	if (qmp->support.ticket)
		utm__qmp_client_abandon(client, qmp->support.ticket, utm_error_ref((UtmError *)error));
}

void utm__qmp_support_clear(UtmQmpSupport *support)
{
	utm__introspection_unref(support->index);
	utm_error_unref(support->failure);
	g_free(support->build);
}
