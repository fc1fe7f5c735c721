/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New machines: what UTM gives them, written down here a second time, and devices that are added to machines. */
#include "config/config-private.h"

#include <string.h>

/* NULL: no such device. */
static const struct {
	const char *architecture, *target, *display, *network, *sound;
} usual[] = {
	{ "alpha", "clipper", "VGA", "e1000", "sb16" },
	{ "arm", "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda" },
	{ "aarch64", "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda" },
	{ "avr", "mega", NULL, NULL, NULL },
	{ "hppa", "B160L", "VGA", "e1000", "sb16" },
	{ "i386", "q35", "virtio-vga", "e1000", "intel-hda" },
	{ "loongarch64", "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda" },
	{ "m68k", "mcf5208evb", "nubus-macfb", "virtio-net-device", "virtio-sound-device" },
	{ "microblaze", "petalogix-s3adsp1800", NULL, NULL, NULL },
	{ "microblazeel", "petalogix-s3adsp1800", NULL, NULL, NULL },
	{ "mips", "malta", "VGA", "e1000", "sb16" },
	{ "mipsel", "malta", "VGA", "e1000", "sb16" },
	{ "mips64", "malta", "VGA", "e1000", "sb16" },
	{ "mips64el", "malta", "VGA", "e1000e", "sb16" },
	{ "or1k", "or1k-sim", "VGA", "e1000", "ES1370" },
	{ "ppc", "g3beige", "VGA", "eTSEC", "sb16" },
	{ "ppc64", "pseries-10.0", "VGA", "eTSEC", "AC97" },
	{ "riscv32", "spike", "VGA", "e1000e", "ES1370" },
	{ "riscv64", "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda" },
	{ "rx", "gdbsim-r5f562n7", NULL, NULL, NULL },
	{ "s390x", "s390-ccw-virtio-10.0", "virtio-gpu-ccw", "e1000e", "virtio-sound-pci" },
	{ "sh4", "none", "VGA", "e1000", "sb16" },
	{ "sh4eb", "none", "VGA", "e1000", "sb16" },
	{ "sparc", "SS-5", "tcx", "lance", NULL },
	{ "sparc64", "sun4u", "VGA", "e1000", "sb16" },
	{ "tricore", "tricore_testboard", NULL, NULL, NULL },
	{ "x86_64", "q35", "virtio-vga", "e1000", "intel-hda" },
	{ "xtensa", "sim", "VGA", "e1000", "ES1370" },
	{ "xtensaeb", "sim", "VGA", "e1000", "ES1370" },
	/* other machine types */
	{ "x86_64", "pc", "cirrus-vga", "rtl8139", "sb16" },
	{ "x86_64", "pc-q35-8.0", "cirrus-vga", "rtl8139", "sb16" },
	{ "i386", "pc-i440fx-7.2", "cirrus-vga", "ne2k_isa", "sb16" },
	{ "i386", "isapc", "isa-vga", "ne2k_isa", "sb16" },
	{ "aarch64", "virt-7.2", "virtio-ramfb", "virtio-net-pci", "intel-hda" },
	{ "m68k", "virtual", "nubus-macfb", "virtio-net-device", "virtio-sound-device" },
	{ "m68k", "q800", "nubus-macfb", "dp8393x", "asc" },
	{ "ppc", "mac99", "VGA", "sungem", "screamer" },
	{ "ppc64", "pseries-10.0", "VGA", "eTSEC", "AC97" },
};

static UtmConfig *make(const char *architecture, const char *target, uint32_t flags)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	g_autoptr(UtmError) error = NULL;
	UtmConfig *config = NULL;

	options.architecture = architecture;
	options.target = target;
	options.host_architecture = "x86_64";
	options.flags = flags;
	if (utm_config_new_default(&options, &config, &error) < 0)
		g_error("%s: %s", architecture, utm_error_get_message(error));
	return config;
}

static void assert_text(const UtmConfig *config, const char *key_path, const char *wanted)
{
	char *text = NULL;

	if (utm_config_get_string(config, key_path, &text, NULL) < 0)
		text = NULL;
	g_assert_cmpstr(text, ==, wanted);
	utm_free(text);
}

static bool get_bool(const UtmConfig *config, const char *key_path)
{
	bool value = false;

	g_assert_cmpint(utm_config_get_bool(config, key_path, &value, NULL), ==, 0);
	return value;
}

/* Everything that is made can be written, and reads the same. */
static void assert_writes(const UtmConfig *config)
{
	g_autoptr(UtmError) error = NULL;
	g_autoptr(UtmConfig) read = NULL;
	char *data = NULL;
	size_t size = 0;

	g_assert_cmpint(utm_config_to_plist(config, &data, &size, &error), ==, 0);
	g_assert_cmpint(utm_config_new_from_data(data, size, &read, &error), ==, 0);
	g_assert_true(utm_config_equal(config, read));
	utm_free(data);
}

