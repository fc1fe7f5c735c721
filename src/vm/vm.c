/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmVm, the public handle: its life, its properties, and the calls that only pass something on to QEMU. */
#include "vm/vm-private.h"

#include "base/sized-struct.h"
#include "base/util.h"

#include <fcntl.h>

#define CLOSE_MS 10000
#define CONTROL_MS 10000
#define START_MS 60000

static UtmVm *vm_of(UtmObject *object)
{
	return (UtmVm *)object;
}

static void kill_on_io(void *data)
{
	UtmVm *vm = data;
	if (!vm->run)
		return;
	if (vm->run->phase == RUN_READY)
		utm__vm_kill(vm->run);
	else
		utm__vm_start_fail(vm->run, utm__error_new(UTM_ERROR_CANCELLED, "the machine was freed while it started"));
}

/* False when QEMU cannot even be killed: then what its run uses has to stay. */
static bool wait_for_end(UtmVm *vm)
{
	struct timespec deadline;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += CLOSE_MS / 1000;
	int failed = 0;
	pthread_mutex_lock(&vm->lock);
	while (vm->active && !failed)
		failed = pthread_cond_timedwait(&vm->changed, &vm->lock, &deadline);
	bool ended = !vm->active;
	pthread_mutex_unlock(&vm->lock);
	return ended;
}

/* Has the machine killed. Inside the wakeup callback, where nobody may wait for the I/O thread, its end is not awaited. */
static bool end_for_close(UtmVm *vm)
{
	UtmContext *context = vm->object.context;
	if (utm__context_check_blocking(context, NULL) == 0) {
		utm__context_call(context, kill_on_io, vm);
		return wait_for_end(vm);
	}
	utm__log(context, UTM_LOG_ERROR, "a machine lost its last reference inside the wakeup callback; its memory stays");
	utm__context_invoke(context, kill_on_io, vm);
	return false;
}

static void vm_close(UtmObject *object)
{
	UtmVm *vm = vm_of(object);
	if (end_for_close(vm)) {
		/* Here, not in vm_free(): a bundle keeps its context, and queued events may keep this memory until that ends. */
		utm_bundle_unref(g_steal_pointer(&vm->bundle));
		utm_console_unref(vm->console);
		utm_qmp_unref(g_steal_pointer(&vm->qmp));
	} else {
		/* For ever: the run may end at any time, and on the I/O thread the last reference to the context cannot go. */
		utm__object_hold(object);
	}
	utm__slot_set(&vm->events, NULL);
	for (guint i = 0; i < vm->serial_count; i++)
		utm__serial_set_handler(vm->serials[i], NULL);
}

static void vm_free(UtmObject *object)
{
	UtmVm *vm = vm_of(object);
	for (guint i = 0; i < vm->serial_count; i++)
		utm__serial_free(vm->serials[i]);
	g_free(vm->serials);
	utm__slot_clear(&vm->events);
	utm_end_reason_unref(vm->end_reason);
	utm_config_unref(vm->config);
	utm_bundle_unref(vm->bundle);
	pthread_mutex_destroy(&vm->lock);
	pthread_cond_destroy(&vm->changed);
	g_free(vm);
}

static const UtmObjectClass vm_class = { .name = "UtmVm", .close = vm_close, .free = vm_free };

static void add_serials(UtmVm *vm)
{
	const UtmConfigQemu *config = utm__config_get_qemu(vm->config);
	vm->serials = g_new0(UtmVmSerial *, config->serial_count + 1);
	for (size_t i = 0; i < config->serial_count; i++)
		if (config->serial[i]->mode == UTM_CONFIG_SERIAL_MODE_TERMINAL) {
			vm->serials[vm->serial_count] = utm__serial_new(vm, vm->serial_count);
			vm->serial_count++;
		}
}

int utm_vm_new(UtmBundle *bundle, UtmVm **ret_vm, UtmError **error)
{
	if (!bundle || !ret_vm)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no bundle, or nowhere to put the machine");
	g_autoptr(UtmConfig) config = utm_config_copy(utm_bundle_get_config(bundle));
	if (!utm__config_get_qemu(config))
		return utm__fail_take(error, utm__backend_unsupported());
	UtmVm *vm = g_new0(UtmVm, 1);
	utm__object_init(&vm->object, &vm_class, utm_bundle_get_context(bundle));
	vm->bundle = utm_bundle_ref(bundle);
	vm->config = g_steal_pointer(&config);
	vm->console = utm__console_new(vm->object.context);
	vm->qemu_pid = -1;
	utm__slot_init(&vm->events);
	pthread_mutex_init(&vm->lock, NULL);
	utm__cond_init_monotonic(&vm->changed);
	add_serials(vm);
	*ret_vm = vm;
	return 0;
}

