/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a new machine has, and what a device has that is added to a machine without saying which one it is to be.
 *
 * The schema knows values that are new everywhere; here is what depends on the architecture and on the machine type: first
 * as UTM has it, and then what has to be different for QEMU to start the machine. UTM takes the first device of a list
 * when it has no rule, whether the machine has a bus for it or not.
 */
#include "config/defaults.h"

#include "base/sized-struct.h"
#include "config/migrate.h"

#include <utm/config-schema.h>

#include <string.h>

/* --- architectures --- */

/*
 * The machine type, and the devices of machine types without a rule below: those that come first in UTM's lists, or a
 * VGA card where there is one. NULL: there is none.
 */
static const struct {
	const char *target, *display, *network, *sound;
} architectures[] = {
	[UTM_CONFIG_ARCHITECTURE_ALPHA] = { "clipper", "VGA", "e1000", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_ARM] = { "virt", "VGA", "e1000e", "ES1370" },
	[UTM_CONFIG_ARCHITECTURE_AARCH64] = { "virt", "VGA", "e1000e", "ES1370" },
	[UTM_CONFIG_ARCHITECTURE_AVR] = { "mega", NULL, NULL, NULL },
	[UTM_CONFIG_ARCHITECTURE_HPPA] = { "B160L", "VGA", "e1000", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_I386] = { "q35", "VGA", "e1000e", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_LOONGARCH64] = { "virt", "VGA", "e1000e", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_M68K] = { "mcf5208evb", "nubus-macfb", "virtio-net-device", "virtio-sound-device" },
	[UTM_CONFIG_ARCHITECTURE_MICROBLAZE] = { "petalogix-s3adsp1800", NULL, NULL, NULL },
	[UTM_CONFIG_ARCHITECTURE_MICROBLAZEEL] = { "petalogix-s3adsp1800", NULL, NULL, NULL },
	[UTM_CONFIG_ARCHITECTURE_MIPS] = { "malta", "VGA", "e1000", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_MIPSEL] = { "malta", "VGA", "e1000", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_MIPS64] = { "malta", "VGA", "e1000", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_MIPS64EL] = { "malta", "VGA", "e1000e", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_OR1K] = { "or1k-sim", "VGA", "e1000", "ES1370" },
	[UTM_CONFIG_ARCHITECTURE_PPC] = { "g3beige", "VGA", "eTSEC", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_PPC64] = { "pseries-10.0", "VGA", "eTSEC", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_RISCV32] = { "spike", "VGA", "e1000e", "ES1370" },
	[UTM_CONFIG_ARCHITECTURE_RISCV64] = { "virt", "VGA", "e1000e", "ES1370" },
	[UTM_CONFIG_ARCHITECTURE_RX] = { "gdbsim-r5f562n7", NULL, NULL, NULL },
	[UTM_CONFIG_ARCHITECTURE_S390X] = { "s390-ccw-virtio-10.0", "virtio-gpu-ccw", "e1000e", "virtio-sound-pci" },
	[UTM_CONFIG_ARCHITECTURE_SH4] = { "none", "VGA", "e1000", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_SH4EB] = { "none", "VGA", "e1000", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_SPARC] = { "SS-5", "tcx", "lance", NULL },
	[UTM_CONFIG_ARCHITECTURE_SPARC64] = { "sun4u", "VGA", "e1000", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_TRICORE] = { "tricore_testboard", NULL, NULL, NULL },
	[UTM_CONFIG_ARCHITECTURE_X86_64] = { "q35", "VGA", "e1000e", "sb16" },
	[UTM_CONFIG_ARCHITECTURE_XTENSA] = { "sim", "VGA", "e1000", "ES1370" },
	[UTM_CONFIG_ARCHITECTURE_XTENSAEB] = { "sim", "VGA", "e1000", "ES1370" },
};

/* Without the version of UTM's QEMU, which another may not have, unless it is asked for. */
static char *dup_default_target(int32_t architecture, bool exact)
{
	const char *target = architectures[architecture].target;
	const char *version = exact ? NULL : g_strrstr(target, "-10.0");
	return version ? g_strndup(target, (gsize)(version - target)) : g_strdup(target);
}

/* --- machine types --- */

