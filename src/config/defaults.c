/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a new machine has, and what a device has that is added to one without saying which it is to be. The schema says what
 * is the same everywhere; here is what depends on the architecture and the machine type, as tables, and written through key
 * paths so that it is checked like any other edit: first as UTM has it, and then what has to be different for QEMU to start
 * the machine. UTM takes the first device of a list where it has no rule, whether the machine has a bus for it or not.
 */
#include "config/defaults.h"

#include "base/sized-struct.h"
#include "base/util.h"
#include "config/migrate.h"

#include <utm/config-schema.h>

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
	FIXED_SIZE = 1u << 0, /* the display keeps its resolution */
	FIRMWARE = 1u << 1,   /* UEFI and a source of randomness, where the architecture has UEFI */
	USB3 = 1u << 2,
	NO_USB = 1u << 3,
	WEBDAV = 1u << 4,     /* and the clipboard */
	VIRTFS = 1u << 5,
};

/* The first that matches counts. Devices that are NULL are those of the architecture, and drives IDE. */
typedef struct Rule {
	const char *architectures; /* names between blanks; NULL: all */
	const char *pattern;       /* of the machine type, with * and ? */
	const char *display;
	const char *network;
	const char *sound;
	const char *disk; /* how disks are attached */
	const char *cd;   /* and CDs */
	guint32 traits;
	int64_t memory_mib; /* 0: as everywhere */
} Rule;

#define PC (FIRMWARE | USB3 | WEBDAV)
#define VIRT "virtio-ramfb", "virtio-net-pci", "intel-hda", "VirtIO", "USB"

static const Rule rules[] = {
	{ " i386 ", "pc*", "cirrus-vga", "ne2k_isa", "sb16", NULL, NULL, PC | FIXED_SIZE, 0 },
	{ NULL, "pc*", "cirrus-vga", "rtl8139", "sb16", NULL, NULL, PC | FIXED_SIZE, 0 },
	{ NULL, "q35*", "virtio-vga", "e1000", "intel-hda", NULL, NULL, PC, 0 },
	{ NULL, "isapc", "isa-vga", "ne2k_isa", "sb16", NULL, NULL, FIXED_SIZE | NO_USB, 0 },
	{ " arm aarch64 ", "virt", VIRT, PC, 0 },
	{ " arm aarch64 ", "virt-*", VIRT, PC, 0 },
	{ " m68k ", "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda", "VirtIO", "SCSI", FIRMWARE, 0 },
	{ " m68k ", "virt-*", "virtio-ramfb", "virtio-net-pci", "intel-hda", "VirtIO", "SCSI", FIRMWARE, 0 },
	{ NULL, "virt", VIRT, FIRMWARE, 0 },
	{ NULL, "virt-*", VIRT, FIRMWARE, 0 },
	{ " ppc ppc64 ", "mac99", NULL, "sungem", "screamer", NULL, NULL, VIRTFS, 0 },
	{ " m68k ", "q800", "nubus-macfb", "dp8393x", "asc", "SCSI", "SCSI", VIRTFS, 0 },
	{ NULL, "pseries*", NULL, NULL, "AC97", "VirtIO", "USB", 0, 0 },
	{ " m68k sparc sparc64 ", "*", NULL, NULL, NULL, "SCSI", "SCSI", 0, 0 },
	{ NULL, "*", NULL, NULL, NULL, NULL, NULL, 0, 0 },
};

#define NONE ""
#define BARE NONE, NONE, NONE /* nothing can be plugged in */

/*
 * What QEMU 7.2 and 10.0 refuse, and what they take: a test starts each of these machines. The first that matches counts.
 * NULL and 0: it stays; traits are added.
 */
