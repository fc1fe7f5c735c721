/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UEFI firmware: which images a machine gets, and where they are. What the application names comes first, then what QEMU's
 * firmware descriptors tell, then names that are known.
 *
 * UTM boots silently without UEFI when an image is missing. Here that is an error: a guest that was installed with UEFI
 * does not start without it.
 */
#include "host/host-private.h"
#include "host/machines.h"

#include <string.h>

typedef struct FirmwareNames {
	const char *architecture;
	const char *code;
	const char *vars;
	const char *secure_code; /* NULL: `code` it is */
	const char *secure_vars;
	const char *assumed_dir; /* where the distribution's package has them; NULL: no typical host has these */
} FirmwareNames;

/* In order of preference: the distribution's, then those that QEMU itself comes with. */
static const FirmwareNames names[] = {
	{ "x86_64", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd",
	  "/usr/share/OVMF" },
	{ "x86_64", "OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd", "OVMF_CODE.secboot.4m.fd", "OVMF_VARS.4m.fd", NULL },
	{ "x86_64", "edk2-x86_64-code.fd", "edk2-i386-vars.fd", "edk2-x86_64-secure-code.fd", "edk2-i386-vars.fd", NULL },
	{ "i386", "edk2-i386-code.fd", "edk2-i386-vars.fd", "edk2-i386-secure-code.fd", "edk2-i386-vars.fd", NULL },
	{ "i386", NULL, NULL, "OVMF32_CODE_4M.secboot.fd", "OVMF32_VARS_4M.fd", "/usr/share/OVMF" },
	{ "aarch64", "AAVMF_CODE.fd", "AAVMF_VARS.fd", NULL, "AAVMF_VARS.ms.fd", "/usr/share/AAVMF" },
	{ "aarch64", "edk2-aarch64-code.fd", "edk2-arm-vars.fd", NULL, NULL, NULL },
	{ "arm", "AAVMF32_CODE.fd", "AAVMF32_VARS.fd", NULL, NULL, "/usr/share/AAVMF" },
	{ "arm", "edk2-arm-code.fd", "edk2-arm-vars.fd", NULL, NULL, NULL },
	{ "riscv64", "RISCV_VIRT_CODE.fd", "RISCV_VIRT_VARS.fd", NULL, NULL, "/usr/share/qemu-efi-riscv64" },
	{ "riscv64", "edk2-riscv-code.fd", "edk2-riscv-vars.fd", NULL, NULL, NULL },
	{ "loongarch64", "edk2-loongarch64-code.fd", "edk2-loongarch64-vars.fd", NULL, NULL, "/usr/share/qemu" },
};

/* --- the choice --- */

static const char *get_architecture(const UtmConfigQemu *config)
{
	return utm__config_enum_get_text("Architecture", config->system->architecture);
}

bool utm__firmware_is_secure(const UtmConfigQemu *config)
{
	const UtmArgvArchitecture *architecture = utm__architecture_find(get_architecture(config));

	return config->qemu->tpm_device && architecture && (architecture->traits & UTM_ARCH_SECURE_BOOT) &&
	       g_strcmp0(config->system->target, "microvm");
}

static bool replaces_firmware(const UtmConfigDrive *drive)
{
	switch (drive->image_type) {
	case UTM_CONFIG_IMAGE_TYPE_BIOS:
	case UTM_CONFIG_IMAGE_TYPE_LINUX_KERNEL:
		return true;
	case UTM_CONFIG_IMAGE_TYPE_DISK:
	case UTM_CONFIG_IMAGE_TYPE_CD:
		return drive->interface == UTM_CONFIG_DRIVE_INTERFACE_PFLASH;
	default:
		return false;
	}
}

bool utm__firmware_is_custom(const UtmConfigQemu *config)
{
	for (gsize i = 0; i < config->drive_count; i++) {
		if (replaces_firmware(config->drive[i]))
			return true;
	}
	return false;
}

