/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every architecture and its notable machine types: the new machine that the library makes of it, with drives and a serial
 * port added, starts paused on a real QEMU, through the library alone, and has what its configuration asks for. What it
 * has is asked with typed commands, never taken from the command line. A table of the results ends the output.
 *
 * UTM_TEST_QEMU names a directory of unpack-qemu.sh (with --all) whose QEMUs are asked instead of the installed ones.
 */
#include "tree.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <utm/qmp-commands.h>
#include <utm/utm.h>

#define START_TIMEOUT_MS 60000

enum {
	DRIVES = 1u << 0,
	SERIAL = 1u << 1,
	KERNEL = 1u << 2,        /* QEMU does not make the machine without one: it gets a file that is one by its header */
	FIRMWARE = 1u << 3,      /* as KERNEL, of what no distribution has: zeros */
	NO_UART = 1u << 4,       /* the board has no serial port, though its configuration has */
	TWO_DRIVES = 1u << 5,    /* there is no room for more */
	SOME_RELEASES = 1u << 6, /* the machine, or its firmware, comes or goes with releases of QEMU */
};
#define USUAL (DRIVES | SERIAL)

typedef struct Row {
	const char *architecture;
	const char *target; /* NULL: the one that the library chooses */
	guint32 traits;
	const char *lacks; /* hardware that UTM's QEMU has and not every other; NULL: none */
} Row;

static const Row rows[] = {
	{ "x86_64", NULL, USUAL, NULL }, /* q35 */
	{ "x86_64", "pc", USUAL, NULL },
	{ "x86_64", "isapc", USUAL, NULL },
	{ "x86_64", "microvm", USUAL, NULL },
	{ "i386", NULL, USUAL, NULL },
	{ "i386", "pc", USUAL, NULL },
	{ "i386", "isapc", USUAL, NULL },
	{ "aarch64", NULL, USUAL, NULL },
	{ "aarch64", "raspi3b", USUAL, NULL },
	{ "aarch64", "raspi4b", USUAL | SOME_RELEASES, NULL },
	{ "aarch64", "sbsa-ref", USUAL, NULL },
	{ "aarch64", "xlnx-zcu102", SERIAL, NULL },
	{ "arm", NULL, USUAL, NULL },
	{ "arm", "vexpress-a9", USUAL, NULL },
	{ "arm", "vexpress-a15", USUAL, NULL },
	{ "arm", "versatilepb", USUAL, NULL },
	{ "arm", "realview-eb", USUAL, NULL },
	{ "arm", "raspi0", USUAL, NULL },
	{ "arm", "raspi2b", USUAL, NULL },
	{ "arm", "cubieboard", SERIAL, NULL },
	{ "arm", "highbank", SERIAL, NULL },
	{ "riscv64", NULL, USUAL, NULL },
	{ "riscv64", "sifive_u", SERIAL, NULL },
	{ "riscv64", "spike", SERIAL, NULL },
	{ "riscv64", "microchip-icicle-kit", SERIAL | FIRMWARE, NULL },
	{ "riscv32", NULL, SERIAL | FIRMWARE, NULL },
	{ "riscv32", "virt", USUAL | FIRMWARE, NULL },
	{ "loongarch64", NULL, USUAL, NULL },
	{ "ppc", NULL, USUAL, NULL },
	{ "ppc", "mac99", USUAL, "screamer" },
	{ "ppc", "40p", USUAL | NO_UART, NULL },
	{ "ppc", "ppce500", USUAL | SOME_RELEASES, NULL },
	{ "ppc", "sam460ex", USUAL | SOME_RELEASES, NULL },
	{ "ppc64", NULL, USUAL, NULL },
	{ "ppc64", "mac99", USUAL, "screamer" },
	{ "ppc64", "powernv9", SERIAL, NULL },
	{ "s390x", NULL, USUAL, "virtio-sound-pci" },
	{ "sparc", NULL, USUAL, NULL },
	{ "sparc", "SS-10", USUAL, NULL },
	{ "sparc", "SS-20", USUAL, NULL },
	{ "sparc64", NULL, USUAL, NULL },
	{ "sparc64", "sun4v", USUAL, NULL },
	{ "mips", NULL, USUAL, NULL },
	{ "mipsel", NULL, USUAL, NULL },
	{ "mips64", NULL, USUAL, NULL },
	{ "mips64el", NULL, USUAL, NULL },
	{ "mips64el", "fuloong2e", USUAL, NULL },
	{ "mips64el", "loongson3-virt", USUAL | FIRMWARE, NULL },
	{ "alpha", NULL, USUAL, NULL },
	{ "hppa", NULL, USUAL | SOME_RELEASES, NULL },
	{ "hppa", "hppa", USUAL | SOME_RELEASES, NULL },
	{ "hppa", "C3700", USUAL | SOME_RELEASES, NULL },
	{ "m68k", NULL, SERIAL | KERNEL, NULL },
	{ "m68k", "virt", USUAL | KERNEL, NULL },
	{ "m68k", "q800", USUAL | KERNEL, "asc" },
	{ "microblaze", NULL, SERIAL, NULL },
	{ "microblaze", "petalogix-ml605", SERIAL, NULL },
	{ "microblazeel", NULL, SERIAL, NULL },
	{ "or1k", NULL, SERIAL, NULL },
	{ "or1k", "virt", USUAL, NULL },
	{ "sh4", NULL, USUAL | TWO_DRIVES, NULL },
	{ "sh4eb", NULL, USUAL | TWO_DRIVES, NULL },
	{ "xtensa", NULL, SERIAL, NULL },
	{ "xtensa", "virt", USUAL, NULL },
	{ "xtensaeb", NULL, SERIAL, NULL },
	{ "xtensaeb", "virt", USUAL, NULL },
	{ "tricore", NULL, NO_UART, NULL },
	{ "avr", NULL, SERIAL, NULL },
	{ "avr", "uno", SERIAL, NULL },
	{ "rx", NULL, SERIAL | KERNEL, NULL },
};