UtmVm *utm_vm_ref(UtmVm *vm)
{
	if (vm)
		utm__object_ref(&vm->object);
	return vm;
}

void utm_vm_unref(UtmVm *vm)
{
	if (vm)
		utm__object_unref(&vm->object);
}

/* ---------------------------------------------------------------- properties */

UtmBundle *utm_vm_get_bundle(UtmVm *vm)
{
	return vm ? vm->bundle : NULL;
}

UtmConfig *utm_vm_get_config(UtmVm *vm)
{
	return vm ? vm->config : NULL;
}

UtmConsole *utm_vm_get_console(UtmVm *vm)
{
	return vm ? vm->console : NULL;
}

UtmDisplay *utm_vm_get_display(UtmVm *vm, uint32_t index)
{
	if (!vm || index >= utm__config_get_qemu(vm->config)->display_count)
		return NULL;
	return utm_console_get_display(vm->console, index);
}

uint32_t utm_vm_get_state(UtmVm *vm)
{
	if (!vm)
		return UTM_VM_STATE_STOPPED;
	pthread_mutex_lock(&vm->lock);
	UtmVmState state = vm->state;
	pthread_mutex_unlock(&vm->lock);
	return state;
}

int64_t utm_vm_get_pid(UtmVm *vm)
{
	if (!vm)
		return -1;
	pthread_mutex_lock(&vm->lock);
	gint64 pid = vm->qemu_pid;
	pthread_mutex_unlock(&vm->lock);
	return pid;
}

UtmQmp *utm_vm_get_qmp(UtmVm *vm)
{
	if (!vm)
		return NULL;
	pthread_mutex_lock(&vm->lock);
	UtmQmp *qmp = vm->qemu_pid > 0 ? vm->qmp : NULL;
	pthread_mutex_unlock(&vm->lock);
	return qmp;
}

UtmEndReason *utm_vm_get_end_reason(UtmVm *vm)
{
	if (!vm)
		return NULL;
	pthread_mutex_lock(&vm->lock);
	UtmEndReason *reason = vm->end_reason;
	pthread_mutex_unlock(&vm->lock);
	return reason;
}

