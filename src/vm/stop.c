/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The four ways to stop a machine, and the end of a run, by whatever cause. */
#include "base/sized-struct.h"
#include "base/util.h"
#include "bundle/bundle-private.h"
#include "process/runtime-dir.h"
#include "vm/vm-private.h"

#include <signal.h>

/* After the process is gone its sockets hold what it said last; reading that takes no time unless a child of QEMU's keeps
 * them open. */
#define DRAIN_MS 1000
#define POWERDOWN_MS 10000
/* How long an escalation waits for the guest, and a force stop for QEMU, when the caller does not say. */
#define REQUEST_MS 30000
#define FORCE_MS 5000

/* What was asked for: the input of the request. */
typedef struct StopInput {
	UtmVmStopMethod method;
	UtmVmStopOptions options;
} StopInput;

typedef struct StopCall {
	UtmRequest *request;
	const StopInput *input;
	UtmVmRun *run;
	UtmVmStopMethod step; /* under way */
	guint timer;
} StopCall;

static void stop_call_free(StopCall *call)
{
	utm__io_remove(call->run->vm->object.context, &call->timer);
	utm__request_unref(call->request);
	g_free(call);
}

/* Takes the call off the list and ends it. */
static void finish_stop(StopCall *call, UtmError *error_taken)
{
	g_ptr_array_remove_fast(call->run->stops, call);
	utm__request_finish(call->request, error_taken, NULL, NULL);
	stop_call_free(call);
}

void utm__vm_kill(UtmVmRun *run)
{
	if (run->vars_job)
		utm__vars_kill(run->vars_job);
	/* Where QEMU is, it is asked after that has ended. */
	if (run->tpm && !run->qemu)
		utm__tpm_end(run->tpm);
	if (run->qemu && utm__process_is_running(run->qemu)) {
		run->killed_by_us = true;
		utm__process_kill(run->qemu, SIGKILL);
	}
}

static void ignore_reply(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
}

static void take_step(StopCall *call);

static void on_step_deadline(void *data)
{
	StopCall *call = data;
	call->timer = 0;
	if (call->input->method != UTM_VM_STOP_ESCALATE) {
		finish_stop(call, utm__error_new(UTM_ERROR_TIMEOUT, "QEMU did not quit within %" G_GINT64_FORMAT " ms",
		                                 (gint64)call->input->options.force_timeout_ms));
		return;
	}
	call->step = call->step == UTM_VM_STOP_REQUEST ? UTM_VM_STOP_FORCE : UTM_VM_STOP_KILL;
	take_step(call);
}

/* -1 never passes. */
static void arm(StopCall *call, gint64 delay_ms)
{
	if (delay_ms < 0)
		return;
	call->timer = utm__io_add_timeout(call->run->vm->object.context, delay_ms, on_step_deadline, call);
}

static void take_step(StopCall *call)
{
	UtmVmRun *run = call->run;
	switch (call->step) {
	case UTM_VM_STOP_REQUEST:
		utm__qmp_client_send(run->client, "system_powerdown", NULL, POWERDOWN_MS, ignore_reply, NULL);
		arm(call, call->input->options.request_timeout_ms);
		break;
	case UTM_VM_STOP_FORCE:
		/* The reply may never come; the end of the process is what counts. */
		utm__vm_set_state(run->vm, UTM_VM_STATE_STOPPING);
		utm__qmp_client_send(run->client, "quit", NULL, -1, ignore_reply, NULL);
		arm(call, call->input->options.force_timeout_ms);
		break;
	default:
		utm__vm_set_state(run->vm, UTM_VM_STATE_STOPPING);
		utm__vm_kill(run);
		break;
	}
}

static void on_powerdown(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	UtmRequest *request = data;
	utm__request_finish(request, utm_error_ref((UtmError *)error), NULL, NULL);
	utm__request_unref(request);
}

static UtmError *not_running(UtmVm *vm)
{
	return utm__error_new(UTM_ERROR_INVALID_STATE, "the machine is %s", utm_vm_state_get_name(utm_vm_get_state(vm)));
}

