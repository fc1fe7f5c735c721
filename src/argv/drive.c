/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drives, in the order of the configuration.
 *
 * A drive is a device in the guest and a `-drive` behind it; kernels and ROMs are options of their own. One counter of
 * boot places goes over all drives, and each kind of bus counts its own.
 */
#include "argv/groups.h"

#include "base/util.h"

#include <string.h>

typedef struct Drives {
	UtmArgvBuilder *b;
	GHashTable *identifiers; /* seen so far; to the number of their drive */
	guint boot;
	guint ide;
	guint scsi;
	guint floppy;
} Drives;

typedef struct Drive {
	const UtmConfigDrive *config;
	guint index;
	const char *id;   /* of the -drive, quoted */
	const char *path; /* NULL: no medium */
	const char *format;
	bool cd;
	bool removable;
} Drive;

static void at(Drives *d, const Drive *drive, const char *key)
{
	utm__builder_at(d->b, "Drive[%u].%s", drive->index, key);
}

/* --- files --- */

static const UtmHostMedium *find_medium(const UtmArgvBuilder *b, const char *identifier)
{
	for (gsize i = 0; i < b->facts->medium_count; i++) {
		if (!g_strcmp0(b->facts->medium[i]->identifier, identifier))
			return b->facts->medium[i];
	}
	return NULL;
}

/* NULL for a drive without a medium. */
static const char *find_path(Drives *d, const Drive *drive)
{
	const UtmHostMedium *medium = find_medium(d->b, drive->config->identifier);
	const char *name = drive->config->image_name;
	g_autofree char *path = NULL;

	if (!name)
		return medium ? medium->path : NULL;
	at(d, drive, "ImageName");
	/* Links are the bundle's to follow: this code opens no file. */
	if (utm__leads_out(name))
		utm__refuse(d->b, UTM_ERROR_BUNDLE_PATH_ESCAPE, "\"%s\" leads out of the bundle", name);
	path = g_strdup_printf("%s/Data/%s", d->b->bundle_path, name);
	return g_string_chunk_insert(d->b->chunk, path);
}

/*
 * QEMU must not guess: a guest that writes an image header into a raw disk could make it open any file of the host
 * at the next start.
 */
static const char *find_format(Drives *d, const Drive *drive)
{
	const UtmHostMedium *medium = find_medium(d->b, drive->config->identifier);
	const char *format;

	at(d, drive, "ImageName");
	if (medium && medium->format)
		return utm__name(d->b, medium->format, "disk format");
	if (drive->cd || !drive->path)
		return "raw";
	format = utm__image_format_from_name(drive->path);
	if (!format && !d->b->exact)
		utm__warn(d->b, UTM_ARGV_HOST_LACKS, "the name does not tell the format of the image; it is taken as raw");
	return format ? format : "raw";
}

static void add_file(UtmArgvBuilder *b, const Drive *drive)
{
	if (!b->exact)
		utm__add_more(b, ",format=%s", drive->format);
	utm__add_more(b, ",file.filename=%s", drive->path ? utm__quote(b, drive->path) : "/dev/null");
}

/* UTM's order of the parts, in which locking may come twice. */
static void add_utm_backing(UtmArgvBuilder *b, const Drive *drive, bool read_only)
{
	if (drive->path || !drive->cd)
		add_file(b, drive);
	if (read_only)
		utm__add_more(b, "%s,readonly=on", drive->path ? ",file.locking=off" : "");
	else
		utm__add_more(b, ",discard=unmap,detect-zeroes=unmap");
	if (!b->facts->file_lock && (drive->path || !drive->cd))
		utm__add_more(b, ",file.locking=off");
}

static void add_backing(UtmArgvBuilder *b, const Drive *drive, bool read_only)
{
	bool empty_floppy = b->pc && drive->config->interface == UTM_CONFIG_DRIVE_INTERFACE_FLOPPY && !drive->path;
	bool has_file = drive->path || (!drive->cd && !empty_floppy);

	if (has_file)
		add_file(b, drive);
	if (has_file && (!b->facts->file_lock || (read_only && drive->path)))
		utm__add_more(b, ",file.locking=off");
	if (read_only)
		utm__add_more(b, ",readonly=on");
	else if (has_file)
		utm__add_more(b, ",discard=unmap,detect-zeroes=unmap");
}

static void add_drive_option(Drives *d, const Drive *drive, const char *interface)
{
	UtmArgvBuilder *b = d->b;
	bool read_only = drive->config->read_only || drive->cd;

	at(d, drive, "ImageName");
	utm__add(b, "-drive", "if=%s,media=%s,id=%s", interface, drive->cd ? "cdrom" : "disk", drive->id);
	if (b->exact)
		add_utm_backing(b, drive, read_only);
	else
		add_backing(b, drive, read_only);
}

/* --- devices --- */

