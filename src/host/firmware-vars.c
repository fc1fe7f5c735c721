/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store of UEFI variables, efi_vars.fd: whether it must be made, of which template, and whether the one that is there
 * fits the firmware. QEMU's own words about one that does not would speak of flash devices and say nothing of what to do.
 */
#include "base/qcow2.h"
#include "base/util.h"
#include "host/host-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static guint64 size_of(int fd, const char *format)
{
	g_auto(UtmImageHead) head = { 0 };
	struct stat info;
	if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
		return 0;
	utm__image_head_read(fd, &head);
	bool qcow2 = format ? !strcmp(format, "qcow2") : head.qcow2;
	return qcow2 ? head.virtual_size : (guint64)info.st_size;
}

guint64 utm__image_size(const char *path)
{
	utm_autofd fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return size_of(fd, NULL);
}

/* --- to be made? --- */

static int fail_no_template(const char *architecture, const char *what, UtmError **error)
{
	UtmError *missing =
		utm__error_new(UTM_ERROR_FIRMWARE_NOT_FOUND, "no %s for %s guests were found", what, architecture);
	return utm__fail_take(error, utm__error_set_key_path(missing, "QEMU.UEFIBoot"));
}

int utm__firmware_choose_template(const UtmHost *host, const UtmConfig *config, UtmFirmwareKeys keys,
                                  char **ret_template, UtmError **error)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	UtmFirmwareChoice choice = { 0 };
	int failed = utm__firmware_choose(utm__host_get_facts(host), qemu, &choice, error);
	if (failed < 0)
		return failed;
	const char *architecture = utm__config_enum_get_text("Architecture", qemu->system->architecture);
	const char *path = keys == UTM_FIRMWARE_KEYS_ENROLLED ? choice.keyed_vars
	                   : keys == UTM_FIRMWARE_KEYS_NONE   ? choice.plain_vars
	                                                      : choice.vars_template;
	if (choice.code && !path)
		return fail_no_template(architecture, keys == UTM_FIRMWARE_KEYS_ENROLLED ?
		                        "UEFI variables with Secure Boot keys" : "UEFI variables to begin with", error);
	*ret_template = g_strdup(path);
	return 0;
}

int utm__firmware_plan_vars(const UtmHost *host, const UtmConfig *config, const char *bundle_path, char **ret_template,
                            UtmError **error)
{
	g_autofree char *path = g_build_filename(bundle_path, "Data", "efi_vars.fd", NULL);
	g_autofree char *template = NULL;
	struct stat status;

	*ret_template = NULL;
	/* A link counts as there: what it leads to is judged where it is opened. */
	if (!utm__config_get_qemu(config) || lstat(path, &status) == 0)
		return 0;
	int failed = utm__firmware_choose_template(host, config, UTM_FIRMWARE_KEYS_AUTO, &template, error);
	*ret_template = g_steal_pointer(&template);
	return failed;
}

/* --- does it fit? --- */

static int fail_unfit(const char *path, guint64 found, guint64 expected, const char *code, UtmError **error)
{
	UtmError *unfit = utm__error_new(UTM_ERROR_FIRMWARE_MISMATCH,
	                                 "the UEFI variables take %" PRIu64 " bytes, but those of %s take %" PRIu64, found, code,
	                                 expected);
	utm__error_set_key_path(unfit, "QEMU.UEFIBoot");
	return utm__fail_take(error, utm__error_set_file(unfit, path));
}

static int fail_unwritable(const char *path, int code, UtmError **error)
{
	UtmError *refused = utm__error_new(UTM_ERROR_IO, "the UEFI variables cannot be written: %s", g_strerror(code));
	utm__error_set_errno(refused, code);
	utm__error_set_key_path(refused, "QEMU.UEFIBoot");
	utm__error_set_remedy(refused, "Copy the bundle to a place where it can be written, or start it disposable.");
	return utm__fail_take(error, utm__error_set_file(refused, path));
}

int utm__firmware_check_vars(const UtmHost *host, const UtmConfig *config, const char *bundle_path, bool to_write,
                             UtmError **error)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	const UtmHostFacts *facts = utm__host_get_facts(host);
	g_autofree char *path = g_build_filename(bundle_path, "Data", "efi_vars.fd", NULL);
	utm_autofd fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	UtmFirmwareChoice choice = { 0 };

	if (!qemu || fd < 0)
		return 0;
	int failed = utm__firmware_choose(facts, qemu, &choice, error);
	if (failed < 0 || !choice.code)
		return failed;
	guint64 found = size_of(fd, facts->efi_vars_format);
	guint64 expected = choice.vars_template ? utm__image_size(choice.vars_template) : 0;
	if (expected && found != expected)
		return fail_unfit(path, found, expected, choice.code, error);
	if (to_write && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
		return fail_unwritable(path, errno, error);
	return 0;
}
