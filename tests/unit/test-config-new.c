/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New machines: what UTM gives each architecture and machine type, written down here a second time. */
#include <glib.h>
#include <string.h>
#include <utm/utm.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmConfig, utm_config_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmHost, utm_host_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmArgv, utm_argv_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmError, utm_error_unref)

/* "-" is none. Flags: u UEFI and RNG, a the agent resizes the display, c shared clipboard. */
typedef struct Expected {
	const char *architecture, *asked, *target;
	const char *display, *network, *sound, *usb, *share, *cd, *disk, *flags;
} Expected;

#define HDA "virtio-ramfb", "virtio-net-pci", "intel-hda"
static const Expected machines[] = {
	{ "alpha", NULL, "clipper", "VGA", "e1000", "sb16", "2.0", "None", "IDE", "IDE", "a" },
	{ "arm", NULL, "virt", HDA, "3.0", "WebDAV", "USB", "VirtIO", "uac" },
	{ "aarch64", NULL, "virt", HDA, "3.0", "WebDAV", "USB", "VirtIO", "uac" },
	{ "avr", NULL, "mega", "-", "-", "-", "2.0", "None", "IDE", "IDE", "" },
	{ "hppa", NULL, "B160L", "VGA", "e1000", "sb16", "2.0", "None", "SCSI", "SCSI", "a" },
	{ "i386", NULL, "q35", "virtio-vga", "e1000", "intel-hda", "3.0", "WebDAV", "IDE", "IDE", "uac" },
	{ "loongarch64", NULL, "virt", HDA, "2.0", "None", "USB", "VirtIO", "ua" },
	{ "m68k", NULL, "mcf5208evb", "nubus-macfb", "virtio-net-device", "virtio-sound-device", "Disabled", "None", "SCSI", "SCSI",
	  "" },
	{ "microblaze", NULL, "petalogix-s3adsp1800", "-", "-", "-", "2.0", "None", "IDE", "IDE", "" },
	{ "microblazeel", NULL, "petalogix-s3adsp1800", "-", "-", "-", "2.0", "None", "IDE", "IDE", "" },
	{ "mips", NULL, "malta", "VGA", "e1000", "sb16", "2.0", "None", "IDE", "IDE", "a" },
	{ "mipsel", NULL, "malta", "VGA", "e1000", "sb16", "2.0", "None", "IDE", "IDE", "a" },
	{ "mips64", NULL, "malta", "VGA", "e1000", "sb16", "2.0", "None", "IDE", "IDE", "a" },
	{ "mips64el", NULL, "malta", "VGA", "e1000e", "sb16", "2.0", "None", "IDE", "IDE", "a" },
	{ "or1k", NULL, "or1k-sim", "VGA", "e1000", "ES1370", "2.0", "None", "IDE", "IDE", "a" },
	{ "ppc", NULL, "g3beige", "VGA", "eTSEC", "sb16", "2.0", "None", "IDE", "IDE", "" },
	{ "ppc64", NULL, "pseries-10.0", "VGA", "eTSEC", "AC97", "2.0", "None", "USB", "VirtIO", "" },
	{ "riscv32", NULL, "spike", "VGA", "e1000e", "ES1370", "2.0", "None", "IDE", "IDE", "a" },
	{ "riscv64", NULL, "virt", HDA, "2.0", "None", "USB", "VirtIO", "ua" },
	{ "rx", NULL, "gdbsim-r5f562n7", "-", "-", "-", "2.0", "None", "IDE", "IDE", "" },
	{ "s390x", NULL, "s390-ccw-virtio-10.0", "virtio-gpu-ccw", "e1000e", "virtio-sound-pci", "Disabled", "None", "SCSI", "VirtIO",
	  "a" },
	{ "sh4", NULL, "none", "VGA", "e1000", "sb16", "2.0", "None", "IDE", "IDE", "a" },
	{ "sh4eb", NULL, "none", "VGA", "e1000", "sb16", "2.0", "None", "IDE", "IDE", "a" },
	{ "sparc", NULL, "SS-5", "tcx", "lance", "-", "Disabled", "None", "SCSI", "SCSI", "" },
	{ "sparc64", NULL, "sun4u", "VGA", "e1000", "sb16", "Disabled", "None", "SCSI", "SCSI", "" },
	{ "tricore", NULL, "tricore_testboard", "-", "-", "-", "2.0", "None", "IDE", "IDE", "" },
	{ "x86_64", NULL, "q35", "virtio-vga", "e1000", "intel-hda", "3.0", "WebDAV", "IDE", "IDE", "uac" },
	{ "xtensa", NULL, "sim", "VGA", "e1000", "ES1370", "2.0", "None", "IDE", "IDE", "a" },
	{ "xtensaeb", NULL, "sim", "VGA", "e1000", "ES1370", "2.0", "None", "IDE", "IDE", "a" },
	{ "x86_64", "pc", "pc", "cirrus-vga", "rtl8139", "sb16", "3.0", "WebDAV", "IDE", "IDE", "uc" },
	{ "x86_64", "pc-q35-9.2", "pc-q35-9.2", "cirrus-vga", "rtl8139", "sb16", "3.0", "WebDAV", "IDE", "IDE", "uc" },
	{ "i386", "pc-i440fx-8.0", "pc-i440fx-8.0", "cirrus-vga", "ne2k_isa", "sb16", "3.0", "WebDAV", "IDE", "IDE", "uc" },
	{ "i386", "isapc", "isapc", "isa-vga", "ne2k_isa", "sb16", "Disabled", "None", "IDE", "IDE", "" },
	{ "aarch64", "virt-9.2", "virt-9.2", HDA, "3.0", "WebDAV", "USB", "VirtIO", "uac" },
	{ "m68k", "virt", "virt", HDA, "Disabled", "None", "SCSI", "VirtIO", "" },
	{ "m68k", "q800", "q800", "nubus-macfb", "dp8393x", "asc", "Disabled", "VirtFS", "SCSI", "SCSI", "" },
	{ "ppc", "mac99", "mac99", "VGA", "sungem", "screamer", "2.0", "VirtFS", "IDE", "IDE", "" },
	{ "ppc64", "mac99", "mac99", "VGA", "sungem", "screamer", "2.0", "VirtFS", "IDE", "IDE", "" },
};

