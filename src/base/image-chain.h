/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An image and the files that it is based on, opened. Images come from strangers and are written by guests: each file of
 * the chain must lie beside the first one, and formats come from names and from what an image says of the one below it, never
 * from QEMU's guess. Whoever hands the descriptors on, not the names, knows that nothing else is read.
 */
#pragma once

#include "base/qcow2.h"

#include <sys/stat.h>
#include <utm/error.h>

/* Overlays upon overlays: more than anybody makes, few enough to stay quick. */
#define UTM_IMAGE_BACKING_MAX 16

typedef struct UtmImageLink {
	int fd;             /* for reading */
	char *path;         /* as errors call it */
	const char *format; /* in QEMU's words; static */
} UtmImageLink;

typedef struct UtmImageChain {
	gsize count;
	UtmImageLink links[UTM_IMAGE_BACKING_MAX + 1];
} UtmImageChain;

typedef enum UtmImageChainFlags {
	UTM_IMAGE_CHAIN_NO_LINK = 1 << 0,    /* the first file must be no symbolic link, as those below it never may */
	UTM_IMAGE_CHAIN_FIRST_ONLY = 1 << 1, /* what is below it is not opened, wherever it is */
} UtmImageChainFlags;

/*
 * Opens `name` in a directory, and what it is based on. `format` NULL: by the name, else by the first bytes, which can be
 * qcow2 or raw. BUNDLE_PATH_ESCAPE for an image that refers to a file elsewhere; IO, NOT_FOUND; IO for what is no regular
 * file. Clear it also after a failure.
 */
int utm__image_chain_open(int directory, const char *directory_path, const char *name, const char *format, guint flags,
                          UtmImageChain *ret_chain, UtmError **error);
void utm__image_chain_clear(UtmImageChain *chain);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UtmImageChain, utm__image_chain_clear)
