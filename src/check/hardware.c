/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names that only a list of what QEMU has can judge: machine types, processors and their features, devices.
 *
 * The list that the library brings is of two releases; a QEMU may have more, so what it lacks is a warning, and a machine
 * type in a new version is believed. What the QEMU that was asked lacks cannot start on it. What the builder of the command
 * line has said of a name is not said again: it replaces some that only UTM's own QEMU has.
 */
#include "check/check-private.h"

#include "argv/groups.h"

#include <string.h>

/* Long lists are hostile, and then nobody needs to know all of it. */
#define COMPARED_MAX 1000

static bool was_told(const UtmCheck *check)
{
	return utm__has_error_here(check) || utm__was_found_here(check, UTM_FINDING_HOST_LACKS);
}

static void tell(UtmCheck *check, UtmFindingCode code, const char *what, const char *name)
{
	const char *version = utm_hardware_get_qemu_version(check->hardware);
	if (was_told(check))
		return;
	if (utm_hardware_get_qemu_path(check->hardware))
		utm__find(check, UTM_FINDING_QEMU_LACKS, "QEMU %s has no %s \"%.80s\"", version, what, name);
	else
		utm__find(check, code, "no QEMU is known to have the %s \"%.80s\"", what, name);
}

static bool is_listed(const UtmCheck *check, UtmHardwareKind kind, const char *name)
{
	return utm_hardware_find(check->hardware, kind, name);
}

/* --- machine and processor --- */

static void check_target(UtmCheck *check, const char *target)
{
	bool believed = check->machine_known && !utm_hardware_get_qemu_path(check->hardware);
	utm__check_at(check, "System.Target");
	if (!believed && !is_listed(check, UTM_HARDWARE_MACHINE, target))
		tell(check, UTM_FINDING_TARGET_UNKNOWN, "machine type", target);
}

/* There QEMU does not tell upper from lower case. */
static bool is_listed_in_any_case(const UtmCheck *check, const char *cpu)
{
	static const char *const architectures[] = { "ppc", "ppc64", "sh4", "sh4eb", NULL };
	if (!g_strv_contains(architectures, check->architecture->name))
		return false;
	for (size_t i = 0; i < utm_hardware_get_count(check->hardware, UTM_HARDWARE_CPU); i++)
		if (!g_ascii_strcasecmp(utm_hardware_get(check->hardware, UTM_HARDWARE_CPU, i)->name, cpu))
			return true;
	return false;
}

static void check_cpu(UtmCheck *check, const char *cpu)
{
	utm__check_at(check, "System.CPU");
	/* Whether there is a host's processor to pass on depends on the accelerator, which has a rule. */
	if (strcmp(cpu, "host") && !is_listed(check, UTM_HARDWARE_CPU, cpu) && !is_listed_in_any_case(check, cpu))
		tell(check, UTM_FINDING_CPU_UNKNOWN, "processor", cpu);
}

static bool is_flag(const UtmCheck *check, const char *name)
{
	/* QEMU takes the one for the other in PCs. */
	g_autofree char *dashed = g_strdelimit(g_strdup(name), "_", '-');
	return is_listed(check, UTM_HARDWARE_CPU_FLAG, name) || is_listed(check, UTM_HARDWARE_CPU_FLAG, dashed);
}

static void check_flags(UtmCheck *check, const char *key, char **flags, gsize count)
{
	for (gsize i = 0; i < MIN(count, COMPARED_MAX); i++) {
		utm__check_at(check, "System.%s[%zu]", key, i);
		if (!is_flag(check, flags[i]))
			tell(check, UTM_FINDING_CPU_FLAG_UNKNOWN, "feature of processors", flags[i]);
	}
}

/* For the default processor they are not used; of few architectures there is a list. */
static void check_all_flags(UtmCheck *check, const UtmConfigSystem *system)
{
	if (!strcmp(system->cpu, "default") || !utm_hardware_get_count(check->hardware, UTM_HARDWARE_CPU_FLAG))
		return;
	check_flags(check, "CPUFlagsAdd", system->cpu_flags_add, system->cpu_flags_add_count);
	check_flags(check, "CPUFlagsRemove", system->cpu_flags_remove, system->cpu_flags_remove_count);
}

/* --- devices --- */

static void check_device(UtmCheck *check, UtmHardwareKind kind, const char *what, const char *section, gsize index,
                         const char *name)
{
	utm__check_at(check, "%s[%zu].Hardware", section, index);
	if (!is_listed(check, kind, name) && !utm__device_is_foreign(name))
		tell(check, UTM_FINDING_DEVICE_UNKNOWN, what, name);
}

static void check_devices(UtmCheck *check)
{
	const UtmConfigQemu *qemu = check->qemu;
	for (gsize i = 0; i < MIN(qemu->display_count, COMPARED_MAX); i++)
		check_device(check, UTM_HARDWARE_DISPLAY, "display", "Display", i, qemu->display[i]->hardware);
	for (gsize i = 0; i < MIN(qemu->network_count, COMPARED_MAX); i++)
		check_device(check, UTM_HARDWARE_NETWORK, "network card", "Network", i, qemu->network[i]->hardware);
	for (gsize i = 0; i < MIN(qemu->sound_count, COMPARED_MAX); i++)
		check_device(check, UTM_HARDWARE_SOUND, "sound card", "Sound", i, qemu->sound[i]->hardware);
}

void utm__check_hardware(UtmCheck *check)
{
	const UtmConfigSystem *system = check->qemu->system;
	if (!check->hardware)
		return;
	check_target(check, system->target);
	check_cpu(check, system->cpu);
	check_all_flags(check, system);
	check_devices(check);
}
