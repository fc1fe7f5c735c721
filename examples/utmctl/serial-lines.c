/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest writes what it likes, escape sequences for the terminal of whoever looks at it included. Only text gets through:
 * printable characters, tabs, and the bytes of UTF-8 beyond ASCII.
 */
#include "utmctl.h"

void serial_lines_flush(SerialLines *lines)
{
	if (lines->used == 0)
		return;
	printf("serial: %.*s\n", (int)lines->used, lines->text);
	lines->used = 0;
}

static void add_byte(SerialLines *lines, unsigned char byte)
{
	if (byte == '\n' || lines->used == sizeof lines->text)
		serial_lines_flush(lines);
	if (byte == '\n' || byte == '\r')
		return;
	bool is_text = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
	lines->text[lines->used++] = is_text ? (char)byte : '?';
}

void serial_lines_add(SerialLines *lines, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		add_byte(lines, ((const unsigned char *)bytes)[i]);
}
