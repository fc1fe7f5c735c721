/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must be known of image files before QEMU opens them.
 *
 * QEMU is told the format of every image. Guessing it, as QEMU does by itself, lets a guest turn its raw disk into an
 * image that refers to any file of the host.
 */
#include "base/qcow2.h"
#include "base/util.h"
#include "host/host-private.h"
#include "host/machines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Overlays upon overlays: more than anybody makes, few enough to stay quick. */
enum {
	CHAIN_MAX = 16
};

static const struct {
	const char *extension;
	const char *format;
} extensions[] = {
	{ ".qcow2", "qcow2" }, { ".img", "raw" },   { ".raw", "raw" },   { ".iso", "raw" },
	{ ".fd", "raw" },      { ".bin", "raw" },   { ".cdr", "raw" },   { ".rom", "raw" },
	{ ".dsk", "raw" },     { ".vhdx", "vhdx" }, { ".vmdk", "vmdk" }, { ".vdi", "vdi" },
};

const char *utm__image_format_from_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	for (gsize i = 0; dot && i < G_N_ELEMENTS(extensions); i++) {
		if (!g_ascii_strcasecmp(dot, extensions[i].extension))
			return extensions[i].format;
	}
	return NULL;
}

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

static int refuse(const char *file, const char *key_path, const char *what, UtmError **error)
{
	UtmError *escape = utm__error_new(UTM_ERROR_BUNDLE_PATH_ESCAPE, "the image refers to %s outside the bundle", what);

	utm__error_set_remedy(escape, "Convert it with qemu-img to an image that stands alone.");
	return utm__fail_take(error, utm__error_set_file(utm__error_set_key_path(escape, key_path), file));
}

static bool is_plain_name(const char *name)
{
	return *name && !strpbrk(name, "/:") && strcmp(name, ".") && strcmp(name, "..");
}

/* Follows the backing files: each must lie beside the image. */
static int check_chain(const char *data_dir, const char *path, const char *key_path, UtmImageHead *head, UtmError **error)
{
	g_autofree char *file = g_strdup(path);
	int code = 0;

	for (int depth = 0; !code && head->qcow2; depth++) {
		g_autofree char *backing = g_steal_pointer(&head->backing);

		if (head->external_data)
			code = refuse(file, key_path, "a data file", error);
		else if (backing && (depth >= CHAIN_MAX || !is_plain_name(backing)))
			code = refuse(file, key_path, "a backing file", error);
		if (code || !backing)
			break;
		g_free(file);
		file = g_build_filename(data_dir, backing, NULL);
		if (!read_head(file, O_NOFOLLOW, head, NULL))
			code = refuse(file, key_path, "a backing file", error);
	}
	g_clear_pointer(&head->backing, g_free);
	return code;
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
	g_autofree char *path = NULL;
	UtmImageHead head;

	if (!is_disk(drive) || !g_strcmp0(named_format, "raw"))
		return 0;
	path = g_build_filename(data_dir, drive->image_name, NULL);
	/* That the image exists, and where its name leads, is checked where the machine is started. */
	if (!read_head(path, 0, &head, NULL))
		return 0;
	if (!named_format) {
		UtmHostMedium *medium = get_medium(facts, drive->identifier);

		if (!medium->format)
			medium->format = g_strdup(head.qcow2 ? "qcow2" : "raw");
	}
	return check_chain(data_dir, path, key_path, &head, error);
}

/* The sizes of flash chips: such a file is raw whatever the guest has written to its beginning. */
static bool is_flash_size(guint64 size)
{
	return size == 131072 || size == 540672 || size == 33554432 || size == 67108864;
}

static int inspect_vars(UtmHostFacts *facts, const char *data_dir, UtmError **error)
{
	g_autofree char *path = g_build_filename(data_dir, "efi_vars.fd", NULL);
	struct stat status;
	UtmImageHead head;
	guint64 size;

	if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode))
		return refuse(path, NULL, "a file", error);
	if (!read_head(path, O_NOFOLLOW, &head, &size))
		return 0;
	g_free(facts->efi_vars_format);
	facts->efi_vars_format = g_strdup(head.qcow2 && !is_flash_size(size) ? "qcow2" : "raw");
	if (!strcmp(facts->efi_vars_format, "raw") || (!head.backing && !head.external_data)) {
		g_free(head.backing);
		return 0;
	}
	g_free(head.backing);
	return refuse(path, NULL, "a file", error);
}

int utm__host_inspect_drive(UtmHost *host, const UtmConfig *config, gsize index, const char *bundle_path, UtmError **error)
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
		code = inspect_vars(facts, data_dir, error);
	for (gsize i = 0; !code && i < qemu->drive_count; i++)
		code = inspect_drive(facts, qemu->drive[i], i, data_dir, error);
	return code;
}