static UtmContext *context;
static char *place;
static char *disk;
static char *version; /* of the QEMU that was asked last */
static GString *table;

/* One machine, and what is found out about it. */
typedef struct Try {
	const Row *row;
	UtmConfig *config;
	UtmBundle *bundle;
	UtmVm *vm;
	UtmQmp *qmp;
	GHashTable *types; /* of QEMU's objects */
	GString *checked;
	GString *problems;
	GString *notes;
	char *skipped;
} Try;

static void add_to(GString *list, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_to(GString *list, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	g_string_append(list, list->len ? ", " : "");
	g_string_append_vprintf(list, format, arguments);
	va_end(arguments);
}

#define problem(t, ...) add_to((t)->problems, __VA_ARGS__)
#define note(t, ...) add_to((t)->notes, __VA_ARGS__)
#define note_checked(t, ...) add_to((t)->checked, __VA_ARGS__)

/* By address: the call that sets the error may come after the other arguments. */
static bool is_ok(Try *t, const char *what, int result, UtmError **error)
{
	if (result == 0)
		return true;
	problem(t, "%s: %s", what, utm_error_get_message(*error));
	g_clear_pointer(error, utm_error_unref);
	return false;
}

/* --- the configuration --- */

static char *get_text(const Try *t, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* NULL for what is not there. */
static char *get_text(const Try *t, const char *format, ...)
{
	va_list arguments;
	char *value = NULL;
	va_start(arguments, format);
	g_autofree char *key_path = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	if (utm_config_get_string(t->config, key_path, &value, NULL) < 0)
		return NULL;
	char *copy = g_strdup(value);
	utm_free(value);
	return copy;
}

static size_t count(const Try *t, const char *section)
{
	size_t number = 0;
	g_assert_cmpint(utm_config_get_count(t->config, section, &number, NULL), ==, 0);
	return number;
}

static bool is_set(const Try *t, const char *key_path)
{
	bool value = false;
	utm_config_get_bool(t->config, key_path, &value, NULL);
	return value;
}

static bool add(Try *t, const char *section, const char *json)
{
	UtmError *error = NULL;
	return is_ok(t, section, utm_config_insert(t->config, section, -1, json, &error), &error);
}

static bool make_config(Try *t)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	UtmError *error = NULL;
	options.architecture = t->row->architecture;
	options.target = t->row->target;
	options.name = "New machine";
	if (!is_ok(t, "new", utm_config_new_default(&options, &t->config, &error), &error))
		return false;
	/* Attached as it fits the machine. */
	if (t->row->traits & DRIVES && !(add(t, "Drive", "{'ImageType':'Disk','ImageName':'A.qcow2'}") &&
	                                 add(t, "Drive", "{'ImageType':'CD'}")))
		return false;
	if (t->row->traits & DRIVES && !(t->row->traits & TWO_DRIVES) &&
	    !add(t, "Drive", "{'ImageType':'CD','ImageName':'B.iso'}"))
		return false;
	if (t->row->traits & KERNEL && !add(t, "Drive", "{'ImageType':'LinuxKernel','ImageName':'kernel'}"))
		return false;
	if (t->row->traits & FIRMWARE && !add(t, "Drive", "{'ImageType':'BIOS','ImageName':'kernel'}"))
		return false;
	return !(t->row->traits & SERIAL) || count(t, "Serial") || add(t, "Serial", "{}");
}

/* --- its package --- */

/* A program of one instruction, at the place where the machines have memory. */
static void write_kernel(const char *path, const Row *row)
{
	guint8 elf[] = { 0x7f, 'E', 'L', 'F', 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		             0, 2, 0, 4, 0, 0, 0, 1,                     /* executable, m68k */
		             0x40, 0, 0x10, 0, 0, 0, 0, 52, 0, 0, 0, 0,  /* entry, program headers */
		             0, 0, 0, 0, 0, 52, 0, 32, 0, 1, 0, 40, 0, 0, 0, 0,
		             0, 0, 0, 1, 0, 0, 0, 84, 0x40, 0, 0x10, 0, 0x40, 0, 0x10, 0, /* one segment */
		             0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 4,
		             0x60, 0xfe, 0x60, 0xfe };
	static const guint8 zeros[4096];
	bool is_elf = strcmp(row->architecture, "m68k") == 0;
	if (is_elf && (g_strcmp0(row->target, "virt") == 0 || g_strcmp0(row->target, "q800") == 0))
		elf[24] = elf[60] = elf[64] = 0;
	g_assert_true(g_file_set_contents(path, is_elf ? (const char *)elf : (const char *)zeros,
	                                  is_elf ? sizeof elf : sizeof zeros, NULL));
}

static bool make_bundle(Try *t)
{
	g_autofree char *kernel = g_build_filename(place, "kernel", NULL);
	g_autofree char *path = g_build_filename(place, "M, x.utm", NULL);
	UtmBundleSource files[] = { { disk, "A.qcow2" }, { kernel, "B.iso" }, { kernel, "kernel" } };
	UtmBundleCreateOptions options = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	UtmError *error = NULL;
	write_kernel(kernel, t->row);
	options.files = files;
	options.file_count = G_N_ELEMENTS(files);
	return is_ok(t, "bundle", utm_bundle_create(context, path, t->config, &options, &t->bundle, &error), &error);
}

/* --- the check before the start --- */

/* What is said of the configuration must be nothing worse than a warning. */
static void check_findings(Try *t)
{
	UtmConfigCheckOptions options = UTM_CONFIG_CHECK_OPTIONS_INIT;
	UtmFindings *findings = NULL;
	UtmHost *host = NULL;
	UtmError *error = NULL;
	if (!is_ok(t, "probe", utm_host_probe(context, t->config, &host, &error), &error))
		return;
	options.host = host;
	if (is_ok(t, "check", utm_config_check(t->config, &options, &findings, &error), &error)) {
		for (size_t i = 0; i < utm_findings_get_count(findings); i++) {
			const UtmFinding *finding = utm_findings_get(findings, i);
			if (finding->severity == UTM_FINDING_SEVERITY_ERROR)
				problem(t, "%s: %s", finding->key_path, finding->message);
		}
		utm_findings_free(findings);
	}
	utm_host_unref(host);
}

/* --- what QEMU has --- */

/* Devices that are part of others lie below them. */
static void collect_types(Try *t, const char *path, int depth)
{
	UtmQmpQomListArgs *args = utm_qmp_qom_list_args_new();
	UtmQmpObjectPropertyInfoList *list = NULL;
	UtmError *error = NULL;
	utm_set_string(&args->path, path);
	bool is_known = is_ok(t, "qom-list", utm_qmp_qom_list(t->qmp, args, NULL, &list, &error), &error);
	for (size_t i = 0; is_known && i < list->count; i++) {
		const char *type = list->items[i]->type;
		if (!g_str_has_prefix(type, "child<") || strcmp(type, "child<memory-region>") == 0 ||
		    strcmp(type, "child<irq>") == 0)
			continue;
		g_autofree char *below = g_strdup_printf("%s/%s", path, list->items[i]->name);
		g_hash_table_add(t->types, g_strndup(type + 6, strlen(type) - 7));
		if (depth > 1)
			collect_types(t, below, depth - 1);
	}
	utm_struct_free(list);
	utm_qmp_qom_list_args_free(args);
}

static bool has_type(const Try *t, const char *type)
{
	return g_hash_table_contains(t->types, type);
}

/* What is called something else as an object, or is replaced. */
static const char *get_type(const char *hardware)
{
	static const char *const names[][2] = {
		{ "virtio-ramfb", "virtio-gpu-pci" }, { "tcx", "sun-tcx" }, { "cg3", "cgthree" },
		{ "asc", "apple-sound-chip" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(names[i][0], hardware) == 0)
			return names[i][1];
	return hardware;
}

/* The devices of a section, whose hardware the configuration names. */
static void check_section(Try *t, const char *section)
{
	size_t number = count(t, section);
	for (size_t i = 0; i < number; i++) {
		g_autofree char *hardware = get_text(t, "%s[%zu].Hardware", section, i);
		if (has_type(t, get_type(hardware)))
			note_checked(t, "%s", hardware);
		else if (g_strcmp0(t->row->lacks, hardware) == 0 && strstr(t->notes->str, hardware))
			continue; /* and the library has said so */
		else
			problem(t, "no %s", hardware);
	}
}

static void check_devices(Try *t)
{
	collect_types(t, "/machine", 4);
	check_section(t, "Display");
	check_section(t, "Network");
	check_section(t, "Sound");
}

static void check_usb(Try *t)
{
	g_autofree char *bus = get_text(t, "Input.UsbBusSupport");
	if (g_strcmp0(bus, "Disabled") == 0)
		return;
	if (has_type(t, "usb-tablet") || has_type(t, "usb-kbd"))
		note_checked(t, "USB %s", bus);
	else
		problem(t, "no USB %s", bus);
}

static void check_rng(Try *t)
{
	if (!is_set(t, "QEMU.RNGDevice"))
		return;
	if (has_type(t, "virtio-rng-pci") || has_type(t, "virtio-rng-ccw") || has_type(t, "virtio-rng-device"))
		note_checked(t, "rng");
	else
		problem(t, "no source of randomness");
}

/* A network card is connected to what the configuration names, with its address. */
static void check_network(Try *t)
{
	UtmQmpHumanMonitorCommandArgs *args = utm_qmp_human_monitor_command_args_new();
	UtmError *error = NULL;
	char *text = NULL;
	utm_set_string(&args->command_line, "info network");
	if (is_ok(t, "network", utm_qmp_human_monitor_command(t->qmp, args, NULL, &text, &error), &error)) {
		for (size_t i = 0; i < count(t, "Network"); i++) {
			g_autofree char *address = get_text(t, "Network[%zu].MacAddress", i);
			/* Some boards know the maker's half better. */
			g_autofree char *half = g_ascii_strdown(address + strlen("00:00:00"), -1);
			g_autofree char *back_end = g_strdup_printf("\\ net%zu: index=0,type=user,", i);
			const char *card = strstr(text, half);
			if (!card || !strstr(card, back_end))
				problem(t, "card %zu is not connected: %s", i, text);
		}
		utm_free(text);
	}
	utm_qmp_human_monitor_command_args_free(args);
}

static const UtmQmpBlockInfo *find_block(const UtmQmpBlockInfoList *list, const char *device)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i]->device, device) == 0)
			return list->items[i];
	return NULL;
}