static const Rule mendings[] = {
	{ NULL, "none", BARE, NULL, NULL, NO_USB, 0 },
	{ NULL, "microvm", BARE, "VirtIO", "SCSI", NO_USB, 0 },
	/* Boards have as much memory as the real ones, or no more than these could. */
	{ " arm aarch64 ", "virt*", NULL, NULL, NULL, NULL, NULL, 0, 0 },
	{ " arm aarch64 ", "sbsa-ref", NULL, NULL, NULL, NULL, NULL, 0, 0 },
	{ " arm aarch64 ", "raspi0", BARE, "USB", "USB", 0, 512 },
	{ " arm aarch64 ", "raspi?ap", BARE, "USB", "USB", 0, 512 },
	{ " arm aarch64 ", "raspi4b", BARE, "USB", "USB", 0, 2048 },
	{ " arm aarch64 ", "raspi*", BARE, "USB", "USB", 0, 1024 },
	{ " arm aarch64 ", "vexpress-*", BARE, "VirtIO", "SCSI", NO_USB, 0 },
	{ " arm aarch64 ", "versatile?b", NULL, NULL, NULL, "SCSI", "SCSI", 0, 256 },
	{ " arm aarch64 ", "realview-eb*", NULL, NULL, NULL, "SCSI", "SCSI", 0, 256 },
	{ " arm aarch64 ", "highbank", BARE, NULL, NULL, NO_USB, 0 },
	{ " arm aarch64 ", "midway", BARE, NULL, NULL, NO_USB, 0 },
	{ " arm aarch64 ", "*", BARE, NULL, NULL, 0, 0 },
	{ " or1k riscv32 riscv64 xtensa xtensaeb ", "virt*", NULL, NULL, NULL, NULL, NULL, 0, 0 },
	{ " riscv64 ", "microchip-icicle-kit", BARE, "SD", NULL, NO_USB, 2048 },
	{ " riscv32 riscv64 ", "sifive_u", BARE, "SD", NULL, NO_USB, 0 },
	{ " or1k riscv32 riscv64 xtensa xtensaeb ", "*", BARE, NULL, NULL, NO_USB, 0 },
	{ " avr microblaze microblazeel rx tricore ", "*", BARE, NULL, NULL, NO_USB, 0 },
	{ " m68k ", "mcf5208evb", BARE, NULL, NULL, 0, 0 },
	/* Devices are on the virtio bus itself, and there is no USB. */
	{ " m68k ", "virt*", "virtio-gpu-device", "virtio-net-device", NONE, NULL, NULL, 0, 0 },
	/* The ISA bus has no DMA, and there is no IDE. */
	{ " hppa ", "*", NULL, NULL, "ES1370", "SCSI", "SCSI", 0, 0 },
	/* With 1 GiB or less some do not start. */
	{ " loongarch64 ", "*", NULL, NULL, NULL, NULL, NULL, 0, 2048 },
	{ " mips64el ", "fuloong2e", NULL, NULL, NULL, NULL, NULL, 0, 256 },
	{ " mips64el ", "loongson3-virt", NULL, NULL, "ES1370", "VirtIO", "USB", 0, 0 },
	/* eTSEC is for boards of Freescale, and few have ISA. */
	{ " ppc ppc64 ", "mac99", NULL, NULL, NULL, NULL, NULL, 0, 0 },
	{ " ppc ppc64 ", "ppce500", NULL, NULL, "ES1370", "VirtIO", "SCSI", 0, 0 },
	{ " ppc ppc64 ", "mpc8544ds", NULL, NULL, "ES1370", "VirtIO", "SCSI", 0, 0 },
	{ " ppc ppc64 ", "pseries*", NULL, "virtio-net-pci", NULL, NULL, NULL, 0, 0 },
	{ " ppc64 ", "powernv*", BARE, NULL, NULL, NO_USB, 2048 },
	{ " ppc ppc64 ", "40p", NULL, "sungem", "ES1370", "SCSI", "SCSI", 0, 128 },
	{ " ppc ppc64 ", "sam460ex", NULL, "sungem", "ES1370", "SCSI", "SCSI", 0, 0 },
	{ " ppc ppc64 ", "*", NULL, "sungem", "ES1370", NULL, NULL, 0, 0 },
	/* Other cards are not built in; drives are neither on IDE nor on USB. */
	{ " s390x ", "*", NULL, "virtio-net-ccw", NULL, "VirtIO", "SCSI", 0, 0 },
	{ " sh4 sh4eb ", "*", NULL, NULL, "ES1370", NULL, NULL, 0, 0 },
	/* The ISA bus has no DMA, and sound cards would need to be told their bus. */
	{ " sparc64 ", "*", NULL, NULL, NONE, NULL, NULL, 0, 0 },
	/* More does not start. */
	{ " sparc ", "*", NULL, NULL, NULL, NULL, NULL, 0, 256 },
};

static const Defaults *find_defaults(const char *architecture)
{
	for (gsize i = 0; i < G_N_ELEMENTS(defaults); i++)
		if (strcmp(defaults[i].architecture, architecture) == 0)
			return &defaults[i];
	return NULL;
}

static bool matches(const Rule *rule, const char *architecture, const char *target)
{
	return g_pattern_match_simple(rule->pattern, target) &&
	       (!rule->architectures || utm__has_word(rule->architectures, architecture));
}

