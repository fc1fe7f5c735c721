/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The start, step by step on the I/O thread:
 *
 *     images there? -> host facts -> UEFI variables -> TPM -> sockets, argv, spawn -> monitor greets -> cont, query-status
 *                                                                              -> console begins to open -> caller is told
 *
 * Sockets are bound here and inherited by QEMU as descriptors: there is no file to poll for and no race. QEMU always
 * starts with its CPUs stopped, so that nothing of the guest's first output is missed. The console begins to open just
 * before the caller is told, and connects beside what the caller does then: a display tells its whole picture to whoever
 * comes.
 */
#include "base/util.h"
#include "bundle/bundle-private.h"
#include "host/host-private.h"
#include "process/runtime-dir.h"
#include "process/stderr-text.h"
#include "vm/vm-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The first descriptor that QEMU inherits besides the standard ones. */
#define CHILD_FD_FIRST 3

/* A monitor that hung up belongs to a QEMU that is ending: its exit status says more, so wait a moment for it. */
#define LOST_GRACE_MS 2000
/* A TPM ends with QEMU, and may be seen to before it. */
#define TPM_GRACE_MS 500
#define CONSOLE_TIMEOUT_MS 15000

void utm__vm_start_fail(UtmVmRun *run, UtmError *error_taken)
{
	if (run->phase == RUN_READY || run->start_error) {
		utm_error_unref(error_taken);
		return;
	}
	run->start_error = error_taken;
	run->phase = RUN_ENDING;
	utm__vm_kill(run);
	utm__vm_check_end(run);
}

/* ---------------------------------------------------------------- QEMU's process */

static UtmError *ended_while_starting(const UtmVmRun *run)
{
	g_autofree char *words = utm__find_complaint(run->stderr_tail, "qemu-system-");
	int status = run->end.signal ? 128 + run->end.signal : run->end.exit_status;
	g_autofree char *how = run->end.signal ? g_strdup_printf("signal %d", run->end.signal)
	                       : status < 0    ? g_strdup("how is not known")
	                                       : g_strdup_printf("exit status %d", status);
	UtmError *error = utm__error_new(UTM_ERROR_PROCESS_EXITED, "QEMU ended while starting (%s)%s%s", how,
	                                 words ? ": " : "", words ? words : "");
	return utm__error_set_exit(error, status, run->stderr_tail);
}

static void on_qemu_line(UtmProcess *process, const char *line, void *data)
{
	UtmVmRun *run = data;
	utm__vm_emit_text(run->vm, UTM_VM_EVENT_LOG, line, NULL);
}

static void on_qemu_end(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	UtmVmRun *run = data;
	run->end = *end;
	run->process_ended = true;
	/* At once: the number may be another process's any moment. */
	pthread_mutex_lock(&run->vm->lock);
	run->vm->qemu_pid = -1;
	pthread_mutex_unlock(&run->vm->lock);
	run->stderr_tail = g_strdup(utm__process_get_stderr_tail(process));
	for (guint i = 0; i < run->vm->serial_count; i++)
		utm__serial_end(run->vm->serials[i]);
	utm__vm_check_end(run);
}

void utm__vm_start_ended(UtmVmRun *run)
{
	utm__vm_start_fail(run, ended_while_starting(run));
}

/* ---------------------------------------------------------------- the monitor */

static void on_console(UtmConsole *console, const UtmError *error, void *data)
{
	UtmVm *vm = data;
	if (error && utm_error_get_code(error) != UTM_ERROR_CANCELLED) {
		g_autofree char *text = g_strdup_printf("no console: %s", utm_error_get_message(error));
		utm__vm_emit_text(vm, UTM_VM_EVENT_WARNING, text, NULL);
	}
	utm__object_release(&vm->object);
}

static bool has_console(UtmVm *vm)
{
	return utm__config_get_qemu(vm->config)->display_count > 0;
}

static void open_console(UtmVmRun *run)
{
	if (!has_console(run->vm) || run->shutdown_seen)
		return;
	utm__object_hold(&run->vm->object);
	utm__console_open(run->vm->console, run->spice_path, NULL, CONSOLE_TIMEOUT_MS, on_console, run->vm);
}

void utm__vm_start_succeed(UtmVmRun *run)
{
	UtmRequest *start = g_steal_pointer(&run->start);
	run->phase = RUN_READY;
	/* Before the caller is told, who may wait for a picture at once; but not earlier, since the engine's program would
	 * compete with QEMU for processors while the caller waits. */
	open_console(run);
	utm__request_finish(start, NULL, NULL, NULL);
	utm__request_unref(start);
}