static void check_medium(Try *t, const UtmQmpBlockInfo *block, const char *image, bool is_cd)
{
	bool is_empty = !block->inserted;
	if (!block->qdev || !*block->qdev)
		problem(t, "%s is attached to nothing", block->device);
	if (is_empty != !image)
		problem(t, "%s has %s medium", block->device, is_empty ? "no" : "a");
	else if (image && !g_str_has_suffix(block->inserted->file, image))
		problem(t, "%s has %s", block->device, block->inserted->file);
	else if (image && block->inserted->ro != is_cd)
		problem(t, "%s is %s", block->device, is_cd ? "writable" : "read-only");
}

static void check_drive(Try *t, const UtmQmpBlockInfoList *list, size_t index)
{
	g_autofree char *identifier = get_text(t, "Drive[%zu].Identifier", index);
	g_autofree char *device = g_strconcat("drive", identifier, NULL);
	g_autofree char *interface = get_text(t, "Drive[%zu].Interface", index);
	g_autofree char *type = get_text(t, "Drive[%zu].ImageType", index);
	g_autofree char *image = get_text(t, "Drive[%zu].ImageName", index);
	bool is_cd = strcmp(type, "CD") == 0;
	const UtmQmpBlockInfo *block = find_block(list, device);
	if (strcmp(type, "Disk") != 0 && !is_cd)
		return;
	if (!block)
		problem(t, "no %s", device);
	else
		check_medium(t, block, image, is_cd);
	if (!is_cd || !image)
		note_checked(t, "%s %s", interface, is_cd ? "CDs" : "disk");
}