static UtmConfig *make(const char *architecture, const char *target)
{
	g_autoptr(UtmError) error = NULL;
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	UtmConfig *config = NULL;
	options.architecture = architecture;
	options.target = target;
	options.host_architecture = "riscv64";
	options.flags = UTM_CONFIG_NEW_UTM_EXACT;
	if (utm_config_new_default(&options, &config, &error) < 0)
		g_error("%s: %s", architecture, utm_error_get_message(error));
	return config;
}

static void assert_text(const UtmConfig *config, const char *key_path, const char *wanted)
{
	char *text = NULL;
	g_assert_cmpint(utm_config_get_string(config, key_path, &text, NULL), ==, 0);
	g_assert_cmpstr(text, ==, wanted);
	utm_free(text);
}

static void assert_bool(const UtmConfig *config, const char *key_path, bool wanted)
{
	bool value = !wanted;
	g_assert_cmpint(utm_config_get_bool(config, key_path, &value, NULL), ==, 0);
	if (value != wanted)
		g_error("%s is not %d", key_path, wanted);
}

static void assert_count(const UtmConfig *config, const char *key_path, size_t wanted)
{
	size_t count = 99;
	g_assert_cmpint(utm_config_get_count(config, key_path, &count, NULL), ==, 0);
	g_assert_cmpuint(count, ==, wanted);
}

static void assert_device(const UtmConfig *config, const char *array, const char *wanted)
{
	g_autofree char *hardware = g_strdup_printf("%s[0].Hardware", array);
	bool none = strcmp(wanted, "-") == 0;
	assert_count(config, array, none ? 0 : 1);
	if (!none)
		assert_text(config, hardware, wanted);
}

static void test_machine(gconstpointer data)
{
	const Expected *expected = data;
	g_autoptr(UtmConfig) config = make(expected->architecture, expected->asked);
	bool has_display = strcmp(expected->display, "-") != 0;
	assert_text(config, "System.Architecture", expected->architecture);
	assert_text(config, "System.Target", expected->target);
	assert_text(config, "System.CPU", "default");
	assert_device(config, "Display", expected->display);
	assert_device(config, "Network", expected->network);
	assert_device(config, "Sound", expected->sound);
	assert_count(config, "Drive", 0);
	assert_count(config, "Serial", has_display ? 0 : 1);
	assert_text(config, "Input.UsbBusSupport", expected->usb);
	assert_text(config, "Sharing.DirectoryShareMode", expected->share);
	assert_bool(config, "Sharing.ClipboardSharing", strchr(expected->flags, 'c') != NULL);
	assert_bool(config, "QEMU.UEFIBoot", strchr(expected->flags, 'u') != NULL);
	assert_bool(config, "QEMU.RNGDevice", strchr(expected->flags, 'u') != NULL);
	assert_bool(config, "QEMU.Hypervisor", false);
	if (has_display)
		assert_bool(config, "Display[0].DynamicResolution", strchr(expected->flags, 'a') != NULL);
	if (strcmp(expected->network, "-") != 0)
		assert_text(config, "Network[0].Mode", "Shared");
	g_assert_cmpstr(utm_config_get_default_interface(config, "CD"), ==, expected->cd);
	g_assert_cmpstr(utm_config_get_default_interface(config, "Disk"), ==, expected->disk);
}