enum {
	UEFI = 1u << 0,    /* boots with it, where the architecture has firmware */
	RNG = 1u << 1,
	USB_3 = 1u << 2,
	NO_USB = 1u << 3,
	SHARES = 1u << 4,  /* a directory over WebDAV, and the clipboard */
	VIRTFS = 1u << 5,
	FIXED_SIZE = 1u << 6, /* the picture does not follow the window */
	VIRTIO = 1u << 7,  /* drives are VirtIO, and CDs USB */
	SCSI = 1u << 8,
	SCSI_CD = 1u << 9,
	RICH = UEFI | RNG | USB_3 | SHARES,
};

/* NULL: the architecture's. */
typedef struct Rule {
	const char *architectures; /* names between blanks; NULL: all */
	const char *target;        /* "pc*": all that begin so; "virt-*": virt and its versions; NULL: all */
	const char *display, *network, *sound;
	guint traits;
	int64_t memory_mib; /* 0: what the schema says */
} Rule;

/* The first that fits counts. */
static const Rule rules[] = {
	{ " i386 ", "pc*", "cirrus-vga", "ne2k_isa", "sb16", RICH | FIXED_SIZE, 0 },
	{ NULL, "pc*", "cirrus-vga", "rtl8139", "sb16", RICH | FIXED_SIZE, 0 },
	{ NULL, "q35*", "virtio-vga", "e1000", "intel-hda", RICH, 0 },
	{ NULL, "isapc", "isa-vga", "ne2k_isa", "sb16", NO_USB | FIXED_SIZE, 0 },
	{ " arm aarch64 ", "virt-*", "virtio-ramfb", "virtio-net-pci", "intel-hda", RICH | VIRTIO, 0 },
	{ " loongarch64 riscv64 ", "virt-*", "virtio-ramfb", "virtio-net-pci", "intel-hda", UEFI | RNG | VIRTIO, 0 },
	{ NULL, "virt-*", "virtio-ramfb", "virtio-net-pci", "intel-hda", VIRTIO, 0 },
	{ " ppc ppc64 ", "mac99", NULL, "sungem", "screamer", VIRTFS, 0 },
	{ " m68k ", "q800", "nubus-macfb", "dp8393x", "asc", VIRTFS | SCSI, 0 },
	{ NULL, "pseries*", NULL, NULL, "AC97", VIRTIO, 0 },
	{ " m68k sparc sparc64 ", NULL, NULL, NULL, NULL, SCSI, 0 },
	{ NULL, NULL, NULL, NULL, NULL, 0, 0 },
};

#define NONE ""

/* NULL, 0: it stays as it is. */
typedef struct Mending {
	const char *architectures, *target; /* as those of a rule */
	const char *display, *network, *sound;
	guint traits; /* besides those of the rule */
	int64_t memory_mib;
} Mending;

/* What QEMU 7.2 and 10.0 refuse, and what they take. The first that fits counts; without a reason nothing is mended. */
static const Mending mendings[] = {
	/* Nothing can be plugged into these. */
	{ NULL, "none", NONE, NONE, NONE, 0, 0 },
	{ " m68k ", "mcf5208evb", NONE, NONE, NONE, 0, 0 },
	{ " or1k ", "or1k-sim", NONE, NONE, NONE, 0, 0 },
	{ " riscv32 riscv64 xtensa xtensaeb ", "virt-*", NULL, NULL, NULL, 0, 0 },
	{ " riscv32 riscv64 xtensa xtensaeb ", NULL, NONE, NONE, NONE, 0, 0 },
	/* Devices are on the virtio bus itself, and there is no USB. */
	{ " m68k ", "virt-*", "virtio-gpu-device", "virtio-net-device", NONE, SCSI_CD, 0 },
	/* The ISA bus has no DMA, and there is no IDE. */
	{ " hppa ", NULL, NULL, NULL, "AC97", SCSI, 0 },
	/* Less than this does not start. */
	{ " loongarch64 ", NULL, NULL, NULL, NULL, 0, 1024 },
	/* eTSEC is for boards of Freescale, and few have ISA. */
	{ " ppc ppc64 ", "mac99", NULL, NULL, NULL, 0, 0 },
	{ " ppc ppc64 ", "ppce500", NULL, NULL, "AC97", 0, 0 },
	{ " ppc ppc64 ", "mpc8544ds", NULL, NULL, "AC97", 0, 0 },
	{ " ppc ppc64 ", "pseries*", NULL, "virtio-net-pci", NULL, 0, 0 },
	{ " ppc ppc64 ", NULL, NULL, "sungem", "AC97", 0, 0 },
	/* Other cards are not built in. */
	{ " s390x ", NULL, NULL, "virtio-net-ccw", NULL, VIRTIO | SCSI_CD, 0 },
	/* The ISA bus has no DMA, and the PCI bus for cards is not the usual one. */
	{ " sparc64 ", NULL, NULL, NULL, NONE, 0, 0 },
	/* More does not start. */
	{ " sparc ", NULL, NULL, NULL, NULL, 0, 256 },
};