static void check_block(Try *t)
{
	UtmQmpBlockInfoList *list = NULL;
	UtmError *error = NULL;
	if (!is_ok(t, "query-block", utm_qmp_query_block(t->qmp, NULL, NULL, &list, &error), &error))
		return;
	for (size_t i = 0; i < count(t, "Drive"); i++)
		check_drive(t, list, i);
	if (is_set(t, "QEMU.UEFIBoot")) {
		const UtmQmpBlockInfo *code = find_block(list, "pflash0"), *variables = find_block(list, "pflash1");
		if (!code || !variables || !code->inserted || !variables->inserted || !code->inserted->ro ||
		    variables->inserted->ro)
			problem(t, "no UEFI flash");
		note_checked(t, "UEFI");
	}
	utm_struct_free(list);
}

/* A serial port is one only when something in the machine listens to its back end. */
static void check_serial(Try *t)
{
	UtmQmpChardevInfoList *list = NULL;
	UtmError *error = NULL;
	bool is_found = false, is_open = false;
	if (!is_ok(t, "query-chardev", utm_qmp_query_chardev(t->qmp, NULL, NULL, &list, &error), &error))
		return;
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i]->label, "term0") == 0) {
			is_found = true;
			is_open = list->items[i]->frontend_open;
		}
	}
	utm_struct_free(list);
	if (t->row->traits & NO_UART)
		note(t, "the board has no UART");
	else if (count(t, "Serial") && !is_open)
		problem(t, is_found ? "no UART takes the serial port" : "no serial port");
	else if (count(t, "Serial"))
		note_checked(t, "serial");
}

