/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/qcow2.h"

#include "base/util.h"

#include <string.h>
#include <unistd.h>

#define HEADER_SIZE 104

/* A name that cannot be read whole counts as one that leads out. */
static char *read_backing_name(int fd, guint64 offset, guint32 length)
{
	char name[1024] = { 0 };

	if (length >= sizeof name || offset > G_MAXINT64 || pread(fd, name, length, (off_t)offset) != (ssize_t)length)
		return g_strdup("/");
	return g_strdup(name);
}

void utm__image_head_read(int fd, UtmImageHead *ret_head)
{
	static const guint8 magic[] = { 'Q', 'F', 'I', 0xfb };
	guint8 bytes[HEADER_SIZE] = { 0 };
	ssize_t length = pread(fd, bytes, sizeof bytes, 0);

	*ret_head = (UtmImageHead){ .qcow2 = length >= 72 && memcmp(bytes, magic, sizeof magic) == 0 };
	if (!ret_head->qcow2)
		return;
	ret_head->virtual_size = utm__read_big_endian(bytes + 24, 8);
	guint64 offset = utm__read_big_endian(bytes + 8, 8);
	if (offset)
		ret_head->backing = read_backing_name(fd, offset, (guint32)utm__read_big_endian(bytes + 16, 4));
	if (utm__read_big_endian(bytes + 4, 4) >= 3 && length >= 80)
		ret_head->external_data = utm__read_big_endian(bytes + 72, 8) & 4;
}

void utm__image_head_clear(UtmImageHead *head)
{
	g_clear_pointer(&head->backing, g_free);
}
