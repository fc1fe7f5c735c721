/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Apple machines of UTM 3. The old format has strict types, so whatever is wrong was refused before this. What UTM does
 * depends on the Mac it runs on; here everything is done that the best of Macs would do, since others may read what
 * comes of it.
 */
#include "config/migrate.h"

#include <string.h>

#define BYTES_PER_MIB (1 << 20)

static void set_text(char **place, const char *text)
{
	g_free(*place);
	*place = g_strdup(text);
}

/* Version 4 never holds a path, only the name of a file in Data. */
static void set_file_name(char **place, const char *path)
{
	g_autofree char *name = path ? g_path_get_basename(path) : NULL;
	/* The last word is what property lists have for no value. */
	bool is_name = name && strcmp(name, "/") != 0 && strcmp(name, ".") != 0 && strcmp(name, "$null") != 0 && *path;
	set_text(place, is_name ? name : NULL);
}

static void migrate_information(UtmMigration *migration, const UtmLegacyApple *old, UtmConfigInformation *information)
{
	set_text(&information->name, old->name);
	set_text(&information->notes, old->notes);
	/* UTM looks for a built-in icon of the custom one's name, finds none, and has none. */
	if (old->icon_custom && migration->exact) {
		utm__migration_note(migration, UTM_CONFIG_NOTE_DROPPED, "icon", "UTM loses custom icons");
		return;
	}
	set_text(&information->icon, old->icon);
	information->icon_custom = old->icon && old->icon_custom;
}

/* What version 4 does not write in this mode is not there in memory either. */
static void note_unused(UtmMigration *migration, const char *key_path, const void *value)
{
	if (value)
		utm__migration_note(migration, UTM_CONFIG_NOTE_INFO, key_path, "has no effect in a machine of this kind");
}

static void migrate_boot(UtmMigration *migration, const UtmLegacyAppleBoot *old, UtmConfigAppleBoot *boot)
{
	if (!old)
		return;
	if (old->operating_system == UTM_LEGACY_OPERATING_SYSTEM_MACOS) {
		boot->operating_system = UTM_CONFIG_APPLE_OPERATING_SYSTEM_MACOS;
		note_unused(migration, "bootLoader.linuxKernelPath", old->linux_kernel_path);
		note_unused(migration, "bootLoader.linuxCommandLine", old->linux_command_line);
		note_unused(migration, "bootLoader.linuxInitialRamdiskPath", old->linux_initial_ramdisk_path);
		return;
	}
	boot->operating_system = UTM_CONFIG_APPLE_OPERATING_SYSTEM_LINUX;
	set_file_name(&boot->linux_kernel_path, old->linux_kernel_path);
	set_text(&boot->linux_command_line, old->linux_command_line);
	set_file_name(&boot->linux_initial_ramdisk_path, old->linux_initial_ramdisk_path);
}

static UtmConfigAppleMacPlatform *migrate_mac(const UtmLegacyAppleMac *old)
{
	if (!old)
		return NULL;
	UtmConfigAppleMacPlatform *mac = utm__config_apple_mac_platform_new();
	mac->hardware_model = utm__value_copy(old->hardware_model);
	mac->machine_identifier = utm__value_copy(old->machine_identifier);
	set_file_name(&mac->auxiliary_storage_path, old->auxiliary_storage_path);
	return mac;
}

static void migrate_system(UtmMigration *migration, const UtmLegacyApple *old, UtmConfigAppleSystem *system)
{
	const char *architecture = migration->exact ? migration->host_architecture : old->architecture;
	set_text(&system->architecture, architecture);
	system->cpu_count = old->cpu_count;
	system->memory_size = old->memory_size / BYTES_PER_MIB;
	migrate_boot(migration, old->boot_loader, system->boot);
	if (system->boot->operating_system == UTM_CONFIG_APPLE_OPERATING_SYSTEM_MACOS)
		system->mac_platform = migrate_mac(old->mac_platform);
	else
		note_unused(migration, "macPlatform", old->mac_platform);
	if (old->memory_size % BYTES_PER_MIB)
		utm__migration_note(migration, UTM_CONFIG_NOTE_CHANGED, "memorySize", "is rounded down to MiB");
	if (migration->exact && strcmp(architecture, old->architecture) != 0)
		utm__migration_note(migration, UTM_CONFIG_NOTE_CHANGED, "architecture", "UTM takes that of the host");
}

static void migrate_devices(const UtmLegacyApple *old, UtmConfigAppleVirtualization *virtualization)
{
	virtualization->audio = old->is_audio_enabled;
	virtualization->balloon = old->is_balloon_enabled;
	virtualization->entropy = old->is_entropy_enabled;
	virtualization->keyboard =
		old->is_keyboard_enabled ? UTM_CONFIG_APPLE_KEYBOARD_GENERIC : UTM_CONFIG_APPLE_KEYBOARD_DISABLED;
	virtualization->pointer =
		old->is_pointing_enabled ? UTM_CONFIG_APPLE_POINTER_MOUSE : UTM_CONFIG_APPLE_POINTER_DISABLED;
}

