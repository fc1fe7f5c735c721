/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl hardware: what there is to choose from for an architecture. */
#include "utmctl.h"

#include <inttypes.h>

static bool as_json, from_list;
static const char *device, *machine;

static const struct {
	const char *name, *heading;
} kinds[] = {
	[UTM_HARDWARE_MACHINE] = { "machines", "machine types" },       [UTM_HARDWARE_CPU] = { "cpus", "processors" },
	[UTM_HARDWARE_CPU_FLAG] = { "cpuFlags", "processor features" }, [UTM_HARDWARE_DISPLAY] = { "displays", "displays" },
	[UTM_HARDWARE_NETWORK] = { "networks", "network cards" },       [UTM_HARDWARE_SOUND] = { "sounds", "sound cards" },
	[UTM_HARDWARE_PROPERTY] = { "properties", "properties" },
};

#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

static void print_member(const char *name, const char *value)
{
	if (!value)
		return;
	printf(", \"%s\": ", name);
	print_json_string(stdout, value);
}

static void print_json_item(const UtmHardwareItem *item)
{
	printf("{\"name\": ");
	print_json_string(stdout, item->name);
	print_member("alias", item->alias);
	print_member("bus", item->bus);
	print_member("cpu", item->cpu);
	print_member("description", item->description);
	print_member("since", item->since);
	print_member("type", item->type);
	if (item->default_json)
		printf(", \"default\": %s", item->default_json);
	if (item->max_cpus)
		printf(", \"maxCpus\": %" PRIu32, item->max_cpus);
	printf("%s%s%s%s}", item->flags & UTM_HARDWARE_ITEM_DEFAULT ? ", \"default\": true" : "",
	       item->flags & UTM_HARDWARE_ITEM_DEPRECATED ? ", \"deprecated\": true" : "",
	       item->flags & UTM_HARDWARE_ITEM_GONE ? ", \"gone\": true" : "",
	       item->flags & UTM_HARDWARE_ITEM_ON_BOARD ? ", \"onBoard\": true" : "");
}

static void print_json(const UtmHardware *hardware)
{
	printf("{\n  \"architecture\": \"%s\"", utm_hardware_get_architecture(hardware));
	print_member("qemuVersion", utm_hardware_get_qemu_version(hardware));
	print_member("qemuPath", utm_hardware_get_qemu_path(hardware));
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		const UtmHardwareItem *item;
		if ((kind == UTM_HARDWARE_PROPERTY) != (device || machine))
			continue;
		printf(",\n  \"%s\": [", kinds[kind].name);
		for (size_t i = 0; (item = utm_hardware_get(hardware, (UtmHardwareKind)kind, i)); i++) {
			printf(i ? ",\n    " : "\n    ");
			print_json_item(item);
		}
		printf("%s]", utm_hardware_get_count(hardware, (UtmHardwareKind)kind) ? "\n  " : "");
	}
	printf("\n}\n");
}

static void print_part(const char *before, const char *text)
{
	if (!text)
		return;
	printf("  %s", before);
	print_plain(stdout, text);
}

static void print_text(const UtmHardware *hardware)
{
	const char *path = utm_hardware_get_qemu_path(hardware);

	printf("%s, QEMU %s: ", utm_hardware_get_architecture(hardware), utm_hardware_get_qemu_version(hardware));
	print_plain(stdout, path ? path : "not installed; a list that the library brings");
	printf("\n");
	for (size_t kind = 0; kind < KIND_COUNT; kind++) {
		const UtmHardwareItem *item = utm_hardware_get(hardware, (UtmHardwareKind)kind, 0);
		if (item)
			printf("\n%s\n", kinds[kind].heading);
		for (size_t i = 0; (item = utm_hardware_get(hardware, (UtmHardwareKind)kind, i)); i++) {
			print_part("", item->name);
			print_part("= ", item->alias);
			print_part("", item->type);
			print_part("= ", item->default_json);
			print_part("", item->description);
			print_part("on ", item->bus);
			print_part("since QEMU ", item->since);
			printf("%s%s%s\n", item->flags & UTM_HARDWARE_ITEM_DEFAULT ? "  (default)" : "",
			       item->flags & UTM_HARDWARE_ITEM_GONE ? "  (gone in newer QEMUs)" : "",
			       item->flags & UTM_HARDWARE_ITEM_DEPRECATED ? "  (deprecated)" : "");
		}
	}
}

static int query(UtmContext *ctx, const char *architecture, UtmHardware **ret_hardware, UtmError **error)
{
	/* Devices of every kind are found by any kind of them. */
	if (device || machine)
		return utm_hardware_query_properties(ctx, architecture, machine ? UTM_HARDWARE_MACHINE : UTM_HARDWARE_DISPLAY,
		                                     machine ? machine : device, ret_hardware, error);
	return utm_hardware_query(ctx, architecture, 0, ret_hardware, error);
}

static int run_hardware(const Command *command, char **operands)
{
	UtmError *error = NULL;
	UtmHardware *hardware = NULL;
	UtmContext *ctx = from_list ? NULL : utm_context_new(NULL, &error);

	(void)command;
	if ((device != NULL) + (machine != NULL) + from_list > 1)
		return misused(command, "--device, --machine and --snapshot exclude one another");
	int result = (from_list || ctx) ? query(ctx, operands[0], &hardware, &error) : -1;
	utm_context_unref(ctx);
	if (result < 0)
		return report(NULL, error);
	if (as_json)
		print_json(hardware);
	else
		print_text(hardware);
	utm_hardware_unref(hardware);
	return EXIT_OK;
}

static const Option hardware_options[] = {
	{ .name = "--device", .value = &device },
	{ .name = "--machine", .value = &machine },
	{ .name = "--snapshot", .present = &from_list },
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

const Command hardware_command = {
	.name = "hardware",
	.arguments = "ARCH [--device NAME | --machine NAME | --snapshot] [--json]",
	.summary = "list machine types, processors, displays, network and sound cards of the installed QEMU",
	.notes = "--device and --machine list the properties of one, for additional arguments and machine properties.\n"
	         "Where QEMU is not installed, or with --snapshot, it is the list of names that the library brings.\n",
	.options = hardware_options,
	.least = 1,
	.most = 1,
	.run = run_hardware,
};
