/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/qcow2.h"

#include "base/util.h"

#include <string.h>
#include <unistd.h>

#define HEADER_SIZE 104
/* Behind the header; each has a type and a length of four bytes before it. More than this many nobody writes. */
#define EXTENSIONS_MAX 64
#define EXTENSION_BACKING_FORMAT 0xe2792acau
#define FORMAT_NAME_MAX 15
/* Where a VMDK that is one file has its description, and how much of it QEMU looks at. */
#define VMDK_TEXT_OFFSET 512
#define VMDK_TEXT_SIZE (20 * 512)

static const struct {
	const char *format;
	guint offset, length;
	const char *bytes;
} looks[] = {
	{ "qcow2", 0, 4, "QFI\xfb" },    { "vmdk", 0, 4, "KDMV" },           { "vmdk", 0, 4, "COWD" },
	{ "vmdk", 0, 21, "# Disk DescriptorFile" }, { "vdi", 64, 4, "\x7f\x10\xda\xbe" }, { "vhdx", 0, 8, "vhdxfile" },
	{ "vpc", 0, 8, "conectix" },     { "qed", 0, 4, "QED\0" },
};

static const char *find_look(const guint8 *bytes, gsize length)
{
	for (gsize i = 0; i < G_N_ELEMENTS(looks); i++)
		if (length >= looks[i].offset + looks[i].length &&
		    memcmp(bytes + looks[i].offset, looks[i].bytes, looks[i].length) == 0)
			return looks[i].format;
	return NULL;
}

/* --- qcow2 --- */

/* A name that cannot be read whole counts as one that leads out. */
static char *read_backing_name(int fd, guint64 offset, guint32 length)
{
	char name[1024] = { 0 };

	if (length >= sizeof name || offset > G_MAXINT64 || pread(fd, name, length, (off_t)offset) != (ssize_t)length)
		return g_strdup("/");
	return g_strdup(name);
}

/* NULL when there is none; what cannot be read is none that anybody knows. */
static char *read_backing_format(int fd, guint64 offset)
{
	char name[FORMAT_NAME_MAX + 1] = { 0 };
	guint8 head[8];

	for (int i = 0; i < EXTENSIONS_MAX && pread(fd, head, sizeof head, (off_t)offset) == sizeof head; i++) {
		guint32 type = (guint32)utm__read_big_endian(head, 4);
		guint32 length = (guint32)utm__read_big_endian(head + 4, 4);
		if (type == 0)
			return NULL;
		if (type == EXTENSION_BACKING_FORMAT)
			return g_strdup(length <= FORMAT_NAME_MAX &&
			                pread(fd, name, length, (off_t)offset + 8) == (ssize_t)length ? name : "?");
		offset += 8 + ((guint64)length + 7) / 8 * 8;
	}
	return NULL;
}

static void read_qcow2(int fd, const guint8 *bytes, ssize_t length, UtmImageHead *head)
{
	bool is_new = utm__read_big_endian(bytes + 4, 4) >= 3 && length >= HEADER_SIZE;
	guint64 offset = utm__read_big_endian(bytes + 8, 8);

	head->virtual_size = utm__read_big_endian(bytes + 24, 8);
	if (offset) {
		head->backing = read_backing_name(fd, offset, (guint32)utm__read_big_endian(bytes + 16, 4));
		head->backing_format = read_backing_format(fd, is_new ? utm__read_big_endian(bytes + 100, 4) : 72);
	}
	if (utm__read_big_endian(bytes + 4, 4) >= 3 && length >= 80)
		head->external_data = utm__read_big_endian(bytes + 72, 8) & 4;
}

/* --- VMDK --- */

/*
 * One that begins with a description, or has a capacity of zero, is a list of other files, of any protocol that QEMU knows;
 * one with a description inside can name an ancestor there. Of the oldest kind nothing is known, and nobody needs it.
 */
static bool refers_elsewhere(int fd, const guint8 *bytes, ssize_t length)
{
	static const char ancestor[] = "parentFileNameHint";
	char text[VMDK_TEXT_SIZE];

	if (length < 20 || memcmp(bytes, "KDMV", 4) != 0)
		return true;
	if (utm__read_big_endian(bytes + 12, 8) == 0)
		return true;
	ssize_t size = pread(fd, text, sizeof text, VMDK_TEXT_OFFSET);
	return size < 0 || memmem(text, (gsize)size, ancestor, strlen(ancestor));
}

/* --- all --- */

void utm__image_head_read(int fd, UtmImageHead *ret_head)
{
	guint8 bytes[HEADER_SIZE] = { 0 };
	ssize_t length = pread(fd, bytes, sizeof bytes, 0);

	*ret_head = (UtmImageHead){ .look = find_look(bytes, (gsize)MAX(length, 0)) };
	ret_head->qcow2 = length >= 72 && g_strcmp0(ret_head->look, "qcow2") == 0;
	ret_head->is_part = refers_elsewhere(fd, bytes, length);
	if (ret_head->qcow2)
		read_qcow2(fd, bytes, length, ret_head);
}

void utm__image_head_clear(UtmImageHead *head)
{
	g_clear_pointer(&head->backing, g_free);
	g_clear_pointer(&head->backing_format, g_free);
}
