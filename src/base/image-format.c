/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/image-format.h"

#include <string.h>

static const struct {
	const char *extension;
	const char *format;
} extensions[] = {
	{ ".qcow2", "qcow2" }, { ".img", "raw" },   { ".raw", "raw" },   { ".iso", "raw" },
	{ ".fd", "raw" },      { ".bin", "raw" },   { ".cdr", "raw" },   { ".rom", "raw" },
	{ ".dsk", "raw" },     { ".vhdx", "vhdx" }, { ".vmdk", "vmdk" }, { ".vdi", "vdi" },
	{ ".vhd", "vpc" },
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
