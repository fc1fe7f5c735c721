/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real QEMUs accept the command lines: each machine is started paused (-S is always there) with the facts that the
 * probe finds on this host, answers on its monitor, and has the devices that the configuration asked for. The check of the
 * configuration finds no error in it; and where it does, though a command line is built, QEMU refuses that. What the
 * library makes of an architecture by itself is for tests/machines.
 */
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_S = 60 };

typedef struct Machine {
	const char *name;
	const char *config; /* NULL: base.plist */
	const char *edits;
	const char *devices; /* device models that must be there, one in a line */
} Machine;

#define DISK(interface, id, more)                                                                                    \
	"+Drive={'ImageType':'Disk','Interface':'" interface "','Identifier':'" id "','ImageName':'" id ".qcow2'" more "}\n"
#define EMPTY_CD(interface, id) "+Drive={'ImageType':'CD','Interface':'" interface "','Identifier':'" id "'}\n"
#define MACHINE(architecture, target) "System.Architecture=" architecture "\nSystem.Target=" target "\n"
#define CARD(hardware)                                                                                               \
	"+Network={'Mode':'Emulated','Hardware':'" hardware "','MacAddress':'52:54:00:00:00:01',"                     \
	"'PortForward':[{'Protocol':'TCP','HostPort':0,'GuestPort':22}]}\n"
#define COMMON "QEMU.RNGDevice=true\nQEMU.BalloonDevice=true\nSharing.ClipboardSharing=true\nSystem.MemorySize=128\n"