static UtmVmStopMethod first_step(UtmVm *vm, UtmVmStopMethod method)
{
	if (method != UTM_VM_STOP_ESCALATE)
		return method;
	/* A guest that stands still cannot follow its power button. */
	return utm_vm_get_state(vm) == UTM_VM_STATE_RUNNING ? UTM_VM_STOP_REQUEST : UTM_VM_STOP_FORCE;
}

static StopCall *add_call(UtmVmRun *run, UtmRequest *request)
{
	StopCall *call = g_new0(StopCall, 1);
	call->request = utm__request_ref(request);
	call->input = utm__request_get_input(request);
	call->run = run;
	call->step = first_step(run->vm, call->input->method);
	g_ptr_array_add(run->stops, call);
	return call;
}

static void stop_request_only(UtmVm *vm, UtmRequest *request)
{
	if (!vm->run || vm->run->phase != RUN_READY || vm->run->client_closed)
		utm__request_finish(request, not_running(vm), NULL, NULL);
	else
		utm__qmp_client_send(vm->run->client, "system_powerdown", NULL, POWERDOWN_MS, on_powerdown,
		                     utm__request_ref(request));
}

void utm__vm_stop_begin(UtmRequest *request)
{
	UtmVm *vm = (UtmVm *)utm__request_get_object(request);
	const StopInput *input = utm__request_get_input(request);
	UtmVmRun *run = vm->run;
	if (input->method == UTM_VM_STOP_REQUEST) {
		stop_request_only(vm, request);
		return;
	}
	if (!run) {
		utm__request_finish(request, NULL, NULL, NULL);
		return;
	}
	StopCall *call = add_call(run, request);
	if (run->phase == RUN_READY && !run->process_ended)
		take_step(call);
	else
		utm__vm_start_fail(run, utm__error_new(UTM_ERROR_CANCELLED, "the machine was stopped while it started"));
}

void utm__vm_stop_abort(UtmRequest *request, int code)
{
	UtmVm *vm = (UtmVm *)utm__request_get_object(request);
	GPtrArray *stops = vm->run ? vm->run->stops : NULL;
	for (guint i = 0; stops && i < stops->len; i++) {
		StopCall *call = stops->pdata[i];
		if (call->request == request) {
			finish_stop(call, utm__request_abort_error(request, code));
			return;
		}
	}
	utm__request_finish(request, utm__request_abort_error(request, code), NULL, NULL);
}

/* ---------------------------------------------------------------- the end of a run */

/* First of all: what is released next wakes callers, and they may ask. */
static void set_end_reason(UtmVmRun *run)
{
	UtmVm *vm = run->vm;
	UtmEndReason *reason = utm__end_reason_new(run);
	pthread_mutex_lock(&vm->lock);
	vm->end_reason = reason;
	vm->qemu_pid = -1;
	pthread_mutex_unlock(&vm->lock);
}

static void release(UtmVmRun *run)
{
	UtmVm *vm = run->vm;
	utm__io_remove(vm->object.context, &run->end_timer);
	utm__io_remove(vm->object.context, &run->lost_timer);
	utm__io_remove(vm->object.context, &run->tpm_timer);
	utm__console_shut(vm->console);
	if (vm->qmp)
		utm__qmp_detach(vm->qmp, NULL);
	utm__qmp_client_free(run->client);
	utm__process_free(run->qemu);
	utm__tpm_free(run->tpm);
	for (guint i = 0; i < vm->serial_count; i++)
		utm__serial_end(vm->serials[i]);
	utm__runtime_dir_remove(run->dir, &run->dir_lock);
	utm__close_fd(&run->bundle_lock);
	if (run->bundle_held)
		utm__bundle_end_run(vm->bundle);
}

static void finish_calls(UtmVmRun *run)
{
	if (run->start) {
		utm__request_finish(run->start, utm_error_ref(run->start_error), NULL, NULL);
		utm__request_unref(run->start);
	}
	while (run->stops->len)
		finish_stop(run->stops->pdata[0], NULL);
}

static void run_free(UtmVmRun *run)
{
	g_ptr_array_unref(run->stops);
	utm_error_unref(run->start_error);
	utm_host_unref(run->host);
	g_free(run->dir);
	g_free(run->spice_path);
	g_free(run->stderr_tail);
	g_free(run->shutdown_reason);
	g_free(run);
}