static const UtmHostFirmware *find_entry(const UtmHostFacts *facts, const char *architecture)
{
	for (gsize i = 0; i < facts->firmware_count; i++) {
		if (!g_strcmp0(facts->firmware[i]->architecture, architecture))
			return facts->firmware[i];
	}
	return NULL;
}

static int fail_missing(const char *architecture, const char *what, UtmError **error)
{
	UtmError *missing =
		utm__error_new(UTM_ERROR_FIRMWARE_NOT_FOUND, "no %s for %s guests was found", what, architecture);

	utm__error_set_key_path(missing, "QEMU.UEFIBoot");
	if (!strcmp(architecture, "x86_64"))
		utm__error_set_remedy(missing, "Install the package ovmf, or name its directory in the context's options.");
	else if (!strcmp(architecture, "aarch64"))
		utm__error_set_remedy(missing,
		                      "Install the package qemu-efi-aarch64, or name its directory in the context's options.");
	return utm__fail_take(error, missing);
}

static int fail_unsupported(const char *key_path, const char *text, UtmError **error)
{
	return utm__fail_take(error,
	                      utm__error_set_key_path(utm__error_new(UTM_ERROR_CONFIG_UNSUPPORTED, "%s", text), key_path));
}

/* On x86 the variables are only safe behind system management mode, which the old chipset does not have. */
static bool can_guard_flash(const char *target)
{
	return utm__machine_is_family(target, "q35") || utm__machine_is_family(target, "pc-q35");
}

static int choose_from(const UtmHostFirmware *entry, const UtmConfigQemu *config, bool x86,
                       UtmFirmwareChoice *ret_choice, UtmError **error)
{
	bool secure = utm__firmware_is_secure(config);
	bool guarded = secure && x86;
	const char *code = guarded || (secure && entry->secure_code) ? entry->secure_code : entry->code;
	const char *keyed = entry->secure_vars_template ? entry->secure_vars_template : entry->vars_template;

	if (guarded && !can_guard_flash(config->system->target))
		return fail_unsupported("QEMU.TPMDevice", "UEFI with Secure Boot needs the machine q35", error);
	if (!code)
		return fail_missing(entry->architecture, secure ? "UEFI firmware with Secure Boot" : "UEFI firmware", error);
	*ret_choice = (UtmFirmwareChoice){
		.code = code,
		.vars_template = secure ? keyed : entry->vars_template,
		.plain_vars = entry->vars_template,
		.keyed_vars = g_strcmp0(entry->secure_vars_template, entry->vars_template) ? entry->secure_vars_template : NULL,
		.smm = guarded,
	};
	return 0;
}

int utm__firmware_choose(const UtmHostFacts *facts, const UtmConfigQemu *config, UtmFirmwareChoice *ret_choice,
                         UtmError **error)
{
	const char *architecture = get_architecture(config);
	const UtmArgvArchitecture *known = utm__architecture_find(architecture);
	const UtmHostFirmware *entry = find_entry(facts, architecture);

	*ret_choice = (UtmFirmwareChoice){ 0 };
	if (!config->qemu->uefi_boot || utm__firmware_is_custom(config))
		return 0;
	if (!known || !known->code)
		return fail_unsupported("QEMU.UEFIBoot", "there is no UEFI firmware for this architecture", error);
	if (!(utm__machine_find(architecture, config->system->target)->traits & UTM_MACHINE_FLASH))
		return 0;
	if (!entry)
		return fail_missing(architecture, "UEFI firmware", error);
	return choose_from(entry, config, known->traits & UTM_ARCH_X86, ret_choice, error);
}

/* --- where the images are --- */

/* The one there is, or a new one. */
static UtmHostFirmware *get_entry(UtmHostFacts *facts, const char *architecture)
{
	UtmHostFirmware *entry = (UtmHostFirmware *)find_entry(facts, architecture);

	if (entry)
		return entry;
	entry = utm__host_firmware_new();

	g_free(entry->architecture);
	entry->architecture = g_strdup(architecture);
	facts->firmware = g_renew(UtmHostFirmware *, facts->firmware, facts->firmware_count + 1);
	facts->firmware[facts->firmware_count++] = entry;
	return entry;
}