/* Firmware that not every host has. */
static const char host_facts[] =
	"{'Firmware':[{'Architecture':'x86_64','Code':'/f'},{'Architecture':'i386','Code':'/f'},"
	"{'Architecture':'arm','Code':'/f'},{'Architecture':'aarch64','Code':'/f'},"
	"{'Architecture':'riscv64','Code':'/f'},{'Architecture':'loongarch64','Code':'/f'}]}";

/* Written, read back, and as a command line. */
static void test_use(gconstpointer data)
{
	const Expected *expected = data;
	g_autoptr(UtmConfig) config = make(expected->architecture, expected->asked);
	g_autoptr(UtmConfig) again = NULL;
	g_autoptr(UtmHost) host = NULL;
	g_autoptr(UtmArgv) argv = NULL;
	g_autoptr(UtmError) error = NULL;
	char *text = NULL;
	size_t size;
	g_assert_cmpint(utm_config_to_plist(config, &text, &size, NULL), ==, 0);
	g_assert_cmpint(utm_config_new_from_data(text, size, &again, NULL), ==, 0);
	utm_free(text);
	g_assert_true(utm_config_equal(config, again));
	g_assert_cmpint(utm_host_new_from_json(UTM_HOST_OS_LINUX, host_facts, &host, NULL), ==, 0);
	if (utm_argv_build(config, "/none/M.utm", host, &argv, &error) < 0)
		g_error("%s: %s", utm_error_get_key_path(error), utm_error_get_message(error));
	g_assert_cmpuint(utm_argv_get_count(argv), >, 5);
}

/* Equal once what is generated is taken over. */
static void test_same(gconstpointer data)
{
	static const char *const generated[] = { "Information.UUID", "Network[0].MacAddress" };
	const Expected *expected = data;
	g_autoptr(UtmConfig) one = make(expected->architecture, expected->asked);
	g_autoptr(UtmConfig) two = make(expected->architecture, expected->asked);
	gsize count = strcmp(expected->network, "-") == 0 ? 1 : 2;
	for (gsize i = 0; i < count; i++) {
		char *a = NULL, *b = NULL;
		g_assert_cmpint(utm_config_get_string(one, generated[i], &a, NULL), ==, 0);
		g_assert_cmpint(utm_config_get_string(two, generated[i], &b, NULL), ==, 0);
		g_assert_cmpstr(a, !=, b);
		g_assert_cmpint(utm_config_set_string(two, generated[i], a, NULL), ==, 0);
		utm_free(a);
		utm_free(b);
	}
	g_assert_true(utm_config_equal(one, two));
}

static void test_hypervisor(void)
{
	static const struct {
		const char *host, *guest;
		bool wanted;
	} cases[] = { { "x86_64", "x86_64", true }, { "aarch64", "aarch64", true }, { "x86_64", "i386", false },
		          { "aarch64", "arm", false }, { "riscv64", "riscv64", false }, { "aarch64", "x86_64", false } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
		g_autoptr(UtmConfig) config = NULL;
		options.architecture = cases[i].guest;
		options.host_architecture = cases[i].host;
		g_assert_cmpint(utm_config_new_default(&options, &config, NULL), ==, 0);
		assert_bool(config, "QEMU.Hypervisor", cases[i].wanted);
	}
}

static void test_defaults(void)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	g_autoptr(UtmConfig) config = NULL, named = NULL, apple = NULL;
	g_assert_cmpint(utm_config_new_default(NULL, &config, NULL), ==, 0);
	assert_text(config, "System.Architecture", "x86_64");
	g_assert_cmpstr(utm_config_get_name(config), ==, "Virtual Machine");
	options.name = "A \"good\" name";
	g_assert_cmpint(utm_config_new_default(&options, &named, NULL), ==, 0);
	g_assert_cmpstr(utm_config_get_name(named), ==, "A \"good\" name");
	options.backend = UTM_BACKEND_APPLE;
	g_assert_cmpint(utm_config_new_default(&options, &apple, NULL), ==, 0);
	g_assert_cmpint(utm_config_get_backend(apple), ==, UTM_BACKEND_APPLE);
	assert_text(apple, "System.Architecture", "aarch64");
	g_assert_null(utm_config_get_default_interface(apple, "Disk"));
	g_assert_null(utm_config_get_default_interface(NULL, "Disk"));
}