static void migrate_displays(const UtmLegacyApple *old, UtmConfigApple *apple)
{
	for (size_t i = 0; i < old->displays_count; i++) {
		UtmConfigAppleDisplay *display = utm__migration_append(apple, "Display");
		display->width_pixels = old->displays[i]->width_in_pixels;
		display->height_pixels = old->displays[i]->height_in_pixels;
		display->pixels_per_inch = old->displays[i]->pixels_per_inch;
	}
}

static void migrate_drives(UtmMigration *migration, const UtmLegacyApple *old, UtmConfigApple *apple)
{
	for (size_t i = 0; i < old->disk_images_count; i++) {
		const UtmLegacyAppleDisk *disk = old->disk_images[i];
		UtmConfigAppleDrive *drive = utm__migration_append(apple, "Drive");
		set_file_name(&drive->image_name, disk->image_path);
		drive->read_only = disk->is_read_only;
		drive->bookmark = utm__value_copy(disk->image_bookmark);
		g_autofree char *path = g_strdup_printf("diskImages[%zu].imageBookmark", i);
		if (disk->image_bookmark)
			utm__migration_note(migration, UTM_CONFIG_NOTE_DROPPED, path,
			                    disk->is_external ? "a removable medium is kept outside of the package now"
			                                      : "only the Mac that made it can find the image; copy it into Data");
	}
}

static void migrate_networks(UtmMigration *migration, const UtmLegacyApple *old, UtmConfigApple *apple)
{
	utm__migration_clear(apple, "Network");
	for (size_t i = 0; i < old->network_devices_count; i++) {
		const UtmLegacyAppleNetwork *device = old->network_devices[i];
		UtmConfigAppleNetwork *network = utm__migration_append(apple, "Network");
		network->mode = device->network_mode == UTM_LEGACY_NETWORK_MODE_BRIDGED ? UTM_CONFIG_APPLE_NETWORK_MODE_BRIDGED
		                                                                        : UTM_CONFIG_APPLE_NETWORK_MODE_SHARED;
		set_text(&network->mac_address, device->mac_address);
		g_autofree char *path = g_strdup_printf("networkDevices[%zu].bridgeInterfaceIdentifier", i);
		if (network->mode == UTM_CONFIG_APPLE_NETWORK_MODE_BRIDGED)
			set_text(&network->bridge_interface, device->bridge_interface_identifier);
		else
			note_unused(migration, path, device->bridge_interface_identifier);
	}
}

static void migrate_terminal(const UtmLegacyApple *old, UtmConfigTerminal *terminal)
{
	set_text(&terminal->foreground_color, old->console_text_color);
	set_text(&terminal->background_color, old->console_background_color);
	if (old->console_font)
		set_text(&terminal->font, old->console_font);
	terminal->font_size = old->console_font_size;
	set_text(&terminal->resize_command, old->console_resize_command);
	terminal->cursor_blink = old->console_cursor_blink;
}

static void migrate_serial(const UtmLegacyApple *old, UtmConfigApple *apple)
{
	if (!old->is_console_display && !old->is_serial_enabled)
		return;
	UtmConfigAppleSerial *serial = utm__migration_append(apple, "Serial");
	if (old->is_console_display) {
		migrate_terminal(old, serial->terminal);
		return;
	}
	serial->mode = UTM_CONFIG_APPLE_SERIAL_MODE_PTTY;
	utm__config_terminal_free(serial->terminal);
	serial->terminal = NULL;
}

static void note_lost(UtmMigration *migration, const UtmLegacyApple *old)
{
	const struct {
		const char *key, *value;
	} console[] = {
		{ "consoleTextColor", old->console_text_color },
		{ "consoleBackgroundColor", old->console_background_color },
		{ "consoleFont", old->console_font },
		{ "consoleResizeCommand", old->console_resize_command },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(console) && !old->is_console_display; i++)
		if (console[i].value)
			utm__migration_note(migration, UTM_CONFIG_NOTE_INFO, console[i].key, "the machine has no terminal");
	if (old->console_theme && strcmp(old->console_theme, "Default") != 0)
		utm__migration_note(migration, UTM_CONFIG_NOTE_DROPPED, "consoleTheme", "colours stand for themselves now");
	if (old->shared_directories && old->shared_directories->as.children.count)
		utm__migration_note(migration, UTM_CONFIG_NOTE_DROPPED, "sharedDirectories",
		                    "shared directories are kept outside of the package now");
}

static int refuse_memory(UtmError **error)
{
	UtmError *made = utm__error_new(UTM_ERROR_CONFIG_MALFORMED, "must not be negative");
	return utm__fail_take(error, utm__error_set_key_path(made, "memorySize"));
}

int utm__migrate_legacy_apple(UtmMigration *migration, const UtmLegacyApple *old, UtmConfigApple **ret_apple,
                              UtmError **error)
{
	if (old->memory_size < 0)
		return refuse_memory(error);
	UtmConfigApple *apple = utm__config_apple_new();
	utm__migration_note_unknown(migration, old, "");
	note_lost(migration, old);
	migrate_information(migration, old, apple->information);
	migrate_system(migration, old, apple->system);
	migrate_devices(old, apple->virtualization);
	migrate_displays(old, apple);
	migrate_drives(migration, old, apple);
	migrate_networks(migration, old, apple);
	migrate_serial(old, apple);
	*ret_apple = apple;
	return 0;
}
