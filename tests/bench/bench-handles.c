/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What calls cost in C: the measure that bench-bindings holds other languages to.
 *
 *     bench-handles PAINTER-ELF
 *
 * Prints `name nanoseconds`, of the fastest of several rounds:
 *
 *  - getter        name of a configuration
 *  - getter-int    its System.MemorySize, by key path
 *  - query-status  the command, typed, to a QEMU whose guest stands still
 *  - frame         the latest picture of 1920 x 1080 of a guest that paints: its damage and its first byte
 *
 * Programs of the other languages do the same and print the same names; what they leave out is not compared.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utm/qmp-commands.h>
#include <utm/utm.h>

enum {
	ROUNDS = 7,
	WIDTH = 1920,
	WAIT_MS = 30000
};

typedef struct Bench {
	UtmConfig *config;
	UtmQmp *qmp;
	UtmDisplay *display;
} Bench;

/* Keeps what is read from being optimised away. */
static volatile uint64_t seen;

static void must(int result, UtmError *error)
{
	if (result == 0)
		return;
	char *text = utm_error_dup_text(error);
	fprintf(stderr, "bench-handles: %s\n", text);
	utm_free(text);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void measure(const char *name, int count, void (*call)(const Bench *), const Bench *bench)
{
	int64_t best = INT64_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t begun = now_ns();
		for (int i = 0; i < count; i++)
			call(bench);
		int64_t took = (now_ns() - begun) / count;
		best = took < best ? took : best;
	}
	printf("%s %" PRId64 "\n", name, best);
}

/* ---------------------------------------------------------------- what is measured */

static void get_name(const Bench *b)
{
	seen += (unsigned char)utm_config_get_name(b->config)[0];
}

static void get_int(const Bench *b)
{
	int64_t value = 0;
	must(utm_config_get_int(b->config, "System.MemorySize", &value, NULL), NULL);
	seen += (uint64_t)value;
}

static void query_status(const Bench *b)
{
	UtmQmpStatusInfo *status = NULL;
	UtmError *error = NULL;
	must(utm_qmp_query_status(b->qmp, NULL, NULL, &status, &error), error);
	seen += status->running;
	utm_qmp_status_info_free(status);
}

static void look(const Bench *b)
{
	UtmFrame *frame = utm_display_acquire_frame(b->display);
	const UtmFrameInfo *info = utm_frame_get_info(frame);
	for (uint32_t i = 0; i < info->damage_count; i++)
		seen += (uint64_t)info->damage[i].width;
	seen += *(const unsigned char *)utm_frame_get_data(frame);
	utm_frame_unref(frame);
}

/* ---------------------------------------------------------------- the machine */

/* Nothing but a screen. */
static UtmConfig *painter_config(void)
{
	static const char *const texts[][2] = {
		{ "Sound", "[]" }, { "Network", "[]" }, { "Drive", "[]" }, { "Serial", "[]" }, { "Display", "[]" },
		{ "QEMU.UEFIBoot", "false" }, { "QEMU.RNGDevice", "false" }, { "QEMU.BalloonDevice", "false" },
		{ "QEMU.Hypervisor", "false" }, { "Sharing.ClipboardSharing", "false" }, { "Sharing.DirectoryShareMode", "None" },
		{ "QEMU.AdditionalArguments", "[\"-append \\\"w=1920 h=1080 mode=box fps=30\\\"\"]" },
	};
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	UtmConfig *config = NULL;
	UtmError *error = NULL;
	options.architecture = "x86_64";
	options.name = "Bench";
	must(utm_config_new_default(&options, &config, &error), error);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		must(utm_config_set_text(config, texts[i][0], texts[i][1], &error), error);
	must(utm_config_insert(config, "Display", -1, "{\"Hardware\": \"VGA\", \"VgaRamMib\": 32}", &error), error);
	must(utm_config_insert(config, "Drive", -1, "{\"ImageType\": \"LinuxKernel\", \"ImageName\": \"painter.elf\"}", &error), error);
	return config;
}

static UtmBundle *painter_bundle(UtmContext *ctx, const UtmConfig *config, const char *painter, const char *directory)
{
	UtmBundleSource source = { painter, "painter.elf" };
	UtmBundleCreateOptions options = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	UtmBundle *bundle = NULL;
	UtmError *error = NULL;
	char path[4096];
	snprintf(path, sizeof path, "%s/Bench.utm", directory);
	options.files = &source;
	options.file_count = 1;
	must(utm_bundle_create(ctx, path, config, &options, &bundle, &error), error);
	return bundle;
}

/* Until the guest has set its size. */
static void wait_for_picture(UtmDisplay *display)
{
	UtmError *error = NULL;
	uint64_t serial = 0;
	for (uint32_t width = 0; width != WIDTH;) {
		UtmFrame *frame = NULL;
		must(utm_display_wait_frame(display, serial, WAIT_MS, NULL, &frame, &error), error);
		serial = utm_frame_get_info(frame)->serial;
		width = utm_frame_get_info(frame)->width;
		utm_frame_unref(frame);
	}
}

static void run(UtmContext *ctx, const char *painter, const char *directory)
{
	UtmError *error = NULL;
	UtmVm *vm = NULL;
	Bench bench = { .config = painter_config() };
	UtmBundle *bundle = painter_bundle(ctx, bench.config, painter, directory);
	must(utm_vm_new(bundle, &vm, &error), error);
	must(utm_vm_start(vm, NULL, &error), error);
	bench.qmp = utm_vm_get_qmp(vm);
	bench.display = utm_vm_get_display(vm, 0);
	wait_for_picture(bench.display);
	measure("frame", 10000, look, &bench);
	must(utm_vm_pause(vm, &error), error);
	measure("query-status", 1000, query_status, &bench);
	measure("getter", 1000000, get_name, &bench);
	measure("getter-int", 100000, get_int, &bench);
	must(utm_vm_stop(vm, UTM_VM_STOP_KILL, NULL, &error), error);
	utm_vm_unref(vm);
	utm_bundle_unref(bundle);
	utm_config_unref(bench.config);
}

int main(int argc, char **argv)
{
	const char *directory = getenv("TMPDIR");
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	UtmError *error = NULL;
	if (argc != 2) {
		fprintf(stderr, "usage: TMPDIR=EMPTY-DIRECTORY bench-handles PAINTER-ELF\n");
		return 77;
	}
	options.accel_policy = UTM_ACCEL_POLICY_TCG;
	options.argument_policy = UTM_ARGUMENT_POLICY_ALLOW;
	UtmContext *ctx = utm_context_new(&options, &error);
	must(ctx ? 0 : -1, error);
	run(ctx, argv[1], directory ? directory : ".");
	utm_context_unref(ctx);
	return 0;
}