/* Where UTM's own choice does not start. */
static void test_mended(void)
{
	static const char *const boards[] = { "or1k", "riscv32", "xtensa", "xtensaeb" };
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	for (gsize i = 0; i < G_N_ELEMENTS(boards); i++) {
		g_autoptr(UtmConfig) config = NULL;
		options.architecture = boards[i];
		g_assert_cmpint(utm_config_new_default(&options, &config, NULL), ==, 0);
		assert_device(config, "Display", "-");
		assert_device(config, "Network", "-");
		assert_device(config, "Sound", "-");
		assert_count(config, "Serial", 1);
	}
	g_autoptr(UtmConfig) sparc = NULL, loongarch = NULL;
	int64_t size = 0;
	options.architecture = "sparc";
	g_assert_cmpint(utm_config_new_default(&options, &sparc, NULL), ==, 0);
	g_assert_cmpint(utm_config_get_int(sparc, "System.MemorySize", &size, NULL), ==, 0);
	g_assert_cmpint(size, ==, 256);
	assert_device(sparc, "Display", "tcx");
	options.architecture = "loongarch64";
	g_assert_cmpint(utm_config_new_default(&options, &loongarch, NULL), ==, 0);
	g_assert_cmpint(utm_config_get_int(loongarch, "System.MemorySize", &size, NULL), ==, 0);
	g_assert_cmpint(size, ==, 2048);
	/* UTM's has no processor. */
	g_autoptr(UtmConfig) sh4 = NULL, raspi = NULL;
	options.architecture = "sh4";
	g_assert_cmpint(utm_config_new_default(&options, &sh4, NULL), ==, 0);
	assert_text(sh4, "System.Target", "r2d");
	options.architecture = "aarch64";
	options.target = "raspi3b";
	g_assert_cmpint(utm_config_new_default(&options, &raspi, NULL), ==, 0);
	g_assert_cmpint(utm_config_get_int(raspi, "System.MemorySize", &size, NULL), ==, 0);
	g_assert_cmpint(size, ==, 1024);
	g_assert_cmpstr(utm_config_get_default_interface(raspi, "Disk"), ==, "USB");
}

/* What a device that is added has when nothing is said of it. */
static void test_added(void)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	g_autoptr(UtmConfig) config = NULL, apple = NULL;
	options.architecture = "ppc64";
	g_assert_cmpint(utm_config_new_default(&options, &config, NULL), ==, 0);
	assert_text(config, "System.Target", "pseries");
	g_assert_cmpint(utm_config_insert(config, "Drive", -1, "{'ImageType':'CD'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Drive", 0, "{'ImageType':'Disk','ImageName':'a.qcow2'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Drive", -1, "{'ImageType':'Disk','Interface':'None'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Drive", -1, "{'ImageType':'BIOS'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Network", -1, "{}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Network", 0, "{'Hardware':'e1000'}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Display", -1, "{}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Sound", -1, "{}", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "System.CPUFlagsAdd", -1, "'vsx'", NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(config, "Network[0].PortForward", 0, "{}", NULL), ==, 0);
	assert_text(config, "Drive[0].Interface", "VirtIO");
	assert_text(config, "Drive[1].Interface", "USB");
	assert_text(config, "Drive[2].Interface", "None");
	assert_text(config, "Drive[3].Interface", "None");
	assert_text(config, "Network[0].Hardware", "e1000");
	assert_text(config, "Network[2].Hardware", "virtio-net-pci");
	assert_text(config, "Display[1].Hardware", "VGA");
	assert_text(config, "Sound[1].Hardware", "AC97");
	options.backend = UTM_BACKEND_APPLE;
	options.architecture = NULL;
	g_assert_cmpint(utm_config_new_default(&options, &apple, NULL), ==, 0);
	g_assert_cmpint(utm_config_insert(apple, "Drive", -1, "{}", NULL), ==, 0);
	assert_text(apple, "Network[0].Mode", "Shared");
}

static void assert_refused(const UtmConfigNewOptions *options, int code, const char *key_path)
{
	g_autoptr(UtmError) error = NULL;
	UtmConfig *config = NULL;
	g_assert_cmpint(utm_config_new_default(options, &config, &error), ==, code);
	g_assert_null(config);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, key_path);
	g_assert_cmpint(utm_config_new_default(options, &config, NULL), ==, code);
}

