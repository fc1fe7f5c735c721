/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check of a package: its configuration, and then the files that it names, those that it does not, and what the images
 * refer to themselves.
 */
#include "check/check.h"

#include "base/util.h"
#include "bundle/bundle-private.h"
#include "bundle/spot.h"

#include <string.h>

typedef struct Package {
	UtmCheck *check;
	int root;
	const char *path;
} Package;

/* --- files that the configuration names --- */

static void tell_missing(Package *package, const UtmSpot *spot, const char *name)
{
	UtmCheck *check = package->check;
	check->file = spot->path;
	utm__find(check, UTM_FINDING_IMAGE_MISSING,
	          spot->exists ? "\"%s\" is not a regular file" : "\"%s\" is not in the bundle", name);
	check->file = NULL;
}

/* The name stands at the current key. */
static void check_file(Package *package, const char *name)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	g_autoptr(UtmError) problem = NULL;
	UtmCheck *check = package->check;
	if (!name || !*name)
		return;
	int result = utm__spot_find_data(package->root, package->path, name, &spot, &problem);
	if (result == UTM_ERROR_BUNDLE_PATH_ESCAPE)
		utm__find(check, UTM_FINDING_PATH_ESCAPE, "%s", utm_error_get_message(problem));
	else if (result < 0)
		utm__find(check, UTM_FINDING_IMAGE_MISSING, "%s", utm_error_get_message(problem));
	else if (!spot.exists || !S_ISREG(spot.info.st_mode))
		tell_missing(package, &spot, name);
}

/* One file may have several names: links, or what a file system takes for the same. */
static void check_same(Package *package, GHashTable *known, gsize index)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	UtmCheck *check = package->check;
	const char *name;
	bool read_only;
	if (!utm__drive_get_image(check, index, &name, &read_only) || !*name ||
	    utm__spot_find_data(package->root, package->path, name, &spot, NULL) < 0 || !spot.exists)
		return;
	g_autofree char *file = g_strdup_printf("%ju %ju", (uintmax_t)spot.info.st_dev, (uintmax_t)spot.info.st_ino);
	gpointer other = g_hash_table_lookup(known, file); /* 1 + the drive, negative when it only reads */
	gint drive = GPOINTER_TO_INT(other);
	if (other && !utm__has_error_here(check) && !(read_only && drive < 0))
		utm__find(check, UTM_FINDING_IMAGE_TWICE, "\"%s\" is the file of drive %d too", name, ABS(drive) - 1);
	if (!other || !read_only)
		g_hash_table_insert(known, g_steal_pointer(&file), GINT_TO_POINTER((gint)(index + 1) * (read_only ? -1 : 1)));
}

static void check_drives(Package *package)
{
	UtmCheck *check = package->check;
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	gsize count = check->qemu ? check->qemu->drive_count : check->apple->drive_count;
	for (gsize i = 0; i < count; i++) {
		utm__check_at(check, "Drive[%zu].ImageName", i);
		check_file(package, check->qemu ? check->qemu->drive[i]->image_name : check->apple->drive[i]->image_name);
		check_same(package, known, i);
	}
}

static void check_icon(Package *package)
{
	UtmCheck *check = package->check;
	const UtmConfigInformation *information = check->qemu ? check->qemu->information : check->apple->information;
	utm__check_at(check, "Information.Icon");
	if (information->icon_custom)
		check_file(package, information->icon);
}

static void check_apple_files(Package *package)
{
	UtmCheck *check = package->check;
	const UtmConfigAppleSystem *system = check->apple->system;
	bool boots_kernel =
		system->boot->operating_system == UTM_CONFIG_APPLE_OPERATING_SYSTEM_LINUX && !system->boot->uefi_boot;
	utm__check_at(check, "System.Boot.LinuxKernelPath");
	check_file(package, boots_kernel ? system->boot->linux_kernel_path : NULL);
	utm__check_at(check, "System.Boot.LinuxInitialRamdiskPath");
	check_file(package, boots_kernel ? system->boot->linux_initial_ramdisk_path : NULL);
	utm__check_at(check, "System.MacPlatform.AuxiliaryStoragePath");
	check_file(package, system->mac_platform ? system->mac_platform->auxiliary_storage_path : NULL);
}