static void publish_qmp(UtmVmRun *run)
{
	UtmVm *vm = run->vm;
	UtmQmp *qmp = utm__qmp_new_wrapping(vm->object.context, run->client);
	pthread_mutex_lock(&vm->lock);
	vm->qmp = qmp;
	pthread_mutex_unlock(&vm->lock);
}

/* A command of the start failed. When the connection broke, the process is about to say more than that. */
static void command_failed(UtmVmRun *run, const UtmError *error)
{
	if (utm_error_get_code(error) != UTM_ERROR_QMP_DISCONNECTED)
		utm__vm_start_fail(run, utm_error_ref((UtmError *)error));
}

static void on_running_known(UtmVmRun *run, const UtmError *error, void *data)
{
	if (run->phase != RUN_CONNECTING)
		return;
	if (error)
		command_failed(run, error);
	else
		utm__vm_start_succeed(run);
}

static void on_cont(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	UtmVmRun *run = data;
	if (run->phase != RUN_CONNECTING)
		return;
	if (error)
		command_failed(run, error);
	else
		utm__vm_query_status(run, on_running_known, NULL);
}

/* Without a monitor nobody can control this QEMU any more. */
static void on_lost_grace_over(void *data)
{
	UtmVmRun *run = data;
	run->lost_timer = 0;
	run->monitor_lost = true;
	utm__vm_start_fail(run, utm__error_new(UTM_ERROR_QMP_DISCONNECTED, "QEMU closed its monitor while starting"));
	utm__vm_kill(run);
}

static void on_lost(UtmVmRun *run)
{
	run->client_closed = true;
	if (!run->process_ended)
		run->lost_timer = utm__io_add_timeout(run->vm->object.context, LOST_GRACE_MS, on_lost_grace_over, run);
	utm__vm_check_end(run);
}

static void on_qmp_ready(UtmQmpClient *client, const UtmError *error, void *data)
{
	UtmVmRun *run = data;
	/* Also when the start was given up before: a monitor that never spoke has nothing to be drained of. */
	run->client_closed = error != NULL;
	if (run->phase != RUN_CONNECTING) {
		utm__vm_check_end(run);
		return;
	}
	if (utm_error_get_code(error) == UTM_ERROR_QMP_DISCONNECTED) {
		on_lost(run);
		return;
	}
	if (error) {
		utm__vm_start_fail(run, utm_error_ref((UtmError *)error));
		return;
	}
	publish_qmp(run);
	if (run->options.flags & UTM_VM_START_PAUSED)
		utm__vm_query_status(run, on_running_known, NULL);
	else
		utm__qmp_client_send(client, "cont", NULL, -1, on_cont, run);
}

static void on_qmp_event(UtmQmpClient *client, const char *name, const char *data_json, gint64 timestamp_us, void *data)
{
	utm__vm_on_qmp_event(data, name, data_json, timestamp_us);
}

static void on_qmp_closed(UtmQmpClient *client, const UtmError *error, void *data)
{
	UtmVmRun *run = data;
	if (run->vm->qmp)
		utm__qmp_detach(run->vm->qmp, error);
	on_lost(run);
}

static const UtmQmpClientFuncs qmp_funcs = { .ready = on_qmp_ready, .event = on_qmp_event, .closed = on_qmp_closed };

/* ---------------------------------------------------------------- argv, sockets, spawn */

typedef struct Launch {
	UtmProcessFd *fds;
	gsize fd_count;
	/* Their numbers in QEMU. */
	int qmp_number;
	int agent_number;
	int tpm_number; /* -1 */
	int *serial_numbers;
	int *network_numbers; /* -1: no tap was given */
	gsize network_count;
} Launch;

static void launch_clear(Launch *launch)
{
	for (gsize i = 0; i < launch->fd_count; i++)
		utm__close_fd(&launch->fds[i].source);
	g_free(launch->fds);
	g_free(launch->serial_numbers);
	g_free(launch->network_numbers);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Launch, launch_clear)

/* For QEMU, which gets them in a row; a negative code is passed on. */
static int add_fd(Launch *launch, int fd_or_code, int *ret_number)
{
	int number = CHILD_FD_FIRST + (int)launch->fd_count;
	if (fd_or_code < 0)
		return fd_or_code;
	launch->fds[launch->fd_count++] = (UtmProcessFd){ fd_or_code, number };
	*ret_number = number;
	return 0;
}