static void add_boot_index(Drives *d)
{
	if (!d->b->boot_index_off)
		utm__add_more(d->b, ",bootindex=%u", d->boot);
	d->boot++;
}

static bool is_q35(const UtmArgvBuilder *b)
{
	return utm__machine_is_family(b->target, "q35") || utm__machine_is_family(b->target, "pc-q35");
}

static bool has_one_ide_unit(const UtmArgvBuilder *b)
{
	/* UTM misspells the last one, so that it never matches there. */
	static const char *const boards[] = { "microvm", "cubieboard", "highbank", "midway", "xlnx-zcu102", NULL };
	bool forgotten = !b->exact && !strcmp(b->target, "sbsa-ref");

	return b->pc || forgotten || (g_strv_contains(boards, b->target) && !(b->exact && strchr(b->target, '-')));
}

/*
 * UTM gives each drive of a PC its own bus, of which the old chipset has two: the third and fourth become second
 * units.
 */
static void add_pc_ide_place(Drives *d, guint place)
{
	UtmArgvBuilder *b = d->b;
	guint buses = is_q35(b) ? 6 : 2;
	guint max = is_q35(b) ? 6 : 4;

	if (place >= max)
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "machine %s has room for %u IDE drives", b->target, max);
	utm__add_more(b, ",bus=ide.%u%s", place % buses, place >= buses ? ",unit=1" : "");
}

static void add_ide(Drives *d, const Drive *drive)
{
	UtmArgvBuilder *b = d->b;
	guint place = d->ide++;

	if (!b->exact && !drive->cd && drive->config->read_only) {
		at(d, drive, "ReadOnly");
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED,
		            "QEMU has no read-only IDE disks; VirtIO, NVMe, SCSI and USB disks can be");
	}
	utm__add(b, "-device", "%s", drive->cd ? "ide-cd" : "ide-hd");
	if (b->pc && !b->exact)
		add_pc_ide_place(d, place);
	else if (drive->config->interface_version >= 1 && !has_one_ide_unit(b))
		utm__add_more(b, ",bus=ide.%u,unit=%u", place / 2, place % 2);
	else
		utm__add_more(b, ",bus=ide.%u", place);
	utm__add_more(b, ",drive=%s", drive->id);
	add_boot_index(d);
}

/* The controller that a machine needs for SCSI drives; NULL where the board has one. */
static const char *choose_scsi_controller(const UtmArgvBuilder *b)
{
	const char *architecture = b->architecture->name;
	bool m68k = !strcmp(architecture, "m68k");

	if (m68k && (b->exact ? !strcmp(b->target, "virt") : utm__machine_is_family(b->target, "virt")))
		return "virtio-scsi-device,id=scsi0";
	if (m68k || !strcmp(architecture, "sparc") || (b->exact && !strcmp(architecture, "sparc64")))
		return NULL;
	if (b->exact)
		return "lsi53c895a,id=scsi0";
	if (b->machine->traits & UTM_MACHINE_CCW)
		return "virtio-scsi-ccw,id=scsi0";
	if (b->machine->traits & UTM_MACHINE_MMIO && !(b->machine->traits & UTM_MACHINE_PCI))
		return "virtio-scsi-device,id=scsi0";
	/* The only bus of that machine with a free slot. */
	return !strcmp(architecture, "sparc64") ? "lsi53c895a,id=scsi0,bus=pciB" : "lsi53c895a,id=scsi0";
}

static void check_scsi(Drives *d, const char *controller)
{
	UtmArgvBuilder *b = d->b;
	bool parallel = !controller || g_str_has_prefix(controller, "lsi");

	if (controller && parallel && !(b->machine->traits & UTM_MACHINE_PCI))
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "machine %s has no place for a SCSI controller", b->target);
	if (d->scsi >= (parallel ? 8 : 256))
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "too many SCSI drives");
}

static void add_scsi(Drives *d, const Drive *drive)
{
	UtmArgvBuilder *b = d->b;
	const char *controller = choose_scsi_controller(b);

	if (!b->exact)
		check_scsi(d, controller);
	if (controller && !d->scsi)
		utm__add(b, "-device", "%s", controller);
	utm__add(b, "-device", "%s,bus=%s.0,channel=0,scsi-id=%u,drive=%s", drive->cd ? "scsi-cd" : "scsi-hd",
	         controller ? "scsi0" : "scsi", d->scsi++, drive->id);
	add_boot_index(d);
}

static const char *choose_virtio_disk(UtmArgvBuilder *b)
{
	if (!b->exact)
		return utm__virtio_device(b, "blk", true);
	if (!strcmp(b->architecture->name, "s390x"))
		return "virtio-blk-ccw";
	return !strcmp(b->architecture->name, "m68k") ? "virtio-blk-device" : "virtio-blk-pci";
}

