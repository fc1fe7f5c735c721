/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counting cores.
 *
 * Counted are the CPUs that this process may run on: in a container that is fewer than the machine has, and a
 * guest with more CPUs than threads that really run would only be slower.
 */
#include "host/cores.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

/* -1 when the kernel does not tell. */
static gint64 read_number(int cpu, const char *name)
{
	g_autofree char *path = g_strdup_printf("/sys/devices/system/cpu/cpu%d/%s", cpu, name);
	g_autofree char *text = NULL;
	gint64 value;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return -1;
	return g_ascii_string_to_signed(g_strstrip(text), 10, -1, G_MAXINT32, &value, NULL) ? value : -1;
}

typedef struct Count {
	GHashTable *cores; /* "package:core" */
	guint logical;
	guint fastest; /* CPUs with the highest capacity */
	gint64 capacity;
} Count;

static void count_cpu(Count *count, int cpu)
{
	gint64 package = read_number(cpu, "topology/physical_package_id");
	gint64 core = read_number(cpu, "topology/core_id");
	gint64 capacity = read_number(cpu, "cpu_capacity");

	count->logical++;
	/* A CPU without topology counts as a core. */
	g_hash_table_add(count->cores, core < 0 ? g_strdup_printf("cpu%d", cpu)
	                                        : g_strdup_printf("%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT, package, core));
	if (capacity > count->capacity) {
		count->capacity = capacity;
		count->fastest = 0;
	}
	if (capacity >= 0 && capacity == count->capacity)
		count->fastest++;
}

void utm__cores_count(UtmHostFacts *facts)
{
	g_autoptr(GHashTable) cores = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	Count count = { .cores = cores, .capacity = -1 };
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	/* Fails on machines with more CPUs than the set has room for; then all online ones count. */
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0) {
		facts->logical_cores = facts->physical_cores = MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
		return;
	}
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed))
			count_cpu(&count, cpu);
	}
	facts->logical_cores = MAX(count.logical, 1);
	facts->physical_cores = MAX(g_hash_table_size(cores), 1);
	facts->performance_cores = count.fastest;
}

void utm__memory_measure(UtmHostFacts *facts)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	facts->memory_size = pages > 0 && size > 0 ? (int64_t)pages * size >> 20 : 0;
}

const char *utm__host_architecture(void)
{
#if defined(__x86_64__)
	return "x86_64";
#elif defined(__aarch64__)
	return "aarch64";
#elif defined(__i386__)
	return "i386";
#elif defined(__arm__)
	return "arm";
#elif defined(__riscv) && __riscv_xlen == 64
	return "riscv64";
#elif defined(__powerpc64__)
	return "ppc64";
#elif defined(__s390x__)
	return "s390x";
#elif defined(__loongarch64)
	return "loongarch64";
#else
	return "unknown";
#endif
}