static void test_devices(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(usual); i++) {
		g_autoptr(UtmConfig) config = make(usual[i].architecture, i < 29 ? NULL : usual[i].target, UTM_CONFIG_NEW_UTM_EXACT);
		const UtmConfigQemu *qemu = utm__config_get_qemu(config);

		assert_text(config, "System.Architecture", usual[i].architecture);
		assert_text(config, "System.Target", usual[i].target);
		assert_text(config, "System.CPU", "default");
		assert_text(config, "Display[0].Hardware", usual[i].display);
		assert_text(config, "Network[0].Hardware", usual[i].network);
		assert_text(config, "Sound[0].Hardware", usual[i].sound);
		g_assert_cmpuint(qemu->display_count + qemu->serial_count, ==, 1);
		g_assert_cmpuint(qemu->serial_count, ==, !usual[i].display);
		g_assert_cmpuint(qemu->drive_count, ==, 0);
		g_assert_cmpuint(qemu->network_count, ==, !!usual[i].network);
		g_assert_cmpuint(qemu->sound_count, ==, !!usual[i].sound);
		g_assert_cmpint(qemu->system->memory_size, ==, 512);
		assert_writes(config);
	}
}

enum { UEFI = 1, RNG = 2, HYPERVISOR = 4, CLIPBOARD = 8, DYNAMIC = 16 };

static const struct {
	const char *architecture, *target;
	guint switches;
	const char *usb, *sharing, *disk, *cd;
} switches[] = {
	{ "x86_64", "q35", UEFI | RNG | HYPERVISOR | CLIPBOARD | DYNAMIC, "3.0", "WebDAV", "IDE", "IDE" },
	{ "x86_64", "pc", UEFI | RNG | HYPERVISOR | CLIPBOARD, "3.0", "WebDAV", "IDE", "IDE" },
	{ "x86_64", "isapc", HYPERVISOR, "Disabled", "None", "IDE", "IDE" },
	{ "x86_64", "microvm", HYPERVISOR | DYNAMIC, "2.0", "None", "IDE", "IDE" },
	{ "i386", "q35", UEFI | RNG | CLIPBOARD | DYNAMIC, "3.0", "WebDAV", "IDE", "IDE" },
	{ "aarch64", "virt", UEFI | RNG | CLIPBOARD | DYNAMIC, "3.0", "WebDAV", "VirtIO", "USB" },
	{ "arm", "virt-8.0", UEFI | RNG | CLIPBOARD | DYNAMIC, "3.0", "WebDAV", "VirtIO", "USB" },
	{ "arm", "versatilepb", DYNAMIC, "2.0", "None", "IDE", "IDE" },
	{ "riscv64", "virt", UEFI | RNG | DYNAMIC, "2.0", "None", "VirtIO", "USB" },
	{ "loongarch64", "virt", UEFI | RNG | DYNAMIC, "2.0", "None", "VirtIO", "USB" },
	{ "riscv32", "virt", DYNAMIC, "2.0", "None", "VirtIO", "USB" },
	{ "m68k", "q800", 0, "Disabled", "VirtFS", "SCSI", "SCSI" },
	{ "m68k", "virt", 0, "Disabled", "None", "VirtIO", "SCSI" },
	{ "ppc", "mac99", 0, "2.0", "VirtFS", "IDE", "IDE" },
	{ "ppc64", NULL, 0, "2.0", "None", "VirtIO", "USB" },
	{ "s390x", NULL, DYNAMIC, "Disabled", "None", "VirtIO", "SCSI" },
	{ "sparc", NULL, 0, "Disabled", "None", "SCSI", "SCSI" },
	{ "sparc64", NULL, 0, "Disabled", "None", "SCSI", "SCSI" },
};

static void add_drives(UtmConfig *config)
{
	g_assert_cmpint(utm_config_insert(config, "Drive", -1, "{'ImageType':'CD'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Drive", 0, "{'ImageType':'Disk','ImageName':'a.qcow2'}", NULL), ==, 0);
}

static void test_switches(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(switches); i++) {
		g_autoptr(UtmConfig) config = make(switches[i].architecture, switches[i].target, UTM_CONFIG_NEW_UTM_EXACT);
		guint found = (get_bool(config, "QEMU.UEFIBoot") ? UEFI : 0) | (get_bool(config, "QEMU.RNGDevice") ? RNG : 0) |
		              (get_bool(config, "QEMU.Hypervisor") ? HYPERVISOR : 0) |
		              (get_bool(config, "Sharing.ClipboardSharing") ? CLIPBOARD : 0) |
		              (get_bool(config, "Display[0].DynamicResolution") ? DYNAMIC : 0);

		g_test_message("%s %s", switches[i].architecture, switches[i].target ? switches[i].target : "");
		g_assert_cmphex(found, ==, switches[i].switches);
		assert_text(config, "Input.UsbBusSupport", switches[i].usb);
		assert_text(config, "Sharing.DirectoryShareMode", switches[i].sharing);
		add_drives(config);
		assert_text(config, "Drive[0].Interface", switches[i].disk);
		assert_text(config, "Drive[1].Interface", switches[i].cd);
		g_assert_true(get_bool(config, "Drive[1].ReadOnly"));
		g_assert_false(get_bool(config, "Drive[0].ReadOnly"));
	}
}

