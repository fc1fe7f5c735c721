/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arguments that the user typed. They come after ours and may do anything that QEMU can, with the rights of whoever runs
 * it: what breaks the machine, what reaches the host, and what says again what a key says. Ids that are there twice are
 * found in the finished command line.
 */
#include "check/check-private.h"

#include "argv/groups.h"

#include <string.h>

typedef struct Concern {
	const char *option; /* without its dash */
	const char *value;  /* text in its value; NULL: any, or none */
	UtmFindingCode code;
	const char *text;
} Concern;

#define CLASH UTM_FINDING_ARGUMENT_CLASH
#define REACHES UTM_FINDING_ARGUMENT_REACHES_HOST
#define EFFECT UTM_FINDING_ARGUMENT_EFFECT
#define OVERRIDES UTM_FINDING_ARGUMENT_OVERRIDES
#define OPENS "QEMU opens a file of the host"

/* All that match are told, in this order. */
static const Concern concerns[] = {
	{ "daemonize", NULL, CLASH, "QEMU leaves its parent, which takes that for its end" },
	{ "preconfig", NULL, CLASH, "QEMU waits for a command before the machine is made" },
	{ "incoming", NULL, CLASH, "the machine waits for a migration and does not start" },
	{ "only-migratable", NULL, EFFECT, "the machine does not start with devices that cannot migrate" },
	{ "spice", NULL, CLASH, "the console connects to the server that the library sets up" },
	{ "help", NULL, CLASH, "QEMU prints its help and ends" },
	{ "h", NULL, CLASH, "QEMU prints its help and ends" },
	{ "version", NULL, CLASH, "QEMU prints its version and ends" },
	{ "device", "help", CLASH, "QEMU prints a list and ends" },
	{ "machine", "help", CLASH, "QEMU prints a list and ends" },
	{ "M", "help", CLASH, "QEMU prints a list and ends" },
	{ "cpu", "help", CLASH, "QEMU prints a list and ends" },
	{ NULL, "dumpdtb=", CLASH, "QEMU writes a file and ends" },
	{ "writeconfig", NULL, CLASH, "QEMU of today does not know it" },
	{ "chroot", NULL, CLASH, "QEMU does not find its files any more" },
	{ "runas", NULL, CLASH, "QEMU cannot become another user" },
	{ "run-with", "chroot=", CLASH, "QEMU does not find its files any more" },
	{ "readconfig", NULL, REACHES, "more of QEMU's configuration comes from a file" },
	{ "qmp", NULL, REACHES, "a second monitor controls the machine" },
	{ "qmp-pretty", NULL, REACHES, "a second monitor controls the machine" },
	{ "monitor", NULL, REACHES, "a second monitor controls the machine" },
	{ "mon", NULL, REACHES, "a second monitor controls the machine" },
	{ "vnc", NULL, REACHES, "the screen is shown over the network" },
	{ "gdb", NULL, REACHES, "a debugger may read and write all of the guest" },
	{ "s", NULL, REACHES, "a debugger may read and write all of the guest" },
	{ NULL, "exec:", REACHES, "QEMU runs a program" },
	{ NULL, "script=", REACHES, "QEMU runs a program" },
	{ NULL, "helper=", REACHES, "QEMU runs a program" },
	{ "netdev", "tap", REACHES, "QEMU runs the host's script for network interfaces, unless told not to" },
	{ NULL, "guestfwd=", REACHES, "the guest reaches a program or a port of the host" },
	{ NULL, "smb=", REACHES, "QEMU runs a file server" },
	{ "plugin", NULL, REACHES, "QEMU loads a library" },
	{ "virtfs", NULL, REACHES, "the guest sees a directory of the host" },
	{ "fsdev", NULL, REACHES, "the guest sees a directory of the host" },
	{ NULL, "file=", REACHES, OPENS },
	{ NULL, "filename=", REACHES, OPENS },
	{ NULL, "path=", REACHES, "QEMU opens a file or a socket of the host" },
	{ NULL, "file:", REACHES, OPENS },
	{ NULL, "pipe:", REACHES, OPENS },
	{ NULL, "unix:", REACHES, "QEMU opens a socket of the host" },
	{ "machine", "firmware=", REACHES, OPENS },
	{ "machine", "kernel=", REACHES, OPENS },
	{ "machine", "initrd=", REACHES, OPENS },
	{ "machine", "dtb=", REACHES, OPENS },
	{ "bios", NULL, REACHES, OPENS },
	{ "kernel", NULL, REACHES, OPENS },
	{ "initrd", NULL, REACHES, OPENS },
	{ "dtb", NULL, REACHES, OPENS },
	{ "cdrom", NULL, REACHES, OPENS },
	{ "hda", NULL, REACHES, OPENS },
	{ "hdb", NULL, REACHES, OPENS },
	{ "hdc", NULL, REACHES, OPENS },
	{ "hdd", NULL, REACHES, OPENS },
	{ "fda", NULL, REACHES, OPENS },
	{ "fdb", NULL, REACHES, OPENS },
	{ "pflash", NULL, REACHES, OPENS },
	{ "mtdblock", NULL, REACHES, OPENS },
	{ "sd", NULL, REACHES, OPENS },
	{ "D", NULL, REACHES, "QEMU writes a file of the host" },
	{ "pidfile", NULL, REACHES, "QEMU writes a file of the host" },
	{ "device", "vfio-pci", REACHES, "the guest gets a device of the host" },
	{ "device", "usb-host", REACHES, "the guest gets a device of the host" },
	{ "device", "scsi-generic", REACHES, "the guest gets a device of the host" },
	{ "snapshot", NULL, EFFECT, "what the guest writes is lost at the end" },
	{ "loadvm", NULL, EFFECT, "the machine goes on from a snapshot" },
	{ "no-reboot", NULL, EFFECT, "the machine ends where it would start again" },
	{ "no-shutdown", NULL, EFFECT, "the machine stays when the guest has switched it off" },
	{ "action", NULL, EFFECT, "the machine ends, or stays, in other cases than usual" },
	{ "m", NULL, OVERRIDES, "System.MemorySize says this" },
	{ "smp", NULL, OVERRIDES, "System.CPUCount says this" },
	{ "cpu", NULL, OVERRIDES, "System.CPU says this" },
	{ "machine", NULL, OVERRIDES, "System.Target and QEMU.MachinePropertyOverride say this" },
	{ "M", NULL, OVERRIDES, "System.Target and QEMU.MachinePropertyOverride say this" },
	{ "accel", NULL, OVERRIDES, "QEMU.Hypervisor says this" },
	{ "enable-kvm", NULL, OVERRIDES, "QEMU.Hypervisor says this" },
	{ "name", NULL, OVERRIDES, "Information.Name says this" },
	{ "uuid", NULL, OVERRIDES, "Information.UUID says this" },
	{ "rtc", NULL, OVERRIDES, "QEMU.RTCLocalTime says this" },
	{ "display", NULL, OVERRIDES, "the library shows the screen" },
	{ "nographic", NULL, OVERRIDES, "the library shows the screen" },
	{ "vga", NULL, OVERRIDES, "Display says this" },
	{ "bios", NULL, OVERRIDES, "a drive of the type BIOS says this" },
	{ "kernel", NULL, OVERRIDES, "a drive of the type LinuxKernel says this" },
	{ "initrd", NULL, OVERRIDES, "a drive of the type LinuxInitrd says this" },
	{ "dtb", NULL, OVERRIDES, "a drive of the type LinuxDTB says this" },
};