static const Machine machines[] = {
	{ "x86_64/q35", NULL,
	  COMMON "Input.UsbBusSupport=3.0\n+Display={'Hardware':'virtio-vga'}\n" CARD("e1000") "+Sound={'Hardware':'intel-hda'}\n"
	  "+Serial={'Mode':'Terminal','Target':'Auto'}\n"
	  "+Serial={'Mode':'Ptty','Target':'Manual','Hardware':'pci-serial'}\n" DISK("VirtIO", "A", "") DISK("NVMe", "B", "")
	  DISK("IDE", "C", "") DISK("SCSI", "D", "") DISK("USB", "E", "") EMPTY_CD("USB", "F") DISK("Floppy", "G", "")
	  EMPTY_CD("IDE", "H"),
	  "virtio-vga\ne1000\nvirtio-blk-pci\nnvme\nide-hd\nscsi-hd\nusb-storage\nfloppy\nide-cd\nvirtio-rng-pci\n"
	  "virtio-balloon-pci\nvirtserialport\nusb-tablet\nusb-kbd\nintel-hda\npci-serial" },
	{ "x86_64/q35/uefi", NULL, "QEMU.UEFIBoot=true\n+Display={'Hardware':'VGA','VgaRamMib':32}\n" DISK("VirtIO", "A", ""),
	  "VGA\nvirtio-blk-pci\ncfi.pflash01" },
	{ "x86_64/pc", NULL,
	  MACHINE("x86_64", "pc") COMMON "Input.UsbBusSupport=2.0\n+Display={'Hardware':'cirrus-vga','VgaRamMib':8}\n"
	  CARD("rtl8139") "+Sound={'Hardware':'sb16'}\n" DISK("IDE", "A", "") EMPTY_CD("IDE", "B") DISK("IDE", "C", "")
	  EMPTY_CD("IDE", "D") "+Drive={'ImageType':'Disk','Interface':'Floppy','Identifier':'E','ReadOnly':false}\n"
	  DISK("Floppy", "F", ",'ReadOnly':true"),
	  "cirrus-vga\nrtl8139\nsb16\nide-hd\nide-cd\nfloppy\nich9-usb-ehci1" },
	{ "i386/pc", NULL, MACHINE("i386", "pc") "System.CPU=pentium2\nSystem.CPUFlagsAdd=['mmx']\nSystem.CPUFlagsRemove=['apic']\n"
	  "Input.UsbBusSupport=2.0\nQEMU.PS2Controller=true\nSystem.MemorySize=64\n+Display={'Hardware':'VGA'}\n"
	  "+Sound={'Hardware':'sb16'}\n+Sound={'Hardware':'pcspk'}\n" CARD("ne2k_isa") DISK("IDE", "A", ""),
	  "VGA\nne2k_isa\nsb16\nide-hd\nusb-tablet" },
	{ "i386/isapc", NULL, MACHINE("i386", "isapc") "System.CPU=486\nSystem.CPUCount=0\nSystem.MemorySize=16\n+Display={'Hardware':'isa-vga'}\n"
	  CARD("ne2k_isa") DISK("IDE", "A", "") DISK("Floppy", "B", ""), "isa-vga\nne2k_isa\nide-hd\nfloppy" },
	{ "i386/example", "i386-pc-dos/config.plist", "QEMU.AdditionalArguments=['-boot menu=on']", "cirrus-vga\nne2k_isa\nsb16" },
	{ "x86_64/microvm", NULL, MACHINE("x86_64", "microvm") DISK("VirtIO", "A", ""), "virtio-blk-device" },
	{ "aarch64/virt", NULL,
	  MACHINE("aarch64", "virt") COMMON "Input.UsbBusSupport=3.0\n+Display={'Hardware':'virtio-ramfb'}\n" CARD("virtio-net-pci")
	  "+Sound={'Hardware':'intel-hda'}\n+Serial={'Mode':'Terminal','Target':'Auto'}\n" DISK("VirtIO", "A", "")
	  EMPTY_CD("USB", "B"),
	  "virtio-gpu-pci\nvirtio-net-pci\nvirtio-blk-pci\nusb-storage\nvirtserialport\nqemu-xhci" },
	{ "aarch64/virt/uefi", NULL, MACHINE("aarch64", "virt") "QEMU.UEFIBoot=true\nSystem.CPUCount=10\n" DISK("VirtIO", "A", ""),
	  "virtio-blk-pci\ncfi.pflash01" },
	{ "aarch64/virt/flags", NULL, MACHINE("aarch64", "virt") "System.CPU=max\nSystem.CPUFlagsAdd=['sve']\n"
	  "System.CPUFlagsRemove=['pmu']\nQEMU.MachinePropertyOverride=gic-version=max", "" },
	{ "aarch64/raspi3b", NULL, MACHINE("aarch64", "raspi3b") "System.MemorySize=1024\nSystem.CPUCount=0\nInput.UsbBusSupport=2.0\n"
	  DISK("USB", "A", ""), "usb-tablet\nusb-storage" },
	{ "arm/virt", NULL, MACHINE("arm", "virt") COMMON "System.CPUCount=9\n" CARD("virtio-net-pci") DISK("VirtIO", "A", ""),
	  "virtio-net-pci\nvirtio-blk-pci" },
	{ "arm/vexpress", NULL, MACHINE("arm", "vexpress-a9") "System.CPUCount=0\nInput.UsbBusSupport=2.0\nQEMU.RNGDevice=true\n"
	  DISK("VirtIO", "A", ""), "virtio-blk-device" },
	/*
	 * Every other architecture: the machine that UTM takes by default, with what it would have. Skipped where QEMU is
	 * absent.
	 */
	{ "riscv64/virt", NULL, MACHINE("riscv64", "virt") COMMON "System.CPUCount=0\nInput.UsbBusSupport=2.0\n"
	  "+Display={'Hardware':'virtio-ramfb'}\n+Sound={'Hardware':'intel-hda'}\n" CARD("virtio-net-pci") DISK("VirtIO", "A", "")
	  EMPTY_CD("USB", "B"), "virtio-gpu-pci\nvirtio-net-pci\nvirtio-blk-pci\nich9-usb-ehci1" },
	{ "loongarch64/virt", NULL, MACHINE("loongarch64", "virt") COMMON "System.CPUCount=0\nSystem.MemorySize=1024\n"
	  "Input.UsbBusSupport=2.0\n" CARD("virtio-net-pci") DISK("VirtIO", "A", ""), "virtio-net-pci\nvirtio-blk-pci" },
	{ "ppc/mac99", NULL, MACHINE("ppc", "mac99") COMMON "System.CPUCount=0\nInput.UsbBusSupport=2.0\nInput.MaximumUsbShare=0\n"
	  "+Display={'Hardware':'VGA','VgaRamMib':32}\n+Sound={'Hardware':'screamer'}\n" CARD("sungem") DISK("IDE", "A", "")
	  EMPTY_CD("IDE", "B") DISK("IDE", "C", ""), "VGA\nsungem\nide-hd\nide-cd\nusb-mouse" },
	{ "ppc/g3beige", NULL, MACHINE("ppc", "g3beige") "System.CPUCount=0\nInput.UsbBusSupport=2.0\n" CARD("sungem")
	  DISK("IDE", "A", ""), "sungem\nide-hd" },
	{ "ppc64/pseries", NULL, MACHINE("ppc64", "pseries-7.2") COMMON "System.CPUCount=0\nSystem.MemorySize=512\n"
	  "Input.UsbBusSupport=2.0\n+Display={'Hardware':'VGA'}\n+Sound={'Hardware':'AC97'}\n" CARD("virtio-net-pci")
	  DISK("VirtIO", "A", "") EMPTY_CD("USB", "B"), "VGA\nAC97\nvirtio-net-pci\nvirtio-blk-pci" },
	{ "s390x/ccw", NULL, MACHINE("s390x", "s390-ccw-virtio-7.2") COMMON "System.CPUCount=0\n+Display={'Hardware':'virtio-gpu-pci'}\n"
	  CARD("virtio-net-pci") DISK("VirtIO", "A", "") DISK("SCSI", "B", ""),
	  "virtio-blk-ccw\nvirtio-scsi-ccw\nvirtio-rng-ccw\nvirtio-balloon-ccw" },
	{ "sparc/SS-5", NULL, MACHINE("sparc", "SS-5") "System.CPUCount=0\nSystem.MemorySize=64\nSystem.CPU=Fujitsu-MB86904     \n+Display={'Hardware':'tcx'}\n"
	  "+Network={'Mode':'Emulated','Hardware':'lance','MacAddress':'52:54:00:00:00:01'}\n" DISK("SCSI", "A", "")
	  EMPTY_CD("SCSI", "B"), "sun-tcx\nlance\nscsi-hd\nscsi-cd" },
	{ "sparc64/sun4u", NULL, MACHINE("sparc64", "sun4u") "System.CPUCount=0\n" DISK("SCSI", "A", ""), "scsi-hd\nlsi53c895a" },
	{ "m68k/q800", NULL, MACHINE("m68k", "q800") "System.CPUCount=0\nSystem.MemorySize=64\n+Display={'Hardware':'nubus-macfb'}\n"
	  "+Sound={'Hardware':'asc'}\n+Network={'Mode':'Emulated','Hardware':'dp8393x','MacAddress':'08:00:07:00:00:01'}\n"
	  "+Drive={'ImageType':'BIOS','Identifier':'R','ImageName':'Q800.rom'}\n" DISK("SCSI", "A", ""), "scsi-hd\ndp8393x" },
	{ "m68k/virt", NULL, MACHINE("m68k", "virt-7.2") "System.CPUCount=0\nQEMU.RNGDevice=true\nQEMU.BalloonDevice=true\n"
	  DISK("VirtIO", "A", "") DISK("SCSI", "B", ""), "virtio-blk-device\nvirtio-scsi-device\nvirtio-rng-device" },
	{ "mips/malta", NULL, MACHINE("mips", "malta") COMMON "System.CPUCount=0\nInput.UsbBusSupport=2.0\n+Display={'Hardware':'VGA'}\n"
	  CARD("e1000") DISK("IDE", "A", ""), "VGA\ne1000\nide-hd" },
	{ "mips64el/malta", NULL, MACHINE("mips64el", "malta") "System.CPUCount=0\nInput.UsbBusSupport=2.0\n" CARD("e1000"), "e1000" },
	{ "alpha/clipper", NULL, MACHINE("alpha", "clipper") COMMON "System.CPUCount=0\nInput.UsbBusSupport=2.0\n" CARD("e1000")
	  DISK("IDE", "A", ""), "e1000\nide-hd" },
	{ "hppa/hppa", NULL, MACHINE("hppa", "hppa") COMMON "System.CPUCount=0\nInput.UsbBusSupport=2.0\n" CARD("e1000"), "e1000" },
	{ "sh4/r2d", NULL, MACHINE("sh4", "r2d") "System.CPUCount=0\nInput.UsbBusSupport=2.0\n" CARD("e1000"), "e1000" },
	{ "or1k/sim", NULL, MACHINE("or1k", "or1k-sim") "System.CPUCount=0\nInput.UsbBusSupport=2.0", "" },
	{ "xtensa/virt", NULL, MACHINE("xtensa", "virt") "System.CPUCount=0\nInput.UsbBusSupport=2.0\n" CARD("e1000"), "e1000" },
	{ "microblaze/petalogix", NULL, MACHINE("microblaze", "petalogix-s3adsp1800") "System.CPUCount=0\nInput.UsbBusSupport=2.0", "" },
	{ "avr/mega", NULL, MACHINE("avr", "mega") "System.CPUCount=0\nInput.UsbBusSupport=2.0", "" },
	{ "x86_64/hostile-text", NULL,
	  "Information.Name=help\n+Display={'Hardware':'VGA'}\n"
	  "+Drive={'ImageType':'Disk','Interface':'VirtIO','Identifier':'A','ImageName':'a,readonly=on\\nb c.qcow2'}",
	  "VGA\nvirtio-blk-pci" },
};