/* The device keeps twenty bytes; without the hyphens they tell more drives apart. */
static char *make_short_serial(const char *identifier)
{
	GString *serial = g_string_sized_new(20);

	for (; *identifier && serial->len < 20; identifier++) {
		if (*identifier != '-')
			g_string_append_c(serial, *identifier);
	}
	return g_string_free(serial, FALSE);
}

static void add_virtio(Drives *d, const Drive *drive)
{
	UtmArgvBuilder *b = d->b;
	const char *device = choose_virtio_disk(b);
	g_autofree char *serial = make_short_serial(drive->config->identifier);

	if (!device)
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "machine %s has no place for VirtIO drives", b->target);
	utm__add(b, "-device", "%s,drive=%s,serial=%s", device ? device : "", drive->id, utm__text(b, serial));
	add_boot_index(d);
}

static void add_nvme(Drives *d, const Drive *drive)
{
	UtmArgvBuilder *b = d->b;

	if (!b->exact && !(b->machine->traits & UTM_MACHINE_PCI))
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "machine %s has no PCI bus for NVMe drives", b->target);
	utm__add(b, "-device", "nvme,drive=%s,serial=%s", drive->id, utm__text(b, drive->config->identifier));
	add_boot_index(d);
}

static void add_usb(Drives *d, const Drive *drive)
{
	UtmArgvBuilder *b = d->b;

	if (!b->exact && !b->usb)
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "the machine has no USB bus for this drive");
	utm__add(b, "-device", "usb-storage,drive=%s,removable=", drive->id);
	utm__add_more(b, "%s", b->macos ? (drive->removable ? "true" : "false") : (drive->removable ? "on" : "off"));
	add_boot_index(d);
	if (b->usb && b->usb_card)
		utm__add_more(b, ",bus=usb-bus.0");
}

/* UTM's QEMU drops the built-in controller; all that UTM adds sit at one address. */
static void add_utm_floppy(Drives *d, const Drive *drive)
{
	UtmArgvBuilder *b = d->b;

	utm__add(b, "-device", "isa-fdc,id=fdc%u", d->floppy);
	if (!b->boot_index_off)
		utm__add_more(b, ",bootindexA=%u", d->boot);
	utm__add(b, "-device", "floppy,unit=0,bus=fdc%u.0,drive=%s", d->floppy, drive->id);
}

static void add_pc_floppy(Drives *d, const Drive *drive)
{
	UtmArgvBuilder *b = d->b;
	/* UTM's QEMU has no controller built in once there is -nodefaults. */
	bool added = b->macos || is_q35(b);

	if (d->floppy >= 2)
		utm__refuse(b, UTM_ERROR_CONFIG_UNSUPPORTED, "a PC has room for two floppy drives");
	if (!d->floppy && added)
		utm__add(b, "-device", "isa-fdc,id=fdc0,bootindexA=%u", d->boot);
	else if (!d->floppy)
		utm__add(b, "-global", "isa-fdc.bootindexA=%u", d->boot);
	utm__add(b, "-device", "floppy,unit=%u,bus=%s.0,drive=%s", d->floppy, added ? "fdc0" : "floppy-bus", drive->id);
}

static void add_floppy(Drives *d, const Drive *drive)
{
	if (!d->b->pc)
		return;
	if (d->b->exact)
		add_utm_floppy(d, drive);
	else
		add_pc_floppy(d, drive);
	d->floppy++;
	d->boot++;
}

/* --- kinds --- */

static const struct {
	const char *name; /* if=... */
	void (*add_device)(Drives *d, const Drive *drive);
	bool on_board; /* the board must have a slot for it; not known to fail on most */
} interfaces[] = {
	[UTM_CONFIG_DRIVE_INTERFACE_NONE] = { "none", NULL, false },
	[UTM_CONFIG_DRIVE_INTERFACE_IDE] = { "none", add_ide, false },
	[UTM_CONFIG_DRIVE_INTERFACE_SCSI] = { "none", add_scsi, false },
	[UTM_CONFIG_DRIVE_INTERFACE_SD] = { "sd", NULL, true },
	[UTM_CONFIG_DRIVE_INTERFACE_MTD] = { "mtd", NULL, true },
	[UTM_CONFIG_DRIVE_INTERFACE_FLOPPY] = { "floppy", add_floppy, true },
	[UTM_CONFIG_DRIVE_INTERFACE_PFLASH] = { "pflash", NULL, false },
	[UTM_CONFIG_DRIVE_INTERFACE_VIRTIO] = { "none", add_virtio, false },
	[UTM_CONFIG_DRIVE_INTERFACE_NVME] = { "none", add_nvme, false },
	[UTM_CONFIG_DRIVE_INTERFACE_USB] = { "none", add_usb, false },
};

