/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What UTM gives a new machine. The schema says what every new machine has; here is what depends on the architecture and
 * the machine type, as tables, and written through key paths so that it is checked like any other edit.
 */
#include "base/sized-struct.h"
#include "config/config-private.h"
#include "host/cores.h"
#include "host/machines.h"
#include "schema/path.h"

#include <string.h>

/* Longer than the name of any machine type. */
#define TARGET_LENGTH_MAX 64

/* The default machine type, and the devices of machine types without a rule of their own: the first that QEMU lists. */
typedef struct Defaults {
	const char *architecture;
	const char *target;
	const char *display; /* NULL: none is known */
	const char *network;
	const char *sound;
} Defaults;

static const Defaults defaults[] = {
	{ "alpha", "clipper", "VGA", "e1000", "sb16" },
	{ "arm", "virt", "VGA", "e1000e", "ES1370" },
	{ "aarch64", "virt", "VGA", "e1000e", "ES1370" },
	{ "avr", "mega", NULL, NULL, NULL },
	{ "hppa", "B160L", "VGA", "e1000", "sb16" },
	{ "i386", "q35", "VGA", "e1000e", "sb16" },
	{ "loongarch64", "virt", "VGA", "e1000e", "sb16" },
	{ "m68k", "mcf5208evb", "nubus-macfb", "virtio-net-device", "virtio-sound-device" },
	{ "microblaze", "petalogix-s3adsp1800", NULL, NULL, NULL },
	{ "microblazeel", "petalogix-s3adsp1800", NULL, NULL, NULL },
	{ "mips", "malta", "VGA", "e1000", "sb16" },
	{ "mipsel", "malta", "VGA", "e1000", "sb16" },
	{ "mips64", "malta", "VGA", "e1000", "sb16" },
	{ "mips64el", "malta", "VGA", "e1000e", "sb16" },
	{ "or1k", "or1k-sim", "VGA", "e1000", "ES1370" },
	{ "ppc", "g3beige", "VGA", "eTSEC", "sb16" },
	{ "ppc64", "pseries-10.0", "VGA", "eTSEC", "sb16" },
	{ "riscv32", "spike", "VGA", "e1000e", "ES1370" },
	{ "riscv64", "virt", "VGA", "e1000e", "ES1370" },
	{ "rx", "gdbsim-r5f562n7", NULL, NULL, NULL },
	{ "s390x", "s390-ccw-virtio-10.0", "virtio-gpu-ccw", "e1000e", "virtio-sound-pci" },
	{ "sh4", "none", "VGA", "e1000", "sb16" },
	{ "sh4eb", "none", "VGA", "e1000", "sb16" },
	{ "sparc", "SS-5", "tcx", "lance", NULL },
	{ "sparc64", "sun4u", "VGA", "e1000", "sb16" },
	{ "tricore", "tricore_testboard", NULL, NULL, NULL },
	{ "x86_64", "q35", "VGA", "e1000e", "sb16" },
	{ "xtensa", "sim", "VGA", "e1000", "ES1370" },
	{ "xtensaeb", "sim", "VGA", "e1000", "ES1370" },
};

enum {
	FIXED_SIZE = 1u << 0,  /* the display keeps its resolution */
	FIRMWARE = 1u << 1,    /* UEFI and a source of randomness, where the architecture has UEFI */
	USB3 = 1u << 2,
	WEBDAV = 1u << 3,      /* and the clipboard */
	VIRTFS = 1u << 4,
	BUS_VIRTIO = 1u << 5,  /* disks are virtio, CDs are USB */
	NO_CARDS = 1u << 6,    /* there is no bus for what QEMU lists */
	LITTLE_RAM = 1u << 7,  /* 256 MiB are all that it takes */
	MUCH_RAM = 1u << 8,    /* with 1 GiB or less it does not start */
	MENDED = 1u << 9,      /* UTM has no such rule, and its new machine does not start */
};

