/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gathering the facts of this host: those that one configuration needs, quickly, for a machine that is about to start;
 * or all that there is to know, for people and for settings forms (survey.c).
 *
 * KVM is tried only where it may be used: for guests of the host's own architecture, when the policy does not say already
 * what is to be done. OpenGL counts as absent whatever the host has: the console engine takes pictures, not the scanouts
 * that displays with OpenGL send.
 */
#include "core/request.h"
#include "host/cores.h"
#include "host/host-private.h"
#include "host/machines.h"
#include "host/proof.h"
#include "host/qemu-program.h"
#include "host/survey.h"

#include <string.h>

/* Longer than QEMU may take to tell its version and the test guest to run; and that for all of them. */
enum {
	PROBE_MS = 15000,
	PROBE_ALL_MS = 60000,
};

typedef struct Probe {
	UtmContext *context;
	UtmHost *host;
	char *architecture;
	bool prove;
	UtmHostProbeDone done;
	void *data;
} Probe;

static void replace(char **field, const char *text)
{
	char *copy = g_strdup(text);

	g_free(*field);
	*field = copy;
}

/* --- one fact each --- */

static int32_t get_acceleration(UtmContext *context)
{
	switch (utm__context_get_accel_policy(context)) {
	case UTM_ACCEL_POLICY_CONFIG:
		return UTM_HOST_ACCELERATION_CONFIG;
	case UTM_ACCEL_POLICY_KVM:
		return UTM_HOST_ACCELERATION_KVM;
	case UTM_ACCEL_POLICY_TCG:
		return UTM_HOST_ACCELERATION_TCG;
	default:
		return UTM_HOST_ACCELERATION_AUTO;
	}
}

UtmHost *utm__host_look_around(UtmContext *context, const char *architecture, char *qemu_path_taken)
{
	UtmHost *host = utm__host_new(UTM_HOST_OS_LINUX);
	UtmHostFacts *facts = utm__host_edit_facts(host);

	g_free(facts->qemu_path);
	facts->qemu_path = qemu_path_taken;
	replace(&facts->architecture, utm__host_architecture());
	facts->acceleration = get_acceleration(context);
	facts->arguments = utm__host_arguments(context);
	utm__cores_count(facts);
	utm__memory_measure(facts);
	utm__firmware_find_all(facts, architecture, utm__context_get_firmware_dirs(context),
	                        qemu_path_taken ? qemu_path_taken : "/usr/bin/qemu");
	return host;
}

void utm__host_take_proof(UtmHost *host, const char *architecture, const char *accelerator, int32_t state,
                          const char *reason)
{
	UtmHostFacts *facts = utm__host_edit_facts(host);

	utm__host_add_feature(&facts->accelerators, &facts->accelerators_count, accelerator, state, reason);
	if (state != UTM_HOST_FEATURE_STATE_WORKS || strcmp(accelerator, "kvm"))
		return;
	facts->accelerated = g_renew(char *, facts->accelerated, facts->accelerated_count + 1);
	facts->accelerated[facts->accelerated_count++] = g_strdup(architecture);
}

/* --- one after another --- */

static void finish(Probe *probe, UtmError *error_taken)
{
	if (error_taken)
		g_clear_pointer(&probe->host, utm_host_unref);
	probe->done(g_steal_pointer(&probe->host), error_taken, probe->data);
	g_free(probe->architecture);
	g_free(probe);
}

static void on_proof(int32_t state, const char *reason, void *data)
{
	Probe *probe = data;

	utm__host_take_proof(probe->host, probe->architecture, "kvm", state, reason);
	finish(probe, NULL);
}

static void on_version(const char *version, UtmError *error_taken, void *data)
{
	Probe *probe = data;

	if (!version) {
		finish(probe, error_taken);
		return;
	}
	UtmHostFacts *facts = utm__host_edit_facts(probe->host);
	replace(&facts->qemu_version, version);
	if (probe->prove)
		utm__accelerator_prove(probe->context, facts->qemu_path, probe->architecture, "kvm", on_proof, probe);
	else
		finish(probe, NULL);
}