/* What the builder lets through, since it need not know, and the check does not: QEMU ends at once. */
static const Machine refused[] = {
	{ .name = "x86_64/cpus", .edits = "System.CPUCount=256" },
	{ .name = "x86_64/cpu-host", .edits = "System.CPU=host" },
	{ .name = "x86_64/no-pci", .edits = MACHINE("x86_64", "microvm") "+Display={'Hardware':'VGA'}" },
	{ .name = "aarch64/no-isa", .edits = MACHINE("aarch64", "virt") "+Sound={'Hardware':'sb16'}" },
	{ .name = "aarch64/memory", .edits = MACHINE("aarch64", "raspi3b") "System.CPUCount=4" },
	{ .name = "aarch64/least-cpus", .edits = MACHINE("aarch64", "raspi3b") "System.MemorySize=1024" },
	{ .name = "ppc/memory", .edits = MACHINE("ppc", "g3beige") "System.CPUCount=1\nSystem.MemorySize=2048" },
	{ .name = "mips/memory", .edits = MACHINE("mips", "malta") "System.CPUCount=1\nSystem.MemorySize=2049" },
	{ .name = "m68k/memory", .edits = MACHINE("m68k", "virt") "System.CPUCount=1\nSystem.MemorySize=3320" },
	{ .name = "sparc/memory", .edits = MACHINE("sparc", "SS-5") "System.CPUCount=1\nSystem.MemorySize=257" },
	{ .name = "x86_64/network", .edits = "+Network={'MacAddress':'52:54:00:00:00:01','VlanGuestAddress':'foo'}" },
	{ .name = "x86_64/host-outside", .edits = "+Network={'MacAddress':'52:54:00:00:00:01','VlanHostAddress':'10.0.3.2'}" },
	{ .name = "x86_64/dhcp-outside", .edits = "+Network={'MacAddress':'52:54:00:00:00:01','VlanDhcpStartAddress':'10.0.9.9'}" },
	{ .name = "x86_64/ipv6", .edits = "+Network={'MacAddress':'52:54:00:00:00:01','VlanGuestAddressIPv6':'fec0::/127'}" },
	{ .name = "x86_64/port-twice", .edits = "+Network={'MacAddress':'52:54:00:00:00:01','PortForward':["
	  "{'Protocol':'TCP','HostPort':45678,'GuestPort':1},{'Protocol':'TCP','HostPort':45678,'GuestPort':2}]}" },
	{ .name = "x86_64/image-twice", .edits = DISK("VirtIO", "A", "")
	  "+Drive={'ImageType':'Disk','Interface':'VirtIO','Identifier':'B','ImageName':'A.qcow2'}\n" },
	{ .name = "x86_64/id-twice", .edits = "QEMU.AdditionalArguments=['-chardev null,id=org.qemu.monitor.qmp']" },
	{ .name = "x86_64/chardev-twice", .edits = "+Serial={'Mode':'Ptty'}\nQEMU.AdditionalArguments=['-chardev null,id=term0']" },
};