static void check_vars(Package *package)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	UtmCheck *check = package->check;
	bool wanted = check->qemu ? check->qemu->qemu->uefi_boot : check->apple->system->boot->uefi_boot;
	int result = wanted ? utm__spot_find_data(package->root, package->path, UTM_BUNDLE_EFI_VARS, &spot, NULL) : 0;
	utm__check_at(check, check->qemu ? "QEMU.UEFIBoot" : "System.Boot.UEFIBoot");
	if (result == UTM_ERROR_BUNDLE_PATH_ESCAPE)
		utm__find(check, UTM_FINDING_PATH_ESCAPE, "%s leads out of the bundle", UTM_BUNDLE_EFI_VARS);
	else if (wanted && (result < 0 || !spot.exists))
		utm__find(check, UTM_FINDING_VARS_MISSING, "%s is not in the bundle", UTM_BUNDLE_EFI_VARS);
}

/* --- what images refer to --- */

static void check_content(Package *package, UtmHost *host)
{
	UtmCheck *check = package->check;
	for (gsize i = 0; i < check->qemu->drive_count; i++) {
		g_autoptr(UtmError) problem = NULL;
		utm__check_at(check, "Drive[%zu].ImageName", i);
		if (utm__has_error_here(check) || utm__host_inspect_drive(host, check->config, i, package->path, &problem) == 0)
			continue;
		check->file = utm_error_get_file(problem);
		utm__find_with_remedy(check, UTM_FINDING_PATH_ESCAPE, utm_error_get_remedy(problem), "%s",
		                      utm_error_get_message(problem));
		check->file = NULL;
	}
}

/* What the builder of the command line refuses, too, is told by its own rule. */
static void check_vars_content(Package *package, UtmHost *host)
{
	UtmCheck *check = package->check;
	g_autoptr(UtmError) problem = NULL;
	UtmFindingCode code = UTM_FINDING_VARS_UNFIT;
	utm__check_at(check, "QEMU.UEFIBoot");
	if (!check->qemu->qemu->uefi_boot)
		return;
	if (utm__host_inspect_vars(host, package->path, &problem) < 0)
		code = UTM_FINDING_PATH_ESCAPE;
	else if (check->any_host || utm__firmware_check_vars(host, check->config, package->path, false, &problem) !=
	                                    UTM_ERROR_FIRMWARE_MISMATCH)
		return;
	check->file = utm_error_get_file(problem);
	utm__find_with_remedy(check, code, utm_error_get_remedy(problem), "%s", utm_error_get_message(problem));
	check->file = NULL;
}

/* The facts are completed with the formats of images whose names do not tell. */
static void look_into_images(Package *package)
{
	UtmCheck *check = package->check;
	UtmHost *host = utm__host_copy(check->host);
	utm_host_unref((UtmHost *)check->host);
	check->host = host;
	check_content(package, host);
	check_vars_content(package, host);
}

/* --- files that nobody names --- */

static void tell_file(Package *package, const UtmBundleFile *file)
{
	UtmCheck *check = package->check;
	g_autofree char *path = g_build_filename(package->path, UTM_BUNDLE_DATA, file->name, NULL);
	check->file = path;
	utm__check_at(check, NULL);
	if (!file->referenced)
		utm__find(check, UTM_FINDING_FILE_UNREFERENCED, "nothing refers to \"%s\"", file->name);
	if (file->kind == UTM_BUNDLE_FILE_LINK)
		utm__find(check, UTM_FINDING_LINK, "\"%s\" is a symbolic link", file->name);
	check->file = NULL;
}

static int check_others(Package *package, UtmBundle *bundle, UtmError **error)
{
	g_autoptr(UtmBundleFiles) files = NULL;
	int result = utm_bundle_list_files(bundle, &files, error);
	for (size_t i = 0; result == 0 && i < utm_bundle_files_get_count(files); i++)
		tell_file(package, utm_bundle_files_get(files, i));
	return result;
}

/* --- all of it --- */

static int check_package(UtmCheck *check, UtmBundle *bundle, UtmError **error)
{
	utm_autofd root = utm__open_root(utm_bundle_get_path(bundle), error);
	if (root < 0)
		return root;
	Package package = { check, root, utm_bundle_get_path(bundle) };
	check->bundle_path = package.path;
	if (check->qemu)
		look_into_images(&package);
	utm__check_run(check);
	check_drives(&package);
	check_icon(&package);
	check_vars(&package);
	if (check->apple)
		check_apple_files(&package);
	return check_others(&package, bundle, error);
}

int utm_bundle_check(UtmBundle *bundle, const UtmConfigCheckOptions *options, UtmFindings **ret_findings,
                     UtmError **error)
{
	g_auto(UtmCheck) check = { 0 };
	if (!bundle || !ret_findings)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "bundle and ret_findings must not be NULL");
	int result = utm__check_begin(&check, utm_bundle_get_config(bundle), options, error);
	if (result == 0)
		result = check_package(&check, bundle, error);
	if (result == 0)
		*ret_findings = utm__check_end(&check);
	return result;
}
