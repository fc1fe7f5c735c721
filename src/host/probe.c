/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gathering the facts of this host for one configuration.
 *
 * KVM counts as proven for no architecture yet: that its device opens says little, on hosts that are virtual themselves
 * its guests can hang. prove_accelerators() is the place for a test that really runs a guest. OpenGL counts as absent
 * whatever the host has: the console engine takes pictures, not the scanouts that displays with OpenGL send.
 */
#include "core/request.h"
#include "host/cores.h"
#include "host/host-private.h"
#include "host/qemu-program.h"

#include <string.h>

/* Longer than the question for QEMU's version may take. */
enum {
	PROBE_MS = 15000
};

typedef struct Probe {
	UtmContext *context;
	UtmHost *host;
	char *architecture;
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

static void finish(Probe *probe, UtmError *error_taken)
{
	if (error_taken)
		g_clear_pointer(&probe->host, utm_host_unref);
	probe->done(g_steal_pointer(&probe->host), error_taken, probe->data);
	utm_host_unref(probe->host);
	g_free(probe->architecture);
	g_free(probe);
}

static void prove_accelerators(Probe *probe)
{
	finish(probe, NULL);
}

static void on_version(const char *version, UtmError *error_taken, void *data)
{
	Probe *probe = data;

	if (!version) {
		finish(probe, error_taken);
		return;
	}
	replace(&utm__host_edit_facts(probe->host)->qemu_version, version);
	prove_accelerators(probe);
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
	*probe = (Probe){ context, utm__host_new(UTM_HOST_OS_LINUX), g_strdup(architecture), done, data };
	UtmHostFacts *facts = utm__host_edit_facts(probe->host);
	facts->qemu_path = program;
	replace(&facts->architecture, utm__host_architecture());
	facts->acceleration = get_acceleration(context);
	facts->arguments = utm__host_arguments(context);
	utm__cores_count(facts);
	utm__memory_measure(facts);
	utm__firmware_find_all(facts, architecture, utm__context_get_firmware_dirs(context), facts->qemu_path);
	utm__qemu_ask_version(context, facts->qemu_path, on_version, probe);
}

/* --- the blocking call --- */

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

int utm_host_probe(UtmContext *ctx, const UtmConfig *config, UtmHost **ret_host, UtmError **error)
{
	static const UtmObjectClass class = { "host probe", NULL, probe_object_free };

	if (!ctx || !config || !ret_host)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "context, configuration and result are needed");
	int code = utm__context_check_blocking(ctx, error);
	if (code < 0)
		return code;

	UtmObject *object = g_new0(UtmObject, 1);
	utm__object_init(object, &class, ctx);
	g_autoptr(UtmRequest) request = utm__request_new(object, "probing the host", PROBE_MS, NULL);
	utm__request_set_input(request, utm_config_ref((UtmConfig *)config), (GDestroyNotify)utm_config_unref);
	code = utm__request_run(request, start_probe, error);
	if (code == 0)
		*ret_host = utm__request_steal_result(request);
	utm__object_unref(object);
	return code;
}
