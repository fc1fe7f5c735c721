/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must be known of image files before QEMU opens them.
 *
 * QEMU is told the format of every image. Guessing it, as QEMU does by itself, lets a guest turn its raw disk into an
 * image that refers to any file of the host.
 */
#include "base/image-chain.h"
#include "base/util.h"
#include "host/host-private.h"
#include "host/machines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- first bytes --- */

/* False when there is no such file. Links are not followed: `path` is inside the bundle and shall stay there. */
static bool read_head(const char *path, int flags, UtmImageHead *ret_head, guint64 *ret_size)
{
	utm_autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	struct stat status;

	*ret_head = (UtmImageHead){ 0 };
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	if (ret_size)
		*ret_size = (guint64)status.st_size;
	utm__image_head_read(fd, ret_head);
	return true;
}

/* --- the files of a bundle --- */

/* Every file that the image is based on lies beside it. What cannot be opened is complained of where the machine starts. */
static int check_chain(const char *data_dir, const char *name, const char *key_path, const char **format,
                       UtmError **error)
{
	g_auto(UtmImageChain) chain = { 0 };
	g_autoptr(UtmError) problem = NULL;
	utm_autofd data = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int code = data < 0 ? 0 : utm__image_chain_open(data, data_dir, name, *format, 0, &chain, &problem);

	if (code == 0 && chain.count)
		*format = chain.links[0].format;
	if (code != UTM_ERROR_BUNDLE_PATH_ESCAPE)
		return 0;
	utm__error_set_key_path(problem, key_path);
	return utm__fail_take(error, g_steal_pointer(&problem));
}

static UtmHostMedium *get_medium(UtmHostFacts *facts, const char *identifier)
{
	for (gsize i = 0; i < facts->medium_count; i++) {
		if (!g_strcmp0(facts->medium[i]->identifier, identifier))
			return facts->medium[i];
	}

	UtmHostMedium *medium = utm__host_medium_new();
	g_free(medium->identifier);
	medium->identifier = g_strdup(identifier);
	facts->medium = g_renew(UtmHostMedium *, facts->medium, facts->medium_count + 1);
	facts->medium[facts->medium_count++] = medium;
	return medium;
}

static bool is_disk(const UtmConfigDrive *drive)
{
	return drive->image_type == UTM_CONFIG_IMAGE_TYPE_DISK && drive->image_name && drive->identifier;
}

static int inspect_drive(UtmHostFacts *facts, const UtmConfigDrive *drive, gsize index, const char *data_dir,
                         UtmError **error)
{
	const char *named_format = drive->image_name ? utm__image_format_from_name(drive->image_name) : NULL;
	g_autofree char *key_path = g_strdup_printf("Drive[%zu].ImageName", index);
	const char *format = named_format;

	if (!is_disk(drive) || !g_strcmp0(named_format, "raw"))
		return 0;
	int code = check_chain(data_dir, drive->image_name, key_path, &format, error);
	if (named_format || !format)
		return code;
	UtmHostMedium *medium = get_medium(facts, drive->identifier);
	if (!medium->format)
		medium->format = g_strdup(format);
	return code;
}

/* The sizes of flash chips: such a file is raw whatever the guest has written to its beginning. */
static bool is_flash_size(guint64 size)
{
	return size == 131072 || size == 540672 || size == 33554432 || size == 67108864;
}

/* The guest can write these bytes, and there is no use of a store that does not stand alone. */
static int refuse_vars(const char *path, const char *what, UtmError **error)
{
	UtmError *escape = utm__error_new(UTM_ERROR_BUNDLE_PATH_ESCAPE, "the UEFI variables %s", what);

	utm__error_set_key_path(escape, "QEMU.UEFIBoot");
	utm__error_set_remedy(escape, "Reset them: utm_bundle_reset_uefi_variables(), utmctl bundle reset-uefi.");
	return utm__fail_take(error, utm__error_set_file(escape, path));
}

int utm__host_inspect_vars(UtmHost *host, const char *bundle_path, UtmError **error)
{
	g_autofree char *path = g_build_filename(bundle_path, "Data", "efi_vars.fd", NULL);
	UtmHostFacts *facts = utm__host_edit_facts(host);
	g_auto(UtmImageHead) head = { 0 };
	struct stat status;
	guint64 size;

	if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode))
		return refuse_vars(path, "are a symbolic link", error);
	if (!read_head(path, O_NOFOLLOW, &head, &size))
		return 0;
	bool qcow2 = head.qcow2 && !is_flash_size(size);
	g_free(facts->efi_vars_format);
	facts->efi_vars_format = g_strdup(qcow2 ? "qcow2" : "raw");
	return qcow2 && (head.backing || head.external_data) ? refuse_vars(path, "refer to another file", error) : 0;
}

int utm__host_inspect_drive(UtmHost *host, const UtmConfig *config, gsize index, const char *bundle_path,
                            UtmError **error)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	g_autofree char *data_dir = g_build_filename(bundle_path, "Data", NULL);

	return inspect_drive(utm__host_edit_facts(host), qemu->drive[index], index, data_dir, error);
}

int utm__host_inspect_bundle(UtmHost *host, const UtmConfig *config, const char *bundle_path, UtmError **error)
{
	const UtmConfigQemu *qemu = utm__config_get_qemu(config);
	g_autofree char *data_dir = g_build_filename(bundle_path, "Data", NULL);
	UtmHostFacts *facts = utm__host_edit_facts(host);
	int code = 0;

	if (!qemu)
		return 0;
	if (qemu->qemu->uefi_boot)
		code = utm__host_inspect_vars(host, bundle_path, error);
	for (gsize i = 0; !code && i < qemu->drive_count; i++)
		code = inspect_drive(facts, qemu->drive[i], i, data_dir, error);
	return code;
}