static void check_memory(Try *t)
{
	UtmQmpMemoryInfo *memory = NULL;
	UtmError *error = NULL;
	int64_t mib = 0;
	utm_config_get_int(t->config, "System.MemorySize", &mib, NULL);
	if (!is_ok(t, "memory", utm_qmp_query_memory_size_summary(t->qmp, NULL, NULL, &memory, &error), &error))
		return;
	if (memory->base_memory != (uint64_t)mib << 20)
		problem(t, "%" G_GINT64_FORMAT " MiB became %" G_GUINT64_FORMAT " bytes", mib, memory->base_memory);
	note_checked(t, "%" G_GINT64_FORMAT " MiB", mib);
	utm_struct_free(memory);
}

/* As many as the command line says: the configuration leaves the number to the host. */
static size_t count_asked_cpus(Try *t)
{
	UtmHost *host = NULL;
	UtmArgv *argv = NULL;
	UtmError *error = NULL;
	size_t cpus = 0;
	if (is_ok(t, "probe", utm_host_probe(context, t->config, &host, &error), &error) &&
	    is_ok(t, "argv", utm_argv_build(t->config, utm_bundle_get_path(t->bundle), host, &argv, &error), &error)) {
		for (const char *const *word = utm_argv_get_strings(argv); *word; word++)
			if (strcmp(*word, "-smp") == 0 && g_str_has_prefix(word[1], "cpus="))
				cpus = (size_t)g_ascii_strtoull(word[1] + strlen("cpus="), NULL, 10);
		utm_argv_unref(argv);
	}
	utm_host_unref(host);
	return cpus;
}

static void check_cpus(Try *t)
{
	UtmQmpCpuInfoFastList *list = NULL;
	UtmError *error = NULL;
	size_t asked = count_asked_cpus(t);
	if (!is_ok(t, "cpus", utm_qmp_query_cpus_fast(t->qmp, NULL, NULL, &list, &error), &error))
		return;
	if (list->count != asked)
		problem(t, "%zu CPUs became %zu", asked, list->count);
	note_checked(t, "%zu CPU%s", list->count, list->count == 1 ? "" : "s");
	utm_struct_free(list);
}

/* --- PCI --- */

static const struct {
	const char *section;
	int64_t class_; /* its upper byte */
} classes[] = { { "Display", 0x03 }, { "Network", 0x02 }, { "Sound", 0x04 } };