static void set_path(char **field, const char *dir, const char *name, bool must_exist)
{
	g_autofree char *path = name ? g_build_filename(dir, name, NULL) : NULL;

	if (*field || !path || (must_exist && !g_file_test(path, G_FILE_TEST_IS_REGULAR)))
		return;
	*field = g_steal_pointer(&path);
}

/* Code and variables only fit each other when they come from one build, so a pair is taken whole or not at all. */
static void take_pair(char **code_field, char **vars_field, const char *dir, const char *code, const char *vars)
{
	g_autofree char *found_code = NULL;
	g_autofree char *found_vars = NULL;

	if (*code_field)
		return;
	set_path(&found_code, dir, code, true);
	set_path(&found_vars, dir, vars, true);
	if (!found_code || !found_vars)
		return;
	*code_field = g_steal_pointer(&found_code);
	g_free(*vars_field);
	*vars_field = g_steal_pointer(&found_vars);
}

static void look_into(UtmHostFirmware *entry, const FirmwareNames *row, const char *dir)
{
	bool had_code = entry->code;

	take_pair(&entry->code, &entry->vars_template, dir, row->code, row->vars);
	if (row->secure_code)
		take_pair(&entry->secure_code, &entry->secure_vars_template, dir, row->secure_code, row->secure_vars);
	else if (!had_code && entry->code)
		set_path(&entry->secure_vars_template, dir, row->secure_vars, true);
}

static const char *const system_dirs[] = {
	"/usr/share/OVMF",       "/usr/share/AAVMF",    "/usr/share/qemu-efi-riscv64", "/usr/share/qemu",
	"/usr/local/share/qemu", "/usr/share/edk2/x64", "/usr/share/edk2/ovmf",        "/usr/share/edk2/aarch64", NULL
};

void utm__firmware_find(UtmHostFacts *facts, const char *architecture, const char *const *dirs)
{
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		if (strcmp(names[i].architecture, architecture))
			continue;
		for (const char *const *dir = dirs; dir && *dir; dir++)
			look_into(get_entry(facts, architecture), &names[i], *dir);
	}
}

void utm__firmware_find_all(UtmHostFacts *facts, const char *architecture, const char *const *own_dirs,
                            const char *qemu_path)
{
	g_autofree char *bin = g_path_get_dirname(qemu_path);
	/* A QEMU that is not the distribution's brings its own, beside itself. */
	g_autofree char *share = g_build_filename(bin, "..", "share", "qemu", NULL);
	g_autofree char *described = g_build_filename(share, "firmware", NULL);
	const char *const descriptor_dirs[] = { "/etc/qemu/firmware", "/usr/share/qemu/firmware", described, NULL };
	const char *const own_share[] = { share, NULL };
	const UtmArgvArchitecture *known = utm__architecture_find(architecture);

	if (!known || !known->code)
		return;
	utm__firmware_find(facts, architecture, own_dirs);
	utm__firmware_find_described(get_entry(facts, architecture), descriptor_dirs);
	utm__firmware_find(facts, architecture, system_dirs);
	utm__firmware_find(facts, architecture, own_share);
}

void utm__firmware_assume(UtmHostFacts *facts)
{
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		const FirmwareNames *row = &names[i];

		if (!row->assumed_dir)
			continue;
		UtmHostFirmware *entry = get_entry(facts, row->architecture);
		set_path(&entry->code, row->assumed_dir, row->code, false);
		set_path(&entry->vars_template, row->assumed_dir, row->vars, false);
		set_path(&entry->secure_code, row->assumed_dir, row->secure_code, false);
		set_path(&entry->secure_vars_template, row->assumed_dir, row->secure_vars, false);
	}
}