/* The first that matches counts. Devices that are NULL are those of the architecture. */
typedef struct Rule {
	const char *architectures; /* names between blanks; NULL: all */
	const char *pattern;       /* of the machine type, with * and ? */
	const char *display;
	const char *network;
	const char *sound;
	guint32 traits;
} Rule;

#define PC (FIRMWARE | USB3 | WEBDAV)

static const Rule rules[] = {
	{ " i386 ", "pc*", "cirrus-vga", "ne2k_isa", "sb16", PC | FIXED_SIZE },
	{ NULL, "pc*", "cirrus-vga", "rtl8139", "sb16", PC | FIXED_SIZE },
	{ NULL, "q35*", "virtio-vga", "e1000", "intel-hda", PC },
	{ NULL, "isapc", "isa-vga", "ne2k_isa", "sb16", FIXED_SIZE },
	{ " arm aarch64 ", "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda", FIRMWARE | USB3 | WEBDAV | BUS_VIRTIO },
	{ " arm aarch64 ", "virt-*", "virtio-ramfb", "virtio-net-pci", "intel-hda", FIRMWARE | USB3 | WEBDAV | BUS_VIRTIO },
	{ " loongarch64 ", "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda", MENDED | MUCH_RAM | FIRMWARE | BUS_VIRTIO },
	{ NULL, "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda", FIRMWARE | BUS_VIRTIO },
	{ NULL, "virt-*", "virtio-ramfb", "virtio-net-pci", "intel-hda", FIRMWARE | BUS_VIRTIO },
	{ " ppc ppc64 ", "mac99", NULL, "sungem", "screamer", VIRTFS },
	{ " m68k ", "q800", "nubus-macfb", "dp8393x", "asc", VIRTFS },
	{ NULL, "none", NULL, NULL, NULL, MENDED | NO_CARDS },
	{ " s390x ", "*", NULL, "virtio-net-ccw", NULL, MENDED },
	{ " hppa ", "*", NULL, NULL, "ES1370", MENDED },
	{ " ppc ", "g3beige", NULL, "sungem", "ES1370", MENDED },
	{ NULL, "pseries*", NULL, "virtio-net-pci", "AC97", MENDED | BUS_VIRTIO },
	{ NULL, "pseries*", NULL, NULL, "AC97", BUS_VIRTIO },
	{ " or1k ", "or1k-sim", NULL, NULL, NULL, MENDED | NO_CARDS },
	{ " riscv32 ", "spike", NULL, NULL, NULL, MENDED | NO_CARDS },
	{ " xtensa xtensaeb ", "sim", NULL, NULL, NULL, MENDED | NO_CARDS },
	{ " sparc ", "SS-5", NULL, NULL, NULL, MENDED | LITTLE_RAM },
	{ NULL, "*", NULL, NULL, NULL, 0 },
};

static const Defaults *find_defaults(const char *architecture)
{
	for (gsize i = 0; i < G_N_ELEMENTS(defaults); i++)
		if (strcmp(defaults[i].architecture, architecture) == 0)
			return &defaults[i];
	return NULL;
}

/* Never NULL: the last rule takes all. */
static const Rule *find_rule(const char *architecture, const char *target, bool is_exact)
{
	g_autofree char *word = g_strdup_printf(" %s ", architecture);
	const Rule *rule = rules;
	while (!g_pattern_match_simple(rule->pattern, target) || (is_exact && (rule->traits & MENDED)) ||
	       (rule->architectures && !strstr(rule->architectures, word)))
		rule++;
	return rule;
}

/* --- what was asked for --- */

static int refuse(UtmError **error, const char *key_path, const char *remedy, UtmError *made)
{
	utm__error_set_key_path(made, key_path);
	return utm__fail_take(error, utm__error_set_remedy(made, remedy));
}

static int check_architecture(const char *architecture, UtmError **error)
{
	if (find_defaults(architecture))
		return 0;
	return refuse(error, "System.Architecture", "Use a name of QEMU's, such as x86_64, aarch64 or riscv64.",
	              utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE, "\"%.80s\" is no processor architecture of a guest",
	                             architecture));
}