static int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static int add_taps(UtmVmRun *run, Launch *launch, UtmError **error)
{
	const UtmVmStartOptions *options = &run->options;
	int failed = 0;
	launch->network_count = utm__config_get_qemu(run->vm->config)->network_count;
	launch->network_numbers = g_new(int, launch->network_count + 1);
	for (gsize i = 0; i < launch->network_count; i++)
		launch->network_numbers[i] = -1;
	for (gsize i = 0; i < options->network_fd_count && !failed; i++) {
		int fd = fcntl(options->network_fds[i].fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return utm__fail_errno(error, errno, NULL, "cannot pass a tap on");
		failed = add_fd(launch, fd, &launch->network_numbers[options->network_fds[i].index]);
	}
	return failed;
}

static int open_sockets(UtmVmRun *run, Launch *launch, char **ret_qmp_path, UtmError **error)
{
	UtmVm *vm = run->vm;
	int lock_number;
	launch->fds = g_new0(UtmProcessFd, 4 + vm->serial_count + run->options.network_fd_count);
	launch->serial_numbers = g_new0(int, vm->serial_count + 1);
	launch->tpm_number = -1;
	int failed = add_fd(launch, utm__listen_unix(run->dir, UTM_SOCKET_QMP, ret_qmp_path, error), &launch->qmp_number);
	if (!failed)
		failed = add_fd(launch, utm__listen_unix(run->dir, UTM_SOCKET_AGENT, NULL, error), &launch->agent_number);
	if (!failed && run->tpm)
		failed = add_fd(launch, utm__tpm_take_socket(run->tpm), &launch->tpm_number);
	for (guint i = 0; i < vm->serial_count && !failed; i++)
		failed = add_fd(launch, utm__serial_listen(vm->serials[i], run->dir, error), &launch->serial_numbers[i]);
	if (!failed)
		failed = add_taps(run, launch, error);
	/* QEMU holds the bundle's lock, too, so that it lasts as long as QEMU, should this process be killed. */
	if (!failed && run->bundle_lock >= 0)
		add_fd(launch, take_fd(&run->bundle_lock), &lock_number);
	return failed;
}

static UtmArgv *build_argv(UtmVmRun *run, const Launch *launch, UtmError **error)
{
	UtmVm *vm = run->vm;
	UtmArgvRuntime runtime = UTM_ARGV_RUNTIME_INIT;
	runtime.qmp_fd = launch->qmp_number;
	runtime.agent_fd = launch->agent_number;
	runtime.tpm_fd = launch->tpm_number;
	runtime.serial_fds = launch->serial_numbers;
	runtime.serial_fd_count = vm->serial_count;
	runtime.network_fds = launch->network_numbers;
	runtime.network_fd_count = launch->network_count;
	runtime.runtime_dir = run->dir;
	runtime.disposable = run->options.flags & UTM_VM_START_DISPOSABLE;
	UtmArgv *argv = NULL;
	if (utm__argv_build(vm->config, utm_bundle_get_path(vm->bundle), run->host, &runtime, &argv, error) < 0)
		return NULL;
	for (gsize i = 0; i < utm_argv_get_warning_count(argv); i++)
		utm__vm_emit_text(vm, UTM_VM_EVENT_WARNING, utm_argv_get_warning(argv, i), NULL);
	return argv;
}

static int spawn_qemu(UtmVmRun *run, UtmArgv *argv, const Launch *launch, UtmError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_ptr_array_add(words, (void *)utm_argv_get_program(argv));
	for (const char *const *s = utm_argv_get_strings(argv); *s; s++)
		g_ptr_array_add(words, (void *)*s);
	g_ptr_array_add(words, NULL);
	UtmProcessSpec spec = {
		.argv = (const char *const *)words->pdata,
		.working_dir = run->dir,
		.fds = launch->fds,
		.fd_count = launch->fd_count,
		.stdout_fd = -1,
		.on_stderr_line = on_qemu_line,
		.on_end = on_qemu_end,
		.data = run,
	};
	run->qemu = utm__process_spawn(run->vm->object.context, &spec, error);
	return run->qemu ? 0 : UTM_ERROR_SPAWN_FAILED;
}

static int connect_qmp(UtmVmRun *run, const char *qmp_path, UtmError **error)
{
	UtmVm *vm = run->vm;
	int fd = utm__unix_connect(qmp_path, error);
	if (fd < 0)
		return fd;
	/* Our own deadline is the start's; the client needs none besides. */
	run->client = utm__qmp_client_new(vm->object.context, fd, -1, &qmp_funcs, run);
	utm__qmp_client_set_path(run->client, qmp_path);
	pthread_mutex_lock(&vm->lock);
	vm->qemu_pid = utm__process_get_pid(run->qemu);
	pthread_mutex_unlock(&vm->lock);
	return 0;
}

static int launch_qemu(UtmVmRun *run, UtmError **error)
{
	run->dir = utm__runtime_dir_new(run->vm->object.context, &run->dir_lock, error);
	if (!run->dir)
		return UTM_ERROR_IO;
	run->spice_path = g_build_filename(run->dir, UTM_SOCKET_SPICE, NULL);
	g_auto(Launch) launch = { 0 };
	g_autofree char *qmp_path = NULL;
	int failed = open_sockets(run, &launch, &qmp_path, error);
	if (failed)
		return failed;
	UtmArgv *argv = build_argv(run, &launch, error);
	if (!argv)
		return UTM_ERROR_CONFIG_UNSUPPORTED;
	run->phase = RUN_CONNECTING;
	failed = spawn_qemu(run, argv, &launch, error);
	utm_argv_unref(argv);
	return failed ? failed : connect_qmp(run, qmp_path, error);
}

static void launch(UtmVmRun *run)
{
	UtmError *error = NULL;
	if (launch_qemu(run, &error) < 0)
		utm__vm_start_fail(run, error);
}

/* ---------------------------------------------------------------- the TPM */

static void on_tpm_ready(UtmTpm *tpm, const UtmError *error, void *data)
{
	UtmVmRun *run = data;
	if (error)
		utm__vm_start_fail(run, utm_error_ref((UtmError *)error));
	else if (run->phase == RUN_PREPARING)
		launch(run);
}

static void on_tpm_line(const char *line, void *data)
{
	utm__vm_emit_text(((UtmVmRun *)data)->vm, UTM_VM_EVENT_LOG, line, NULL);
}

/* A guest that runs goes on without: it may not have looked at its TPM at all. */
static void on_tpm_grace_over(void *data)
{
	UtmVmRun *run = data;
	run->tpm_timer = 0;
	if (run->process_ended || run->shutdown_seen || run->phase == RUN_ENDING)
		return;
	UtmError *error = utm__tpm_ended_error(run->tpm, run->phase == RUN_READY ? "before the machine" : "while starting");
	if (run->phase < RUN_READY) {
		utm__vm_start_fail(run, error);
		return;
	}
	utm__log(run->vm->object.context, UTM_LOG_WARNING, "%s", utm_error_get_message(error));
	g_autofree char *text = g_strdup_printf("the guest has no TPM any more: %s", utm_error_get_message(error));
	utm__vm_emit_text(run->vm, UTM_VM_EVENT_WARNING, text, NULL);
	utm_error_unref(error);
}

static void on_tpm_end(UtmTpm *tpm, void *data)
{
	UtmVmRun *run = data;
	if (run->qemu && !run->process_ended)
		run->tpm_timer = utm__io_add_timeout(run->vm->object.context, TPM_GRACE_MS, on_tpm_grace_over, run);
	utm__vm_check_end(run);
}

/* The last thing before QEMU, which begins to talk to it at once. */
static void prepare_tpm(UtmVmRun *run)
{
	if (!utm__config_get_qemu(run->vm->config)->qemu->tpm_device) {
		launch(run);
		return;
	}
	UtmError *error = NULL;
	const char *qemu_path = utm__host_get_facts(run->host)->qemu_path;
	g_autofree char *program = utm__tpm_find_program(run->vm->object.context, qemu_path, &error);
	UtmTpmSpec spec = {
		.program = program,
		.bundle_path = utm_bundle_get_path(run->vm->bundle),
		.disposable = run->options.flags & UTM_VM_START_DISPOSABLE,
		.lock_fd = run->bundle_lock,
		.on_ready = on_tpm_ready,
		.on_line = on_tpm_line,
		.on_end = on_tpm_end,
		.data = run,
	};
	if (program)
		run->tpm = utm__tpm_start(run->vm->object.context, &spec, &error);
	if (!run->tpm)
		utm__vm_start_fail(run, error);
}

/* ---------------------------------------------------------------- UEFI variables */

static void on_vars_made(UtmError *error_taken, void *data)
{
	UtmVmRun *run = data;
	run->vars_job = NULL;
	if (error_taken)
		utm__vm_start_fail(run, error_taken);
	if (run->phase == RUN_PREPARING)
		prepare_tpm(run);
	else
		utm__vm_check_end(run);
}

static int make_vars(UtmVmRun *run, const char *template_path, UtmError **error)
{
	UtmVarsSpec spec = {
		.bundle_path = utm_bundle_get_path(run->vm->bundle),
		.template_path = template_path,
		.qemu_path = utm__host_get_facts(run->host)->qemu_path,
		.done = on_vars_made,
		.data = run,
	};
	run->vars_job = utm__vars_make(run->vm->object.context, &spec, error);
	return run->vars_job ? 0 : UTM_ERROR_IO;
}

static void prepare_firmware(UtmVmRun *run)
{
	UtmError *error = NULL;
	g_autofree char *template_path = NULL;
	const char *bundle_path = utm_bundle_get_path(run->vm->bundle);
	bool disposable = run->options.flags & UTM_VM_START_DISPOSABLE;
	int failed = utm__firmware_check_vars(run->host, run->vm->config, bundle_path, !disposable, &error);
	if (!failed)
		failed = utm__firmware_plan_vars(run->host, run->vm->config, bundle_path, &template_path, &error);
	if (!failed && template_path)
		failed = make_vars(run, template_path, &error);
	if (failed)
		utm__vm_start_fail(run, error);
	else if (!template_path)
		prepare_tpm(run);
}

/* ---------------------------------------------------------------- the beginning */

/* Given facts cannot loosen what the context says; its user can. */
static void apply_argument_policy(UtmVmRun *run)
{
	UtmHostFacts *facts = utm__host_edit_facts(run->host);
	if (run->options.flags & UTM_VM_START_ALLOW_ARGUMENTS)
		facts->arguments = UTM_HOST_ARGUMENTS_ALLOW;
	else if (run->options.host)
		facts->arguments = utm__host_stricter_arguments(run->vm->object.context, facts->arguments);
}

static void on_host(UtmHost *host_taken, UtmError *error_taken, void *data)
{
	UtmVmRun *run = data;
	run->host_probe_pending = false;
	run->host = host_taken;
	UtmError *error = error_taken;
	if (run->host)
		apply_argument_policy(run);
	if (!error && run->phase == RUN_PREPARING)
		utm__host_inspect_bundle(run->host, run->vm->config, utm_bundle_get_path(run->vm->bundle), &error);
	if (error)
		utm__vm_start_fail(run, error);
	if (run->phase == RUN_PREPARING)
		prepare_firmware(run);
	else
		utm__vm_check_end(run);
}

static UtmVmRun *run_new(UtmVm *vm, UtmRequest *request)
{
	UtmVmRun *run = g_new0(UtmVmRun, 1);
	run->vm = vm;
	run->options = *(const UtmVmStartOptions *)utm__request_get_input(request);
	run->start = utm__request_ref(request);
	run->stops = g_ptr_array_new();
	run->end.exit_status = -1;
	run->dir_lock = -1;
	run->bundle_lock = -1;
	utm__object_hold(&vm->object);
	vm->run = run;
	pthread_mutex_lock(&vm->lock);
	UtmQmp *former_qmp = g_steal_pointer(&vm->qmp);
	UtmEndReason *former_reason = g_steal_pointer(&vm->end_reason);
	vm->active = true;
	pthread_mutex_unlock(&vm->lock);
	utm_qmp_unref(former_qmp);
	utm_end_reason_unref(former_reason);
	return run;
}

void utm__vm_start_begin(UtmRequest *request)
{
	UtmVm *vm = (UtmVm *)utm__request_get_object(request);
	if (vm->run || utm__object_is_closed(&vm->object)) {
		UtmError *error = utm__error_new(UTM_ERROR_INVALID_STATE, "the machine is %s, not stopped",
		                                 utm_vm_state_get_name(utm_vm_get_state(vm)));
		utm__request_finish(request, error, NULL, NULL);
		return;
	}
	UtmVmRun *run = run_new(vm, request);
	utm__vm_set_state(vm, UTM_VM_STATE_STARTING);
	if (has_console(vm))
		utm__console_expect(vm->console);
	UtmError *error = NULL;
	run->bundle_held = utm__bundle_begin_run(vm->bundle, &run->bundle_lock, &error) == 0;
	if (error || utm__bundle_check_images(vm->bundle, vm->config, &error) < 0) {
		utm__vm_start_fail(run, error);
	} else if (run->options.host) {
		/* What is inspected of the bundle is no fact about the host: it is looked at all the same. */
		on_host(utm__host_copy(run->options.host), NULL, run);
	} else {
		run->host_probe_pending = true;
		utm__host_probe_async(vm->object.context, vm->config, on_host, run);
	}
}

void utm__vm_start_abort(UtmRequest *request, int code)
{
	UtmVm *vm = (UtmVm *)utm__request_get_object(request);
	if (vm->run && vm->run->start == request)
		utm__vm_start_fail(vm->run, utm__request_abort_error(request, code));
}