typedef struct Run {
	const char *dir;    /* sockets, and QEMU's working directory */
	GPid pid;
	int monitor;
	GString *unread;
} Run;

/* --- a bundle with every image that the configuration names --- */

static void run_tool(const char *const *argv)
{
	g_autofree char *errors = NULL;
	int status = -1;
	GError *error = NULL;

	g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
	                           &errors, &status, &error));
	if (status)
		g_error("%s: %s", argv[0], errors);
}

static void make_images(const UtmConfig *config, const char *bundle)
{
	size_t count = 0;

	check(utm_config_get_count(config, "Drive", &count, NULL), NULL);
	for (size_t i = 0; i < count; i++) {
		g_autofree char *key = g_strdup_printf("Drive[%zu].ImageName", i);
		g_autofree char *path = NULL;
		char *name = NULL;

		if (utm_config_get_string(config, key, &name, NULL) < 0)
			continue;
		path = g_build_filename(bundle, "Data", name, NULL);
		utm_free(name);
		run_tool((const char *[]){ "qemu-img", "create", "-q", "-f", "qcow2", path, "2M", NULL });
	}
}

static bool wants_uefi(const UtmConfig *config)
{
	bool value = false;

	utm_config_get_bool(config, "QEMU.UEFIBoot", &value, NULL);
	return value;
}

