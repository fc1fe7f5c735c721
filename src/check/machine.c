/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machine type, processors, memory, accelerator, and what goes with UEFI and a TPM. */
#include "check/check-private.h"

#include "base/util.h"

#include <string.h>

/* --- processors --- */

/* The table has 255 where that is enough for anybody; but for PCs, QEMU takes some more. */
static guint most_cpus(const UtmCheck *check)
{
	bool x86 = check->architecture && check->architecture->traits & UTM_ARCH_X86;
	return check->machine->max_cpus == 255 && !x86 ? 512 : check->machine->max_cpus;
}

static void check_cpu_count(UtmCheck *check)
{
	const UtmArgvMachine *machine = check->machine;
	int64_t count = check->qemu->system->cpu_count, most = most_cpus(check);
	utm__check_at(check, "System.CPUCount");
	if (count < 1 || count > 4096 || !check->machine_known || (count >= machine->min_cpus && count <= most))
		return;
	if (machine->min_cpus == machine->max_cpus)
		utm__find(check, UTM_FINDING_CPU_COUNT, "machine %s has %u processor%s, not %" G_GINT64_FORMAT,
		          check->qemu->system->target, machine->max_cpus, machine->max_cpus == 1 ? "" : "s", count);
	else
		utm__find(check, UTM_FINDING_CPU_COUNT,
		          "machine %s has %u to %" G_GINT64_FORMAT " processors, not %" G_GINT64_FORMAT,
		          check->qemu->system->target, machine->min_cpus, most, count);
}

static bool contains(char **list, gsize count, const char *text)
{
	for (gsize i = 0; i < count; i++)
		if (!strcmp(list[i], text))
			return true;
	return false;
}

/* Long lists are hostile, and then nobody needs to know all of it. */
#define FLAGS_COMPARED_MAX 1000

static void check_cpu_flags(UtmCheck *check)
{
	const UtmConfigSystem *system = check->qemu->system;
	gsize added = system->cpu_flags_add_count, removed = system->cpu_flags_remove_count;
	if ((added || removed) && !strcmp(system->cpu, "default")) {
		utm__check_at(check, added ? "System.CPUFlagsAdd" : "System.CPUFlagsRemove");
		utm__find(check, UTM_FINDING_CPU_FLAGS_IGNORED,
		          "the processor is the default one, for which no features are chosen");
	}
	for (gsize i = 0; i < MIN(removed, FLAGS_COMPARED_MAX); i++) {
		utm__check_at(check, "System.CPUFlagsRemove[%zu]", i);
		if (contains(system->cpu_flags_add, MIN(added, FLAGS_COMPARED_MAX), system->cpu_flags_remove[i]))
			utm__find(check, UTM_FINDING_SETTING_IGNORED, "\"%s\" is added too; removing wins",
			          system->cpu_flags_remove[i]);
	}
}

/* --- memory --- */

/* As QEMU 7.2 and 10.0 refuse it; the others take what the host can give, or round silently. */
static const struct {
	const char *architectures; /* names between blanks */
	const char *family;
	int min_mib, max_mib; /* equal: the one size */
} memories[] = {
	{ " arm aarch64 ", "raspi0", 512, 512 },
	{ " arm aarch64 ", "raspi1ap", 512, 512 },
	{ " arm aarch64 ", "raspi2b", 1024, 1024 },
	{ " aarch64 ", "raspi3ap", 512, 512 },
	{ " aarch64 ", "raspi3b", 1024, 1024 },
	{ " arm aarch64 ", "versatilepb", 1, 256 },
	{ " arm aarch64 ", "versatileab", 1, 256 },
	{ " arm aarch64 ", "vexpress-a9", 1, 1024 },
	{ " arm aarch64 ", "vexpress-a15", 1, 30720 },
	{ " m68k ", "q800", 1, 1024 },
	{ " m68k ", "virt", 1, 3319 },
	{ " mips mipsel mips64 mips64el ", "malta", 1, 2048 },
	{ " mips64el ", "fuloong2e", 256, 256 },
	{ " ppc ppc64 ", "amigaone", 1, 2048 },
	{ " ppc ppc64 ", "g3beige", 1, 2047 },
	{ " ppc ppc64 ", "mac99", 1, 2048 },
	{ " ppc ppc64 ", "pegasos2", 1, 2048 },
	{ " ppc ppc64 ", "sam460ex", 64, 2048 },
	{ " riscv64 ", "microchip-icicle-kit", 1537, 16777216 },
	{ " sparc ", "SS-4", 1, 256 },
	{ " sparc ", "SS-5", 1, 256 },
};

static void check_memory_range(UtmCheck *check, int64_t mib, int min, int max)
{
	const char *target = check->qemu->system->target;
	if (mib < 1 || (mib >= min && mib <= max))
		return;
	if (min == max)
		utm__find(check, UTM_FINDING_MEMORY_SIZE, "machine %s has %d MiB, not %" G_GINT64_FORMAT, target, max, mib);
	else
		utm__find(check, UTM_FINDING_MEMORY_SIZE, "machine %s has %d to %d MiB, not %" G_GINT64_FORMAT, target, min,
		          max, mib);
}

static void check_memory(UtmCheck *check)
{
	int64_t mib = check->qemu->system->memory_size, host = utm__host_get_facts(check->host)->memory_size;
	utm__check_at(check, "System.MemorySize");
	if (host > 0 && mib > host)
		utm__find(check, UTM_FINDING_MEMORY_HOST, "%" G_GINT64_FORMAT " MiB, but the host has %" G_GINT64_FORMAT, mib,
		          host);
	for (gsize i = 0; check->architecture && i < G_N_ELEMENTS(memories); i++) {
		if (utm__has_word(memories[i].architectures, check->architecture->name) &&
		    utm__machine_is_family(check->qemu->system->target, memories[i].family)) {
			check_memory_range(check, mib, memories[i].min_mib, memories[i].max_mib);
			return;
		}
	}
}

/* --- accelerator, firmware --- */

static void check_hypervisor(UtmCheck *check)
{
	const char *guest = check->architecture ? check->architecture->name : "";
	const char *host = utm__host_get_facts(check->host)->architecture;
	bool possible = !strcmp(guest, "x86_64") || !strcmp(guest, "aarch64");
	utm__check_at(check, "QEMU.Hypervisor");
	if (!check->qemu->qemu->hypervisor)
		return;
	if (!possible)
		utm__find(check, UTM_FINDING_HYPERVISOR_FOREIGN, "%s guests are always emulated", guest);
	else if (!check->any_host && g_strcmp0(guest, host))
		utm__find(check, UTM_FINDING_HYPERVISOR_FOREIGN, "%s guests are emulated on %s hosts", guest,
		          host ? host : "unknown");
}

static void check_tpm(UtmCheck *check)
{
	utm__check_at(check, "QEMU.TPMDevice");
	if (check->qemu->qemu->tpm_device && !check->qemu->qemu->uefi_boot)
		utm__find(check, UTM_FINDING_TPM_WITHOUT_UEFI, "there is a TPM, but no UEFI to use it for Secure Boot");
}

void utm__check_machine(UtmCheck *check)
{
	check_cpu_count(check);
	check_cpu_flags(check);
	check_memory(check);
	check_hypervisor(check);
	check_tpm(check);
}
