/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of images: where one is, whether QEMU writes to it, and a new one that takes a place only when it is complete.
 */
#pragma once

#include "base/error-private.h"
#include "base/file.h"

/* A directory, and a name in it that is no symbolic link. */
typedef struct UtmImagePlace {
	int dir;
	char *dir_path; /* absolute, real */
	char *name;
	char *path;
} UtmImagePlace;

#define UTM_IMAGE_PLACE_INIT { .dir = -1 }

/* Where a path leads. Not `must_exist`: its directory has to be there. NOT_FOUND, IO. */
int utm__image_place_find(const char *path, bool must_exist, UtmImagePlace *ret_place, UtmError **error);
void utm__image_place_clear(UtmImagePlace *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UtmImagePlace, utm__image_place_clear)

/*
 * Keeps QEMU from opening the file for writing as long as the descriptor is open, with QEMU's own locks; IMAGE_IN_USE when
 * one has done so already. On file systems without locks nobody is kept from anything.
 */
int utm__image_lock(int fd, const char *path, UtmError **error);
bool utm__image_is_written(int fd);
void utm__image_unlock(int fd);

/* A new file, without a name where the file system knows such: then nothing of it is left, whatever happens. */
typedef struct UtmImageDraft {
	int fd;
	int dir;
	char temporary[UTM_TEMPORARY_NAME_SIZE]; /* empty: it has no name */
} UtmImageDraft;

#define UTM_IMAGE_DRAFT_INIT { .fd = -1, .dir = -1 }

int utm__image_draft_new(const UtmImagePlace *place, UtmImageDraft *ret_draft, UtmError **error);
/*
 * Flushes it and puts it in its place; with `former` in that file's, whose owner and mode it gets. BUNDLE_EXISTS; IO;
 * IMAGE_IN_USE when another file is in `former`'s place now.
 */
int utm__image_draft_finish(UtmImageDraft *draft, const UtmImagePlace *place, const struct stat *former, UtmError **error);
/* What has no place yet is gone after this. */
void utm__image_draft_clear(UtmImageDraft *draft);
