/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* By what machines, drives and network cards are known: names, identifiers, hardware addresses. */
#include "check/check-private.h"

#include "base/util.h"

#include <string.h>

/* A file system's limit, less what stands around the name. */
#define NAME_MAX_BYTES (255 - 4)

/* --- name and icon --- */

static const UtmConfigInformation *information_of(const UtmCheck *check)
{
	return check->qemu ? check->qemu->information : check->apple->information;
}

static void check_name(UtmCheck *check)
{
	const char *name = information_of(check)->name;
	utm__check_at(check, "Information.Name");
	if (!name[strspn(name, " \t\r\n")])
		utm__find_with_remedy(check, UTM_FINDING_SETTING_IGNORED, "Give the machine a name.",
		                      "the machine has no name, and its package would have none");
	else if (strlen(name) > NAME_MAX_BYTES)
		utm__find(check, UTM_FINDING_TEXT_LONG, "%zu bytes are too many for the name of a package", strlen(name));
	else if (strpbrk(name, ",/:\\?%*|\"<>") || *name == '.')
		utm__find(check, UTM_FINDING_NAME_CHANGED, "\"%s\" is no file name; the package gets one with dashes", name);
}

/* --- drives --- */

static const char *drive_identifier(const UtmCheck *check, gsize index)
{
	return check->qemu ? check->qemu->drive[index]->identifier : check->apple->drive[index]->identifier;
}

static void check_identifiers(UtmCheck *check)
{
	gsize count = check->qemu ? check->qemu->drive_count : check->apple->drive_count;
	g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
	for (gsize i = 0; i < count; i++) {
		const char *identifier = drive_identifier(check, i);
		gpointer other;
		utm__check_at(check, "Drive[%zu].Identifier", i);
		if (!*identifier)
			utm__find(check, UTM_FINDING_VALUE, "the drive has no identifier");
		else if (g_hash_table_lookup_extended(known, identifier, NULL, &other))
			utm__find(check, UTM_FINDING_DUPLICATE, "drive %u has the identifier \"%s\" too", GPOINTER_TO_UINT(other),
			          identifier);
		else
			g_hash_table_insert(known, (char *)identifier, GUINT_TO_POINTER(i));
	}
}

/* --- hardware addresses --- */

static const char *mac_of(const UtmCheck *check, gsize index)
{
	return check->qemu ? check->qemu->network[index]->mac_address : check->apple->network[index]->mac_address;
}

static void check_mac(UtmCheck *check, GHashTable *known, gsize index)
{
	const char *text = mac_of(check, index);
	guint64 bits;
	if (!utm__parse_mac_address(text, &bits)) {
		utm__find(check, UTM_FINDING_VALUE, "\"%s\" is no MAC address: six pairs of hexadecimal digits with colons are",
		          text);
		return;
	}
	if (bits >> 40 & 1)
		utm__find(check, UTM_FINDING_MAC_MULTICAST, "%s is the address of a group", text);
	g_autofree char *key = g_strdup_printf("%" G_GINT64_MODIFIER "x", bits);
	gpointer other;
	if (g_hash_table_lookup_extended(known, key, NULL, &other))
		utm__find(check, UTM_FINDING_DUPLICATE, "network card %u has the address %s too", GPOINTER_TO_UINT(other),
		          text);
	else
		g_hash_table_insert(known, g_steal_pointer(&key), GUINT_TO_POINTER(index));
}

static void check_macs(UtmCheck *check)
{
	gsize count = check->qemu ? check->qemu->network_count : check->apple->network_count;
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (gsize i = 0; i < count; i++) {
		utm__check_at(check, "Network[%zu].MacAddress", i);
		check_mac(check, known, i);
	}
}

/* --- names of files --- */

/* Whether links lead out is for the check of a package; here it is the text alone. */
static void check_file_name(UtmCheck *check, const char *name)
{
	if (!name)
		return;
	if (utm__leads_out(name))
		utm__find(check, UTM_FINDING_PATH_ESCAPE, "\"%s\" leads out of the bundle", name);
	else if (strchr(name, '/'))
		utm__find(check, UTM_FINDING_NAME_NOT_PLAIN, "\"%s\" is in a directory of its own", name);
	else if (strlen(name) > 255)
		utm__find(check, UTM_FINDING_TEXT_LONG, "%zu bytes are too many for a file name", strlen(name));
}

static void check_apple_file_names(UtmCheck *check)
{
	const UtmConfigAppleSystem *system = check->apple->system;
	utm__check_at(check, "System.Boot.LinuxKernelPath");
	check_file_name(check, system->boot->linux_kernel_path);
	utm__check_at(check, "System.Boot.LinuxInitialRamdiskPath");
	check_file_name(check, system->boot->linux_initial_ramdisk_path);
	utm__check_at(check, "System.Boot.EfiVariableStoragePath");
	check_file_name(check, system->boot->efi_variable_storage_path);
	utm__check_at(check, "System.MacPlatform.AuxiliaryStoragePath");
	check_file_name(check, system->mac_platform ? system->mac_platform->auxiliary_storage_path : NULL);
}

static void check_file_names(UtmCheck *check)
{
	gsize count = check->qemu ? check->qemu->drive_count : check->apple->drive_count;
	for (gsize i = 0; i < count; i++) {
		utm__check_at(check, "Drive[%zu].ImageName", i);
		check_file_name(check, check->qemu ? check->qemu->drive[i]->image_name : check->apple->drive[i]->image_name);
	}
	utm__check_at(check, "Information.Icon");
	if (information_of(check)->icon_custom)
		check_file_name(check, information_of(check)->icon);
	if (check->apple)
		check_apple_file_names(check);
}

void utm__check_identity(UtmCheck *check)
{
	check_name(check);
	check_identifiers(check);
	check_macs(check);
	check_file_names(check);
}
