/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU model and flags, and how many CPUs the guest gets. */
#include "argv/groups.h"

#include <string.h>

/* --- how many --- */

static bool is_arm_host(const UtmArgvBuilder *b)
{
	return !g_strcmp0(b->facts->architecture, "aarch64");
}

static void match_host(UtmArgvBuilder *b)
{
	const UtmHostFacts *facts = b->facts;
	int64_t fast = facts->performance_cores > 0 ? facts->performance_cores : facts->physical_cores;
	bool one = b->architecture->traits & UTM_ARCH_SPARC;

	/* A guest with strong memory order must not run on several cores of a host with a weak one. */
	one = one || (is_arm_host(b) && !(b->architecture->traits & UTM_ARCH_WEAK_ORDER));
	b->cores = one ? 1 : (guint)CLAMP(is_arm_host(b) ? fast : facts->physical_cores, 1, 4096);
	b->threads = one || is_arm_host(b) ? b->cores : (guint)CLAMP(facts->logical_cores, 1, 4096);
}

/* QEMU refuses more or fewer than the board has, and a count that is no multiple of the cores (hybrid processors). */
static void fit_machine(UtmArgvBuilder *b)
{
	guint fitting = CLAMP(b->threads, b->machine->min_cpus, b->machine->max_cpus);

	if (fitting != b->threads || b->threads % b->cores)
		b->cores = b->threads = fitting;
}

void utm__argv_decide_cores(UtmArgvBuilder *b)
{
	int64_t count = b->config->system->cpu_count;

	utm__builder_at(b, "System.CPUCount");
	if (count < 0 || count > 4096)
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "%" G_GINT64_FORMAT " is no number of CPUs", count);
	else if (count > 0)
		b->cores = b->threads = (guint)count;
	else
		match_host(b);
	if (!count && !b->exact)
		fit_machine(b);
}

static void add_smp(UtmArgvBuilder *b)
{
	utm__builder_at(b, "System.CPUCount");
	utm__add(b, "-smp", "cpus=%u,sockets=1,cores=%u,threads=%u", b->threads, b->cores, b->threads / MAX(b->cores, 1));
}

/* --- which --- */

static const char *get_default_model(const UtmArgvBuilder *b)
{
	bool intel_mac = b->macos && !is_arm_host(b);

	if (intel_mac && !strcmp(b->architecture->name, "x86_64"))
		return b->facts->cpu_model;
	if (b->accelerated)
		return "host";
	/* UTM names a processor for every ARM machine; boards other than virt are made with one and refuse others. */
	if (!b->exact && (b->architecture->traits & UTM_ARCH_ARM) && !b->virt)
		return NULL;
	return b->architecture->default_cpu;
}

static void add_flags(UtmArgvBuilder *b, char **flags, gsize count, bool on)
{
	bool sign = b->exact || (b->architecture->traits & UTM_ARCH_PLUS_FLAGS);

	for (gsize i = 0; i < count; i++) {
		utm__builder_at(b, "System.CPUFlags%s[%u]", on ? "Add" : "Remove", (guint)i);
		const char *flag = utm__name(b, flags[i], "CPU flag");

		if (sign)
			utm__add_more(b, ",%s%s", on ? "+" : "-", flag);
		else
			utm__add_more(b, ",%s=%s", flag, on ? "on" : "off");
	}
}

void utm__argv_cpu(UtmArgvBuilder *b)
{
	const UtmConfigSystem *system = b->config->system;
	const char *model = system->cpu;

	utm__builder_at(b, "System.CPU");
	if (!model || !strcmp(model, "default")) {
		model = get_default_model(b);
		if (model)
			utm__add(b, "-cpu", "%s", model);
	} else {
		utm__add(b, "-cpu", "%s", utm__name(b, model, "CPU"));
		add_flags(b, system->cpu_flags_add, system->cpu_flags_add_count, true);
		add_flags(b, system->cpu_flags_remove, system->cpu_flags_remove_count, false);
	}
	add_smp(b);
}