static bool is_pci(Try *t, const char *type)
{
	UtmQmpQomListTypesArgs *args = utm_qmp_qom_list_types_args_new();
	UtmQmpObjectTypeInfoList *list = NULL;
	UtmError *error = NULL;
	bool found = false;
	utm_set_string(&args->implements, "pci-device");
	if (is_ok(t, "types", utm_qmp_qom_list_types(t->qmp, args, NULL, &list, &error), &error))
		for (size_t i = 0; i < list->count && !found; i++)
			found = strcmp(list->items[i]->name, type) == 0;
	utm_struct_free(list);
	utm_qmp_qom_list_types_args_free(args);
	return found;
}

static guint count_class_of(const UtmQmpPciDeviceInfo *device, int64_t class_)
{
	guint found = device->class_info->class_ >> 8 == class_;
	if (device->pci_bridge)
		for (size_t i = 0; i < device->pci_bridge->devices_count; i++)
			found += count_class_of(device->pci_bridge->devices[i], class_);
	return found;
}

static guint count_class(const UtmQmpPciInfo *bus, int64_t class_)
{
	guint found = 0;
	for (size_t i = 0; i < bus->devices_count; i++)
		found += count_class_of(bus->devices[i], class_);
	return found;
}

/* What is behind a bridge shows only when the guest's firmware has numbered the buses. */
static bool has_closed_bridge(const UtmQmpPciInfo *bus)
{
	for (size_t i = 0; i < bus->devices_count; i++)
		if (bus->devices[i]->pci_bridge && !bus->devices[i]->pci_bridge->bus->secondary)
			return true;
	return false;
}

static void check_pci(Try *t)
{
	UtmQmpPciInfoList *list = NULL;
	UtmError *error = NULL;
	/* There are QEMUs without PCI, which have the command all the same. */
	if (utm_qmp_query_pci(t->qmp, NULL, NULL, &list, &error) < 0 &&
	    strcmp(utm_error_get_message(error), "this feature or command is not currently supported") == 0) {
		utm_error_unref(error);
		return;
	}
	if (!is_ok(t, "query-pci", list ? 0 : -1, &error))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(classes); i++) {
		g_autofree char *hardware = get_text(t, "%s[0].Hardware", classes[i].section);
		guint found = 0;
		for (size_t k = 0; k < list->count; k++)
			found += count_class(list->items[k], classes[i].class_) + has_closed_bridge(list->items[k]);
		if (hardware && !found && is_pci(t, get_type(hardware)))
			problem(t, "%s is not on the PCI bus", hardware);
	}
	if (list->count)
		note_checked(t, "PCI");
	utm_struct_free(list);
}

/* --- the picture --- */

static void check_screen(Try *t)
{
	g_autofree char *path = g_build_filename(place, "screen.ppm", NULL);
	g_autofree char *data = NULL;
	UtmQmpScreendumpArgs *args = utm_qmp_screendump_args_new();
	UtmError *error = NULL;
	UtmQmpSpiceInfo *spice = NULL;
	gsize length = 0;
	utm_set_string(&args->filename, path);
	if (count(t, "Display") && is_ok(t, "screen", utm_qmp_screendump(t->qmp, args, NULL, &error), &error)) {
		if (!g_file_get_contents(path, &data, &length, NULL) || !g_str_has_prefix(data, "P6\n") || length < 1000)
			problem(t, "the screen's picture is %zu bytes", length);
		g_remove(path);
	}
	if (is_ok(t, "spice", utm_qmp_query_spice(t->qmp, NULL, NULL, &spice, &error), &error) && !spice->enabled)
		problem(t, "no SPICE");
	utm_struct_free(spice);
	utm_qmp_screendump_args_free(args);
}

static void learn_version(Try *t)
{
	UtmQmpVersionInfo *info = NULL;
	UtmError *error = NULL;
	if (!is_ok(t, "version", utm_qmp_query_version(t->qmp, NULL, NULL, &info, &error), &error))
		return;
	g_free(version);
	version = g_strdup_printf("%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT "%s%s", info->qemu->major,
	                          info->qemu->minor, info->qemu->micro, *info->package ? ", " : "", info->package);
	utm_struct_free(info);
}

static void check_identity(Try *t)
{
	g_autofree char *wanted = get_text(t, "Information.UUID");
	UtmQmpStatusInfo *status = NULL;
	UtmQmpNameInfo *name = NULL;
	UtmQmpUuidInfo *uuid = NULL;
	UtmError *error = NULL;
	if (is_ok(t, "status", utm_qmp_query_status(t->qmp, NULL, NULL, &status, &error), &error) &&
	    status->status != UTM_QMP_RUN_STATE_PRELAUNCH)
		problem(t, "the guest is in state %d", status->status);
	if (is_ok(t, "name", utm_qmp_query_name(t->qmp, NULL, NULL, &name, &error), &error) &&
	    g_strcmp0(name->name, "New machine") != 0)
		problem(t, "its name is \"%s\"", name->name);
	if (is_ok(t, "uuid", utm_qmp_query_uuid(t->qmp, NULL, NULL, &uuid, &error), &error) &&
	    g_ascii_strcasecmp(uuid->uuid, wanted) != 0)
		problem(t, "its identifier is %s", uuid->uuid);
	utm_struct_free(status);
	utm_struct_free(name);
	utm_struct_free(uuid);
}