static const char *const boot_options[] = {
	[UTM_CONFIG_IMAGE_TYPE_BIOS] = "-bios",
	[UTM_CONFIG_IMAGE_TYPE_LINUX_KERNEL] = "-kernel",
	[UTM_CONFIG_IMAGE_TYPE_LINUX_INITRD] = "-initrd",
	[UTM_CONFIG_IMAGE_TYPE_LINUX_DTB] = "-dtb",
};

static void add_boot_file(Drives *d, const Drive *drive)
{
	int32_t type = drive->config->image_type;
	const char *option = type >= 0 && type < (int32_t)G_N_ELEMENTS(boot_options) ? boot_options[type] : NULL;

	if (!drive->config->image_name)
		return;
	if (option) {
		at(d, drive, "ImageName");
		utm__add(d->b, option, "%s", drive->path);
	} else if (d->b->exact) {
		/* A mistake of UTM's that QEMU then stumbles over. */
		utm__add(d->b, "", "%s", "");
	}
}

static void add_disk(Drives *d, const Drive *drive)
{
	int32_t interface = drive->config->interface;
	UtmArgvBuilder *b = d->b;
	bool pc_floppy = interface == UTM_CONFIG_DRIVE_INTERFACE_FLOPPY && b->pc;

	at(d, drive, "Interface");
	if (interface < 0 || interface >= (int32_t)G_N_ELEMENTS(interfaces) || !interfaces[interface].name) {
		utm__refuse(b, UTM_ERROR_CONFIG_INVALID_VALUE, "unknown drive interface");
		return;
	}
	if (!b->exact && interfaces[interface].on_board && !pc_floppy &&
	    (b->pc || b->virt || !strcmp(b->target, "microvm")))
		utm__warn(b, UTM_ARGV_NO_PLACE, "machine %s has no slot for such a drive", b->target);
	if (interfaces[interface].add_device)
		interfaces[interface].add_device(d, drive);
	add_drive_option(d, drive, pc_floppy ? "none" : interfaces[interface].name);
}

/* Identifiers become names of QEMU's objects. */
static void check_identifier(Drives *d, const Drive *drive)
{
	const char *identifier = drive->config->identifier;
	gpointer other;

	at(d, drive, "Identifier");
	utm__name(d->b, identifier, "drive");
	if (g_hash_table_lookup_extended(d->identifiers, identifier, NULL, &other))
		utm__refuse(d->b, UTM_ERROR_CONFIG_INVALID_VALUE, "drive %u has the same identifier", GPOINTER_TO_UINT(other));
	g_hash_table_insert(d->identifiers, (char *)identifier, GUINT_TO_POINTER(drive->index));
}

static void add_drive(Drives *d, const UtmConfigDrive *config, guint index)
{
	int32_t type = config->image_type;
	g_autofree char *id = g_strdup_printf("drive%s", config->identifier ? config->identifier : "");
	Drive drive = { .config = config, .index = index };

	drive.cd = type == UTM_CONFIG_IMAGE_TYPE_CD && config->interface != UTM_CONFIG_DRIVE_INTERFACE_FLOPPY;
	drive.removable = type == UTM_CONFIG_IMAGE_TYPE_CD || !config->image_name;
	drive.path = find_path(d, &drive);
	if (type != UTM_CONFIG_IMAGE_TYPE_DISK && type != UTM_CONFIG_IMAGE_TYPE_CD) {
		add_boot_file(d, &drive);
		return;
	}
	drive.format = find_format(d, &drive);
	if (!d->b->exact)
		check_identifier(d, &drive);
	drive.id = g_string_chunk_insert(d->b->chunk, utm__text(d->b, id));
	add_disk(d, &drive);
}

static bool is_kernel(const UtmConfigDrive *drive)
{
	return drive->image_type == UTM_CONFIG_IMAGE_TYPE_LINUX_KERNEL && drive->image_name;
}

/* On a PC, QEMU starts a kernel with a ROM that has the first place itself, and refuses another device there. */
static guint get_first_boot_place(const UtmArgvBuilder *b)
{
	bool kernel = false;

	for (gsize i = 0; i < b->config->drive_count; i++)
		kernel = kernel || is_kernel(b->config->drive[i]);
	for (guint i = 0; i < b->user_arguments->len; i++)
		kernel = kernel || !strcmp(b->user_arguments->pdata[i], "-kernel");
	return kernel && !b->exact && b->architecture->traits & UTM_ARCH_X86;
}

void utm__argv_drives(UtmArgvBuilder *b)
{
	g_autoptr(GHashTable) identifiers = g_hash_table_new(g_str_hash, g_str_equal);
	Drives d = { .b = b, .identifiers = identifiers, .boot = get_first_boot_place(b) };

	for (gsize i = 0; i < b->config->drive_count && !b->error; i++)
		add_drive(&d, b->config->drive[i], (guint)i);
}