/* Whether the answer would change the command line, as src/argv/machine.c makes it. */
static bool may_use_kvm(UtmContext *context, const UtmConfigQemu *qemu, const char *architecture)
{
	UtmAccelPolicy policy = utm__context_get_accel_policy(context);

	if (g_strcmp0(architecture, utm__host_architecture()) != 0)
		return false;
	return policy == UTM_ACCEL_POLICY_AUTO || (policy == UTM_ACCEL_POLICY_CONFIG && qemu->qemu->hypervisor);
}

void utm__host_probe_async(UtmContext *context, const UtmConfig *config, UtmHostProbeDone done, void *data)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	const char *architecture = qemu ? utm__config_enum_get_text("Architecture", qemu->system->architecture) : NULL;
	UtmError *error = NULL;
	char *program = NULL;

	if (!architecture)
		error = utm__backend_unsupported();
	else
		program = utm__qemu_find(context, architecture, &error);
	if (!program) {
		done(NULL, error, data);
		return;
	}

	Probe *probe = g_new0(Probe, 1);
	*probe = (Probe){ .context = context,
		              .host = utm__host_look_around(context, architecture, program),
		              .architecture = g_strdup(architecture),
		              .prove = may_use_kvm(context, qemu, architecture),
		              .done = done,
		              .data = data };
	utm__qemu_ask_version(context, program, on_version, probe);
}

/* --- the blocking calls --- */

static void probe_object_free(UtmObject *object)
{
	g_free(object);
}

static void on_probed(UtmHost *host_taken, UtmError *error_taken, void *data)
{
	g_autoptr(UtmRequest) request = data;

	/* A request that was given up meanwhile frees what it is given. */
	utm__request_finish(request, error_taken, host_taken, (GDestroyNotify)utm_host_unref);
}

static void start_probe(UtmRequest *request)
{
	UtmContext *context = utm__request_get_object(request)->context;

	utm__host_probe_async(context, utm__request_get_input(request), on_probed, utm__request_ref(request));
}

static void start_survey(UtmRequest *request)
{
	UtmContext *context = utm__request_get_object(request)->context;

	utm__host_survey_async(context, utm__request_get_input(request), on_probed, utm__request_ref(request));
}

static int run_probe(UtmContext *ctx, UtmRequestFunc start, gint64 timeout_ms, void *input_taken,
                     GDestroyNotify free_input, UtmHost **ret_host, UtmError **error)
{
	static const UtmObjectClass class = { "host probe", NULL, probe_object_free };
	UtmObject *object = g_new0(UtmObject, 1);

	utm__object_init(object, &class, ctx);
	g_autoptr(UtmRequest) request = utm__request_new(object, "probing the host", timeout_ms, NULL);
	utm__request_set_input(request, input_taken, free_input);
	int code = utm__request_run(request, start, error);
	if (code == 0)
		*ret_host = utm__request_steal_result(request);
	utm__object_unref(object);
	return code;
}

int utm_host_probe(UtmContext *ctx, const UtmConfig *config, UtmHost **ret_host, UtmError **error)
{
	if (!ctx || !config || !ret_host)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "context, configuration and result are needed");
	int code = utm__context_check_blocking(ctx, error);
	if (code < 0)
		return code;
	return run_probe(ctx, start_probe, PROBE_MS, utm_config_ref((UtmConfig *)config), (GDestroyNotify)utm_config_unref,
	                 ret_host, error);
}

int utm_host_probe_all(UtmContext *ctx, const char *architecture, UtmHost **ret_host, UtmError **error)
{
	if (!ctx || !ret_host)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "context and result are needed");
	int code = utm__context_check_blocking(ctx, error);
	if (code < 0)
		return code;
	if (!architecture)
		architecture = utm__host_architecture();
	code = utm__architecture_check(architecture, error);
	if (code < 0)
		return code;
	return run_probe(ctx, start_survey, PROBE_ALL_MS, g_strdup(architecture), g_free, ret_host, error);
}
