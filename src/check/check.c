/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check of a configuration: every rule, one after the other.
 *
 * The rules with the best words come first: what they have found at a key is not found there again by the builder of the
 * command line, and what that has found not by the ranges of the schema.
 */
#include "check/check.h"

#include "base/sized-struct.h"

#include <string.h>

typedef void (*Rule)(UtmCheck *check);

static const Rule qemu_rules[] = {
	utm__check_identity, utm__check_machine,   utm__check_drives,       utm__check_devices, utm__check_network,
	utm__check_serial,   utm__check_arguments, utm__check_command_line, utm__check_hardware, utm__check_schema,
};

static const Rule apple_rules[] = { utm__check_identity, utm__check_drives, utm__check_apple, utm__check_schema };

static void describe_machine(UtmCheck *check)
{
	const UtmConfigSystem *system = check->qemu->system;
	const UtmArgvMachine *nothing = utm__machine_find("", "");
	const char *name = utm__config_enum_get_text("Architecture", system->architecture);
	check->architecture = utm__architecture_find(name);
	check->machine = utm__machine_find(name ? name : "", system->target);
	check->machine_known = check->machine != nothing;
}

static int choose_host(const UtmHost *named, UtmHost **ret_host, UtmError **error)
{
	if (!named)
		return utm_host_new_from_json(UTM_HOST_OS_LINUX, NULL, ret_host, error);
	*ret_host = utm_host_ref((UtmHost *)named);
	return 0;
}

/* What was asked of a QEMU for other machines judges nothing here. */
static int choose_hardware(UtmCheck *check, const UtmHardware *named, UtmError **error)
{
	const char *architecture = check->architecture ? check->architecture->name : "";
	if (named && strcmp(utm_hardware_get_architecture(named), architecture))
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the hardware is that of %s, the machine is %s",
		                 utm_hardware_get_architecture(named), architecture);
	check->hardware = named ? utm_hardware_ref((UtmHardware *)named) : utm__hardware_from_snapshot(architecture);
	return 0;
}

void utm__check_run(UtmCheck *check)
{
	if (check->qemu) {
		for (gsize i = 0; i < G_N_ELEMENTS(qemu_rules); i++)
			qemu_rules[i](check);
		return;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(apple_rules); i++)
		apple_rules[i](check);
}

int utm__check_begin(UtmCheck *check, const UtmConfig *config, const UtmConfigCheckOptions *options, UtmError **error)
{
	UtmConfigCheckOptions taken = UTM_CONFIG_CHECK_OPTIONS_INIT;
	UtmHost *host = NULL;
	int result = utm__sized_copy(&taken, sizeof taken, sizeof taken, options, "UtmConfigCheckOptions", error);
	if (result == 0)
		result = choose_host(taken.host, &host, error);
	if (result < 0)
		return result;
	*check = (UtmCheck){
		.config = config,
		.qemu = utm__config_get_qemu(config),
		.apple = utm__config_get_apple(config),
		.host = host,
		.any_host = !taken.host,
		.bundle_path = "",
		.findings = utm__findings_new(),
	};
	if (!check->qemu)
		return 0;
	describe_machine(check);
	return choose_hardware(check, taken.hardware, error);
}

UtmFindings *utm__check_end(UtmCheck *check)
{
	utm__findings_sort(check->findings);
	return g_steal_pointer(&check->findings);
}

void utm__check_clear(UtmCheck *check)
{
	utm_host_unref((UtmHost *)check->host);
	utm_hardware_unref(check->hardware);
	utm_findings_free(check->findings);
}

int utm_config_check(const UtmConfig *config, const UtmConfigCheckOptions *options, UtmFindings **ret_findings,
                     UtmError **error)
{
	g_auto(UtmCheck) check = { 0 };
	if (!config || !ret_findings)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "configuration and ret_findings must not be NULL");
	int result = utm__check_begin(&check, config, options, error);
	if (result < 0)
		return result;
	utm__check_run(&check);
	*ret_findings = utm__check_end(&check);
	return 0;
}