static bool begins_word(const char *value, const char *found)
{
	return found == value || strchr(",=: ", found[-1]);
}

/*
 * As a word of a value, as QEMU separates them. `text` may end where a value of its own follows: keys also match with
 * something before them, as in downscript=, and exec: wherever it is.
 */
static bool mentions(const char *value, const char *text)
{
	gsize length = strlen(text);
	for (const char *found = strstr(value, text); found; found = strstr(found + 1, text)) {
		if (text[length - 1] == ':' ||
		    (text[length - 1] == '=' && (begins_word(value, found) || g_ascii_isalpha(found[-1]))))
			return true;
		if (g_ascii_isalnum(text[length - 1]) && begins_word(value, found) && (!found[length] || found[length] == ','))
			return true;
	}
	return false;
}

static bool concerns_option(const Concern *concern, const char *option, const char *value)
{
	if (concern->option && strcmp(concern->option, option))
		return false;
	return !concern->value || (value && mentions(value, concern->value));
}

/* Many options may have one value that begins with a dash; that is another option here. */
static void check_option(UtmCheck *check, const char *text, const char *next)
{
	const char *option = text + strspn(text, "-");
	const char *value = next && *next != '-' ? next : NULL;
	/* -monitor none and the like switch something off. */
	if (!g_strcmp0(value, "none"))
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(concerns); i++)
		if (concerns_option(&concerns[i], option, value))
			utm__find(check, concerns[i].code, "%.40s%s%.80s: %s", text, value ? " " : "", value ? value : "",
			          concerns[i].text);
}

/* Properties of the machine stand in the value of an option of ours. */
static void check_override(UtmCheck *check, const char *properties)
{
	utm__check_at(check, "QEMU.MachinePropertyOverride");
	if (properties && *properties)
		utm__find(check, UTM_FINDING_ARGUMENTS_PRESENT, "additional machine properties: %.80s", properties);
	for (gsize i = 0; properties && i < G_N_ELEMENTS(concerns); i++)
		if (concerns[i].code != OVERRIDES && concerns_option(&concerns[i], "machine", properties))
			utm__find_with_remedy(check, concerns[i].code, "Remove the property.", "%.80s: %s", properties,
			                      concerns[i].text);
}

/* A piece that is no option and no value of one would be a disk image. */
static void check_stray(UtmCheck *check, const GPtrArray *pieces)
{
	const char *first = pieces->len ? pieces->pdata[0] : "-";
	if (*first != '-')
		utm__find(check, UTM_FINDING_ARGUMENT_EFFECT, "\"%.80s\" is no option; QEMU takes it for the first disk",
		          first);
}

/* The longest argument that Linux takes. */
#define ARGUMENT_MAX (128 * 1024)

void utm__check_arguments(UtmCheck *check)
{
	const UtmConfigOptions *options = check->qemu->qemu;
	g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GArray) owners = g_array_new(FALSE, FALSE, sizeof(gsize));
	for (gsize i = 0; i < options->additional_arguments_count; i++) {
		utm__split_user_argument(options->additional_arguments[i], pieces);
		while (owners->len < pieces->len)
			g_array_append_val(owners, i);
	}
	check_override(check, options->machine_property_override);
	utm__check_at(check, "QEMU.AdditionalArguments");
	if (pieces->len)
		utm__find(check, UTM_FINDING_ARGUMENTS_PRESENT, "%u additional arguments", pieces->len);
	check_stray(check, pieces);
	for (guint i = 0; i < pieces->len; i++) {
		const char *piece = pieces->pdata[i];
		utm__check_at(check, "QEMU.AdditionalArguments[%zu]", g_array_index(owners, gsize, i));
		if (*piece == '-')
			check_option(check, piece, i + 1 < pieces->len ? pieces->pdata[i + 1] : NULL);
		if (strlen(piece) >= ARGUMENT_MAX)
			utm__find(check, UTM_FINDING_VALUE, "an argument of %zu bytes is more than the system takes",
			          strlen(piece));
	}
}
