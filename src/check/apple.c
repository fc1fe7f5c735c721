/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Machines of Apple's Virtualization framework: what it needs to boot, and what UTM drops when it saves. Nothing runs them
 * here, so the rules are the framework's and UTM's, not those of a host.
 */
#include "check/check-private.h"

#include <string.h>

static bool is_given(const char *text)
{
	return text && *text;
}

static void check_linux(UtmCheck *check, const UtmConfigAppleBoot *boot)
{
	utm__check_at(check, "System.Boot.LinuxKernelPath");
	if (!boot->uefi_boot && !is_given(boot->linux_kernel_path))
		utm__find(check, UTM_FINDING_NOTHING_BOOTS, "Linux boots with UEFI or a kernel, and there is neither");
	if (boot->uefi_boot && is_given(boot->linux_kernel_path))
		utm__find(check, UTM_FINDING_BOOT_IGNORED, "a machine with UEFI does not boot a kernel directly");
	utm__check_at(check, "System.Boot.LinuxInitialRamdiskPath");
	if (is_given(boot->linux_initial_ramdisk_path) && (boot->uefi_boot || !is_given(boot->linux_kernel_path)))
		utm__find(check, UTM_FINDING_BOOT_IGNORED, "an initial RAM disk goes with a kernel");
}

static void check_macos(UtmCheck *check, const UtmConfigAppleSystem *system)
{
	utm__check_at(check, "System.MacPlatform");
	if (!system->mac_platform)
		utm__find(check, UTM_FINDING_NOTHING_BOOTS,
		          "macOS needs the description of a Mac, which its installation makes");
	utm__check_at(check, "System.Architecture");
	if (strcmp(system->architecture, "aarch64"))
		utm__find(check, UTM_FINDING_UNSUPPORTED, "macOS guests run on Apple processors, not on %s",
		          system->architecture);
	utm__check_at(check, "System.Boot.UEFIBoot");
	if (system->boot->uefi_boot)
		utm__find(check, UTM_FINDING_BOOT_IGNORED, "macOS does not boot with UEFI");
}

static void check_boot(UtmCheck *check, const UtmConfigAppleSystem *system)
{
	switch (system->boot->operating_system) {
	case UTM_CONFIG_APPLE_OPERATING_SYSTEM_LINUX:
		check_linux(check, system->boot);
		break;
	case UTM_CONFIG_APPLE_OPERATING_SYSTEM_MACOS:
		check_macos(check, system);
		break;
	default:
		utm__check_at(check, "System.Boot.OperatingSystem");
		utm__find(check, UTM_FINDING_NOTHING_BOOTS, "no operating system is chosen");
	}
}

static void check_architecture(UtmCheck *check, const char *architecture)
{
	utm__check_at(check, "System.Architecture");
	if (strcmp(architecture, "aarch64") && strcmp(architecture, "x86_64"))
		utm__find(check, UTM_FINDING_UNSUPPORTED, "Macs are aarch64 or x86_64, not \"%s\"", architecture);
}

static void check_drives(UtmCheck *check)
{
	const UtmConfigApple *apple = check->apple;
	bool linux_guest = apple->system->boot->operating_system == UTM_CONFIG_APPLE_OPERATING_SYSTEM_LINUX;
	for (gsize i = 0; i < apple->drive_count; i++) {
		utm__check_at(check, "Drive[%zu].Nvme", i);
		if (apple->drive[i]->nvme && !linux_guest)
			utm__find(check, UTM_FINDING_SETTING_IGNORED, "NVMe is for Linux guests");
	}
}

static void check_devices(UtmCheck *check)
{
	const UtmConfigApple *apple = check->apple;
	const UtmConfigAppleVirtualization *devices = apple->virtualization;
	bool macos = apple->system->boot->operating_system == UTM_CONFIG_APPLE_OPERATING_SYSTEM_MACOS;
	utm__check_at(check, "Virtualization.Rosetta");
	if (macos && devices->has_rosetta && devices->rosetta)
		utm__find(check, UTM_FINDING_SETTING_IGNORED, "Rosetta is for Linux guests");
	for (gsize i = 0; i < apple->serial_count; i++) {
		bool shown = apple->serial[i]->mode == UTM_CONFIG_APPLE_SERIAL_MODE_TERMINAL;
		utm__check_at(check, "Serial[%zu].Terminal", i);
		if (shown && !apple->serial[i]->terminal)
			utm__find(check, UTM_FINDING_SERIAL_INCOMPLETE,
			          "nothing says how the terminal looks; UTM's window ends without");
		else if (shown)
			utm__check_terminal(check, apple->serial[i]->terminal);
	}
	/* One machine has one console of the framework. */
	for (gsize i = 1; i < apple->display_count; i++) {
		utm__check_at(check, "Display[%zu]", i);
		utm__find(check, UTM_FINDING_SETTING_IGNORED, "the framework shows one screen");
	}
}

void utm__check_apple(UtmCheck *check)
{
	check_architecture(check, check->apple->system->architecture);
	check_boot(check, check->apple->system);
	check_drives(check);
	check_devices(check);
}