static const char *mend_device(const char *usual, const char *mended)
{
	return mended ? (*mended ? mended : NULL) : usual;
}

static void mend(Rule *rule, const char *architecture, const char *target)
{
	gsize i = 0;
	while (i < G_N_ELEMENTS(mendings) && !matches(&mendings[i], architecture, target))
		i++;
	if (i == G_N_ELEMENTS(mendings))
		return;
	rule->display = mend_device(rule->display, mendings[i].display);
	rule->network = mend_device(rule->network, mendings[i].network);
	rule->sound = mend_device(rule->sound, mendings[i].sound);
	rule->disk = mendings[i].disk ? mendings[i].disk : rule->disk;
	rule->cd = mendings[i].cd ? mendings[i].cd : rule->cd;
	rule->traits |= mendings[i].traits;
	rule->memory_mib = mendings[i].memory_mib;
}

/* With the devices that it leaves to the architecture. */
static Rule find_rule(const Defaults *usual, const char *target, bool is_exact)
{
	const Rule *rule = rules;
	while (!matches(rule, usual->architecture, target)) /* the last one takes all */
		rule++;
	Rule found = *rule;
	found.display = found.display ? found.display : usual->display;
	found.network = found.network ? found.network : usual->network;
	found.sound = found.sound ? found.sound : usual->sound;
	if (!is_exact)
		mend(&found, usual->architecture, target);
	return found;
}

/*
 * Unless UTM's own is asked for: without the version of its QEMU, which another may not have; and for the machine that has
 * not even a processor, one that has.
 */
static char *dup_target(const Defaults *usual, bool is_exact)
{
	const char *version = is_exact ? NULL : g_strrstr(usual->target, "-10.0");
	if (!is_exact && strcmp(usual->target, "none") == 0)
		return g_strdup("r2d");
	return version ? g_strndup(usual->target, (gsize)(version - usual->target)) : g_strdup(usual->target);
}

