/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drives: whether there is anything in them, whether the guest sees it, and who else writes to it. */
#include "check/check-private.h"

#include <string.h>

/* --- of QEMU --- */

static bool is_attached(const UtmConfigDrive *drive)
{
	return drive->image_type == UTM_CONFIG_IMAGE_TYPE_DISK || drive->image_type == UTM_CONFIG_IMAGE_TYPE_CD;
}

/* What may be put in and taken out while the machine runs. */
static bool is_removable(const UtmConfigDrive *drive)
{
	return drive->image_type == UTM_CONFIG_IMAGE_TYPE_CD || drive->interface == UTM_CONFIG_DRIVE_INTERFACE_USB ||
	       drive->interface == UTM_CONFIG_DRIVE_INTERFACE_FLOPPY || drive->interface == UTM_CONFIG_DRIVE_INTERFACE_SD;
}

static bool has_medium(const UtmCheck *check, const char *identifier)
{
	const UtmHostFacts *facts = utm__host_get_facts(check->host);
	for (gsize i = 0; i < facts->medium_count; i++)
		if (facts->medium[i]->path && !g_strcmp0(facts->medium[i]->identifier, identifier))
			return true;
	return false;
}

static void check_image(UtmCheck *check, const UtmConfigDrive *drive, gsize index)
{
	utm__check_at(check, "Drive[%zu].ImageName", index);
	if (drive->image_name || drive->image_type == UTM_CONFIG_IMAGE_TYPE_NONE || has_medium(check, drive->identifier))
		return;
	if (!is_attached(drive))
		utm__find(check, UTM_FINDING_DRIVE_WITHOUT_IMAGE, "there is no file to boot from; the entry has no effect");
	else if (!is_removable(drive))
		utm__find(check, UTM_FINDING_DRIVE_WITHOUT_IMAGE, "the disk has no image; the guest sees an empty one");
}

static void check_visible(UtmCheck *check, const UtmConfigDrive *drive, gsize index)
{
	if (drive->image_type == UTM_CONFIG_IMAGE_TYPE_NONE) {
		utm__check_at(check, "Drive[%zu].ImageType", index);
		utm__find(check, UTM_FINDING_DRIVE_UNUSED, "a drive of the type None is nothing to the machine");
	} else if (is_attached(drive) && drive->interface == UTM_CONFIG_DRIVE_INTERFACE_NONE) {
		utm__check_at(check, "Drive[%zu].Interface", index);
		utm__find(check, UTM_FINDING_DRIVE_UNUSED, "a drive without an interface is not attached to anything");
	}
}

static void check_writable(UtmCheck *check, const UtmConfigDrive *drive, gsize index)
{
	bool cd = drive->image_type == UTM_CONFIG_IMAGE_TYPE_CD && drive->interface != UTM_CONFIG_DRIVE_INTERFACE_FLOPPY;
	utm__check_at(check, "Drive[%zu].ReadOnly", index);
	if (cd && !drive->read_only && !drive->image_name)
		utm__find(check, UTM_FINDING_DRIVE_READ_ONLY, "the guest cannot write to a CD");
}

/* --- of both --- */

typedef struct Use {
	guint drive;
	bool read_only;
} Use;

bool utm__drive_get_image(const UtmCheck *check, gsize index, const char **ret_name, bool *ret_read_only)
{
	if (check->apple) {
		*ret_name = check->apple->drive[index]->image_name;
		*ret_read_only = check->apple->drive[index]->read_only;
		return *ret_name;
	}
	const UtmConfigDrive *drive = check->qemu->drive[index];
	*ret_name = drive->image_name;
	*ret_read_only = drive->read_only || drive->image_type == UTM_CONFIG_IMAGE_TYPE_CD;
	return drive->image_name && is_attached(drive);
}

/* Names that differ in case are one file on a Mac; that is said of what is equal everywhere only. */
static void check_shared(UtmCheck *check, gsize count)
{
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	for (gsize i = 0; i < count; i++) {
		const char *name;
		Use use = { .drive = (guint)i };
		if (!utm__drive_get_image(check, i, &name, &use.read_only))
			continue;
		const Use *other = g_hash_table_lookup(known, name);
		utm__check_at(check, "Drive[%zu].ImageName", i);
		if (other && !(other->read_only && use.read_only))
			utm__find(check, UTM_FINDING_IMAGE_TWICE, "drive %u has the image \"%s\" too", other->drive, name);
		if (!other || !use.read_only)
			g_hash_table_insert(known, (char *)name, g_memdup2(&use, sizeof use));
	}
}

void utm__check_drives(UtmCheck *check)
{
	gsize count = check->qemu ? check->qemu->drive_count : check->apple->drive_count;
	for (gsize i = 0; check->qemu && i < count; i++) {
		const UtmConfigDrive *drive = check->qemu->drive[i];
		check_image(check, drive, i);
		check_visible(check, drive, i);
		check_writable(check, drive, i);
	}
	check_shared(check, count);
}