/* What QEMU would refuse of it. */
static const struct {
	const char *architecture, *target, *made, *display, *network, *sound;
	int64_t memory;
} mended[] = {
	{ "x86_64", NULL, "q35", "virtio-vga", "e1000", "intel-hda", 512 },
	{ "hppa", NULL, "B160L", "VGA", "e1000", "AC97", 512 },
	{ "loongarch64", NULL, "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda", 1024 },
	{ "m68k", NULL, "mcf5208evb", NULL, NULL, NULL, 512 },
	{ "m68k", "virt", "virt", "virtio-gpu-device", "virtio-net-device", NULL, 512 },
	{ "m68k", "q800", "q800", "nubus-macfb", "dp8393x", "asc", 512 },
	{ "or1k", NULL, "or1k-sim", NULL, NULL, NULL, 512 },
	{ "or1k", "virt", "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda", 512 },
	{ "ppc", NULL, "g3beige", "VGA", "sungem", "AC97", 512 },
	{ "ppc", "ppce500", "ppce500", "VGA", "eTSEC", "AC97", 512 },
	{ "ppc", "mac99", "mac99", "VGA", "sungem", "screamer", 512 },
	{ "ppc64", NULL, "pseries", "VGA", "virtio-net-pci", "AC97", 512 },
	{ "riscv32", NULL, "spike", NULL, NULL, NULL, 512 },
	{ "riscv32", "virt", "virt", "virtio-ramfb", "virtio-net-pci", "intel-hda", 512 },
	{ "s390x", NULL, "s390-ccw-virtio", "virtio-gpu-ccw", "virtio-net-ccw", "virtio-sound-pci", 512 },
	{ "sh4", NULL, "none", NULL, NULL, NULL, 512 },
	{ "sparc", NULL, "SS-5", "tcx", "lance", NULL, 256 },
	{ "sparc64", NULL, "sun4u", "VGA", "e1000", NULL, 512 },
	{ "xtensa", NULL, "sim", NULL, NULL, NULL, 512 },
	{ "x86_64", "none", "none", NULL, NULL, NULL, 512 },
};

static void test_mended(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(mended); i++) {
		g_autoptr(UtmConfig) config = make(mended[i].architecture, mended[i].target, 0);

		g_test_message("%s %s", mended[i].architecture, mended[i].made);
		assert_text(config, "System.Target", mended[i].made);
		assert_text(config, "Display[0].Hardware", mended[i].display);
		assert_text(config, "Network[0].Hardware", mended[i].network);
		assert_text(config, "Sound[0].Hardware", mended[i].sound);
		g_assert_cmpint(utm__config_get_qemu(config)->system->memory_size, ==, mended[i].memory);
		g_assert_cmpuint(utm__config_get_qemu(config)->serial_count, ==, !mended[i].display);
	}
}