char *utm__config_dup_default_target(const char *architecture, bool is_exact)
{
	const Defaults *usual = find_defaults(architecture);
	return usual ? dup_target(usual, is_exact) : NULL;
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

static void set_text(Edit *edit, const char *key_path, const char *text)
{
	if (edit->result == 0)
		edit->result = utm_config_set_text(edit->config, key_path, text, edit->error);
}

static void insert(Edit *edit, const char *array, const char *json)
{
	if (edit->result == 0)
		edit->result = utm_config_insert(edit->config, array, -1, json, edit->error);
}

/* A new element that differs from others in its hardware; none without. */
static void add_device(Edit *edit, const char *array, const char *hardware)
{
	g_autofree char *json = hardware ? g_strdup_printf("{\"Hardware\":\"%s\"}", hardware) : NULL;
	if (json)
		insert(edit, array, json);
}

/* What the schema says of the architecture. */
static bool has_key(const Edit *edit, const char *key_path)
{
	bool is_used = false;
	return utm_config_is_used(edit->config, key_path, &is_used, NULL) == 0 && is_used;
}

static void add_devices(Edit *edit, const Rule *rule)
{
	add_device(edit, "Display", rule->display);
	add_device(edit, "Network", rule->network);
	add_device(edit, "Sound", rule->sound);
	if (rule->display)
		set_bool(edit, "Display[0].DynamicResolution",
		         has_key(edit, "Display[0].DynamicResolution") && !(rule->traits & FIXED_SIZE));
	else
		insert(edit, "Serial", "{}");
	if (rule->network)
		set_string(edit, "Network[0].Mode", "Shared");
}

static void set_switches(Edit *edit, const Rule *rule, bool is_hosted)
{
	bool has_firmware = (rule->traits & FIRMWARE) && has_key(edit, "QEMU.UEFIBoot");
	bool has_usb = has_key(edit, "Input.UsbBusSupport") && !(rule->traits & NO_USB);
	const char *share = rule->traits & WEBDAV ? "WebDAV" : rule->traits & VIRTFS ? "VirtFS" : "None";

	set_bool(edit, "QEMU.UEFIBoot", has_firmware);
	set_bool(edit, "QEMU.RNGDevice", has_firmware);
	set_bool(edit, "QEMU.Hypervisor", is_hosted && has_key(edit, "QEMU.Hypervisor"));
	set_string(edit, "Input.UsbBusSupport", !has_usb ? "Disabled" : rule->traits & USB3 ? "3.0" : "2.0");
	set_string(edit, "Sharing.DirectoryShareMode", share);
	set_bool(edit, "Sharing.ClipboardSharing", rule->traits & WEBDAV);
}

static void fill_qemu(Edit *edit, const UtmConfigNewOptions *options)
{
	const char *name = options->architecture ? options->architecture : "x86_64";
	const char *host = options->host_architecture ? options->host_architecture : HOST_ARCHITECTURE;
	bool is_exact = options->flags & UTM_CONFIG_NEW_UTM_EXACT;
	edit->result = check_architecture(name, edit->error);
	if (edit->result < 0)
		return;
	const Defaults *usual = find_defaults(name);
	g_autofree char *target = options->target ? g_strdup(options->target) : dup_target(usual, is_exact);
	edit->result = check_target(target, edit->error);
	if (edit->result < 0)
		return;
	Rule rule = find_rule(usual, target, is_exact);
	set_string(edit, "System.Architecture", name);
	set_string(edit, "System.Target", target);
	if (edit->result == 0 && rule.memory_mib)
		edit->result = utm_config_set_int(edit->config, "System.MemorySize", rule.memory_mib, edit->error);
	set_switches(edit, &rule, strcmp(host, name) == 0);
	add_devices(edit, &rule);
}

/*
 * UTM leaves open what boots, and its framework refuses that. Scripts get Linux from it, which is all that needs no Mac: UEFI,
 * a platform, whose identity the framework makes up, and a serial port instead of a screen.
 */
static void fill_apple(Edit *edit, const UtmConfigNewOptions *options)
{
	set_string(edit, "System.Architecture", options->architecture);
	if (options->flags & UTM_CONFIG_NEW_UTM_EXACT)
		return;
	set_string(edit, "System.Boot.OperatingSystem", "Linux");
	set_bool(edit, "System.Boot.UEFIBoot", true);
	set_string(edit, "System.Boot.EfiVariableStoragePath", UTM_CONFIG_EFI_VARS);
	set_text(edit, "System.GenericPlatform", "{}");
	insert(edit, "Serial", "{\"Mode\":\"Ptty\"}");
	/* A pseudo terminal looks like nothing, and files do not get it. */
	if (edit->result == 0)
		edit->result = utm_config_remove(edit->config, "Serial[0].Terminal", edit->error);
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

/* --- what fits a machine that there is already --- */

static bool find_rule_of(const UtmConfigQemu *qemu, Rule *ret_rule)
{
	const char *name = qemu ? utm__config_architecture_get_text(qemu->system->architecture) : NULL;
	const Defaults *usual = name ? find_defaults(name) : NULL;
	if (usual)
		*ret_rule = find_rule(usual, qemu->system->target ? qemu->system->target : "", false);
	return usual;
}

const char *utm_config_get_default_interface(const UtmConfig *config, const char *image_type)
{
	Rule rule;
	bool is_cd = image_type && strcmp(image_type, "CD") == 0;
	if (!find_rule_of(utm__config_get_qemu(config), &rule))
		return NULL;
	const char *name = is_cd ? rule.cd : rule.disk;
	return name ? name : "IDE";
}

/* Where nothing suits, what the schema put there stays. */
static void fit(char **hardware, const UtmValue *said, const char *fitting)
{
	if (!fitting || utm_value_get_member(said, "Hardware"))
		return;
	g_free(*hardware);
	*hardware = g_strdup(fitting);
}

static void fit_drive(const UtmConfig *config, UtmConfigDrive *drive, const UtmValue *said)
{
	bool is_disk = drive->image_type == UTM_CONFIG_IMAGE_TYPE_DISK, is_cd = drive->image_type == UTM_CONFIG_IMAGE_TYPE_CD;
	const char *name = utm_config_get_default_interface(config, is_cd ? "CD" : "Disk");
	if ((is_disk || is_cd) && name && !utm_value_get_member(said, "Interface"))
		drive->interface = utm__schema_enum_from_text(&utm__config_schema, UTM_CONFIG_SCHEMA_DRIVE_INTERFACE, name,
		                                              strlen(name));
}

void utm__config_fit_device(UtmConfig *config, const char *section, gsize index, const UtmValue *said)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	Rule rule;
	if (!find_rule_of(qemu, &rule))
		return;
	if (strcmp(section, "Display") == 0)
		fit(&qemu->display[index]->hardware, said, rule.display);
	else if (strcmp(section, "Network") == 0)
		fit(&qemu->network[index]->hardware, said, rule.network);
	else if (strcmp(section, "Sound") == 0)
		fit(&qemu->sound[index]->hardware, said, rule.sound);
	else if (strcmp(section, "Drive") == 0)
		fit_drive(config, qemu->drive[index], said);
}