static void test_refused(void)
{
	static const UtmConfigNewOptions usual = UTM_CONFIG_NEW_OPTIONS_INIT;
	static const char *const targets[] = { "", "q35,x=1", "a b", "-\n",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	UtmConfigNewOptions options = usual;
	options.architecture = "cris";
	assert_refused(&options, UTM_ERROR_CONFIG_INVALID_VALUE, "System.Architecture");
	options = usual;
	for (gsize i = 0; i < G_N_ELEMENTS(targets); i++) {
		options.target = targets[i];
		assert_refused(&options, UTM_ERROR_CONFIG_INVALID_VALUE, "System.Target");
	}
	options = usual;
	options.name = "";
	assert_refused(&options, UTM_ERROR_CONFIG_INVALID_VALUE, "Information.Name");
	options = usual;
	options.backend = (UtmBackend)7;
	assert_refused(&options, UTM_ERROR_CONFIG_INVALID_BACKEND, "Backend");
	options.backend = UTM_BACKEND_APPLE;
	options.architecture = "riscv64";
	assert_refused(&options, UTM_ERROR_CONFIG_INVALID_VALUE, "System.Architecture");
	options = usual;
	options.flags = 1u << 31;
	assert_refused(&options, UTM_ERROR_INVALID_ARGUMENT, NULL);
	options = usual;
	options.size = 3;
	assert_refused(&options, UTM_ERROR_STRUCT_SIZE, NULL);
	g_assert_cmpint(utm_config_new_default(NULL, NULL, NULL), ==, UTM_ERROR_INVALID_ARGUMENT);
}

/* One that boots, in UTM's words, and that a check has nothing to say of; and UTM's own, which does not say what boots. */
static void test_apple(void)
{
	static const char *const architectures[] = { NULL, "aarch64", "x86_64" };
	for (gsize i = 0; i < G_N_ELEMENTS(architectures); i++) {
		UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
		g_autoptr(UtmConfig) config = NULL, exact = NULL, again = NULL;
		UtmFindings *findings = NULL;
		char *text = NULL;
		size_t size;
		bool present = false;
		options.backend = UTM_BACKEND_APPLE;
		options.architecture = architectures[i];
		g_assert_cmpint(utm_config_new_default(&options, &config, NULL), ==, 0);
		assert_text(config, "System.Architecture", architectures[i] ? architectures[i] : "aarch64");
		assert_text(config, "System.Boot.OperatingSystem", "Linux");
		assert_bool(config, "System.Boot.UEFIBoot", true);
		assert_text(config, "System.Boot.EfiVariableStoragePath", "efi_vars.fd");
		assert_text(config, "Serial[0].Mode", "Ptty");
		assert_count(config, "Network", 1);
		assert_count(config, "Display", 0);
		assert_bool(config, "Virtualization.Balloon", true);
		g_assert_cmpint(utm_config_has(config, "System.GenericPlatform", &present, NULL), ==, 0);
		g_assert_true(present);
		g_assert_cmpint(utm_config_check(config, NULL, &findings, NULL), ==, 0);
		g_assert_cmpuint(utm_findings_get_count(findings), ==, 0);
		utm_findings_free(findings);
		g_assert_cmpint(utm_config_to_plist(config, &text, &size, NULL), ==, 0);
		g_assert_cmpint(utm_config_new_from_data(text, size, &again, NULL), ==, 0);
		utm_free(text);
		g_assert_true(utm_config_equal(config, again));
		options.flags = UTM_CONFIG_NEW_UTM_EXACT;
		g_assert_cmpint(utm_config_new_default(&options, &exact, NULL), ==, 0);
		assert_text(exact, "System.Boot.OperatingSystem", "None");
		assert_count(exact, "Network", 1);
		assert_count(exact, "Serial", 0);
	}
}

static void add(const char *kind, const Expected *expected, GTestDataFunc function)
{
	g_autofree char *path = g_strdup_printf("/new/%s/%s/%s", kind, expected->architecture, expected->target);
	g_test_add_data_func(path, expected, function);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(machines); i++) {
		add("machine", &machines[i], test_machine);
		add("use", &machines[i], test_use);
		add("same", &machines[i], test_same);
	}
	g_test_add_func("/new/hypervisor", test_hypervisor);
	g_test_add_func("/new/defaults", test_defaults);
	g_test_add_func("/new/apple", test_apple);
	g_test_add_func("/new/mended", test_mended);
	g_test_add_func("/new/added", test_added);
	g_test_add_func("/new/refused", test_refused);
	return g_test_run();
}
