/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The formats of disk images, in QEMU's words, and the endings of file names that stand for them. */
#pragma once

#include <glib.h>

/* The format of an image by its file name; NULL when the name does not tell. */
const char *utm__image_format_from_name(const char *path);