static bool make_variables(const UtmConfig *config, const char *bundle, const char *architecture)
{
	const char *template = !strcmp(architecture, "x86_64") ? "/usr/share/OVMF/OVMF_VARS_4M.fd" : "/usr/share/AAVMF/AAVMF_VARS.fd";
	g_autofree char *path = g_build_filename(bundle, "Data", "efi_vars.fd", NULL);

	if (!wants_uefi(config))
		return true;
	if (!g_file_test(template, G_FILE_TEST_EXISTS))
		return false;
	run_tool((const char *[]){ "qemu-img", "convert", "-f", "raw", "-O", "qcow2", template, path, NULL });
	return true;
}

/* --- the process and its monitor --- */

static void start(Run *run, const UtmArgv *argv)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	g_autofree char *log = g_build_filename(run->dir, "log", NULL);
	g_autofree char *command = g_strdup_printf("exec \"$0\" \"$@\" >'%s' 2>&1 </dev/null", log);
	GError *error = NULL;

	g_ptr_array_add(all, (char *)"sh");
	g_ptr_array_add(all, (char *)"-c");
	g_ptr_array_add(all, command);
	g_ptr_array_add(all, (char *)utm_argv_get_program(argv));
	for (size_t i = 0; i <= utm_argv_get_count(argv); i++)
		g_ptr_array_add(all, (char *)utm_argv_get_strings(argv)[i]);
	g_assert_true(g_spawn_async(run->dir, (char **)all->pdata, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
	                            NULL, &run->pid, &error));
}

static void fail_with_log(Run *run, const UtmArgv *argv, const char *what)
{
	g_autofree char *path = g_build_filename(run->dir, "log", NULL);
	g_autofree char *text = argv_text(argv);
	g_autofree char *log = NULL;

	g_file_get_contents(path, &log, NULL, NULL);
	kill(run->pid, SIGKILL);
	g_error("%s: %s\n%s", what, log ? log : "", text);
}

static bool has_ended(Run *run)
{
	return waitpid(run->pid, NULL, WNOHANG) == run->pid;
}