/* --- start and end --- */

static void on_event(UtmVm *vm, const UtmVmEvent *event, void *data)
{
	Try *t = data;
	if (event->kind == UTM_VM_EVENT_WARNING)
		note(t, "%s", event->text);
}

static int try_start(Try *t, UtmError **error)
{
	UtmVmStartOptions options = UTM_VM_START_OPTIONS_INIT;
	options.flags = UTM_VM_START_PAUSED;
	options.timeout_ms = START_TIMEOUT_MS;
	int result = utm_vm_new(t->bundle, &t->vm, error);
	if (result < 0)
		return result;
	utm_vm_set_event_handler(t->vm, on_event, t, NULL);
	return utm_vm_start(t->vm, &options, error);
}

/* What a machine may lack without being wrong: QEMU, and a machine type that comes or goes with releases. */
static bool may_skip(Try *t, const UtmError *error)
{
	const char *tail = utm_error_get_stderr_tail(error);
	const char *remedy = utm_error_get_remedy(error);
	if (utm_error_get_code(error) == UTM_ERROR_QEMU_NOT_FOUND)
		t->skipped = g_strdup(remedy ? remedy : "QEMU is not installed");
	else if (t->row->traits & SOME_RELEASES && tail && strstr(tail, "unsupported machine type"))
		t->skipped = g_strdup("this QEMU has no such machine");
	else if (t->row->traits & SOME_RELEASES && tail && strstr(tail, "could not find firmware"))
		t->skipped = g_strdup("this QEMU comes without firmware for it");
	return t->skipped;
}

/* Distributions have UEFI for few architectures. */
static bool starts_without_firmware(Try *t, UtmError **error)
{
	if (utm_error_get_code(*error) != UTM_ERROR_FIRMWARE_NOT_FOUND)
		return false;
	g_clear_pointer(error, utm_error_unref);
	g_clear_pointer(&t->vm, utm_vm_unref);
	g_clear_pointer(&t->bundle, utm_bundle_unref);
	g_autofree char *path = g_build_filename(place, "M, x.utm", NULL);
	test_remove_tree(path);
	note(t, "no UEFI firmware here");
	utm_config_set_bool(t->config, "QEMU.UEFIBoot", false, NULL);
	return make_bundle(t) && try_start(t, error) == 0;
}

static bool start(Try *t)
{
	UtmError *error = NULL;
	int result = try_start(t, &error);
	if (result < 0 && starts_without_firmware(t, &error))
		result = 0;
	if (result == 0)
		t->qmp = utm_vm_get_qmp(t->vm);
	else if (may_skip(t, error))
		g_clear_pointer(&error, utm_error_unref);
	else
		is_ok(t, "start", result, &error);
	return t->qmp;
}

static void look(Try *t)
{
	learn_version(t);
	check_identity(t);
	check_findings(t);
	check_devices(t);
	check_usb(t);
	check_rng(t);
	check_network(t);
	check_block(t);
	check_serial(t);
	check_memory(t);
	check_cpus(t);
	check_pci(t);
	check_screen(t);
}

static void stop(Try *t)
{
	UtmError *error = NULL;
	if (!is_ok(t, "stop", utm_vm_stop(t->vm, UTM_VM_STOP_FORCE, NULL, &error), &error))
		return;
	if (utm_end_reason_get_kind(utm_vm_get_end_reason(t->vm)) != UTM_END_QUIT)
		problem(t, "it ended: %s", utm_end_reason_get_text(utm_vm_get_end_reason(t->vm)));
}

/* One line a machine. */
static void tell(const Try *t)
{
	g_strdelimit(t->problems->str, "\r\n", ' ');
	g_autofree char *target = t->config ? get_text(t, "System.Target") : g_strdup(t->row->target);
	const char *result = t->problems->len ? "FAILED" : t->skipped ? "skipped" : "ok";
	g_string_append_printf(table, "# | %-12s %-21s %-7s %s", t->row->architecture, target, result,
	                       t->problems->len ? t->problems->str : t->skipped ? t->skipped : t->checked->str);
	if (t->notes->len && !t->skipped)
		g_string_append_printf(table, " (%s)", t->notes->str);
	g_string_append_c(table, '\n');
}