/* The list depends on the QEMU that runs the machine; what cannot be in any is refused. */
static int check_target(const char *target, UtmError **error)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+";
	gsize length = strnlen(target, TARGET_LENGTH_MAX + 1);
	if (length > 0 && length <= TARGET_LENGTH_MAX && strspn(target, allowed) == length)
		return 0;
	return refuse(error, "System.Target", "Use one of the names that QEMU tells for -machine help.",
	              utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE, "\"%.80s\" can be no machine type of QEMU", target));
}

static int check_options(const UtmConfigNewOptions *options, UtmError **error)
{
	bool is_apple = options->backend == UTM_BACKEND_APPLE;
	if (options->flags & ~(uint32_t)UTM_CONFIG_NEW_UTM_EXACT)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "unknown flags: 0x%x", options->flags);
	if (options->backend != UTM_BACKEND_QEMU && !is_apple)
		return refuse(error, "Backend", "Use one of the values of UtmBackend.",
		              utm__error_new(UTM_ERROR_CONFIG_INVALID_BACKEND, "%d is no back end", (int)options->backend));
	if (is_apple && options->target)
		return refuse(error, "System.Target", "Leave it out, or choose the QEMU back end.",
		              utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE, "machines of the Apple back end have no machine type"));
	if (options->name && !*options->name)
		return refuse(error, "Information.Name", "Give it a name, or none for the usual one.",
		              utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE, "the name is empty"));
	if (is_apple && options->architecture && strcmp(options->architecture, "aarch64") != 0 &&
	    strcmp(options->architecture, "x86_64") != 0)
		return refuse(error, "System.Architecture", "Use aarch64 or x86_64.",
		              utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE, "no Mac has the processor architecture \"%.80s\"",
		                             options->architecture));
	return 0;
}

/* --- the machine --- */

/* Edits in a row: after the first that fails, the others do nothing. */
typedef struct Edit {
	UtmConfig *config;
	int result;
	UtmError **error;
} Edit;

static void set_string(Edit *edit, const char *key_path, const char *value)
{
	if (edit->result == 0 && value)
		edit->result = utm_config_set_string(edit->config, key_path, value, edit->error);
}

static void set_bool(Edit *edit, const char *key_path, bool value)
{
	if (edit->result == 0)
		edit->result = utm_config_set_bool(edit->config, key_path, value, edit->error);
}

/* A new element that differs from others in its hardware; none without. */
static void add_device(Edit *edit, const char *array, const char *hardware)
{
	if (edit->result < 0 || !hardware)
		return;
	g_autofree char *json = g_strdup_printf("{\"Hardware\":\"%s\"}", hardware);
	edit->result = utm_config_insert(edit->config, array, -1, json, edit->error);
}

static void add_devices(Edit *edit, const Defaults *usual, const Rule *rule, bool has_agent)
{
	bool has_bus = !(rule->traits & NO_CARDS);
	const char *display = rule->display ? rule->display : has_bus ? usual->display : NULL;
	const char *network = rule->network ? rule->network : has_bus ? usual->network : NULL;
	add_device(edit, "Display", display);
	add_device(edit, "Network", network);
	add_device(edit, "Sound", rule->sound ? rule->sound : has_bus ? usual->sound : NULL);
	if (display)
		set_bool(edit, "Display[0].DynamicResolution", has_agent && !(rule->traits & FIXED_SIZE));
	else if (edit->result == 0)
		edit->result = utm_config_insert(edit->config, "Serial", -1, "{}", edit->error);
	if (network)
		set_string(edit, "Network[0].Mode", "Shared");
}

