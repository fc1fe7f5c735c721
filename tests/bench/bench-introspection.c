/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What it costs to know what QEMU has: the index of its answer to query-qmp-schema against json-glib's tree of the same
 * text, then a question and a check. Medians of CPU time; memory as malloc counts it.
 */
#include "qmp/introspection.h"

#include <json-glib/json-glib.h>
#include <malloc.h>
#include <string.h>
#include <time.h>

/* A machine without hardware that is asked one thing and quits. */
#define QEMU "qemu-system-x86_64"
#define ASK                                                                                                          \
	"printf '{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-qmp-schema\"}{\"execute\":\"quit\"}' | "       \
	QEMU " -M none -nodefaults -display none -qmp stdio"

#define ROUNDS 101
#define CHECKS 1000

static double cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Also tidies up behind the one before, whose heap of small blocks the next one would have to merge. */
static gsize used_bytes(void)
{
	malloc_trim(0);
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof *values, compare);
	return values[ROUNDS / 2];
}

static double read_tree(const char *text, gsize *ret_bytes)
{
	gsize bytes = used_bytes();
	double begin = cpu_us();
	g_autoptr(JsonParser) parser = json_parser_new();
	if (!json_parser_load_from_data(parser, text, -1, NULL))
		g_error("json-glib cannot read the answer");
	double cpu = cpu_us() - begin;
	*ret_bytes = used_bytes() - bytes;
	return cpu;
}

static double make_index(const char *text, gsize *ret_bytes)
{
	gsize bytes = used_bytes();
	double begin = cpu_us();
	g_autoptr(UtmIntrospection) index = NULL;
	if (utm__introspection_new(text, strlen(text), &index, NULL) < 0)
		g_error("the library cannot read the answer");
	double cpu = cpu_us() - begin;
	*ret_bytes = used_bytes() - bytes;
	return cpu;
}

static void bench_use(const UtmIntrospection *index)
{
	static const char question[] = "blockdev-add.driver=nbd.server.type=unix.path";
	static const char arguments[] = "{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"/x\"},\"node-name\":\"a\"}";
	double begin = cpu_us();
	for (int i = 0; i < CHECKS; i++)
		if (!utm__introspection_has(index, question))
			g_error("QEMU lacks %s", question);
	double middle = cpu_us();
	for (int i = 0; i < CHECKS; i++)
		if (utm__introspection_check(index, "blockdev-add", arguments, 0, NULL) < 0)
			g_error("QEMU lacks something in %s", arguments);
	g_print("introspection question.cpu %.2f us\n", (middle - begin) / CHECKS);
	g_print("introspection check.cpu %.2f us\n", (cpu_us() - middle) / CHECKS);
}

static char *ask_qemu(void)
{
	char *argv[] = { "sh", "-c", ASK, NULL };
	g_autofree char *output = NULL;
	g_autoptr(GError) error = NULL;
	if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL, NULL, &error))
		g_error("%s", error->message);
	const char *begin = strstr(output, "[{\"name\"");
	const char *end = begin ? strstr(begin, "}\r\n") : NULL;
	if (!end)
		g_error("QEMU did not tell what it has");
	return g_strndup(begin, (gsize)(end - begin));
}

int main(int argc, char **argv)
{
	double tree[ROUNDS], index_cpu[ROUNDS];
	gsize tree_bytes = 0, index_bytes = 0;
	g_autofree char *qemu = g_find_program_in_path(QEMU);
	if (!qemu)
		return 77;
	g_autofree char *reply = ask_qemu();
	for (int i = 0; i < ROUNDS; i++) {
		tree[i] = read_tree(reply, &tree_bytes);
		index_cpu[i] = make_index(reply, &index_bytes);
	}
	double tree_us = median(tree), index_us = median(index_cpu);
	g_print("introspection reply.size %zu bytes\n", strlen(reply));
	g_print("introspection json_glib_tree.cpu %.0f us\n", tree_us);
	g_print("introspection index.cpu %.0f us\n", index_us);
	g_print("introspection index.cpu.ratio %.3f\n", index_us / tree_us);
	g_print("introspection json_glib_tree.memory %zu bytes\n", tree_bytes);
	g_print("introspection index.memory %zu bytes\n", index_bytes);
	g_autoptr(UtmIntrospection) index = NULL;
	if (utm__introspection_new(reply, strlen(reply), &index, NULL) == 0)
		bench_use(index);
	return 0;
}