int utm_vm_set_event_handler(UtmVm *vm, UtmVmEventFunc fn, void *user_data, UtmFreeFunc free_fn)
{
	if (!vm) {
		if (free_fn)
			free_fn(user_data);
		return UTM_ERROR_INVALID_ARGUMENT;
	}
	utm__slot_set(&vm->events, utm__callback_new_handler(vm->object.context, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}

/* ---------------------------------------------------------------- serial ports */

uint32_t utm_vm_get_serial_count(UtmVm *vm)
{
	return vm ? vm->serial_count : 0;
}

static int check_port(UtmVm *vm, uint32_t index, UtmError **error)
{
	if (!vm)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no machine");
	if (index >= vm->serial_count)
		return utm__fail(error, UTM_ERROR_NOT_FOUND, "serial port %u does not exist: the machine has %u in terminal mode",
		                 index, vm->serial_count);
	return 0;
}

int utm_vm_set_serial_handler(UtmVm *vm, uint32_t index, UtmVmSerialFunc fn, void *user_data, UtmFreeFunc free_fn,
                              UtmError **error)
{
	int failed = check_port(vm, index, error);
	if (failed) {
		if (free_fn)
			free_fn(user_data);
		return failed;
	}
	utm__serial_set_handler(vm->serials[index],
	                        utm__callback_new_handler(vm->object.context, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}

int utm_vm_serial_hold(UtmVm *vm, uint32_t index, bool hold, UtmError **error)
{
	int failed = check_port(vm, index, error);
	if (failed)
		return failed;
	utm__serial_hold(vm->serials[index], hold);
	return 0;
}

int utm_vm_serial_write(UtmVm *vm, uint32_t index, const void *data, size_t size_bytes, UtmError **error)
{
	int failed = check_port(vm, index, error);
	if (failed)
		return failed;
	if (!data && size_bytes)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no data");
	return utm__serial_write(vm->serials[index], data, size_bytes, error);
}

/* ---------------------------------------------------------------- start */

static void deliver_done(UtmRequest *request, UtmCallback *callback)
{
	UtmVm *vm = vm_of(utm__request_get_object(request));
	if (callback->fn)
		((UtmVmDoneFunc)callback->fn)(vm, utm__request_get_error(request), callback->user_data);
}

int utm__vm_submit(UtmRequest *request, UtmRequestFunc begin, UtmVmDoneFunc fn, void *user_data, UtmFreeFunc free_fn,
                   UtmError *wrong_taken, UtmError **error)
{
	if (!request) {
		if (free_fn)
			free_fn(user_data);
		return utm__fail_take(error, wrong_taken);
	}
	UtmContext *context = utm__request_get_object(request)->context;
	utm__request_submit(request, begin, deliver_done,
	                    utm__callback_new(context, (UtmAnyFunc)fn, user_data, free_fn));
	return 0;
}

static void start_input_free(void *data)
{
	UtmVmStartOptions *options = data;
	UtmVmNetworkFd *taps = (UtmVmNetworkFd *)options->network_fds;
	for (size_t i = 0; i < options->network_fd_count; i++)
		utm__close_fd(&taps[i].fd);
	g_free(taps);
	utm_host_unref(options->host);
	g_free(options);
}

/* Ours until the start is over, whatever the caller closes meanwhile. */
static int copy_taps(UtmVm *vm, UtmVmStartOptions *options, UtmError **error)
{
	const UtmVmNetworkFd *given = options->network_fds;
	size_t networks = utm__config_get_qemu(vm->config)->network_count, count = options->network_fd_count;
	options->network_fd_count = 0;
	options->network_fds = NULL;
	if (count > networks || (count && !given))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "%zu network_fds for %zu networks", count, networks);
	UtmVmNetworkFd *taps = g_new0(UtmVmNetworkFd, networks + 1);
	options->network_fds = taps;
	for (size_t i = 0; i < count; i++) {
		if (given[i].index >= networks)
			return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "network_fds: there is no network %u", given[i].index);
		for (size_t j = 0; j < i; j++)
			if (taps[j].index == given[i].index)
				return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "network_fds: network %u is there twice",
				                 given[i].index);
		int fd = given[i].fd < 0 ? -1 : fcntl(given[i].fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "network_fds: %d is no open descriptor", given[i].fd);
		taps[i] = (UtmVmNetworkFd){ given[i].index, fd };
		options->network_fd_count++;
	}
	return 0;
}

static int check_start_options(UtmVmStartOptions *checked, const UtmVmStartOptions *options, UtmError **error)
{
	const uint32_t flags = UTM_VM_START_DISPOSABLE | UTM_VM_START_PAUSED | UTM_VM_START_ALLOW_ARGUMENTS;
	int failed = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmVmStartOptions", error);
	if (failed)
		return failed;
	if (checked->flags & ~flags)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "start flags 0x%x do not exist", checked->flags);
	if (checked->reserved)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "UtmVmStartOptions.reserved is not zero");
	return utm__check_timeout(checked->timeout_ms, "timeout_ms", error);
}

static UtmRequest *start_request_new(UtmVm *vm, const UtmVmStartOptions *options, UtmError **error)
{
	UtmVmStartOptions checked = UTM_VM_START_OPTIONS_INIT;
	if (!vm) {
		utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no machine");
		return NULL;
	}
	if (check_start_options(&checked, options, error) < 0)
		return NULL;
	UtmVmStartOptions *input = g_memdup2(&checked, sizeof checked);
	utm_host_ref(input->host);
	if (copy_taps(vm, input, error) < 0) {
		start_input_free(input);
		return NULL;
	}
	gint64 timeout_ms = checked.timeout_ms ? checked.timeout_ms : START_MS;
	UtmRequest *request = utm__request_new(&vm->object, "starting the machine", timeout_ms, checked.cancel);
	utm__request_set_input(request, input, start_input_free);
	utm__request_set_abort(request, utm__vm_start_abort);
	return request;
}

int utm_vm_start(UtmVm *vm, const UtmVmStartOptions *options, UtmError **error)
{
	UtmError *wrong = NULL;
	g_autoptr(UtmRequest) request = start_request_new(vm, options, &wrong);
	if (!request)
		return utm__fail_take(error, wrong);
	return utm__request_run(request, utm__vm_start_begin, error);
}

int utm_vm_start_async(UtmVm *vm, const UtmVmStartOptions *options, UtmVmDoneFunc fn, void *user_data,
                       UtmFreeFunc free_fn, UtmError **error)
{
	UtmError *wrong = NULL;
	g_autoptr(UtmRequest) request = start_request_new(vm, options, &wrong);
	return utm__vm_submit(request, utm__vm_start_begin, fn, user_data, free_fn, wrong, error);
}

/* ---------------------------------------------------------------- pause, resume, reset */

typedef struct Control {
	const char *what;
	const char *command;
	UtmVmState from[2];
	UtmVmState meanwhile;
} Control;