static bool fits_target(const char *pattern, const char *target)
{
	const char *star = pattern ? strchr(pattern, '*') : NULL;
	gsize length = star ? (gsize)(star - pattern) : 0;
	if (!pattern || (star && strncmp(target, pattern, length) == 0))
		return true;
	/* "virt-*" means "virt" as well. */
	bool is_family = star && pattern[length - 1] == '-' && strlen(target) == length - 1;
	return is_family ? strncmp(target, pattern, length - 1) == 0 : !star && strcmp(target, pattern) == 0;
}

static bool fits_architecture(const char *architectures_or_null, const char *name)
{
	g_autofree char *word = g_strdup_printf(" %s ", name);
	return !architectures_or_null || strstr(architectures_or_null, word);
}

static const char *mend_device(const char *usual, const char *mended)
{
	if (!mended)
		return usual;
	return *mended ? mended : NULL;
}

static void mend(Rule *rule, const char *architecture, const char *target)
{
	for (gsize i = 0; i < G_N_ELEMENTS(mendings); i++) {
		const Mending *mending = &mendings[i];
		if (!fits_target(mending->target, target) || !fits_architecture(mending->architectures, architecture))
			continue;
		rule->display = mend_device(rule->display, mending->display);
		rule->network = mend_device(rule->network, mending->network);
		rule->sound = mend_device(rule->sound, mending->sound);
		rule->traits |= mending->traits;
		rule->memory_mib = mending->memory_mib;
		return;
	}
}

static Rule find_rule(const UtmConfigSystem *system, bool exact)
{
	const char *name = utm__config_enum_get_text("Architecture", system->architecture);
	const Rule *rule = rules;
	while (!fits_target(rule->target, system->target) || !fits_architecture(rule->architectures, name ? name : ""))
		rule++;
	Rule found = *rule;
	if (!name)
		return found;
	found.display = found.display ? found.display : architectures[system->architecture].display;
	found.network = found.network ? found.network : architectures[system->architecture].network;
	found.sound = found.sound ? found.sound : architectures[system->architecture].sound;
	if (!exact)
		mend(&found, name, system->target);
	return found;
}

/* --- devices --- */

static void set_text(char **place, const char *text)
{
	g_free(*place);
	*place = g_strdup(text);
}

static void fit_display(const Rule *rule, const UtmConfig *config, UtmConfigDisplay *display)
{
	bool follows = false;
	set_text(&display->hardware, rule->display);
	(void)utm_config_is_used(config, "Display[0].DynamicResolution", &follows, NULL);
	display->dynamic_resolution = follows && !(rule->traits & FIXED_SIZE);
}

static int32_t drive_interface(guint traits, int32_t image_type)
{
	bool is_cd = image_type == UTM_CONFIG_IMAGE_TYPE_CD;
	if (is_cd && (traits & SCSI_CD))
		return UTM_CONFIG_DRIVE_INTERFACE_SCSI;
	if (traits & VIRTIO)
		return is_cd ? UTM_CONFIG_DRIVE_INTERFACE_USB : UTM_CONFIG_DRIVE_INTERFACE_VIRTIO;
	return traits & SCSI ? UTM_CONFIG_DRIVE_INTERFACE_SCSI : UTM_CONFIG_DRIVE_INTERFACE_IDE;
}

static bool lacks(const UtmValue *said, const char *key)
{
	return !utm_value_get_member(said, key);
}

