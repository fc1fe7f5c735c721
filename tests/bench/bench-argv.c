/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a command line costs: building one against copying its strings, and the host probe against running QEMU for its
 * version, which is all that it needs to wait for.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <utm/utm.h>

enum {
	BUILDS = 20000,
	ROUNDS = 5,
	PROBES = 5,
	WARM_PROBES = 2000
};

static void keep_least(double *least, double value)
{
	if (value < *least)
		*least = value;
}

static double now(void)
{
	return g_get_monotonic_time() / 1e6;
}

static UtmConfig *load(const char *example)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "golden", example, "config.plist", NULL);
	UtmConfig *config = NULL;

	if (utm_config_new_from_file(path, &config, NULL) < 0)
		exit(77);
	return config;
}

static double time_builds(const UtmConfig *config, const UtmHost *host)
{
	double start = now();

	for (int i = 0; i < BUILDS; i++) {
		UtmArgv *argv = NULL;

		if (utm_argv_build(config, "/home/me/Machine.utm", host, &argv, NULL) < 0)
			exit(1);
		utm_argv_unref(argv);
	}
	return (now() - start) / BUILDS;
}

static double time_copies(const UtmConfig *config, const UtmHost *host)
{
	UtmArgv *argv = NULL;
	double start;

	if (utm_argv_build(config, "/home/me/Machine.utm", host, &argv, NULL) < 0)
		exit(1);
	start = now();
	for (int i = 0; i < BUILDS; i++)
		g_strfreev(g_strdupv((char **)utm_argv_get_strings(argv)));
	double each = (now() - start) / BUILDS;
	utm_argv_unref(argv);
	return each;
}

static void bench_build(const char *example)
{
	UtmConfig *config = load(example);
	UtmHost *host = NULL;
	double build = 1e9, copy = 1e9;

	if (utm_host_new_from_json(UTM_HOST_OS_LINUX, NULL, &host, NULL) < 0)
		exit(1);
	for (int i = 0; i < ROUNDS; i++) {
		keep_least(&build, time_builds(config, host));
		keep_least(&copy, time_copies(config, host));
	}
	printf("argv %-20s %6.1f us, %4.1f times copying its strings\n", example, build * 1e6, build / copy);
	utm_host_unref(host);
	utm_config_unref(config);
}

static double time_probe(UtmContext *context, const UtmConfig *config)
{
	double start = now();
	UtmHost *host = NULL;

	if (utm_host_probe(context, config, &host, NULL) < 0) {
		printf("probe: no QEMU here\n");
		exit(0);
	}
	utm_host_unref(host);
	return now() - start;
}

static double time_bare_run(void)
{
	char *argv[] = { (char *)"qemu-system-x86_64", (char *)"-version", NULL };
	g_autofree char *output = NULL;
	double start = now();

	g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL, NULL, NULL);
	return now() - start;
}

static UtmContext *make_context(uint32_t policy)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;

	options.accel_policy = policy;
	return utm_context_new(&options, NULL);
}

/* What trying KVM adds, once in a context's life; where its guests hang, that is the deadline. */
static void bench_proof(const UtmConfig *config, double bare)
{
	UtmContext *context = make_context(UTM_ACCEL_POLICY_AUTO);
	UtmHostItem item = UTM_HOST_ITEM_INIT;
	UtmHost *host = NULL;
	double cold = time_probe(context, config), warm = time_probe(context, config);

	if (utm_host_probe(context, config, &host, NULL) < 0)
		exit(1);
	if (utm_host_get_item(host, UTM_HOST_ITEM_ACCELERATOR, 0, &item, NULL) == 0)
		printf("probe with KVM tried (%s): cold %.1f ms, %.2f times a bare run; warm %.0f us\n",
		       item.state == UTM_HOST_ITEM_STATE_WORKS ? "works" : item.reason, cold * 1e3, cold / bare, warm * 1e6);
	utm_host_unref(host);
	utm_context_unref(context);
}

static void bench_probe(void)
{
	UtmConfig *config = load("q35-windows");
	double cold = 1e9, bare = 1e9, start;

	for (int i = 0; i < PROBES; i++) {
		UtmContext *context = make_context(UTM_ACCEL_POLICY_TCG);

		keep_least(&bare, time_bare_run());
		keep_least(&cold, time_probe(context, config));
		utm_context_unref(context);
	}
	UtmContext *context = make_context(UTM_ACCEL_POLICY_TCG);
	time_probe(context, config);
	start = now();
	for (int i = 0; i < WARM_PROBES; i++)
		time_probe(context, config);
	double warm = (now() - start) / WARM_PROBES;
	utm_context_unref(context);
	printf("probe cold %.1f ms, %.2f times a bare run of QEMU; warm %.0f us, %.4f times\n", cold * 1e3, cold / bare,
	       warm * 1e6, warm / bare);
	bench_proof(config, bare);
	utm_config_unref(config);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	bench_build("q35-windows");
	bench_build("aarch64-virt-kernel");
	bench_build("m68k-q800");
	bench_probe();
	return 0;
}