static void test_machine(gconstpointer data)
{
	Try try = { .row = data }, *t = &try;
	t->types = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	t->checked = g_string_new(NULL);
	t->problems = g_string_new(NULL);
	t->notes = g_string_new(NULL);
	if (make_config(t) && make_bundle(t) && start(t)) {
		utm_context_dispatch(context, 0);
		look(t);
		stop(t);
	}
	tell(t);
	if (t->problems->len)
		g_test_fail_printf("%s", t->problems->str);
	else if (t->skipped)
		g_test_skip(t->skipped);
	utm_vm_unref(t->vm);
	utm_bundle_unref(t->bundle);
	utm_config_unref(t->config);
	g_autofree char *path = g_build_filename(place, "M, x.utm", NULL);
	test_remove_tree(path);
	g_hash_table_unref(t->types);
	g_string_free(t->checked, TRUE);
	g_string_free(t->problems, TRUE);
	g_string_free(t->notes, TRUE);
	g_free(t->skipped);
}

/* --- all of them --- */

static bool has_row(const char *architecture)
{
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
		if (!rows[i].target && strcmp(rows[i].architecture, architecture) == 0)
			return true;
	return false;
}

/* The table above knows the default machine of every architecture that a configuration can have. */
static void test_every_architecture(void)
{
	UtmConfigKey key = UTM_CONFIG_KEY_INIT;
	UtmConfigValue value = UTM_CONFIG_VALUE_INIT;
	UtmConfigType type = UTM_CONFIG_TYPE_INIT;
	g_assert_cmpint(utm_config_schema_find_key(UTM_BACKEND_QEMU, "System.Architecture", &key, NULL), ==, 0);
	g_assert_cmpint(utm_config_schema_get_type(key.type, &type, NULL), ==, 0);
	g_assert_cmpuint(type.count, >, 20);
	for (size_t i = 0; i < type.count; i++) {
		g_assert_cmpint(utm_config_schema_get_value(key.type, i, &value, NULL), ==, 0);
		if (!has_row(value.text))
			g_test_fail_printf("no default machine of %s", value.text);
	}
}

static void make_context(void)
{
	const char *other = g_getenv("UTM_TEST_QEMU");
	g_autofree char *bin = other ? g_build_filename(other, "bin", NULL) : NULL;
	const char *dirs[] = { bin, NULL };
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	options.runtime_dir = place;
	options.accel_policy = UTM_ACCEL_POLICY_TCG;
	options.qemu_dirs = bin ? dirs : NULL;
	context = utm_context_new(&options, NULL);
	g_assert_nonnull(context);
}

static bool make_disk(void)
{
	g_autofree char *command = NULL;
	int status = -1;
	disk = g_build_filename(place, "disk.qcow2", NULL);
	command = g_strdup_printf("qemu-img create -q -f qcow2 %s 2M", disk);
	return g_spawn_command_line_sync(command, NULL, NULL, &status, NULL) && status == 0;
}

/* One machine that fails says nothing of the others. */
static void keep_going(int argc, char **argv)
{
	g_autofree char **more = g_new0(char *, argc + 2);
	memcpy(more, argv, (gsize)argc * sizeof *more);
	more[argc++] = (char *)"--keep-going";
	char **taken = more;
	g_test_init(&argc, &taken, NULL);
}

int main(int argc, char **argv)
{
	keep_going(argc, argv);
	place = g_dir_make_tmp("utm-new-XXXXXX", NULL);
	table = g_string_new("# | architecture machine               result\n");
	if (!make_disk()) {
		g_print("1..0 # SKIP there is no qemu-img (package qemu-utils)\n");
		test_remove_tree(place);
		return 0;
	}
	make_context();
	g_test_add_func("/machines/every-architecture", test_every_architecture);
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *path = g_strdup_printf("/machines/%s/%s", rows[i].architecture,
		                                        rows[i].target ? rows[i].target : "default");
		g_test_add_data_func(path, &rows[i], test_machine);
	}
	int result = g_test_run();
	g_print("%s# | (QEMU %s)\n", table->str, version ? version : "is not installed");
	utm_context_unref(context);
	test_remove_tree(place);
	g_string_free(table, TRUE);
	g_free(place);
	g_free(disk);
	g_free(version);
	return result;
}
