/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What reading and writing a configuration costs, against libplist alone on the same bytes: it parses them for the one, and
 * writes them for the other. The same for ten times and a hundred times the drives tells whether the cost for each stays
 * what it was, and so do the operations on a configuration of 10 000 drives, one by one.
 */
#include <glib.h>
#include <plist/plist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utm/utm.h>

enum {
	ROUNDS = 5,
	DRIVES = 10000
};

typedef struct Bench {
	const char *data;
	gsize size;
	plist_t tree;
	UtmConfig *config;
} Bench;

static double now(void)
{
	return g_get_monotonic_time() / 1e6;
}

static void must(bool good)
{
	if (!good)
		exit(1);
}

/* --- what is measured --- */

static void parse_alone(const Bench *b)
{
	plist_t root = NULL;

	if (memcmp(b->data, "bplist", 6) == 0)
		plist_from_bin(b->data, (uint32_t)b->size, &root);
	else
		plist_from_xml(b->data, (uint32_t)b->size, &root);
	must(root);
	plist_free(root);
}

static void read_config(const Bench *b)
{
	UtmConfig *config = NULL;

	must(utm_config_new_from_data(b->data, b->size, &config, NULL) == 0);
	utm_config_unref(config);
}

static void print_alone(const Bench *b)
{
	char *text = NULL;
	uint32_t size;

	plist_to_xml(b->tree, &text, &size);
	must(text);
	free(text);
}

static void write_config(const Bench *b)
{
	char *text = NULL;
	size_t size;

	must(utm_config_to_plist(b->config, &text, &size, NULL) == 0);
	utm_free(text);
}

static void copy_config(const Bench *b)
{
	UtmConfig *copy = utm_config_copy(b->config);

	must(utm_config_equal(copy, b->config));
	utm_config_unref(copy);
}

static void to_json(const Bench *b)
{
	char *text = NULL;

	must(utm_config_to_json(b->config, NULL, &text, NULL) == 0);
	utm_free(text);
}

static void edit_each_drive(const Bench *b)
{
	size_t count = 0;

	must(utm_config_get_count(b->config, "Drive", &count, NULL) == 0);
	for (size_t i = 0; i < count; i++) {
		char path[64], *name = NULL;
		snprintf(path, sizeof path, "Drive[%zu].ImageName", i);
		must(utm_config_get_string(b->config, path, &name, NULL) == 0);
		must(utm_config_set_string(b->config, path, name, NULL) == 0);
		utm_free(name);
	}
}

static void check_config(const Bench *b)
{
	UtmFindings *findings = NULL;

	must(utm_config_check(b->config, NULL, &findings, NULL) == 0);
	utm_findings_free(findings);
}

/* At the end, where nothing moves: as somebody adds drives. */
static void append_each_drive(const Bench *b)
{
	size_t count = 0;

	must(utm_config_get_count(b->config, "Drive", &count, NULL) == 0);
	UtmConfig *config = utm_config_copy(b->config);
	must(utm_config_set_text(config, "Drive", "[]", NULL) == 0);
	for (size_t i = 0; i < count; i++)
		must(utm_config_insert(config, "Drive", -1, "{'ImageType': 'Disk', 'ImageName': 'a.qcow2'}", NULL) == 0);
	utm_config_unref(config);
}

/* --- measuring --- */

static double time_many(void (*act)(const Bench *), const Bench *b, int count)
{
	double start = now();

	for (int i = 0; i < count; i++)
		act(b);
	return now() - start;
}

/* Seconds for one, the best of some rounds of which each takes long enough to be seen. */
static double time_of(void (*act)(const Bench *), const Bench *b)
{
	int count = 1;
	double took = time_many(act, b, count);

	for (; took < 0.02; took = time_many(act, b, count))
		count *= 4;
	for (int round = 1; round < ROUNDS; round++)
		took = MIN(took, time_many(act, b, count));
	return took / count;
}

static void bench_open(Bench *b, const char *data, gsize size)
{
	*b = (Bench){ .data = data, .size = size };
	if (memcmp(data, "bplist", 6) == 0)
		plist_from_bin(data, (uint32_t)size, &b->tree);
	else
		plist_from_xml(data, (uint32_t)size, &b->tree);
	must(b->tree && utm_config_new_from_data(data, size, &b->config, NULL) == 0);
}

static void bench_close(Bench *b)
{
	plist_free(b->tree);
	utm_config_unref(b->config);
}

static void compare(const char *name, const char *data, gsize size)
{
	Bench b;

	bench_open(&b, data, size);
	double parse = time_of(parse_alone, &b), reading = time_of(read_config, &b);
	double print = time_of(print_alone, &b), writing = time_of(write_config, &b);
	printf("%-24s read %8.1f us, libplist alone %8.1f us: %.2f times; write %8.1f us, libplist alone %8.1f us: %.2f times\n",
	       name, reading * 1e6, parse * 1e6, reading / parse, writing * 1e6, print * 1e6, writing / print);
	bench_close(&b);
}

