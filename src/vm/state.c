/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state is what QEMU says: by events as they come, by query-status after each command that changes it. */
#include "vm/vm-private.h"

#include <string.h>
#include <utm/qmp-types.h>

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

/* QEMU's word for why it goes down, also one that a newer QEMU made up. */
static char *dup_shutdown_cause(const char *data_json)
{
	UtmQmpShutdownEvent *event = NULL;
	if (!data_json || utm_qmp_shutdown_event_from_json(data_json, &event, NULL) < 0)
		return NULL;
	const char *known = utm_qmp_shutdown_cause_to_string(event->reason);
	char *cause = g_strdup(known ? known : utm_value_get_string(utm_struct_get_extra(event, "reason")));
	utm_qmp_shutdown_event_free(event);
	return cause;
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
		run->shutdown_reason = dup_shutdown_cause(data_json);
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

/* Everything in which the guest does not execute, but could go on, is a pause to us. */
static void take_status(UtmVmRun *run, const UtmQmpStatusInfo *info)
{
	if (run->phase == RUN_ENDING)
		return;
	switch (info->status) {
	case UTM_QMP_RUN_STATE_RUNNING:
	case UTM_QMP_RUN_STATE_SUSPENDED:
		utm__vm_set_state(run->vm, UTM_VM_STATE_RUNNING);
		break;
	case UTM_QMP_RUN_STATE_SHUTDOWN:
		utm__vm_set_state(run->vm, UTM_VM_STATE_STOPPING);
		break;
	default:
		utm__vm_set_state(run->vm, UTM_VM_STATE_PAUSED);
	}
}

typedef struct StatusCall {
	UtmVmRun *run;
	UtmVmStatusFunc done;
	void *data;
} StatusCall;

static void on_status(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	StatusCall *call = data;
	UtmQmpStatusInfo *info = NULL;
	if (reply_json && utm_qmp_status_info_from_json(reply_json, &info, NULL) == 0)
		take_status(call->run, info);
	utm_qmp_status_info_free(info);
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