static void end_run(void *data)
{
	UtmVmRun *run = data;
	UtmVm *vm = run->vm;
	set_end_reason(run);
	release(run);
	vm->run = NULL;
	utm__vm_set_state(vm, UTM_VM_STATE_STOPPED);
	utm__vm_emit_ended(vm);
	finish_calls(run);
	run_free(run);
	pthread_mutex_lock(&vm->lock);
	vm->active = false;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	utm__object_release(&vm->object);
}

static void on_drained(void *data)
{
	UtmVmRun *run = data;
	run->end_timer = 0;
	run->client_closed = true;
	utm__vm_check_end(run);
}

static bool work_is_left(const UtmVmRun *run)
{
	bool ends = run->phase == RUN_ENDING || run->process_ended;
	return !ends || run->host_probe_pending || run->vars_job || (run->qemu && !run->process_ended) ||
	       utm__tpm_is_running(run->tpm);
}

void utm__vm_check_end(UtmVmRun *run)
{
	/* It ends by itself when QEMU does, unless something is wrong with it. */
	if (run->process_ended && utm__tpm_is_running(run->tpm))
		utm__tpm_end(run->tpm);
	if (run->ended || work_is_left(run))
		return;
	if (run->client && !run->client_closed) {
		if (!run->end_timer)
			run->end_timer = utm__io_add_timeout(run->vm->object.context, DRAIN_MS, on_drained, run);
		return;
	}
	if (run->phase < RUN_READY) {
		utm__vm_start_ended(run); /* and back here */
		return;
	}
	/* Not from here: this may be a callback of the very objects that go. */
	run->ended = true;
	utm__context_invoke(run->vm->object.context, end_run, run);
}

/* ---------------------------------------------------------------- the calls */

static int check_stop_options(UtmVmStopOptions *checked, const UtmVmStopOptions *options, UtmError **error)
{
	int failed = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmVmStopOptions", error);
	if (!failed)
		failed = utm__check_timeout(checked->request_timeout_ms, "request_timeout_ms", error);
	if (!failed)
		failed = utm__check_timeout(checked->force_timeout_ms, "force_timeout_ms", error);
	if (checked->request_timeout_ms == 0)
		checked->request_timeout_ms = REQUEST_MS;
	if (checked->force_timeout_ms == 0)
		checked->force_timeout_ms = FORCE_MS;
	return failed;
}

static UtmRequest *stop_request_new(UtmVm *vm, uint32_t method, const UtmVmStopOptions *options, UtmError **error)
{
	StopInput input = { .method = method, .options = UTM_VM_STOP_OPTIONS_INIT };
	if (!vm || method > UTM_VM_STOP_ESCALATE) {
		utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, vm ? "stop method %u does not exist" : "no machine", method);
		return NULL;
	}
	if (check_stop_options(&input.options, options, error) < 0)
		return NULL;
	UtmRequest *request = utm__request_new(&vm->object, "stopping the machine", -1, input.options.cancel);
	utm__request_set_input(request, g_memdup2(&input, sizeof input), g_free);
	utm__request_set_abort(request, utm__vm_stop_abort);
	return request;
}

int utm_vm_stop(UtmVm *vm, uint32_t method, const UtmVmStopOptions *options, UtmError **error)
{
	UtmError *wrong = NULL;
	g_autoptr(UtmRequest) request = stop_request_new(vm, method, options, &wrong);
	if (!request)
		return utm__fail_take(error, wrong);
	return utm__request_run(request, utm__vm_stop_begin, error);
}

int utm_vm_stop_async(UtmVm *vm, uint32_t method, const UtmVmStopOptions *options, UtmVmDoneFunc fn, void *user_data,
                      UtmFreeFunc free_fn, UtmError **error)
{
	UtmError *wrong = NULL;
	g_autoptr(UtmRequest) request = stop_request_new(vm, method, options, &wrong);
	return utm__vm_submit(request, utm__vm_stop_begin, fn, user_data, free_fn, wrong, error);
}