void utm__config_fit_device(UtmConfig *config, const char *section, gsize index, const UtmValue *said)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	if (!qemu)
		return;
	Rule rule = find_rule(qemu->system, false);
	if (strcmp(section, "Display") == 0 && lacks(said, "Hardware") && rule.display) {
		bool follows = qemu->display[index]->dynamic_resolution;
		fit_display(&rule, config, qemu->display[index]);
		if (!lacks(said, "DynamicResolution"))
			qemu->display[index]->dynamic_resolution = follows;
	} else if (strcmp(section, "Network") == 0 && lacks(said, "Hardware") && rule.network) {
		set_text(&qemu->network[index]->hardware, rule.network);
	} else if (strcmp(section, "Sound") == 0 && lacks(said, "Hardware") && rule.sound) {
		set_text(&qemu->sound[index]->hardware, rule.sound);
	} else if (strcmp(section, "Drive") == 0 && lacks(said, "Interface")) {
		UtmConfigDrive *drive = qemu->drive[index];
		if (drive->image_type == UTM_CONFIG_IMAGE_TYPE_DISK || drive->image_type == UTM_CONFIG_IMAGE_TYPE_CD)
			drive->interface = drive_interface(rule.traits, drive->image_type);
	}
}

/* --- machines of QEMU --- */

static void add_devices(UtmConfig *config, UtmConfigQemu *qemu, const Rule *rule)
{
	if (rule->display)
		fit_display(rule, config, utm__migration_append(qemu, "Display"));
	else
		utm__migration_append(qemu, "Serial");
	if (rule->network)
		set_text(&((UtmConfigNetwork *)utm__migration_append(qemu, "Network"))->hardware, rule->network);
	if (rule->sound)
		set_text(&((UtmConfigSound *)utm__migration_append(qemu, "Sound"))->hardware, rule->sound);
}

static void set_switches(UtmConfig *config, UtmConfigQemu *qemu, const Rule *rule, const char *host_architecture)
{
	bool has_firmware = false, has_usb = false, virtualizes = false;
	(void)utm_config_is_used(config, "QEMU.UEFIBoot", &has_firmware, NULL);
	(void)utm_config_is_used(config, "Input.UsbBusSupport", &has_usb, NULL);
	(void)utm_config_is_used(config, "QEMU.Hypervisor", &virtualizes, NULL);
	const char *name = utm__config_enum_get_text("Architecture", qemu->system->architecture);
	qemu->qemu->uefi_boot = has_firmware && (rule->traits & UEFI);
	qemu->qemu->rng_device = rule->traits & RNG;
	qemu->qemu->hypervisor = virtualizes && strcmp(name, host_architecture) == 0;
	if (!has_usb || (rule->traits & NO_USB))
		qemu->input->usb_bus_support = UTM_CONFIG_USB_BUS_DISABLED;
	else
		qemu->input->usb_bus_support = rule->traits & USB_3 ? UTM_CONFIG_USB_BUS_3_0 : UTM_CONFIG_USB_BUS_2_0;
	if (rule->traits & SHARES)
		qemu->sharing->directory_share_mode = UTM_CONFIG_SHARE_MODE_WEB_DAV;
	else if (rule->traits & VIRTFS)
		qemu->sharing->directory_share_mode = UTM_CONFIG_SHARE_MODE_VIRT_FS;
	qemu->sharing->clipboard_sharing = rule->traits & SHARES;
}

static int fail_architecture(const char *name, UtmError **error)
{
	UtmError *made = utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE, "\"%.80s\" is no architecture of this back end", name);
	return utm__fail_take(error, utm__error_set_key_path(made, "System.Architecture"));
}

