/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU machines of UTM 1 to 3, in two steps as UTM does it: what is missing in a file gets the values that UTM 3 would
 * have given it, and then everything gets its place in version 4. The first step leaves a section alone that is not
 * there; the second takes it for an empty one.
 */
#include "config/defaults.h"
#include "config/migrate.h"

#include <string.h>
#include <utm/hardware.h>

static void set_text(char **place, const char *text)
{
	g_free(*place);
	*place = g_strdup(text);
}

static bool is_empty(const char *text)
{
	return !text || !*text;
}

static void set_if_empty(char **place, const char *text)
{
	if (is_empty(*place))
		set_text(place, text);
}

#define SET_IF_ABSENT(object, member, value)                                                                           \
	do {                                                                                                               \
		if (!(object)->has_##member)                                                                                   \
			(object)->member = (value);                                                                                \
		(object)->has_##member = true;                                                                                 \
	} while (0)

static bool has_prefix(const char *text, const char *prefix)
{
	return text && g_str_has_prefix(text, prefix);
}

/* --- machine types and processors --- */

/*
 * The machine type of a file that names none: as of a new machine, but that UTM 3 had one other, and one architecture less.
 * That of the SuperH is not listed any more; what takes its place in UTM has not even a processor.
 */
static char *dup_missing_target(const char *architecture, bool is_exact)
{
	if (g_strcmp0(architecture, "riscv64") == 0)
		return g_strdup("spike");
	if (is_exact && architecture && g_str_has_prefix(architecture, "sh4"))
		return g_strdup("none");
	if (!architecture || strcmp(architecture, "loongarch64") == 0)
		return NULL;
	return utm__config_dup_default_target(architecture, false);
}

/* Whether UTM's list has a name. NULL: a machine of no architecture has none. */
static const char *find_listed(const UtmHardware *hardware, UtmHardwareKind kind, const char *name)
{
	const UtmHardwareItem *item = utm_hardware_find(hardware, kind, name);
	return item && !(item->flags & UTM_HARDWARE_ITEM_GONE) ? name : NULL;
}

/* QEMU once wrote the names of PowerPC's processors in capitals, and still takes them so. */
static const char *find_in_any_case(const UtmHardware *hardware, const char *cpu)
{
	if (!g_str_has_prefix(utm_hardware_get_architecture(hardware), "ppc"))
		return NULL;
	for (size_t i = 0; i < utm_hardware_get_count(hardware, UTM_HARDWARE_CPU); i++) {
		const char *name = utm_hardware_get(hardware, UTM_HARDWARE_CPU, i)->name;
		if (g_ascii_strcasecmp(name, cpu) == 0)
			return name;
	}
	return NULL;
}

/* --- step one: what is missing --- */

static void normalise_sound(UtmLegacySound *sound)
{
	if (!sound->sound_card)
		set_text(&sound->sound_card, "AC97");
	if (strcmp(sound->sound_card, "hda") == 0)
		set_text(&sound->sound_card, "intel-hda");
	if (strcmp(sound->sound_card, "pcspk") == 0) {
		sound->has_sound_enabled = true;
		sound->sound_enabled = false;
	}
}

static bool is_valid_name(const char *name)
{
	static const char others[] = "-._";
	if (!name || (*name && !g_ascii_isalpha(*name)))
		return false;
	for (; *name; name++)
		if (!g_ascii_isalnum(*name) && !strchr(others, *name))
			return false;
	return true;
}

/* One name that QEMU could not take renames all drives. */
static void normalise_drive_names(UtmMigration *migration, UtmLegacyQemu *old)
{
	bool valid = true;
	for (size_t i = 0; i < old->drives_count; i++)
		valid = valid && is_valid_name(old->drives[i]->drive_name);
	for (size_t i = 0; !valid && i < old->drives_count; i++) {
		g_autofree char *name = g_strdup_printf("drive%zu", i);
		g_autofree char *path = g_strdup_printf("Drives[%zu].DriveName", i);
		if (old->drives[i]->drive_name && strcmp(old->drives[i]->drive_name, name) != 0)
			utm__migration_note(migration, UTM_CONFIG_NOTE_CHANGED, path,
			                    "all drives are numbered: the name of one begins with a digit or has odd characters");
		set_text(&old->drives[i]->drive_name, name);
	}
}

static void normalise_drives(UtmMigration *migration, UtmLegacyQemu *old)
{
	for (size_t i = 0; i < old->drives_count; i++)
		if (!old->drives[i]->image_type)
			set_text(&old->drives[i]->image_type, old->drives[i]->cdrom ? "cd" : "disk");
	normalise_drive_names(migration, old);
}

static void normalise_networking(UtmLegacyNetworking *networking)
{
	if (!networking->network_card)
		set_text(&networking->network_card, "rtl8139");
	if (networking->has_network_enabled)
		set_text(&networking->network_mode, networking->network_enabled ? "emulated" : "none");
}

static void normalise_system(const UtmMigration *migration, UtmLegacySystem *system)
{
	if (is_empty(system->target)) {
		g_free(system->target);
		system->target = dup_missing_target(system->architecture, migration->exact);
	}
	set_if_empty(&system->cpu, "default");
	const char *target = system->target;
	bool is_virt = has_prefix(target, "virt"), is_pc = has_prefix(target, "pc") || has_prefix(target, "q35");
	SET_IF_ABSENT(system, use_hypervisor, g_strcmp0(system->architecture, migration->host_architecture) == 0);
	SET_IF_ABSENT(system, boot_uefi, is_virt);
	SET_IF_ABSENT(system, rng_enabled, is_virt || is_pc);
	SET_IF_ABSENT(system, rtc_use_local_time, true);
	SET_IF_ABSENT(system, force_ps2_controller, is_pc);
}

static bool is_virt_machine(const char *target)
{
	return target && (strcmp(target, "virt") == 0 || g_str_has_prefix(target, "virt-"));
}

static const char *default_display_card(const char *target)
{
	if (has_prefix(target, "pc") || has_prefix(target, "q35"))
		return "qxl-vga";
	return is_virt_machine(target) ? "virtio-ramfb" : "VGA";
}

static void normalise_display(UtmLegacyDisplay *display, const char *target, const UtmLegacySharing *sharing)
{
	set_if_empty(&display->display_upscaler, "linear");
	set_if_empty(&display->display_downscaler, "linear");
	set_if_empty(&display->console_font, "Menlo-Regular");
	/* Any other font stays: which ones there are is known to the Mac alone. */
	if (strcmp(display->console_font, "Menlo") == 0)
		set_text(&display->console_font, "Menlo-Regular");
	set_if_empty(&display->console_theme, "Default");
	if (!display->console_text_color)
		set_text(&display->console_text_color, "#ffffff");
	if (!display->console_background_color)
		set_text(&display->console_background_color, "#000000");
	if (display->console_font_size == 0)
		display->console_font_size = 12;
	display->has_console_font_size = true;
	if (!display->display_card)
		set_text(&display->display_card, default_display_card(target));
	SET_IF_ABSENT(display, display_fit_screen, sharing && (sharing->clipboard_sharing || sharing->directory_sharing));
}

static void normalise_sharing(UtmLegacySharing *sharing, const char *target)
{
	SET_IF_ABSENT(sharing, usb_redirect_max, 3);
	if (is_virt_machine(target))
		SET_IF_ABSENT(sharing, usb3_support, true);
}

static void normalise(UtmMigration *migration, UtmLegacyQemu *old)
{
	if (old->sound)
		normalise_sound(old->sound);
	normalise_drives(migration, old);
	if (old->networking)
		normalise_networking(old->networking);
	if (old->system)
		normalise_system(migration, old->system);
	const char *target = old->system ? old->system->target : NULL;
	if (old->display)
		normalise_display(old->display, target, old->sharing);
	if (old->sharing)
		normalise_sharing(old->sharing, target);
}

/* --- step two: places in version 4 --- */

static const UtmMigrationCopy root_copies[] = {
	{ "Info.Notes", "Information.Notes" },
	{ "System.CPUCount", "System.CPUCount" },
	{ "System.Memory", "System.MemorySize" },
	{ "System.JITCacheSize", "System.JITCacheSize" },
	{ "System.ForceMulticore", "System.ForceMulticore" },
	{ "Debug.DebugLog", "QEMU.DebugLog" },
	{ "System.BootUefi", "QEMU.UEFIBoot" },
	{ "System.RngEnabled", "QEMU.RNGDevice" },
	{ "System.UseHypervisor", "QEMU.Hypervisor" },
	{ "System.RTCUseLocalTime", "QEMU.RTCLocalTime" },
	{ "System.ForcePS2Controller", "QEMU.PS2Controller" },
	{ "System.MachineProperties", "QEMU.MachinePropertyOverride" },
	{ "Sharing.UsbRedirectMax", "Input.MaximumUsbShare" },
	{ "Sharing.DirectoryReadOnly", "Sharing.DirectoryShareReadOnly" },
	{ "Sharing.ClipboardSharing", "Sharing.ClipboardSharing" },
};

static const UtmMigrationCopy display_copies[] = {
	{ "Display.DisplayCard", "Hardware" },
	{ "Display.DisplayFitScreen", "DynamicResolution" },
	{ "Display.DisplayRetina", "NativeResolution" },
	{ "Display.DisplayUpscaler", "UpscalingFilter" },
	{ "Display.DisplayDownscaler", "DownscalingFilter" },
};

static const UtmMigrationCopy terminal_copies[] = {
	{ "Display.ConsoleTextColor", "ForegroundColor" },
	{ "Display.ConsoleBackgroundColor", "BackgroundColor" },
	{ "Display.ConsoleFont", "Font" },
	{ "Display.ConsoleFontSize", "FontSize" },
	{ "Display.ConsoleResizeCommand", "ResizeCommand" },
	{ "Display.ConsoleBlink", "CursorBlink" },
};

static const UtmMigrationCopy network_copies[] = {
	{ "NetworkMode", "Mode" },
	{ "NetworkCard", "Hardware" },
	{ "NetworkCardMAC", "MacAddress" },
	{ "IsolateGuest", "IsolateFromHost" },
	{ "NetworkBridgeInterface", "BridgeInterface" },
	{ "IPSubnet", "VlanGuestAddress" },
	{ "IPv6Subnet", "VlanGuestAddressIPv6" },
	{ "IPHost", "VlanHostAddress" },
	{ "IPv6Host", "VlanHostAddressIPv6" },
	{ "DHCPStart", "VlanDhcpStartAddress" },
	{ "DHCPDomain", "VlanDhcpDomain" },
	{ "IPDNS", "VlanDnsServerAddress" },
	{ "IPv6DNS", "VlanDnsServerAddressIPv6" },
	{ "DNSSearch", "VlanDnsSearchDomain" },
};

static const UtmMigrationCopy forward_copies[] = {
	{ "Protocol", "Protocol" },
	{ "HostAddress", "HostAddress" },
	{ "HostPort", "HostPort" },
	{ "GuestAddress", "GuestAddress" },
	{ "GuestPort", "GuestPort" },
};

#define COPY(table, from, to) utm__migration_copy(table, G_N_ELEMENTS(table), from, to)

static void migrate_information(UtmMigration *migration, const UtmLegacyQemu *old, UtmConfigInformation *information)
{
	const UtmLegacyInfo *info = old->info;
	const char *uuid = old->system ? old->system->system_uuid : NULL;
	set_text(&information->name, migration->name);
	if (uuid && strlen(uuid) == 36 && g_uuid_string_is_valid(uuid)) {
		g_free(information->uuid);
		information->uuid = g_ascii_strup(uuid, -1);
	} else if (!is_empty(uuid)) {
		utm__migration_note(migration, UTM_CONFIG_NOTE_CHANGED, "System.SystemUUID",
		                    "is not a UUID; there is a new one");
	}
	set_text(&information->icon, info ? info->icon : NULL);
	information->icon_custom = info && info->icon && info->icon_custom;
}

static void note_replaced(UtmMigration *migration, const char *key_path, const char *what, const char *old, const char *new)
{
	utm__migration_note(migration, UTM_CONFIG_NOTE_CHANGED, key_path,
	                    "\"%.80s\" is no %s of this architecture any more; %s stands in its place", old, what, new);
}

/* A machine type that UTM does not list would make it refuse the file. */
static void migrate_target(UtmMigration *migration, const UtmHardware *list, const char *target, UtmConfigSystem *system)
{
	const char *architecture = utm_hardware_get_architecture(list);
	bool is_listed = target && find_listed(list, UTM_HARDWARE_MACHINE, target);
	if (is_listed)
		set_text(&system->target, target);
	/* Without one it stays that of the x86_64, which no LoongArch has. */
	if (is_listed || (!target && (migration->exact || strcmp(architecture, "loongarch64") != 0)))
		return;
	g_free(system->target);
	system->target = utm__config_dup_default_target(architecture, migration->exact);
	if (target)
		note_replaced(migration, "System.Target", "machine", target, system->target);
}

static void migrate_cpu(UtmMigration *migration, const UtmHardware *list, const char *cpu, UtmConfigSystem *system)
{
	const char *architecture = utm_hardware_get_architecture(list), *kept = NULL;
	if (is_empty(cpu))
		return;
	/* UTM lists it where it runs on Apple processors only; QEMU has it wherever it virtualises. */
	if (strcmp(cpu, "host") == 0)
		kept = !migration->exact || strcmp(architecture, "aarch64") == 0 ? cpu : NULL;
	else
		kept = find_listed(list, UTM_HARDWARE_CPU, cpu);
	if (!kept && !migration->exact)
		kept = find_in_any_case(list, cpu);
	set_text(&system->cpu, kept ? kept : "default");
	if (!kept)
		note_replaced(migration, "System.CPU", "processor", cpu, "default");
}

static void migrate_machine(UtmMigration *migration, const UtmLegacySystem *old, UtmConfigSystem *system)
{
	const char *name = old->architecture;
	UtmHardware *list = NULL;
	int32_t architecture =
		name ? utm__schema_enum_from_text(&utm__config_schema, UTM_CONFIG_SCHEMA_ARCHITECTURE, name, strlen(name)) : -1;
	if (architecture >= 0)
		system->architecture = architecture;
	else if (name)
		utm__migration_note(migration, UTM_CONFIG_NOTE_CHANGED, "System.Architecture",
		                    "\"%.80s\" no longer exists; x86_64 stands in its place", name);
	/* Each architecture is in the list that the library brings; a test asks for all. */
	if (utm_hardware_query(NULL, utm__config_architecture_get_text(system->architecture), 0, &list, NULL) < 0)
		return;
	migrate_target(migration, list, old->target, system);
	migrate_cpu(migration, list, old->cpu, system);
	utm_hardware_unref(list);
}

/* Room is that of what is added to; lists of strings come from a file of bounded size. */
static void add_string(char ***list, size_t *count, const char *text)
{
	*list = g_renew(char *, *list, *count + 1);
	(*list)[(*count)++] = g_strdup(text);
}

static void migrate_flags(const UtmLegacySystem *old, UtmConfigSystem *system)
{
	for (size_t i = 0; i < old->cpu_flags_count; i++) {
		bool removes = *old->cpu_flags[i] == '-';
		const char *flag = old->cpu_flags[i] + (removes || *old->cpu_flags[i] == '+');
		if (strcmp(flag, "$null") == 0) /* no property list can say it */
			continue;
		if (removes)
			add_string(&system->cpu_flags_remove, &system->cpu_flags_remove_count, flag);
		else
			add_string(&system->cpu_flags_add, &system->cpu_flags_add_count, flag);
	}
}

static void migrate_arguments(UtmMigration *migration, const UtmValue *arguments, UtmConfigOptions *options)
{
	bool is_list = arguments && arguments->kind == UTM_TOKEN_BEGIN_ARRAY;
	for (gsize i = 0; arguments && i < (is_list ? arguments->as.children.count : 1); i++) {
		const UtmValue *argument = is_list ? arguments->as.children.items[i] : arguments;
		g_autofree char *path =
			is_list ? g_strdup_printf("System.AddArgs[%" G_GSIZE_FORMAT "]", i) : g_strdup("System.AddArgs");
		if (argument->kind == UTM_TOKEN_STRING)
			add_string(&options->additional_arguments, &options->additional_arguments_count, argument->as.text.bytes);
		else
			utm__migration_note(migration, UTM_CONFIG_NOTE_DROPPED, path, "is not a string");
	}
}

static void migrate_usb(const UtmLegacyQemu *old, UtmConfigInput *input)
{
	bool usb3 = old->sharing && old->sharing->usb3_support;
	if (old->input && old->input->input_legacy)
		input->usb_bus_support = UTM_CONFIG_USB_BUS_DISABLED;
	else
		input->usb_bus_support = usb3 ? UTM_CONFIG_USB_BUS_3_0 : UTM_CONFIG_USB_BUS_2_0;
	/* Version 2 shared devices whenever it could, even none at a time. */
	input->usb_sharing = old->sharing != NULL;
}

static void migrate_screen(const UtmLegacyQemu *old, UtmConfigQemu *qemu)
{
	if (old->display && old->display->console_only) {
		UtmConfigSerial *serial = utm__migration_append(qemu, "Serial");
		COPY(terminal_copies, old, serial->terminal);
	} else {
		COPY(display_copies, old, utm__migration_append(qemu, "Display"));
	}
}

static void check_word(UtmMigration *migration, size_t index, const char *key, const char *word, int32_t value,
                       const char *becomes)
{
	g_autofree char *path = g_strdup_printf("Drives[%zu].%s", index, key);
	if (!is_empty(word) && value < 0)
		utm__migration_note(migration, UTM_CONFIG_NOTE_CHANGED, path, "\"%.80s\" is not known; %s stands in its place",
		                    word, becomes);
}

/* Version 4 does not write it, so it is not there in memory either. */
static void drop_interface(UtmMigration *migration, size_t index, UtmConfigDrive *drive)
{
	g_autofree char *path = g_strdup_printf("Drives[%zu].InterfaceType", index);
	if (drive->interface != UTM_CONFIG_DRIVE_INTERFACE_NONE)
		utm__migration_note(migration, UTM_CONFIG_NOTE_INFO, path, "only disks and CDs have an interface");
	drive->interface = UTM_CONFIG_DRIVE_INTERFACE_NONE;
}

static void migrate_drive(UtmMigration *migration, const UtmLegacyDrive *old, size_t index, UtmConfigDrive *drive)
{
	int32_t type = utm__migration_find_word(UTM_CONFIG_SCHEMA_IMAGE_TYPE, "Linux", old->image_type);
	int32_t interface = utm__migration_find_word(UTM_CONFIG_SCHEMA_DRIVE_INTERFACE, "", old->interface_type);
	check_word(migration, index, "ImageType", old->image_type, type, "Disk");
	check_word(migration, index, "InterfaceType", old->interface_type, interface, "None");
	drive->image_type = type < 0 ? UTM_CONFIG_IMAGE_TYPE_DISK : type;
	drive->interface = interface < 0 ? UTM_CONFIG_DRIVE_INTERFACE_NONE : interface;
	if (drive->image_type != UTM_CONFIG_IMAGE_TYPE_DISK && drive->image_type != UTM_CONFIG_IMAGE_TYPE_CD)
		drop_interface(migration, index, drive);
	drive->interface_version = 0;
	drive->read_only = old->removable;
	set_text(&drive->image_name, old->removable ? NULL : old->image_path);
	const char *name = old->drive_name;
	name += has_prefix(name, "drive") ? strlen("drive") : 0;
	if (!is_empty(name))
		set_text(&drive->identifier, name);
	if (old->removable && !is_empty(old->image_path)) {
		g_autofree char *path = g_strdup_printf("Drives[%zu].ImagePath", index);
		utm__migration_note(migration, UTM_CONFIG_NOTE_DROPPED, path, "a removable medium is not part of the machine");
	}
}

static void migrate_drives(UtmMigration *migration, const UtmLegacyQemu *old, UtmConfigQemu *qemu)
{
	for (size_t i = 0; i < old->drives_count; i++) {
		if (g_strcmp0(old->drives[i]->image_path, UTM_CONFIG_EFI_VARS) != 0) {
			migrate_drive(migration, old->drives[i], i, utm__migration_append(qemu, "Drive"));
			continue;
		}
		g_autofree char *path = g_strdup_printf("Drives[%zu]", i);
		utm__migration_note(migration, UTM_CONFIG_NOTE_INFO, path, "the UEFI variables are no drive any more");
	}
}

static void migrate_forward(const UtmMigration *migration, const UtmLegacyPortForward *old,
                            UtmConfigPortForward *forward)
{
	COPY(forward_copies, old, forward);
	set_if_empty(&forward->host_address, "");
	set_if_empty(&forward->guest_address, "");
	if (migration->exact || !old->has_host_port)
		forward->host_port = old->guest_port;
}

static bool has_network(const UtmLegacyNetworking *networking)
{
	return networking && utm__migration_find_word(UTM_CONFIG_SCHEMA_NETWORK_MODE, "", networking->network_mode) >= 0;
}

static void migrate_network(UtmMigration *migration, const UtmLegacyNetworking *old, UtmConfigQemu *qemu)
{
	if (!has_network(old))
		return;
	UtmConfigNetwork *network = utm__migration_append(qemu, "Network");
	COPY(network_copies, old, network);
	if (network->mode != UTM_CONFIG_NETWORK_MODE_BRIDGED && network->bridge_interface) {
		utm__migration_note(migration, UTM_CONFIG_NOTE_INFO, "Networking.NetworkBridgeInterface",
		                    "the network card is not bridged");
		set_text(&network->bridge_interface, NULL);
	}
	for (size_t i = 0; i < old->port_forward_count; i++)
		migrate_forward(migration, old->port_forward[i], utm__migration_append(network, "PortForward"));
}

static void migrate_sound(const UtmLegacySound *old, UtmConfigQemu *qemu)
{
	if (!old || !old->sound_enabled)
		return;
	UtmConfigSound *sound = utm__migration_append(qemu, "Sound");
	set_text(&sound->hardware, strcmp(old->sound_card, "ac97") == 0 ? "AC97" : old->sound_card);
}

/* --- what has no place --- */

enum {
	WHEN_ALWAYS,
	WHEN_CONSOLE,
	WHEN_SCREEN,
	WHEN_NO_NETWORK,
	WHEN_NO_SOUND,
	WHEN_COUNT,
};

/* `keys` is a key of the section, or how several begin; `harmless` a value that need not be told. */
static const struct {
	const char *section, *keys, *harmless;
	UtmConfigNoteKind kind;
	int when;
	const char *reason;
} lost[] = {
	{ "System", "BootDevice", "", UTM_CONFIG_NOTE_INFO, WHEN_ALWAYS, "drives boot in their order" },
	{ "Debug", "IgnoreAllConfiguration", "false", UTM_CONFIG_NOTE_DROPPED, WHEN_ALWAYS,
	  "the configuration cannot be ignored any more" },
	{ "Input", "InputInvertScroll", "false", UTM_CONFIG_NOTE_DROPPED, WHEN_ALWAYS,
	  "is a setting of the application now" },
	{ "Input", "TouchscreenMode", "", UTM_CONFIG_NOTE_INFO, WHEN_ALWAYS, "has long had no effect" },
	{ "Input", "DirectInput", "", UTM_CONFIG_NOTE_INFO, WHEN_ALWAYS, "has long had no effect" },
	{ "Networking", "DHCPHost", "", UTM_CONFIG_NOTE_DROPPED, WHEN_ALWAYS, "the DHCP server cannot be chosen any more" },
	{ "Display", "ConsoleTheme", "Default", UTM_CONFIG_NOTE_DROPPED, WHEN_ALWAYS, "colours stand for themselves now" },
	{ "Sharing", "DirectoryName", "", UTM_CONFIG_NOTE_DROPPED, WHEN_ALWAYS,
	  "the shared directory is kept outside of the package now" },
	{ "Sharing", "DirectoryBookmark", "", UTM_CONFIG_NOTE_DROPPED, WHEN_ALWAYS,
	  "the shared directory is kept outside of the package now" },
	{ "Display", "Console", "false", UTM_CONFIG_NOTE_INFO, WHEN_SCREEN, "the machine has a screen, not a terminal" },
	{ "Display", "Display", "false", UTM_CONFIG_NOTE_INFO, WHEN_CONSOLE, "the machine has a terminal, not a screen" },
	{ "Networking", "", "false", UTM_CONFIG_NOTE_INFO, WHEN_NO_NETWORK, "the machine has no network card" },
	{ "Sound", "SoundCard", "", UTM_CONFIG_NOTE_INFO, WHEN_NO_SOUND, "the machine has no sound card" },
};

/* As JSON, without the quotes of a string. */
static char *dup_shown(const UtmSchemaMember *member, const void *object)
{
	const void *field = utm__schema_at(object, member->offset);
	if (member->flags & UTM_SCHEMA_ARRAY)
		return g_strdup(utm__schema_get_count(member, object) ? "[...]" : "");
	if (member->kind == UTM_SCHEMA_BOOL)
		return g_strdup(*(const bool *)field ? "true" : "false");
	return member->kind == UTM_SCHEMA_STRING ? g_strdup(*(char *const *)field) : g_strdup("...");
}

/* The keys that say what there is are not lost with it, and a key that is always lost has a rule of its own. */
static bool is_about(gsize rule, const char *name)
{
	static const char *const others[] = { "ConsoleOnly", "NetworkMode", "NetworkEnabled", "ConsoleTheme", "DHCPHost" };
	bool is_other = false;
	for (gsize i = 0; lost[rule].when != WHEN_ALWAYS && i < G_N_ELEMENTS(others); i++)
		is_other |= strcmp(name, others[i]) == 0;
	return !is_other && g_str_has_prefix(name, lost[rule].keys);
}

static void note_lost_key(UtmMigration *migration, const UtmSchemaMember *member, const void *object, gsize rule)
{
	const char *name = utm__schema_string(&utm__legacy_schema, member->name);
	if (!utm__schema_is_present(member, object) || !is_about(rule, name))
		return;
	g_autofree char *value = dup_shown(member, object);
	g_autofree char *path = g_strdup_printf("%s.%s", lost[rule].section, name);
	if (*value && strcmp(value, lost[rule].harmless) != 0)
		utm__migration_note(migration, lost[rule].kind, path, "%s", lost[rule].reason);
}

static void note_lost(UtmMigration *migration, const UtmLegacyQemu *old)
{
	const UtmSchema *schema = &utm__legacy_schema;
	const UtmSchemaType *root = &schema->types[UTM_LEGACY_SCHEMA_QEMU];
	bool console = old->display && old->display->console_only;
	const UtmLegacyNetworking *networking = old->networking;
	bool network =
		networking && networking->has_network_enabled ? networking->network_enabled : has_network(networking);
	bool sound = old->sound && old->sound->sound_enabled && g_strcmp0(old->sound->sound_card, "pcspk") != 0;
	const bool holds[WHEN_COUNT] = { true, console, !console, !network, !sound };
	for (gsize rule = 0; rule < G_N_ELEMENTS(lost); rule++) {
		const UtmSchemaMember *section =
			utm__schema_find_member(schema, root, lost[rule].section, strlen(lost[rule].section));
		const void *object = *(void *const *)utm__schema_at(old, section->offset);
		const UtmSchemaType *row = &schema->types[section->type];
		for (guint i = 0; object && holds[lost[rule].when] && i < row->count; i++)
			note_lost_key(migration, utm__schema_member(schema, row, i), object, rule);
	}
	if (old->printing && !(old->printing->kind == UTM_TOKEN_BEGIN_OBJECT && old->printing->as.children.count == 0))
		utm__migration_note(migration, UTM_CONFIG_NOTE_DROPPED, "Printing", "never had any effect");
}

UtmConfigQemu *utm__migrate_legacy_qemu(UtmMigration *migration, UtmLegacyQemu *old)
{
	UtmConfigQemu *qemu = utm__config_qemu_new();
	utm__migration_note_unknown(migration, old, "");
	note_lost(migration, old);
	normalise(migration, old);
	COPY(root_copies, old, qemu);
	migrate_information(migration, old, qemu->information);
	if (old->system) {
		migrate_machine(migration, old->system, qemu->system);
		migrate_flags(old->system, qemu->system);
		migrate_arguments(migration, old->system->add_args, qemu->qemu);
	}
	migrate_usb(old, qemu->input);
	if (old->sharing && old->sharing->directory_sharing)
		qemu->sharing->directory_share_mode = UTM_CONFIG_SHARE_MODE_WEB_DAV;
	migrate_screen(old, qemu);
	migrate_drives(migration, old, qemu);
	migrate_network(migration, old->networking, qemu);
	migrate_sound(old->sound, qemu);
	return qemu;
}
