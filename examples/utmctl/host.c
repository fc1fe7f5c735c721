/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl host: what this host has, and what of it works. */
#include "utmctl.h"

#include <string.h>

static const char *architecture;
static bool as_json;

static const struct {
	UtmHostItemKind kind;
	const char *heading;
} lists[] = {
	{ UTM_HOST_ITEM_ACCELERATOR, "accelerators" }, { UTM_HOST_ITEM_AUDIO, "sound" },
	{ UTM_HOST_ITEM_GRAPHICS, "OpenGL" },          { UTM_HOST_ITEM_TOOL, "programs beside QEMU" },
	{ UTM_HOST_ITEM_QEMU, "QEMU programs" },
};

static const char *const states[] = {
	[UTM_HOST_ITEM_STATE_UNKNOWN] = "not tried",
	[UTM_HOST_ITEM_STATE_WORKS] = "works",
	[UTM_HOST_ITEM_STATE_FAILS] = "fails",
	[UTM_HOST_ITEM_STATE_ABSENT] = "absent",
};

static void print_part(const char *before, const char *text)
{
	if (!text)
		return;
	printf("%s", before);
	print_plain(stdout, text);
}

static void print_list(const UtmHost *host, UtmHostItemKind kind, const char *heading)
{
	UtmHostItem item = UTM_HOST_ITEM_INIT;

	printf("\n%s\n", heading);
	for (size_t i = 0; utm_host_get_item(host, kind, i, &item, NULL) == 0; i++) {
		printf("  %-18s %-9s", item.name, item.state <= UTM_HOST_ITEM_STATE_ABSENT ? states[item.state] : "");
		print_part("  ", item.version);
		print_part("  ", item.path);
		print_part(item.path || item.version ? ": " : "  ", item.reason);
		printf("\n");
	}
}

/* Facts that are a word or a number, in this order. */
static const struct {
	const char *key, *label, *unit;
} facts[] = {
	{ "Architecture", "host", "" },
	{ "PhysicalCores", "cores", "" },
	{ "LogicalCores", "threads", "" },
	{ "PerformanceCores", "fast cores", "" },
	{ "MemorySize", "memory", " MiB" },
	{ "HostAudio", "sound system", "" },
};

static void print_facts(const UtmValue *all)
{
	for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
		const UtmValue *value = utm_value_get_member(all, facts[i].key);
		char *json = value ? utm_value_dup_json(value) : NULL;

		if (json && strcmp(json, "0") != 0) {
			printf("%-20s ", facts[i].label);
			if (utm_value_get_string(value))
				print_plain(stdout, utm_value_get_string(value));
			else
				print_plain(stdout, json);
			printf("%s\n", facts[i].unit);
		}
		utm_free(json);
	}
}

static void print_firmware(const UtmValue *images)
{
	static const char *const keys[] = { "Code", "VarsTemplate", "SecureCode", "SecureVarsTemplate" };

	printf("\nUEFI\n");
	for (size_t i = 0; i < utm_value_get_count(images); i++)
		for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
			const UtmValue *entry = utm_value_get_item(images, i);
			const char *path = utm_value_get_string(utm_value_get_member(entry, keys[k]));

			if (path) {
				printf("  %-18s ", keys[k]);
				print_plain(stdout, path);
				printf("\n");
			}
		}
	if (utm_value_get_count(images) == 0)
		printf("  none found for this architecture\n");
}

static void print_bridges(const UtmValue *names)
{
	for (size_t i = 0; i < utm_value_get_count(names); i++)
		print_part(i ? ", " : "  allowed bridges     ", utm_value_get_string(utm_value_get_item(names, i)));
	if (utm_value_get_count(names))
		printf("\n");
}

static void print_text(const UtmHost *host, const UtmValue *all)
{
	print_facts(all);
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		print_list(host, lists[i].kind, lists[i].heading);
		if (lists[i].kind == UTM_HOST_ITEM_TOOL)
			print_bridges(utm_value_get_member(all, "AllowedBridges"));
	}
	print_firmware(utm_value_get_member(all, "Firmware"));
}

static int run_host(const Command *command, char **operands)
{
	UtmError *error = NULL;
	UtmHost *host = NULL;
	UtmValue *facts_value = NULL;
	char *json = NULL;
	UtmContext *ctx = utm_context_new(NULL, &error);

	(void)command;
	(void)operands;
	int result = ctx ? utm_host_probe_all(ctx, architecture, &host, &error) : -1;
	if (result == 0)
		result = utm_host_to_json(host, &json, &error);
	if (result == 0)
		result = utm_value_from_json(json, &facts_value, &error);
	if (result == 0 && as_json)
		printf("%s\n", json);
	else if (result == 0)
		print_text(host, facts_value);
	utm_value_free(facts_value);
	utm_free(json);
	utm_host_unref(host);
	utm_context_unref(ctx);
	return result < 0 ? report(NULL, error) : EXIT_OK;
}

static const Option host_options[] = {
	{ .name = "--arch", .value = &architecture },
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

const Command host_command = {
	.name = "host",
	.arguments = "[--arch ARCH] [--json]",
	.summary = "tell what this host has for running machines: QEMU, accelerators, firmware, sound, OpenGL, helpers",
	.notes = "Accelerators are tried with a small guest, which takes up to three seconds where they hang. ARCH is the guest's\n"
			 "architecture; without it, the host's. The JSON is what `utmctl argv --host-facts` takes.\n",
	.options = host_options,
	.least = 0,
	.most = 0,
	.run = run_host,
};