static void set_switches(Edit *edit, const UtmArgvArchitecture *architecture, const Rule *rule, const char *host)
{
	bool has_firmware = (rule->traits & FIRMWARE) && architecture->code;
	bool has_usb = (architecture->traits & UTM_ARCH_USB) && strcmp(rule->pattern, "isapc") != 0;
	bool is_hosted = strcmp(host, architecture->name) == 0;
	const char *share = rule->traits & WEBDAV ? "WebDAV" : rule->traits & VIRTFS ? "VirtFS" : "None";

	set_bool(edit, "QEMU.UEFIBoot", has_firmware);
	set_bool(edit, "QEMU.RNGDevice", has_firmware);
	set_bool(edit, "QEMU.Hypervisor", is_hosted && (strcmp(host, "x86_64") == 0 || strcmp(host, "aarch64") == 0));
	set_string(edit, "Input.UsbBusSupport", !has_usb ? "Disabled" : rule->traits & USB3 ? "3.0" : "2.0");
	set_string(edit, "Sharing.DirectoryShareMode", share);
	set_bool(edit, "Sharing.ClipboardSharing", rule->traits & WEBDAV);
}

static void fill_qemu(Edit *edit, const UtmConfigNewOptions *options)
{
	const char *name = options->architecture ? options->architecture : "x86_64";
	const char *host = options->host_architecture ? options->host_architecture : utm__host_architecture();
	edit->result = check_architecture(name, edit->error);
	if (edit->result < 0)
		return;
	const Defaults *usual = find_defaults(name);
	const UtmArgvArchitecture *architecture = utm__architecture_find(name);
	const char *target = options->target ? options->target : usual->target;
	edit->result = check_target(target, edit->error);
	if (edit->result < 0)
		return;
	const Rule *rule = find_rule(name, target, options->flags & UTM_CONFIG_NEW_UTM_EXACT);
	set_string(edit, "System.Architecture", name);
	set_string(edit, "System.Target", target);
	if (edit->result == 0 && (rule->traits & (LITTLE_RAM | MUCH_RAM)))
		edit->result = utm_config_set_int(edit->config, "System.MemorySize", rule->traits & MUCH_RAM ? 2048 : 256, edit->error);
	set_switches(edit, architecture, rule, host);
	add_devices(edit, usual, rule, architecture->traits & UTM_ARCH_AGENT);
}

static void fill_apple(Edit *edit, const UtmConfigNewOptions *options)
{
	set_string(edit, "System.Architecture", options->architecture);
}

int utm_config_new_default(const UtmConfigNewOptions *options, UtmConfig **ret_config, UtmError **error)
{
	UtmConfigNewOptions taken = UTM_CONFIG_NEW_OPTIONS_INIT;
	if (!ret_config)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "ret_config must not be NULL");
	int result = utm__sized_copy(&taken, sizeof taken, sizeof taken, options, "UtmConfigNewOptions", error);
	if (result == 0)
		result = check_options(&taken, error);
	if (result < 0)
		return result;
	bool is_apple = taken.backend == UTM_BACKEND_APPLE;
	void *root = utm__schema_new(&utm__config_schema, is_apple ? UTM_CONFIG_SCHEMA_APPLE : UTM_CONFIG_SCHEMA_QEMU);
	g_autoptr(UtmConfig) config = utm__config_new_taking(root, UTM_CONFIG_FORMAT_CURRENT, 4, NULL);
	Edit edit = { .config = config, .error = error };
	set_string(&edit, "Information.Name", taken.name);
	if (edit.result == 0)
		(is_apple ? fill_apple : fill_qemu)(&edit, &taken);
	if (edit.result == 0)
		*ret_config = g_steal_pointer(&config);
	return edit.result;
}

const char *utm_config_get_default_interface(const UtmConfig *config, const char *image_type)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	if (!qemu)
		return NULL;
	const char *name = utm__config_architecture_get_text(qemu->system->architecture);
	const char *target = qemu->system->target ? qemu->system->target : "";
	if (find_rule(name, target, false)->traits & BUS_VIRTIO)
		return image_type && strcmp(image_type, "CD") == 0 ? "USB" : "VirtIO";
	return g_strv_contains((const char *const[]){ "sparc", "sparc64", "m68k", NULL }, name) ? "SCSI" : "IDE";
}