static const Control pause_control = { "pausing the machine", "stop", { UTM_VM_STATE_RUNNING, UTM_VM_STATE_RUNNING },
	                               UTM_VM_STATE_PAUSING };
static const Control resume_control = { "resuming the machine", "cont", { UTM_VM_STATE_PAUSED, UTM_VM_STATE_PAUSED },
	                                UTM_VM_STATE_RESUMING };
/* A reset leaves running what runs, and paused what is paused. */
static const Control reset_control = { "resetting the machine", "system_reset",
	                               { UTM_VM_STATE_RUNNING, UTM_VM_STATE_PAUSED }, UTM_VM_STATE_STOPPED };

static void on_control_status(UtmVmRun *run, const UtmError *error, void *data)
{
	UtmRequest *request = data;
	utm__request_finish(request, utm_error_ref((UtmError *)error), NULL, NULL);
	utm__request_unref(request);
}

static void on_refused_status(UtmVmRun *run, const UtmError *error, void *data)
{
	/* The state is QEMU's again; the call failed with the command's own error. */
}

static void on_control_reply(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	UtmRequest *request = data;
	UtmVm *vm = vm_of(utm__request_get_object(request));
	bool alive = vm->run && vm->run->client == client && !vm->run->client_closed;
	if (!error && alive) {
		utm__vm_query_status(vm->run, on_control_status, request);
		return;
	}
	if (alive && utm_error_get_code(error) == UTM_ERROR_QMP_COMMAND)
		utm__vm_query_status(vm->run, on_refused_status, NULL);
	UtmError *reason = error ? utm_error_ref((UtmError *)error)
	                         : utm__error_new(UTM_ERROR_VM_ENDED, "the machine ended meanwhile");
	utm__request_finish(request, reason, NULL, NULL);
	utm__request_unref(request);
}

static void control_begin(UtmRequest *request)
{
	UtmVm *vm = vm_of(utm__request_get_object(request));
	const Control *control = utm__request_get_input(request);
	UtmVmState state = utm_vm_get_state(vm);
	bool allowed = state == control->from[0] || state == control->from[1];
	if (!vm->run || vm->run->phase != RUN_READY || vm->run->client_closed || !allowed) {
		UtmError *error = utm__error_new(UTM_ERROR_INVALID_STATE, "the machine is %s", utm_vm_state_get_name(state));
		utm__request_finish(request, error, NULL, NULL);
		return;
	}
	if (control->meanwhile != UTM_VM_STATE_STOPPED)
		utm__vm_set_state(vm, control->meanwhile);
	utm__qmp_client_send(vm->run->client, control->command, NULL, CONTROL_MS, on_control_reply,
	                     utm__request_ref(request));
}

static UtmRequest *control_request_new(UtmVm *vm, const Control *control, UtmError **error)
{
	if (!vm) {
		utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no machine");
		return NULL;
	}
	UtmRequest *request = utm__request_new(&vm->object, control->what, -1, NULL);
	utm__request_set_input(request, (void *)control, NULL);
	return request;
}

static int run_control(UtmVm *vm, const Control *control, UtmError **error)
{
	UtmError *wrong = NULL;
	g_autoptr(UtmRequest) request = control_request_new(vm, control, &wrong);
	return request ? utm__request_run(request, control_begin, error) : utm__fail_take(error, wrong);
}

static int submit_control(UtmVm *vm, const Control *control, UtmVmDoneFunc fn, void *user_data, UtmFreeFunc free_fn,
                          UtmError **error)
{
	UtmError *wrong = NULL;
	g_autoptr(UtmRequest) request = control_request_new(vm, control, &wrong);
	return utm__vm_submit(request, control_begin, fn, user_data, free_fn, wrong, error);
}

int utm_vm_pause(UtmVm *vm, UtmError **error)
{
	return run_control(vm, &pause_control, error);
}

int utm_vm_pause_async(UtmVm *vm, UtmVmDoneFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	return submit_control(vm, &pause_control, fn, user_data, free_fn, error);
}

int utm_vm_resume(UtmVm *vm, UtmError **error)
{
	return run_control(vm, &resume_control, error);
}

int utm_vm_resume_async(UtmVm *vm, UtmVmDoneFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	return submit_control(vm, &resume_control, fn, user_data, free_fn, error);
}

int utm_vm_reset(UtmVm *vm, UtmError **error)
{
	return run_control(vm, &reset_control, error);
}

int utm_vm_reset_async(UtmVm *vm, UtmVmDoneFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	return submit_control(vm, &reset_control, fn, user_data, free_fn, error);
}