static void test_added_devices(void)
{
	g_autoptr(UtmConfig) config = make("x86_64", "pc", 0);

	g_assert_cmpint(utm_config_insert(config, "Display", 0, "{}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Display", -1, "{'Hardware':'VGA'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Display", -1, "{'DynamicResolution':true}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Network", -1, "{'Mode':'Shared'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Sound", -1, "{}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Drive", -1, "{'ImageType':'Disk','Interface':'None'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Drive", -1, "{'ImageType':'BIOS'}", NULL), ==, 0);
	assert_text(config, "Display[0].Hardware", "cirrus-vga");
	g_assert_false(get_bool(config, "Display[0].DynamicResolution"));
	assert_text(config, "Display[2].Hardware", "VGA");
	assert_text(config, "Display[3].Hardware", "cirrus-vga");
	g_assert_true(get_bool(config, "Display[3].DynamicResolution"));
	assert_text(config, "Network[1].Hardware", "rtl8139");
	assert_text(config, "Network[1].Mode", "Shared");
	assert_text(config, "Sound[1].Hardware", "sb16");
	assert_text(config, "Drive[0].Interface", "None");
	assert_text(config, "Drive[1].Interface", "None");
	g_assert_cmpint(utm_config_insert(config, "System.CPUFlagsAdd", -1, "'vmx'", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Network[0].PortForward", 0, "{}", NULL), ==, 0);
}

static void test_identities(void)
{
	g_autoptr(UtmConfig) a = make("x86_64", NULL, 0);
	g_autoptr(UtmConfig) b = make("x86_64", NULL, 0);
	const UtmConfigQemu *one = utm__config_get_qemu(a), *other = utm__config_get_qemu(b);

	add_drives(a);
	g_assert_cmpstr(utm_config_get_uuid(a), !=, utm_config_get_uuid(b));
	g_assert_cmpstr(one->network[0]->mac_address, !=, other->network[0]->mac_address);
	g_assert_cmpuint(g_ascii_xdigit_value(one->network[0]->mac_address[1]) & 3, ==, 2);
	g_assert_cmpstr(one->drive[0]->identifier, !=, one->drive[1]->identifier);
}

static void test_apple(void)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	g_autoptr(UtmConfig) linux_machine = NULL;
	g_autoptr(UtmConfig) plain = NULL;

	options.backend = UTM_BACKEND_APPLE;
	g_assert_cmpint(utm_config_new_default(&options, &plain, NULL), ==, 0);
	options.operating_system = "Linux";
	options.architecture = "x86_64";
	options.name = "Penguin";
	g_assert_cmpint(utm_config_new_default(&options, &linux_machine, NULL), ==, 0);
	g_assert_cmpint(utm_config_get_backend(linux_machine), ==, UTM_BACKEND_APPLE);
	g_assert_cmpstr(utm_config_get_name(linux_machine), ==, "Penguin");
	assert_text(plain, "System.Boot.OperatingSystem", "None");
	assert_text(plain, "System.Architecture", "aarch64");
	assert_text(plain, "Network[0].Mode", "Shared");
	g_assert_false(get_bool(plain, "System.Boot.UEFIBoot"));
	assert_text(linux_machine, "System.Architecture", "x86_64");
	g_assert_true(get_bool(linux_machine, "System.Boot.UEFIBoot"));
	g_assert_nonnull(utm__config_get_apple(linux_machine)->system->generic_platform);
	g_assert_true(get_bool(linux_machine, "Virtualization.Entropy"));
	assert_writes(plain);
	assert_writes(linux_machine);
	g_assert_cmpint(utm_config_insert(plain, "Drive", -1, "{}", NULL), ==, 0);
}

static void refuse(UtmConfigNewOptions options, int code)
{
	g_autoptr(UtmError) error = NULL;
	UtmConfig *config = NULL;

	g_assert_cmpint(utm_config_new_default(&options, &config, &error), ==, code);
	g_assert_null(config);
	g_assert_nonnull(error);
}

static void test_misuse(void)
{
	UtmConfigNewOptions none = UTM_CONFIG_NEW_OPTIONS_INIT;
	const size_t size = sizeof(UtmConfigNewOptions);
	g_autoptr(UtmConfig) config = NULL;

	g_assert_cmpint(utm_config_new_default(&none, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(utm_config_new_default(NULL, &config, NULL), ==, 0);
	g_assert_cmpstr(utm_config_get_name(config), ==, "Virtual Machine");
	refuse((UtmConfigNewOptions){ .size = size, .architecture = "cris" }, UTM_ERROR_CONFIG_INVALID_VALUE);
	refuse((UtmConfigNewOptions){ .size = size, .architecture = "" }, UTM_ERROR_INVALID_ARGUMENT);
	refuse((UtmConfigNewOptions){ .size = size, .target = "" }, UTM_ERROR_INVALID_ARGUMENT);
	refuse((UtmConfigNewOptions){ .size = size, .backend = 9 }, UTM_ERROR_INVALID_ARGUMENT);
	refuse((UtmConfigNewOptions){ .size = size, .operating_system = "Linux" }, UTM_ERROR_INVALID_ARGUMENT);
	refuse((UtmConfigNewOptions){ .size = size, .backend = UTM_BACKEND_APPLE, .architecture = "ppc" },
	       UTM_ERROR_CONFIG_INVALID_VALUE);
	refuse((UtmConfigNewOptions){ .size = size, .backend = UTM_BACKEND_APPLE, .target = "q35" },
	       UTM_ERROR_INVALID_ARGUMENT);
	refuse((UtmConfigNewOptions){ .size = size, .backend = UTM_BACKEND_APPLE, .operating_system = "linux" },
	       UTM_ERROR_CONFIG_INVALID_VALUE);
	refuse((UtmConfigNewOptions){ .size = 3 }, UTM_ERROR_STRUCT_SIZE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/defaults/devices", test_devices);
	g_test_add_func("/defaults/switches", test_switches);
	g_test_add_func("/defaults/mended", test_mended);
	g_test_add_func("/defaults/added-devices", test_added_devices);
	g_test_add_func("/defaults/identities", test_identities);
	g_test_add_func("/defaults/apple", test_apple);
	g_test_add_func("/defaults/misuse", test_misuse);
	return g_test_run();
}
