/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Putting fresh UEFI variables in the place of a machine's: host facts, choice of the template, and then uefi-vars.c. */
#include "base/sized-struct.h"
#include "base/util.h"
#include "bundle/bundle-private.h"
#include "core/request.h"
#include "host/host-private.h"
#include "vm/uefi-vars.h"

#include <utm/firmware.h>

#define RESET_MS 60000

/* The input of the request; what is below belongs to the I/O thread. */
typedef struct Reset {
	UtmBundle *bundle;
	UtmUefiResetOptions options;
	bool held;
	UtmHost *host;
	UtmVarsJob *job;
	UtmError *given_up; /* why the job was killed */
} Reset;

static void reset_free(void *data)
{
	Reset *reset = data;
	utm_host_unref(reset->options.host);
	utm_host_unref(reset->host);
	utm_error_unref(reset->given_up);
	g_free(reset);
}

/* ---------------------------------------------------------------- I/O thread */

/* Takes the reference that reset_begin() took. */
static void finish(UtmRequest *request, UtmError *error_taken)
{
	Reset *reset = utm__request_get_input(request);
	if (reset->held)
		utm__bundle_end_run(reset->bundle);
	reset->held = false;
	utm__request_finish(request, error_taken, NULL, NULL);
	utm__request_unref(request);
}

static void on_made(UtmError *error_taken, void *data)
{
	UtmRequest *request = data;
	Reset *reset = utm__request_get_input(request);
	UtmError *error = error_taken;
	reset->job = NULL;
	if (error && reset->given_up) {
		utm_error_unref(error);
		error = g_steal_pointer(&reset->given_up);
	}
	finish(request, error);
}

static int make(UtmRequest *request, UtmError **error)
{
	Reset *reset = utm__request_get_input(request);
	const UtmConfig *config = utm_bundle_get_config(reset->bundle);
	g_autofree char *template = NULL;
	int failed = utm__firmware_choose_template(reset->host, config, (UtmFirmwareKeys)reset->options.keys, &template, error);
	if (failed)
		return failed;
	if (!template) {
		UtmError *no_uefi = utm__error_new(UTM_ERROR_CONFIG_UNSUPPORTED, "the machine does not boot with UEFI");
		return utm__fail_take(error, utm__error_set_key_path(no_uefi, "QEMU.UEFIBoot"));
	}
	UtmVarsSpec spec = {
		.bundle_path = utm_bundle_get_path(reset->bundle),
		.template_path = template,
		.qemu_path = utm__host_get_facts(reset->host)->qemu_path,
		.replace = true,
		.done = on_made,
		.data = request,
	};
	reset->job = utm__vars_make(utm_bundle_get_context(reset->bundle), &spec, error);
	return reset->job ? 0 : UTM_ERROR_IO;
}

static void on_host(UtmHost *host_taken, UtmError *error_taken, void *data)
{
	UtmRequest *request = data;
	Reset *reset = utm__request_get_input(request);
	UtmError *error = error_taken;
	reset->host = host_taken;
	if (error || utm__request_is_finished(request) || make(request, &error) < 0)
		finish(request, error);
}

static void reset_begin(UtmRequest *submitted)
{
	UtmRequest *request = utm__request_ref(submitted);
	Reset *reset = utm__request_get_input(request);
	const UtmConfig *config = utm_bundle_get_config(reset->bundle);
	utm_autofd lock = -1;
	UtmError *error = NULL;
	if (!utm__config_get_qemu(config))
		error = utm__backend_unsupported();
	else
		reset->held = utm__bundle_begin_run(reset->bundle, &lock, &error) == 0;
	if (error)
		finish(request, error);
	else if (reset->options.host)
		on_host(utm_host_ref(reset->options.host), NULL, request);
	else
		utm__host_probe_async(utm_bundle_get_context(reset->bundle), config, on_host, request);
}

/* The former store stays: the job puts nothing in place any more. It ends first, so that the package is free again then. */
static void reset_abort(UtmRequest *request, int code)
{
	Reset *reset = utm__request_get_input(request);
	UtmError *error = utm__request_abort_error(request, code);
	if (!reset->job) {
		utm__request_finish(request, error, NULL, NULL);
		return;
	}
	utm_error_unref(reset->given_up);
	reset->given_up = error;
	utm__vars_kill(reset->job);
}

/* ---------------------------------------------------------------- the calls */

static int check_options(UtmUefiResetOptions *checked, const UtmUefiResetOptions *options, UtmError **error)
{
	int failed = utm__sized_copy(checked, sizeof *checked, sizeof *checked, options, "UtmUefiResetOptions", error);
	if (!failed)
		failed = utm__check_timeout(checked->timeout_ms, "timeout_ms", error);
	if (!failed && (checked->keys > UTM_UEFI_KEYS_NONE || checked->reserved))
		failed = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no such keys, or reserved is not zero");
	return failed;
}

static UtmRequest *request_new(UtmBundle *bundle, const UtmUefiResetOptions *options, UtmError **error)
{
	UtmUefiResetOptions checked = UTM_UEFI_RESET_OPTIONS_INIT;
	if (!bundle) {
		utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no bundle");
		return NULL;
	}
	if (check_options(&checked, options, error) < 0)
		return NULL;
	Reset *reset = g_new0(Reset, 1);
	reset->bundle = bundle;
	reset->options = checked;
	utm_host_ref(checked.host);
	UtmRequest *request = utm__request_new(utm__bundle_get_object(bundle), "resetting the UEFI variables",
	                                       checked.timeout_ms ? checked.timeout_ms : RESET_MS, checked.cancel);
	utm__request_set_input(request, reset, reset_free);
	utm__request_set_abort(request, reset_abort);
	return request;
}

int utm_bundle_reset_uefi_variables(UtmBundle *bundle, const UtmUefiResetOptions *options, UtmError **error)
{
	UtmError *wrong = NULL;
	g_autoptr(UtmRequest) request = request_new(bundle, options, &wrong);
	return request ? utm__request_run(request, reset_begin, error) : utm__fail_take(error, wrong);
}

static void deliver(UtmRequest *request, UtmCallback *callback)
{
	Reset *reset = utm__request_get_input(request);
	if (callback->fn)
		((UtmUefiResetFunc)callback->fn)(reset->bundle, utm__request_get_error(request), callback->user_data);
}

int utm_bundle_reset_uefi_variables_async(UtmBundle *bundle, const UtmUefiResetOptions *options, UtmUefiResetFunc fn,
                                          void *user_data, UtmFreeFunc free_fn, UtmError **error)
{
	UtmError *wrong = NULL;
	g_autoptr(UtmRequest) request = request_new(bundle, options, &wrong);
	if (request) {
		utm__request_submit(request, reset_begin, deliver,
		                    utm__callback_new(utm_bundle_get_context(bundle), (UtmAnyFunc)fn, user_data, free_fn));
		return 0;
	}
	if (free_fn)
		free_fn(user_data);
	return utm__fail_take(error, wrong);
}
