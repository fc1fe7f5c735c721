/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state is what QEMU says: by events as they come, by query-status after each command that changes it. */
#include "vm/vm-private.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define STATUS_MS 10000

static const char *const state_names[] = {
	[UTM_VM_STATE_STOPPED] = "stopped",   [UTM_VM_STATE_STARTING] = "starting",
	[UTM_VM_STATE_RUNNING] = "running",   [UTM_VM_STATE_PAUSING] = "pausing",
	[UTM_VM_STATE_PAUSED] = "paused",     [UTM_VM_STATE_RESUMING] = "resuming",
	[UTM_VM_STATE_SAVING] = "saving",     [UTM_VM_STATE_RESTORING] = "restoring",
	[UTM_VM_STATE_STOPPING] = "stopping",
};

const char *utm_vm_state_get_name(uint32_t state)
{
	return state < G_N_ELEMENTS(state_names) ? state_names[state] : NULL;
}

void utm__vm_set_state(UtmVm *vm, UtmVmState state)
{
	pthread_mutex_lock(&vm->lock);
	UtmVmState old_state = vm->state;
	vm->state = state;
	pthread_mutex_unlock(&vm->lock);
	if (old_state != state)
		utm__vm_emit_state(vm, old_state, state);
}

/* A string member of a small JSON object that the QMP client has already checked and bounded. */
static char *get_member(const char *json, const char *name)
{
	g_autoptr(JsonNode) root = json ? json_from_string(json, NULL) : NULL;
	JsonObject *object = root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
	return object ? g_strdup(json_object_get_string_member_with_default(object, name, NULL)) : NULL;
}

/* Transitions that QEMU announces. While starting, the start alone decides when the machine counts as running. */
static void on_running(UtmVmRun *run, const char *data_json)
{
	run->resumed = true;
	if (run->phase == RUN_READY)
		utm__vm_set_state(run->vm, UTM_VM_STATE_RUNNING);
}

static void on_stopped(UtmVmRun *run, const char *data_json)
{
	if (run->phase == RUN_READY && !run->shutdown_seen)
		utm__vm_set_state(run->vm, UTM_VM_STATE_PAUSED);
}

static void on_shutdown(UtmVmRun *run, const char *data_json)
{
	/* QEMU may repeat it while it goes down; the first one says why. */
	if (!run->shutdown_seen)
		run->shutdown_reason = get_member(data_json, "reason");
	run->shutdown_seen = true;
	/* A guest that has run was started, however soon it ends: query-status may come too late for it. */
	if (run->phase == RUN_CONNECTING && run->resumed) {
		utm__vm_set_state(run->vm, UTM_VM_STATE_RUNNING);
		utm__vm_start_succeed(run);
	}
	if (run->phase == RUN_READY)
		utm__vm_set_state(run->vm, UTM_VM_STATE_STOPPING);
}

static const struct {
	const char *name;
	void (*take)(UtmVmRun *run, const char *data_json);
} state_events[] = {
	{ "RESUME", on_running },
	{ "STOP", on_stopped },
	{ "SHUTDOWN", on_shutdown },
};

void utm__vm_on_qmp_event(UtmVmRun *run, const char *name, const char *data_json, gint64 timestamp_us)
{
	utm__vm_emit_text(run->vm, UTM_VM_EVENT_QMP, name, data_json);
	if (run->vm->qmp)
		utm__qmp_emit(run->vm->qmp, name, data_json, timestamp_us);
	for (gsize i = 0; i < G_N_ELEMENTS(state_events); i++)
		if (strcmp(state_events[i].name, name) == 0)
			state_events[i].take(run, data_json);
}

/* RunState of QEMU. Everything in which the guest does not execute, but could go on, is a pause to us. */
static void take_status(UtmVmRun *run, const char *status)
{
	static const char *const running[] = { "running", "suspended", NULL };
	static const char *const ending[] = { "shutdown", NULL };
	if (!status || run->phase == RUN_ENDING)
		return;
	if (g_strv_contains(running, status))
		utm__vm_set_state(run->vm, UTM_VM_STATE_RUNNING);
	else if (g_strv_contains(ending, status))
		utm__vm_set_state(run->vm, UTM_VM_STATE_STOPPING);
	else
		utm__vm_set_state(run->vm, UTM_VM_STATE_PAUSED);
}

typedef struct StatusCall {
	UtmVmRun *run;
	UtmVmStatusFunc done;
	void *data;
} StatusCall;

static void on_status(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	StatusCall *call = data;
	g_autofree char *status = get_member(reply_json, "status");
	take_status(call->run, status);
	call->done(call->run, error, call->data);
	g_free(call);
}

void utm__vm_query_status(UtmVmRun *run, UtmVmStatusFunc done, void *data)
{
	StatusCall *call = g_new(StatusCall, 1);
	*call = (StatusCall){ run, done, data };
	/* The start has a deadline of its own. */
	gint64 timeout_ms = run->phase == RUN_CONNECTING ? -1 : STATUS_MS;
	utm__qmp_client_send(run->client, "query-status", NULL, timeout_ms, on_status, call);
}