static int new_qemu(const UtmConfigNewOptions *options, UtmConfig **ret_config, UtmError **error)
{
	const char *name = options->architecture ? options->architecture : "x86_64";
	bool exact = options->flags & UTM_CONFIG_NEW_UTM_EXACT;
	int32_t architecture =
		utm__schema_enum_from_text(&utm__config_schema, UTM_CONFIG_SCHEMA_ARCHITECTURE, name, strlen(name));
	if (architecture < 0)
		return fail_architecture(name, error);
	if (options->operating_system)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "an operating system is chosen for machines of Apple only");
	UtmConfigQemu *qemu = utm__schema_new(&utm__config_schema, UTM_CONFIG_SCHEMA_QEMU);
	UtmConfig *config = utm__config_new_taking(qemu, UTM_CONFIG_FORMAT_CURRENT, 4, NULL);
	qemu->system->architecture = architecture;
	g_free(qemu->system->target);
	qemu->system->target = options->target ? g_strdup(options->target) : dup_default_target(architecture, exact);
	Rule rule = find_rule(qemu->system, exact);
	if (rule.memory_mib)
		qemu->system->memory_size = rule.memory_mib;
	add_devices(config, qemu, &rule);
	set_switches(config, qemu, &rule, options->host_architecture ? options->host_architecture : HOST_ARCHITECTURE);
	*ret_config = config;
	return 0;
}

/* --- machines of Apple --- */

/* The identity of the machine that Linux runs on is for Apple's framework to make, when the machine first starts. */
static void prepare_linux(UtmConfigApple *apple)
{
	apple->system->boot->uefi_boot = true;
	apple->system->generic_platform = utm__schema_new(&utm__config_schema, UTM_CONFIG_SCHEMA_APPLE_GENERIC_PLATFORM);
}

static int new_apple(const UtmConfigNewOptions *options, UtmConfig **ret_config, UtmError **error)
{
	const char *name = options->architecture;
	const char *system = options->operating_system ? options->operating_system : "None";
	if (name && strcmp(name, "aarch64") != 0 && strcmp(name, "x86_64") != 0)
		return fail_architecture(name, error);
	if (options->target)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "machines of Apple have no machine type");
	int32_t boots = utm__schema_enum_from_text(&utm__config_schema, UTM_CONFIG_SCHEMA_APPLE_OPERATING_SYSTEM, system,
	                                           strlen(system));
	if (boots < 0)
		return utm__fail_take(error, utm__error_set_key_path(utm__error_new(UTM_ERROR_CONFIG_INVALID_VALUE,
			"\"%.80s\" is none of None, Linux and macOS", system), "System.Boot.OperatingSystem"));
	UtmConfigApple *apple = utm__schema_new(&utm__config_schema, UTM_CONFIG_SCHEMA_APPLE);
	apple->system->boot->operating_system = boots;
	if (name)
		set_text(&apple->system->architecture, name);
	if (boots == UTM_CONFIG_APPLE_OPERATING_SYSTEM_LINUX)
		prepare_linux(apple);
	utm__migration_append(apple, "Network");
	*ret_config = utm__config_new_taking(apple, UTM_CONFIG_FORMAT_CURRENT, 4, NULL);
	return 0;
}

/* --- the call --- */

static int check(const UtmConfigNewOptions *options, UtmError **error)
{
	const char *texts[] = { options->name, options->architecture, options->target, options->operating_system };
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
		if (texts[i] && !*texts[i])
			return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "a text of UtmConfigNewOptions is empty");
	return 0;
}

int utm_config_new_default(const UtmConfigNewOptions *options, UtmConfig **ret_config, UtmError **error)
{
	UtmConfigNewOptions checked = UTM_CONFIG_NEW_OPTIONS_INIT;
	g_autoptr(UtmConfig) config = NULL;
	if (!ret_config)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "ret_config must not be NULL");
	int result = utm__sized_copy(&checked, sizeof checked, sizeof checked, options, "UtmConfigNewOptions", error);
	if (result == 0)
		result = check(&checked, error);
	if (result < 0)
		return result;
	if (!checked.backend || checked.backend == UTM_BACKEND_QEMU)
		result = new_qemu(&checked, &config, error);
	else if (checked.backend == UTM_BACKEND_APPLE)
		result = new_apple(&checked, &config, error);
	else
		result = utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "UtmConfigNewOptions.backend is none of UtmBackend");
	if (result == 0 && checked.name)
		result = utm_config_set_string(config, "Information.Name", checked.name, error);
	/* A word that QEMU or a property list cannot take is refused like in an edit. */
	if (result == 0 && checked.target)
		result = utm_config_set_string(config, "System.Target", checked.target, error);
	if (result == 0)
		*ret_config = g_steal_pointer(&config);
	return result;
}
