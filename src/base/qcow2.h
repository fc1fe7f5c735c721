/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first bytes of a disk image: what it is, and to which other files it refers. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct UtmImageHead {
	const char *look; /* format that the first bytes are typical of; static; NULL: none that is known */
	bool qcow2;
	char *backing;        /* file below it; "/" when its name cannot be read; NULL: stands alone */
	char *backing_format; /* as the image names it; nullable */
	bool external_data;   /* its data lie in another file */
	bool is_part;         /* taken as VMDK, it has an ancestor, or its data lie in other files */
	guint64 virtual_size; /* what a guest sees of it, bytes; 0 when it is no qcow2 */
} UtmImageHead;

/* Reads at the beginning, whatever the descriptor's position. An image that cannot be read is no qcow2. */
void utm__image_head_read(int fd, UtmImageHead *ret_head);
void utm__image_head_clear(UtmImageHead *head);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UtmImageHead, utm__image_head_clear)