static void compare_codecs(const char *name)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "golden", name, "config.plist", NULL);
	g_autofree char *data = NULL;
	g_autofree char *label = g_strconcat(name, ", binary", NULL);
	plist_t root = NULL;
	char *binary = NULL;
	uint32_t binary_size = 0;
	gsize size;

	must(g_file_get_contents(path, &data, &size, NULL));
	compare(name, data, size);
	plist_from_xml(data, (uint32_t)size, &root);
	plist_to_bin(root, &binary, &binary_size);
	compare(label, binary, binary_size);
	plist_free(root);
	free(binary);
}

/* --- many drives --- */

static char *dup_with_drives(guint count, gsize *ret_size)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "golden", "q35-windows", "config.plist", NULL);
	g_autoptr(GString) json = g_string_new("[");
	UtmConfig *config = NULL;
	char *data = NULL;

	for (guint i = 0; i < count; i++)
		g_string_append_printf(json, "%s{'ImageName': 'disk%u.qcow2', 'ImageType': 'Disk', 'Interface': 'VirtIO'}",
		                       i ? "," : "", i);
	g_string_append_c(json, ']');
	must(utm_config_new_from_file(path, &config, NULL) == 0 && utm_config_set_text(config, "Drive", json->str, NULL) == 0 &&
	     utm_config_to_plist(config, &data, ret_size, NULL) == 0);
	utm_config_unref(config);
	return data;
}

static const struct {
	const char *name;
	void (*act)(const Bench *b);
} operations[] = {
	{ "read", read_config },
	{ "write", write_config },
	{ "copy and compare", copy_config },
	{ "write as JSON", to_json },
	{ "check", check_config },
	{ "get and set each", edit_each_drive },
	{ "insert each", append_each_drive },
};

/* The cost for one drive, with all of them and with a tenth: the ratio is 1 where it does not matter how many there are. */
static void compare_drives(void)
{
	gsize few_size, many_size;
	char *few_data = dup_with_drives(DRIVES / 10, &few_size), *many_data = dup_with_drives(DRIVES, &many_size);
	Bench few, many;

	bench_open(&few, few_data, few_size);
	bench_open(&many, many_data, many_size);
	for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
		double one = time_of(operations[i].act, &few) / (DRIVES / 10), each = time_of(operations[i].act, &many) / DRIVES;
		printf("%-18s %6.2f us for each of %d drives, %6.2f us for each of %d: %.2f times\n", operations[i].name, each * 1e6,
		       DRIVES, one * 1e6, DRIVES / 10, each / one);
	}
	bench_close(&few);
	bench_close(&many);
	compare("10000 drives", many_data, many_size);
	utm_free(few_data);
	utm_free(many_data);
}

/* --- Python --- */

/* Its plistlib, measured by itself on the same file. */
static void compare_python(const char *name)
{
	static const char *const script =
		"import plistlib, sys, timeit\n"
		"data = open(sys.argv[1], 'rb').read()\n"
		"value = plistlib.loads(data)\n"
		"for act in (lambda: plistlib.loads(data), lambda: plistlib.dumps(value)):\n"
		"    print(min(timeit.repeat(act, number=50, repeat=5)) / 50)\n";
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "golden", name, "config.plist", NULL);
	char *argv[] = { (char *)"python3", (char *)"-c", (char *)script, path, NULL };
	g_autofree char *data = NULL;
	g_autofree char *text = NULL;
	char *rest = NULL;
	gsize size;
	int status = 1;
	Bench b;

	if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &text, NULL, &status, NULL) || status != 0)
		return;
	double parse = g_ascii_strtod(text, &rest), print = g_ascii_strtod(rest, NULL);
	must(g_file_get_contents(path, &data, &size, NULL));
	bench_open(&b, data, size);
	printf("Python's plistlib reads it in %.1f us: %.0f times as long; writes it in %.1f us: %.0f times as long\n", parse * 1e6,
	       parse / time_of(read_config, &b), print * 1e6, print / time_of(write_config, &b));
	bench_close(&b);
}

/* One operation some times, for tools that count instructions: bench-config FILE read|parse|write|print TIMES. */
static int repeat_one(char **argv)
{
	g_autofree char *data = NULL;
	const char *name = argv[2];
	gsize size;
	Bench b;

	must(g_file_get_contents(argv[1], &data, &size, NULL));
	bench_open(&b, data, size);
	for (int i = atoi(argv[3]); i > 0; i--)
		(strcmp(name, "read") == 0    ? read_config
		 : strcmp(name, "parse") == 0 ? parse_alone
		 : strcmp(name, "write") == 0 ? write_config
		                              : print_alone)(&b);
	bench_close(&b);
	return 0;
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (argc == 4)
		return repeat_one(argv);
	compare_codecs("q35-windows");
	compare_codecs("aarch64-virt-ubuntu");
	compare_python("q35-windows");
	compare_drives();
	return 0;
}