static void connect_monitor(Run *run, const UtmArgv *argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	gint64 deadline = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;
	struct timeval patience = { .tv_sec = DEADLINE_S };

	g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/qmp.sock", run->dir);
	run->monitor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(run->monitor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (connect(run->monitor, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (has_ended(run))
			fail_with_log(run, argv, "QEMU ended");
		if (g_get_monotonic_time() > deadline)
			fail_with_log(run, argv, "no monitor");
		g_usleep(10000);
	}
}

static char *read_line(Run *run)
{
	char buffer[65536];
	char *end;

	while (!(end = strchr(run->unread->str, '\n'))) {
		ssize_t length = recv(run->monitor, buffer, sizeof(buffer), 0);

		if (length <= 0)
			return NULL;
		g_string_append_len(run->unread, buffer, length);
	}
	char *line = g_strndup(run->unread->str, end - run->unread->str);
	g_string_erase(run->unread, 0, end - run->unread->str + 1);
	return line;
}

/* The answer to a command; events in between are dropped. */
static char *ask(Run *run, const UtmArgv *argv, const char *command)
{
	char *line = NULL;

	g_assert_cmpint(send(run->monitor, command, strlen(command), MSG_NOSIGNAL), ==, strlen(command));
	do {
		g_free(line);
		line = read_line(run);
		if (!line)
			fail_with_log(run, argv, "the monitor is silent");
	} while (strstr(line, "\"event\"") || strstr(line, "\"QMP\""));
	return line;
}

static void check_devices(Run *run, const UtmArgv *argv, const char *devices)
{
	g_auto(GStrv) lines = g_strsplit(devices, "\n", -1);
	g_autofree char *tree =
		ask(run, argv, "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"info qtree\"}}\n");

	for (char **line = lines; *line; line++) {
		g_autofree char *pattern = g_strdup_printf("dev: %s,", *line);

		if (**line && !strstr(tree, pattern))
			g_error("no %s in %s", *line, tree);
	}
}

static void talk(Run *run, const UtmArgv *argv, const char *devices)
{
	connect_monitor(run, argv);
	g_free(ask(run, argv, "{\"execute\":\"qmp_capabilities\"}\n"));
	g_autofree char *status = ask(run, argv, "{\"execute\":\"query-status\"}\n");
	g_assert_nonnull(strstr(status, "prelaunch"));
	check_devices(run, argv, devices);
	g_free(ask(run, argv, "{\"execute\":\"quit\"}\n"));
	close(run->monitor);
	waitpid(run->pid, NULL, 0);
}

static void await_refusal(Run *run, const UtmArgv *argv)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_S * G_USEC_PER_SEC;
	int status = 0;

	while (waitpid(run->pid, &status, WNOHANG) != run->pid) {
		if (g_get_monotonic_time() > deadline)
			fail_with_log(run, argv, "QEMU takes it");
		g_usleep(10000);
	}
	g_assert_cmpint(status, !=, 0);
}

/* --- what the check says --- */

static void check_severity(const UtmConfig *config, const UtmHost *host, bool wants_error)
{
	UtmConfigCheckOptions options = UTM_CONFIG_CHECK_OPTIONS_INIT;
	UtmFindings *findings = NULL;

	options.host = host;
	check(utm_config_check(config, &options, &findings, NULL), NULL);
	for (size_t i = 0; i < utm_findings_get_count(findings); i++) {
		const UtmFinding *finding = utm_findings_get(findings, i);
		if (!wants_error && finding->severity == UTM_FINDING_SEVERITY_ERROR)
			g_error("%s: %s", finding->key_path, finding->message);
	}
	g_assert_true((utm_findings_get_severity(findings) == UTM_FINDING_SEVERITY_ERROR) == wants_error);
	utm_findings_free(findings);
}

/* --- a test --- */

static bool is_refused(const Machine *machine)
{
	return machine >= refused && machine < refused + G_N_ELEMENTS(refused);
}

static void test_machine(gconstpointer data)
{
	const Machine *machine = data;
	g_autofree char *dir = g_dir_make_tmp("utm-real-XXXXXX", NULL);
	g_autofree char *data_dir = g_build_filename(dir, "M, x.utm", "Data", NULL);
	g_autofree char *bundle = g_path_get_dirname(data_dir);
	g_auto(GStrv) words = g_strsplit(machine->name, "/", 2);
	g_autoptr(UtmConfig) config = golden_config(machine->config ? machine->config : "base.plist", machine->edits);
	UtmContext *context = utm_context_new(NULL, NULL);
	g_autoptr(UtmHost) host = NULL;
	g_autoptr(UtmArgv) argv = NULL;
	g_autoptr(UtmError) error = NULL;
	int code = utm_host_probe(context, config, &host, &error);

	utm_context_unref(context);
	g_assert_cmpint(g_mkdir_with_parents(data_dir, 0700), ==, 0);
	if (code == UTM_ERROR_QEMU_NOT_FOUND || !make_variables(config, bundle, words[0])) {
		test_remove_tree(dir);
		g_test_skip("QEMU or its firmware is not installed");
		return;
	}
	check(code, error);
	make_images(config, bundle);
	check_severity(config, host, is_refused(machine));
	check(utm_argv_build(config, bundle, host, &argv, &error), error);
	Run run = { .dir = dir, .unread = g_string_new(NULL) };
	start(&run, argv);
	if (is_refused(machine))
		await_refusal(&run, argv);
	else
		talk(&run, argv, machine->devices);
	g_string_free(run.unread, TRUE);
	test_remove_tree(dir);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *tool = g_find_program_in_path("qemu-img");
	for (gsize i = 0; tool && i < G_N_ELEMENTS(machines); i++) {
		g_autofree char *path = g_strdup_printf("/real/%s", machines[i].name);

		g_test_add_data_func(path, &machines[i], test_machine);
	}
	for (gsize i = 0; tool && i < G_N_ELEMENTS(refused); i++) {
		g_autofree char *path = g_strdup_printf("/refused/%s", refused[i].name);

		g_test_add_data_func(path, &refused[i], test_machine);
	}
	return g_test_run();
}
